"""Brackets that do not pair: one that is never closed, and one that closes nothing."""

from __future__ import annotations

from bisect import bisect_left

from dsl.diagnostics import Edit, Fix, Label
from dsl.parser.driver import Bracket, Driver
from dsl.parser.mender import Mender, drop_statement, fix
from dsl.parser.outlook import Stack, after, after_token
from dsl.parser.tokens import END, NEWLINE, Token
from dsl.source import Span

_PARTNER = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_TEXT = {"LPAR": ")", "LSQB": "]", "LBRACE": "}"}


_MOST_RESTARTS = 8


def outgrown(mender: Mender) -> bool:
    """A line before the error that is indented less than what stands in its bracket: there it was to be closed.

    Where names are taken, such a line is read as something else than it is, and goes wrong only later. So the text is
    read anew with the bracket closed.
    """
    driver = mender.driver
    if len(mender.closings) >= _MOST_RESTARTS:
        return False
    for bracket in driver.nest[1:]:
        token = _outgrowing(mender, bracket)
        if token is not None:
            text = _TEXT[bracket.token[0]]
            mender.report(
                "RW003" if bracket.is_block else "RW005",
                f"this `{bracket.token[1]}` is not closed",
                driver.span(bracket.token[2], bracket.token[3]),
                labels=[Label(driver.span(token[2], token[3]), f"`{text}` is missing before this")],
                help=f"add `{text}`",
                fixes=[_closing(mender, bracket.token, text, _end_before(driver, token), bracket.is_block)],
            )
            mender.restart(_PARTNER[bracket.token[0]], text, token[2])
            return True
    return False


def _outgrowing(mender: Mender, bracket: Bracket) -> Token | None:
    """The first line in a bracket that stands too far left to be in it, unless all of it does."""
    driver, indentation = mender.driver, _indentation(mender, bracket.token)
    first = True
    opener = _number(driver, bracket.token)
    mender.patience -= driver.at - opener
    if mender.patience < 0:
        return None
    for number in range(opener + 1, driver.at):
        newline, token = driver.tokens[number - 1], driver.tokens[number]
        if newline[0] != NEWLINE or "\n" not in newline[1] or token[0] in _PARTNER.values():
            continue
        if _column(mender, token) <= indentation:
            keyword = token[1] in driver.automaton.lexer.keywords
            on_line = driver.tokens[opener + 1][0] != NEWLINE
            return token if (keyword or not bracket.is_block) and (not first or on_line) else None
        first = False
    return None


def _number(driver: Driver, token: Token) -> int:
    """The number of a token."""
    low = bisect_left(driver.tokens, token[2], key=lambda one: one[2])
    return next((at for at in range(low, len(driver.tokens)) if driver.tokens[at][:2] == token[:2]), low)


def _end_before(driver: Driver, token: Token) -> int:
    """Where the line before a token ends."""
    return driver.tokens[_number(driver, token) - 2][3]


def unclosed(mender: Mender) -> bool:
    """A line that fits only once some open brackets are closed, and that is not indented as if it stood in them."""
    driver, token = mender.driver, mender.token
    at_end = token[0] == END
    if (not at_end and not mender.starts_line()) or len(driver.nest) == 1:
        return False
    if at_end and mender.blind:
        return _close(mender, len(driver.nest) - 1)
    stack: Stack | None = driver.states
    for count, bracket in enumerate(reversed(driver.nest[1:]), 1):
        stack = after(driver.automaton, stack, _PARTNER[bracket.token[0]]) if stack is not None else None
        if stack is None:
            break
        if at_end and count < len(driver.nest) - 1:
            stack = _next_line(mender, stack, bracket)
            continue
        if not at_end and _column(mender, token) > _indentation(mender, bracket.token):
            break
        ready = _next_line(mender, stack, bracket)
        if ready is not None and after_token(driver.automaton, ready, token) is not None:
            _report(mender, count)
            return _close(mender, count)
        stack = ready
    return at_end and _give_up(mender)


def _next_line(mender: Mender, stack: Stack, bracket: Bracket) -> Stack | None:
    """The stack at the line behind a closed bracket: a block ends its statement, any other bracket may or may not."""
    ready = after(mender.driver.automaton, stack, NEWLINE)
    return ready if ready is not None or bracket.is_block else stack


