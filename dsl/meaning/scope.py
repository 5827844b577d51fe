"""Names: which declarations a file has, what its imports bring in, and what a name in it stands for.

The rules. Constants, metrics and the aliases of imports share one space of names, since they all stand in expressions;
analyses, strategies, webhooks, gates, channels, windows, guardrails and rollouts have one space each, since the
statement around a name says which of them it must be. A name is declared once in its space; a file may not declare a
name that it imports as well, unless that import has an alias. Two imports may bring the same name; only using it is
then an error. Imports do not pass on what they import themselves. Parameters and loop variables hide everything. A
constant of a block (`local.py`) hides nothing: all that means something where it is declared has another name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple, TypeVar

from dsl import syntax
from dsl.diagnostics import Label
from dsl.findings import Findings, replacing
from dsl.source import Source, Span

FUNCTIONS = ("min", "max", "abs")
TESTS = ("no_regression", "no_slower", "meets", "certified", "not_worse", "kayenta")


class Space(StrEnum):
    """A space of names, by the word for what is in it."""

    VALUE = "metric or constant"
    ANALYSIS = "analysis"
    STRATEGY = "strategy"
    WEBHOOK = "webhook"
    GATE = "gate"
    CHANNEL = "channel"
    WINDOW = "window"
    GUARDRAIL = "guardrail"
    ROLLOUT = "rollout"


Declaring = (
    syntax.Let
    | syntax.Metric
    | syntax.Analysis
    | syntax.Strategy
    | syntax.Webhook
    | syntax.Gate
    | syntax.Channel
    | syntax.Window
    | syntax.Guardrail
    | syntax.Rollout
)

_SPACES: dict[type, Space] = {
    syntax.Let: Space.VALUE,
    syntax.Metric: Space.VALUE,
    syntax.Analysis: Space.ANALYSIS,
    syntax.Strategy: Space.STRATEGY,
    syntax.Webhook: Space.WEBHOOK,
    syntax.Gate: Space.GATE,
    syntax.Channel: Space.CHANNEL,
    syntax.Window: Space.WINDOW,
    syntax.Guardrail: Space.GUARDRAIL,
    syntax.Rollout: Space.ROLLOUT,
}
_WORDS: dict[type, str] = {syntax.Let: "constant", syntax.Metric: "metric"}


Kind = TypeVar("Kind")


class Declared(NamedTuple):
    """A declaration and the module that it is in."""

    node: Declaring
    module: Module

    def of(self, kind: type[Kind]) -> Kind:
        """The node, which is of that kind: whoever asks has looked in the space for it."""
        if isinstance(self.node, kind):
            return self.node
        raise TypeError(f"`{self.name}` is a {self.word}")

    @property
    def word(self) -> str:
        """What people call it: `metric`, `gate`."""
        return _WORDS.get(type(self.node)) or _SPACES[type(self.node)].value

    @property
    def name(self) -> str:
        name = self.node.name
        return name.text if name is not None else ""

    @property
    def name_span(self) -> Span:
        name = self.node.name
        return name.span if name is not None else self.node.span


class Imported(NamedTuple):
    """One `import`; `module` is None where it could not be had, which has been said already."""

    node: syntax.Import
    module: Module | None

    @property
    def alias(self) -> str | None:
        return self.node.alias.text if self.node.alias is not None else None


class Module:
    """One file with its names. `path` is what imports call it; empty for the file that is being compiled. `broken` are
    the places that could not be read, `damaged` the words in them: what is missing may have been declared there."""

    def __init__(self, path: str, file: syntax.File, broken: tuple[Span, ...] = ()) -> None:
        self.path = path
        self.file = file
        self.broken = broken
        self.damaged = words_of(file, broken) if broken else frozenset[str]()
        self.names: dict[Space, dict[str, Declared]] = {space: {} for space in Space}
        self.imports: list[Imported] = []
        self.aliases: dict[str, Imported] = {}
        self.repeated: list[tuple[Declared, Declared]] = []
        for node in file.declarations:
            if not isinstance(node, syntax.Import | syntax.Test):
                self._declare(node)

    @property
    def source(self) -> Source:
        return self.file.source

    @property
    def standard(self) -> bool:
        return self.path.startswith("std/")

    def _declare(self, node: Declaring) -> None:
        if node.name is None:
            return
        space = _SPACES[type(node)]
        key = node.name.text
        if isinstance(node, syntax.Rollout):
            key = f"{node.namespace.text if node.namespace is not None else 'default'}/{key}"
        declared = Declared(node, self)
        first = self.names[space].setdefault(key, declared)
        if first is not declared:
            self.repeated.append((declared, first))

    def bring_in(self, imported: Imported) -> None:
        """Add an import, in the order written."""
        self.imports.append(imported)
        if imported.alias is not None:
            self.aliases.setdefault(imported.alias, imported)

    def torn(self, span: Span) -> bool:
        """Whether something in this place could not be read: then what seems to be missing may have stood there."""
        return any(b.start < span.end and b.end > span.start for b in self.broken)

    @property
    def blind(self) -> bool:
        """Whether an import that brings in names could not be had: then an unknown name may well be one of its."""
        return any(i.module is None and i.alias is None for i in self.imports)

    def candidates(self, space: Space) -> list[str]:
        """All names that would be known here."""
        return [name for name, _ in self.known(space)]

    def known(self, space: Space) -> Iterator[tuple[str, Declared]]:
        """All names of a space with what they stand for: its own first, then what the imports bring in."""
        yield from self.names[space].items()
        for imported in self.imports:
            if imported.module is not None:
                prefix = f"{imported.alias}." if imported.alias is not None else ""
                for name, declared in imported.module.names[space].items():
                    yield prefix + name, declared

    def rollouts(self, name: str) -> list[Declared]:
        """The file's rollouts of that name, one for each namespace."""
        return [d for d in self.names[Space.ROLLOUT].values() if d.name == name]

    def find(self, space: Space, name: str) -> list[tuple[Declared, Imported | None]]:
        """What an undotted name may stand for: one thing, nothing, or several that differ."""
        own = self.names[space].get(name)
        if own is not None:
            return [(own, None)]
        found: dict[int, tuple[Declared, Imported | None]] = {}
        for imported in self.imports:
            if imported.alias is None and imported.module is not None:
                declared = imported.module.names[space].get(name)
                if declared is not None:
                    found.setdefault(id(declared.node), (declared, imported))
        return list(found.values())


