"""From Flagger's manifests to Programs.

`import_canary` is for one Canary: it reads it, writes it as text, and compiles that text. `import_documents` is for
the objects of a file, which may refer to one another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dsl import ir
from dsl.compilation import Compilation
from dsl.compiler import compile_source
from dsl.diagnostics import Severity
from dsl.flagger.canary import Canary, read_canary
from dsl.flagger.problems import Problem, Problems
from dsl.flagger.templates import MetricTemplate, alert_provider, metric_template
from dsl.flagger.text import canary_text, template_text
from dsl.source import Source

GROUP = "flagger.app/"


class Imported(NamedTuple):
    """What one object comes to.

    `text` is empty if the manifest has errors; `program` is None then too, and where the text has one that the
    manifest did not show. `diagnostics` are about the manifest, `compilation.diagnostics` about the text.
    """

    text: str
    compilation: Compilation | None
    program: ir.Program | None
    diagnostics: tuple[Problem, ...]
    canary: Canary | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What keeps it from being carried out."""
        return tuple(problem for problem in self.diagnostics if problem.severity is Severity.ERROR)


def import_canary(
    manifest: Mapping[str, Any],
    *,
    default_provider: str = "istio",
    file: str = "canary.yaml",
    templates: Mapping[str, MetricTemplate] | None = None,
    lint: bool = False,
) -> Imported:
    """One Canary. `default_provider` is for a Canary that names none; MetricTemplates that are at hand (`templates`, by
    `namespace/name`) are written into the text, any other is looked up when it is asked."""
    problems = Problems()
    canary = read_canary(manifest, default_provider, problems)
    if canary is None or problems.fatal:
        return Imported("", None, None, tuple(problems.all))
    text = canary_text(canary, templates or {}, problems)
    if problems.fatal:
        return Imported("", None, None, tuple(problems.all))
    compilation = compile_source(Source(file, text), lint=lint)
    program = compilation.rollouts[0].program if compilation.rollouts else None
    if program is None:
        for diagnostic in compilation.diagnostics:
            if diagnostic.severity is Severity.ERROR:
                problems.error("spec", diagnostic.message, diagnostic.help)
    return Imported(text, compilation, program, tuple(problems.all), canary)
