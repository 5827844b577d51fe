"""What a rule gets to see: the compilation, its trees as lists of nodes by kind, and its declarations by name.

Only the author's own files are looked at: the file itself and what it imports by a relative path. What a rule says
about style is said about the file itself alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar

from dsl import ir, syntax
from dsl.compilation import Compilation, CompiledRollout
from dsl.source import Span

Node = TypeVar("Node")
Nodes = dict[type, list[Any]]

_LEAVES = frozenset({Span, syntax.Name, str, float, int, bool, type(None)})


class Context:
    """One compilation, as the rules see it. What is looked up once is kept.

    `constants` is what each `let` comes to, and `ending` whether each strategy ends the rollout, by identity:
    they name one another, and asking anew each time would take for ever in a hostile text.
    """

    def __init__(self, compilation: Compilation) -> None:
        self.compilation = compilation
        self.file = compilation.file
        self._nodes: dict[str, Nodes] = {}
        self.constants: dict[int, float | None] = {}
        self.ending: dict[int, bool] = {}

    @cached_property
    def own(self) -> tuple[syntax.File, ...]:
        """The author's own files, the file itself first."""
        others = (f for name, f in self.compilation.modules.items() if is_own(name) and f is not self.file)
        return (self.file, *others)

    def nodes(self, file: syntax.File) -> Nodes:
        """All nodes of a file by kind, each list in the order of the text."""
        name = file.source.name
        if name not in self._nodes:
            self._nodes[name] = collect(file.declarations)
        return self._nodes[name]

    def every(self, kind: type[Node]) -> Iterator[Node]:
        """All nodes of a kind in the author's own files."""
        for file in self.own:
            yield from self.nodes(file).get(kind, ())

    def here(self, kind: type[Node]) -> list[Node]:
        """All nodes of a kind in the file itself."""
        return self.nodes(self.file).get(kind, [])

    @cached_property
    def declared(self) -> dict[tuple[type, str], Any]:
        """Declarations of all modules by kind and name; the file's own hide imported ones."""
        found: dict[tuple[type, str], Any] = {}
        for file in (*self.own, *self.compilation.modules.values()):
            for node in file.declarations:
                name = getattr(node, "name", None)
                if isinstance(name, syntax.Name):
                    found.setdefault((type(node), name.text), node)
        return found

    @cached_property
    def inner_constants(self) -> dict[str, list[syntax.Let]]:
        """The constants of blocks, by name; which of several a word means is not looked into."""
        found: dict[str, list[syntax.Let]] = {}
        for file in self.own:
            at_the_top = {id(node) for node in file.declarations}
            for let in self.nodes(file).get(syntax.Let, []):
                if id(let) not in at_the_top:
                    found.setdefault(let.name.text, []).append(let)
        return found

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of all parameters, and of what loops go through."""
        kinds = (syntax.Param, syntax.For)
        return frozenset(node.name.text for kind in kinds for node in self.every(kind))  # type: ignore[attr-defined]

    def find(self, kind: type[Node], name: str) -> Node | None:
        """A declaration by the last part of its name."""
        found: Node | None = self.declared.get((kind, name.rpartition(".")[2]))
        return found

    def used(self, kind: type[Node], use: syntax.Use) -> Node | None:
        """What a `Use` puts to use."""
        return self.find(kind, use.path[-1].text) if use.path else None

    def place(self, compiled: CompiledRollout, index: int) -> Span:
        """Where instruction `index` stands; for one out of the standard library, the statement that asked for it."""
        span = compiled.places[index] if index < len(compiled.places) else compiled.node.span
        return span if is_own(span.source.name) or span.source is self.file.source else _asking(compiled.node)

    def route_at(self, span: Span) -> syntax.Route | None:
        """The `route to canary when …` that stands in a place."""
        return next((node for node in self.every(syntax.Route) if node.span == span), None)

    @property
    def rollouts(self) -> Iterator[tuple[CompiledRollout, ir.Program]]:
        for compiled in self.compilation.rollouts:
            yield compiled, compiled.program

    def item(self, rollout: syntax.Rollout, kind: type[Node]) -> Node | None:
        """The first statement of a kind in a rollout."""
        return next((item for item in rollout.items if isinstance(item, kind)), None)


def is_own(name: str) -> bool:
    """Whether a module is the author's: not of the standard library, nor of a shared one."""
    return not name.startswith(("std/", "library/"))


def _asking(rollout: syntax.Rollout) -> Span:
    """The statement by which a rollout takes its steps from elsewhere."""
    for item in rollout.items:
        if isinstance(item, syntax.StrategyUse):
            return item.span
    follows = collect(rollout.items).get(syntax.Follow, [])
    return follows[0].span if follows else rollout.name.span


def collect(roots: Iterable[Any]) -> Nodes:
    """All nodes below, by kind, in the order of the text; names and plain values are left out."""
    found: Nodes = {}
    stack = [*roots]
    stack.reverse()
    pop, extend = stack.pop, stack.extend
    while stack:
        node = pop()
        kind = type(node)
        if kind in _LEAVES:
            continue
        if kind is not tuple:
            found.setdefault(kind, []).append(node)
            extend(node[-2::-1])
        else:
            extend(node[::-1])
    return found
