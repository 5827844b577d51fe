"""The commands that people wait for must not load what they do not need.

`lint`, `fmt` and `plan` never load a cluster client, an HTTP client or a provider's SDK, and `lint` is held to less
still. Each command runs in a process of its own, and tells what it had loaded when it ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
POLICY = str(ROOT / "examples" / "canary.rollout")
CLIENTS = {"aiohttp", "boto3", "botocore", "google", "httpx", "kubernetes", "prometheus_api_client", "requests"}
HEAVY = {"asyncio", "lark", "pydantic", "rich", "structlog"}

PROBE = """
import json, sys
from rollway.__main__ import main
try:
    status = main(sys.argv[1:])
except SystemExit as end:
    status = end.code or 0
print(json.dumps([status, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    status, modules = json.loads(done.stderr.splitlines()[-1])
    assert status == 0, done.stdout + done.stderr
    return set(modules)


@pytest.mark.parametrize("arguments", [("lint", POLICY), ("fmt", "--check", POLICY), ("plan", POLICY)])
def test_no_client_of_anything_is_loaded(arguments: tuple[str, ...]) -> None:
    assert not loaded_by(*arguments) & CLIENTS


def test_lint_loads_nothing_that_is_slow_to_load() -> None:
    assert not loaded_by("lint", POLICY) & HEAVY


PROVIDERS_PROBE = """
import json, sys
from interpreter.providers.registry import PROVIDERS, Providers
made = Providers()
before = set(sys.modules)
sorted(made)
made[sys.argv[1]]
print(json.dumps([sorted(before), sorted(set(sys.modules) - before)]))
"""


def test_a_provider_costs_nothing_until_it_is_used() -> None:
    """The table of providers loads none of them; the first one that is used loads itself, and no other's library."""
    done = subprocess.run(
        [sys.executable, "-c", PROVIDERS_PROBE, "graphite"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    before, after = json.loads(done.stdout)
    providers = {"interpreter.providers.registry", "interpreter.providers.provider", "interpreter.providers"}
    assert {name for name in before if name.startswith("interpreter.providers")} == providers
    assert not {name.partition(".")[0] for name in before} & CLIENTS
    assert "interpreter.providers.graphite" in after
    assert not {name.partition(".")[0] for name in after} & (CLIENTS - {"httpx"})
    assert not {f"interpreter.providers.{name}" for name in ("prometheus", "cloudwatch", "google", "amazon")} & set(
        after
    )


@pytest.mark.parametrize("name", ["cloudwatch", "stackdriver", "prometheus"])
def test_a_clouds_library_is_loaded_by_its_first_question(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROVIDERS_PROBE, name], cwd=ROOT, capture_output=True, text=True, check=True
    )
    _, after = json.loads(done.stdout)
    assert not {one.partition(".")[0] for one in after} & (CLIENTS - {"httpx"})
