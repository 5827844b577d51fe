"""What happens when a token does not fit: say one good thing, and go on.

The mender asks its specialists in turn: the one for broken literals, the one for brackets, the one for habits from
other languages, the one for misspelt words. Each either does nothing, or reports and leaves the driver able to
read on, often with the token that was meant in place of the one that stands there. If none of them knows, the
statement is dropped up to its end, and the message says what could have come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity
from dsl.parser.driver import MOST_ERRORS, Driver
from dsl.parser.outlook import after_token, expected, fits
from dsl.parser.tokens import END, NEWLINE, Token
from dsl.source import Span

_MOST_MENDS = 20 * MOST_ERRORS
"""Whatever a mend makes of the text, and however silently: here it ends."""

Specialist = Callable[["Mender"], bool]
"""Does nothing and returns False, or reports and mends and returns True."""


class Mender:
    """Gathers the diagnostics of one text, and the places of what had to be dropped."""

    def __init__(self, driver: Driver, specialists: Iterable[Specialist]) -> None:
        self.driver = driver
        self.specialists = tuple(specialists)
        self.diagnostics: list[Diagnostic] = []
        self.mends = 0
        self.dropped: list[Span] = []
        self.owed = 0
        """How many `}` were thought to be missing: as many later ones that close nothing are no news."""
        self.closings: list[tuple[int, str, str]] = []
        self.settled: list[Diagnostic] = []
        """What was said about brackets that were never closed, with which the text is read anew."""
        self._expected: tuple[object, set[str]] = (None, set())
        self.patience = 200_000
        """How many more tokens may be looked at again in search of a forgotten bracket."""
        self.blind = False
        """The end of the text was swallowed by a string; what is missing there is no news either."""

    def mend(self, _: Driver) -> bool:
        """Report the token that does not fit, and make the driver able to go on; False once there is enough."""
        self.mends += 1
        if len(self.diagnostics) >= MOST_ERRORS or self.mends > _MOST_MENDS:
            return False
        return any(specialist(self) for specialist in self.specialists)

    def too_deep(self, driver: Driver) -> None:
        """Too many brackets in brackets."""
        _, _, start, end = driver.tokens[driver.at]
        self.report(
            "RW015",
            "brackets are nested too deeply here",
            driver.span(start, end),
            note="64 levels are the most",
            help="name parts of it with `let`, or move steps into a `strategy`",
        )

    def restart(self, closer: str, text: str, place: int) -> None:
        """Read the whole text anew, with a bracket closed on the line before the token that begins at `place`."""
        driver = self.driver
        self.settled.append(self.diagnostics[-1])
        self.closings.append((place, closer, text))
        tokens = driver.automaton.lexer.lex(driver.source).tokens
        self.patience -= len(tokens)
        for where, kind, mark in self.closings:
            newline = next(number for number, token in enumerate(tokens) if token[2] == where) - 1
            end = tokens[newline - 1][3]
            tokens.insert(newline, (kind, mark, end, end))
        driver.restart(tokens)
        self.diagnostics = list(self.settled)
        self.dropped = []
        self.owed = sum(kind == "RBRACE" for _, kind, _ in self.closings)

    # --- saying ---------------------------------------------------------------------------------------------------

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        note: str = "",
        help: str = "",
        labels: Iterable[Label] = (),
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Add an error, once a place."""
        if any(one.span.start == span.start and one.code == code for one in self.diagnostics[-3:]):
            return
        self.diagnostics.append(
            Diagnostic(code, Severity.ERROR, message, span, note, tuple(labels), help, (), tuple(fixes))
        )

    # --- looking --------------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The token that does not fit."""
        return self.driver.tokens[self.driver.at]

    @property
    def span(self) -> Span:
        """Its place."""
        return self.driver.span(self.token[2], self.token[3])

    def near(self, offset: int) -> Token:
        """A token beside it; before the first is a newline, and behind the last the end."""
        at = self.driver.at + offset
        tokens = self.driver.tokens
        return tokens[min(at, len(tokens) - 1)] if at >= 0 else (NEWLINE, "", 0, 0)

    def expected(self) -> set[str]:
        """The terminals that would be taken here. Looked up once a place, for it is asked by many."""
        driver = self.driver
        place = (driver.at, len(driver.tokens), len(driver.states), driver.states[-1])
        if self._expected[0] != place:
            self._expected = (place, expected(driver))
        return set(self._expected[1])

    def starts_line(self) -> bool:
        """Whether nothing but space stands before the token on its line."""
        line = self.driver.source.text.rfind("\n", 0, self.token[2]) + 1
        return not self.driver.source.text[line : self.token[2]].strip(" \t\r\f\ufeff")

    def indented_below(self) -> bool:
        """Whether the line behind the token, a newline, stands further in than the one before it."""
        return _column(self.driver, self.near(1)) > _column(self.driver, self.driver.tokens[self.driver.nest[-1].first])

    # --- going on -------------------------------------------------------------------------------------------------

    def replace(self, *tokens: Token) -> bool:
        """Read these tokens in place of the one that does not fit."""
        self.driver.tokens[self.driver.at : self.driver.at + 1] = tokens
        return True

    def replacement(self, kind: str, text: str) -> bool:
        """Read one token in its place that stands where it stands."""
        return self.replace((kind, text, self.token[2], self.token[3]))

    def insert(self, *tokens: Token) -> bool:
        """Read these tokens before it."""
        return self.replace(*tokens, self.token)

    def ghost(self, kind: str, text: str = "") -> Token:
        """A token that does not stand in the text, at the end of what was read."""
        end = self.driver.ended
        return (kind, text, end, end)

    def skip(self, count: int = 1) -> bool:
        """Read over it."""
        self.driver.at = min(self.driver.at + count, len(self.driver.tokens) - 1)
        return True

    def poison(self, span: Span, skip: int = 1) -> bool:
        """Put a value that is none in a place where a value was to stand."""
        if not self.would_fit("NUMBER", more=0):
            return False
        self.driver.tokens[self.driver.at : self.driver.at + skip] = [("NUMBER", "", span.start, span.end)]
        return True

    def would_fit(self, *kinds: str, after: int = 0, more: int = 1) -> bool:
        """Whether these kinds could stand here, with `more` tokens from `after` on behind them."""
        tokens = self.driver.tokens[self.driver.at + after : self.driver.at + after + more]
        if not self.driver.nest[-1].is_block:
            tokens = [token for token in tokens if token[0] != NEWLINE]
        return fits(self.driver, kinds, tokens)


