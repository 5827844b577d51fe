"""Which kinds the API server serves, and under which path.

A group's version is asked for when a kind of it is first needed, and the answer is kept. CRDs come and go, so a kind
that was not there is asked for again, at most every 30 seconds, and `forget` drops what turned out to be there no more.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from interpreter.cluster.errors import NotFound, NotServed

MISS_S = 30.0

INSTALL: Mapping[str, str] = {
    "rollway.dev": "install rollway's own with `rollway install`",
    "flagger.app": "install the definitions that come with Flagger, or start with `--no-flagger`",
    "networking.istio.io": "install Istio, or choose another traffic provider",
    "projectcontour.io": "install Contour, or choose another traffic provider",
    "traefik.io": "install Traefik, write `api v2` for one that is older, or choose another traffic provider",
    "traefik.containo.us": "take `api v2` away for a newer Traefik, or choose another traffic provider",
    "gateway.networking.k8s.io": "install the Gateway API's definitions, or choose another traffic provider",
    "apisix.apache.org": "install the APISIX Ingress controller, or choose another traffic provider",
    "kuma.io": 'install Kuma, write `api "TrafficRoute"` for an old one, or choose another traffic provider',
    "keda.sh": "install KEDA, or name another scaler",
    "policy.linkerd.io": "install Linkerd, name another form of routes by `api`, or choose another traffic provider",
    "split.smi-spec.io": "install a mesh that serves this version of SMI, name one that is served by `api`, or choose "
    "another traffic provider",
    "specs.smi-spec.io": "install a mesh that serves SMI's HTTPRouteGroups, or do without `api`",
}
"""What to do when a kind of this group is not served."""


class Kind(NamedTuple):
    """A kind of object in one version."""

    api_version: str
    kind: str

    @property
    def group(self) -> str:
        """The API group; empty for the core one."""
        return group_of(self.api_version)

    def __str__(self) -> str:
        return f"{self.kind} ({self.api_version})"


class Resource(NamedTuple):
    """How a kind is reached. `subresources` are names such as `scale` and `status`."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool
    subresources: frozenset[str]

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of an object, or without a name of the collection, in all namespaces if none is given."""
        parts = [version_path(self.api_version)]
        if namespace and self.namespaced:
            parts.append(f"namespaces/{quote(namespace, safe='')}")
        parts.append(self.plural)
        parts += [quote(part, safe="") for part in (name, subresource) if part]
        return "/".join(parts)


Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]
"""GET of a path: its JSON. Raises `NotFound` when there is none."""


class Discovery:
    """What is served. One for each connection."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.miss_s = MISS_S
        """How long a miss is believed."""
        self._fetch = fetch
        self._clock = clock
        self._kinds: dict[str, dict[str, Resource]] = {}
        self._versions: dict[str, tuple[str, ...]] = {}
        self._asked: dict[str, float] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def resource(self, api_version: str, kind: str) -> Resource:
        """How the kind is reached. Raises `NotServed`, or `ApiError` when the server cannot be asked."""
        async with self._locks[api_version]:
            if kind not in self._kinds.get(api_version, {}) and self._due(api_version):
                self._kinds[api_version] = await self._ask(api_version)
                self._asked[api_version] = self._clock()
        found = self._kinds.get(api_version, {}).get(kind)
        if found is None:
            raise _not_served(Kind(api_version, kind))
        return found

    async def served(self, group: str) -> tuple[str, ...]:
        """The versions of a group, the preferred first: `("v1", "v1beta1")`. Empty if there is no such group."""
        about = group or "core"
        async with self._locks[about]:
            if not self._versions.get(group) and self._due(about):
                self._versions[group] = await self._ask_versions(group)
                self._asked[about] = self._clock()
        return self._versions.get(group, ())

    def forget(self, api_version: str) -> None:
        """A path of this version was not there: ask again next time, but not more often than after any miss."""
        self._kinds.pop(api_version, None)
        self._versions.pop(group_of(api_version), None)

    def _due(self, about: str) -> bool:
        asked = self._asked.get(about)
        return asked is None or self._clock() - asked >= self.miss_s

    async def _ask(self, api_version: str) -> dict[str, Resource]:
        try:
            answer = await self._fetch(version_path(api_version))
        except NotFound:
            return {}
        listed = answer.get("resources") or ()
        subresources: defaultdict[str, set[str]] = defaultdict(set)
        for one in listed:
            plural, _, subresource = one["name"].partition("/")
            if subresource:
                subresources[plural].add(subresource)
        return {
            one["kind"]: Resource(
                api_version, one["kind"], one["name"], one["namespaced"], frozenset(subresources[one["name"]])
            )
            for one in listed
            if "/" not in one["name"]
        }

    async def _ask_versions(self, group: str) -> tuple[str, ...]:
        try:
            answer = await self._fetch(f"/apis/{quote(group, safe='')}" if group else "/api")
        except NotFound:
            return ()
        listed = [one if isinstance(one, str) else one["version"] for one in answer.get("versions") or ()]
        preferred = (answer.get("preferredVersion") or {}).get("version")
        return tuple(sorted(listed, key=lambda version: version != preferred))


def group_of(api_version: str) -> str:
    """The group of an `apiVersion`; empty for the core one."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def version_path(api_version: str) -> str:
    """Where the kinds of an `apiVersion` are listed."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _not_served(kind: Kind) -> NotServed:
    todo = INSTALL.get(kind.group, f"install what defines it, or correct `apiVersion: {kind.api_version}`")
    return NotServed(404, "NotServed", f"the API server serves no {kind.kind} in {kind.api_version}: {todo}")
