"""Protects the Programs of the examples, byte for byte. After a change of meaning, write them anew and read the
difference:

    REGENERATE=1 pytest tests/dsl/meaning/test_programs.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dsl import ir_json
from dsl.compiler import compile_source
from dsl.diagnostics import Severity
from dsl.source import Source

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.rollout"))
GOLDEN = Path(__file__).with_name("programs")


def programs(example: Path) -> dict[str, object]:
    source = Source(f"examples/{example.name}", example.read_text(encoding="utf-8"))
    compilation = compile_source(source)
    assert not [d for d in compilation.diagnostics if d.severity is not Severity.HINT]
    return {
        rollout.program.name: {"digest": ir_json.digest(rollout.program), **ir_json.to_data(rollout.program)}
        for rollout in compilation.rollouts
    }


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_an_example_compiles_to_the_same_program(example: Path) -> None:
    golden = GOLDEN / f"{example.stem}.json"
    found = json.dumps(programs(example), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("REGENERATE"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_a_program_survives_its_own_json(example: Path) -> None:
    compilation = compile_source(Source(example.name, example.read_text(encoding="utf-8")), lint=False)
    for rollout in compilation.rollouts:
        assert ir_json.from_json(ir_json.to_json(rollout.program)) == rollout.program
        assert len(rollout.places) == len(rollout.program.code) == len(rollout.program.spans)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_all_jumps_go_forward_and_stay_inside(example: Path) -> None:
    compilation = compile_source(Source(example.name, example.read_text(encoding="utf-8")), lint=False)
    for rollout in compilation.rollouts:
        for index, instruction in enumerate(rollout.program.code):
            if instruction.op == "branch":
                assert index < instruction.target < len(rollout.program.code)


def test_compiling_twice_gives_the_same_bytes() -> None:
    example = next(e for e in EXAMPLES if e.stem == "everything")
    assert json.dumps(programs(example)) == json.dumps(programs(example))
