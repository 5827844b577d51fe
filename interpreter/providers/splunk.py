"""Splunk Observability: a SignalFlow program, run over the past and read to its end.

The program is posted to `/v2/signalflow/execute`; the answer is a stream of server-sent events: `metadata` and `data`
for each time series, `message` for what is notable, `error`, and `control-message` at the end. The last value that is
not null counts, out of ten windows, as with Flagger: data come late. Flagger speaks WebSocket; for one program one
request is enough, so an address that was written for it (`https://api.…`, `wss://stream.…`) becomes the stream's.

A stream that ends without saying so is cut off, and is no number; neither is one whose search was limited.
Sources: Splunk's developer guide (SignalFlow API), and the messages in its own client `signalfx`, which is from 2022.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from interpreter.providers import answer_json
from interpreter.providers.access import key_header, server_of
from interpreter.providers.http import Http
from interpreter.providers.numbers import number
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

SPAN = 10
"""Windows that the program is run over, as Flagger does."""
_ENDS = (b"END_OF_CHANNEL", b"CHANNEL_ABORT")


class Splunk:
    """Asks the realm of the query."""

    name = "splunk"

    def __init__(self, server: str | None = None, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        start, stop = query.at_ms - SPAN * query.window_ms, query.at_ms
        answer = await self._http.ask(
            "POST",
            f"{stream_address(server_of(query, self._server, 'Splunk'))}/v2/signalflow/execute",
            query,
            headers={
                "Content-Type": "text/plain",
                "Accept": "text/event-stream",
                **key_header(query, "Splunk", "X-SF-Token", "sf_token_key", "token"),
            },
            params={"start": str(start), "stop": str(stop), "immediate": "true"},
            content=query.text.encode(),
            until=tuple(end + b'"' for end in _ENDS),
        )
        with answer.understood():
            return parse(answer.body)

    async def close(self) -> None:
        await self._http.close()


def stream_address(server: str) -> str:
    """That of the stream, over HTTP, out of any address of a realm."""
    parts = urlsplit(server)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    host = parts.netloc
    if host.startswith("api."):
        host = "stream." + host.removeprefix("api.")
    return urlunsplit((scheme, host, parts.path, "", ""))


def parse(body: bytes) -> Measurement:
    """The last value of each time series. Raises `ProviderError` for an error in the stream, and for half a stream."""
    last: dict[str, float] = {}
    for kind, message in _messages(body):
        match kind:
            case "data":
                for point in message["data"]:
                    value = number(point["value"], "a value of the stream")
                    if value is not None:
                        last[str(point["tsId"])] = value
            case "error":
                raise ProviderError(Trouble.BAD_QUERY, f"the program failed: {_reasons(message)}")
            case "message" if (message.get("message") or {}).get("messageCode") == "FIND_LIMITED_RESULT_SET":
                raise ProviderError(Trouble.PARTIAL, "the data is not whole: the program matches too many series")
            case "control-message" if message["event"] == "CHANNEL_ABORT":
                raise ProviderError(Trouble.TRANSIENT, f"the program was stopped: {message['abortInfo']}")
            case "control-message" if message["event"] == "END_OF_CHANNEL":
                return Measurement(tuple(Sample({"tsid": tsid}, value) for tsid, value in last.items()))
    if not body.lstrip().startswith((b"event:", b"data:", b":", b"id:", b"retry:")):
        raise ProviderError(Trouble.BAD_QUERY, "the answer is no stream of SignalFlow: check the address")
    raise ProviderError(Trouble.TRANSIENT, "the stream broke off before its end")


def _reasons(message: Any) -> str:
    errors = message.get("errors") or [message]
    return "; ".join(str(error.get("message") or error.get("code") or error) for error in errors)


def _messages(body: bytes) -> Iterator[tuple[str, Any]]:
    """Events with their JSON. The data of one may be on several lines; a blank line ends it. The last may be cut off
    after its name, because no more is read than that."""
    kind, data = "", []
    for line in [*body.decode("utf-8", errors="replace").splitlines(), ""]:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data.append(value)
        elif not line and data:
            yield kind, _json("\n".join(data))
            kind, data = "", []


def _json(text: str) -> Any:
    try:
        return answer_json.read(text)
    except ValueError:
        for end in _ENDS:
            if end.decode() in text:
                return {"event": end.decode(), "abortInfo": " ".join(text.split())}
        raise
