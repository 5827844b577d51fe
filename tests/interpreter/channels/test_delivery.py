"""Protects the delivery: what a service says it wants is done, what it refuses is told without its secrets, nothing is
sent twice or lost on the way, and no message holds up another rollout's."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiohttp import web

from interpreter.actions import ActionResult
from interpreter.addresses import Addresses
from interpreter.channels import delivery as module
from interpreter.channels.delivery import Delivery
from interpreter.channels.line import Line, LineTrouble
from interpreter.channels.posting import MOST_READ, Poster
from interpreter.http_client import Clients
from interpreter.local.processes import free_port
from tests.interpreter.channels.services import BOT, Town, hangs_up, says, silent
from tests.interpreter.channels.tools import letter, line, message
from tests.interpreter.cluster.tools import until


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("slack", says(429, "slow down", Retry_After="1")),
        ("bot", says(200, '{"ok":false,"error":"ratelimited"}', Retry_After="1")),
        ("discord", says(429, '{"message":"You are being rate limited.","retry_after":1.0,"global":false}')),
        ("pagerduty", says(429, "", Retry_After="1")),
    ],
)
async def test_a_service_that_wants_to_be_left_alone_is(
    town: Town, delivery: Delivery, kind: str, answer: object
) -> None:
    """All that goes to it waits: another rollout's message too."""
    town.trouble = [answer]  # type: ignore[list-item]
    where = line(kind, town)
    began = time.monotonic()
    first = asyncio.create_task(delivery.send(letter(message(), where)))
    await until(lambda: town.calls)
    other = await delivery.send(letter(message(name="other", key="other"), where))
    assert time.monotonic() - began >= 0.95
    assert (await first).ok
    assert other.ok


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("slack", says(500, "oops")),
        ("slack", says(503)),
        ("slack", says(200, "<html>sign in to the network</html>")),
        ("bot", says(200, '{"ok":false,"error":"internal_error"}')),
        ("msteams", says(200, "Webhook message delivery failed: Microsoft Teams endpoint returned HTTP error 429")),
        ("alertmanager", hangs_up()),
        ("webhook", silent(asyncio.Event())),
    ],
)
async def test_what_passes_is_tried_again(town: Town, delivery: Delivery, kind: str, answer: object) -> None:
    town.trouble = [answer, answer]  # type: ignore[list-item]
    assert (await delivery.send(letter(message(), line(kind, town, timeout="200ms")))).ok
    assert [call.taken for call in town.calls] == [False, False, True]


@pytest.mark.parametrize(
    ("kind", "answer", "words"),
    [
        ("slack", says(404, "no_service"), "it answered 404: no_service"),
        ("bot", says(200, '{"ok":false,"error":"not_in_channel"}'), "invite the app to the channel"),
        ("bot", says(200, "pong"), "it does not answer as Slack does: pong"),
        ("rocket", says(200, '{"success":false,"error":"no such room"}'), "no such room"),
        ("webhook", says(302, "", Location="http://elsewhere.test/"), "it answered 302"),
    ],
)
async def test_what_is_refused_is_not_tried_again(
    town: Town, delivery: Delivery, kind: str, answer: object, words: str
) -> None:
    town.trouble = [answer]  # type: ignore[list-item]
    result = await delivery.send(letter(message(), line(kind, town)))
    assert not result.ok
    assert words in result.detail
    assert "rolled back abc" in result.detail, "what nobody was told is told here"
    assert len(town.calls) == 1


async def test_no_secret_is_shown_whatever_a_service_says_back(town: Town, poster: Poster) -> None:
    """Of an address from a Secret nothing but the server is, nor a token."""
    delivery = Delivery(poster, first_delay=0.01, patience=0)
    results: list[ActionResult] = []
    own = {
        "slack": "/services/T000/B000/hidden-in-the-path",
        "bot": BOT,
        "gchat": "hidden-key hidden-in-the-query",
        "discord": "api/webhooks/123/hidden-in-the-path/",
    }
    for kind, secret in own.items():
        said = f"nothing there: {secret}."
        for answer in (says(403, said), silent(asyncio.Event()), hangs_up(), says(500, said)):
            town.trouble = [answer]
            sent = message(key=f"{kind}{len(results)}", name=f"web-{len(results)}")
            results.append(await delivery.send(letter(sent, line(kind, town, timeout="200ms"))))
    results.append(await delivery.send(letter(message(key="x"), Line("slack", "htp:/hidden-in-the-path", hidden=True))))
    await delivery.close()
    for result in results:
        assert not result.ok
        for secret in ("hidden-in-the", "hidden-key", BOT):
            assert secret not in result.detail
    assert any("nothing there: " in result.detail for result in results)


async def test_a_service_that_is_not_there_is_given_up_in_the_end(poster: Poster) -> None:
    where = Line("slack", f"http://127.0.0.1:{free_port()}/services/hidden-in-the-path", hidden=True)
    delivery = Delivery(poster, first_delay=0.01, patience=0.2)
    result = await delivery.send(letter(message(), where))
    assert not result.ok
    assert "given up after " in result.detail
    assert " tries: http://127.0.0.1:" in result.detail
    few = Line("webhook", f"http://127.0.0.1:{free_port()}/", settings={"retries": 2})
    assert "given up after 3 tries" in (await Delivery(poster, first_delay=0.01).send(letter(message(), few))).detail


