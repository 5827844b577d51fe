"""`rollway compile`: a policy as the Program that every runtime reads, or as an object for a cluster."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from dsl.diagnostics import Diagnostic, Severity
from rollway.exit_codes import ExitCode
from rollway.inputs import STDIN, Input, read_one
from rollway.parameters import Argument, Option
from rollway.policies import compile_one, refuse
from rollway.terminal import Stop, put

if TYPE_CHECKING:
    from dsl.compilation import Compilation, CompiledRollout


class Target(StrEnum):
    """What to compile to."""

    JSON = "json"
    MANIFEST = "manifest"


def command(
    path: Annotated[str, Argument("A policy, or `-` for standard input.", "FILE")],
    form: Annotated[Target, Option("--format", "A Program, or a manifest that holds the policy's text.")] = Target.JSON,
    rollout: Annotated[str | None, Option("--rollout", "Which of several rollouts.", "NAME")] = None,
    output: Annotated[str | None, Option("--output", "Write to this file instead of standard output.", "FILE")] = None,
) -> int:
    """Turn a policy into a Program, or into a Kubernetes manifest.

    One rollout gives one Program as a JSON object; several give an array of them, or a manifest
    of as many documents, unless `--rollout` names one. `rollway schema` prints what a Program may be.

    \b
    Examples:
      rollway compile checkout.rollout
      rollway compile checkout.rollout --format manifest | kubectl apply -f -
      rollway compile shop.rollout --rollout checkout --output checkout.json

    Exit codes: 0 fine, 1 the policy has errors, 2 wrong usage or unreadable input.
    """
    one = read_one(path)
    if one.damage is not None:
        return _refuse([one.damage])
    compilation = compile_one(one.source, lint=True)
    errors = [diagnostic for diagnostic in compilation.diagnostics if diagnostic.severity is Severity.ERROR]
    if errors:
        return _refuse(errors)
    chosen = _choose(compilation, rollout, one)
    text = _programs(chosen, several=rollout is None) if form is Target.JSON else _manifests(chosen, one, compilation)
    if output is None:
        put(text)
    else:
        from rollway.files import write

        write(output, text)
    return ExitCode.FINE


def _refuse(errors: list[Diagnostic]) -> int:
    refuse(errors)
    return ExitCode.FINDINGS


def _choose(compilation: "Compilation", name: str | None, one: Input) -> list["CompiledRollout"]:
    found = [compiled for compiled in compilation.rollouts if name in (None, compiled.program.name)]
    if found:
        return found
    where = "standard input" if one.source.name == STDIN else f"`{one.source.name}`"
    if not compilation.rollouts:
        raise Stop(f"there is no rollout in {where}, so there is nothing to compile", ExitCode.FINDINGS)
    names = ", ".join(f"`{compiled.program.name}`" for compiled in compilation.rollouts)
    raise Stop(f"there is no rollout `{name}` in {where}; it has {names}")


def _programs(chosen: list["CompiledRollout"], *, several: bool) -> str:
    from dsl import ir_json

    programs = [ir_json.to_data(compiled.program) for compiled in chosen]
    data = programs if several and len(programs) > 1 else programs[0]
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _manifests(chosen: list["CompiledRollout"], one: Input, compilation: "Compilation") -> str:
    from dsl.syntax import Import
    from rollway.manifest import manifest

    for declaration in compilation.file.declarations:
        if isinstance(declaration, Import) and not declaration.path.value.startswith(("std/", "library/")):
            path = declaration.path.value
            raise Stop(
                f"`{path}` is a file, which a cluster does not see; put it into a `RolloutLibrary` and import "
                f"`library/…` instead, or compile to JSON",
                ExitCode.FINDINGS,
            )
    programs = [compiled.program for compiled in chosen]
    return "---\n".join(manifest(program.name, program.namespace, one.source.text) for program in programs)
