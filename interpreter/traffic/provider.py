"""What a traffic provider is: pure functions between a `Routing` and the objects of one data plane.

`render` says what objects make the data plane route so; `read` says what routing the objects that exist amount to.
They are inverse: for every routing that the provider can do (`dsl.capabilities`), reading what was rendered gives it
back, and rendering again over the result changes nothing. Neither does any I/O: the cluster's shell fetches what `refs`
names, and does the changes.

The user's own objects stay theirs. An object that the provider keeps for itself is an `Apply`, one that the user keeps
is an `Edit` of nothing but what routes traffic, with what stood there before kept in the annotation `ORIGINAL`, so that
`release` can put it back.

*The baseline.* A rollout may have a third arm: a fresh copy of the primary, which is given as much as the canary, out
of the primary's part. A provider whose row has `baseline` does this, and no other is asked to:

- `render` with `Site.baseline` gives that Service `Site.baseline_part(routing)` percent of the requests that neither a
  match nor a cookie decides about; the primary gets the rest. A part of nothing needs no backend, and gets none.
- `render` without it takes away whatever of the baseline is left, its further objects too.
- Matches lead to the canary alone. The baseline gives no cookie, and no cookie leads to it.
- `read` tells of the canary alone, and truly, whether the baseline has its part or not (`reading.trusted` tries both):
  traffic can be taken from a canary whatever else is going on. A baseline that has not the part that it should have is
  put right by the shell, which renders again at each look.
- A Service of the baseline's is made before `render` is told of it, and removed after it was told of none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from dsl.ir import Program
from interpreter.desired import Routing
from interpreter.objects import Change, Objects, Ref

ORIGINAL = "rollway.dev/original"
"""Annotation on a user's object: the JSON of the part that was changed, as it stood before. Flagger's own is
`flagger.kubernetes.io/original-configuration` (the whole spec), which `release` honours too."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the routing is to hold.

    `apex`, `primary` and `canary` are names of Services in the Program's namespace; `port` is the Service port.
    `ports` are further ports found by port discovery, by name. `session` is the value of this run's sticky cookie: it
    changes with each run, so that cookies of an earlier run hold nobody. `label` is the selector label and `workload`
    its value for the target (the primary's is `workload` + `-primary`). `baseline` is the name of the baseline's
    Service, empty while none is to get traffic.

    Where traffic is split by counting pods: `whole` is whether the primary keeps all of its pods whatever the weight,
    as while it is promoted; `neighbours` are the labels of the pods of all other workloads of the namespace, `scalers`
    the autoscalers that change the number of our pods.
    """

    program: Program
    apex: str
    primary: str
    canary: str
    port: int
    ports: tuple[tuple[str, int], ...] = ()
    session: str = ""
    label: str = "app"
    workload: str = ""
    annotations: dict[str, str] = field(default_factory=dict)
    baseline: str = ""
    whole: bool = False
    neighbours: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    scalers: tuple[str, ...] = ()

    @property
    def baseline_service(self) -> str:
        """What the baseline's Service is called, whether there is one or not."""
        return f"{self.apex}-baseline"

    @property
    def arms(self) -> tuple[str, str, str]:
        """The Services that only rules of our making lead to: of primary, canary and baseline."""
        return self.primary, self.canary, self.baseline_service

    @property
    def either(self) -> tuple[Site, Site]:
        """The same with the baseline's part and without: what routes may have while a baseline comes and goes."""
        return replace(self, baseline=self.baseline_service), replace(self, baseline="")

    def baseline_part(self, routing: Routing) -> float:
        """Percent that the baseline gets: as much as the canary, but no more than the primary keeps."""
        return min(routing.weight, (100.0 - routing.weight) / 2) if self.baseline else 0

    @property
    def namespace(self) -> str:
        return self.program.namespace

    def ref(self, api_version: str, kind: str, name: str) -> Ref:
        """An object in the rollout's namespace."""
        return Ref(api_version, kind, self.namespace, name)


class TrafficError(Exception):
    """This routing cannot be had from the objects as they are (the user's Ingress does not name the service, say). The
    message says which object, what is wrong with it, and what to do."""


class TrafficProvider(Protocol):
    """One data plane."""

    @property
    def name(self) -> str:
        """As the language calls it, and `dsl.capabilities.PROVIDERS`."""

    def refs(self, site: Site) -> tuple[Ref, ...]:
        """Every object that it reads, writes or edits, whether it exists or not."""

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        """What must be done for this routing to hold. `existing` has those of `refs` that exist. Raises
        `TrafficError`."""

    def read(self, site: Site, existing: Objects) -> Routing | None:
        """The routing that holds, whatever part the baseline has; None if the objects are missing or were not made by
        `render`. Weights are rounded to what the data plane can hold. Never raises for what people do to objects."""

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        """Put the user's objects back as they were and remove what is the provider's own."""


@runtime_checkable
class Asking(Protocol):
    """A provider that asks what a data plane says of itself, in objects that only its `refs` tell the names of. They
    are never written. `render` refuses by them what the data plane says that it cannot do; where they are not given it
    refuses nothing, and `read` and `release` do without them."""

    def further(self, site: Site, existing: Objects) -> tuple[Ref, ...]:
        """Which they are, as far as can be told from what exists: ask again with those found."""

    def trouble(self, site: Site, existing: Objects) -> str | None:
        """Why the data plane does not take the route as it stands, in words; None if it takes it, or has not said. It
        is shown to people and holds nothing up."""


def refs_of(provider: TrafficProvider, site: Site, look: Callable[[tuple[Ref, ...]], Objects]) -> tuple[Ref, ...]:
    """All that `render` may want to know: the provider's `refs`, and what is `further`. `look` gives those objects that
    exist."""
    refs = provider.refs(site)
    if isinstance(provider, Asking):
        while more := [ref for ref in provider.further(site, look(refs)) if ref not in refs]:
            refs += tuple(more)
    return refs
