"""How metric providers whose metrics are objects of the cluster ask its API server: with our own rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpreter.cluster.api import Api
from interpreter.cluster.errors import ApiError, NotFound, NotLeader, Unreachable
from interpreter.providers.cluster_api import Ask, NotThere
from interpreter.providers.provider import ProviderError, Trouble

_TRANSIENT = frozenset((409, 429, 500, 502, 503, 504))


def asking(api: Api) -> Ask:
    """`Api.raw`, with its errors as a provider's."""

    async def ask(
        method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
    ) -> Mapping[str, Any]:
        try:
            return await api.raw(method, path, query, body)
        except NotFound as error:
            raise NotThere(str(error)) from error
        except (ApiError, NotLeader) as error:
            raise trouble_of(error) from error

    return ask


def trouble_of(error: ApiError | NotLeader) -> ProviderError:
    """What the API server refused, as a provider's trouble."""
    if isinstance(error, (NotLeader, Unreachable)) or error.status in _TRANSIENT:
        return ProviderError(Trouble.TRANSIENT, str(error), retry_after=getattr(error, "retry_after", None))
    return ProviderError(Trouble.AUTH if error.status in (401, 403) else Trouble.BAD_QUERY, str(error))
