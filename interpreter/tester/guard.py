"""Who may do what at the tester: nobody is asked, or a shared token is, or the cluster says who somebody is.

Flagger's webhooks send no token. So what is protected can be chosen: `gates` (moving a gate, stopping a task, looking
at tasks and what they said), while tasks and questions to gates stay open to whoever reaches the tester; or `all`.

With a token of the cluster, whoever opens or closes a gate needs the right to `approve` the rollout, for a roll-back
gate or to stop a task that to `abort`; to run a task `approve`; to ask a gate or look `view`: `interpreter.web.people`
says how the cluster is asked.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from interpreter.cluster.api import Forbidden, NotServed
from interpreter.cluster.names import API_VERSION, FLAGGER_API_VERSION
from interpreter.objects import Ref
from interpreter.web.people import Authority, Person, Unavailable

LEAST_TOKEN = 16


class Act(StrEnum):
    """What somebody wants; its value is the verb on the rollout that allows it."""

    RUN = "run"
    CHECK = "check"
    MOVE_GATE = "move a gate"
    MOVE_ROLLBACK = "move a roll-back gate"
    STOP = "stop a task"
    LOOK = "look"


VERBS: Mapping[Act, str] = {
    Act.RUN: "approve",
    Act.CHECK: "view",
    Act.MOVE_GATE: "approve",
    Act.MOVE_ROLLBACK: "abort",
    Act.STOP: "abort",
    Act.LOOK: "view",
}
GATES = frozenset({Act.MOVE_GATE, Act.MOVE_ROLLBACK, Act.STOP, Act.LOOK})
ALL = frozenset(Act)


class Denied(Exception):
    """Not without a token that is right, 401, or not with this one, 403, or nobody can tell now, 503."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Guard(Protocol):
    """`admit` gives the name of whoever it is; raises `Denied`."""

    async def admit(self, act: Act, token: str, peer: str, namespace: str, name: str) -> str:
        """`token` is "" if none was sent, `peer` the address it comes from. `name` "" is all of the namespace, and
        that "" all there are."""
        ...


class Nobody:
    """Everybody may do everything, as with Flagger's loadtester."""

    async def admit(self, act: Act, token: str, peer: str, namespace: str, name: str) -> str:
        """Whoever comes from there."""
        del act, token, namespace, name
        return f"somebody at {peer}"


class Shared:
    """One token for all who know it. The file is read each time, so that it can be changed."""

    def __init__(self, file: Path, protected: frozenset[Act]) -> None:
        self._file = file
        self._protected = protected

    async def admit(self, act: Act, token: str, peer: str, namespace: str, name: str) -> str:
        """Raises `Denied`."""
        del namespace, name
        if act in self._protected:
            known = await asyncio.to_thread(read_token, self._file)
            if not token or not hmac.compare_digest(token.encode("utf-8", "replace"), known.encode()):
                raise _stranger(token)
            return f"the holder of the token at {peer}"
        return f"somebody at {peer}"


class Cluster:
    """As the cluster says."""

    def __init__(self, authority: Authority, protected: frozenset[Act]) -> None:
        self._authority = authority
        self._protected = protected

    async def admit(self, act: Act, token: str, peer: str, namespace: str, name: str) -> str:
        """Raises `Denied`."""
        if act not in self._protected:
            return f"somebody at {peer}"
        try:
            person = await self._authority.person(token) if token else None
            if person is None:
                raise _stranger(token)
            for version, kind in ((API_VERSION, "Rollout"), (FLAGGER_API_VERSION, "Canary")):
                if await self._may(act, person, Ref(version, kind, namespace, name)):
                    return person.name
        except Unavailable as error:
            raise Denied(503, _why(error)) from error
        where = f"`{namespace}/{name}`" if name else f"namespace `{namespace}`" if namespace else "all namespaces"
        raise Denied(
            403, f"{person.name} may not {act.value} for {where}: it takes the verb `{VERBS[act]}` on rollouts"
        )

    async def _may(self, act: Act, person: Person, owner: Ref) -> bool:
        """A kind that the cluster does not have gives no rights."""
        try:
            return await self._authority.may(person, VERBS[act], owner)
        except Unavailable as error:
            if isinstance(error.__cause__, NotServed):
                return False
            raise


def read_token(file: Path) -> str:
    """The shared token. Raises `Denied` if there is none that is long enough."""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Denied(
            503, f"the tester's token file {file} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    if len(token) < LEAST_TOKEN:
        raise Denied(503, f"the tester's token file has fewer than {LEAST_TOKEN} characters in it")
    return token


def _why(error: Unavailable) -> str:
    if isinstance(error.__cause__, Forbidden):
        return "the tester may not ask the cluster who somebody is: it needs the rights of deploy/tester/rights.yaml"
    return str(error)


def _stranger(token: str) -> Denied:
    why = "this token is not known here" if token else "a token is needed: send one as a Bearer token"
    return Denied(401, why)
