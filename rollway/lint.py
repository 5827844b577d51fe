"""`rollway lint`: everything that can be known to be wrong before anything runs.

Findings go to standard output in the form that was asked for, the count to standard error. With `--fix`, safe fixes
are applied round by round, each on a fresh look at the text, until there are none left.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, NamedTuple

from dsl.diagnostics import Diagnostic, Severity, in_order
from dsl.render import Form, render
from dsl.source import Source
from rollway.exit_codes import ExitCode
from rollway.inputs import STDIN, Input, Unreadable, read_all, tell
from rollway.parameters import Argument, Option
from rollway.terminal import plural, put, say, wants_colour, width

ROUNDS = 10
"""A fix that begets another finding with a fix ends somewhere, or here."""


class FailOn(StrEnum):
    """What makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"


class Looked(NamedTuple):
    """One input after the look at it. `text` is what it is with the fixes in."""

    input: Input
    text: str
    diagnostics: tuple[Diagnostic, ...]
    fixed: int = 0


def command(
    paths: Annotated[
        list[str] | None, Argument("Files, folders with `*.rollout` in them, or `-` for standard input.", "PATH")
    ] = None,
    form: Annotated[Form, Option("--format", "How to print the findings.")] = Form.TEXT,
    hints: Annotated[bool, Option("--hints", "Print hints too; they never fail the lint.")] = False,
    fail_on: Annotated[FailOn, Option("--fail-on", "From which severity on the exit code is 1.")] = FailOn.WARNING,
    fix: Annotated[bool, Option("--fix", "Apply the fixes that cannot change what was meant.")] = False,
    diff: Annotated[bool, Option("--diff", "Print what `--fix` would change, and change nothing.")] = False,
) -> int:
    """Find what is wrong with policies, before anything runs.

    Each finding has a code; `rollway explain RW203` says more about it. Without a path, the
    current folder is looked through.

    \b
    Examples:
      rollway lint checkout.rollout
      rollway lint --format github policies/
      rollway lint --fix policies/
      cat checkout.rollout | rollway lint -

    Exit codes: 0 nothing found, 1 findings, 2 wrong usage or unreadable input.
    """
    inputs = list(read_all(paths))
    looked = [look(one, mend=fix or diff) for one in inputs if isinstance(one, Input)]
    changed = _show(looked) if diff else False
    if fix and not diff:
        _write(looked)
    found = in_order(diagnostic for one in looked for diagnostic in one.diagnostics)
    _print(
        found,
        looked,
        form,
        hints,
        quiet=diff,
        aside=fix and not diff and any(one.input.source.name == STDIN for one in looked),
    )
    unread = tell(one for one in inputs if isinstance(one, Unreadable))
    return unread or (ExitCode.FINDINGS if changed or fails(found, fail_on) else ExitCode.FINE)


def look(one: Input, *, mend: bool = False) -> Looked:
    """Looks at one input, and with `mend` at what safe fixes make of it."""
    if one.damage is not None:
        return Looked(one, one.source.text, (one.damage,))
    source, fixed = one.source, 0
    diagnostics = diagnose(source)
    for _ in range(ROUNDS if mend else 0):
        from dsl.fixes import apply, safe_fixes

        mended = apply(source, safe_fixes(diagnostics, source))
        if mended.text == source.text:
            break
        fresh = Source(source.name, mended.text)
        after = diagnose(fresh)
        if _errors(after) > _errors(diagnostics):
            break
        source, diagnostics, fixed = fresh, after, fixed + mended.applied
    return Looked(one, source.text, diagnostics, fixed)


def diagnose(source: Source) -> tuple[Diagnostic, ...]:
    """All findings in one text and what it imports."""
    from dsl.compiler import compile_source

    try:
        return compile_source(source).diagnostics
    except Exception as error:
        error.add_note(f"while looking at `{source.name}`")
        raise


def fails(diagnostics: Iterable[Diagnostic], fail_on: FailOn) -> bool:
    """Whether any of them is grave enough."""
    grave = {Severity.ERROR} if fail_on is FailOn.ERROR else {Severity.ERROR, Severity.WARNING}
    return any(diagnostic.severity in grave for diagnostic in diagnostics)


def _errors(diagnostics: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def _write(looked: list[Looked]) -> None:
    for one in looked:
        if one.input.source.name == STDIN:
            put(one.text)
        elif one.fixed:
            from rollway.files import write

            write(one.input.source.name, one.text)
    if fixed := sum(one.fixed for one in looked):
        say(f"fixed {plural(fixed, 'finding')} in {plural(sum(one.fixed > 0 for one in looked), 'file')}")


def _show(looked: list[Looked]) -> bool:
    from rollway.differences import unified

    shown = [unified(one.input.source.name, one.input.source.text, one.text) for one in looked]
    put("".join(shown))
    return any(shown)


def _print(found: list[Diagnostic], looked: list[Looked], form: Form, hints: bool, *, quiet: bool, aside: bool) -> None:
    """`aside` prints to standard error, where standard output is taken by a mended text."""
    stream = sys.stderr if aside else sys.stdout
    shown = [one for one in found if hints or one.severity is not Severity.HINT]
    names = [one.input.source.name for one in looked]
    if not quiet:
        stream.write(render(form, shown, names, colour=wants_colour(stream), width=width(stream)))
        stream.flush()
    if looked:
        if shown and not quiet and sys.stdout.isatty() and sys.stderr.isatty():
            say("")
        say(("after that: " if quiet else "") + summary(found, len(looked), hints=hints))


def summary(found: list[Diagnostic], files: int, *, hints: bool) -> str:
    """`3 errors, 1 warning in 2 files`."""
    counts = Counter(diagnostic.severity for diagnostic in found)
    shown = [diagnostic for diagnostic in found if hints or diagnostic.severity is not Severity.HINT]
    if not shown:
        untold = counts[Severity.HINT]
        more = f" ({plural(untold, 'hint')}: `--hints` shows them)" if untold else ""
        return f"no errors or warnings in {plural(files, 'file')}{more}"
    told = [plural(counts[one], one) for one in Severity if any(diagnostic.severity is one for diagnostic in shown)]
    places = len({diagnostic.span.source.name for diagnostic in shown})
    gravest = min(shown, key=lambda diagnostic: list(Severity).index(diagnostic.severity))
    return f"{', '.join(told)} in {plural(places, 'file')}; `rollway explain {gravest.code}` says more"