def fix(title: str, span: Span, text: str, *, safe: bool = False) -> Fix:
    """A mend of one place."""
    return Fix(title, (Edit(span, text),), safe)


# --- dropping a statement ---------------------------------------------------------------------------------------


def drop_statement(mender: Mender) -> bool:
    """Forget the damaged statement and go on behind it."""
    driver = mender.driver
    block = driver.unwind()
    start, end = driver.tokens[block.first][2], driver.at
    driver.at = end = _statement_end(driver, block.first)
    stop = driver.tokens[end - 1][3] if end > block.first else driver.tokens[end][3]
    mender.dropped.append(driver.span(start, max(start, stop)))
    if driver.tokens[end][0] == NEWLINE:
        driver.at += 1
    block.first = driver.at
    return True


def _statement_end(driver: Driver, first: int) -> int:
    """The number of the newline, the `}` or the end that ends the statement beginning with token `first`.

    Braces that it opens are skipped with all that is in them. A line that starts further left than the statement with
    something that can start a statement ends it too, for then a bracket was never closed.
    """
    braces = rounds = 0
    tokens, at = driver.tokens, first
    column = _column(driver, tokens[first])
    in_file = len(driver.nest) == 1
    while True:
        kind = tokens[at][0]
        if kind == END:
            return at
        if kind == "LBRACE":
            braces += 1
        elif kind == "RBRACE":
            if not braces and not in_file:
                return at
            braces = max(0, braces - 1)
            rounds = rounds if braces else 0
        elif kind in ("LPAR", "LSQB"):
            rounds += 1
        elif kind in ("RPAR", "RSQB"):
            rounds = max(0, rounds - 1)
        elif kind == NEWLINE and at >= driver.at:
            if not braces and not rounds:
                return at
            if _fresh_start(driver, tokens[at + 1], column):
                return at
        at += 1


def _fresh_start(driver: Driver, token: Token, column: int) -> bool:
    fits_here = token[0] in driver.automaton.words and after_token(driver.automaton, driver.states, token) is not None
    return fits_here and _column(driver, token) <= column


def _column(driver: Driver, token: Token) -> int:
    return token[2] - (driver.source.text.rfind("\n", 0, token[2]) + 1)
