"""From Flagger's manifests to policies and Programs.

`import_canary` is for one Canary: it reads it, writes it as text, and compiles that text. `import_documents` is for all
objects of a file, which become one text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from dsl import ir
from dsl.compilation import Compilation
from dsl.compiler import compile_source
from dsl.diagnostics import Diagnostic, Severity
from dsl.flagger.canary import read_canary
from dsl.flagger.documents import Document
from dsl.flagger.model import Canary, Hook
from dsl.flagger.problems import Problem, Problems
from dsl.flagger.templates import MetricTemplate, alert_provider, metric_template
from dsl.flagger.text import Policy
from dsl.source import Source, Span

GROUP = "flagger.app/"
REFUSED, DIFFERS = "RW901", "RW902"


class Imported(NamedTuple):
    """What one Canary comes to.

    `text` is empty, and `program` None, if the manifest has errors. `problems` say what is wrong with the manifest, or
    carried out otherwise; `diagnostics` are the same, at places in the file. `compilation.diagnostics` are about the
    text.
    """

    text: str
    compilation: Compilation | None
    program: ir.Program | None
    problems: tuple[Problem, ...]
    diagnostics: tuple[Diagnostic, ...]
    canary: Canary | None = None


class ImportedFile(NamedTuple):
    """What the objects of a file come to: one text, empty if any of them has an error."""

    text: str
    compilation: Compilation | None
    diagnostics: tuple[Diagnostic, ...]
    canaries: tuple[Canary, ...] = ()

    @property
    def has_errors(self) -> bool:
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


def import_canary(
    manifest: Mapping[str, Any],
    *,
    default_provider: str = "istio",
    file: str = "canary.yaml",
    templates: Mapping[str, MetricTemplate] | None = None,
    lint: bool = False,
    event_webhook: str = "",
) -> Imported:
    """One Canary. `default_provider` is for a Canary that names none, `event_webhook` gets the events of one that has
    no hook for them; MetricTemplates that are at hand (`templates`, by `namespace/name`) are written into the text, any
    other is looked up when it is asked."""
    problems = Problems()
    canary = read_canary(manifest, default_provider, problems)
    policy = Policy(templates or {}, problems)
    if canary is not None and not problems.fatal:
        canary = _heard(canary, event_webhook)
        policy.add(canary)
    text = "" if problems.fatal else policy.text
    compilation = None if problems.fatal else _compiled(text, file, problems, lint=lint)
    program = compilation.rollouts[0].program if compilation is not None and compilation.rollouts else None
    nowhere = Span(Source(file, ""), 0, 0)
    diagnostics = tuple(_diagnostic(problem, nowhere) for problem in problems.all)
    return Imported(text, compilation, program, tuple(problems.all), diagnostics, canary)


def _heard(canary: Canary, url: str) -> Canary:
    """With a hook for its events, if it has none of its own."""
    hooks = canary.analysis.hooks
    if not url or any(hook.type == "event" for hook in hooks):
        return canary
    hook = Hook("events", "event", url, "--event-webhook")
    return replace(canary, analysis=replace(canary.analysis, hooks=(*hooks, hook)))


def _compiled(text: str, file: str, problems: Problems, *, lint: bool) -> Compilation:
    """The text, compiled. That it does not compile is a problem of the manifest that nothing else has found."""
    compilation = compile_source(Source(file, text), lint=lint)
    if not compilation.rollouts:
        for diagnostic in compilation.diagnostics:
            if diagnostic.severity is Severity.ERROR:
                problems.error("spec", diagnostic.message, diagnostic.help)
    return compilation


def _diagnostic(problem: Problem, place: Span) -> Diagnostic:
    code = REFUSED if problem.severity is Severity.ERROR else DIFFERS
    message = f"`{problem.path}` {problem.message}"
    return Diagnostic(code, problem.severity, message, place, help=problem.help)


# --- files ------------------------------------------------------------------------------------------------------


def import_documents(
    documents: Iterable[Document], *, default_provider: str = "istio", file: str = "policy.rollout", lint: bool = True
) -> ImportedFile:
    """All objects of Flagger's among the documents, as one text; objects of other groups are passed over."""
    reading = _Reading(default_provider)
    for document in documents:
        reading.see(document)
    canaries = reading.read_canaries()
    policy = Policy(reading.templates, Problems())  # what is wrong has been said of each by itself
    for canary in canaries:
        policy.add(canary)
    if not canaries:
        for template in reading.templates.values():
            policy.add_template(template)
        for provider in reading.alerts:
            policy.add_alerts(provider)
    if any(diagnostic.severity is Severity.ERROR for diagnostic in reading.diagnostics):
        return ImportedFile("", None, tuple(reading.diagnostics), tuple(canaries))
    text = policy.text
    compilation = compile_source(Source(file, text), lint=lint) if text else None
    if compilation is not None and len(compilation.rollouts) < len(canaries):
        reading.uncompiled(compilation)
    return ImportedFile(text, compilation, tuple(reading.diagnostics), tuple(canaries))


class _Reading:
    """The objects of a file by their kinds, and what is wrong with each."""

    def __init__(self, default_provider: str) -> None:
        self.default_provider = default_provider
        self.templates: dict[str, MetricTemplate] = {}
        self.alerts: list[Any] = []
        self.diagnostics: list[Diagnostic] = []
        self._canaries: list[Document] = []
        self._first: Document | None = None

    def see(self, document: Document) -> None:
        kind, version = document.data.get("kind"), document.data.get("apiVersion")
        if not isinstance(version, str) or not version.startswith(GROUP):
            return
        self._first = self._first or document
        match kind:
            case "Canary":
                self._canaries.append(document)
            case "MetricTemplate":
                template = self._read(document, metric_template)
                if template is not None:
                    self.templates[template.key] = template
            case "AlertProvider":
                provider = self._read(document, alert_provider)
                if provider is not None:
                    self.alerts.append(provider)
            case _:
                self._report(document, Problem("kind", "is none of Canary, MetricTemplate and AlertProvider"))

    def read_canaries(self) -> list[Canary]:
        """Once all documents have been seen."""

        def canary(data: Mapping[str, Any], problems: Problems) -> Canary | None:
            found = read_canary(data, self.default_provider, problems)
            if found is not None and not problems.fatal:
                Policy(self.templates, problems).add(found)
            return None if problems.fatal else found

        read = [self._read(document, canary) for document in self._canaries]
        return [one for one in read if one is not None]

    def uncompiled(self, compilation: Compilation) -> None:
        """The text does not compile, though nothing is known to be wrong."""
        for diagnostic in compilation.diagnostics:
            if diagnostic.severity is Severity.ERROR and self._first is not None:
                self._report(self._first, Problem("spec", diagnostic.message, diagnostic.help))

    def _read(self, document: Document, read: Callable[[Mapping[str, Any], Problems], Any]) -> Any:
        problems = Problems()
        found = read(document.data, problems)
        for problem in problems.all:
            self._report(document, problem)
        return found

    def _report(self, document: Document, problem: Problem) -> None:
        self.diagnostics.append(_diagnostic(problem, document.place(problem.path)))
