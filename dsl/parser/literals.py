"""Literals that are none: durations, numbers and strings as other places write them, and characters without meaning."""

from __future__ import annotations

import re

from dsl.parser.mender import Mender, drop_statement, fix
from dsl.parser.tokens import BAD, OPEN, Token
from dsl.parser.tree_values import UNIT_MS, duration_ms
from dsl.parser.words import found
from dsl.syntax import Duration, Number, Percent

UNITS = {
    **{unit: unit for unit in UNIT_MS},
    **dict.fromkeys(("msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "w"),
}
"""How people write the units of time, and how the language does."""

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]+)")
_CLOSERS = re.compile(r"[\s})\],;]*$")
_FORM = "the largest unit comes first, and each once: `1h30m`"


def broken_number(mender: Mender) -> bool:
    """`5min`, `1m1h`, `5mm`, `150%%`, `1_000`, `9:5`: something that begins with a digit and is no value."""
    kind, text, start, end = mender.token
    if kind != BAD or not text[0].isdigit():
        return False
    meant, what, help_text = _meant(text)
    mender.report(
        "RW008" if what == "a duration" else "RW009",
        f"{found(mender.token)} is not {what}",
        mender.span,
        help=help_text if not meant else f"write `{meant}`",
        fixes=[fix(f"replace with `{meant}`", mender.span, meant)] if meant else (),
    )
    if meant:
        kind = "PERCENT" if meant.endswith("%") else "DURATION" if meant[-1].isalpha() else "NUMBER"
        return mender.replace((kind, meant, start, end))
    return mender.poison(mender.span) or drop_statement(mender)


def _meant(text: str) -> tuple[str, str, str]:
    """What was meant, if that is plain; what it tried to be; and how that is written."""
    if len(text) > 20:
        return "", "a number that can be meant", "fifteen digits are the most"
    if re.fullmatch(r"[0-9]+(_[0-9]+)+", text):
        return text.replace("_", ""), "a number", ""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?%%+", text):
        return text.rstrip("%") + "%", "a percentage", ""
    if re.fullmatch(r"[0-9]{1,2}(:[0-9]*)+", text):
        return "", "a time of day", "hours and minutes have two digits: `09:30`"
    parts = _PART.findall(text)
    if parts and "".join(map("".join, parts)) == text:
        return _duration(parts), "a duration", _FORM
    return "", "a number", "a number is written `3` or `0.99`, a percentage `99%`, a duration `1h30m`"


def _duration(parts: list[tuple[str, str]]) -> str:
    units = [UNITS.get(unit, UNITS.get(unit.lower(), "")) for _, unit in parts]
    if not all(units) or len(set(units)) < len(units):
        return ""
    total = sum(float(amount) * UNIT_MS[unit] for (amount, _), unit in zip(parts, units, strict=True))
    return in_units(round(total)) if total == round(total) else ""


def in_units(ms: int) -> str:
    """Milliseconds as a duration is written."""
    text = ""
    for unit, size in sorted(UNIT_MS.items(), key=lambda item: -item[1]):
        amount, ms = divmod(ms, size)
        text += f"{amount}{unit}" if amount and unit != "w" else ""
        ms += amount * size if unit == "w" else 0
    return text or "0s"


def parted_unit(mender: Mender) -> bool:
    """`5 minutes`, `50 %`: the number has been read, and its unit stands behind a space."""
    driver = mender.driver
    kind, text, _, end = mender.token
    number, value = mender.near(-1), driver.values[-1]
    if number[0] != "NUMBER" or type(value) is not Number:
        return False
    span = driver.span(number[2], end)
    percent = text in ("%", "percent", "pct")
    if percent:
        meant: Percent | Duration = Percent(value.value, span)
        written = f"{number[1]}%"
    elif kind not in ("NAME", BAD) and text not in UNITS:
        return False
    else:
        unit = UNITS.get(text.lower())
        written = _duration([(number[1], unit)]) if unit else ""
        if not written:
            return False
        meant = Duration(duration_ms(written), span)
    mender.report(
        "RW009" if percent else "RW008",
        f"`{number[1]} {text}` is not a {'percentage' if percent else 'duration'}",
        span,
        help=f"write `{written}`, without a space",
        fixes=[fix(f"replace with `{written}`", span, written, safe=True)],
    )
    driver.values[-1], driver.ended = meant, end
    return mender.skip()


