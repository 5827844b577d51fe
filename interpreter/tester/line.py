"""Command lines that can be understood without a shell, and checked word by word. Pure.

Policies written for Flagger's loadtester have lines such as `curl -sd test http://x/token | grep token`, which there
a shell runs, whatever they say. Here a line is taken apart: words (quoted as a shell has them), joined by `|`, `&&`,
`||`, `;` or a new line, with nothing redirected but to /dev/null. What goes beyond that (`$`, back-ticks, brackets,
files, background) is `NeedsShell`. The line that is run is put together again from the words, each in quotes, so that
no shell makes anything of them but what was checked.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>(?:[ \t]|\\\n)+)
      | (?P<redirect>(?:[12]?>[ \t]*/dev/null|2>&1|1?>&2)(?=[ \t\n;|&]|\Z))
      | (?P<joint>&&|\|\||\||;|\n)
      | (?P<single>'[^']*')
      | (?P<double>"(?:[^"\\$`]|\\(?:.|\n))*")
      | \\(?P<escaped>[^\n])
      | (?P<plain>[^\s'"\\$`<>|&;(){}\[\]*\#!~]+|(?<=\S)[\#!~])
    """,
    re.VERBOSE,
)
_IN_DOUBLE = re.compile(r'\\([$`"\\])|\\\n')
_REASONS = {
    "$": "`$` stands for what a shell would put there",
    "`": "a back-tick runs a command in the command",
    "<": "it reads from a file",
    ">": "it writes to a file",
    "&": "it leaves something in the background",
    **dict.fromkeys("(){}[]", "it has brackets that are not quoted"),
    "*": "`*` stands for names of files",
    "'": "a quotation is not closed",
    '"': "a quotation is not closed, or has a `$` or a back-tick in it",
}


class NeedsShell(ValueError):
    """The line means something that only a shell knows; the text says what."""


class Command(NamedTuple):
    """One command of a line. `redirects` are as they were written."""

    words: tuple[str, ...]
    redirects: tuple[str, ...] = ()


class Line(NamedTuple):
    """Commands, and what stands between them: one joint fewer than commands."""

    commands: tuple[Command, ...]
    joints: tuple[str, ...]

    @property
    def programs(self) -> tuple[str, ...]:
        """What is run, each once."""
        return tuple(dict.fromkeys(command.words[0] for command in self.commands))

    @property
    def argv(self) -> tuple[str, ...]:
        """What is started: the one command itself, or a shell with the line as it was understood."""
        first = self.commands[0]
        if len(self.commands) == 1 and not first.redirects:
            return first.words
        return ("sh", "-c", self.text)

    @property
    def text(self) -> str:
        """The line, every word of it quoted."""
        shown = [_quoted(command) for command in self.commands]
        return shown[0] + "".join(f" {joint} {each}" for joint, each in zip(self.joints, shown[1:], strict=True))


def parse(text: str) -> Line:
    """Take a line apart. Raises `NeedsShell`."""
    reading = _Reading()
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NeedsShell(_REASONS.get(text[at], f"`{text[at]}` means something to a shell"))
        reading.take(found)
        at = found.end()
    return reading.line()


class _Reading:
    """What has been understood so far."""

    def __init__(self) -> None:
        self._word: str | None = None
        self._words: list[str] = []
        self._redirects: list[str] = []
        self._commands: list[Command] = []
        self._joints: list[str] = []

    def take(self, found: re.Match[str]) -> None:
        text = found[0]
        match found.lastgroup:
            case "single":
                self._add(text[1:-1])
            case "double":
                self._add(_IN_DOUBLE.sub(lambda escape: escape[1] or "", text[1:-1]))
            case "escaped":
                self._add(found["escaped"])
            case "redirect":
                if self._word is not None and text[0] != ">":
                    raise NeedsShell("a digit before `>` is part of a word")
                self._end_word()
                self._redirects.append(text)
            case "joint":
                self._join(text)
            case "space":
                self._end_word()
            case _:
                self._add(text)

    def line(self) -> Line:
        self._end_word()
        if not self._words and self._joints and self._joints[-1] == ";" and not self._redirects:
            self._joints.pop()
        else:
            self._end_command()
        return Line(tuple(self._commands), tuple(self._joints))

    def _add(self, text: str) -> None:
        self._word = (self._word or "") + text

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append(self._word)
            self._word = None

    def _join(self, joint: str) -> None:
        self._end_word()
        if joint == "\n" and not self._words and not self._redirects:
            return  # an empty line, or one that goes on after a joint
        self._end_command()
        self._joints.append(";" if joint == "\n" else joint)

    def _end_command(self) -> None:
        if not self._words:
            raise NeedsShell("a command is missing" if self._commands or self._redirects else "there is no command")
        self._commands.append(Command(tuple(self._words), tuple(self._redirects)))
        self._words, self._redirects = [], []


def _quoted(command: Command) -> str:
    return " ".join((*(_word(word) for word in command.words), *command.redirects))


def _word(word: str) -> str:
    """In quotes whatever it is: a bare `if` or `A=1` would be more than a word."""
    quoted = shlex.quote(word)
    return quoted if quoted.startswith("'") else f"'{quoted}'"
