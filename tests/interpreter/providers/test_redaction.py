"""What is secret of a question is shown by no error and no answer, whatever a server makes of it: as it was sent, in
pieces, percent-encoded once or twice, in Base64 at every place, or in JSON's own escapes of a text."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable
from urllib.parse import quote

import pytest

from dsl import ir
from interpreter.masking import PIECE
from interpreter.providers import provider
from interpreter.providers.metrics import Metrics, Resolved
from interpreter.providers.provider import Measurement, Provider, ProviderError, RenderedQuery, Trouble, shown
from interpreter.providers.registry import Providers
from interpreter.providers.sharing import Sharing
from interpreter.questions import ErrorAnswer, MetricQuestion
from tests.interpreter.machine.rig import program
from tests.interpreter.providers.server import Server, gives, says, vector

CANARY = "kAnarY/7Zq+wB3xT9=mLp2"
AT_MS = 1_795_413_067_184
SECRET_KEYS = ("token", "password", "username", "tenant", "api_key", "anything", "tls.key")

Way = Callable[[str], str]
WAYS: dict[str, Way] = {
    "as it is": lambda text: text,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded, each byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 after one": lambda text: base64.b64encode(b"u" + text.encode() + b"more").decode(),
    "Base64 after two": lambda text: base64.b64encode(b"u:" + text.encode()).decode(),
    "Base64 for URLs": lambda text: base64.urlsafe_b64encode(b"??>" + text.encode()).decode(),
    "in two pieces": lambda text: f"{text[: len(text) // 2]} and {text[len(text) // 2 :]}",
    "turned round a line": lambda text: f"{text[:PIECE]}\n{text[PIECE:]}",
}
SAYS: dict[str, Callable[[str], bytes]] = {
    "refused": lambda text: gives({"error": text}, status=400),
    "refused as text": lambda text: says(400, text),
    "in fields": lambda text: gives({"errorType": text, "error": {"message": {"a": text}}}, status=500),
    "let out": lambda text: says(403, f"<html>{text}</html>"),
    "warned": lambda text: vector(("{}", "1"), warnings=json.dumps([text])),
    "told": lambda text: gives({"status": "success", "data": {"resultType": text, "result": []}}),
    "pointed elsewhere": lambda text: says(302, "", f"Location: http://{quote(text, safe='')}/"),
    "failed with 200": lambda text: gives({"status": "error", "error": text}),
}


def places(url: str) -> dict[str, RenderedQuery]:
    """The canary wherever something secret may stand in a question."""
    plain = RenderedQuery("up", AT_MS, 60_000, url)
    host = url.removeprefix("http://")
    coded = quote(CANARY, safe="")
    return {
        **{f"Secret {key}": plain._replace(secret={key: CANARY + "\n"}) for key in SECRET_KEYS if "." not in key},
        "header": plain._replace(headers={"X-Whatever": CANARY}),
        "user": plain._replace(server=f"http://{coded}@{host}"),
        "password": plain._replace(server=f"http://ann:{coded}@{host}"),
        "parameter": plain._replace(server=f"{url}/?anything={coded}&x="),
    }


def leaks(text: str) -> list[str]:
    """Pieces of the canary, in any of its forms, that stand in the text."""
    forms = [
        CANARY,
        quote(CANARY, safe=""),
        *(base64.b64encode(b"x" * n + CANARY.encode()).decode()[4:-4] for n in range(3)),
    ]
    pieces = {form[at : at + PIECE] for form in forms for at in range(len(form) - PIECE + 1)}
    return [piece for piece in pieces if piece in text]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("said", SAYS.values(), ids=SAYS.keys())
async def test_what_a_server_sends_back_is_not_shown(
    server: Server,
    said: Callable[[str], bytes],
    way: Way,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(provider, "LONGEST_WAIT_S", 0.001)
    caplog.set_level(logging.DEBUG, "interpreter")
    providers = Providers()
    server.answers = [said(f"you sent {way(CANARY)}, did you not")]
    for where, query in places(server.url).items():
        with pytest.raises(ProviderError) as caught:
            async with asyncio.timeout(20):
                await Sharing().measure(providers["prometheus"], query)
        assert leaks(f"{caught.value} {caught.value!r} {caplog.text}") == [], where
    await providers.close()


class Told:
    """A provider that shows all it is given, in an error or beside its number; its server is no HTTP of ours."""

    name = "told"

    def __init__(self, *, fails: bool) -> None:
        self._fails = fails

    async def measure(self, query: RenderedQuery) -> Measurement:
        if self._fails:
            raise ProviderError(Trouble.BAD_QUERY, f"it is {dict(query.secret)}")
        return Measurement((), (f"it is {dict(query.secret)}",))

    async def close(self) -> None: ...


async def test_no_provider_is_trusted_to_be_silent() -> None:
    query = RenderedQuery("up", AT_MS, 60_000, secret={"anything": CANARY})
    silent = await Sharing().measure(Told(fails=False), query)
    assert leaks(" ".join(silent.warnings)) == []
    metric = ir.Metric(ir.Unit.COUNT, (ir.Query("told", "up"),))
    told: dict[str, Provider] = {"told": Told(fails=True)}

    async def resolve(metric: ir.Metric) -> Resolved:
        return Resolved(metric, {"anything": CANARY})

    metrics = Metrics(program(metrics={"m": metric}), told, resolve=resolve)
    answer = await metrics.answer(MetricQuestion("m", "canary", 60_000, AT_MS))
    assert isinstance(answer, ErrorAnswer)
    assert answer.reason.startswith("m: told: it is ")
    assert leaks(answer.reason) == []


def test_certificates_and_what_an_error_is_about_are_shown() -> None:
    """The words of PEM are words of errors too."""
    pem = "-----BEGIN CERTIFICATE-----\nMIIBkTCB+wIJAKHHIgZjc\n-----END CERTIFICATE-----\n"
    secret = {"ca.crt": pem, "tls.key": pem.replace("CERTIFICATE", "PRIVATE KEY"), "token_url": "https://login.test/t"}
    query = RenderedQuery("up", AT_MS, 60_000, secret=secret)
    said = "SSL: CERTIFICATE_VERIFY_FAILED at https://login.test/t, BEGIN PRIVATE KEY"
    assert str(shown("x", ProviderError(Trouble.AUTH, said), query)) == f"x: {said}"
