"""Small rollouts to vary, and files that need no disk."""

from __future__ import annotations

from dsl import ir
from dsl.compilation import Compilation
from dsl.compiler import compile_source
from dsl.source import Source

CHECKS = "every 1m; tolerate 3 failures; require success_rate >= 99%"


class Files:
    """A loader of files held in memory, by the path that imports them."""

    def __init__(self, **files: str) -> None:
        self.files = {f"./{name}.rollout": text for name, text in files.items()}
        self.loads: list[str] = []

    def load(self, path: str, importer: Source) -> Source | None:
        self.loads.append(path)
        text = self.files.get(path)
        return Source(path, text) if text is not None else None


def policy(
    steps: str = "promote", *, checks: str | None = CHECKS, head: str = "", items: str = "", **parts: str
) -> str:
    """A file with one rollout."""
    analysis = f"  analysis {{ {checks} }}\n" if checks is not None else ""
    imports = parts.get("imports", 'import "std/http"')
    return (
        f"{imports}\n{head}\nrollout checkout in shop {{\n  target deployment/checkout\n"
        f"  traffic {parts.get('traffic', 'istio')}\n{analysis}  {items}\n  steps {{\n    {steps}\n  }}\n}}\n"
    )


def compiled(text: str, **files: str) -> Compilation:
    return compile_source(Source("main.rollout", text), Files(**files), lint=False)


def program(text: str, **files: str) -> ir.Program:
    """The Program of the one rollout in a text without errors."""
    compilation = compiled(text, **files)
    assert not compilation.diagnostics, [(d.code, d.message, d.span.text) for d in compilation.diagnostics]
    (rollout,) = compilation.rollouts
    return rollout.program


def code(steps: str, **parts: str | None) -> list[ir.Instruction]:
    """The instructions that some steps come to."""
    return list(program(policy(steps, **parts)).code)  # type: ignore[arg-type]


def check(line: str, **parts: str) -> ir.Check:
    """The one check of an analysis that consists of a line."""
    analyses = program(policy(checks=f"every 1m; {line}", **parts)).analyses
    (found,) = analyses["analysis"].checks
    assert isinstance(found, ir.Check)
    return found


def codes(text: str, **files: str) -> list[str]:
    return [one.code for one in compiled(text, **files).diagnostics]
