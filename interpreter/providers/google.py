"""Access tokens of Google's cloud, by google-auth: from a service account's key in the Secret, or from around us.

The Secret's `serviceAccountKey` is the JSON of a key of a service account; no other kind of credential is taken from a
Secret, for some kinds name programs to run. Without it the default credentials are used, towards Google's own addresses
only: whoever writes a policy may name any other, and a token says nothing about where it may be sent. Tokens are kept
until they run out. A key says itself where its tokens are got (`token_uri`): that is a user's word like the address of
a server, and is asked over the same connections. google-auth is loaded when it is first needed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from interpreter.providers.http import Http
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble
from interpreter.providers.threads import Threads

SCOPE = "https://www.googleapis.com/auth/monitoring.read"
KEY = "serviceAccountKey"
MOST_KEPT = 64
_LIMIT_S = 8
_ANY = frozenset(range(100, 600))


def is_googles(url: str) -> bool:
    """Is it Cloud Monitoring's address, over TLS?"""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and host.startswith("monitoring.") and host.endswith(".googleapis.com")


class Tokens:
    """The tokens of one provider."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._threads = Threads("google")
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = Lock()

    async def headers(self, secret: Mapping[str, str], url: str) -> dict[str, str]:
        """The `Authorization` for a request to this address. Raises `ProviderError`."""
        if KEY not in secret and not is_googles(url):
            why = f"an address that is not Google's needs a key of its own, under `{KEY}` in the Secret"
            raise ProviderError(Trouble.AUTH, why)
        key = secret.get(KEY, "")
        wire = _Wire(self._http, key) if key else None
        return {"Authorization": f"Bearer {await self._threads.run(lambda: self._token(key, wire))}"}

    def close(self) -> None:
        self._threads.close()

    def _token(self, key: str, wire: _Wire | None) -> str:
        """Blocks."""
        auth = _library()
        try:
            with self._lock:
                credentials = self._credentials(auth, key)
                if not credentials.valid:
                    credentials.refresh(wire or _request(auth))
                return str(credentials.token)
        except auth.exceptions.RefreshError as error:
            passing = Trouble.TRANSIENT if error.retryable else Trouble.AUTH
            raise ProviderError(passing, "Google gives no token for these credentials: check the key") from error
        except auth.exceptions.TransportError as error:
            raise ProviderError(Trouble.TRANSIENT, "Google could not be asked for a token") from error
        except auth.exceptions.GoogleAuthError as error:
            raise ProviderError(Trouble.AUTH, f"no credentials for Google's cloud: {type(error).__name__}") from error

    def _credentials(self, auth: Any, key: str) -> Any:
        name = hashlib.sha256(key.encode()).hexdigest()
        if name not in self._kept:
            self._kept[name] = _from_key(key) if key else auth.default(scopes=[SCOPE])[0]
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return self._kept[name]


class _Answer(NamedTuple):
    """As google-auth reads one."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class _Wire:
    """How google-auth's requests for a user's key are sent, from a thread: on the loop that made this."""

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._query = RenderedQuery("", 0, 0, secret={KEY: str(_read(key).get("private_key", ""))})
        self._loop = asyncio.get_running_loop()

    def __call__(self, url: str, method: str = "GET", body: Any = None, headers: Any = None, **_: Any) -> _Answer:
        """Blocks. Raises `ProviderError`."""
        content = body.encode() if isinstance(body, str) else body
        asking = self._http.ask(method, url, self._query, headers=headers, content=content, fine=_ANY)
        asked = asyncio.run_coroutine_threadsafe(asking, self._loop)
        try:
            answer = asked.result(_LIMIT_S)
        except TimeoutError as error:
            asked.cancel()
            raise ProviderError(Trouble.TRANSIENT, f"Google gave no token within {_LIMIT_S}s") from error
        return _Answer(answer.status, answer.headers, answer.body)


def project(secret: Mapping[str, str]) -> str:
    """The project: the Secret's `project`, or the one of its key. Raises `ProviderError`."""
    found = secret.get("project", "").strip()
    if not found and KEY in secret:
        found = str(_read(secret[KEY]).get("project_id", ""))
    if not found:
        raise ProviderError(Trouble.BAD_QUERY, "Google's cloud needs a project: put it under `project` in the Secret")
    return found


def _read(key: str) -> dict[str, Any]:
    try:
        read = json.loads(key)
    except ValueError:
        read = None
    if not isinstance(read, dict) or read.get("type") != "service_account":
        raise ProviderError(Trouble.AUTH, f"`{KEY}` of the Secret is not the JSON of a service account's key")
    return read


def _from_key(key: str) -> Any:
    from google.oauth2 import service_account  # noqa: PLC0415

    try:
        return service_account.Credentials.from_service_account_info(_read(key), scopes=[SCOPE])
    except ValueError as error:
        raise ProviderError(Trouble.AUTH, f"`{KEY}` of the Secret is not a whole key") from error


def _request(auth: Any) -> Any:
    ask = auth.transport.requests.Request()

    def limited(*arguments: Any, **named: Any) -> Any:
        return ask(*arguments, **{**named, "timeout": _LIMIT_S})

    return limited


def _library() -> Any:
    """google.auth. Raises `ProviderError` where it is not installed."""
    try:
        import google.auth  # noqa: PLC0415 - heavy, and only for those who use this cloud
        import google.auth.exceptions  # noqa: PLC0415
        import google.auth.transport.requests  # noqa: PLC0415
    except ImportError as error:
        why = "Google's cloud needs google-auth: pip install 'rollway[clouds]'"
        raise ProviderError(Trouble.BAD_QUERY, why) from error
    return google.auth
