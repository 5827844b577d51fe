"""From an object to its Program: a Rollout's text, wherever it is kept, or a Flagger Canary.

What cannot be compiled is a list of sentences with places, shown in the object's status and in an event; a rollout that
is under way goes on with the Program that it began with.

`import "library/NAME"` is the RolloutLibrary NAME of the namespace, else the ClusterRolloutLibrary of that name;
`import "cluster/NAME"` is the latter.

A library's policy can be lent to a workload (`spec.targetRef`, or the annotation on the workload): the rollout's name
and target in its text are replaced before it is compiled, so that what is wrong is still said of lines of that text.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from dsl.capabilities import without_baseline
from dsl.compilation import Compilation
from dsl.compiler import compile_source
from dsl.diagnostics import Diagnostic, Severity
from dsl.flagger.importer import import_canary
from dsl.ir import Program
from dsl.placement import Borrower, placed
from dsl.source import Source
from interpreter.cluster import names
from interpreter.cluster.owner import CANARY, Owner
from interpreter.objects import Manifest, Ref
from interpreter.workloads.registry import BUILT_IN, misfit

KEY = "policy.rollout"
LIBRARY, CLUSTER_LIBRARY = "RolloutLibrary", "ClusterRolloutLibrary"
_OWN, _CLUSTER = "library/", "cluster/"
_MOST_SHOWN = 5

Read = Callable[[Ref], Awaitable[Manifest | None]]


class Policy(NamedTuple):
    """What an object asks for. Exactly one of `program` and `problems` says something. `sources` are the objects that
    it was read from: when one of them changes it is read again. `warnings` is what the linter would rather not see."""

    program: Program | None
    problems: tuple[str, ...] = ()
    sources: tuple[Ref, ...] = ()
    warnings: tuple[str, ...] = ()


async def policy_of(
    owner: Owner, read: Read, default_provider: str, guardrails: Sequence[Ref] = (), event_webhook: str = ""
) -> Policy:
    """Read and compile. `read` gives an object with all its data, or None; it may raise `ApiError`. `guardrails` are
    the ClusterRolloutLibraries that bind every policy."""
    if owner.kind == CANARY:
        return await _of_canary(owner, read, default_provider, guardrails, event_webhook)
    text = await _text(owner, read)
    if isinstance(text, Policy):
        return text
    source = _bound(placed(text.source, owner.namespace, _borrower(owner)), guardrails)
    compilation, looked_for = await compiled(source, owner.namespace, read)
    return _checked(owner, compilation, (*text.sources, *looked_for))


async def compiled(source: Source, namespace: str, read: Read) -> tuple[Compilation, tuple[Ref, ...]]:
    """A text that may import libraries, and every object that was looked for on the way."""
    library = _Library(namespace)
    while True:
        library.missing = None
        compilation = compile_source(source, library)
        if library.missing is None:
            return compilation, library.refs()
        await library.fetch(read)


def _bound(source: Source, guardrails: Sequence[Ref]) -> Source:
    """The text with the organisation's guardrails behind its last line."""
    imports = [
        f'import "{_CLUSTER}{ref.name}" as guardrails_of_{re.sub("[^a-z0-9]", "_", ref.name)}' for ref in guardrails
    ]
    return Source(source.name, "\n".join((source.text, *imports, ""))) if imports else source


class _Text(NamedTuple):
    source: Source
    sources: tuple[Ref, ...]


async def _text(owner: Owner, read: Read) -> _Text | Policy:
    spec = owner.spec
    if "source" in spec:
        return _Text(Source(f"{owner.name}.rollout", spec["source"]), ())
    at = spec.get("sourceRef") or {}
    kind, name = at.get("kind", "ConfigMap"), at.get("name", "")
    ref = _source_ref(kind, owner.namespace, name)
    found = await read(ref)
    if found is None:
        return Policy(None, (f"{ref} does not exist: `spec.sourceRef` names it",), (ref,))
    if kind != "ConfigMap":
        return _Text(Source(f"library/{name}", found["spec"]["source"]), (ref,))
    key = at.get("key", KEY)
    data = found.get("data") or {}
    if key not in data:
        there = ", ".join(f"`{one}`" for one in sorted(data)) or "none"
        return Policy(None, (f"{ref} has no key `{key}` (it has {there}): `spec.sourceRef.key` names it",), (ref,))
    return _Text(Source(f"{name}/{key}", data[key]), (ref,))


def _source_ref(kind: str, namespace: str, name: str) -> Ref:
    if kind == "ConfigMap":
        return Ref("v1", kind, namespace, name)
    return Ref(names.API_VERSION, kind, "" if kind == CLUSTER_LIBRARY else namespace, name)


