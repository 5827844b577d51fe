"""Protects where a channel leads: what a policy, a Secret and an AlertProvider say of it, and what is said when they do
not say enough."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.ir import Channel
from interpreter.channels.line import LineTrouble
from interpreter.cluster import names
from interpreter.cluster.credentials import CredentialTrouble
from interpreter.cluster.errors import ApiError
from interpreter.cluster.lines import Lines
from interpreter.objects import Manifest, Ref

SECRETS = {
    ("shop", "hook"): {"address": " http://chat.test/services/T/B/x\n"},
    ("shop", "bot"): {"token": "xoxb-1\n"},
    ("shop", "flagger"): {"address": "https://slack.com/api/chat.postMessage", "token": "xoxb-1"},
    ("shop", "duty"): {"address": "https://events.eu.pagerduty.com/v2/enqueue", "token": "key"},
    ("shop", "empty"): {},
    ("shop", "people"): {"username": "ann", "password": "pa55word", "ca.crt": "PEM"},
    ("ops", "hook"): {"address": "http://chat.test/services/OPS"},
}


class World:
    """Stands for the informers and the Secrets of a cluster."""

    def __init__(self) -> None:
        self.objects: dict[Ref, Manifest] = {}
        self.down = False

    def find(self, ref: Ref) -> Manifest | None:
        return self.objects.get(ref)

    def unseen(self, namespace: str) -> str:
        del namespace
        return ""

    async def data(self, namespace: str, name: str) -> dict[str, str]:
        if self.down:
            raise CredentialTrouble("the Secret cannot be read") from ApiError(503, "ServiceUnavailable", "down")
        if (namespace, name) not in SECRETS:
            raise CredentialTrouble(f"there is no Secret `{namespace}/{name}`")
        return SECRETS[namespace, name]

    def provide(self, api_version: str = names.FLAGGER_API_VERSION, **spec: Any) -> Channel:
        """An AlertProvider, and the channel that names it."""
        ref = Ref(api_version, "AlertProvider", "ops", "chat")
        metadata = {"namespace": "ops", "name": "chat"}
        self.objects[ref] = {"apiVersion": api_version, "kind": "AlertProvider", "metadata": metadata, "spec": spec}
        return Channel("provider", "ops/chat")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def lines(world: World) -> Lines:
    return Lines(world, world)  # type: ignore[arg-type]


async def test_a_secret_brings_the_address_or_the_token(lines: Lines) -> None:
    hook = await lines.line(Channel("slack", "on-call", "hook"), "shop")
    assert (hook.address, hook.to, hook.hidden) == ("http://chat.test/services/T/B/x", "on-call", True)
    bot = await lines.line(Channel("slack", "on-call", "bot"), "shop")
    assert (bot.address, bot.token) == ("", "xoxb-1")
    duty = await lines.line(Channel("pagerduty", "web", "duty"), "shop")
    assert (duty.address, duty.token) == ("https://events.eu.pagerduty.com/v2/enqueue", "key")
    watched = await lines.line(Channel("alertmanager", "http://am.test", "people"), "shop")
    assert (watched.address, watched.user, watched.password) == ("http://am.test", "ann", "pa55word")
    assert (watched.tls, watched.hidden) == ({"ca.crt": "PEM"}, False)
    plain = await lines.line(Channel("webhook", "http://events.test/"), "shop")
    assert (plain.address, plain.secrets) == ("http://events.test/", frozenset())


async def test_flaggers_alert_provider_is_followed_with_its_proxy_and_its_name(world: World, lines: Lines) -> None:
    """Its Secret is one of its own namespace."""
    settings = {"channel": "releases", "username": "robot", "proxy": "http://proxy.test:3128"}
    line = await lines.line(world.provide(type="slack", secretRef={"name": "hook"}, **settings), "shop")
    assert (line.kind, line.to, line.address) == ("slack", "releases", "http://chat.test/services/OPS")
    assert (line.text("username"), line.text("proxy")) == ("robot", "http://proxy.test:3128")
    line = await lines.line(world.provide(type="discord", address="http://chat.test/api/webhooks/1/x"), "shop")
    assert (line.address, line.hidden) == ("http://chat.test/api/webhooks/1/x", True)


async def test_ours_may_be_of_any_kind(world: World, lines: Lines) -> None:
    channel = world.provide(names.API_VERSION, type="cloudevents", address="http://events.test/")
    assert (await lines.line(channel, "shop")).kind == "cloudevents"


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        (Channel("slack", "x"), "it needs `secret`"),
        (Channel("slack", "x", "none"), "there is no Secret `shop/none`"),
        (Channel("slack", "x", "empty"), "no key `address` and no key `token`"),
        (Channel("discord", "x", "bot"), "no key `address`"),
        (Channel("pagerduty", "x", "hook"), "no key `token`, the integration key"),
        (Channel("provider", "ops/none"), "there is no AlertProvider `ops/none`"),
    ],
)
async def test_what_is_missing_is_said(lines: Lines, channel: Channel, words: str) -> None:
    with pytest.raises(LineTrouble, match=words) as trouble:
        await lines.line(channel, "shop")
    assert not trouble.value.passing


async def test_an_api_server_that_is_down_passes(world: World, lines: Lines) -> None:
    world.down = True
    with pytest.raises(LineTrouble) as trouble:
        await lines.line(Channel("slack", "x", "hook"), "shop")
    assert trouble.value.passing
