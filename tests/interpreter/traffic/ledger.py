"""What a run of the tests has shown of each traffic provider, as a table.

A test that says something of a provider carries it in the report (JUnit's XML) as a property `shows`, whose value is
`PROVIDER/COLUMN`; a test of Flagger's carries the samples that it took as properties `sample`. The plugin
`tests.interpreter.traffic.shows` puts them there. Nothing is counted but tests that passed.

    python -m tests.interpreter.traffic.ledger REPORT

The exit status is 1 if a provider that the interpreter has lacks goldens, schema or contract, or if the data planes
that were seen are not those of `planes.yaml`.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import yaml

from interpreter.traffic.registry import PROVIDERS
from tests.dsl.flagger.manifests import REFERENCE

ROOT = Path(__file__).parents[3]
GOLDENS, SCHEMA, CONTRACT, DATA_PLANE = "goldens", "schema", "contract", "data plane"
NEEDED = (GOLDENS, SCHEMA, CONTRACT)
COLUMNS = (*NEEDED, DATA_PLANE)
SHOWS, SAMPLE = "shows", "sample"
HEADS = ("provider", GOLDENS, "schema on an API server", CONTRACT, DATA_PLANE, "Flagger's tests")
_FLAGGERS = {"gatewayapi": "gateway_api", "keda": "kubernetes"}
"""Folders of Flagger's tests that are not called as the provider that they are about."""
_MISSING = "-"


class Plane(NamedTuple):
    """A data plane: its programs, each with its version if one is pinned, and how much of it is real."""

    programs: tuple[str, ...]
    whole: str

    @property
    def title(self) -> str:
        return " with ".join(self.programs)


class Shown(NamedTuple):
    """What passed: tests by provider and column, and the samples of Flagger's that tests took."""

    counts: Mapping[tuple[str, str], int]
    samples: frozenset[str]


def planes() -> dict[str, list[Plane]]:
    """Those of `planes.yaml`, by provider."""
    read = yaml.safe_load((ROOT / "tests/interpreter/traffic/planes.yaml").read_text(encoding="utf-8"))
    return {
        provider: [Plane(tuple(_titled(*each) for each in one["programs"].items()), one["whole"]) for one in found]
        for provider, found in read.items()
    }


def _titled(program: str, pinned: Sequence[str]) -> str:
    return f"{program} {version(*pinned)}" if pinned else program


def version(path: str, name: str) -> str:
    """What a list of requirements or a go.mod pins. Raises ValueError."""
    text = (ROOT / path).read_text(encoding="utf-8")
    found = re.search(rf"^(?:require )?\s*{re.escape(name)}(?:==| v)([0-9.]+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{path} does not name {name}")
    return found[1]


def read(report: Path) -> Shown:
    """Raises OSError and xml.etree.ElementTree.ParseError."""
    counts: Counter[tuple[str, str]] = Counter()
    samples: set[str] = set()
    for case in ET.parse(report).iter("testcase"):
        if any(case.find(tag) is not None for tag in ("failure", "error", "skipped")):
            continue
        for each in case.iter("property"):
            name, value = each.get("name"), each.get("value", "")
            if name == SHOWS:
                provider, _, column = value.partition("/")
                counts[provider, column] += 1
            elif name == SAMPLE:
                samples.add(value)
    return Shown(counts, frozenset(samples))


def scenarios(reference: Path = REFERENCE) -> dict[str, list[str]]:
    """The Canaries of Flagger's own tests, by provider; none where the samples are not at hand."""
    found: dict[str, list[str]] = {}
    for path in sorted((reference / "samples" / "flagger" / "e2e").glob("*/*.yaml")):
        if yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] == "Canary":
            folder = path.parent.name
            found.setdefault(_FLAGGERS.get(folder, folder), []).append(f"e2e/{folder}/{path.name}")
    return found


def rows(shown: Shown, of_flagger: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    for provider in sorted(PROVIDERS):
        counted = [str(shown.counts.get((provider, column), 0) or _MISSING) for column in COLUMNS]
        there = of_flagger.get(provider, ())
        lived = sum(sample in shown.samples for sample in there)
        yield provider, *counted, f"{lived} of {len(there)}" if there else _MISSING


def lacking(shown: Shown, known: Mapping[str, Sequence[Plane]]) -> list[str]:
    """What is not as it should be, in words."""
    said = [
        f"{provider}: no test of its {column} has passed"
        for provider in sorted(PROVIDERS)
        for column in NEEDED
        if not shown.counts.get((provider, column))
    ]
    for provider in sorted({*known, *(name for name, column in shown.counts if column == DATA_PLANE)}):
        ran = bool(shown.counts.get((provider, DATA_PLANE)))
        if ran is not (provider in known):
            said.append(
                f"{provider}: requests were counted at a data plane that planes.yaml does not know"
                if ran
                else f"{provider}: planes.yaml has a data plane for it, and no test at one has passed"
            )
    return said


def table(lines: Iterable[Sequence[str]]) -> str:
    drawn = [HEADS, *lines]
    widths = [max(len(line[at]) for line in drawn) for at in range(len(HEADS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in drawn)


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m tests.interpreter.traffic.ledger REPORT", file=sys.stderr)
        return 2
    try:
        shown = read(Path(sys.argv[1]))
    except (OSError, ET.ParseError) as error:
        print(f"{sys.argv[1]} cannot be read ({error}); run `make test`, which writes it", file=sys.stderr)
        return 2
    print(table(rows(shown, scenarios())))
    for name, there in planes().items():
        if shown.counts.get((name, DATA_PLANE)):
            print(f"{name}: {', '.join(one.title for one in there)}")
    said = lacking(shown, planes())
    for each in said:
        print(f"LACKING: {each}", file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
