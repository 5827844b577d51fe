"""Templates with more in them than names: their syntax tree, held against a list of what may be in it.

jinja2 is imported here, so this module is imported only when there is such a template. Nothing is rendered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from jinja2 import Environment, TemplateSyntaxError, nodes

from dsl.embedded.jinja_check import FILTERS, MAX_GROWTH, TESTS, Problem, Usage, find, reaching, region_on_line
from dsl.suggest import closest, question

_STATEMENT = re.compile(r"\{%[-+]?\s*([A-Za-z_]\w*)?")
_STATEMENTS = frozenset({"if", "elif", "else", "endif", "raw", "endraw"})


def inspect_tree(text: str) -> Usage:
    """Where nothing is forbidden nothing gives a name a value: all names are asked for. jinja2 has a function to
    find those, which takes seconds for a chain of filters: it looks at each whether all before it are constant."""
    try:
        tree = Environment().parse(text)  # noqa: S701 - parsed, never rendered
    except TemplateSyntaxError as error:
        return Usage(frozenset(), (_syntax_problem(text, error.lineno, error.message or ""),))
    except (RecursionError, MemoryError, OverflowError, ValueError):
        return Usage(frozenset(), (Problem("RW503", 0, 2, "this template is nested too deeply"),))
    try:
        problems = tuple(_forbidden(text, tree))
        names = frozenset(node.name for node in tree.find_all(nodes.Name)) if not problems else frozenset[str]()
    except RecursionError:
        return Usage(frozenset(), (Problem("RW503", 0, 2, "this template is nested too deeply"),))
    return Usage(names, problems)


def _syntax_problem(text: str, line: int, words: str) -> Problem:
    unclosed = _unclosed(text)
    if unclosed is not None:
        return unclosed
    for found in _STATEMENT.finditer(text):
        word = found[1] or ""
        if word not in _STATEMENTS:
            return _unknown_statement(found, word)
    start, end = region_on_line(text, line)
    if "endif" in words or "end of template" in words:
        return Problem("RW501", start, end, "this `{% if %}` has no end", "close it with `{% endif %}`")
    return Problem(
        "RW501",
        start,
        end,
        f"cannot make sense of `{' '.join(text[start:end].split())}`",
        "a template holds names such as `{{ workload }}`, filters such as `{{ target | upper }}`, and `{% if %}`",
    )


def _unclosed(text: str) -> Problem | None:
    for opener, closer in (("{{", "}}"), ("{%", "%}"), ("{#", "#}")):
        at = text.rfind(opener)
        if at >= 0 and text.find(closer, at) < 0:
            return Problem("RW501", at, at + 2, f"this `{opener}` is never closed", f"close it with `{closer}`")
    return None


def _unknown_statement(found: re.Match[str], word: str) -> Problem:
    start, end = (found.start(1), found.end(1)) if word else (found.start(), found.end())
    known = word in {"for", "macro", "include", "import", "from", "extends", "block", "set", "call", "filter", "do"}
    message = f"a template may not use `{word}`" if known else f"`{word}` is not a statement of a template"
    return Problem("RW503" if known else "RW501", start, end, message, "only `if`, `elif` and `else` can stand here")


_WORDS: Mapping[str, str] = {
    "For": "`for`",
    "Macro": "`macro`",
    "Include": "`include`",
    "Import": "`import`",
    "FromImport": "`import`",
    "Extends": "`extends`",
    "Block": "`block`",
    "CallBlock": "`call`",
    "FilterBlock": "`filter` blocks",
    "Assign": "`set`",
    "AssignBlock": "`set`",
    "With": "`with`",
    "Call": "calls such as `range(…)`",
    "Mul": "`*`",
    "Pow": "`**`",
    "Mod": "`%`",
    "FloorDiv": "`//`",
    "List": "lists",
    "Dict": "maps",
    "Tuple": "lists",
    "Slice": "slices",
}
_ALLOWED = frozenset(
    {
        "Template",
        "Output",
        "TemplateData",
        "If",
        "CondExpr",
        "Name",
        "Const",
        "Getattr",
        "Getitem",
        "Filter",
        "Test",
        "Compare",
        "Operand",
        "And",
        "Or",
        "Not",
        "Add",
        "Sub",
        "Div",
        "Neg",
        "Pos",
        "Concat",
        "Keyword",
    }
)
_SOUGHT: Mapping[str, str] = {
    "For": r"\bfor\b",
    "Macro": r"\bmacro\b",
    "Include": r"\binclude\b",
    "Import": r"\bimport\b",
    "FromImport": r"\bimport\b",
    "Extends": r"\bextends\b",
    "Block": r"\bblock\b",
    "CallBlock": r"\bcall\b",
    "FilterBlock": r"\bfilter\b",
    "Assign": r"\bset\b",
    "AssignBlock": r"\bset\b",
    "With": r"\bwith\b",
    "Mul": r"\*",
    "Pow": r"\*\*",
    "Mod": r"(?<!\{)%(?!\})",
    "FloorDiv": "//",
    "Call": r"\w+\s*\(",
}


def _forbidden(text: str, tree: nodes.Template) -> Iterator[Problem]:
    growth, stack = 1, [tree]
    while stack:
        node = stack.pop()
        kind = type(node).__name__
        if kind not in _ALLOWED:
            yield _forbidden_construct(text, kind, node.lineno)
            continue
        if kind == "Filter":
            growth *= _growth(node)
        yield from _forbidden_use(text, kind, node)
        stack.extend(node.iter_child_nodes())  # type: ignore[arg-type]
    if growth > MAX_GROWTH:
        start, end = find(text, r"\breplace\b", 1)
        yield Problem("RW503", start, end, "these `replace` filters make a text too long")


def _forbidden_construct(text: str, kind: str, line: int) -> Problem:
    start, end = find(text, _SOUGHT.get(kind, ""), line)
    words = _WORDS.get(kind, "this")
    return Problem(
        "RW503",
        start,
        end,
        f"a template may not use {words}" if words != "this" else "a template may not do this",
        "a template may name variables, ask `if`, and use filters; whatever needs more belongs into the query language",
    )


def _forbidden_use(text: str, kind: str, node: nodes.Node) -> Iterator[Problem]:
    if kind in ("Filter", "Test"):
        name, known = node.name, FILTERS if kind == "Filter" else TESTS  # type: ignore[attr-defined]
        if name not in known:
            start, end = find(text, rf"(?<!\w){re.escape(name)}(?!\w)", node.lineno)
            words = "filter" if kind == "Filter" else "test"
            yield Problem("RW504", start, end, f"there is no {words} `{name}` in a template", _choices(name, known))
        elif name == "round" and not _rounds_little(node):
            start, end = find(text, r"\bround\b", node.lineno)
            yield Problem("RW503", start, end, "`round` takes nothing but a number of digits, 0 to 9")
    elif kind in ("Getattr", "Getitem"):
        holder = getattr(node.node, "name", "a value")  # type: ignore[attr-defined]
        part = node.attr if kind == "Getattr" else getattr(node.arg, "value", "")  # type: ignore[attr-defined]
        if holder != "variables" or not isinstance(part, str) or part.startswith("_"):
            start, end = find(text, rf"\b{re.escape(str(holder))}\b\s*[.\[]?\s*\w*", node.lineno)
            yield reaching(str(holder), str(part), start, end)


def _rounds_little(node: nodes.Node) -> bool:
    """Whether a `round` filter has no argument or a small one: `round(999999999, 'ceil')` would take for ever."""
    args = [getattr(arg, "value", None) for arg in node.args]  # type: ignore[attr-defined]
    return not node.kwargs and len(args) <= 1 and all(isinstance(a, int) and 0 <= a <= 9 for a in args)  # type: ignore[attr-defined]


def _growth(node: nodes.Node) -> int:
    """How many times longer one filter can make a text."""
    if node.name != "replace":  # type: ignore[attr-defined]
        return 1
    args = node.args  # type: ignore[attr-defined]
    value = getattr(args[1], "value", None) if len(args) > 1 else None
    return len(value) + 1 if isinstance(value, str) else MAX_GROWTH + 1


def _choices(name: str, known: frozenset[str]) -> str:
    near = closest(name, known)
    return question(near) or "there are " + ", ".join(f"`{word}`" for word in sorted(known))
