"""`rollway fmt`: the one canonical form. Files are written in place, standard input goes to standard output.

A text that cannot be parsed is left alone, and its diagnostics are printed.
"""

import sys
from typing import Annotated, NamedTuple

from dsl.diagnostics import Diagnostic, Severity
from dsl.render import Form, render
from dsl.source import Source
from rollway.exit_codes import ExitCode
from rollway.inputs import STDIN, Input, Unreadable, read_all, tell
from rollway.parameters import Argument, Option
from rollway.terminal import plural, put, say, wants_colour, width


class Formatted(NamedTuple):
    """One text, what it is in canonical form, and why it has none."""

    source: Source
    text: str
    broken: tuple[Diagnostic, ...] = ()

    @property
    def differs(self) -> bool:
        return not self.broken and self.text != self.source.text


def command(
    paths: Annotated[
        list[str] | None, Argument("Files, folders with `*.rollout` in them, or `-` for standard input.", "PATH")
    ] = None,
    check: Annotated[bool, Option("--check", "Change nothing; exit with 1 if anything would change.")] = False,
    diff: Annotated[bool, Option("--diff", "Change nothing; print what would change.")] = False,
) -> int:
    """Lay policies out in the one canonical form.

    Only the layout changes: the Program stays the same, and every comment stays. Without a
    path, everything in the current folder is formatted.

    \b
    Examples:
      rollway fmt checkout.rollout
      rollway fmt --check policies/
      rollway fmt --diff checkout.rollout
      cat checkout.rollout | rollway fmt -

    Exit codes: 0 fine, 1 something would change (`--check`, `--diff`) or cannot be parsed, 2 wrong
    usage or unreadable input.
    """
    inputs = list(read_all(paths))
    results = [format_one(one) for one in inputs if isinstance(one, Input)]
    for result in results:
        _put(result, check=check, diff=diff)
    if results:
        say(_summary(results, dry=check or diff))
    unread = tell(one for one in inputs if isinstance(one, Unreadable))
    bad = any(result.broken or (result.differs and (check or diff)) for result in results)
    return unread or (ExitCode.FINDINGS if bad else ExitCode.FINE)


def format_one(one: Input) -> Formatted:
    """The canonical form of one input."""
    if one.damage is not None:
        return Formatted(one.source, one.source.text, (one.damage,))
    from dsl.formatter import format_source

    try:
        result = format_source(one.source)
    except Exception as error:
        error.add_note(f"while formatting `{one.source.name}`")
        raise
    broken = tuple(diagnostic for diagnostic in result.diagnostics if diagnostic.severity is Severity.ERROR)
    return Formatted(one.source, result.text, broken)


def _put(result: Formatted, *, check: bool, diff: bool) -> None:
    name = result.source.name
    if result.broken:
        colour, columns = wants_colour(sys.stderr), width(sys.stderr)
        sys.stderr.write(render(Form.TEXT, result.broken, [name], colour=colour, width=columns) + "\n")
    elif diff:
        from rollway.differences import unified

        put(unified(name, result.source.text, result.text, colour=wants_colour(sys.stdout)))
    elif check:
        put(f"{name}\n" if result.differs else "")
    elif name == STDIN:
        put(result.text)
    elif result.differs:
        from rollway.files import write

        write(name, result.text)


def _summary(results: list[Formatted], *, dry: bool) -> str:
    changed, broken = sum(result.differs for result in results), sum(bool(result.broken) for result in results)
    same = len(results) - changed - broken
    verb = "would be formatted" if dry else "formatted"
    parts = [f"{plural(changed, 'file')} {verb}"] if changed else []
    parts += [f"{plural(same, 'file')} already in form"] if same else []
    parts += [f"{plural(broken, 'file')} left alone, for it cannot be parsed"] if broken == 1 else []
    parts += [f"{plural(broken, 'file')} left alone, for they cannot be parsed"] if broken > 1 else []
    return ", ".join(parts)
