"""Deciding on the page: what will happen is asked back, with the revision and the step that it speaks of; the answer is
a form; what came of it is told on the rollout's own page. It all ends in `interpreter.web.steering`, as a decision by
the API does, which checks once more what has been checked here.
"""

from __future__ import annotations

import secrets
import time

from aiohttp import web

from interpreter.cluster.names import VERBS
from interpreter.web.fitting import Decision, Refused, Why
from interpreter.web.people import Person
from interpreter.web.problems import told
from interpreter.web.site import SITE, person_of
from interpreter.web.steering import steer
from rollway.cluster import now as possible
from rollway.dashboard import consequences, flash, rendering
from rollway.dashboard.about import About, about, buttons
from rollway.dashboard.entering import sent_on, turned_away
from rollway.dashboard.frame import DASHBOARD, frame, key_of, page
from rollway.dashboard.watch import Key

_LONGEST_NUMBER = 9


def add_decisions(app: web.Application, rollout: str) -> None:
    """Add the routes below a rollout's address."""
    verbs = "|".join(VERBS)
    app.router.add_get(f"{rollout}/{{verb:{verbs}}}", _ask)
    app.router.add_post(f"{rollout}/{{verb:{verbs}}}", _do)


@page
async def _ask(request: web.Request) -> web.StreamResponse:
    person = person_of(request)
    if person is None:
        return turned_away(request)
    key, verb = key_of(request), request.match_info["verb"]
    shown = await _about(request, person, key)
    why = await _misfit(request, person, key, verb, shown)
    return _form(request, shown, verb, "" if why is None else why)


@page
async def _do(request: web.Request) -> web.StreamResponse:
    person = person_of(request)
    if person is None:  # the session has ended while the form was open: it is asked back once more
        return turned_away(request)
    site, key, verb = request.app[SITE], key_of(request), request.match_info["verb"]
    if site.read_only:
        raise Refused(Why.FORBIDDEN, "nothing can be decided here", "this page is read-only; `rollway` and kubectl can")
    await request.app[DASHBOARD].rights.see(person, key)
    fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    decision = _decision(verb, fields)
    try:
        decided = await steer(site.api, site.authority, person, key.ref, decision, uid=fields.get("uid", ""))
    except Refused as refused:
        what = told(refused)
        shown = await _about(request, person, key)
        said = f"{what.title}: {what.detail}" if what.detail else what.title
        return _form(request, shown, verb, said, status=what.status, reason=decision.reason)
    request.app[DASHBOARD].gathering.forget(key)
    one = decided.standing
    response = sent_on(rendering.path_of(*key))
    flash.give(response, verb, one.revision, decided.later)
    return response


def _decision(verb: str, fields: dict[str, str]) -> Decision:
    """What the form says. Raises `Refused` for one that says too little."""
    revision = fields.get("revision", "")
    if not revision:
        raise Refused(Why.MALFORMED, "the form names no revision", "load the page again")
    return Decision(
        verb,
        revision,
        step=_number(fields.get("step", "")),
        reason=fields.get("reason", "").strip(),
        id=fields.get("id", ""),
        via="page",
        run=_number(fields.get("run", "")),
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else None


async def _about(request: web.Request, person: Person, key: Key) -> About:
    shared = request.app[DASHBOARD]
    await shared.rights.see(person, key)
    shared.gathering.forget(key)  # what is asked back must be so now
    gathered = await shared.gathering.of(key, 0)
    if gathered is None:
        raise Refused(Why.MISSING, f"there is no {key.kind} `{key.name}` in namespace `{key.namespace}`")
    return about(gathered, int(time.time() * 1000))


async def _misfit(request: web.Request, person: Person, key: Key, verb: str, shown: About) -> str | None:
    """Why this cannot be decided here and now, if it cannot."""
    if request.app[SITE].read_only:
        return "This page is read-only: nothing can be decided here."
    fitting = list(possible.verbs(shown.one, shown.program))
    if verb not in fitting:
        can = ", ".join(fitting)
        return f"There is nothing to {verb} now: it is {shown.phase}" + (
            f". What can be done is {can}." if can else "."
        )
    if verb not in await request.app[DASHBOARD].rights.verbs(person, key.ref, [verb], shown.awaited):
        return f"{person.name} may not {verb} it."
    return None


def _form(
    request: web.Request, shown: About, verb: str, refused: str, *, status: int = 200, reason: str = ""
) -> web.Response:
    """The page that asks back; where it cannot be decided it says why, and has no form."""
    one = shown.one
    fits = not refused and bool(one.revision)
    fields = {"revision": one.revision, "uid": one.uid, "id": secrets.token_hex(8)}
    if shown.run is not None:
        fields["run"] = str(shown.run.number)
    if verb == "approve" and one.place is not None:
        fields["step"] = str(one.place.pc)
    return frame(
        request,
        "confirm.html",
        status=status,
        question=consequences.question(verb, shown),
        consequences=consequences.consequences(verb, shown) if fits else [],
        form=fields if fits else {},
        refused=refused,
        reason=reason,
        verb=verb,
        words=dict(buttons([verb]))[verb],
        one=one,
        base=rendering.path(one),
    )
