"""Who a request is from, and what that person may do.

In a cluster the API server says both: a token is shown to it (`TokenReview`, authentication.k8s.io/v1), and so is what
the person wants to do (`SubjectAccessReview`, authorization.k8s.io/v1). A person may VERB a rollout who holds the
custom verb VERB on it (`verbs: ["approve"]` of an RBAC rule), or may `patch` it, for then the annotation could be
written without us. Answers are kept for a few seconds. Nobody is let in while the API server does not answer.

On one machine (`rollway dashboard`) a random secret in the address says that whoever asks has started it.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from interpreter.cluster.api import Api, ApiError
from interpreter.cluster.owner import CANARY, ROLLOUT
from interpreter.objects import Manifest, Ref

VIEW = "view"
KEPT_S = 10.0
"""How long an answer of the API server is kept, so that a right that is taken away is gone after so long."""
MOST_KEPT = 2000
MOST_TOKEN = 16_384
"""Bytes of a token; those of identity providers have a few thousand."""

_TOKENS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

_RESOURCES = {ROLLOUT: "rollouts", CANARY: "canaries"}

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has been recognised. `uid` and `extra` are what the API server said beside the name, and are shown
    to it again when it is asked what the person may."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Unavailable(Exception):
    """Nobody can say who this is or what they may; the text says why and what to do."""


class Authority(Protocol):
    """Who people are, and what they may. Each raises `Unavailable`."""

    async def person(self, token: str) -> Person | None:
        """Whose token this is; None for one that is not valid."""
        ...

    async def may(self, person: Person, verb: str, owner: Ref) -> bool:
        """Whether they may `view`, or one of `names.VERBS`. `owner.name` empty is the list of its kind; its namespace
        empty as well, that of the whole cluster."""
        ...

    async def holds(self, person: Person, verb: str, owner: Ref) -> bool:
        """Whether the verb itself has been given to them, and not only the right to change the object."""
        ...


class ClusterAuthority:
    """As the API server says. `audience`, if given, is the one that tokens must be made for; without it they are those
    that the API server itself accepts."""

    def __init__(self, api: Api, *, audience: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api.gated(None)
        self._audience = audience
        self._people: Kept[bytes, Person | None] = Kept(KEPT_S, MOST_KEPT, clock)
        self._rights: Kept[tuple[Person, str, Ref], bool] = Kept(KEPT_S, MOST_KEPT, clock)

    async def person(self, token: str) -> Person | None:
        """Raises `Unavailable`."""
        if not token or len(token) > MOST_TOKEN or not token.isascii() or not token.isprintable():
            return None
        key = hashlib.sha256(token.encode()).digest()
        found = self._people.get(key)
        if found is None:
            found = self._people.put(key, _person(await self._review(token), self._audience))
        return found[0]

    async def may(self, person: Person, verb: str, owner: Ref) -> bool:
        """Raises `Unavailable`."""
        if verb == VIEW:
            return await self._allowed(person, "get" if owner.name else "list", owner)
        return await self._allowed(person, verb, owner) or await self._allowed(person, "patch", owner)

    async def holds(self, person: Person, verb: str, owner: Ref) -> bool:
        """Raises `Unavailable`."""
        return await self._allowed(person, verb, owner)

    async def _review(self, token: str) -> Manifest:
        spec: dict[str, Any] = {"token": token}
        if self._audience:
            spec["audiences"] = [self._audience]
        return await self._ask(_TOKENS, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec})

    async def _allowed(self, person: Person, verb: str, owner: Ref) -> bool:
        key = (person, verb, owner)
        found = self._rights.get(key)
        if found is None:
            answer = await self._ask(_ACCESS, _access(person, verb, owner))
            found = self._rights.put(key, (answer.get("status") or {}).get("allowed") is True)
        return found[0]

    async def _ask(self, path: str, body: Manifest) -> Manifest:
        try:
            return await self._api.raw("POST", path, body=body)
        except ApiError as error:
            what = path.rpartition("/")[2]
            if error.status == 403:
                why = f"the controller may not create {what}; `rollway install --web` prints the rights that it needs"
            else:
                why = "the API server does not answer; try again in a moment"
            raise Unavailable(f"nobody can be let in: {why}") from error


class LocalAuthority:
    """Whoever knows the secret is the person at this machine, and may do what the connection to the cluster may: it is
    theirs. The API server judges when it is done."""

    def __init__(self, secret: str, name: str = "") -> None:
        self._secret = secret.encode()
        self._person = Person(name or _user())

    async def person(self, token: str) -> Person | None:
        """The person, if that is the secret."""
        return self._person if hmac.compare_digest(token.encode("utf-8", "replace"), self._secret) else None

    async def may(self, person: Person, verb: str, owner: Ref) -> bool:
        """Always; the API server has the last word."""
        del verb, owner
        return person == self._person

    async def holds(self, person: Person, verb: str, owner: Ref) -> bool:
        """As `may`."""
        return await self.may(person, verb, owner)


class Kept(Generic[K, V]):
    """Answers, each for `seconds`, the `most` that were asked for last."""

    def __init__(self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> tuple[V] | None:
        """The answer, in a tuple, for it may be None itself; None if there is none that is fresh."""
        found = self._kept.get(key)
        if found is None or self._clock() >= found[0]:
            return None
        self._kept.move_to_end(key)
        return (found[1],)

    def put(self, key: K, value: V) -> tuple[V]:
        """Keep it from now on."""
        self._kept[key] = (self._clock() + self._seconds, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return (value,)


def _access(person: Person, verb: str, owner: Ref) -> Manifest:
    wanted = {"verb": verb, "group": owner.api_version.rpartition("/")[0], "resource": _RESOURCES[owner.kind]}
    wanted |= {key: value for key, value in (("namespace", owner.namespace), ("name", owner.name)) if value}
    spec = {
        "user": person.name,
        "groups": list(person.groups),
        "uid": person.uid,
        "extra": {key: list(values) for key, values in person.extra},
        "resourceAttributes": wanted,
    }
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def _person(review: Manifest, audience: str) -> Person | None:
    """Whom a TokenReview names. One that was asked for an audience and does not confirm it says nothing: an API server
    that knows no audiences leaves them out (authentication.k8s.io/v1, `TokenReviewStatus.audiences`)."""
    status = review.get("status") or {}
    user = status.get("user") or {}
    name = user.get("username")
    if status.get("authenticated") is not True or not isinstance(name, str) or not name:
        return None
    if audience and audience not in (status.get("audiences") or ()):
        return None
    extra = {str(key): tuple(map(str, values or ())) for key, values in (user.get("extra") or {}).items()}
    return Person(name, tuple(map(str, user.get("groups") or ())), str(user.get("uid") or ""), tuple(extra.items()))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "somebody at this machine"
