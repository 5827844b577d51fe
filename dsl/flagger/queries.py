"""Queries: from Go templates to those of the language.

Flagger's templates call functions: `{{ target }}`, `{{ variables.path }}`. Ours name variables, and most are written
alike. What a Go template can do beyond that (pipelines, `if`, `printf`) is said to be untranslatable, by name.
"""

from __future__ import annotations

import re

from dsl.findings import listed
from dsl.flagger.problems import Problems

_FUNCTIONS = ("name", "namespace", "target", "service", "ingress", "route", "interval")
_ACTION = re.compile(r"\{\{(-(?=\s))?(.*?)((?<=\s)-)?\}\}", re.DOTALL)
_PART = re.compile(r"variables\.([A-Za-z_]\w*)")
_INDEX = re.compile(r'index\s+variables\s+"([^"\\]+)"')
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_OURS = ("{%", "{#")


def translated(query: str, path: str, problems: Problems) -> str:
    """The query as a template of the language; what cannot be translated is a problem at `path`."""
    parts: list[str] = []
    last = 0
    for action in _ACTION.finditer(query):
        parts += (_literal(query[last : action.start()]), _action(action, path, problems))
        last = action.end()
    rest = query[last:]
    if "{{" in rest:
        problems.error(path, "has `{{` without `}}` behind it")
    return "".join((*parts, _literal(rest)))


def _literal(text: str) -> str:
    """Text that means nothing to Go and would mean something to us."""
    for mark in _OURS:
        text = text.replace(mark, f"{{{{ '{mark}' }}}}")
    return text


def _action(action: re.Match[str], path: str, problems: Problems) -> str:
    before, inside, behind = action[1] or "", action[2].strip(), action[3] or ""
    if _COMMENT.fullmatch(inside):
        return ""
    inside = inside.removeprefix("(").removesuffix(")").strip() if inside.startswith("(") else inside
    indexed = _INDEX.fullmatch(inside)
    if indexed is not None:
        inside = f"variables[{_quoted(indexed[1])}]"
    elif inside not in _FUNCTIONS and not _PART.fullmatch(inside):
        problems.error(
            path,
            f"`{{{{ {inside[:60]} }}}}` cannot be translated",
            f"a query may name {listed(_FUNCTIONS)} and `variables.NAME`",
        )
    return f"{{{{{before} {inside} {behind}}}}}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "\\'") + "'"
