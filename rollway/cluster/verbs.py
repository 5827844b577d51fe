"""Approve, abort, promote, retry, pause, resume: from a line to what came of it."""

from __future__ import annotations

import asyncio
import sys
from typing import NamedTuple

from interpreter.cluster.api import Api
from interpreter.cluster.names import verb_annotation
from interpreter.web.deciding import Refused, Why, decide
from rollway.cluster.asking import Request, decision, news, question, refuse
from rollway.cluster.finding import Found, find, with_runs
from rollway.cluster.following import Following, Wanted
from rollway.cluster.options import seconds
from rollway.cluster.session import Where, run
from rollway.cluster.table import phase
from rollway.cluster.whoami import who
from rollway.exit_codes import ExitCode
from rollway.terminal import Stop, put, say

_IGNORED = "SignalIgnored"


class Line(NamedTuple):
    """What the line said beside the request. `wait` is a length of time, None for not at all."""

    where: Where
    name: str
    request: Request
    wait: str | None
    confirm: bool = False


def ask(line: Line) -> int:
    """Ask for it, and say what came of it. The exit code of the command."""
    limit_s = None if line.wait is None else seconds(line.wait, "--wait")
    return run(line.where, lambda api, namespace: _ask(api, namespace, line, limit_s))


async def _ask(api: Api, namespace: str, line: Line, limit_s: float | None) -> int:
    found = await find(api, namespace, line.name)
    refuse(found.shown, line.request, found.program)
    if line.confirm and not await asyncio.to_thread(_agreed, question(found.shown, line.request.verb)):
        raise Stop("nothing was asked; `--yes` does it without a question")
    one, verb = found.shown, line.request.verb
    # From here on it speaks of the revision that was shown, whatever comes between reading and writing.
    asked = decision(line.request._replace(revision=one.revision), await who(api))
    try:
        done = await decide(api, found.ref, asked, uid=one.uid, early=True)
    except Refused as refused:
        code = ExitCode.WAITING if refused.why is Why.BUSY else ExitCode.USAGE
        raise Stop(str(refused), code) from refused
    say(f"asked {one.spoken} in {one.namespace} to {verb} revision {one.revision}")
    if done.later or limit_s is None:
        if done.later:
            say(done.later)
        return ExitCode.FINE
    return await _outcome(api, found, done.value, verb, limit_s)


async def _outcome(api: Api, before: Found, written: str, verb: str, limit_s: float) -> int:
    """Wait until the annotation is gone, and tell what the record then has that it did not have before. The interpreter
    writes the record first."""
    ref, one = before.ref, before.shown
    try:
        async with asyncio.timeout(limit_s), Following(api, [Wanted(ref[:2], ref.namespace)]) as following:
            while True:
                await following.changed()
                owner = next((each for each in following.objects() if each["metadata"]["uid"] == one.uid), None)
                if owner is None:
                    raise Stop(f"{ref} has been deleted meanwhile", ExitCode.FINDINGS)
                if (owner["metadata"].get("annotations") or {}).get(verb_annotation(verb)) != written:
                    return _tell(before, await with_runs(api, owner))
    except TimeoutError:
        say(
            f"it has not been taken within {limit_s:g}s, and stands: is `rollway controller` running in the cluster? "
            f"`rollway status {one.spoken}` shows what comes of it"
        )
        return ExitCode.WAITING


def _tell(before: Found, after: Found) -> int:
    entries = news(before.shown.run, after.shown.run)
    for entry in entries:
        put(f"{entry.what:<16} {entry.text}\n")
    one = after.shown
    why = f": {one.reason}" if one.reason else ""
    say(f"{one.spoken} in {one.namespace} is now in phase {phase(one)} at {one.weight:g}%{why}")
    return ExitCode.FINDINGS if any(entry.what == _IGNORED for entry in entries) else ExitCode.FINE


def _agreed(words: str) -> bool:
    """Whether the person at the terminal says yes. Where there is no terminal the line itself is the yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write(f"{words} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
