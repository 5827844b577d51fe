"""A revision as the user says it: a command line. Its id is a digest of it, so that the same command is the same
revision after a restart."""

from __future__ import annotations

import hashlib
import shlex
import shutil
from typing import NamedTuple


class CommandError(ValueError):
    """A command line that cannot be used; the message says why and what to do."""


class Command(NamedTuple):
    """`{port}` in an argument becomes the port that the process is to listen on."""

    text: str

    @property
    def revision(self) -> str:
        return hashlib.sha256(" ".join(self.words()).encode()).hexdigest()[:10]

    def words(self) -> list[str]:
        try:
            words = shlex.split(self.text)
        except ValueError as error:
            raise CommandError(f"the command `{self.text}` cannot be read: its quotes do not match") from error
        if not words:
            raise CommandError("the command is empty: give the command that starts your service")
        return words

    def arguments(self, port: int) -> list[str]:
        return [word.replace("{port}", str(port)) for word in self.words()]

    def check(self) -> None:
        """Raises `CommandError` if the program is not to be found."""
        program = self.words()[0]
        if shutil.which(program) is None:
            raise CommandError(f"the program `{program}` is not to be found: check its name, or give its full path")
