"""The specialists that a mender asks, in order, and the ones for words: misspelt, misplaced, missing, unexpected."""

from __future__ import annotations

import re
from functools import cache

from dsl.findings import one_line
from dsl.parser.brackets import outgrown, stray_closer, unclosed
from dsl.parser.idioms import (
    advice,
    brace_on_next_line,
    chained_comparison,
    filler,
    foreign_comment,
    foreign_operator,
    hyphen,
    line_begins_too_late,
    needless_mark,
    two_on_a_line,
    wrong_equals,
    wrong_range,
    yaml_list,
)
from dsl.parser.literals import (
    broken_number,
    foreign_quotes,
    lone_point,
    open_string,
    parted_unit,
    strange_character,
)
from dsl.parser.mender import Mender, drop_statement, fix
from dsl.parser.tables import automaton
from dsl.parser.tokens import BAD, END, NEWLINE, OPEN, Token
from dsl.parser.words import ITEMS, VALUE, found, wanted
from dsl.source import Source
from dsl.suggest import closest, question

_FIXED_MARKS = {"COMMA", "RPAR", "RSQB", "COLON", "LBRACE", "ASSIGN"}


# --- what a block holds -----------------------------------------------------------------------------------------


@cache
def _beginnings() -> dict[str, frozenset[str]]:
    """For each kind of thing that a block holds, the words that it begins with."""
    machine = automaton()
    begins: dict[str, set[str]] = {item: set() for item in ITEMS}
    for row in machine.rows:
        for item in begins.keys() & row.keys():
            begins[item] |= {kind for kind in row if kind in machine.words and row[kind] >= 0}
    begins["call"] = {"RUN", "NOTIFY"}
    begins["field"] = begins["channel_item"] = begins["metric_item"] = begins["variant_item"] = set()
    begins["rollout_item"] -= begins["declaration"] - {"ANALYSIS", "STRATEGY"}
    return {item: frozenset(words) for item, words in begins.items()}


def item_here(mender: Mender) -> str | None:
    """What the innermost block holds, where a statement begins with the token; else None."""
    driver = mender.driver
    if not driver.at_statement():
        return None
    row = driver.automaton.rows[driver.states[-1]]
    return next((item for item in ITEMS if item in row), None)


# --- words ------------------------------------------------------------------------------------------------------


def misplaced_word(mender: Mender) -> bool:
    """A statement that stands in other blocks than this: `hold` in an analysis."""
    item, (kind, text, _, _) = item_here(mender), mender.token
    if item is None or kind not in mender.driver.automaton.words:
        return False
    places = [ITEMS[other][1] for other, words in _beginnings().items() if kind in words]
    if not places:
        return False
    mender.report(
        "RW016",
        f"`{text}` does not stand {ITEMS[item][1].removesuffix(' or in a `strategy`')}",
        mender.span,
        note=f"expected {ITEMS[item][0]}",
        help=f"it stands {' or '.join(places[:2])}",
    )
    return drop_statement(mender)


def glued_word(mender: Mender) -> bool:
    """`wait5m`, `to5%`: a word that runs into a number."""
    driver, (kind, text, start, end) = mender.driver, mender.token
    match = _GLUED.fullmatch(text) if kind == "NAME" else None
    word = driver.automaton.lexer.keywords.get(match[1], "") if match else ""
    if match is None or not word or not mender.would_fit(word, more=0):
        return False
    if mender.near(1)[2] == end and mender.near(1)[1] == "%":
        end += 1
    span = driver.span(start, end)
    number = span.text[len(match[1]) :]
    mender.report("RW002", f"`{match[1]}` runs into `{number}`", span, help=f"write `{match[1]} {number}`",
                  fixes=[fix("put a space between them", driver.span(*[start + len(match[1])] * 2), " ",
                             safe=True)])  # fmt: skip
    (value, written, at, to), *_ = driver.automaton.lexer.lex(Source("", number)).tokens
    shift = start + len(match[1])
    driver.tokens[driver.at : driver.at + 1 + (end > mender.token[3])] = [
        (word, match[1], start, shift),
        (value, written, at + shift, to + shift),
    ]
    return True


_GLUED = re.compile(r"([a-z_]+)([0-9].*)")


