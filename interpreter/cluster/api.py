"""The Kubernetes API, as far as we need it: raw paths and plain manifests, over `kubernetes.aio`'s connection.

Every request has a time-out, and at most `CONCURRENT` are under way at a time; watches do not count. What the server
puts off (429 and 503) is asked again after the time that it names, and what can be repeated without harm is repeated
when the connection breaks: a few times, later each time, never all at the same moment. A write asks the `gate` before
every try, so that a replica that lost its lease writes no more. Bodies are never logged.
"""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
from kubernetes.aio.client import ApiClient

from interpreter.cluster.discovery import Discovery, Resource
from interpreter.cluster.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    NotFound,
    NotLeader,
    NotServed,
    Unreachable,
    error_from_answer,
    error_from_status,
)
from interpreter.cluster.names import MANAGER
from interpreter.objects import Manifest, Ref, ref_of

__all__ = [
    "Api",
    "ApiError",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "Listing",
    "NotFound",
    "NotLeader",
    "NotServed",
    "Unreachable",
]

CONCURRENT = 32
TIMEOUT_S = 30.0
CONNECT_S = 10.0
TRIES = 5
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
WATCH_S = 300.0
GRACE_S = 15.0
PAGE = 500

_JSON = "application/json"
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_STRICT = (("fieldManager", MANAGER), ("fieldValidation", "Strict"))

Query = tuple[tuple[str, str], ...]


class Listing(list[Manifest]):
    """What was listed, and the `resource_version` from which a watch goes on."""

    resource_version: str = ""


class _Request(NamedTuple):
    """One request. `what` says it to people; `repeatable` if a second one after a broken connection does no harm."""

    verb: str
    kind: str
    what: str
    method: str
    path: str
    query: Query = ()
    body: object = None
    content: str = _JSON
    repeatable: bool = True


