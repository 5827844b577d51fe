"""What is known of the cluster, kind by kind, and who is to be woken when it changes.

A kind is watched from when it is first asked for. Ordinary kinds are watched in the whole cluster, or in the one
namespace that we are confined to. ConfigMaps and Secrets are watched in those namespaces only where somebody asked for
one, never in the whole cluster, and are let go when the last who was interested is gone.

`watch_for` before reading, and nothing that happens between the two is missed.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from interpreter.cluster.api import Api, ApiError, NotServed, Unreachable
from interpreter.cluster.discovery import Discovery, Kind
from interpreter.cluster.informer import Informer
from interpreter.cluster.store import OnChange
from interpreter.cluster.stripping import DIGESTED, strip_for
from interpreter.objects import Manifest, Ref, ref_of

SYNC_S = 30.0

Key = Hashable
Place = tuple[Kind, str | None]


class Caches:
    """Informers by kind. `on_wake` is called with a key when one of the objects that it is interested in changed."""

    def __init__(
        self,
        api: Api,
        discovery: Discovery,
        namespace: str | None = None,
        *,
        on_wake: Callable[[Any], None] | None = None,
        options: Mapping[str, float] | None = None,
    ) -> None:
        """`namespace` confines it to one. `options` go to the informers."""
        self._api = api
        self._discovery = discovery
        self.namespace = namespace
        self.on_wake = on_wake
        self._options = dict(options or {})
        self._informers: dict[Place, Informer] = {}
        self._keys: dict[Key, frozenset[Ref]] = {}
        self._interest: defaultdict[Ref, set[Key]] = defaultdict(set)
        self._listeners: defaultdict[Kind, list[OnChange]] = defaultdict(list)
        self._closing: set[asyncio.Task[None]] = set()
        self.restarts: Counter[tuple[str, str]] = Counter()
        """How often a watch was begun anew, by kind and why."""
        self.settled: dict[Ref, tuple[str, str]] = {}
        """What was applied to no effect, kept by the Applier: digests of the manifest and of the object then."""

    async def ensure(
        self, api_version: str, kind: str, namespace: str | None = None, *, seconds: float = SYNC_S
    ) -> None:
        """Have a kind watched, and wait until all of it is known. `namespace` matters for ConfigMaps and Secrets.

        Raises what keeps it from being known: `Forbidden`, `NotServed`, or `Unreachable` after `seconds`.
        """
        informer = self._informer(self._place(Kind(api_version, kind), namespace))
        try:
            async with asyncio.timeout(seconds):
                await informer.settled.wait()
        except TimeoutError:
            pass
        if not informer.synced.is_set():
            raise informer.error or Unreachable(f"not all objects of {informer.kind} could be read in time")
        if informer.error is not None and informer.error.reason == "NotServed":
            raise informer.error

    async def ensure_all(self, refs: Iterable[Ref]) -> None:
        """The same for the kinds of all these. Of an object that is named in several versions of its group, one that
        is served will do. Raises as `ensure`."""
        wanted: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        for ref in refs:
            group = Kind(ref.api_version, ref.kind).group
            wanted[group, ref.kind, ref.namespace].add(ref.api_version)
        for (_, kind, namespace), versions in sorted(wanted.items()):
            missed: list[NotServed] = []
            for api_version in sorted(versions):
                try:
                    await self.ensure(api_version, kind, namespace)
                except NotServed as error:
                    missed.append(error)
            if len(missed) == len(versions):
                raise missed[-1]

    def get(self, ref: Ref) -> Manifest | None:
        """An object as last seen, None if it does not exist. Shared: not to be changed. Raises `LookupError` if the
        kind was never ensured, and the informer's `ApiError` if it could never be read."""
        return self._known(Kind(ref.api_version, ref.kind), ref.namespace).get(ref.namespace, ref.name)

    def find(self, ref: Ref) -> Manifest | None:
        """As `get`, but an object of a kind that is not watched, or not served, does not exist."""
        try:
            return self.get(ref)
        except (LookupError, NotServed):
            return None

    def select(
        self, api_version: str, kind: str, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> list[Manifest]:
        """The objects of a kind in a namespace (None: in all) that have these labels. Raises as `get`."""
        return list(self._known(Kind(api_version, kind), namespace).select(namespace, labels))

    def put(self, manifest: Manifest) -> None:
        """What a write of ours answered. Wakes those who are interested, as a change by anybody else would."""
        ref = ref_of(manifest)
        informer = self._informers.get(self._place(Kind(ref.api_version, ref.kind), ref.namespace))
        if informer is not None:
            informer.put(manifest)

    def remove(self, ref: Ref, uid: str | None = None) -> None:
        """We deleted it: the object with this `uid`, if it is known."""
        informer = self._informers.get(self._place(Kind(ref.api_version, ref.kind), ref.namespace))
        if informer is not None:
            informer.remove(ref, uid)

    def watch_for(self, key: Key, refs: Iterable[Ref]) -> None:
        """A change of any of these wakes `key` from now on, and of no others. With none the key is forgotten."""
        before, now = self._keys.pop(key, frozenset()), frozenset(refs)
        for ref in before - now:
            self._interest[ref].discard(key)
            if not self._interest[ref]:
                del self._interest[ref]
        for ref in now - before:
            self._interest[ref].add(key)
        if now:
            self._keys[key] = now
        for place in {self._place(Kind(*ref[:2]), ref.namespace) for ref in before - now if ref.kind in DIGESTED}:
            self._let_go(place)

    def listen(self, api_version: str, kind: str, on_change: OnChange) -> None:
        """Be told of every change of a kind, objects included that nobody has named yet."""
        self._listeners[Kind(api_version, kind)].append(on_change)

    @property
    def troubles(self) -> dict[str, str]:
        """What cannot be watched, and why: `{"VirtualService (networking.istio.io/v1)": "..."}`."""
        return {
            f"{informer.kind}{f' in {place[1]}' if place[1] else ''}": informer.trouble
            for place, informer in self._informers.items()
            if informer.trouble is not None
        }

    def watches(self, api_version: str, kind: str) -> bool:
        """Whether all objects of a kind are known, or soon will be."""
        return self._place(Kind(api_version, kind), None) in self._informers

    def unseen(self, namespace: str) -> str:
        """Words to put behind what was not found in a namespace: why it could not be."""
        if self.namespace in (None, namespace):
            return ""
        return f" to be seen from here: this controller looks after the namespace `{self.namespace}` only"

    @property
    def blind(self) -> str | None:
        """What is served and yet cannot be watched, in a line; None if all can."""
        return "; ".join(self.unwatched) or None

    @property
    def unwatched(self) -> list[str]:
        """Each kind that is served and yet cannot be watched, and why."""
        return [
            f"{informer.kind}: {informer.trouble}"
            for informer in self._informers.values()
            if informer.trouble is not None and not isinstance(informer.error, NotServed)
        ]

    @property
    def sizes(self) -> dict[str, int]:
        """How many objects are kept, by kind."""
        sizes: dict[str, int] = defaultdict(int)
        for informer in self._informers.values():
            sizes[informer.kind.kind] += len(informer)
        return dict(sizes)

    async def aclose(self) -> None:
        """End every watch."""
        informers, self._informers = list(self._informers.values()), {}
        await asyncio.gather(*(informer.aclose() for informer in informers), *self._closing)

    def _place(self, kind: Kind, namespace: str | None) -> Place:
        if self.namespace is not None:
            return kind, self.namespace
        if kind.kind in DIGESTED and kind.group == "":
            if not namespace:
                raise ValueError(f"{kind.kind}s are watched in one namespace at a time: say which")
            return kind, namespace
        return kind, None

    def _informer(self, place: Place) -> Informer:
        if place not in self._informers:
            kind, namespace = place
            informer = Informer(
                self._api,
                kind,
                namespace,
                strip_for(kind.kind),
                self._changed,
                on_restart=lambda why: self.restarts.update([(kind.kind, why)]),
                **self._options,
            )
            self._informers[place] = informer
            informer.start()
        return self._informers[place]

    def _known(self, kind: Kind, namespace: str | None) -> Informer:
        informer = self._informers.get(self._place(kind, namespace))
        if informer is None:
            raise LookupError(f"{kind} is not watched: ensure it first")
        if not informer.synced.is_set():
            raise informer.error or ApiError(0, "NotSynced", f"not all objects of {kind} are known yet")
        return informer

    def _let_go(self, place: Place) -> None:
        """End a watch of ConfigMaps or Secrets that nobody needs any more."""
        kind, namespace = place
        if self.namespace is not None or any(
            ref[:2] == kind and ref.namespace == namespace for ref in self._interest
        ):  # fmt: skip
            return
        informer = self._informers.pop(place, None)
        if informer is not None:
            closing = asyncio.create_task(informer.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    def _changed(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        if new is None:
            self.settled.pop(ref, None)
        for listener in self._listeners.get(Kind(ref.api_version, ref.kind), ()):
            listener(ref, old, new)
        if self.on_wake is not None:
            for key in tuple(self._interest.get(ref, ())):
                self.on_wake(key)
