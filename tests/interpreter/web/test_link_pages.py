"""A link asks before it acts, acts once, and where it is not to be gone by says so and acts not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import httpx
import pytest

from interpreter.cluster.connection import connect
from interpreter.objects import Manifest
from interpreter.web.keys import SECRET, LinkKeys
from interpreter.web.linking import Linker
from interpreter.web.links import Link, sign
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.web.conftest import REVISION, Web
from tests.rollway.cluster import objects, writing

HTML = {"Accept": "text/html"}
HOUR_MS = 3600_000


def link(web: Web, owner: Manifest, **more: Any) -> Link:
    made = Link(
        namespace=web.namespace,
        kind="Rollout",
        name=owner["metadata"]["name"],
        uid=owner["metadata"]["uid"],
        revision=REVISION,
        step=objects.WAITS,
        verb="approve",
        expires_ms=int(time.time() * 1000) + HOUR_MS,
        audience="the channel releases",
        nonce="n1",
        run=2,
    )
    return made._replace(**more)


async def token(web: Web, owner: Manifest, **more: Any) -> str:
    return sign((await web.keys.get()).current, link(web, owner, **more))


def text(answer: httpx.Response) -> str:
    return unescape(answer.text)


async def test_a_link_is_shown_by_a_get_and_acts_by_the_post_of_its_page(web: Web) -> None:
    owner = web.waiting()
    linker = Linker(web.keys, "https://rollway.example.com/")
    assert linker(link(web, owner)) == ""  # before the keys are known
    await web.keys.get()
    url = linker(link(web, owner, expires_ms=0, nonce=""))
    assert url.startswith("https://rollway.example.com/l/1.")
    path = url.removeprefix("https://rollway.example.com")
    somebody = await web.client(**HTML)
    for method in ("GET", "HEAD", "GET"):
        shown = await somebody.request(method, path)
        assert shown.status_code == 200
        assert web.asked(owner) == {}
    assert shown.headers["Referrer-Policy"] == "same-origin"
    assert shown.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert shown.headers["Cache-Control"] == "no-store"
    for words in (f"{web.namespace}/checkout", REVISION, "a link sent to the channel releases", '<form method="post">'):
        assert words in text(shown)

    done = await somebody.post(path, data={"reason": "CHG-1"})
    assert done.status_code == 200, done.text
    said = json.loads(web.asked(owner)["rollway.dev/approve"])
    assert (said["by"], said["via"], said["reason"]) == ("a link sent to the channel releases", "link", "CHG-1")
    assert (said["revision"], said["step"]) == (REVISION, objects.WAITS)

    before = web.asked(owner)
    again = await somebody.post(path, data={"reason": "once more"})
    assert "asked already" in text(again)
    assert web.asked(owner) == before


Spoil = Callable[[Web, Manifest], Any]


def taken(web: Web, owner: Manifest) -> None:
    """The approval has been taken: the rollout is past its step."""
    writing.status(web.plane.api, owner, phase="Promoting", step={"index": objects.WAITS + 1, "text": "promote"})


def next_revision(web: Web, owner: Manifest) -> None:
    writing.status(web.plane.api, owner, revision="1111111111")


def made_anew(web: Web, owner: Manifest) -> None:
    web.plane.api.delete(writing.path(owner))
    fresh = objects.rollout("checkout", web.namespace, "WaitingPromotion", step=objects.WAITS)
    writing.write(web.plane.api, fresh)


def deleted(web: Web, owner: Manifest) -> None:
    web.plane.api.delete(writing.path(owner))


def retried(web: Web, owner: Manifest) -> None:
    """Rolled back and tried again: the same revision waits at the same step, in another run."""
    words = {"phase": "WaitingPromotion", "reason": "waiting for approval"}
    writing.write(web.plane.api, objects.run(owner, 3, step=objects.WAITS, **words))
    writing.status(web.plane.api, owner, run="checkout-3")


@pytest.mark.parametrize(
    ("spoil", "more", "status", "words"),
    [
        (None, {"expires_ms": 1}, 410, "run out"),
        (None, {"revision": "0000000000"}, 409, f"is at revision `{REVISION}`"),
        (None, {"step": 2}, 409, "Step 3 is over"),
        (None, {"uid": "another"}, 404, "There is no Rollout"),
        (None, {"kind": "Secret"}, 404, "There is no kind"),
        (taken, {}, 409, "nothing to approve"),
        (next_revision, {}, 409, "is at revision `1111111111`"),
        (made_anew, {}, 404, "There is no Rollout"),
        (deleted, {}, 404, "There is no Rollout"),
        (retried, {}, 409, "for run 2"),
        (retried, {"verb": "abort", "step": None}, 409, "for run 2"),
    ],
)
async def test_a_link_to_what_is_over_says_so_and_does_nothing(
    web: Web, spoil: Spoil | None, more: dict[str, Any], status: int, words: str
) -> None:
    owner = web.waiting()
    path = f"/l/{await token(web, owner, **more)}"
    if spoil is not None:
        spoil(web, owner)
    somebody = await web.client(**HTML)
    for answer in (await somebody.get(path), await somebody.post(path)):
        assert answer.status_code == status, text(answer)
        assert words in text(answer)
        assert "<form" not in answer.text
    if spoil is not deleted:
        assert web.asked(owner) == {}


async def test_a_forged_link_says_no_more_than_that_and_they_are_counted(web: Web) -> None:
    owner = web.waiting()
    forged = sign(b"x" * 32, link(web, owner))
    somebody = await web.client(**HTML)
    answers = [await somebody.post(f"/l/{forged}") for _ in range(22)]
    assert [one.status_code for one in answers[:20]] == [404] * 20
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert REVISION not in answers[0].text
    assert web.asked(owner) == {}


async def test_a_wait_that_names_somebody_takes_a_link_that_was_sent_to_them(web: Web) -> None:
    somebody = await web.client(**HTML)
    owner = web.waiting(who="release managers")
    other = f"/l/{await token(web, owner)}"
    for refused in (await somebody.get(other), await somebody.post(other)):
        assert refused.status_code == 403
        assert "waits for approval from release managers" in text(refused)
    assert web.asked(owner) == {}
    theirs = f"/l/{await token(web, owner, audience='the channel release_managers')}"
    assert (await somebody.post(theirs)).status_code == 200
    assert web.asked(owner)


async def test_who_has_a_session_decides_under_their_own_name_and_with_the_word_of_the_form(web: Web) -> None:
    owner = web.waiting(who="release managers")
    path = f"/l/{await token(web, owner)}"
    anna = await web.client(**HTML, Cookie=f"rollway_token={web.token('anna', 'approve')}")
    shown = await anna.get(path)
    assert web.named("anna") in text(shown)
    assert (await anna.post(path)).status_code == 403
    assert web.asked(owner) == {}
    word = shown.text.partition('name="csrf" value="')[2].partition('"')[0]
    assert (await anna.post(path, data={"csrf": word})).status_code == 200
    said = json.loads(web.asked(owner)["rollway.dev/approve"])
    assert (said["by"], said["via"]) == (web.named("anna"), "link")


async def test_hostile_text_is_text(web: Web) -> None:
    owner = web.waiting()
    writing.status(web.plane.api, owner, reason="<script>alert(1)</script>")
    answer = await (await web.client()).get(f"/l/{await token(web, owner, audience='<img src=x onerror=y>')}")
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert "<img" not in answer.text


async def test_read_only_has_no_links(web: Web) -> None:
    owner = web.waiting()
    await web.start(read_only=True)
    somebody = await web.client(**HTML)
    assert (await somebody.post(f"/l/{await token(web, owner)}")).status_code == 403
    assert web.asked(owner) == {}


async def test_while_the_cluster_does_not_answer_a_link_says_so_and_nothing_of_the_cluster(
    web: Web, control_plane: ControlPlane
) -> None:
    owner = web.waiting()
    path = f"/l/{await token(web, owner)}"
    async with await connect(str(control_plane.as_service_account(web.namespace, "weak", []))) as api:
        web.api = api
        await web.start()
        somebody = await web.client(**HTML)
        for answer in (await somebody.get(path), await somebody.post(path)):
            assert answer.status_code == 503
            assert "does not answer as it should" in text(answer)
            assert "weak" not in answer.text
    assert web.asked(owner) == {}


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


async def test_the_keys_are_made_kept_replaced_and_seen_by_every_replica(web: Web) -> None:
    clock = Clock()
    first, second = (LinkKeys(web.api, web.namespace, clock=clock, ticks=clock) for _ in range(2))
    made = await first.get()
    assert await second.get() == made
    secret = web.plane.api.get(f"/api/v1/namespaces/{web.namespace}/secrets/{SECRET}")
    assert secret["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "rollway"
    clock.now += 13 * 24 * 3600
    assert (await first.get()).current == made.current
    clock.now += 2 * 24 * 3600
    renewed = await first.get()
    assert renewed.current != made.current
    assert renewed.previous == made.current
    assert (await second.get(again=True)).current == renewed.current

    web.plane.api.merge(f"/api/v1/namespaces/{web.namespace}/secrets/{SECRET}", {"data": {"current": "YWJj"}})
    clock.now += 60
    assert len((await first.get()).current) == 32
