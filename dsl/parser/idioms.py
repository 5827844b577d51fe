"""Habits from other languages: what people write here who write YAML, JavaScript, HCL or Python all day."""

from __future__ import annotations

from dsl.parser.mender import Mender, drop_statement, fix
from dsl.parser.tokens import NEWLINE, Token
from dsl.parser.words import VALUE

_WORDS = {"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not"}
_SIGNS = {"=>": ">=", "=<": "<=", "===": "==", "~=": "=~", "!==": "!=", "<>": "!=", "!~": "=~"}
_FILLERS = {"then", "do", "begin", "is", "are", "the", "a", "an"}
_ELSE_IF = {"elif", "elsif", "elseif"}
_COMMENTS = ("//", "/*", "--")


def foreign_comment(mender: Mender) -> bool:
    """`//`, `/*`, `--`: the rest of the line is a comment."""
    source = mender.driver.source
    _, _, start, _ = mender.token
    mark = next((one for one in _COMMENTS if source.text.startswith(one, start)), None)
    if mark is None:
        return False
    span = mender.driver.span(start, start + 2)
    mender.report("RW011", "comments begin with `#`", span, help=f"write `#` for `{mark}`",
                  fixes=[fix("replace with `#`", span, "#", safe=mark != "/*")])  # fmt: skip
    stop = source.text.find("*/" if mark == "/*" else "\n", start)
    stop = len(source.text) if stop < 0 else stop + 2 * (mark == "/*")
    while mender.token[2] < stop and mender.token[0] != "$END":
        mender.skip()
    if mender.driver.at_statement():
        if mender.token[0] == NEWLINE:
            mender.skip()
        mender.driver.nest[-1].first = mender.driver.at
    return True


def foreign_operator(mender: Mender) -> bool:
    """`&&`, `||`, `!`, `=>`, `=<`, `===`."""
    driver, (_, text, start, _) = mender.driver, mender.token
    for sign, meant in _SIGNS.items():
        if driver.source.text.startswith(sign, start):
            return _sign(mender, sign, meant)
    meant = _WORDS.get(text, "")
    if not meant or not mender.would_fit(meant.upper(), more=0):
        return False
    space = " " if meant == "not" else ""
    mender.report("RW010", f"`{text}` is no operator here", mender.span, help=f"write `{meant}`",
                  fixes=[fix(f"replace with `{meant}`", mender.span, meant + space, safe=True)])  # fmt: skip
    return mender.replacement(meant.upper(), meant)


def _sign(mender: Mender, sign: str, meant: str) -> bool:
    driver, (_, _, start, _) = mender.driver, mender.token
    kind = driver.automaton.lexer.marks[meant]
    if not mender.would_fit(kind, more=0):
        return False
    span = driver.span(start, start + len(sign))
    mender.report("RW010", f"`{sign}` is no operator here", span, help=f"write `{meant}`",
                  fixes=[fix(f"replace with `{meant}`", span, meant, safe=True)])  # fmt: skip
    stop = driver.at
    while driver.tokens[stop][2] < span.end:
        stop += 1
    driver.tokens[driver.at : stop] = [(kind, meant, span.start, span.end)]
    return True


def wrong_equals(mender: Mender) -> bool:
    """`=` where `==` or `:` stands, and the other way round."""
    kind, text, _, _ = mender.token
    if kind not in ("ASSIGN", "EQUAL", "COLON"):
        return False
    for other, meant in (("EQUAL", "=="), ("COLON", ":"), ("ASSIGN", "=")):
        if other != kind and mender.would_fit(other, more=0):
            what = {"==": "is compared with", ":": "is given with", "=": "is set with"}[meant]
            mender.report("RW010", f"`{text}` is no operator here", mender.span,
                          help=f"a value {what} `{meant}`",
                          fixes=[fix(f"replace with `{meant}`", mender.span, meant, safe=True)])  # fmt: skip
            return mender.replacement(other, meant)
    return False


def wrong_range(mender: Mender) -> bool:
    """`09:00-17:00`, `1 to 5`: a range is written with `..`."""
    if not mender.would_fit("UPTO", after=1) or mender.token[1] not in ("-", "...", "to", "–"):
        return False
    mender.report("RW010", "a range is written with `..`", mender.span, help="write `..`",
                  fixes=[fix("replace with `..`", mender.span, "..", safe=True)])  # fmt: skip
    return mender.replacement("UPTO", "..")


