"""Policies that went wrong in every way we can think of, through the linter.

    python -m tests.fuzz --count 100000

Each mutated policy is known by a seed and a number, and can be had again by them (`--show SEED:NUMBER`). What counts
as a failure: an exception, more than a second of CPU, an internal name in a message, or a span outside its text.
"""

from __future__ import annotations

import argparse
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from random import Random
from secrets import randbelow
from typing import NamedTuple

from dsl import catalogue
from dsl.compiler import compile_source
from dsl.diagnostics import Diagnostic, Severity
from dsl.formatter import format_source
from dsl.render.text import render
from dsl.source import Source, Span
from tests.leaks import leaks_of

ROOT = Path(__file__).resolve().parents[1]
FIXED_SEED = 20240607
SECOND = 1.0
"""More than this on one policy is too long."""

PATIENCE = 10.0
"""After so many seconds of CPU it is stopped."""


class _Endless(BaseException):
    """No `Exception`, so that nothing on the way takes it for one."""


_PIECE = re.compile(r'"""|\w+|\s+|.', re.DOTALL)
_BRACKETS = {"(": ")", "[": "]", "{": "}"}
_ODD = [
    "\x00", "\x1b[31m", "\ufeff", "\u202e", "\u2028", "\ud800", "日本", "😀", "é", "e\u0301", "\r", "\t", "\x7f",
    "“", "…",
    '"', '"""', "'", "`", "\\", "#", "##", ";", ":", ",", "..", "=", "==", "=~", "<=", "&&", "||", "!", "%", "@", "$",
    "{{", "}}", "{%", "%}", "{#", "{{ x }}", "{% for i in range(10**9) %}x{% endfor %}", "{{ ''.__class__ }}",
    "(a+)+$", "(?=x)", "[[:alpha:]", "((((", "0", "-1", "1e999", "9" * 400, "0.1.2", "5min", "1h1h", "150%", "99.9.9%",
    "25:61", "2..1", "10..", "a/b/c/d/e/f/g", "x-", "-x", "_", "A" * 3000, "None", "True", "__init__", "language 99",
    'import "./self.rollout"', 'import "std/nothing"', 'import "../../../../etc/passwd"', "rate(x[5m])", "sum by (",
]  # fmt: skip


class Failure(NamedTuple):
    """A policy on which something went wrong."""

    seed: int
    number: int
    why: str

    def __str__(self) -> str:
        return f"{self.seed}:{self.number}: {self.why}"


@cache
def corpus() -> tuple[str, ...]:
    """Every policy in the repository: examples, wrong ones, the standard library, the pages."""
    paths = [*(ROOT / "examples").rglob("*.rollout"), *(ROOT / "stdlib").rglob("*.rollout")]
    texts = [path.read_text(encoding="utf-8") for path in sorted(paths)]
    pages = (catalogue.page(code) for code in catalogue.codes())
    return (*texts, *(text for page in pages if page is not None for text in (page.wrong, page.right)))


def mutated(seed: int, number: int) -> str:
    """The policy of a seed and a number."""
    random = Random(f"{seed}:{number}")
    text = random.choice(corpus())
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        text = random.choice(_MUTATIONS)(text, random)
    return text[:200_000]


def failure(seed: int, number: int) -> Failure | None:
    """What goes wrong with one policy, if anything. A slow one gets a second chance, for the machine may be busy."""
    text = mutated(seed, number)
    why, took = _timed(text, formats=number % 4 == 0)
    if why is None and took > SECOND:
        took = min(took, _timed(text, formats=number % 4 == 0)[1])
        why = f"took {took:.1f} s" if took > SECOND else None
    return Failure(seed, number, why) if why is not None else None


def _timed(text: str, *, formats: bool) -> tuple[str | None, float]:
    began = time.process_time()
    try:
        with _patience():
            why = _trouble(text, formats=formats)
    except (Exception, _Endless):
        why = traceback.format_exc()
    return why, time.process_time() - began


@contextmanager
def _patience() -> Iterator[None]:
    """Interrupts what does not end, so that a loop is one failure and not the end of the run."""

    def stop(*_: object) -> None:
        raise _Endless

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _trouble(text: str, *, formats: bool) -> str | None:
    source = Source("fuzz.rollout", text)
    diagnostics = compile_source(source).diagnostics
    for diagnostic in diagnostics:
        for span in _spans(diagnostic):
            if not 0 <= span.start <= span.end <= len(span.source.text):
                return f"{diagnostic.code} is outside of the text: {span.start}..{span.end}"
    if found := leaks_of(diagnostics):
        return f"internal names: {found[:3]}"
    render(diagnostics[:5], colour=True)
    return _misformatted(source, diagnostics) if formats else None


def _misformatted(source: Source, diagnostics: tuple[Diagnostic, ...]) -> str | None:
    formatted = format_source(source)
    if any(diagnostic.severity is Severity.ERROR for diagnostic in formatted.diagnostics):
        return None if formatted.text == source.text else "a text that cannot be parsed was changed"
    again = format_source(Source(source.name, formatted.text)).text
    return None if again == formatted.text else "formatting it twice changes it twice"


