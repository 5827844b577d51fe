"""OAuth 2.0 client credentials (RFC 6749 §4.4): a token for `client_id`, `client_secret`, `token_url` and `scope` of a
Secret. It is kept until shortly before it runs out; a Secret that changes gets a token of its own."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import quote_plus

from interpreter.providers.http import Http
from interpreter.providers.provider import ProviderError, RenderedQuery, Trouble

MOST_KEPT = 64
EARLY_S = 30.0
_USUAL_LIFE_S = 300.0
_KEYS = ("client_id", "client_secret", "token_url", "scope")
_SHOWN = frozenset(("client_id", "token_url", "scope"))
"""Not secret, though they stand in a Secret: an error names them."""


def has_client(secret: Mapping[str, str]) -> bool:
    return "client_id" in secret and "token_url" in secret


class OAuth:
    """The tokens of one provider."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._kept: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def headers(self, query: RenderedQuery) -> dict[str, str]:
        """The `Authorization` of a request. Raises `ProviderError`."""
        given = "\0".join(query.secret.get(key, "").strip() for key in _KEYS)
        name = hashlib.sha256(given.encode()).hexdigest()
        until, token = self._kept.get(name, (0.0, ""))
        if time.monotonic() >= until:
            life, token = await self._asked(query)
            self._kept[name] = (time.monotonic() + life - min(EARLY_S, life / 2), token)
        self._kept.move_to_end(name)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return {"Authorization": f"Bearer {token}"}

    async def _asked(self, query: RenderedQuery) -> tuple[float, str]:
        """How long a new token lives, in seconds, and the token."""
        secret = {key: query.secret.get(key, "").strip() for key in _KEYS}
        pair = f"{quote_plus(secret['client_id'])}:{quote_plus(secret['client_secret'])}".encode()
        scope = {"scope": secret["scope"]} if secret["scope"] else {}
        answer = await self._http.ask(
            "POST",
            secret["token_url"],
            query._replace(headers={}, secret={k: v for k, v in query.secret.items() if k not in _SHOWN}),
            headers={"Authorization": f"Basic {base64.b64encode(pair).decode()}", "Accept": "application/json"},
            form={"grant_type": "client_credentials", **scope},
        )
        try:
            said = answer.json()
            return float(said.get("expires_in") or _USUAL_LIFE_S), str(said["access_token"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProviderError(Trouble.AUTH, f"{answer.server} gave no token: check `token_url`") from error
