"""What a command takes on its line, written once and read by two.

A command is a function whose parameters are `Annotated[type, Argument(…)]` or `Annotated[type, Option(…)]`. Typer gives
it its help, its messages and its completion (`rollway.app` translates). Typer alone would be a third of the time that
`rollway lint` may take, so `quick` reads a line that is plainly right without it; of anything else (a misspelt option,
`--help`) it makes nothing, and Typer has its say.

Modules with such commands must not postpone their annotations.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """A value that stands by itself. A list takes all that there are."""

    help: str
    metavar: str
    complete: Callable[[str], list[str]] | None = None


class Option(NamedTuple):
    """`--name value`, or `--name` alone for a bool. A list takes one value each time. `short` is `-n` beside it."""

    name: str
    help: str
    metavar: str | None = None
    short: str | None = None


Command = Callable[..., Any]
_LISTS = (list[str], list[str] | None)


class _Taken(NamedTuple):
    """A parameter as `quick` knows it."""

    name: str
    kind: Any
    spec: Argument | Option


def quick(command: Command, line: list[str]) -> dict[str, Any] | None:
    """The parameters that a line gives, or None where it takes more than this to tell."""
    taken = [
        _Taken(name, annotation.__origin__, annotation.__metadata__[0])
        for name, annotation in command.__annotations__.items()
        if name != "return"
    ]
    options = {one.spec.name: one for one in taken if isinstance(one.spec, Option)}
    arguments = [one for one in taken if isinstance(one.spec, Argument)]
    read = _read(line, options)
    if read is None:
        return None
    values, words = read
    placed = _place(words, arguments)
    if placed is None or _missing(command, values | placed):
        return None
    return values | placed


def _read(line: list[str], options: dict[str, _Taken]) -> tuple[dict[str, Any], list[str]] | None:
    values: dict[str, Any] = {}
    words: list[str] = []
    rest = iter(line)
    for word in rest:
        if word == "--":
            words.extend(rest)
        elif not word.startswith("-") or word == "-":
            words.append(word)
        elif not _take(word, rest, options, values):
            return None
    return values, words


def _take(word: str, rest: Any, options: dict[str, _Taken], values: dict[str, Any]) -> bool:
    """Reads one option into `values`; false where it is not plainly right."""
    name, equals, text = word.partition("=")
    option = options.get(name)
    if option is None or (option.name in values and option.kind not in _LISTS):
        return False
    if option.kind is bool:
        values[option.name] = True
        return not equals
    given = text if equals else next(rest, None)
    if given is None or (not equals and given.startswith("-")):
        return False
    value = [*values.get(option.name, []), given] if option.kind in _LISTS else _value(given, option.kind)
    if value is not None:
        values[option.name] = value
    return value is not None


def _value(text: str, kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next((member for member in kind if member.value == text), None)
    return text


def _place(words: list[str], arguments: list[_Taken]) -> dict[str, Any] | None:
    if not words:
        return {}
    if len(arguments) != 1:
        return None
    only = arguments[0]
    if only.kind in _LISTS:
        return {only.name: words}
    return {only.name: words[0]} if len(words) == 1 else None


def _missing(command: Command, values: dict[str, Any]) -> bool:
    code = command.__code__
    required = code.co_varnames[: code.co_argcount - len(command.__defaults__ or ())]
    return any(name not in values for name in required)
