"""Regular expressions of `=~`, held to RE2: matched in linear time by every data plane, so none can explode.

The compiler is google-re2 itself, imported only when there is a regular expression to look at; what it says is turned
into words about the pattern, and into the place inside it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

MAX_LENGTH = 1024
MAX_MEMORY = 1 << 20
"""What a compiled expression may take, in bytes; RE2 refuses to go beyond."""

_UNSUPPORTED: tuple[tuple[str, str, str], ...] = (
    (r"\(\?=", "look-ahead `(?=…)`", "say what must match, and split the rest into a test of its own with `and`"),
    (r"\(\?!", "negative look-ahead `(?!…)`", "list what should match instead"),
    (r"\(\?<=", "look-behind `(?<=…)`", "match the text before it too"),
    (r"\(\?<!", "negative look-behind `(?<!…)`", "list what should match instead"),
    (r"\(\?>", "atomic group `(?>…)`", "use a plain group: this kind of expression never backtracks"),
    (r"\(\?P=\w+\)", "back-reference", "write the text out"),
    (r"\(\?\(", "conditional group", "use two alternatives"),
    (r"\(\?#", "comment `(?#…)`", "put the comment behind a `#` of the policy"),
    (r"\\[1-9]", "back-reference", "write the text out"),
    (r"\\k[<{']", "back-reference", "write the text out"),
    (r"\\Z", "`\\Z`", "write `$`"),
    (r"\\[GKRX]", "escape", "write out what it stands for"),
    (r"[*+?}]\+", "possessive repetition", "drop the second sign: this kind of expression never backtracks"),
)
_REASONS: tuple[tuple[str, str], ...] = (
    ("missing ]", "a `[` is never closed"),
    ("missing )", "a `(` is never closed"),
    ("unexpected )", "a `)` closes nothing"),
    ("missing argument", "a repetition has nothing to repeat"),
    ("no argument", "a repetition has nothing to repeat"),
    ("bad repetition", "two repetitions follow one another"),
    ("invalid repetition", "a repetition is too large, or the wrong way round"),
    ("invalid character class", "a character class has a range that makes no sense"),
    ("trailing \\", "it ends in a lone backslash"),
    ("invalid escape", "there is no such escape"),
    ("invalid named", "a group has a name that cannot be"),
    ("too large", "it is too large"),
    ("invalid UTF-8", "it is not text"),
)


class Problem(NamedTuple):
    """What is wrong with a stretch of the expression."""

    code: str
    start: int
    end: int
    message: str
    help: str


@lru_cache(maxsize=1024)
def check(pattern: str) -> Problem | None:
    """Why this is not an RE2 expression of bounded size, or None."""
    if len(pattern) > MAX_LENGTH:
        message = f"this regular expression is {len(pattern):,} characters long"
        return Problem("RW512", 0, len(pattern), message, f"keep it under {MAX_LENGTH:,}")
    said = _compile(pattern)
    if said is None:
        return None
    if "too large" in said:
        return Problem("RW512", 0, len(pattern), "this regular expression is too large", "use smaller repetitions")
    return _unsupported(pattern) or _malformed(pattern, said)


def _compile(pattern: str) -> str | None:
    """What RE2 says against it."""
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - only for policies with a regular expression

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0] if error.args else ""
        return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    except (UnicodeError, ValueError):
        return "invalid UTF-8"
    return None


def _unsupported(pattern: str) -> Problem | None:
    for sought, what, help_text in _UNSUPPORTED:
        found = re.search(rf"(?<!\\)(?:\\\\)*({sought})", pattern)
        if found is not None:
            message = f"this regular expression uses a {what}, which RE2 does not have"
            if what.startswith("`") or what == "escape":
                message = f"this regular expression uses `{found[1]}`, which RE2 does not have"
            return Problem("RW510", found.start(1), found.end(1), message.replace("a atomic", "an atomic"), help_text)
    return None


def _malformed(pattern: str, said: str) -> Problem:
    reason = next((words for start, words in _REASONS if said.startswith(start) or start in said), "")
    detail = said.partition(": ")[2]
    at = pattern.find(detail) if detail and detail != pattern else -1
    start, end = (at, at + len(detail)) if at >= 0 else _unclosed(pattern, said)
    message = "this is not a regular expression" + (f": {reason}" if reason else "")
    return Problem(
        "RW510", start, end, message, "the syntax is RE2's; a special character is meant literally behind `\\`"
    )


_CLASS_OR_BRACKET = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()\[]", re.DOTALL)


def _unclosed(pattern: str, said: str) -> tuple[int, int]:
    """The bracket that is never closed, if it is that, else all of the pattern."""
    if "missing )" not in said and "missing ]" not in said:
        return 0, len(pattern)
    opened: list[int] = []
    for found in _CLASS_OR_BRACKET.finditer(pattern):
        if found[0] in ("(", "["):
            opened.append(found.start())
        elif found[0] == ")" and opened:
            opened.pop()
    return (opened[-1], opened[-1] + 1) if opened else (0, len(pattern))


def is_anchored(pattern: str) -> bool:
    """Whether it says where in the text it must match, or says by `.*` that it does not care."""
    stripped = re.sub(r"^\(\?[a-zA-Z]+\)", "", pattern)
    return stripped.startswith(("^", ".*", "\\A", "(^")) or stripped.endswith(("$", ".*", "\\z"))
