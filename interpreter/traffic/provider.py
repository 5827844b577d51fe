"""What a traffic provider is: pure functions between a `Routing` and the objects of one data plane.

`render` says what objects make the data plane route so; `read` says what routing the objects that exist amount to.
They are inverse: for every routing that the provider can do (`dsl.capabilities`), reading what was rendered gives it
back, and rendering again over the result changes nothing. Neither does any I/O: the cluster's shell fetches what `refs`
names, and does the changes.

The user's own objects stay theirs. An object that the provider keeps for itself is an `Apply`, one that the user keeps
is an `Edit` of nothing but what routes traffic, with what stood there before kept in the annotation `ORIGINAL`, so that
`release` can put it back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from dsl.ir import Program
from interpreter.objects import Change, Objects, Ref
from interpreter.state import Routing

ORIGINAL = "rollway.dev/original"
"""Annotation on a user's object: the JSON of the part that was changed, as it stood before. Flagger's own is
`flagger.kubernetes.io/original-configuration` (the whole spec), which `release` honours too."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the routing is to hold.

    `apex`, `primary` and `canary` are names of Services in the Program's namespace; `port` is the Service port.
    `ports` are further ports found by port discovery, by name. `session` is the value of this run's sticky cookie: it
    changes with each run, so that cookies of an earlier run hold nobody. `label` is the selector label and `workload`
    its value for the target (the primary's is `workload` + `-primary`).
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
        """The routing that holds; None if the objects are missing or were not made by `render`. Weights are rounded to
        what the data plane can hold. Never raises for what people do to objects."""

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        """Put the user's objects back as they were and remove what is the provider's own."""
