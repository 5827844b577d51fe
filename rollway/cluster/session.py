"""A connection for one command, and what a person is told of one that cannot be had."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from rollway.terminal import Stop

if TYPE_CHECKING:
    from interpreter.cluster.api import Api, ApiError

T = TypeVar("T")
INSTALL = "`rollway install | kubectl apply -f -` installs what is missing"


class Where(NamedTuple):
    """Which cluster, and where in it. What is None is as the kubeconfig says."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


def run(where: Where, work: Callable[[Api, str], Awaitable[T]]) -> T:
    """Do it with a connection and a namespace. Raises `Stop` for a cluster that cannot be reached or refuses."""
    needs_cluster_extra()
    return asyncio.run(_connected(where, work))


async def _connected(where: Where, work: Callable[[Api, str], Awaitable[T]]) -> T:
    from interpreter.cluster.connection import ConnectionConfigError, connect
    from interpreter.cluster.errors import ApiError

    try:
        async with await connect(where.kubeconfig, where.context) as api:
            return await work(api, where.namespace or api.namespace)
    except ConnectionConfigError as error:
        raise Stop(str(error)) from error
    except ApiError as error:
        raise Stop(told(error)) from error


def told(error: ApiError) -> str:
    """An error of the API server in one line."""
    from interpreter.cluster.errors import NotServed, Unreachable
    from interpreter.cluster.names import GROUP

    match error:
        case NotServed() if GROUP in error.message:
            return f"{error.message.partition(':')[0]}: {INSTALL}"
        case Unreachable():
            return f"{error.message}; is it the right cluster? `--context` and `--kubeconfig` choose another"
    return error.message


def needs_cluster_extra() -> None:
    """Raises `Stop` where what speaks to a cluster is not installed."""
    if find_spec("kubernetes") is None:
        raise Stop("what speaks to a cluster is not installed: `pip install 'rollway[cluster]'` brings it")
