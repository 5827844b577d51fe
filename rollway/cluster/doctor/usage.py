"""What policies use: traffic providers, and metric providers that need rights; and whether the cluster has them."""

from __future__ import annotations

from typing import NamedTuple

from interpreter.cluster.access import METRICS, ROUTES, WITHOUT_NAMESPACE
from interpreter.cluster.api import Api
from interpreter.cluster.errors import ApiError, NotServed
from interpreter.cluster.owner import API_VERSIONS, CANARY, Owner
from interpreter.cluster.policy import policy_of
from interpreter.objects import Manifest, Ref
from rollway.cluster.doctor.controllers import Controller
from rollway.cluster.doctor.finding import Area, Finding, Findings, Verdict

_BUILT_IN = ("", "networking.k8s.io")


class Usage(NamedTuple):
    """Providers by name, and how many rollouts there are; `unread` are those whose policy could not be read."""

    traffic: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    rollouts: int = 0
    unread: tuple[str, ...] = ()


async def usage_of(api: Api, one: Controller) -> Usage:
    """What the rollouts use that a controller looks after. Raises `ApiError`."""
    traffic, metrics, unread, count = set(), set(), [], 0
    default = one.value("--default-provider") or "istio"

    async def read(ref: Ref) -> Manifest | None:
        return await api.get(ref)

    for kind, api_version in API_VERSIONS.items():
        if kind == CANARY and not one.flagger:
            continue
        try:
            found = await api.list((api_version, kind), one.watched)
        except NotServed:
            continue
        for owner in map(Owner, found):
            count += 1
            try:
                program = (await policy_of(owner, read, default)).program
            except ApiError:
                program = None
            if program is None:
                unread.append(f"{owner.namespace}/{owner.name}")
                continue
            traffic.add(program.traffic.provider)
            metrics |= {query.provider for metric in program.metrics.values() for query in metric.queries}
    return Usage(tuple(sorted(traffic & set(ROUTES))), tuple(sorted(metrics & set(METRICS))), count, tuple(unread))


async def providers(api: Api, used: Usage, asked: tuple[str, ...]) -> Findings:
    """Whether what routes are made of is served."""
    if used.unread:
        named = ", ".join(used.unread[:5]) + (" …" if len(used.unread) > 5 else "")
        yield _finding(
            Verdict.NOTE, f"the policies of {len(used.unread)} cannot be read: {named}", "rollway status NAME says why"
        )
    for name in dict.fromkeys((*used.traffic, *asked)):
        kinds = [(group, plural) for group, plurals in ROUTES[name] for plural in plurals]
        kinds += [(rule.group, plural) for rule in WITHOUT_NAMESPACE.get(name, ()) for plural in rule.resources]
        wanted = [kind for kind in dict.fromkeys(kinds) if kind[0] not in _BUILT_IN]
        missing = [f"{plural}.{group}" for group, plural in wanted if plural not in await _served(api, group)]
        if not missing:
            yield _finding(Verdict.OK, f"the traffic provider {name} has what its routes are made of")
        elif len(missing) < len(wanted):
            yield _finding(Verdict.NOTE, f"of what {name} may use the cluster does not serve {', '.join(missing)}")
        else:
            said = f"the traffic provider {name} is not installed: the cluster serves no {', '.join(missing)}"
            yield _finding(Verdict.WRONG, said, f"install {name}, or name another provider in the policies")


async def _served(api: Api, group: str) -> set[str]:
    """The plurals of a group's kinds, of all its versions."""
    found: set[str] = set()
    for version in await api.discovery.served(group):
        answer = await api.raw("GET", f"/apis/{group}/{version}")
        found |= {one["name"] for one in answer.get("resources") or ()}
    return found


def _finding(verdict: Verdict, what: str, do: str = "") -> Finding:
    return Finding(Area.INSTALLED, verdict, what, do)