def _close(mender: Mender, count: int) -> bool:
    """Read as if the innermost `count` brackets were closed before this token."""
    driver, tokens = mender.driver, []
    for bracket in driver.nest[: -count - 1 : -1]:
        tokens.append(mender.ghost(_PARTNER[bracket.token[0]], _TEXT[bracket.token[0]]))
        if bracket.is_block:
            mender.owed += 1
    if mender.token[0] != END:
        tokens.append(mender.ghost(NEWLINE))
    return mender.insert(*_with_newlines(mender, tokens))


def _with_newlines(mender: Mender, tokens: list[Token]) -> list[Token]:
    """A closed block inside of a block ends a line."""
    spaced: list[Token] = []
    stack: Stack | None = mender.driver.states
    for token in tokens:
        ended = after(mender.driver.automaton, stack, token[0]) if stack is not None else None
        if ended is None and stack is not None:
            spaced.append(mender.ghost(NEWLINE))
            stack = after(mender.driver.automaton, stack, NEWLINE)
            ended = after(mender.driver.automaton, stack, token[0]) if stack is not None else None
        stack = ended
        spaced.append(token)
    return spaced


def _give_up(mender: Mender) -> bool:
    """The text ends in the middle of a statement inside of brackets."""
    _report(mender, 1)
    mender.blind = True
    return drop_statement(mender)


def _report(mender: Mender, count: int) -> None:
    driver = mender.driver
    bracket = driver.nest[-1]
    opener = _guilty(mender) if mender.token[0] == END and bracket.is_block else bracket.token
    text = _TEXT[opener[0]]
    place = driver.ended
    labels = [] if mender.token[0] == END else [Label(mender.span, f"`{text}` is missing before this")]
    more = "; what stands around it is not closed either" if count > 1 and bracket.is_block else ""
    mender.report(
        "RW003" if opener[0] == "LBRACE" and bracket.is_block else "RW005",
        f"this `{opener[1]}` is not closed",
        driver.span(opener[2], opener[3]),
        note=f"the file ends before its `{text}`" if mender.token[0] == END else "",
        labels=labels,
        help=f"add `{text}`{more}",
        fixes=[_closing(mender, opener, text, place, bracket.is_block)] if count == 1 else (),
    )


def _closing(mender: Mender, opener: Token, text: str, place: int, is_block: bool) -> Fix:
    if not is_block:
        return fix(f"add `{text}`", mender.driver.span(place, place), text)
    source = mender.driver.source
    line = source.text.rfind("\n", 0, opener[2]) + 1
    margin = source.text[line : line + _indentation(mender, opener)]
    return Fix(f"add `{text}`", (Edit(Span(source, place, place), f"\n{margin}{text}"),))


def _guilty(mender: Mender) -> Token:
    """Which brace is the one that was forgotten, as the indentation of the closing ones tells it."""
    open_braces: list[Token] = []
    tokens = mender.driver.tokens
    for number, token in enumerate(tokens):
        if token[0] == "LBRACE":
            open_braces.append(token)
        elif token[0] == "RBRACE" and open_braces:
            top = open_braces.pop()
            starts_line = number == 0 or tokens[number - 1][0] == NEWLINE
            if starts_line and top[2] != top[3] and _column(mender, token) < _indentation(mender, top):
                return top
    return open_braces[-1] if open_braces else mender.driver.nest[-1].token


def stray_closer(mender: Mender) -> bool:
    """A bracket that closes nothing, or not the one that is open."""
    driver, (kind, text, _, _) = mender.driver, mender.token
    if kind not in ("RPAR", "RSQB", "RBRACE"):
        return False
    if any(_PARTNER[bracket.token[0]] == kind for bracket in driver.nest[1:]):
        return False
    if kind == "RBRACE" and mender.owed:
        mender.owed -= 1
    else:
        mender.report("RW004", f"this `{text}` closes nothing", mender.span, help="take it out",
                      fixes=[fix(f"take out the `{text}`", mender.span, "")])  # fmt: skip
    if kind != "RBRACE" and not driver.at_statement():
        return drop_statement(mender)
    mender.skip()
    if driver.at_statement() and mender.token[0] == NEWLINE:
        mender.skip()
        driver.nest[-1].first = driver.at
    return True


def _column(mender: Mender, token: Token) -> int:
    return token[2] - (mender.driver.source.text.rfind("\n", 0, token[2]) + 1)


def _indentation(mender: Mender, token: Token) -> int:
    """How far the line is indented on which a token stands."""
    text = mender.driver.source.text
    line = text.rfind("\n", 0, token[2]) + 1
    return len(text[line : token[2]]) - len(text[line : token[2]].lstrip(" \t"))