def resolve(
    module: Module, space: Space, path: tuple[syntax.Name, ...], findings: Findings, bound: Iterable[str] = ()
) -> Declared | None:
    """What a name, or an alias and a name, stands for. What it cannot stand for is reported, once, and gives None; the
    names that are `bound` there, to parameters and such, may have been meant."""
    if len(path) > 1:
        return _resolve_dotted(module, space, path, findings)
    name = path[0]
    found = module.find(space, name.text)
    if len(found) > 1:
        _ambiguous(name, found, findings)
        return None
    if found:
        return found[0][0]
    if not module.blind and name.text not in module.damaged:
        _unknown(module, space, name, findings, bound)
    return None


def _resolve_dotted(module: Module, space: Space, path: tuple[syntax.Name, ...], findings: Findings) -> Declared | None:
    first, second = path[0], path[1]
    imported = module.aliases.get(first.text)
    if imported is None:
        if module.find(space, second.text):
            findings.error(
                "RW101",
                f"there is no import called `{first.text}`",
                first.span,
                help=f"did you mean `{second.text}` alone?",
                fixes=[replacing(first.span.to(second.span), second.text)],
            )
        elif first.text not in module.damaged:
            findings.unknown(
                "RW101",
                f"there is no import called `{first.text}`",
                first.text,
                first.span,
                module.aliases,
                other=f'name one with `import "…" as {first.text}`',
            )
        return None
    if len(path) > 2:
        findings.error(
            "RW101",
            f"`{second.text}` has nothing inside that could be named",
            first.span.to(path[-1].span),
            help=f"write `{first.text}.{second.text}`",
            fixes=[replacing(first.span.to(path[-1].span), f"{first.text}.{second.text}")],
        )
        return None
    if imported.module is None or second.text in imported.module.damaged:
        return None
    found = imported.module.names[space].get(second.text)
    if found is None and not _wrong_kind(imported.module, space, second, findings):
        findings.unknown(
            "RW101",
            f"`{imported.node.path.value}` has no {space.value} `{second.text}`",
            second.text,
            second.span,
            imported.module.names[space],
            other=_where_from(space, second.text),
        )
    return found


