"""Why a query found nothing in a Prometheus: which of its names the server does not know, and what it knows instead.

For people, after an answer without data: no check rests on it. The server's list of metric names and of a label's
values is asked for by `prometheus-api-client`, which does just that; that it is synchronous, drops warnings and has no
words for errors does no harm here. Whatever goes wrong, there is nothing to add.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import re2  # type: ignore[import-untyped]

TIMEOUT_S = 5
MOST_SHOWN = 3
_PLAIN = frozenset({"token", "username", "password", "tenant"})


class Asked(NamedTuple):
    """A selector of a query: a metric, and the labels that it is to have, as regular expressions where `=~` says so."""

    metric: str
    labels: tuple[tuple[str, str, str], ...]


def unknown(
    server: str, query: str, span_s: tuple[float, float], secret: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """What of a PromQL query the server knew nothing of between two moments (seconds since 1970), in words; nothing if
    all is known, or if it cannot be told. `secret` are the keys of a metric's Secret; with others than a token, a
    password and a tenant (certificates, clouds) the server is not asked."""
    if set(secret or ()) - _PLAIN:
        return ()
    try:
        client = _client(server, secret or {})
        with client:
            return tuple(dict.fromkeys(said for asked in selectors(query) for said in _missing(client, asked, span_s)))
    except Exception:
        return ()


def selectors(query: str) -> Iterator[Asked]:
    """The selectors of a query that name a metric."""
    import promql_parser  # noqa: PLC0415 - only after a query without data

    stack: list[Any] = [promql_parser.parse(query)]
    while stack:
        node = stack.pop()
        if type(node).__name__ == "VectorSelector" and node.name:
            yield Asked(node.name, tuple(_labels(node)))
        below = (getattr(node, name, None) for name in ("vector_selector", "expr", "rhs", "lhs"))
        stack += [*reversed(getattr(node, "args", None) or ()), *(child for child in below if child is not None)]


def _labels(selector: Any) -> Iterator[tuple[str, str, str]]:
    operators = {"Equal": "=", "Re": "=~"}
    for one in selector.matchers.matchers:
        operator = operators.get(str(one.op).rpartition(".")[2])
        if operator and one.name != "__name__":
            yield one.name, operator, one.value


def _client(server: str, secret: Mapping[str, str]) -> Any:
    from prometheus_api_client import PrometheusConnect  # noqa: PLC0415 - not there for everybody
    from urllib3 import Retry  # noqa: PLC0415 - the same

    headers = {"Authorization": f"Bearer {secret['token'].strip()}"} if "token" in secret else {}
    if "tenant" in secret:
        headers["X-Scope-OrgID"] = secret["tenant"].strip()
    pair = (secret.get("username", ""), secret.get("password", ""))
    return PrometheusConnect(
        server.rstrip("/"), headers=headers, auth=pair if any(pair) else None, retry=Retry(0), timeout=TIMEOUT_S
    )


def _missing(client: Any, asked: Asked, span_s: tuple[float, float]) -> Iterator[str]:
    within = {"start": span_s[0], "end": span_s[1]}
    names = client.get_label_values("__name__", params=within)
    if asked.metric not in names:
        near = get_close_matches(asked.metric, names, 1)
        meant = f"; did you mean `{near[0]}`?" if near else ""
        yield f"the server has no metric `{asked.metric}`{meant}"
        return
    for label, operator, wanted in asked.labels:
        values = client.get_label_values(label, params={**within, "match[]": asked.metric})
        if not any(_fits(operator, wanted, value) for value in values):
            yield f'no series of `{asked.metric}` has `{label}{operator}"{wanted}"`; {_listed(label, wanted, values)}'


def _fits(operator: str, wanted: str, value: str) -> bool:
    return value == wanted if operator == "=" else re2.fullmatch(wanted, value) is not None


def _listed(label: str, wanted: str, values: list[str]) -> str:
    if not values:
        return f"none has a label `{label}`"
    near = [*get_close_matches(wanted, values, MOST_SHOWN), *sorted(values)]
    shown = list(dict.fromkeys(near))[:MOST_SHOWN]
    more = f" and {len(values) - len(shown)} more" if len(values) > len(shown) else ""
    return f"there is {', '.join(f'`{value}`' for value in shown)}{more}"
