"""Protects that the policies of Flagger's users need no change: every task of its samples is one that the tester runs
as it comes, without a shell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from interpreter.tester.allowed import Allowed
from interpreter.tester.kinds.registry import plan_of
from interpreter.tester.payload import Payload
from tests.dsl.flagger.manifests import REFERENCE


def tasks() -> Iterator[dict[str, str]]:
    for path in sorted((REFERENCE / "samples" / "flagger").rglob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if isinstance(document, dict) and document.get("kind") == "Canary":
                spec = document["spec"]
                hooks = (spec.get("analysis") or spec.get("canaryAnalysis") or {}).get("webhooks", [])
                yield from (hook["metadata"] for hook in hooks if "cmd" in hook.get("metadata", {}))


def test_every_task_of_the_samples_is_run() -> None:
    found = list(tasks())
    if not found:
        pytest.skip("Flagger's samples are not here")
    for metadata in found:
        plan = plan_of(Payload("podinfo", "test", metadata), None)
        Allowed().check(plan.programs, line=plan.line)
        assert plan.shell == "", metadata
    assert len(found) > 100
