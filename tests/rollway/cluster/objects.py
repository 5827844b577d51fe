"""Objects as the interpreter writes them, for commands to be shown."""

from __future__ import annotations

from functools import cache
from typing import Any

from dsl import ir_json
from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from interpreter.cluster.names import API_VERSION, FLAGGER_API_VERSION, MANAGED_BY, MANAGER, NUMBER, OWNER_KIND, ROLLOUT
from interpreter.objects import Manifest

POLICY = """\
import "std/http"

rollout {name} in {namespace} {{
  target  deployment/{name}
  service {{ port 80 }}
  traffic istio
  analysis {{ every 1m; tolerate 3 failures; require success_rate >= 99%; require latency(0.99) <= 500ms }}
  steps {{
    ramp 10% to 50% by 20%
    wait for approval
    promote
  }}
}}
"""
WAITS = 6
"""The number of `wait for approval` among the instructions, from 0."""
OUTCOMES = {"Succeeded": "promoted", "Failed": "rolled_back"}


@cache
def program(name: str = "checkout", namespace: str = "shop") -> Program:
    compilation = compile_source(Source("checkout.rollout", POLICY.format(name=name, namespace=namespace)))
    assert not compilation.has_errors, compilation.diagnostics
    return compilation.rollouts[0].program


def rollout(
    name: str = "checkout",
    namespace: str = "shop",
    phase: str = "Progressing",
    *,
    uid: str = "u1",
    step: int | None = 3,
    revision: str = "ff87463d6c",
    number: int = 2,
    **status: Any,
) -> Manifest:
    spans = program(name, namespace).spans
    said: dict[str, Any] = {
        "phase": phase,
        "conditions": [],
        "revision": revision,
        "run": f"{name}-{number}",
        "weight": 30.0 if phase == "Progressing" else 0.0,
        "failedChecks": 1,
        "iterations": 4,
        "reason": "",
        "lastAppliedSpec": revision,
        "lastPromotedSpec": "0a1b2c3d4e",
    }
    if step is not None:
        said["step"] = {"index": step, "text": spans[step].text, "since": "2026-11-23T10:05:00Z"}
    return {
        "apiVersion": API_VERSION,
        "kind": "Rollout",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "creationTimestamp": "2026-11-21T09:00:00Z",
        },
        "spec": {"source": POLICY.format(name=name, namespace=namespace)},
        "status": {**said, **status},
    }


def canary(name: str = "cart", namespace: str = "shop", phase: str = "Succeeded", *, uid: str = "u9") -> Manifest:
    return {
        "apiVersion": FLAGGER_API_VERSION,
        "kind": "Canary",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "creationTimestamp": "2026-11-23T09:00:00Z",
        },
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "service": {"port": 80},
            "analysis": {"interval": "1m", "threshold": 5, "maxWeight": 50, "stepWeight": 10},
        },
        "status": {
            "phase": phase,
            "canaryWeight": 0,
            "failedChecks": 0,
            "iterations": 0,
            "lastAppliedSpec": "68d5b9c6f8",
            "lastPromotedSpec": "68d5b9c6f8",
            "lastTransitionTime": "2026-11-23T10:00:00Z",
        },
    }


CHECK = {
    "at": "2026-11-23T10:06:00Z",
    "verdict": "fail",
    "results": [
        {"text": "success_rate >= 99%", "verdict": "pass", "values": {"success_rate": "99.8%"}},
        {"text": "latency(0.99) <= 500ms", "verdict": "fail", "values": {"latency(0.99)": "740ms"}},
    ],
}
LOG = [
    {"at": "2026-11-23T10:00:00Z", "step": -1, "weight": 0, "what": "NewRevision", "text": "the rollout begins"},
    {"at": "2026-11-23T10:01:00Z", "step": 0, "weight": 10, "what": "TrafficRouted", "text": "canary weight 10%"},
    {"at": "2026-11-23T10:05:00Z", "step": 2, "weight": 30, "what": "TrafficRouted", "text": "canary weight 30%"},
    {"at": "2026-11-23T10:06:00Z", "step": 3, "weight": 30, "what": "CheckFailed", "text": "latency(0.99) is 740ms"},
]


def run(
    owner: Manifest, number: int = 2, phase: str = "Progressing", *, step: int = 3, outcome: str = "", **status: Any
) -> Manifest:
    metadata = owner["metadata"]
    made = program(metadata["name"], metadata["namespace"])
    said: dict[str, Any] = {
        "phase": phase,
        "weight": 30.0 if not outcome else 0.0,
        "step": {"index": step, "text": made.spans[step].text, "since": "2026-11-23T10:05:00Z"},
        "failedChecks": 1,
        "iterations": 4,
        "startedAt": "2026-11-23T10:00:00Z",
        "lastCheck": CHECK,
        "log": LOG,
    }
    if outcome:
        said |= {"outcome": outcome, "endedAt": "2026-11-23T10:08:30Z"}
    return {
        "apiVersion": API_VERSION,
        "kind": "RolloutRun",
        "metadata": {
            "name": f"{metadata['name']}-{number}",
            "namespace": metadata["namespace"],
            "labels": {
                MANAGED_BY: MANAGER,
                ROLLOUT: metadata["name"],
                OWNER_KIND: owner["kind"],
                NUMBER: str(number),
            },
        },
        "spec": {
            "owner": {"kind": owner["kind"], "name": metadata["name"], "uid": metadata["uid"]},
            "number": number,
            "revision": "ff87463d6c",
            "digest": ir_json.digest(made),
            "program": ir_json.to_data(made),
        },
        "status": {**said, **status},
    }
