"""Protects the whole of the linter: its list of codes, the examples it leaves in peace, and what it needs to run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dsl import catalogue, rules
from dsl.compilation import Compilation
from dsl.compiler import compile_file, compile_source
from dsl.diagnostics import Severity
from dsl.parser import parse
from dsl.rules.context import collect
from dsl.rules.severities import SEVERITIES
from dsl.source import Source
from dsl.syntax import File

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.rollout"))
STANDARD = sorted((ROOT / "stdlib" / "std").glob("*.rollout"))


@pytest.mark.parametrize("code", sorted(SEVERITIES))
def test_the_page_says_the_same_severity(code: str) -> None:
    page = catalogue.page(code)
    assert page is not None
    assert page.severity is SEVERITIES[code]


@pytest.mark.parametrize("path", EXAMPLES + STANDARD, ids=lambda path: path.stem)
def test_examples_and_library_have_no_finding(path: Path) -> None:
    grave = [one for one in compile_file(path).diagnostics if one.severity is not Severity.HINT]
    assert [(one.code, one.message, one.span.text) for one in grave] == []


def test_the_rules_run_on_a_tree_without_programs() -> None:
    text = "rollout checkout in shop {\n  steps { promote; hold 5m }\n}\n"
    compiled = compile_source(Source("test.rollout", text), lint=False)
    assert compiled.rollouts == ()
    assert [one.code for one in rules.run(compiled)] == ["RW330"]


def test_the_rules_run_on_nothing() -> None:
    source = Source("empty.rollout", "")
    file = compile_source(source, lint=False).file
    assert isinstance(file, File)
    assert rules.run(Compilation(file, {}, (), (), ())) == []


def test_a_tree_is_collected_whole_and_in_order() -> None:
    text = 'let a = 1 + 2\nlet b = [3, "x"]\n'
    nodes = collect(compile_source(Source("test.rollout", text), lint=False).file.declarations)
    by_name = {kind.__name__: [node.span.text for node in found] for kind, found in nodes.items()}
    assert by_name == {
        "Let": ["let a = 1 + 2", 'let b = [3, "x"]'],
        "Chain": ["1 + 2"],
        "Number": ["1", "2", "3"],
        "ListOf": ['[3, "x"]'],
        "String": ['"x"'],
    }


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"let a{i} = a{i + 1} + a{i + 1}\n" for i in range(60)) + "let a60 = 1\n",
        "".join(f"strategy s{i} {{ follow s{i + 1}; follow s{i + 1} }}\n" for i in range(60)),
        "let a = b\nlet b = a\nanalysis x { every a; require a < b }\n",
        "strategy s { follow s; promote }\n",
    ],
    ids=["constants", "strategies", "constants in a circle", "strategy in a circle"],
)
def test_names_that_multiply_take_no_time(text: str) -> None:
    compiled = Compilation(parse(Source("test.rollout", text)).file, {}, (), (), ())
    began = time.process_time()
    rules.run(compiled)
    assert time.process_time() - began < 1
