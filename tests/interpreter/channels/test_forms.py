"""Each service takes what it is sent: by its documented schema, over HTTP, whatever stands in the message. Nothing in a
hostile text calls anybody, is a link, or makes a message too long. Which alerts stand follows a rollout's life."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from dsl.ir import Program, Service, Traffic, WorkloadRef
from interpreter import channels
from interpreter.actions import NotifyAction
from interpreter.channels.delivery import Delivery
from interpreter.channels.message import Message, message_of
from interpreter.channels.pagerduty import key_of
from interpreter.channels.registry import SERVICES
from tests.interpreter.channels.services import HOOK, Town
from tests.interpreter.channels.tools import AT, CHECKS, LINKS, letter, line, message

ASKS = ("approve", "abort")
PROGRAM = Program("checkout", "shop", WorkloadRef("deployment", "checkout"), Traffic("kubernetes"), Service("c"), ())
KINDS = (*SERVICES, "bot")
HOSTILE = (
    "<!channel> <!here> <@U123> <https://evil.test|Approve> @everyone @here @all &amp; </b><script>alert(1)</script> "
    '[Approve](https://evil.test) **bold** `code` <users/all> {{DATE(2020)}} \u202etxet\x00\x07 "quoted" \\ \ud800 '
)


async def taken(town: Town, delivery: Delivery, kind: str, said: Message, **settings: Any) -> list[Any]:
    """What the service took of one message. A refusal fails the test with the service's own words."""
    before = len(town.calls)
    result = await delivery.send(letter(said, line(kind, town, **settings)))
    assert result.ok, result.detail
    assert all(call.taken for call in town.calls[before:])
    return [call.body for call in town.calls[before:]]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_message_has_the_text_the_failing_check_and_its_links(
    town: Town, delivery: Delivery, kind: str
) -> None:
    said = message("WaitingForApproval", "waiting for approval", severity="warn", asks=("approve",), links=LINKS)
    found = json.dumps(await taken(town, delivery, kind, said), ensure_ascii=False).replace("\\\\", "")
    for words in ("waiting for approval", "success_rate is 95.2%", "99%", "rollway.test/l/1.a.b", "shop", "abc"):
        assert words.replace("_", "") in found.replace("_", ""), found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "x", HOSTILE, HOSTILE * 400, "&<>[]()_*@" * 4000, "\U0001f525" * 9000])
async def test_any_text_fits_and_is_taken(town: Town, delivery: Delivery, kind: str, text: str) -> None:
    variables = ("text", "target", "revision", "phase", "weight", "step", "failed_checks", "checks", "run")
    context = dict.fromkeys(variables, text[:16_000]) | {"checks": "\n".join([text[:1600]] * 10)}
    action = NotifyAction("k", "oncall", "warn", "{{ text }}", context, event="WaitingForApproval", asks=ASKS)
    said = message_of(PROGRAM, action, AT, {"approve": LINKS[0].url, "abort": LINKS[1].url})
    assert len(said.links) == 2
    await taken(town, delivery, kind, said, username="rob", icon=":robot_face:" if kind != "discord" else "")


