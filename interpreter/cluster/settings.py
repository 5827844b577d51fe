"""What the command line of the controller says. One object, handed to whoever has a use for a part of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from interpreter.addresses import Addresses
from interpreter.cluster.clock import Clock
from interpreter.cluster.parts import KEPT
from interpreter.web.linking import MakeLink


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says. `namespace` None looks after all namespaces; `lease_namespace` is where the Lease
    stands; `identity` tells this process from others; `port` 0 takes any free port. `clock` is the wall's, but in
    tests, which also end a process at a `boundary` between two effects. `addresses` says where servers of users may
    be. `make_link` makes the links in messages, None where nobody could follow one. `history` is how many runs of a
    rollout are kept."""

    identity: str
    namespace: str | None = None
    lease_namespace: str = "rollway-system"
    elect: bool = True
    metrics_server: str | None = None
    default_provider: str = "istio"
    flagger: bool = True
    cross_namespace_refs: bool = True
    workers: int = 8
    history: int = KEPT
    host: str = "0.0.0.0"  # noqa: S104 - the kubelet asks from outside the pod
    port: int = 8080
    clock: Clock = field(default_factory=Clock)
    boundary: Callable[[str], None] | None = None
    addresses: Addresses = field(default_factory=Addresses)
    make_link: MakeLink | None = None
    event_webhook: str = ""

    @property
    def reach(self) -> Addresses:
        """The same, and the operator's own servers, wherever they are."""
        own = (urlsplit(url) for url in (self.metrics_server, self.event_webhook) if url)
        trusted = {(url.hostname, url.port or (443 if url.scheme == "https" else 80)) for url in own if url.hostname}
        return replace(self.addresses, trusted=self.addresses.trusted | trusted)
