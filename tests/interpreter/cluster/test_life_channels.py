"""Protects what people are told of a rollout in a cluster: one message in Slack that follows a run, links by which it
is decided, the reason with the pods' own words, and that nothing is lost while a chat is down or the controller starts
anew, nor any rollout held up by it. The services speak their documented form over HTTP (`tests/interpreter/channels`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from interpreter.channels import delivery
from interpreter.objects import Manifest
from interpreter.web.links import Link
from tests.interpreter.channels import services
from tests.interpreter.channels.services import BOT, HOOK, KEY, Town, says
from tests.interpreter.cluster.life import Life, life

POLICY = """
    channel oncall { slack "on-call"; secret "slack" }
    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  istio
      deadline 2m
      notify   oncall
      steps    { shift to 10%; STEP; shift to 50%; promote }
    }
"""


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with services.town() as made:
        yield made


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a chat did not take is tried again soon."""
    monkeypatch.setattr(delivery, "LONGEST_DELAY_S", 0.2)


def secret(name: str, **data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


@asynccontextmanager
async def rollout(
    kubeconfig: str, namespace: str, text: str, *secrets: Manifest, **settings: Any
) -> AsyncIterator[Life]:
    """A rollout that has its first primary."""
    async with life(kubeconfig, namespace, speed=20, **settings) as at_work:
        await at_work.deployment()
        await at_work.apply(*secrets)
        await at_work.rollout(text)
        await at_work.phase("Initialized")
        yield at_work


def made(link: Link) -> str:
    """A link in the clear."""
    return f"https://rollway.test/{link.namespace}/{link.name}/{link.revision}/{link.run}/{link.step}/{link.verb}"


async def test_one_message_follows_a_run_and_has_links_while_a_person_is_waited_for(
    kubeconfig: str, namespace: str, town: Town
) -> None:
    bot = secret("slack", address=f"{town.url}/api/chat.postMessage", token=BOT)
    text = POLICY.replace("STEP", "wait for approval")
    async with rollout(kubeconfig, namespace, text, bot, make_link=made) as at_work:
        await at_work.push("web:2")
        revision = await at_work.taken_up()
        await at_work.so(lambda: _shows(town, "waiting for approval", "Approve"), "it asks")
        state = await at_work.state()
        assert state.run is not None
        (stamp,) = (stamp for stamp, said in town.shown.items() if revision in str(said))
        assert state.run.handles == {"oncall": f"C0123:{stamp}"}
        asked = str(town.shown[stamp])
        base = f"https://rollway.test/{namespace}/web/{revision}/1"
        assert f"<{base}/{state.run.cursor.pc}/approve|Approve>" in asked
        assert f"<{base}/None/abort|Roll back>" in asked
        await at_work.annotate(approve=revision)
        await at_work.phase("Succeeded")
        await at_work.so(lambda: _shows(town, "is promoted"), "it says so")
    mine = [said for said in town.shown.values() if revision in str(said)]
    assert len(mine) == 1, "a run has one message"
    assert "/approve" not in str(mine), "what is decided is not asked any more"
    thread = [said["attachments"][0]["blocks"][0]["text"]["text"] for said in town.threads[stamp]]
    assert [text.partition(":")[0] for text in thread] == [
        "waiting for approval",
        "approved",
        f"{revision} becomes the primary's revision",
        f"{revision} is promoted",
    ]
    updates = [str(body) for body in town.taken("/api/chat.update")]
    assert any("canary weight 50%" in body for body in updates), "it goes along with the traffic"


async def _shows(town: Town, *words: str) -> bool:
    return any(all(word in str(said) for word in words) for said in town.shown.values())


async def test_a_chat_that_is_down_holds_nothing_up_and_nothing_is_lost_over_a_restart(
    kubeconfig: str, namespace: str, town: Town
) -> None:
    hook = secret("slack", address=f"{town.url}{HOOK}")
    async with rollout(kubeconfig, namespace, POLICY.replace("STEP", "hold 1s"), hook) as at_work:
        await at_work.so(lambda: _told(town, "the primary runs"), "the chat works")
        town.trouble = [says(503, "down")] * 10_000
        await at_work.push("web:2")
        await at_work.taken_up()
        await at_work.phase("Succeeded")
        assert len(town.taken()) == 1
        await at_work.stop()
        await at_work.start()
        await at_work.stop()
        town.trouble.clear()
        await at_work.start()
        await at_work.so(lambda: _told(town, "is promoted"), "it is told in the end")
        state = await at_work.state()
        texts = [_text(body) for body in town.taken()]
        await at_work.so(lambda: _settled(at_work), "it is noted that it was told")
    assert len(texts) == len(set(texts)), "nothing is told twice"
    words = [text.partition(": ")[2].partition(" ")[0] or text for text in texts]
    assert state.run is not None
    assert [text for text in texts if "the rollout begins" in text], words
    assert texts[-1].endswith("is promoted")


def _text(body: Any) -> str:
    return str(body["attachments"][0]["blocks"][0]["text"]["text"])


async def _told(town: Town, words: str) -> bool:
    return any(words in str(body) for body in town.taken())


async def _settled(at_work: Life) -> bool:
    return not (await at_work.state()).outbox


async def test_a_failure_is_told_with_the_pods_own_words_wherever_people_are(
    kubeconfig: str, namespace: str, town: Town
) -> None:
    text = f"""
        channel chat {{ discord "ops"; secret "discord"; at error }}
        channel alerts {{ alertmanager "{town.url}"; at error; labels {{ team: "shop" }} }}
        channel duty {{ pagerduty "web"; secret "pagerduty"; at error }}
        channel bus {{ cloudevents "{town.url}/events" }}
        rollout web in NAMESPACE {{
          target   deployment/web
          service  {{ port 80; target_port http }}
          traffic  istio
          deadline 2m
          notify   chat
          notify   alerts
          notify   duty
          notify   bus
          steps    {{ shift to 50%; promote }}
        }}
    """
    secrets = (
        secret("discord", address=f"{town.url}/api/webhooks/123/hidden"),
        secret("pagerduty", address=f"{town.url}/v2/enqueue", token=KEY),
    )
    async with rollout(kubeconfig, namespace, text, *secrets) as at_work:
        await at_work.push("web:2", fail="ImagePullBackOff")
        await at_work.phase("Failed")
        why = "cannot pull image"
        for path in ("/api/webhooks", "/api/v2/alerts", "/v2/enqueue", "/events"):
            await at_work.so(lambda path=path: _came(town, path, why), f"{path} is told")  # type: ignore[misc]
        (raised,) = (one for one in town.taken("/v2/enqueue") if one["event_action"] == "trigger")
        await at_work.push("web:3")
        await at_work.phase("Succeeded")
        await at_work.so(lambda: _came(town, "/v2/enqueue", "resolve", raised["dedup_key"]), "it is settled")
        await at_work.so(lambda: _came(town, "/events", "dev.rollway.rollout.promoted"), "it is told")
    assert not any("is promoted" in str(body) for body in town.taken("/api/webhooks")), "that is no error"
    last = town.taken("/api/v2/alerts")[-1][0]
    assert (last["labels"]["alertname"], last["labels"]["team"]) == ("RollwayRolloutFailed", "shop")
    assert "startsAt" not in last, "it is settled by the success, though the channel is told of errors only"


async def _came(town: Town, path: str, *words: str) -> bool:
    return any(all(word in str(body) for word in words) for body in town.taken(path))


async def test_a_secret_that_is_missing_is_told_and_what_it_holds_is_not(
    kubeconfig: str, namespace: str, town: Town
) -> None:
    async with rollout(kubeconfig, namespace, POLICY.replace("STEP", "hold 1s")) as at_work:
        said = await at_work.happened("MessageNotSent")
        assert f"there is no Secret `{namespace}/slack`" in said
        await at_work.apply(secret("slack", address=f"{town.url}/services/T/B/hidden-and-wrong-in-the-path"))
        town.trouble = [says(404, "no_team at /services/T/B/hidden-and-wrong-in-the-path")]
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        said = await at_work.happened("MessageNotSent", "it answered 404: no_team")
        assert "hidden-and-wrong" not in str(await at_work.events())
        await at_work.so(lambda: _told(town, "is promoted"), "later ones are sent")
