"""Pages that are made from the code when the site is built, so that they cannot say anything else than the code does.

MkDocs calls `on_files`. Each maker returns the text of one page; `tests/docs` runs them too.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from mkdocs.structure.files import File

from dsl import catalogue, ir, ir_json, syntax
from dsl.capabilities import OPTIONS, PROVIDERS, VARIANTS, Capability
from dsl.parser import parse
from dsl.source import Source
from interpreter.cluster.access import ROUTES
from interpreter.cluster.crds import structural
from interpreter.cluster.names import API_VERSION
from interpreter.cluster.resources import DEFINITIONS
from interpreter.cluster.resources.model import Definition, Model
from interpreter.phases import AT_REST, CHANGES
from rollway.app import load
from rollway.commands import COMMANDS
from tests.interpreter.traffic.ledger import planes

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
        "reference/resources.md": resources(),
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
        rows = [(_opts(one), (one.help or "") + _default(one.default)) for one in shown if one.name != "help"]
        parts.append(f"## rollway {name}\n\n{row.help}\n\n" + (f"```text\n{told}\n```\n\n" if told else ""))
        parts.append(table(("Parameter", "What it does"), rows) + "\n" if rows else "")
    return "".join(parts)


def _default(value: Any) -> str:
    """What holds where an option is left out, if that is something."""
    told = isinstance(value, (str, int)) and not isinstance(value, bool) and value != ""
    return f" Default `{value}`." if told else ""


def _opts(one: Any) -> str:
    """An option by all its names, or an argument by its own."""
    return _code((*one.opts, *one.secondary_opts)) if one.param_type_name == "option" else str(one.name)


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
    parts.append("Those that are marked under *Cluster* are carried out by `rollway controller` as it is now. ")
    parts.append("Policies for the others can be written, checked and simulated.\n\n")
    heads = (
        "Provider",
        "Name",
        "Cluster",
        "Weights",
        "Mirror",
        "Headers",
        "Cookies",
        "Parameters",
        "Sticky",
        "Baseline",
        "Note",
    )
    rows = [
        (
            said,
            row.title,
            yes(name in ROUTES),
            yes(row.weights),
            yes(row.mirror),
            yes(bool(row.header)),
            yes(bool(row.cookie)),
            yes(bool(row.query)),
            yes(row.sticky),
            yes(row.baseline),
            row.note,
        )
        for name, said, row in _traffic_rows()
    ]
    parts.append(table(heads, rows) + f"\n## Tried on\n\n{_tried_on()}\n## Settings\n\n")
    takers = {option: [f"`{name}`" for name, row in PROVIDERS.items() if option in row.takes] for option in OPTIONS}
    settings = [(f"`{name}`", one.kind, one.doc, ", ".join(takers[name])) for name, one in OPTIONS.items()]
    settings = [(*row[:3], "all" if row[0] == "`port`" else row[3]) for row in settings]
    parts.append(table(("Setting", "Value", "What it is for", "Taken by"), settings))
    return "".join(parts)


def _tried_on() -> str:
    """The data planes of the tests. CI holds each run to this list, and prints what it has seen."""
    seen = planes()
    rows = [(f"`{name}`", one.title, one.whole) for name in seen for one in seen[name]]
    others = _code(name for name in PROVIDERS if name in ROUTES and name not in seen)
    return (
        "What is made for every provider is taken by a real API server with the data plane's own definitions, and read "
        "back. For these the data plane runs as well, and the requests that its backends get are counted, as far as it "
        "has each: shares, who answers a match, cookies, copies, that no request is lost while the routing changes, "
        f"and that none goes to the canary after a rollback.\n\n{table(('Provider', 'Data plane', 'How'), rows)}\n"
        f"Not so for {others}: their data planes do not run outside a cluster with real pods, or not without images or "
        "a cloud of their vendor's. For some of them the rules by which they match are played, over requests that are "
        "near misses.\n"
    )


def _traffic_rows() -> Iterator[tuple[str, str, Capability]]:
    """Each provider and its row, with those that an `api` makes of it right below."""
    for name, row in PROVIDERS.items():
        yield name, f"`{name}`", row
        for (provider, api), variant in VARIANTS.items():
            if provider == name:
                yield name, f"`{name}` with `api {api}`", variant


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


def resources() -> str:
    """The custom resources: columns, fields and rules of each, from the models that the definitions are made from."""
    parts = ["# Custom resources\n\n", f"All are of `{API_VERSION}`. `kubectl explain rollout.spec` says the same in "]
    parts.append("a terminal, and `kubectl get rollway` lists what a namespace has of them. `rollway install` prints ")
    parts.append("their definitions, which are also in `crds/`. Flagger's own objects have ")
    parts.append("[a page of their own](flagger.md).\n\n")
    for one in DEFINITIONS:
        parts.append(f"## {one.kind}\n\n{one.description}\n\n")
        parts.append(f"{'Namespaced' if one.namespaced else 'Of the whole cluster'}; short ")
        parts.append(f"{'name' if len(one.short_names) == 1 else 'names'} {_code(one.short_names)}.\n\n")
        parts.append(f"### {one.kind} spec\n\n" + _fields(one.spec))
        held = [*(words for _, words in one.rules), *_rules(one.spec)]
        if held:
            parts.append("\nThe API server refuses what breaks one of these:\n\n")
            parts += [f"- {words}\n" for words in held]
        if one.status is not None:
            parts.append(f"\n### {one.kind} status\n\n" + _fields(one.status))
        parts.append(f"\n### {one.kind} columns\n\n" + _columns(one) + "\n")
    return "".join(parts)


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _columns(one: Definition) -> str:
    rows = [(column.name, f"`{column.path}`", "with `-o wide`" if column.priority else "") for column in one.columns]
    return table(("Column", "Shows", ""), rows)


def _fields(model: type[Model]) -> str:
    rows = [row for row in _rows(model, "") if row[0] != "`metadata`"]
    return table(("Field", "Type", "What it is"), rows)


def _rows(model: type[Model], before: str) -> Iterator[tuple[str, str, str]]:
    """Each field by its path, then those in it. `[]` stands for each item of a list."""
    schema = structural(model)
    for field in model.model_fields.values():
        name = str(field.alias)
        part = schema["properties"][name]
        inner = part.get("items", part)
        words = [part.get("description", "")]
        if name in schema.get("required", ()):
            words.append("Required.")
        elif isinstance(field.default, str) and field.default:
            words.append(f"Default `{field.default}`.")
        if "enum" in inner:
            words.append(f"One of {_code(inner['enum'])}.")
        path = before + name + ("[]" if "items" in part else "")
        yield f"`{path}`", _type(part), " ".join(word for word in words if word)
        for nested in _models(field.annotation):
            yield from _rows(nested, path + ".")


def _type(part: Mapping[str, Any]) -> str:
    """In words of Kubernetes: `list of object`, `map of string`, `time`, with the limit of its length."""
    if "items" in part:
        return f"list of {_type(part['items'])}"
    if "additionalProperties" in part:
        return f"map of {_type(part['additionalProperties'])}"
    name = "time" if part.get("format") == "date-time" else str(part.get("type", "any"))
    return f"{name}, at most {part['maxLength']:,} characters" if "maxLength" in part else name


def _models(annotation: Any) -> Iterator[type[Model]]:
    """The models that a field's type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _rules(model: type[Model]) -> Iterator[str]:
    """The words of the rules on a model and on those in it."""
    yield from (str(rule["message"]) for rule in structural(model).get("x-kubernetes-validations", ()))
    for field in model.model_fields.values():
        for nested in _models(field.annotation):
            yield from _rules(nested)
