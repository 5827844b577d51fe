"""What providers that are objects of a cluster ask it through: its shell gives them a way in, or they have none.

`Ask` is one request to the API server: method, path, query, body; the answer as JSON. It raises `ProviderError`;
`NotThere` for a path or an object that is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from interpreter.providers.provider import ProviderError, Trouble


class NotThere(ProviderError):
    """404."""

    def __init__(self, message: str) -> None:
        super().__init__(Trouble.BAD_QUERY, message)


class Ask(Protocol):
    """One request to the API server of the cluster that the interpreter runs in."""

    async def __call__(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
    ) -> Mapping[str, Any]: ...
