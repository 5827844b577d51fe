"""A policy and the objects that exist, from files: what `rollway render` works on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from dsl.capabilities import PROVIDERS
from dsl.compilation import Compilation
from dsl.diagnostics import Diagnostic, Severity
from dsl.ir import Program, Traffic
from dsl.source import Source
from interpreter.objects import Manifest, Objects, ref_of
from rollway.inputs import read_one
from rollway.policies import compile_one, refuse
from rollway.terminal import Stop

DEFAULT_PROVIDER = "istio"
"""Of a Canary that names none, if the command line does not either."""
_YAML = re.compile(r"\A\s*\{|^(?:apiVersion|kind)\s*:", re.MULTILINE)
_SUFFIXES = (".yaml", ".yml", ".json")
_CLUSTER_WIDE = frozenset({"CustomResourceDefinition", "GatewayClass", "Mesh", "Namespace", "TrafficRoute"})


class Gathered(NamedTuple):
    """A Program and the objects beside it. `weight` is what the canary has now, in percent."""

    program: Program
    given: Objects
    weight: float = 0.0


class _Read(NamedTuple):
    programs: list[Program]
    others: list[Manifest]
    errors: list[Diagnostic]


def from_files(path: str, more: Iterable[str], *, name: str | None, provider: str | None) -> Gathered | None:
    """The one rollout of a file, or the one that is named, and the objects of all files. None where a text has errors:
    they have been printed. Raises `Stop`."""
    read = _policies(path, provider or DEFAULT_PROVIDER)
    others = [_objects(one) for one in more]
    errors = [*read.errors, *(error for each in others for error in each.errors)]
    if errors:
        refuse(errors)
        return None
    program = _chosen(path, read.programs, name)
    manifests = [*read.others, *(manifest for each in others for manifest in each.others)]
    return Gathered(on(program, provider), placed(manifests, program.namespace))


def on(program: Program, provider: str | None) -> Program:
    """The same rollout on another data plane, with those of its settings that this one takes. Raises `Stop`."""
    if provider is None or provider == program.traffic.provider:
        return program
    if provider not in PROVIDERS:
        raise Stop(f"there is no traffic provider `{provider}`; there is {', '.join(PROVIDERS)}")
    options = {key: value for key, value in program.traffic.options.items() if key in PROVIDERS[provider].takes}
    return replace(program, traffic=Traffic(provider, options))


def placed(manifests: Iterable[Manifest], namespace: str) -> Objects:
    """Objects by their names; one that names no namespace is in this one."""
    found = {}
    for manifest in manifests:
        metadata = manifest["metadata"]
        if "namespace" not in metadata and manifest["kind"] not in _CLUSTER_WIDE:
            manifest = {**manifest, "metadata": {**metadata, "namespace": namespace}}
        found[ref_of(manifest)] = manifest
    return found


def _policies(path: str, provider: str) -> _Read:
    one = read_one(path)
    if one.damage is not None:
        return _Read([], [], [one.damage])
    if path.endswith(_SUFFIXES) or (not path.endswith(".rollout") and _YAML.search(one.source.text)):
        return _manifests(one.source, provider)
    return _compiled(compile_one(one.source))


def _compiled(compilation: Compilation) -> _Read:
    errors = [each for each in compilation.diagnostics if each.severity is Severity.ERROR]
    return _Read([] if errors else [each.program for each in compilation.rollouts], [], errors)


def _manifests(source: Source, provider: str) -> _Read:
    """The Rollouts and Canaries of a file of objects, and what else is in it."""
    from dsl.flagger.documents import read_documents
    from dsl.flagger.importer import import_documents

    documents, troubles = read_documents(source)
    read = _Read([], [], list(troubles))
    flagger = [each for each in documents if str(each.data.get("apiVersion")).startswith("flagger.app/")]
    if flagger:
        imported = import_documents(flagger, default_provider=provider, lint=False)
        read.errors.extend(each for each in imported.diagnostics if each.severity is Severity.ERROR)
        if imported.compilation is not None:
            read.programs.extend(each.program for each in imported.compilation.rollouts)
    for document in documents:
        if document in flagger:
            continue
        text = _policy_of(document.data)
        if text is None:
            read.others.append(_whole(source.name, document.data))
        else:
            compiled = _compiled(compile_one(Source(f"{source.name}: spec.source", text)))
            read.programs.extend(compiled.programs)
            read.errors.extend(compiled.errors)
    return read


def _objects(path: str) -> _Read:
    """What a file of objects holds that is no policy."""
    from dsl.flagger.documents import read_documents

    one = read_one(path)
    if one.damage is not None:
        return _Read([], [], [one.damage])
    documents, troubles = read_documents(one.source)
    return _Read([], [_whole(one.source.name, each.data) for each in documents], list(troubles))


def _policy_of(data: Mapping[str, object]) -> str | None:
    """The text in a Rollout."""
    if data.get("kind") != "Rollout" or not str(data.get("apiVersion")).startswith("rollway.dev/"):
        return None
    spec = data.get("spec")
    text = spec.get("source") if isinstance(spec, Mapping) else None
    if not isinstance(text, str):
        raise Stop("a Rollout whose text is elsewhere (`spec.sourceRef`) cannot be rendered from its file: name it")
    return text


def _whole(file: str, data: Mapping[str, object]) -> Manifest:
    """An object with all that names it."""
    metadata = data.get("metadata")
    named = isinstance(metadata, Mapping) and isinstance(metadata.get("name"), str)
    if not (named and isinstance(data.get("apiVersion"), str) and isinstance(data.get("kind"), str)):
        raise Stop(f"`{file}` holds what is no object of Kubernetes: each has `apiVersion`, `kind` and `metadata.name`")
    return dict(data)


def _chosen(path: str, programs: list[Program], name: str | None) -> Program:
    where = "standard input" if path == "-" else f"`{path}`"
    found = [program for program in programs if name in (None, program.name)]
    names = ", ".join(f"`{program.name}`" for program in programs)
    if not programs:
        raise Stop(f"there is no rollout in {where}, so there is nothing to render")
    if not found:
        raise Stop(f"there is no rollout `{name}` in {where}; there is {names}")
    if len(found) > 1:
        raise Stop(f"there are several rollouts, {names}: choose one with --rollout")
    return found[0]