def needless_mark(mender: Mender) -> bool:
    """`every: 1m`, `timeout = 10s`, `hold, 5m`: a mark behind a word that needs none."""
    kind, text, _, _ = mender.token
    if kind not in ("COLON", "ASSIGN", "COMMA", "DOT") or not mender.would_fit(after=1):
        return False
    mender.report("RW011", f"no `{text}` stands here", mender.span, help="take it out",
                  fixes=[fix(f"take out the `{text}`", mender.span, "", safe=True)])  # fmt: skip
    return mender.skip()


def chained_comparison(mender: Mender) -> bool:
    """`a < b < c`."""
    driver, kind = mender.driver, mender.token[0]
    compare = ("LESS", "AT_MOST", "MORE", "AT_LEAST", "EQUAL", "UNEQUAL")
    if kind not in compare:
        return False
    at = driver.at - 1
    while at > driver.nest[-1].first and driver.tokens[at][0] not in compare:
        at -= 1
    if driver.tokens[at][0] not in compare:
        return False
    middle = driver.source.text[driver.tokens[at][3] : driver.ended].strip()
    mender.report("RW014", "comparisons do not chain", mender.span, note="the second comparison",
                  help=f"write `and {middle} {mender.token[1]} …`, or `in low..high`",
                  fixes=[fix(f"compare `{middle}` again", driver.span(mender.token[2], mender.token[2]),
                             f"and {middle} ")])  # fmt: skip
    operand = driver.tokens[at + 1 : driver.at]
    plain = not {"AND", "OR", "NOT", "IN", "OVER"} & {token[0] for token in operand}  # or each mend begets a longer one
    if not plain or not mender.would_fit("AND", more=0):
        return drop_statement(mender)
    return mender.insert(mender.ghost("AND", "and"), *operand)


def hyphen(mender: Mender) -> bool:
    """`a-b` where a hyphen cannot be part of a name."""
    kind, text, start, end = mender.token
    if kind != "KEBAB":
        return False
    snake = text.replace("-", "_")
    wanted = mender.expected()
    if mender.driver.tokens[mender.driver.nest[-1].first][0] == "DAYS":
        return _day_range(mender, text)
    in_map = "STRING" in wanted and not wanted >= VALUE
    meant = f'"{text}"' if in_map else snake
    fixes = [fix(f"replace with `{meant}`", mender.span, meant)]
    help_text = f"write `{meant}`"
    if wanted >= VALUE:
        minus = " - ".join(filter(None, text.split("-")))
        fixes.append(fix(f"subtract: `{minus}`", mender.span, minus))
        help_text = f"write `{snake}` for one name, `{minus}` for a subtraction"
    elif "NAME" not in wanted:
        return False
    mender.report("RW012", f"the name `{text}` holds a hyphen", mender.span, help=help_text, fixes=fixes)
    if wanted >= VALUE and mender.poison(mender.span):
        return True
    keyword = mender.driver.automaton.lexer.keywords.get(snake, "")
    kind = "STRING" if in_map else keyword if keyword in wanted else "NAME"
    return mender.replace((kind, meant, start, end))


def _day_range(mender: Mender, text: str) -> bool:
    """`mon-fri`."""
    _, _, start, end = mender.token
    first, _, last = text.partition("-")
    meant = f"{first}..{last}"
    mender.report("RW010", f"`{text}` is no range of days", mender.span, help=f"write `{meant}`",
                  fixes=[fix(f"replace with `{meant}`", mender.span, meant, safe=True)])  # fmt: skip
    return mender.replace(("NAME", first, start, end), ("UPTO", "..", end, end), ("NAME", last, end, end))


def yaml_list(mender: Mender) -> bool:
    """`- item` on a line of its own."""
    if mender.token[0] != "MINUS" or not mender.driver.at_statement():
        return False
    mender.report("RW011", "a list does not stand on lines with `-`", mender.span,
                  help="write it as `[a, b]` behind its name")  # fmt: skip
    return drop_statement(mender)


