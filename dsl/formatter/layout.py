"""Tokens and comments as the formatter sees them: statements in blocks, items in brackets, and what stands between.

A block is a list of entries: statements, comments on lines of their own, and regions between `# fmt: off` and
`# fmt: on`, which are copied as they are. The brackets of values hold items. Nothing is lost on the way: every token
but the separators, and every comment, is in the layout exactly once and in its order.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl.parser import Reading
from dsl.parser.tokens import END, NEWLINE, Token
from dsl.source import Source
from dsl.syntax import Comment

_OPENERS = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_OF_CALLS = {"JUDGEMENT", "GROUP"}
"""Blocks in which a call stands alone on a line."""

_OFF, _ON = "# fmt: off", "# fmt: on"


class Word(NamedTuple):
    """A token that is no bracket."""

    kind: str
    text: str


class Remark(NamedTuple):
    """A comment in the middle of a statement; `own` says that it has a line of its own."""

    text: str
    own: bool


class Item(NamedTuple):
    """What stands between two commas, with the comments above it and the one behind it."""

    parts: list[Part]
    above: list[str]
    behind: str


class Group(NamedTuple):
    """A pair of brackets around items.

    `opened` is the comment behind the opening bracket, `last` those before the closing one. `broken` says that the
    author put the first item on a new line; `call` that the brackets hold arguments or parameters.
    """

    opener: str
    closer: str
    items: list[Item]
    opened: str
    last: list[str]
    broken: bool
    call: bool


class Statement(NamedTuple):
    """A statement with the comment behind it; `gap` says that an empty line stands before it."""

    parts: list[Part]
    behind: str
    gap: bool


class Line(NamedTuple):
    """A comment on a line of its own."""

    text: str
    gap: bool


class Verbatim(NamedTuple):
    """Lines to be copied."""

    text: str
    gap: bool


Entry = Statement | Line | Verbatim


class Block(NamedTuple):
    """A block: `opened` is the comment behind its `{`; `flat` says that the author put it on one line."""

    entries: list[Entry]
    opened: str
    flat: bool


Part = Word | Remark | Group | Block


def layout(reading: Reading) -> Block:
    """The whole file as a block without braces."""
    return _Reader(reading).block(0, "")


class _Reader:
    """Walks over tokens and comments in the order of the text."""

    def __init__(self, reading: Reading) -> None:
        file = reading.result.file
        self.source: Source = file.source
        self.maps = reading.maps
        self.stream: list[Token | Comment] = sorted([*reading.tokens, *file.comments], key=_start)
        self.at = 0
        self.end = 0  # where the last thing ended that was read

    # --- the stream ---------------------------------------------------------------------------------------------

    def token(self) -> Token | None:
        """The next thing if it is a token."""
        thing = self.stream[self.at]
        return thing if type(thing) is tuple else None

    def comment(self) -> Comment | None:
        """The next thing if it is a comment."""
        thing = self.stream[self.at]
        return thing if isinstance(thing, Comment) else None

    def take(self) -> None:
        """Go past the next thing."""
        thing = self.stream[self.at]
        self.end = thing.span.end if isinstance(thing, Comment) else thing[3]
        self.at += 1

    def remark(self) -> str:
        """The comment that stands next on the same line, if one does."""
        comment = self.comment()
        if comment is None or comment.own_line:
            return ""
        self.take()
        return comment.text

    def gap(self) -> bool:
        """Whether an empty line stands before the next thing."""
        return self.source.text.count("\n", self.end, _start(self.stream[self.at])) > 1

    # --- blocks and statements ----------------------------------------------------------------------------------

    def block(self, start: int, closer: str, *, calls: bool = False) -> Block:
        """Entries up to the closing brace, or to the end of the file. `calls` says that calls stand alone in it."""
        opened = self.remark() if closer else ""
        entries: list[Entry] = []
        while True:
            while (token := self.token()) is not None and token[0] == NEWLINE:
                self.at += 1
            if token is not None and token[0] == (closer or END):
                break
            entries.append(self.entry(first=not entries, calls=calls))
        stop = token[2]
        return Block(entries, opened, bool(closer) and "\n" not in self.source.text[start:stop])

    def entry(self, *, first: bool, calls: bool) -> Entry:
        gap = self.gap() and not first
        comment = self.comment()
        if comment is None:
            parts = self.parts({NEWLINE, "RBRACE", END}, calls=calls)
            return Statement(parts, self.behind_statement(), gap)
        if comment.text.strip() == _OFF and comment.own_line:
            return Verbatim(self.verbatim(comment), gap)
        self.take()
        return Line(comment.text, gap)

    def behind_statement(self) -> str:
        """The comment behind a statement; a `;` may stand between them."""
        token = self.token()
        following = self.stream[self.at + 1] if token is not None and token[0] == NEWLINE else None
        if token is not None and isinstance(following, Comment) and "\n" not in token[1] and not following.own_line:
            self.at += 1
        return self.remark()

    def verbatim(self, comment: Comment) -> str:
        """From the line of `# fmt: off` to the line of `# fmt: on`, or to the end of the block."""
        start = self.source.text.rfind("\n", 0, comment.span.start) + 1
        depth = 0
        while True:
            token, mark = self.token(), self.comment()
            if token is not None and (token[0] == END or (token[0] == "RBRACE" and not depth)):
                break
            if token is not None:
                depth += (token[0] == "LBRACE") - (token[0] == "RBRACE")
            if token is not None and token[0] == NEWLINE:
                self.at += 1
                continue
            self.take()
            if mark is not None and mark.own_line and mark.text.strip() == _ON and not depth:
                break
        return self.source.text[start : self.end].lstrip("\ufeff").replace("\r\n", "\n")

    # --- what is in a statement ---------------------------------------------------------------------------------

    def parts(self, stop: set[str], *, calls: bool = False) -> list[Part]:
        """The parts of a statement or of an item, up to a token of one of these kinds, which is left alone."""
        parts: list[Part] = []
        while True:
            token, comment = self.token(), self.comment()
            if comment is not None:
                if NEWLINE in stop or not parts:
                    return parts
                self.take()
                parts.append(Remark(comment.text, comment.own_line))
            elif token is not None and token[0] in stop:
                return parts
            elif token is not None and token[0] in _OPENERS:
                in_field = NEWLINE in stop and len(parts) == 1 and not calls  # a field's name, and no call
                parts.append(self.bracket(token, parts, in_field))
            elif token is not None:
                self.take()
                if token[0] != NEWLINE:
                    parts.append(Word(token[0], token[1]))

    def bracket(self, token: Token, before: list[Part], in_field: bool) -> Part:
        """What stands in brackets, which are taken too."""
        self.take()
        closer = _OPENERS[token[0]]
        if token[0] == "LBRACE" and token[2] not in self.maps:
            calls = any(isinstance(part, Word) and part.kind in _OF_CALLS for part in before[:2])
            block = self.block(token[2], closer, calls=calls)
            self.take()
            return block
        named = bool(before) and isinstance(before[-1], Word) and before[-1].kind == "NAME"
        return self.group(token, closer, token[0] == "LPAR" and named and not in_field)

    def group(self, token: Token, closer: str, call: bool) -> Group:
        opened = self.remark()
        items: list[Item] = []
        above: list[str] = []
        broken: bool | None = None
        while True:
            self.skip_newlines()
            if broken is None:
                broken = "\n" in self.source.text[token[3] : _start(self.stream[self.at])]
            comment, here = self.comment(), self.token()
            if comment is not None:
                self.take()
                above.append(comment.text)
            elif here is not None and here[0] == closer:
                break
            else:
                item, above = self.item(closer, above)
                items.append(item)
        self.take()
        text = self.source.text[self.end - 1 : self.end]
        return Group(token[1], text, items, opened, above, broken or bool(opened), call or token[0] != "LPAR")

    def item(self, closer: str, above: list[str]) -> tuple[Item, list[str]]:
        """An item, and the comments below it that belong to what comes next."""
        parts = self.parts({closer, "COMMA"})
        behind: list[Remark] = []
        while parts and isinstance(remark := parts[-1], Remark):
            behind.insert(0, remark)
            parts.pop()
        token = self.token()
        if token is not None and token[0] == "COMMA":
            self.take()
            after = self.remark()
            behind += [Remark(after, bool(behind))] if after else []
        beside = behind.pop(0).text if behind and not behind[0].own else ""
        return Item(parts, above, beside), [remark.text for remark in behind]

    def skip_newlines(self) -> None:
        while (token := self.token()) is not None and token[0] == NEWLINE:
            self.at += 1


def _start(thing: Token | Comment) -> int:
    return thing.span.start if isinstance(thing, Comment) else thing[2]