def misspelt_word(mender: Mender) -> bool:
    """A word close to one that could stand here."""
    driver, (kind, text, _, _) = mender.driver, mender.token
    if kind not in ("NAME", "KEBAB") and kind not in driver.automaton.words:
        return False
    spelling = driver.automaton.spelling
    words = {spelling[one]: one for one in mender.expected() if one in driver.automaton.words}
    near = closest(text, words) if text.lower() not in words else (text.lower(),)
    if not near:
        return False
    item = item_here(mender)
    mender.report(
        "RW002",
        f"`{text}` is not known here",
        mender.span,
        note=f"expected {wanted(driver.automaton, mender.expected(), item)}",
        help=question(near),
        fixes=[fix(f"replace with `{name}`", mender.span, name) for name in near],
    )
    if len(near) == 1 and mender.would_fit(words[near[0]], after=1):
        return mender.replacement(words[near[0]], near[0])
    return drop_statement(mender)


def misspelt_beginning(mender: Mender) -> bool:
    """The statement began with a name that is close to a word of this block: `ta error, warn` in a channel."""
    driver = mender.driver
    block = driver.nest[-1]
    first = driver.tokens[block.first]
    if not block.is_block or first[0] != "NAME" or driver.at_statement() or block.first >= driver.at:
        return False
    row = driver.automaton.rows[driver.states[block.anchor - 1]]
    words = [driver.automaton.spelling[kind] for kind in row if kind in driver.automaton.words and row[kind] >= 0]
    near = closest(first[1], words)
    if not near:
        return False
    span = driver.span(first[2], first[3])
    mender.report("RW002", f"`{first[1]}` is not known here", span, help=question(near),
                  fixes=[fix(f"replace with `{name}`", span, name) for name in near])  # fmt: skip
    return drop_statement(mender)


def not_scored(mender: Mender) -> bool:
    """`passing 95`, `require kayenta(cpu)` in a judgement: a statement began with a name, for a metric can stand there,
    and does not go on as one."""
    driver = mender.driver
    block = driver.nest[-1]
    row = driver.automaton.rows[driver.states[block.anchor - 1]]
    item = next((item for item in ("judgement_item", "group_item") if item in row), None)
    first = driver.tokens[block.first]
    own = driver.automaton.lexer.keywords.get(first[1]) in _beginnings()["judgement_item"]
    if item is None or driver.at != block.first + 1 or first[1] == "kayenta" or (own and item == "judgement_item"):
        return False
    help_ = f"it stands {ITEMS['judgement_item'][1]}" if own else "what else is checked stands beside the judgement"
    mender.report("RW016", f"`{first[1]}` does not stand {ITEMS[item][1]}", driver.span(first[2], first[3]),
                  note=f"expected {ITEMS[item][0]}", help=help_)  # fmt: skip
    return drop_statement(mender)


# --- what is missing --------------------------------------------------------------------------------------------


def missing_word(mender: Mender) -> bool:
    """One word or mark before the token would make it fit: `shift 10%`, `{ a: 1 b: 2 }`."""
    driver, token = mender.driver, mender.token
    if token[0] in (BAD, OPEN, END):
        return False
    could = [kind for kind in mender.expected() if kind in driver.automaton.words or kind in _FIXED_MARKS]
    could = [kind for kind in could if kind != token[0] and mender.would_fit(kind, more=2)]
    could = [kind for kind in could if kind not in ("TRUE", "FALSE", "NOT")]
    if token[0] == NEWLINE and not mender.indented_below():
        could = [kind for kind in could if kind != "LBRACE"]
    if len(could) != 1 or item_here(mender) is not None:
        return False
    text = driver.automaton.spelling[could[0]]
    place = driver.span(driver.ended, driver.ended)
    behind = " " if text.isalpha() or text in "{=" else ""
    mender.report(
        "RW007",
        f"`{text}` is missing " + ("at the end of the line" if token[0] == NEWLINE else f"before {found(token)}"),
        mender.span if token[0] != NEWLINE else place,
        help=f"add `{text}`",
        fixes=[fix(f"add `{text}`", place, behind + text)] if text != "{" or token[0] == NEWLINE else (),
    )
    if text == "{" and token[0] != NEWLINE:
        return drop_statement(mender)
    return mender.insert(mender.ghost(could[0], text))


