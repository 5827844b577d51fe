"""Arguments and parameters: who gets what, and whether it is of the type that the parameter's default has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dsl import syntax
from dsl.diagnostics import Label
from dsl.findings import Findings, listed
from dsl.meaning.evaluate import mistyped, value_of
from dsl.meaning.frames import Frame
from dsl.meaning.scope import Declared
from dsl.meaning.values import Type, Value, clean, shifted, unknown, value_text
from dsl.source import Span


class Placed:
    """Arguments put to the names of parameters; what has no place was reported, and `fine` is then false."""

    def __init__(
        self, what: str, args: Sequence[syntax.Arg], names: Sequence[str], findings: Findings, declared_at: Span | None
    ) -> None:
        self.what = what
        self.names = list(names)
        self.findings = findings
        self.labels = [Label(declared_at, "declared here")] if declared_at is not None else []
        self.given: dict[str, syntax.Arg] = {}
        self.fine = True
        for number, arg in enumerate(args):
            self._place(arg, number)

    def _place(self, arg: syntax.Arg, number: int) -> None:
        if arg.name is None and number >= len(self.names):
            self._wrong("RW122", f"{self.what} takes {self._how_many()}", arg.span, help_=self._takes())
            return
        name = arg.name.text if arg.name is not None else self.names[number]
        if name not in self.names:
            self.fine = False
            message = f"{self.what} has no parameter `{name}`"
            span = arg.name.span if arg.name is not None else arg.span
            self.findings.unknown("RW121", message, name, span, self.names, other=self._takes())
            return
        before = self.given.setdefault(name, arg)
        if before is not arg:
            label = Label(before.span, "given here already")
            self._wrong("RW123", f"`{name}` is given twice", arg.span, label, "keep one of them")

    def missing(self, name: str, span: Span) -> None:
        """Report a parameter that must be given and is not."""
        self._wrong("RW124", f"{self.what} needs its parameter `{name}`", span, help_=f"write `{name}: …`")

    def _wrong(self, code: str, message: str, span: Span, label: Label | None = None, help_: str = "") -> None:
        self.fine = False
        labels = [label] if label is not None else self.labels
        self.findings.error(code, message, span, labels=labels, help=help_)

    def _how_many(self) -> str:
        match len(self.names):
            case 0:
                return "no arguments"
            case 1:
                return "one argument"
            case count:
                return f"{count} arguments"

    def _takes(self) -> str:
        if not self.names:
            return "it takes none"
        return f"its {'parameter is' if len(self.names) == 1 else 'parameters are'} {listed(self.names)}"


def bind(
    declared: Declared,
    params: Sequence[syntax.Param],
    args: Sequence[syntax.Arg],
    frame: Frame,
    span: Span,
) -> dict[str, Value] | None:
    """The parameters of a declaration that is used at `span`, each with its value; None, reported, if that fails."""
    what = f"the {declared.word} `{declared.name}`"
    placed = Placed(what, args, [p.name.text for p in params], frame.findings, declared.name_span)
    bound: dict[str, Value] = {}
    for param in params:
        name = param.name.text
        default = default_of(param, declared, frame)
        arg = placed.given.get(name)
        if arg is not None:
            bound[name] = _fitting(value_of(arg.value, frame), default, arg, name, frame)
        elif default is not None:
            bound[name] = default
        else:
            placed.missing(name, span)
    if not placed.fine:
        frame.bench.spoilt = True
        return None
    return bound


def defaults(declared: Declared, params: Sequence[syntax.Param], frame: Frame) -> dict[str, Value]:
    """The parameters of a declaration that nobody has used yet: their defaults, or nothing known."""
    return {p.name.text: default_of(p, declared, frame) or unknown(p.name.span) for p in params}


def default_of(param: syntax.Param, declared: Declared, frame: Frame) -> Value | None:
    """The value that a parameter has if it is not given."""
    if param.default is None:
        return None
    inner = frame.enter(declared, param.span, {})
    return value_of(param.default, inner) if inner is not None else unknown(param.span)


def check_params(params: Sequence[syntax.Param], findings: Findings) -> None:
    """Report parameters of the same name."""
    first: dict[str, syntax.Param] = {}
    for param in params:
        before = first.setdefault(param.name.text, param)
        if before is not param:
            findings.error(
                "RW103",
                f"`{param.name.text}` is declared twice",
                param.name.span,
                note="the same parameter again",
                labels=[Label(before.name.span, "first declared here")],
                help="give one of them another name",
            )


def _fitting(value: Value, default: Value | None, arg: syntax.Arg, name: str, frame: Frame) -> Value:
    """An argument as a value of the parameter's type: a percentage is a number where a number is wanted."""
    if default is None or not default.known or not value.known or value.type is default.type:
        return value
    if default.type is Type.NUMBER and value.type is Type.SHARE:
        return Value(Type.NUMBER, shifted(clean(value.data), -2), value.span)
    mistyped(value, default.type, arg.value.span, frame, what=f"`{name}`")
    return unknown(value.span)


def shown(bound: Mapping[str, Value], usual: Mapping[str, Value | None]) -> str:
    """Bound parameters as arguments: `(0.99)`. Words that are the usual ones are left out, numbers are not, since they
    say what is measured; empty if nothing is left."""
    texts: list[str] = []
    left_out = False
    for name, value in bound.items():
        default = usual.get(name)
        if default is not None and value.type in (Type.TEXT, Type.BOOL) and value.data == default.data:
            left_out = True
        else:
            texts.append(f"{name}: {value_text(value)}" if left_out else value_text(value))
    return f"({', '.join(texts)})" if texts else ""
