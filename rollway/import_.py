"""`rollway import`: what was written for another tool, as a policy."""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from dsl.diagnostics import Diagnostic, Severity
from rollway.exit_codes import ExitCode
from rollway.inputs import STDIN, Input, Unreadable, read, tell
from rollway.parameters import Argument, Option
from rollway.terminal import Stop, plural, put, say, wants_colour, width

if TYPE_CHECKING:
    from dsl.flagger.importer import ImportedFile


class Origin(StrEnum):
    """What the files were written for."""

    FLAGGER = "flagger"


def command(
    origin: Annotated[Origin, Argument("What the files were written for.", "flagger")],
    paths: Annotated[list[str], Argument("YAML files, or `-` for standard input.", "FILE")],
    provider: Annotated[
        str, Option("--provider", "The provider of Canaries that name none, as Flagger's -mesh-provider.", "NAME")
    ] = "istio",
    output: Annotated[
        str | None, Option("--output", "Write to this file instead of standard output.", "FILE", "-o")
    ] = None,
) -> int:
    """Turn Flagger's Canaries into policies.

    All Canaries of the files become one policy. MetricTemplates that stand beside them are written
    into it, others are referred to; objects of other groups are passed over. What cannot be carried
    out is refused, with the name of its field; what is done otherwise than Flagger does it is said.

    \b
    Examples:
      rollway import flagger canary.yaml
      rollway import flagger canary.yaml metrics.yaml --provider gatewayapi:v1 -o shop.rollout
      kubectl get canaries -o yaml | rollway import flagger - | rollway plan -

    Exit codes: 0 fine, 1 something was refused, 2 wrong usage or unreadable input.
    """
    del origin  # there is one so far
    _check_provider(provider)
    inputs = [read(STDIN if path == "-" else path) for path in paths]
    readable = [one for one in inputs if isinstance(one, Input)]
    imported = look(readable, provider, file=output or "policy.rollout")
    _show(list(imported.diagnostics), [one.source.name for one in readable])
    unread = tell(one for one in inputs if isinstance(one, Unreadable))
    if imported.has_errors or unread:
        return unread or ExitCode.FINDINGS
    if not imported.text:
        raise Stop("there is no Canary, MetricTemplate or AlertProvider in what was given", ExitCode.FINDINGS)
    if output is None:
        put(imported.text)
    else:
        from rollway.files import write

        write(output, imported.text)
    return _linted(imported, output)


def look(inputs: list[Input], provider: str, *, file: str = "policy.rollout") -> "ImportedFile":
    """What the objects of some texts come to, with all that is to be said of them."""
    from dsl.flagger.documents import Document, read_documents
    from dsl.flagger.importer import import_documents

    documents: list[Document] = []
    found: list[Diagnostic] = []
    for one in inputs:
        if one.damage is not None:
            found.append(one.damage)
            continue
        read_here, troubles = read_documents(one.source)
        documents += read_here
        found += troubles
    imported = import_documents(documents, default_provider=provider, file=file)
    return imported._replace(diagnostics=(*found, *imported.diagnostics))


def _check_provider(provider: str) -> None:
    from dsl.flagger.planes import read_plane
    from dsl.flagger.problems import Problems

    problems = Problems()
    if read_plane(provider, "--provider", problems) is None:
        raise Stop(problems.words)


def _linted(imported: "ImportedFile", output: str | None) -> int:
    """The policy is in the form that it has; what the linter calls an error is still one."""
    if imported.compilation is None:
        return ExitCode.FINE
    errors = [one for one in imported.compilation.diagnostics if one.severity is Severity.ERROR]
    _show(errors, [])
    if errors:
        where = f"`{output}`" if output is not None else "the policy"
        say(f"rollway: {where} has {plural(len(errors), 'error')}, which must be mended before it is used")
    return ExitCode.FINDINGS if errors else ExitCode.FINE


def _show(diagnostics: list[Diagnostic], names: list[str]) -> None:
    if diagnostics:
        from dsl.render import Form, render

        colour, columns = wants_colour(sys.stderr), width(sys.stderr)
        sys.stderr.write(render(Form.TEXT, diagnostics, names, colour=colour, width=columns))
