"""YAML with places: the objects of a file, and where in it each field stands.

The text is untrusted. It is composed into nodes and turned into plain data here: no tags are followed, and aliases
cannot make a small text into large data. As in Kubernetes, a key stands once, and what looks like a date is a string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from dsl.diagnostics import Diagnostic, Severity
from dsl.source import Source, Span

UNREADABLE = "RW903"
_MOST_NODES = 200_000
_DEEPEST = 64
_NULL, _TEXT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:str"
_PLAIN = frozenset({_NULL, "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})


class Document(NamedTuple):
    """One object. `places` are the spans of its fields by their paths (`spec.analysis.metrics[0].name`); the object
    itself is at the empty path."""

    data: Mapping[str, Any]
    places: Mapping[str, Span]

    def place(self, path: str) -> Span:
        """Where a field stands; for one that is not there, where the nearest thing around it does."""
        while path and path not in self.places:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.places[path]


class Trouble(Exception):
    """What keeps a text from being read, and where."""

    def __init__(self, message: str, start: int, end: int, help: str = "") -> None:
        super().__init__(message)
        self.message, self.start, self.end, self.help = message, start, end, help


def read_documents(source: Source) -> tuple[tuple[Document, ...], tuple[Diagnostic, ...]]:
    """The objects of a text, those of a `List` one by one; and why the rest could not be read."""
    documents: list[Document] = []
    try:
        for node in yaml.compose_all(source.text, Loader=yaml.SafeLoader):
            if node.tag != _NULL:
                documents += _objects(_Builder(source).document(node))
    except Trouble as trouble:
        return tuple(documents), (_diagnostic(source, trouble.message, trouble.start, trouble.end, trouble.help),)
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        return tuple(documents), (_broken(source, error),)
    except RecursionError:
        return tuple(documents), (_diagnostic(source, "this YAML is nested too deeply", 0, 1),)
    return tuple(documents), ()


def _objects(document: Document) -> list[Document]:
    """The items of a `List`, or the object itself."""
    items = document.data.get("items")
    if document.data.get("kind") != "List" or not isinstance(items, list):
        return [document]
    found = []
    for index, item in enumerate(items):
        if isinstance(item, Mapping):
            prefix = f"items[{index}]"
            inner = {path[len(prefix) :].lstrip("."): at for path, at in document.places.items() if _in(path, prefix)}
            found.append(Document(item, inner))
    return found


def _in(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}.")


def _broken(source: Source, error: Exception) -> Diagnostic:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    start = mark.index if mark is not None else getattr(error, "position", 0)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return _diagnostic(source, f"this is not YAML: {said}", start, start + 1)


def _diagnostic(source: Source, message: str, start: int, end: int, help: str = "") -> Diagnostic:
    last = len(source.text)
    return Diagnostic(UNREADABLE, Severity.ERROR, message, Span(source, min(start, last), min(end, last)), help=help)


class _Builder:
    """From nodes to plain data, and to the places of what it is made of."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.places: dict[str, Span] = {}
        self.count = 0
        self.scalars = yaml.constructor.SafeConstructor()

    def document(self, node: yaml.Node) -> Document:
        data = self.build(node, "", 0)
        if not isinstance(data, dict):
            raise Trouble("this is no object of Kubernetes", *_ends(node), "it begins with `apiVersion:` and `kind:`")
        return Document(data, self.places)

    def build(self, node: yaml.Node, path: str, depth: int) -> Any:
        self.count += 1
        if self.count > _MOST_NODES or depth > _DEEPEST:
            raise Trouble("this YAML is too large, or nested too deeply", *_ends(node))
        self.places.setdefault(path, Span(self.source, *_ends(node)))
        match node:
            case yaml.MappingNode():
                return self.mapping(node, path, depth)
            case yaml.SequenceNode():
                return [self.build(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self.scalar(node)
            case _:
                raise Trouble("this cannot be read", *_ends(node))

    def mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise Trouble("the name of a field is no text", *_ends(key))
            if key.tag == "tag:yaml.org,2002:merge":
                raise Trouble("`<<` is not understood here", *_ends(key), "write the fields out")
            name = str(key.value)
            if name in found:
                raise Trouble(f"`{name[:60]}` stands twice", *_ends(key), "keep one of them")
            inner = f"{path}.{name}" if path else name
            self.places[inner] = Span(self.source, *_ends(key))
            found[name] = self.build(item, inner, depth + 1)
        return found

    def scalar(self, node: yaml.ScalarNode) -> Any:
        if node.tag not in _PLAIN or (node.tag.endswith(("int", "float")) and ":" in node.value):
            return node.value
        try:
            return self.scalars.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            raise Trouble(f"`{node.value[:60]}` cannot be read", *_ends(node)) from error


def _ends(node: yaml.Node) -> tuple[int, int]:
    """Offsets of a node; of one over several lines, those of its first sign."""
    start, end = node.start_mark.index, node.end_mark.index
    return start, end if node.start_mark.line == node.end_mark.line else start + 1
