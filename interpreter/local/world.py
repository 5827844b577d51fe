"""What the target is to run, and what people have asked for: the part of the world that is not a process.

All of it is in the journal before it counts, so that a restart sees the same world. The revision given as the canary
becomes the target's only when the primary is up: a rollout from nothing to something is not a rollout.
"""

from __future__ import annotations

from typing import Any

from interpreter.local.command import Command
from interpreter.local.inbox import Inbox, Rejected, Submission
from interpreter.local.journal import Journal, JournalError
from interpreter.phases import AT_REST
from interpreter.state import Phase, Signal, State

MOST_SIGNALS = 50


class World:
    """The target's revision, the commands behind revisions, and the standing signals."""

    def __init__(self, journal: Journal, inbox: Inbox) -> None:
        self._journal = journal
        self._inbox = inbox
        self.commands: dict[str, Command] = {}
        self.target: str | None = None
        self.next: str | None = None
        self.signals: tuple[Signal, ...] = ()
        self._news = False

    async def begin(self, primary: Command, canary: Command | None) -> None:
        """Take up what the command line says; a restart with the same words changes nothing."""
        self._recall()
        given = [primary.revision, canary.revision if canary else None]
        before = self._journal.last("given")
        if before is not None and before[0] != given[0]:
            raise JournalError(
                "this folder belongs to a run that began with another --primary: "
                "give the same one, a new revision as --canary, or another --dir"
            )
        self._learn(primary, *([canary] if canary else []))
        if before is None:
            self.target = primary.revision
        if canary is not None and before != given:
            self.next = canary.revision
        await self._save(given)

    def observe(self, state: State) -> str | None:
        """The revision that the target has now. The next one takes its place once the primary is up."""
        if self.next is not None and state.phase is not Phase.INITIALIZING:
            self.target, self.next = self.next, None
            self._journal.note("world", self._data())
        return self.target

    async def take_requests(self, state: State) -> list[str]:
        """Take up what has been dropped into the inbox; what was wrong with some of it, in words."""
        complaints: list[str] = []
        for path, request in self._inbox.waiting():
            match request:
                case Signal():
                    self.signals = (*self.signals, request)[-MOST_SIGNALS:]
                case Submission(text):
                    complaints += self._submit(text)
                case Rejected(name, reason):
                    complaints.append(f"the request {name} was not taken: {reason}")
            await self._journal.keep("world", self._data())
            path.unlink(missing_ok=True)
            self._news = True
        self._forget(state)
        return complaints

    def has_news(self) -> bool:
        """Has anything been taken up since this was last asked?"""
        news, self._news = self._news, False
        return news

    def idle(self, state: State) -> bool:
        """Is nothing under way, and nothing waiting to be?"""
        run = state.run
        resting = state.phase in AT_REST and (run is None or run.stage.value == "over") and not state.outbox
        return resting and self.next is None and self._settled(state)

    def _settled(self, state: State) -> bool:
        run = state.run
        return self.target == state.primary or (run is not None and run.revision == self.target)

    def _submit(self, text: str) -> list[str]:
        command = Command(text)
        try:
            command.check()
        except ValueError as error:
            return [f"the new revision was not taken: {error}"]
        self._learn(command)
        self.next = command.revision
        return []

    def _forget(self, state: State) -> None:
        """Signals that have been acted on, or refused, need not stand any longer."""
        self.signals = tuple(signal for signal in self.signals if signal.id not in state.signals_seen)

    def _learn(self, *commands: Command) -> None:
        self.commands.update({command.revision: command for command in commands})

    async def _save(self, given: list[Any]) -> None:
        self._journal.note("given", given)
        await self._journal.keep("world", self._data())

    def _data(self) -> dict[str, Any]:
        signals = [[s.verb, s.revision, s.who, s.reason, s.step, s.id] for s in self.signals]
        commands = {revision: command.text for revision, command in self.commands.items()}
        return {"target": self.target, "next": self.next, "commands": commands, "signals": signals}

    def _recall(self) -> None:
        data = self._journal.last("world")
        if data is None:
            return
        self.target, self.next = data["target"], data["next"]
        self.commands = {revision: Command(text) for revision, text in data["commands"].items()}
        self.signals = tuple(Signal(*fields) for fields in data["signals"])