def missing_value(mender: Mender) -> bool:
    """A value was to stand before the token, which would fit behind it: `require latency >=`, `shift to for 5m`."""
    driver, token = mender.driver, mender.token
    if driver.softened == driver.at - 1 and mender.near(-1)[1] in _INNER_WORDS:
        word = mender.near(-1)
        mender.report("RW007", f"a value is missing before `{word[1]}`", driver.span(word[2], word[3]),
                      help="say which")  # fmt: skip
        return drop_statement(mender)
    if token[0] == BAD or not mender.expected() >= VALUE or not mender.would_fit("NUMBER"):
        return False
    end = driver.ended
    before = mender.near(-1)[1]
    what = "a condition" if "NOT" in mender.expected() else "a value"
    mender.report("RW007", f"{what} is missing after `{before}`", driver.span(end, end), note=f"expected {what}")
    return mender.poison(driver.span(end, end), skip=0)


_INNER_WORDS = {"for", "with", "to", "by", "every", "within", "in", "and", "or", "over", "of", "when", "else"}
"""Words that join parts of a statement, and are hardly meant as names."""


def unquoted(mender: Mender) -> bool:
    """A text without quotes where only a string can stand: `zone Europe/Berlin`."""
    driver, token = mender.driver, mender.token
    if mender.expected() != {"STRING"} and mender.expected() != {"STRING", "RAW_STRING"}:
        return False
    if token[0] not in ("NAME", "KEBAB") and token[0] not in driver.automaton.words:
        return False
    stop = driver.at
    while driver.tokens[stop + 1][2] == driver.tokens[stop][3] and driver.tokens[stop + 1][0] not in (NEWLINE, END):
        stop += 1
    span = driver.span(token[2], driver.tokens[stop][3])
    mender.report("RW011", f"`{one_line(span.text, 40)}` stands without quotes", span, help=f'write `"{span.text}"`',
                  fixes=[fix("put it in double quotes", span, f'"{span.text}"', safe=True)])  # fmt: skip
    driver.tokens[driver.at : stop + 1] = [("STRING", f'"{span.text}"', span.start, span.end)]
    return True


# --- the rest ---------------------------------------------------------------------------------------------------


def unexpected(mender: Mender) -> bool:
    """Nothing better is known: say what stands here and what could."""
    driver, token = mender.driver, mender.token
    item = item_here(mender)
    what = wanted(driver.automaton, mender.expected(), item)
    before = mender.near(-1)
    if token[0] == BAD and mender.diagnostics and mender.diagnostics[-1].span == mender.span:
        return drop_statement(mender)
    if token[0] in (NEWLINE, END):
        message = "the line ends too early" if token[0] == NEWLINE else "the file ends too early"
        span = driver.span(driver.ended, driver.ended)
    else:
        message, span = f"{found(token)} cannot stand here", mender.span
    mender.report(
        "RW001",
        message,
        span,
        note=f"expected {what}" if what else "",
        help=_between(token, what)
        or advice(before, token, driver.tokens[driver.nest[-1].first])
        or _of_judgement(mender),
    )
    return drop_statement(mender)


def _between(token: Token, wanted_here: str) -> str:
    """What to say about a comma where a statement ends."""
    return (
        "write `;` between statements on one line" if token[0] == "COMMA" and "end of the line" in wanted_here else ""
    )


def _of_judgement(mender: Mender) -> str:
    """What to say where a judgement was not to begin, and where brackets are forgotten in one."""
    if mender.near(-1)[1] == "kayenta":
        return f"write `kayenta({mender.token[1]})`"
    if mender.token[0] == "LBRACE" and mender.near(-1)[1] == "judgement":
        return "a judgement stands alone: write `judgement { … }`, or `observe judgement { … }`"
    return ""


SPECIALISTS = (
    open_string,
    broken_number,
    foreign_quotes,
    foreign_comment,
    foreign_operator,
    parted_unit,
    lone_point,
    hyphen,
    brace_on_next_line,
    outgrown,
    unclosed,
    stray_closer,
    chained_comparison,
    wrong_equals,
    wrong_range,
    needless_mark,
    filler,
    yaml_list,
    line_begins_too_late,
    glued_word,
    misspelt_word,
    unquoted,
    misplaced_word,
    missing_value,
    two_on_a_line,
    missing_word,
    misspelt_beginning,
    not_scored,
    strange_character,
    unexpected,
)
"""Who is asked, in this order; the last always has something to say."""
