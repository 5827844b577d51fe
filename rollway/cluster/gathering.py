"""A rollout's policy and the objects that exist, from a cluster: what `rollway render NAME` works on."""

from __future__ import annotations

import asyncio

from dsl.ir import Program
from interpreter.cluster.api import Api, NotFound, NotServed
from interpreter.cluster.owner import Owner
from interpreter.cluster.policy import policy_of
from interpreter.cluster.subject import custom_resource
from interpreter.objects import Manifest, Ref, ref_of
from interpreter.rendering import wanted
from rollway.cluster.finding import Found, find
from rollway.exit_codes import ExitCode
from rollway.gathering import DEFAULT_PROVIDER, Gathered, on
from rollway.terminal import Stop

_BOOKKEEPING = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


async def from_cluster(api: Api, namespace: str, name: str, provider: str | None) -> Gathered:
    """The Program of the run under way, or else of the policy as it reads now, and all objects that it is about."""
    found = await find(api, namespace, name)
    program = on(await _program(api, found, provider), provider)
    definition = await custom_resource(api, program.target)
    given: dict[Ref, Manifest] = {} if definition is None else {ref_of(definition): definition}
    asked: set[Ref] = set()
    while missing := [ref for ref in wanted(program, given) if ref not in asked]:  # the target names further ones
        asked.update(missing)
        manifests = await asyncio.gather(*(_get(api, ref) for ref in missing))
        given.update({ref: _bare(each) for ref, each in zip(missing, manifests, strict=True) if each is not None})
    return Gathered(program, given, found.shown.weight)


async def _program(api: Api, found: Found, provider: str | None) -> Program:
    run = found.shown.run
    pinned = found.program if run is not None and not run.outcome else None
    if pinned is not None:
        return pinned
    policy = await policy_of(Owner(found.manifest), api.get, provider or DEFAULT_PROVIDER)
    if policy.program is None:
        raise Stop(f"{found.ref} has a policy with errors: {'; '.join(policy.problems)}", ExitCode.FINDINGS)
    return policy.program


async def _get(api: Api, ref: Ref) -> Manifest | None:
    try:
        return await api.get(ref)
    except (NotFound, NotServed):
        return None


def _bare(manifest: Manifest) -> Manifest:
    """As a person would write it: without what the API server adds."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _BOOKKEEPING}
    return {**{key: value for key, value in manifest.items() if key != "status"}, "metadata": metadata}
