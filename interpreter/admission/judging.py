"""What is wrong with an object that somebody wants to write, found by the same code that carries rollouts out.

Refused is what could never be carried out as it stands. What hangs on an object that is not there yet (the ConfigMap
that holds the text, a library that it imports) is let in with a warning: whoever applies a folder of manifests applies
them in some order, and the interpreter reads a policy again as soon as one of its sources appears. An update that
leaves the spec as it is, by which finalizers and signals come and go, is nobody's business, nor is an object on its way
out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from dsl.flagger.templates import read_alert_provider, read_metric_template
from dsl.source import Source
from interpreter.admission.review import FINE, Request, Verdict
from interpreter.cluster.libraries import declares_guardrails
from interpreter.cluster.owner import Owner
from interpreter.cluster.policy import CLUSTER_LIBRARY, LIBRARY, Policy, Read, compiled, policy_of, sentences, warnings
from interpreter.cluster.references import foreign
from interpreter.objects import Manifest, Ref

_BINDS_ALL = "its guardrails bind every policy from now on; a rollout that is under way goes on with what it began with"
_JUDGED = frozenset({"CREATE", "UPDATE"})


class Judge:
    """Judges requests. `read` gives an object or None and may raise `ApiError`; `guardrails` names the libraries that
    bind every policy, as of now."""

    def __init__(
        self,
        read: Read,
        guardrails: Callable[[], tuple[Ref, ...]],
        *,
        default_provider: str = "istio",
        cross_namespace_refs: bool = True,
    ) -> None:
        self._read = read
        self._guardrails = guardrails
        self._default_provider = default_provider
        self._cross = cross_namespace_refs

    async def judge(self, request: Request) -> Verdict:
        """What there is to say. Raises `ApiError` if what a policy names cannot be read."""
        spec = request.object.get("spec")
        untouched = request.operation == "UPDATE" and spec == request.old.get("spec")
        if request.operation not in _JUDGED or untouched or "deletionTimestamp" in request.object["metadata"]:
            return FINE
        judged = self._by_kind(request.ref.kind)
        return FINE if judged is None else await judged(request)

    def _by_kind(self, kind: str) -> Callable[[Request], Awaitable[Verdict]] | None:
        match kind:
            case "Rollout" | "Canary":
                return self._owner
            case "RolloutLibrary" | "ClusterRolloutLibrary":
                return self._library
            case "MetricTemplate":
                return _metric_template
            case "AlertProvider":
                return _alert_provider
            case _:
                return None

    # --- policies -----------------------------------------------------------------------------------------------

    async def _owner(self, request: Request) -> Verdict:
        if not request.object["metadata"].get("name"):
            return Verdict(("it needs `metadata.name`: the policy speaks of the rollout by its name",))
        seen = _Seen(self._read)
        policy = await self._policy(request.object, seen)
        if policy.program is None:
            return _unless_missing(policy.problems, seen.missing())
        problems = () if self._cross else foreign(policy.program)
        if not problems:
            problems = await self._moved(request, policy)
        return Verdict(problems, policy.warnings)

    async def _policy(self, manifest: Manifest, read: Read) -> Policy:
        return await policy_of(Owner(manifest), read, self._default_provider, self._guardrails())

    async def _moved(self, request: Request, policy: Policy) -> tuple[str, ...]:
        """A rollout cannot become that of another workload: what was made for the first would be nobody's."""
        if request.operation != "UPDATE" or policy.program is None:
            return ()
        before = await policy_of(Owner(request.old), self._read, self._default_provider)
        if before.program is None or before.program.target == policy.program.target:
            return ()
        was, is_now = before.program.target, policy.program.target
        return (
            f"the target was {was.kind}/{was.name} and cannot become {is_now.kind}/{is_now.name}: "
            "delete this object and make one for the new target",
        )

    # --- what policies name -------------------------------------------------------------------------------------

    async def _library(self, request: Request) -> Verdict:
        text = (request.object.get("spec") or {}).get("source")
        if not isinstance(text, str):
            return FINE  # the definition's schema says so
        seen = _Seen(self._read)
        compilation, _ = await compiled(Source(f"library/{request.ref.name}", text), request.ref.namespace, seen)
        told = warnings(compilation.diagnostics)
        if compilation.has_errors:
            return _unless_missing(sentences(compilation.diagnostics), seen.missing())
        if request.ref.kind == CLUSTER_LIBRARY and declares_guardrails(text):
            told = (_BINDS_ALL, *told)
        return Verdict((), told)


async def _metric_template(request: Request) -> Verdict:
    return _read_or_not(read_metric_template(request.object))


async def _alert_provider(request: Request) -> Verdict:
    return _read_or_not(read_alert_provider(request.object))


def _read_or_not(found: object) -> Verdict:
    return Verdict((found,)) if isinstance(found, str) else FINE


def _unless_missing(problems: tuple[str, ...], missing: tuple[str, ...]) -> Verdict:
    """What is not there yet may be all that is wrong."""
    if not missing:
        return Verdict(problems)
    named = ", ".join(missing)
    return Verdict((), (f"nothing is rolled out yet, for there is no {named}", *problems))


class _Seen:
    """Reads, and remembers what was not there."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._found: dict[str, bool] = {}

    async def __call__(self, ref: Ref) -> Manifest | None:
        manifest = await self._read(ref)
        name = _words(ref)
        self._found[name] = self._found.get(name, False) or manifest is not None
        return manifest

    def missing(self) -> tuple[str, ...]:
        return tuple(name for name, found in self._found.items() if not found)


def _words(ref: Ref) -> str:
    """A library may be the namespace's own or the cluster's: it is missing if it is neither."""
    return f"library `{ref.name}`" if ref.kind in (LIBRARY, CLUSTER_LIBRARY) else str(ref)