def _unknown(module: Module, space: Space, name: syntax.Name, findings: Findings, bound: Iterable[str]) -> None:
    behind = next((a for a, i in module.aliases.items() if i.module and name.text in i.module.names[space]), None)
    if behind is not None:
        findings.error(
            "RW101",
            f"there is no {space.value} `{name.text}` here",
            name.span,
            help=f"did you mean `{behind}.{name.text}`?",
            fixes=[replacing(name.span, f"{behind}.{name.text}")],
        )
    elif not _wrong_kind(module, space, name, findings):
        _nowhere(module, space, name, findings, bound)


def _nowhere(module: Module, space: Space, name: syntax.Name, findings: Findings, bound: Iterable[str]) -> None:
    from dsl.meaning.standard import offer  # noqa: PLC0415 - most texts have no unknown name

    message, offered = f"there is no {space.value} `{name.text}`", offer(module, space, name)
    if offered is not None and offered.exact:
        findings.error("RW101", message, name.span, help=offered.help, fixes=[offered.fix])
        return
    other = offered.help if offered is not None else _where_from(space, name.text)
    mends = [offered.fix] if offered is not None else []
    known = [*bound, *module.candidates(space)]
    findings.unknown("RW101", message, name.text, name.span, known, other=other, mends=mends)


def too_early(name: syntax.Name, place: Span, findings: Findings) -> None:
    """Report the use of a constant of a block above the line that declares it."""
    findings.error(
        "RW101",
        f"there is no constant `{name.text}` yet",
        name.span,
        labels=[Label(place, "declared only here")],
        help="move its `let` up, above what uses it",
    )


def _where_from(space: Space, name: str) -> str:
    from dsl.meaning.standard import NAMES  # noqa: PLC0415 - most texts have no unknown name

    path, names = NAMES.get(space, ("", ()))
    if name in names:
        return f'`import "{path}"` brings it in'
    words = ("metric", "let") if space is Space.VALUE else (space.value,)
    shown = " or ".join(f"`{word} {name} …`" for word in words)
    return f"declare it in this file, with {shown}, or import the file that has it"


def _wrong_kind(module: Module, space: Space, name: syntax.Name, findings: Findings) -> bool:
    for other in Space:
        if other is not space and other is not Space.ROLLOUT:
            found = module.find(other, name.text)
            if found:
                declared = found[0][0]
                findings.error(
                    "RW102",
                    f"`{name.text}` is {_a(declared.word)}, not {_a(space.value)}",
                    name.span,
                    labels=[Label(declared.name_span, f"declared as {_a(declared.word)} here")],
                    help=f"{_a(space.value)} has to stand here",
                )
                return True
    return False


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _ambiguous(name: syntax.Name, found: list[tuple[Declared, Imported | None]], findings: Findings) -> None:
    labels = [Label(i.node.span, f"brings in {_a(d.word)} `{name.text}`") for d, i in found if i is not None]
    paths = [f"`{i.node.path.value}`" for _, i in found if i is not None]
    findings.error(
        "RW104",
        f"`{name.text}` may be that of {' or that of '.join(paths[:2])}",
        name.span,
        labels=labels,
        help=f"import one of them with an alias (`as other`) and say `other.{name.text}` for its own",
    )


def words_of(file: syntax.File, broken: tuple[Span, ...]) -> frozenset[str]:
    """The words in the places of a text that could not be read, and in those between its declarations."""
    text, at, words = file.source.text, 0, set[str]()
    for node in file.declarations:
        words.update(re.findall(r"\w+", text[at : node.span.start]))
        at = max(at, node.span.end)
    words.update(re.findall(r"\w+", text[at:]))
    for span in broken:
        words.update(re.findall(r"\w+", span.text))
    return frozenset(words)
