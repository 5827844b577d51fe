"""Pages that are made from the code when the site is built, so that they cannot say anything else than the code does.

MkDocs calls `on_files`. Each maker returns the text of one page; `tests/docs` runs them too.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

from dsl import catalogue, ir, ir_json, syntax
from dsl.capabilities import OPTIONS, PROVIDERS
from dsl.parser import parse
from dsl.source import Source
from interpreter.phases import AT_REST, CHANGES
from rollway.app import load
from rollway.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
MADE = "<!-- made from the code by docs/hooks.py -->\n\n"


def on_files(files: Any, config: Any) -> Any:
    """Add the made pages to the site."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> Mapping[str, str]:
    """Every made page by its path under `docs/`."""
    made = {
        "reference/commands.md": commands(),
        "reference/diagnostics.md": diagnostics(),
        "reference/standard-library.md": standard_library(),
        "reference/traffic.md": traffic(),
        "reference/program.md": program(),
        "reference/phases.md": phases(),
    }
    return {path: text.replace("\n", f"\n{MADE}", 1) for path, text in made.items()}


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [list(heads), *([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def commands() -> str:
    """The command line, command by command."""
    parts = ["# Commands\n\n", "Exit codes are the same everywhere: 0 fine, 1 findings, 2 wrong usage or unreadable "]
    parts.append("input, 3 internal error, 4 not in time. `-` stands for standard input, a folder for all policies in ")
    parts.append("it.\n\n")
    for name, row in COMMANDS.items():
        command = load(name)
        told = inspect.cleandoc(command.help or "").replace("\b\n", "").partition("\n\n")[2]
        shown = command.make_context(name, [], resilient_parsing=True).command.params
        rows = [
            (f"`{' '.join(one.opts)}`" if one.opts else one.name, one.help or "") for one in shown if one.name != "help"
        ]
        parts.append(f"## rollway {name}\n\n{row.help}\n\n" + (f"```text\n{told}\n```\n\n" if told else ""))
        parts.append(table(("Parameter", "What it does"), rows) + "\n" if rows else "")
    return "".join(parts)


def diagnostics() -> str:
    """All codes: a table first, then each page."""
    found = [page for code in catalogue.codes() if (page := catalogue.page(code)) is not None]
    parts = ["# Diagnostics\n\n", "Every finding has a code. `rollway explain RW203` prints what stands here.\n\n"]
    parts.append(table(("Codes", "About"), ((f"RW{digit}xx", about) for digit, about in catalogue.RANGES.items())))
    parts.append("\n")
    for page in found:
        parts.append(f"## {page.code}: {page.summary}\n\n*{page.name}, {page.severity.value}*\n\n{page.prose}\n\n")
        parts.append(f"Wrong:\n\n```text\n{page.wrong}```\n\nRight:\n\n```text\n{page.right}```\n\n")
    return "".join(parts)


def standard_library() -> str:
    """The declarations of each module, with the comments that stand above them."""
    parts = ["# Standard library\n\n", "Written in the language itself; `import` brings a module's names in.\n\n"]
    for path in sorted((ROOT / "stdlib" / "std").glob("*.rollout")):
        if path.stem.endswith("_test"):
            continue
        text = path.read_text(encoding="utf-8")
        parts.append(f"## std/{path.stem}\n\n{_opening(text)}\n\n")
        for declared in parse(Source(f"std/{path.stem}", text)).file.declarations:
            if isinstance(declared, (syntax.Metric, syntax.Strategy)):
                parts.append(f"### {declared.name.text}\n\n```text\n{_signature(declared)}\n```\n\n{declared.doc}\n\n")
            if isinstance(declared, syntax.Strategy):
                parts.append(f"```text\n{declared.span.text}\n```\n\n")
    return "".join(parts)


def _opening(text: str) -> str:
    """The comment at the top of a file, as prose."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#") or line.startswith("##"):
            break
        lines.append(line.lstrip("# "))
    return "\n".join(lines)


def _signature(declared: Any) -> str:
    params = f"({', '.join(param.span.text for param in declared.params)})" if declared.params else ""
    unit = getattr(declared, "unit", None)
    return f"{declared.name.text}{params}" + (f" returns {unit.text}" if unit else "")


def traffic() -> str:
    """The table of what each traffic provider can do."""

    def yes(value: bool) -> str:
        return "yes" if value else ""

    parts = ["# Traffic providers\n\n", "What the linter holds a policy to: a step that a provider cannot do is an "]
    parts.append("error at its line, not a surprise in the cluster.\n\n")
    heads = ("Provider", "Name", "Weights", "Mirror", "Headers", "Cookies", "Sticky", "Note")
    rows = [
        (
            f"`{name}`",
            row.title,
            yes(row.weights),
            yes(row.mirror),
            yes(bool(row.header)),
            yes(bool(row.cookie)),
            yes(row.sticky),
            row.note,
        )
        for name, row in PROVIDERS.items()
    ]
    parts.append(table(heads, rows) + "\n## Settings\n\n")
    takers = {option: [f"`{name}`" for name, row in PROVIDERS.items() if option in row.takes] for option in OPTIONS}
    settings = [(f"`{name}`", one.kind, one.doc, ", ".join(takers[name])) for name, one in OPTIONS.items()]
    settings = [(*row[:3], "all" if row[0] == "`port`" else row[3]) for row in settings]
    parts.append(table(("Setting", "Value", "What it is for", "Taken by"), settings))
    return "".join(parts)


def program() -> str:
    """The Program: its classes, then its JSON Schema."""
    parts = ["# Program\n\n", inspect.getdoc(ir) or "", "\n\n## Instructions\n\n"]
    kinds = ir.Instruction.__args__
    rows = [
        (
            f"`{kind.__dataclass_fields__['op'].default}`",
            ", ".join(f"`{f}`" for f in kind.__dataclass_fields__ if f != "op"),
        )
        for kind in kinds
    ]
    parts.append(table(("op", "fields"), rows) + "\n")
    parts += [f"**{kind.__dataclass_fields__['op'].default}.** {_doc(kind)}\n\n" for kind in kinds if _doc(kind)]
    parts.append("## JSON Schema\n\n`rollway schema` prints it.\n\n")
    parts.append(f"```json\n{json.dumps(ir_json.schema(), indent=1)}\n```\n")
    return "".join(parts)


def _doc(kind: type) -> str:
    """What a class says of itself; a dataclass without a docstring has only its own signature to offer."""
    said = " ".join((kind.__doc__ or "").split())
    return "" if said.startswith(f"{kind.__name__}(") else said


def phases() -> str:
    """Which phase may follow which."""
    parts = ["# Phases\n\n", "A rollout is in one phase at a time. Any change that is not in this table is a bug, and "]
    parts.append("the machine refuses to make it.\n\n")
    rows = [
        (
            f"`{phase.value}`",
            "yes" if phase in AT_REST else "",
            ", ".join(f"`{n.value}`" for n in sorted(after)) or "none",
        )
        for phase, after in CHANGES.items()
    ]
    parts.append(table(("Phase", "At rest", "May be followed by"), rows))
    return "".join(parts)
