"""Approve, abort, promote, retry, pause, resume: from a line to what came of it."""

from __future__ import annotations

import asyncio
import getpass
import sys
from datetime import UTC, datetime
from typing import NamedTuple

from interpreter.cluster.api import Api, ApiError, Conflict
from interpreter.cluster.names import verb_annotation
from rollway.cluster.asking import Request, kept_for_later, news, patch, question, refuse
from rollway.cluster.finding import Found, find, with_runs
from rollway.cluster.following import Following, Wanted
from rollway.cluster.options import seconds
from rollway.cluster.session import Where, run
from rollway.cluster.table import phase
from rollway.exit_codes import ExitCode
from rollway.terminal import Stop, put, say

MOST_TRIES = 10
_IGNORED = "SignalIgnored"
_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


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
    # From here on it speaks of the revision that was shown, whatever comes between reading and writing.
    request = line.request._replace(revision=found.shown.revision)
    found, written = await _written(api, found, request)
    one, verb = found.shown, request.verb
    say(f"asked {one.spoken} in {one.namespace} to {verb} revision {one.revision}")
    later = kept_for_later(one, request, found.program)
    if later or limit_s is None:
        if later:
            say(later)
        return ExitCode.FINE
    return await _outcome(api, found, written, verb, limit_s)


async def _written(api: Api, found: Found, request: Request) -> tuple[Found, str]:
    """Write the annotation, and again as long as only others' changes are in the way; its value."""
    by = await _who(api)
    for _ in range(MOST_TRIES):
        version = found.manifest["metadata"]["resourceVersion"]
        change = patch(found.shown, request, found.program, by=by, version=version, at=datetime.now(UTC))
        try:
            await api.patch(found.ref, change)
        except Conflict:
            fresh = await api.get(found.ref)
            if fresh is None:
                raise Stop(f"{found.ref} has been deleted meanwhile") from None
            found = await with_runs(api, fresh)
            refuse(found.shown, request, found.program)
        else:
            return found, change["metadata"]["annotations"][verb_annotation(request.verb)]
    raise Stop(f"{found.ref} changes faster than it can be written to: try again", ExitCode.WAITING)


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


async def _who(api: Api) -> str:
    """Who asks: as the cluster knows them, or else as this machine does."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = await api.raw("POST", _REVIEW, body=review)
        return str(answer["status"]["userInfo"]["username"])
    except (ApiError, KeyError, TypeError):
        pass
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _agreed(words: str) -> bool:
    """Whether the person at the terminal says yes. Where there is no terminal the line itself is the yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write(f"{words} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
