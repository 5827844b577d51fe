"""Imports: from the path in an `import` to a module, each read once, cycles shown.

`std/…` is the standard library, a part of the program; its modules are read once in a process. All other paths go to
a `Loader`: the default one finds files beside the importing one, a cluster's one finds libraries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache, lru_cache
from stat import S_ISREG
from typing import NamedTuple

import stdlib
from dsl import syntax
from dsl.compilation import Loader
from dsl.diagnostics import Label, Severity
from dsl.findings import Findings
from dsl.meaning.scope import Imported, Module
from dsl.parser import ParseResult, parse
from dsl.source import Source

_LARGEST_FILE = 1 << 20
_STANDARD = os.path.dirname(stdlib.__file__)
"""A folder, and not `importlib.resources`, whose import would cost more than reading what is in it."""


class StandardLoader:
    """Finds imported files beside the file that imports them."""

    def load(self, path: str, importer: Source) -> Source | None:
        """The `.rollout` file at a path that begins with `./` or `../`."""
        if not path.startswith(("./", "../")) or not path.endswith(".rollout"):
            return None
        name = os.path.normpath(os.path.join(os.path.dirname(importer.name), path))
        if name == os.path.normpath(importer.name):
            return importer
        try:
            found = os.stat(name)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        if not S_ISREG(found.st_mode):
            return None
        if found.st_size > _LARGEST_FILE:
            raise OSError(f"larger than {_LARGEST_FILE >> 20} MB")
        with open(name, encoding="utf-8", errors="replace", newline="") as file:
            return Source(name, file.read())

    def known(self, importer: Source) -> list[str]:
        """The paths of the files that could be imported, for suggestions."""
        folder = os.path.dirname(importer.name) or "."
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            return []
        own = os.path.basename(importer.name)
        return [f"./{name}" for name in names if name.endswith(".rollout") and name != own]


class Modules(NamedTuple):
    """The file that is compiled and all that it imports, itself first; each once."""

    main: Module
    all: tuple[Module, ...]


class _Pending(NamedTuple):
    """A module whose imports are being read, and the import that led to it."""

    path: str
    source: Source
    node: syntax.Import | None


class _Reader:
    def __init__(self, loader: Loader, findings: Findings) -> None:
        self.loader = loader
        self.findings = findings
        self.modules: dict[str, Module] = {}
        self.stack: list[_Pending] = []

    def read(self, path: str, source: Source, node: syntax.Import | None) -> Module:
        parsed = _parse(source) if node is not None else parse(source)
        self.findings.all.extend(parsed.diagnostics)
        module = _module(path, parsed)
        self.modules[source.name] = module
        self.stack.append(_Pending(path, source, node))
        for declaration in parsed.file.declarations:
            if isinstance(declaration, syntax.Import):
                module.bring_in(Imported(declaration, self._find(declaration, source)))
        self.stack.pop()
        return module

    def _find(self, node: syntax.Import, importer: Source) -> Module | None:
        path = node.path.value
        if path.startswith("std/"):
            module = standard(path)
            if module is None:
                self._missing(node, importer)
            else:
                self._keep(module)
            return module
        try:
            source = self.loader.load(path, importer)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            self.findings.error("RW107", f"`{path}` cannot be read: {reason[:1].lower()}{reason[1:]}", node.path.span)
            return None
        if source is None:
            self._missing(node, importer)
            return None
        if any(pending.source.name == source.name for pending in self.stack):
            self._cycle(node, source)
            return None
        return self.modules.get(source.name) or self.read(path, source, node)

    def _keep(self, module: Module) -> None:
        self.modules.setdefault(module.source.name, module)
        for imported in module.imports:
            if imported.module is not None:
                self._keep(imported.module)

    def _missing(self, node: syntax.Import, importer: Source) -> None:
        path = node.path.value
        known = [*standard_paths(), *getattr(self.loader, "known", lambda _: [])(importer)]
        quoted = [f'"{name}"' for name in known]
        self.findings.unknown(
            "RW105",
            f"there is nothing to import at `{path}`",
            f'"{path}"',
            node.path.span,
            quoted,
            other=_where_to_look(path),
        )

    def _cycle(self, node: syntax.Import, source: Source) -> None:
        start = next(i for i, pending in enumerate(self.stack) if pending.source.name == source.name)
        ring = self.stack[start:]
        names = [pending.source.name for pending in ring]
        steps = [pending.node for pending in ring[1:] if pending.node is not None]
        labels = [Label(step.span, f"`{a}` imports `{b}`") for step, a, b in zip(steps, names, names[1:], strict=False)]
        self.findings.error(
            "RW106",
            "imports go in a circle: " + " → ".join([*names, names[0]]),
            node.span,
            note=f"`{names[-1]}` imports `{names[0]}`",
            labels=labels,
            help="move what both need into a third file",
        )


def read_modules(source: Source, loader: Loader, findings: Findings) -> Modules:
    """Parse a text and all that it imports."""
    reader = _Reader(loader, findings)
    main = reader.read("", source, None)
    return Modules(main, tuple(reader.modules.values()))


@cache
def standard(path: str) -> Module | None:
    """A module of the standard library, or None if it has no such module."""
    if path not in standard_paths():
        return None
    with open(os.path.join(_STANDARD, *f"{path}.rollout".split("/")), encoding="utf-8") as file:
        parsed = parse(Source(path, file.read()))
    module = _module(path, parsed)
    for node in parsed.file.declarations:
        if isinstance(node, syntax.Import):
            module.bring_in(Imported(node, standard(node.path.value)))
    return module


@cache
def standard_paths() -> tuple[str, ...]:
    """What `std/` holds."""
    names = os.listdir(os.path.join(_STANDARD, "std"))
    return tuple(sorted(f"std/{name.removesuffix('.rollout')}" for name in names if _is_policy(name)))


def _is_policy(name: str) -> bool:
    return name.endswith(".rollout") and not name.endswith("_test.rollout")


def _module(path: str, parsed: ParseResult) -> Module:
    errors = [d.span for d in parsed.diagnostics if d.severity is Severity.ERROR]
    return Module(path, parsed.file, (*errors, *parsed.dropped))


@lru_cache(maxsize=64)
def _parse_text(name: str, text: str) -> ParseResult:
    return parse(Source(name, text))


def _parse(source: Source) -> ParseResult:
    """An imported file, which many files may import: parsed once for each text."""
    return _parse_text(source.name, source.text)


def _where_to_look(path: str) -> str:
    if path.startswith("std/"):
        return "the standard library has " + _paths(standard_paths())
    if path.startswith("library/"):
        return "libraries are found in a cluster only; a file beside this one is imported as `./name.rollout`"
    if path.startswith(("./", "../")):
        return "the path is relative to this file" + ("" if path.endswith(".rollout") else " and ends in `.rollout`")
    return "write `std/name` for the standard library, or `./name.rollout` for a file beside this one"


def _paths(paths: Iterable[str]) -> str:
    return " and ".join(f"`{path}`" for path in paths)