def _borrower(owner: Owner) -> Borrower | None:
    lent = owner.spec.get("targetRef")
    return None if lent is None else Borrower(owner.name, _workload(lent))


def _workload(ref: dict[str, str]) -> str:
    """As the language writes it: `deployment/checkout`, `apps.example.com/v1/Widget/widgets`."""
    kind, name, api_version = ref["kind"], ref["name"], ref.get("apiVersion", "")
    if kind.lower() in BUILT_IN and api_version in ("", BUILT_IN[kind.lower()][0]):
        return f"{kind.lower()}/{name}"
    return f"{api_version}/{kind}/{name}"


async def _of_canary(
    owner: Owner, read: Read, default_provider: str, guardrails: Sequence[Ref], event_webhook: str
) -> Policy:
    imported = import_canary(owner.manifest, default_provider=default_provider, event_webhook=event_webhook)
    if imported.program is None:
        errors = [problem for problem in imported.problems if problem.severity is Severity.ERROR]
        return Policy(None, tuple(str(problem) for problem in errors))
    if not guardrails:
        return Policy(imported.program, warnings=tuple(str(problem) for problem in imported.problems))
    source = _bound(Source(f"{owner.name}.rollout", imported.text), guardrails)
    compilation, looked_for = await compiled(source, owner.namespace, read)
    return _checked(owner, compilation, looked_for)


def _checked(owner: Owner, compilation: Compilation, sources: tuple[Ref, ...]) -> Policy:
    """The one rollout of the text; it must be called what the object is called."""
    if compilation.has_errors:
        return Policy(None, sentences(compilation.diagnostics), sources)
    if len(compilation.rollouts) != 1:
        many = len(compilation.rollouts)
        return Policy(None, (f"the text must hold one rollout, and holds {many or 'none'}",), sources)
    program = compilation.rollouts[0].program
    for what, said, meant in (("rollout", program.name, owner.name), ("namespace", program.namespace, owner.namespace)):
        if said != meant:
            other = f"the text speaks of {what} `{said}`, and the object of `{meant}`: they must be the same"
            return Policy(None, (other,), sources)
    why = without_baseline(program.traffic.provider, program.target.kind) if program.baseline else ""
    if why:
        return Policy(None, (f"`baseline`: {why}; take it away and compare with the primary (`of primary`)",), sources)
    why = misfit(program)
    if why:
        return Policy(None, (why,), sources)
    return Policy(program, (), sources, warnings(compilation.diagnostics))


def sentences(diagnostics: tuple[Diagnostic, ...]) -> tuple[str, ...]:
    """The first errors among them, each with its place and what to do."""
    return _first([one for one in diagnostics if one.severity is Severity.ERROR])


def warnings(diagnostics: tuple[Diagnostic, ...]) -> tuple[str, ...]:
    """The first of those that are worth a look and no errors, in the same form."""
    return _first([one for one in diagnostics if one.severity is Severity.WARNING])


def _first(diagnostics: Sequence[Diagnostic]) -> tuple[str, ...]:
    shown = [_sentence(one) for one in diagnostics[:_MOST_SHOWN]]
    more = len(diagnostics) - len(shown)
    return (*shown, *([f"and {more} more"] if more > 0 else []))


def _sentence(one: Diagnostic) -> str:
    source = one.span.source
    place = source.position(one.span.start)
    said = f"{source.name}:{place.line}:{place.column}: {one.message} ({one.code})"
    return f"{said}; {one.help}" if one.help else said


class _Library:
    """Finds what a text imports among the objects of the cluster. Compiling cannot wait, so what is not at hand yet is
    noted, fetched, and the text compiled again."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._texts: dict[str, Source | None] = {}
        self._refs: list[Ref] = []
        self.missing: str | None = None

    def load(self, path: str, importer: Source) -> Source | None:
        del importer
        if not path.startswith((_OWN, _CLUSTER)):
            return None
        if path not in self._texts:
            self.missing = path
            return None
        return self._texts[path]

    def refs(self) -> tuple[Ref, ...]:
        """Every object that was looked for."""
        return tuple(self._refs)

    async def fetch(self, read: Read) -> None:
        """Get what the last compilation lacked: the namespace's own library first, then the cluster's."""
        path = self.missing or ""
        self._texts[path] = None
        kinds = (CLUSTER_LIBRARY,) if path.startswith(_CLUSTER) else (LIBRARY, CLUSTER_LIBRARY)
        for kind in kinds:
            ref = _source_ref(kind, self._namespace, path.partition("/")[2])
            if kind == LIBRARY and not self._namespace:
                continue
            self._refs.append(ref)
            found = await read(ref)
            if found is not None:
                self._texts[path] = Source(path, found["spec"]["source"])
                return