async def test_an_answer_without_an_end_is_read_no_further_than_it_matters(town: Town, delivery: Delivery) -> None:
    sent = 0

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65_536)
            sent += 65_536

    town.trouble = [endless]
    assert (await delivery.send(letter(message(), line("webhook", town)))).ok
    assert sent < 64 * MOST_READ


async def test_a_driver_that_begins_anew_sends_nothing_twice(town: Town, delivery: Delivery) -> None:
    town.trouble = [says(500)] * 5
    sent = letter(message(), line("slack", town))
    first = asyncio.create_task(delivery.send(sent))
    await until(lambda: town.calls)
    first.cancel()
    assert (await delivery.send(sent)).ok
    assert (await delivery.send(sent)).ok, "one that has arrived is known"
    assert len(town.taken()) == 1
    assert delivery.waiting == 0


async def test_messages_of_a_channel_come_in_order(town: Town, delivery: Delivery) -> None:
    town.trouble = [says(500)] * 3
    where = line("slack", town)
    texts = [f"number {number}" for number in range(5)]
    await asyncio.gather(*(delivery.send(letter(message(text=text), where)) for text in texts))
    assert [said["attachments"][0]["blocks"][0]["text"]["text"] for said in town.taken()] == texts


async def test_a_service_that_is_silent_holds_up_no_other(town: Town, delivery: Delivery) -> None:
    release = asyncio.Event()
    town.trouble = [silent(release)]
    slow = asyncio.create_task(delivery.send(letter(message(), line("slack", town))))
    await until(lambda: town.calls)
    assert (await delivery.send(letter(message(key="2"), line("rocket", town), channel="other"))).ok
    assert not slow.done()
    release.set()
    assert (await slow).ok


