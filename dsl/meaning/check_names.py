"""What is declared twice in a file, and what hides a name that the file imports."""

from __future__ import annotations

from dsl import syntax
from dsl.diagnostics import Label
from dsl.findings import Findings
from dsl.meaning.scope import FUNCTIONS, TESTS, Declared, Module, Space


def check_names(module: Module, findings: Findings) -> None:
    """Report what is declared twice, and what hides an imported name."""
    for again, first in module.repeated:
        _twice(findings, again, first)
    for space in Space:
        for declared in module.names[space].values():
            _check_name(module, space, declared, findings)
    _check_aliases(module, findings)


def _twice(findings: Findings, again: Declared, first: Declared) -> None:
    findings.error(
        "RW103",
        f"`{again.name}` is declared twice",
        again.name_span,
        note=f"declared again here, as a {again.word}" if again.word != first.word else "declared again here",
        labels=[Label(first.name_span, "first declared here")],
        help="give one of them another name",
    )


def _check_name(module: Module, space: Space, declared: Declared, findings: Findings) -> None:
    if space is Space.VALUE and declared.name in (*FUNCTIONS, *TESTS):
        findings.error(
            "RW103",
            f"`{declared.name}` is a word of the language",
            declared.name_span,
            note=f"a {declared.word} cannot have this name",
            help="give it another name",
        )
    elif space not in (Space.ROLLOUT, Space.GUARDRAIL):
        _check_hiding(module, space, declared, findings)


def _check_hiding(module: Module, space: Space, declared: Declared, findings: Findings) -> None:
    for imported in module.imports:
        if imported.alias is None and imported.module is not None and declared.name in imported.module.names[space]:
            path = imported.node.path.value
            alias = path.rsplit("/", 1)[-1].removesuffix(".rollout").replace("-", "_")
            findings.error(
                "RW103",
                f"`{declared.name}` is declared here and imported from `{path}` as well",
                declared.name_span,
                note="declared here",
                labels=[Label(imported.node.span, f"brings in another `{declared.name}`")],
                help=f'give it another name, or write `import "{path}" as {alias}` and say `{alias}.{declared.name}` '
                "for the imported one",
            )
            return


def _check_aliases(module: Module, findings: Findings) -> None:
    first: dict[str, syntax.Name] = {}
    for imported in module.imports:
        alias = imported.node.alias
        if alias is None:
            continue
        own = module.names[Space.VALUE].get(alias.text)
        before = own.name_span if own is not None else first[alias.text].span if alias.text in first else None
        if before is not None:
            findings.error(
                "RW103",
                f"`{alias.text}` is declared twice",
                alias.span,
                note="the alias of an import",
                labels=[Label(before, "also declared here")],
                help="give the import another alias",
            )
        first.setdefault(alias.text, alias)
