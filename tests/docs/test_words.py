"""Pages written by hand about words of the code: none is missing there, and none stands there that is not said."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from interpreter.cluster import names
from tests.docs.policies import ROOT

INTERPRETER = ROOT / "interpreter"
ELSEWHERE = ("local", "simulator")
"""Runtimes whose events never reach a cluster."""

SAYING = frozenset({"tell", "event", "record", "_say"})
"""What is called with the reason of an event: by the machine, and by what is around it in a cluster."""

CAMEL = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)*")
OURS = re.compile(rf"(?:{re.escape(names.GROUP)}|\{{(?:names\.)?GROUP\}})/([a-z][a-z-]+)(?![a-z0-9])")
THEIRS = re.compile(
    r"[\"'`]((?:[a-z]+\.)*(?:flagger\.app|flagger\.kubernetes\.io|keda\.sh|fluxcd\.io)/[A-Za-z-]+)[\"'`]"
)


def sources() -> Iterator[Path]:
    for path in sorted(INTERPRETER.rglob("*.py")):
        if path.relative_to(INTERPRETER).parts[0] not in ELSEWHERE:
            yield path


def reasons() -> set[str]:
    """Each reason that an event can have. A reason is a word in CamelCase, and an argument of what says it."""
    found = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SAYING:
                words = (inner.value for one in node.args for inner in ast.walk(one) if isinstance(inner, ast.Constant))
                found |= {word for word in words if isinstance(word, str) and CAMEL.fullmatch(word)}
    return found


def cells(page: str, title: str) -> set[str]:
    """What stands as code in the first cells of the tables of a section."""
    text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([^`]+)`", row)}


def keys() -> set[str]:
    """Labels, annotations, finalizers and node selectors with our name in them, and those of others that are used."""
    found = {names.verb_annotation(verb) for verb in names.VERBS}
    for path in sources():
        text = path.read_text(encoding="utf-8")
        ours_are_meant = re.search(r"^GROUP = ", text, re.MULTILINE) is None or path.name == "names.py"
        for word in OURS.findall(text):
            if ours_are_meant:
                found.add(f"{names.GROUP}/{word}")
        found |= {key for key in THEIRS.findall(text) if key != names.FLAGGER_API_VERSION}
    return found


def test_every_reason_of_an_event_is_explained_and_no_other() -> None:
    said = reasons()
    assert {"PolicyRefused", "NotAdopted", "WaitingForGate", "Orphaned", "CheckFailed"} <= said
    assert cells("events.md", "Events") == said


def test_every_label_and_annotation_is_explained_and_no_other() -> None:
    sections = ("Yours to write", "Labels that rollway writes", "Annotations that rollway writes", "Others")
    told = set().union(*(cells("names.md", title) for title in sections))
    used = keys() - {f"{names.GROUP}/{word}" for word in (names.VERSION, names.MANAGER)}
    assert {names.POLICY, names.FINALIZER, names.APPLIED, names.verb_annotation("approve")} <= used
    assert told - {names.MANAGED_BY, names.FLAGGER_FINALIZER} == used