async def test_a_full_queue_keeps_what_matters(town: Town, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    release = asyncio.Event()
    town.trouble = [silent(release)]
    where = line("slack", town)

    def queued(text: str, severity: str) -> asyncio.Task[ActionResult]:
        return asyncio.create_task(delivery.send(letter(message(text=text, severity=severity), where)))

    first = queued("first", "info")
    await until(lambda: town.calls)
    error, info, last = queued("error", "error"), queued("info", "info"), queued("last", "info")
    lost = await info
    assert not lost.ok
    assert "more than 3 messages wait for this channel" in lost.detail
    release.set()
    assert all(result.ok for result in await asyncio.gather(first, error, last))


async def test_people_hear_of_a_message_that_is_late(town: Town, poster: Poster) -> None:
    delivery = Delivery(poster, first_delay=0.05, said_late=0.1)
    told: list[str] = []
    town.trouble = [says(500, "down")] * 3
    waiting = asyncio.create_task(delivery.send(letter(message(), line("slack", town), late=told.append)))
    behind = message(name="behind", key="behind")
    also = asyncio.create_task(delivery.send(letter(behind, line("slack", town), late=told.append)))
    await asyncio.gather(waiting, also)
    assert len(told) == 2
    assert "it answered 500: down" in told
    await delivery.close()


async def test_a_secret_that_is_corrected_is_used_with_the_next_try(town: Town, delivery: Delivery) -> None:
    found: list[Line | LineTrouble] = [LineTrouble("the API server is down", passing=True), line("slack", town)]

    async def find() -> Line:
        one = found.pop(0)
        if isinstance(one, LineTrouble):
            raise one
        return one

    assert (await delivery.send(letter(message(), line("slack", town), line=find))).ok
    found = [LineTrouble("there is no Secret `shop/chat`")]
    result = await delivery.send(letter(message(key="2"), line("slack", town), line=find))
    assert not result.ok
    assert "there is no Secret `shop/chat`" in result.detail


async def test_nothing_is_left_when_it_is_closed(town: Town, poster: Poster) -> None:
    before = asyncio.all_tasks()
    delivery = Delivery(poster)
    release = asyncio.Event()
    town.trouble = [silent(release)]
    waiting = asyncio.create_task(delivery.send(letter(message(), line("slack", town))))
    await until(lambda: town.calls)
    await delivery.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    await until(lambda: asyncio.all_tasks() <= before)


# --- one message for each run -------------------------------------------------------------------------------------


async def test_a_bot_shows_one_message_for_a_run_and_says_the_details_in_its_thread(
    town: Town, delivery: Delivery
) -> None:
    where = line("bot", town)
    begun = await delivery.send(letter(message("NewRevision", "abc: the rollout begins", severity="info"), where))
    assert begun.handle == "C0123:1700000000.000001"
    routed = message("TrafficRouted", "canary weight 20%", severity="info", update=True)
    assert (await delivery.send(letter(routed, where))).handle == begun.handle
    assert (await delivery.send(letter(message("Promoted", "abc is promoted", severity="info"), where))).ok
    assert list(town.shown) == ["1700000000.000001"]
    assert "abc is promoted" in str(town.shown["1700000000.000001"])
    (thread,) = town.threads.values()
    assert len(thread) == 1, "an update is no news"
    other = await delivery.send(letter(message("NewRevision", "def: the rollout begins", run="4"), where))
    assert other.handle != begun.handle
    assert len(town.shown) == 2


async def test_a_token_for_a_gateway_before_a_webhook_makes_no_bot(town: Town, delivery: Delivery) -> None:
    gateway = Line("slack", f"{town.url}/services/api/of/ours", "on-call", token=BOT, hidden=True)
    assert (await delivery.send(letter(message(), gateway))).ok
    assert town.calls[0].path == "/services/api/of/ours"
    assert town.calls[0].headers["authorization"] == f"Bearer {BOT}"
    base = Line("slack", f"{town.url}/api/", "on-call", token=BOT, hidden=True)
    assert (await delivery.send(letter(message(key="2"), base))).handle


async def test_a_handle_from_before_a_restart_is_used(town: Town, delivery: Delivery, poster: Poster) -> None:
    where = line("bot", town)
    begun = await delivery.send(letter(message("NewRevision"), where))
    after = Delivery(poster)
    assert (await after.send(letter(message("Promoted", "at last"), where, handle=begun.handle))).handle == begun.handle
    assert len(town.shown) == 1
    await after.close()


async def test_a_message_that_was_deleted_is_shown_anew(town: Town, delivery: Delivery) -> None:
    where = line("bot", town)
    gone = await delivery.send(letter(message("NewRevision"), where))
    town.shown.clear()
    again = await delivery.send(letter(message("Promoted", "at last"), where))
    assert again.ok
    assert again.handle != gone.handle
    assert "at last" in str(town.shown)
    town.shown.clear()
    routed = message("TrafficRouted", "canary weight 20%", update=True)
    assert (await delivery.send(letter(routed, where))).ok, "what has nothing to change says nothing"
    assert not town.shown


def passing(town: Town, then: object) -> object:
    """Serve one request as ever, and the next one so."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        town.trouble = [then]  # type: ignore[list-item]
        return town._serve(request, town.calls[-1].body, {"authorization": f"Bearer {BOT}"})

    return answer


async def test_what_was_done_of_a_message_is_not_done_again(town: Town, delivery: Delivery) -> None:
    """The change has arrived; only the answer in the thread is tried again, also when there is more news by then."""
    where = line("bot", town)
    await delivery.send(letter(message("NewRevision"), where))
    before = len(town.calls)
    release = asyncio.Event()
    town.trouble = [passing(town, silent(release))]  # type: ignore[list-item]
    first = asyncio.create_task(delivery.send(letter(message("Approved", "by ann"), where)))
    await until(lambda: len(town.calls) == before + 2)
    second = asyncio.create_task(delivery.send(letter(message("Promoted", "at last"), where)))
    await asyncio.sleep(0)
    release.set()
    assert (await first).ok
    assert (await second).ok
    words = [call.path.rpartition(".")[2] for call in town.calls[before:]]
    assert words == ["update", "postMessage", "postMessage", "update", "postMessage"]
    (thread,) = town.threads.values()
    assert ["by ann" in str(said) for said in thread] == [True, False]
    assert "at last" in str(thread[1])


async def test_a_service_that_loses_what_it_never_had_is_refused(town: Town, delivery: Delivery) -> None:
    town.trouble = [says(200, '{"ok":false,"error":"message_not_found"}')] * 3
    assert not (await delivery.send(letter(message(), line("bot", town)))).ok
    assert len(town.calls) == 1


async def test_of_changes_that_wait_the_last_is_made(town: Town, delivery: Delivery) -> None:
    where = line("bot", town)
    await delivery.send(letter(message("NewRevision"), where))
    before = len(town.calls)
    town.trouble = [says(500)]
    weights = [message("TrafficRouted", f"canary weight {n}0%", severity="info", update=True) for n in range(1, 6)]
    results = await asyncio.gather(*(delivery.send(letter(one, where)) for one in weights))
    assert all(result.ok for result in results)
    assert "50%" in str(town.shown)
    assert len(town.calls) - before <= 3


async def test_a_proxy_is_gone_through_and_a_broken_certificate_told(town: Town, delivery: Delivery) -> None:
    """A proxy that stands in an AlertProvider, as in Flagger's."""
    where = Line("slack", "http://chat.test/services/T/B/x", "on-call", settings={"proxy": town.url}, hidden=True)
    assert (await delivery.send(letter(message(), where))).ok
    assert town.calls[0].headers["host"] == "chat.test"
    broken = Line("slack", f"{town.url}/services/T/B/x", tls={"ca.crt": "no certificate"}, hidden=True)
    result = await delivery.send(letter(message(key="2"), broken))
    assert "`ca.crt` of the Secret is no certificate in PEM" in result.detail


async def test_an_address_that_the_operator_refuses_is_not_called(town: Town) -> None:
    clients = Clients(Addresses())
    delivery = Delivery(Poster(clients))
    result = await delivery.send(letter(message(), line("webhook", town)))
    assert not result.ok
    assert "is not called" in result.detail
    assert not town.calls
    await delivery.close()
    await clients.close()