def strings(value: Any) -> list[str]:
    """All texts in a piece of JSON."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in strings(each)]


@pytest.mark.parametrize("kind", ["slack", "bot", "gchat", "discord", "rocket", "msteams"])
async def test_a_hostile_text_calls_nobody_and_links_nowhere(town: Town, delivery: Delivery, kind: str) -> None:
    facts = {"Revision": HOSTILE, "Step": HOSTILE}
    bodies = await taken(town, delivery, kind, message(text=HOSTILE, facts=facts, checks=(HOSTILE,)))
    found = strings(bodies)
    assert any("evil.test" in text for text in found), "it is shown, as text"
    for text in found:
        assert "\u202e" not in text
        assert "\x00" not in text
        if kind in ("slack", "bot"):
            assert "<" not in text
        if kind == "gchat":
            assert "<script" not in text
            assert "<users" not in text
            assert "<https" not in text
        if kind in ("discord", "rocket", "msteams"):
            assert "](http" not in text
        if kind == "rocket":
            assert "<http" not in text
            assert "@all" not in text
            assert "@here" not in text
    if kind == "discord":
        assert bodies[0]["allowed_mentions"] == {"parse": []}


async def test_a_link_is_one_that_slack_and_discord_follow(town: Town, delivery: Delivery) -> None:
    said = message(links=LINKS, asks=("approve",))
    slack = strings(await taken(town, delivery, "slack", said))
    assert any("<https://rollway.test/l/1.a.b?x=1&amp;y=2|Approve>" in text for text in slack)
    discord = strings(await taken(town, delivery, "discord", message(links=LINKS, key="another")))
    assert any("[Approve](https://rollway.test/l/1.a.b?x=1&y=2)" in text for text in discord)


async def test_settings_of_a_channel_are_followed(town: Town, delivery: Delivery) -> None:
    (slack,) = await taken(town, delivery, "slack", message(), username="rob", icon="https://icons.test/a.png")
    assert (slack["channel"], slack["username"], slack["icon_url"]) == ("on-call", "rob", "https://icons.test/a.png")
    (own,) = await taken(
        town,
        delivery,
        "webhook",
        message(key="2"),
        headers={"X-Team": "shop"},
        body={"team": "shop", "eventType": "no"},
    )
    assert own["metadata"]["team"] == "shop"
    assert own["metadata"]["eventType"] == "Warning"
    assert (own["name"], own["namespace"], own["phase"], own["checksum"]) == ("checkout", "shop", "Failed", "abc")
    call = town.calls[-1]
    assert (call.headers["x-team"], call.headers["idempotency-key"]) == ("shop", "2")
    (alerts,) = await taken(
        town,
        delivery,
        "alertmanager",
        message(key="3"),
        cluster="blue",
        labels={"team": "shop", "severity": "page"},
        annotations={"runbook": "https://runbooks.test"},
    )
    failed = alerts[0]
    assert failed["labels"] == {
        "alertname": "RollwayRolloutFailed",
        "severity": "page",
        "namespace": "shop",
        "rollout": "checkout",
        "cluster": "blue",
        "team": "shop",
    }
    assert failed["annotations"]["runbook"] == "https://runbooks.test"


async def test_an_address_that_was_written_for_flagger_does(town: Town, delivery: Delivery) -> None:
    where = line("discord", town)
    object.__setattr__(where, "address", where.address + "/slack")
    assert (await delivery.send(letter(message(), where))).ok
    assert town.calls[0].path == "/api/webhooks/123/hidden-in-the-path"
    assert town.taken("/api/webhooks")[0]["embeds"], "the form is Discord's own"


async def test_messages_of_one_run_stand_in_one_thread_of_google_chat(town: Town, delivery: Delivery) -> None:
    first, second, other = [
        (await taken(town, delivery, "gchat", message(key=key, run=run)))[0]["thread"]["threadKey"]
        for key, run in (("1", "3"), ("2", "3"), ("3", "4"))
    ]
    assert first == second != other


async def test_a_cloud_event_is_one(town: Town, delivery: Delivery) -> None:
    (event,) = await taken(town, delivery, "cloudevents", message(), cluster="blue", body={"team": "shop"})
    assert town.calls[-1].headers["content-type"].startswith("application/cloudevents+json")
    assert event["type"] == "dev.rollway.rollout.rolledback"
    assert event["source"] == "/clusters/blue/namespaces/shop/rollouts/checkout"
    assert event["time"] == "2023-11-14T22:13:20.123Z"
    assert event["id"] == message().key
    assert event["data"]["checks"] == list(CHECKS)
    assert (event["data"]["run"], event["data"]["team"]) == (3, "shop")


LIFE = (
    # what is told, what becomes of the alerts: + raised, - settled
    (message("NewRevision", "begins", severity="info"), ""),
    (message("WaitingForApproval", "waits", severity="warn", asks=("approve", "abort")), "+waiting"),
    (message("Approved", "approved by ann", severity="info"), "-waiting"),
    (message("Paused", "paused by ann", severity="warn", asks=("resume", "abort")), "+waiting"),
    (message("Resumed", "resumed by ann", severity="info"), "-waiting"),
    (message("WaitingForGate", "waits", severity="warn", asks=("promote", "abort")), ""),
    (message("RolledBack", "rolled back"), "+failed -waiting"),
    (message("NewRevision", "begins", severity="info", run="4"), ""),
    (message("Message", "the policy's own words", severity="error"), ""),
    (message("Promoting", "becomes the primary's", severity="info", update=True), "-waiting"),
    (message("Promoted", "is promoted", severity="info", update=True), "-failed -waiting"),
    (message("PromotionFailed", "the primary is not ready"), "+failed -waiting"),
    (message("Terminating", "is deleted", severity="info"), "-failed -waiting"),
)


@pytest.mark.parametrize(("said", "changes"), LIFE, ids=lambda value: getattr(value, "event", None))
async def test_alerts_stand_while_a_rollout_has_failed_or_a_person_is_waited_for(
    town: Town, delivery: Delivery, said: Message, changes: str
) -> None:
    alerts = [alert for body in await taken(town, delivery, "alertmanager", said) for alert in body]
    names = {"RollwayRolloutFailed": "failed", "RollwayRolloutWaiting": "waiting"}
    found = {("+" if alert["endsAt"] > "2023-11-15" else "-") + names[alert["labels"]["alertname"]] for alert in alerts}
    assert found == set(changes.split())
    events = await taken(town, Delivery(delivery._poster), "pagerduty", said)
    signs = {"trigger": "+", "resolve": "-"}
    told = {signs[event["event_action"]] + event["dedup_key"].rpartition("/")[2] for event in events}
    assert told == set(changes.split())


async def test_an_alert_is_the_same_whatever_changes(town: Town, delivery: Delivery) -> None:
    changed = message("Promoted", "another", severity="info", revision="def", run="9", phase="Succeeded")
    first, second = [
        (await taken(town, delivery, "alertmanager", said))[0][0]["labels"] for said in (message(), changed)
    ]
    assert first == second


def test_a_key_of_pagerduty_is_short_and_a_rollouts_own() -> None:
    class Nowhere:
        url = ""

    where = line("pagerduty", Nowhere())  # type: ignore[arg-type]
    long, longer = (message(name="x" * 253, namespace="n" * many) for many in (62, 63))
    assert key_of(where, message(), "failed") == "rollway/shop/checkout/failed"
    assert len(key_of(where, long, "failed")) <= 255
    assert key_of(where, long, "failed") != key_of(where, longer, "failed") != key_of(where, longer, "waiting")


def test_a_hook_path_is_a_secret_and_an_open_address_is_not() -> None:
    class There:
        url = "http://chat.test"

    assert HOOK in "".join(sorted(line("slack", There()).secrets))  # type: ignore[arg-type]
    assert not line("cloudevents", There()).secrets  # type: ignore[arg-type]


def test_the_forms_are_pure() -> None:
    """What a service is sent depends on the message and the line alone."""
    shells = {"delivery.py", "posting.py", "local.py"}
    for path in Path(channels.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if path.name not in shells:
            assert not names & {"asyncio", "httpx", "os", "random", "structlog", "time"}, path
            assert not names & {f"interpreter.channels.{shell.removesuffix('.py')}" for shell in shells}, path