def lone_point(mender: Mender) -> bool:
    """`.5`, `5.`: a number that lacks the digits on one side of its point."""
    driver, (kind, _, start, end) = mender.driver, mender.token
    if kind != "DOT":
        return False
    before, behind = mender.near(-1), mender.near(1)
    if behind[0] in ("NUMBER", "PERCENT") and behind[2] == end and "." not in behind[1]:
        span, meant = driver.span(start, behind[3]), f"0.{behind[1]}"
        mender.report("RW009", f"`.{behind[1]}` lacks a digit before its point", span, help=f"write `{meant}`",
                      fixes=[fix(f"replace with `{meant}`", span, meant, safe=True)])  # fmt: skip
        driver.tokens[driver.at : driver.at + 2] = [(behind[0], meant, start, behind[3])]
        return True
    if before[0] == "NUMBER" and before[3] == start:
        span = driver.span(before[2], end)
        mender.report("RW009", f"`{before[1]}.` lacks a digit behind its point", span, help=f"write `{before[1]}`",
                      fixes=[fix(f"replace with `{before[1]}`", span, before[1], safe=True)])  # fmt: skip
        return mender.skip()
    return False


# --- strings ----------------------------------------------------------------------------------------------------


def open_string(mender: Mender) -> bool:
    """A quotation mark that nothing closes."""
    driver, (kind, text, start, end) = mender.driver, mender.token
    if kind != OPEN:
        return False
    if text.startswith('"""'):
        mender.report("RW006", "this string is never closed", driver.span(start, start + 3),
                      help='a string that begins with `"""` ends with `"""`')  # fmt: skip
        mender.blind = True
        return mender.replacement("STRING", '""') if mender.would_fit("STRING", more=0) else drop_statement(mender)
    tail = _CLOSERS.search(text)
    stop = start + (tail.start() if tail and tail.start() > 1 else len(text.rstrip()))
    mender.report("RW006", "this string is not closed on its line", driver.span(start, stop),
                  help='close it with `"`; a text over several lines stands between `"""` and `"""`',
                  fixes=[fix('add the missing `"`', driver.span(stop, stop), '"')])  # fmt: skip
    inside = text[: stop - start].replace("\\", "")
    marks = driver.automaton.lexer.marks
    rest: list[Token] = [
        (marks[mark], mark, at, at + 1) for at, mark in enumerate(driver.source.text[stop:end], stop) if mark in marks
    ]
    return mender.replace(("STRING", inside + '"', start, stop), *rest)


def foreign_quotes(mender: Mender) -> bool:
    """`'single'` and “smart” quotes."""
    kind, text, _, _ = mender.token
    if kind != BAD or text[0] not in "'“”„«" or len(text) < 2:
        return False
    inside = text[1:-1].replace("\\", "\\\\").replace('"', '\\"')
    mender.report("RW011", "strings stand in straight double quotes", mender.span, help=f'write `"{inside[:40]}"`',
                  fixes=[fix("use double quotes", mender.span, f'"{inside}"', safe=True)])  # fmt: skip
    return mender.replacement("STRING", f'"{inside}"')


# --- characters -------------------------------------------------------------------------------------------------

_KNOWN = {
    "\u00a0": "a no-break space",
    "\u200b": "a zero-width space",
    "\ufffd": "a character that got lost when the file was saved",
    "–": "a dash",
    "—": "a dash",
    "…": "an ellipsis",
    "×": "a multiplication sign",
    "≥": "a mathematical sign",
    "≤": "a mathematical sign",
    "≠": "a mathematical sign",
}
_MEANT = {"\u00a0": " ", "\u200b": "", "–": "-", "—": "-", "…": "..", "×": "*", "≥": ">=", "≤": "<=", "≠": "!="}


def strange_character(mender: Mender) -> bool:
    """What is in no word, number or sign of the language."""
    kind, text, _, _ = mender.token
    if kind != BAD:
        return False
    meant = _MEANT.get(text[0]) if len(set(text)) == 1 else None
    mender.report(
        "RW013",
        f"{_character(text)} has no meaning here",
        mender.span,
        help="names are made of the letters a to z, digits and `_`; other text stands in double quotes"
        if text[0].isalpha()
        else "",
        fixes=[fix(f"replace with `{meant}`" if meant and meant.strip() else "take it out", mender.span, meant)]
        if meant is not None
        else (),
    )
    if meant is None:
        return False
    kind = mender.driver.automaton.lexer.marks.get(meant, "")
    if not kind:
        return mender.skip()
    return mender.replacement(kind, meant) if mender.would_fit(kind, more=0) else drop_statement(mender)


def _character(text: str) -> str:
    name = _KNOWN.get(text[0])
    if name:
        return name
    if not text.isprintable():
        return f"the character U+{ord(text[0]):04X}"
    return f"`{text[:20]}`"