def _spans(diagnostic: Diagnostic) -> Iterator[Span]:
    yield diagnostic.span
    yield from (label.span for label in diagnostic.labels)
    yield from (edit.span for fix in diagnostic.fixes for edit in fix.edits)


# --- mutations ---------------------------------------------------------------------------------------------------


def _pieces(text: str, change: Callable[[list[str], Random], None], random: Random) -> str:
    pieces = _PIECE.findall(text)
    if pieces:
        change(pieces, random)
    return "".join(pieces)


def _lines(text: str, change: Callable[[list[str], Random], None], random: Random) -> str:
    lines = text.splitlines(keepends=True)
    if lines:
        change(lines, random)
    return "".join(lines)


def _delete(pieces: list[str], random: Random) -> None:
    start = random.randrange(len(pieces))
    del pieces[start : start + random.choice((1, 1, 1, 2, 5, 20))]


def _double(pieces: list[str], random: Random) -> None:
    start = random.randrange(len(pieces))
    many = random.choice((1, 1, 2, 10, 60))
    pieces[start:start] = pieces[start : start + random.choice((1, 1, 3, 10))] * many


def _swap(pieces: list[str], random: Random) -> None:
    one, other = random.randrange(len(pieces)), random.randrange(len(pieces))
    pieces[one], pieces[other] = pieces[other], pieces[one]


def _transplant(pieces: list[str], random: Random) -> None:
    donor = _PIECE.findall(random.choice(corpus()))
    start = random.randrange(len(donor))
    at = random.randrange(len(pieces))
    pieces[at : at + random.choice((0, 1))] = donor[start : start + random.choice((1, 1, 2, 8, 40))]


def _odd(pieces: list[str], random: Random) -> None:
    pieces.insert(random.randrange(len(pieces) + 1), random.choice(_ODD))


def _replace_by_odd(pieces: list[str], random: Random) -> None:
    pieces[random.randrange(len(pieces))] = random.choice(_ODD)


def _unicode(pieces: list[str], random: Random) -> None:
    pieces.insert(random.randrange(len(pieces) + 1), "".join(chr(random.randrange(0x110000)) for _ in range(4)))


def _letter(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(("", "", chr(random.randrange(32, 127)))) + text[at + random.choice((0, 1)) :]


def _number(text: str, random: Random) -> str:
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return text
    one = random.choice(numbers)
    value = random.choice(("0", "1", "99999999999999999999", "101", "-5", "3.7", "007", "1e5"))
    return text[: one.start()] + value + text[one.end() :]


def _nest(text: str, random: Random) -> str:
    at, opener = random.randrange(len(text) + 1), random.choice("([{")
    depth = random.choice((3, 30, 300, 3000))
    between = random.choice(("", " ", "not ", "- ", "x: ", "x ", "steps "))
    closers = _BRACKETS[opener] * random.choice((0, depth, depth - 1))
    return text[:at] + (opener + between) * depth + closers + text[at:]


def _chain(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    link = random.choice((" + 1", " and x > 1", " or not x", "-", ".a", "(a", "[0, ", " of primary", "if x { "))
    return text[:at] + link * random.choice((5, 100, 2000)) + text[at:]


def _truncate(text: str, random: Random) -> str:
    at = random.randrange(len(text) + 1)
    return random.choice((text[:at], text[at:]))


def _splice(text: str, random: Random) -> str:
    other = random.choice(corpus())
    return text[: random.randrange(len(text) + 1)] + other[random.randrange(len(other) + 1) :]


_MUTATIONS: tuple[Callable[[str, Random], str], ...] = (
    *(
        (lambda text, random, change=change: _pieces(text, change, random))
        for change in (_delete, _double, _swap, _transplant, _transplant, _odd, _replace_by_odd, _unicode)
    ),
    *((lambda text, random, change=change: _lines(text, change, random)) for change in (_delete, _double, _swap)),
    _letter,
    _letter,
    _number,
    _nest,
    _chain,
    _truncate,
    _splice,
)


# --- the whole run -----------------------------------------------------------------------------------------------


def failures(seed: int, numbers: range) -> list[Failure]:
    """All that goes wrong with the policies of these numbers."""
    return [found for found in (failure(seed, number) for number in numbers) if found is not None]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Lint mutated policies.")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="a fresh one without this")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", metavar="SEED:NUMBER", help="print one mutated policy")
    options = parser.parse_args()
    if options.show:
        seed, number = options.show.split(":")
        sys.stdout.buffer.write(mutated(int(seed), int(number)).encode("utf-8", errors="surrogatepass"))
        return 0
    return _run(options.count, randbelow(10**9) if options.seed is None else options.seed, options.processes)


def _run(count: int, seed: int, processes: int) -> int:
    chunks = [range(start, min(start + 500, count)) for start in range(0, count, 500)]
    found: list[Failure] = []
    began = time.monotonic()
    with ProcessPoolExecutor(processes) as pool:
        for done, some in enumerate(pool.map(partial(failures, seed), chunks), 1):
            found += some
            for one in some:
                print(one, flush=True)
            sys.stderr.write(f"\r{chunks[done - 1].stop:,} of {count:,}, {len(found)} failures, seed {seed} ")
    sys.stderr.write("\n")
    print(f"{count:,} policies, {len(found)} failures, seed {seed}, {time.monotonic() - began:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