class Api:
    """A connection to one API server. Made by `connection.connect`; close it, or use it as a context.

    `requests` counts what was sent, by (verb, kind). `namespace` is the one that the credentials name as default.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        namespace: str = "default",
        gate: Callable[[], bool] | None = None,
        renew: Callable[[], None] | None = None,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """`gate` says whether we may write; `renew` makes the next request read its token anew, after a 401."""
        self._client: Any = client  # its annotations are patchy
        self._gate = gate
        self._renew = renew
        self._timeout = timeout
        self._slots = asyncio.Semaphore(CONCURRENT)
        self.namespace = namespace
        self.requests: Counter[tuple[str, str]] = Counter()
        self.discovery = Discovery(self._discover)

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._client.configuration.host)

    def gated(self, gate: Callable[[], bool] | None) -> Api:
        """The same connection, with another gate: the one that elects the leader must write before there is one."""
        twin = Api(self._client, namespace=self.namespace, gate=gate, renew=self._renew, timeout=self._timeout)
        twin._slots, twin.requests, twin.discovery = self._slots, self.requests, self.discovery
        return twin

    async def get(self, ref: Ref) -> Manifest | None:
        """An object; None if it does not exist. Raises `NotServed` if its kind does not, and `ApiError`."""
        resource = await self.discovery.resource(ref.api_version, ref.kind)
        try:
            return await self._send(_Request("get", ref.kind, f"read {ref}", "GET", resource.path(*ref[2:])))
        except NotFound:
            return None

    async def list(
        self,
        kind: tuple[str, str],
        namespace: str | None = None,
        label_selector: str = "",
        limit: int = PAGE,
        *,
        field_selector: str = "",
    ) -> Listing:
        """All objects of a kind, (api_version, kind), in one namespace or all; page after page of `limit`."""
        for paged in (limit, 0):
            listing = Listing()
            try:
                async for page in self.pages(kind, namespace, label_selector, paged, field_selector=field_selector):
                    listing += page
                    listing.resource_version = page.resource_version
            except Gone:
                if not paged:
                    raise
            else:
                break
        return listing

    async def pages(
        self,
        kind: tuple[str, str],
        namespace: str | None = None,
        label_selector: str = "",
        limit: int = PAGE,
        *,
        field_selector: str = "",
    ) -> AsyncGenerator[Listing, None]:
        """As `list`, a page at a time. Raises `Gone` when the pages took longer than the server keeps them."""
        resource = await self.discovery.resource(*kind[:2])
        what = f"list {resource.plural} {_where(resource, namespace)}"
        path, token = resource.path(namespace or ""), ""
        while True:
            selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
            query = _query(**selectors, limit=str(limit or ""), **{"continue": token})
            answer = await self._send(_Request("list", resource.kind, what, "GET", path, query))
            page = Listing(answer.get("items") or ())
            for item in page:  # items of a list do not say what they are
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            page.resource_version = answer["metadata"].get("resourceVersion", "")
            yield page
            token = answer["metadata"].get("continue") or ""
            if not token:
                return

    async def apply(
        self, manifest: Manifest, *, force: bool = True, subresource: str = "", dry_run: bool = False
    ) -> Manifest:
        """Server-side apply: every field in the manifest is ours from then on. Returns the object as it is now, or
        with `dry_run` as it would be."""
        query = (*_STRICT, ("force", "true" if force else "false"), *((("dryRun", "All"),) if dry_run else ()))
        return await self._write("apply", "PATCH", manifest, subresource, query, _APPLY)

    async def create(self, manifest: Manifest) -> Manifest:
        """Make an object. Raises `Conflict` (`AlreadyExists`) if there is one."""
        resource, ref = await self._resource_of(manifest)
        return await self._send(
            _Request(
                "create", ref.kind, f"create {ref}", "POST", resource.path(ref.namespace), _STRICT, manifest,
                repeatable=False,
            )
        )  # fmt: skip

    async def replace(self, manifest: Manifest, subresource: str = "") -> Manifest:
        """PUT the whole object; with a resourceVersion in it raises `Conflict` if somebody wrote since."""
        return await self._write("replace", "PUT", manifest, subresource, _STRICT, _JSON)

    async def patch(self, ref: Ref, merge_patch: Mapping[str, Any], subresource: str = "") -> Manifest:
        """JSON merge patch (RFC 7386); with a resourceVersion in it raises `Conflict` if somebody wrote since."""
        resource = await self.discovery.resource(ref.api_version, ref.kind)
        path = resource.path(ref.namespace, ref.name, subresource)
        return await self._send(
            _Request("patch", ref.kind, f"change {ref}", "PATCH", path, _STRICT, merge_patch, _MERGE)
        )

    async def delete(self, ref: Ref, *, uid: str | None = None, propagation: str = "Background") -> None:
        """Delete an object; a missing one is no error, nor one that was made anew when `uid` names the old one."""
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            resource = await self.discovery.resource(ref.api_version, ref.kind)
            path = resource.path(ref.namespace, ref.name)
            await self._send(_Request("delete", ref.kind, f"delete {ref}", "DELETE", path, (), body))
        except (NotFound, NotServed):
            return
        except Conflict as error:
            if not uid or "UID in the precondition" not in error.message:
                raise

    async def raw(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None, content: str = _JSON
    ) -> Manifest:
        """Any request. Only a GET is repeated after a broken connection."""
        what = f"{method} {path}"
        return await self._send(
            _Request("raw", "", what, method, path, _query(**(query or {})), body, content, method == "GET")
        )

    async def watch(
        self,
        kind: tuple[str, str],
        namespace: str | None,
        resource_version: str,
        timeout: float = WATCH_S,  # noqa: ASYNC109
        *,
        label_selector: str = "",
        field_selector: str = "",
        silence: float | None = None,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[tuple[str, Manifest], None]:
        """What happens to the objects of a kind from `resource_version` on: `ADDED`, `MODIFIED`, `DELETED` and
        `BOOKMARK`, each with the object. Ends when the server ends it, after `timeout` seconds.

        Raises `Gone` if that version is too old, and `Unreachable` if the connection breaks, or nothing came for
        `silence` seconds (default: a little longer than `timeout`, when the server should have ended it). `on_open` is
        called when the server has accepted it, which may be long before anything happens.
        """
        resource = await self.discovery.resource(*kind[:2])
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            resourceVersion=resource_version,
            timeoutSeconds=str(max(1, int(timeout))),
            labelSelector=label_selector,
            fieldSelector=field_selector,
        )
        what = f"watch {resource.plural} {_where(resource, namespace)}"
        request = _Request("watch", resource.kind, what, "GET", resource.path(namespace or ""), query)
        quiet = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=silence or timeout + GRACE_S)
        try:
            response = await self._open(request, quiet)
            try:
                await _raise_for(request, response)
                if on_open is not None:
                    on_open()
                async for line in _lines(response.content):
                    event = _event(what, line)
                    del line  # while nothing happens, the last Secret must not wait here
                    yield event
                    del event
            finally:
                _hang_up(response)
        except (aiohttp.ClientError, OSError, TimeoutError) as trouble:
            raise self._unreachable(what, trouble) from trouble

    async def _discover(self, path: str) -> Manifest:
        return await self._send(_Request("discover", "", f"ask what {path} serves", "GET", path))

    async def _resource_of(self, manifest: Manifest) -> tuple[Resource, Ref]:
        ref = ref_of(manifest)
        return await self.discovery.resource(ref.api_version, ref.kind), ref

    async def _write(
        self, verb: str, method: str, manifest: Manifest, subresource: str, query: Query, content: str
    ) -> Manifest:
        resource, ref = await self._resource_of(manifest)
        path = resource.path(ref.namespace, ref.name, subresource)
        of = f"the {subresource} of " if subresource else ""
        return await self._send(_Request(verb, ref.kind, f"{verb} {of}{ref}", method, path, query, manifest, content))

    async def _send(self, request: _Request) -> Manifest:
        """Send until it is done, or refused for good, or the tries are used up."""
        for number in range(1, TRIES + 1):
            if request.method != "GET" and self._gate is not None and not self._gate():
                raise NotLeader(f"{request.what}: held back, for this replica is not the leader any more")
            try:
                return await self._try(request)
            except ApiError as error:
                if number == TRIES or not self._again(request, error, number):
                    raise
                delay = _delay(number, error.retry_after)
            await asyncio.sleep(delay)
        raise AssertionError("the last try returns or raises")

    def _again(self, request: _Request, error: ApiError, number: int) -> bool:
        match error:
            case Unreachable():
                return request.repeatable and not error.timed_out
            case ApiError(status=401) if number == 1 and self._renew is not None:
                self._renew()
                return True
            case ApiError(status=429 | 503):
                return request.repeatable or error.retry_after is not None
        return False

    async def _try(self, request: _Request) -> Manifest:
        limit = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        try:
            async with self._slots, asyncio.timeout(self._timeout):
                response = await self._open(request, limit)
                try:
                    await _raise_for(request, response)
                    answer = await response.json(content_type=None)
                finally:
                    response.release()
        except (aiohttp.ClientError, OSError, TimeoutError) as trouble:
            raise self._unreachable(request.what, trouble) from trouble
        except ValueError as trouble:
            raise Unreachable(f"{request.what}: what {self.server} answered is no JSON") from trouble
        return answer if isinstance(answer, dict) else {}

    async def _open(self, request: _Request, limit: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        self.requests[request.verb, request.kind] += 1
        headers = {"Accept": _JSON, "Content-Type": request.content, "User-Agent": MANAGER}
        token = await self._client.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            headers["Authorization"] = token
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in request.query)
        url = f"{self.server}{request.path}{'?' if query else ''}{query}"
        answer = await self._client.call_api(request.method, url, headers, request.body, _request_timeout=limit)
        response: aiohttp.ClientResponse = answer.response
        return response

    def _unreachable(self, what: str, trouble: BaseException) -> Unreachable:
        if isinstance(trouble, TimeoutError):
            return Unreachable(f"{what}: no answer from {self.server} in time", timed_out=True)
        if isinstance(trouble, (ssl.SSLError, aiohttp.ClientSSLError)):
            why = "its certificate is not accepted; check `certificate-authority` in the kubeconfig"
            return Unreachable(f"{what}: {self.server} cannot be trusted, {why}: {trouble}")
        why = str(trouble) or type(trouble).__name__
        return Unreachable(f"{what}: {self.server} cannot be reached: {why}")


async def _raise_for(request: _Request, response: aiohttp.ClientResponse) -> None:
    if response.status >= 300:
        body = await response.read()
        raise error_from_answer(request.what, response.status, body, response.headers.get("Retry-After"))


def _hang_up(response: aiohttp.ClientResponse) -> None:
    """Drop the connection at once: nobody is to wait for the end of a stream that we do not want any more."""
    transport = response.connection.transport if response.connection is not None else None
    response.close()
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream, however long they are. What is left when it is cut off in the middle is no line."""
    kept, searched = bytearray(), 0
    async for piece in content.iter_any():
        kept += piece
        del piece
        while (end := kept.find(b"\n", searched)) >= 0:
            yield bytes(kept[:end])
            del kept[: end + 1]
            searched = 0
        searched = len(kept)


def _event(what: str, line: bytes) -> tuple[str, Manifest]:
    try:
        event = json.loads(line)
        kind, thing = event["type"], event["object"]
    except (ValueError, KeyError, TypeError) as trouble:
        raise Unreachable(f"{what}: the stream holds what is no event") from trouble
    if kind == "ERROR":
        raise error_from_status(what, thing)
    return kind, thing


def _delay(number: int, retry_after: float | None) -> float:
    longest = min(LONGEST_DELAY_S, max(retry_after or 0.0, FIRST_DELAY_S * 2.0 ** (number - 1)))
    return longest * random.uniform(0.75, 1.25)


def _query(**parameters: str) -> Query:
    return tuple((name, value) for name, value in parameters.items() if value)


def _where(resource: Resource, namespace: str | None) -> str:
    if not resource.namespaced:
        return "of the cluster"
    return f"in namespace `{namespace}`" if namespace else "in all namespaces"