def filler(mender: Mender) -> bool:
    """`then`, `do`: a word that other languages need."""
    kind, text, start, end = mender.token
    if text in _ELSE_IF and mender.would_fit("ELSE", "IF", after=1):
        mender.report("RW011", f"`{text}` is written `else if`", mender.span, help="write `else if`",
                      fixes=[fix("replace with `else if`", mender.span, "else if", safe=True)])  # fmt: skip
        return mender.replace(("ELSE", "else", start, end), ("IF", "if", end, end))
    if kind != "NAME" or text not in _FILLERS or not mender.would_fit(after=1):
        return False
    mender.report("RW011", f"`{text}` is not needed here", mender.span, help="take it out",
                  fixes=[fix(f"take out `{text}`", mender.span, "", safe=True)])  # fmt: skip
    return mender.skip()


def brace_on_next_line(mender: Mender) -> bool:
    """A `{` on a line below what it opens."""
    if mender.token[0] != NEWLINE or mender.near(1)[0] != "LBRACE" or not mender.would_fit("LBRACE", more=0):
        return False
    brace = mender.near(1)
    gap = mender.driver.span(mender.driver.ended, brace[3])
    clean = not mender.driver.source.text[gap.start : brace[2]].strip()
    mender.report("RW017", "`{` stands on the line of what it opens", mender.driver.span(brace[2], brace[3]),
                  help="move it to the end of the line before",
                  fixes=[fix("move the `{` up", gap, " {", safe=True)] if clean else ())  # fmt: skip
    return mender.skip()


def line_begins_too_late(mender: Mender) -> bool:
    """`else` below its `}`, and an operator at the beginning of a line."""
    kind, text, _, _ = mender.token
    if not mender.driver.at_statement() or not mender.starts_line():
        return False
    if kind == "ELSE":
        mender.report("RW017", "`else` stands on the line of the `}` before it", mender.span,
                      help="write `} else {`")  # fmt: skip
        return drop_statement(mender)
    if kind in ("AND", "OR", "OVER", "PLUS", "STAR", "OF", "WITHIN", "WITH", "FOR", "BY", "TO"):
        mender.report("RW017", f"a line cannot begin with `{text}`", mender.span,
                      help="keep a statement on one line; inside of parentheses lines may break")  # fmt: skip
        return drop_statement(mender)
    return False


def two_on_a_line(mender: Mender) -> bool:
    """`hold 5m promote`: a statement behind a statement."""
    kind = mender.token[0]
    block = mender.driver.nest[-1].is_block
    if not block or kind not in mender.driver.automaton.words or not mender.would_fit(NEWLINE):
        return False
    place = mender.driver.span(mender.driver.ended, mender.token[2])
    mender.report("RW017", f"a new statement begins at `{mender.token[1]}`", mender.span,
                  help="put it on a line of its own, or write `;` before it",
                  fixes=[fix("put a `;` between them", place, "; ")])  # fmt: skip
    return mender.insert(mender.ghost(NEWLINE))


_FORMS = {
    "TARGET": "a workload is written `deployment/checkout`",
    "SCALER": "a scaler is written `hpa/checkout`",
    "HOURS": "write `hours 09:00..16:30`",
    "DAYS": "write `days mon..fri`",
    "TOLERATE": "write `tolerate 5 failures`, `tolerate 3 consecutive failures` or `tolerate 2 failures in 10`",
    "RAMP": "write `ramp 10% to 50% by 10%`",
    "JUDGEMENT": "write `judgement { kayenta(latency(0.99), direction: increase) }`: it has no name",
    "GROUP": "write `group latency weight 60 { kayenta(latency(0.99), direction: increase) }`",
    "ROUTE": 'write `route to canary when header "x-user" == "beta"`',
    "FORBID": "write `forbid traffic > 25%`",
}
"""What to write, for statements with a form of their own."""

_ADVICE: dict[tuple[str, str], str] = {
    ("WAIT", "DURATION"): "`pause 5m` stays without checking, `hold 5m` stays and checks",
    ("WAIT", "NUMBER"): "`pause 5m` stays without checking, `hold 5m` stays and checks",
    ("ABORT", "NAME"): "write `abort if` before a condition",
}


def advice(before: Token, token: Token, first: Token) -> str:
    """What to say about two tokens that are often found together and should not be, or about a statement."""
    return _ADVICE.get((before[0], token[0])) or _FORMS.get(first[0], "")
