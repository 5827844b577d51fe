"""What the tests of the importer share: a Canary to vary, Flagger's samples, and Canaries made up from its schema."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = Path(os.environ.get("ROLLWAY_REFERENCE", ROOT.parent / "shared" / "reference"))
_PROVIDERS = {
    "unspecified": "istio",
    "gatewayapi(by source)": "gatewayapi:v1",
    "linkerd(by source)": "linkerd",
    "istio(by source)": "istio",
    "kuma(by source)": "kuma",
    "nginx(by source)": "nginx",
}


def canary(
    analysis: dict[str, Any] | None = None, service: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    """A small Canary with some fields replaced; None takes one out."""
    whole: dict[str, Any] = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "provider": "istio",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 9898, **(service or {})},
            "analysis": {"interval": "1m", "threshold": 5, "stepWeight": 10, "maxWeight": 50, **(analysis or {})},
            **spec,
        },
    }
    for holder in (whole["spec"], whole["spec"]["analysis"] or {}, whole["spec"]["service"] or {}):
        for name in [name for name, value in holder.items() if value is None]:
            del holder[name]
    return deepcopy(whole)


class Sample(NamedTuple):
    """One manifest of Flagger's own docs and tests."""

    path: str
    role: str
    kind: str
    provider: str

    def read(self) -> dict[str, Any]:
        data: dict[str, Any] = yaml.safe_load((REFERENCE / "samples" / self.path).read_text(encoding="utf-8"))
        return data


def samples(kind: str, *roles: str) -> list[Sample]:
    """Those of a kind and of some roles; none where no samples are at hand, which the session's summary says."""
    index = REFERENCE / "samples" / "INDEX.tsv"
    if not REFERENCE.is_dir():
        return []
    return [row for row in _rows(index) if row.kind == kind and row.role in roles]


def _rows(index: Path) -> Iterator[Sample]:
    with index.open(encoding="utf-8", newline="") as stream:
        for path, role, kind, _, _, provider, *_ in csv.reader(stream, delimiter="\t"):
            if path.startswith("flagger/"):
                yield Sample(path, role, kind, _PROVIDERS.get(provider, "istio"))


@cache
def schema() -> dict[str, Any]:
    """The schema of a Canary's spec."""
    path = REFERENCE / "crds" / "flagger" / "flagger.app_canaries.yaml"
    if not path.exists():
        pytest.skip("Flagger's definitions are not at hand")
    definition = yaml.safe_load(path.read_text(encoding="utf-8"))
    found: dict[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


_TEXTS = st.one_of(
    st.sampled_from(
        ["a", "x-canary", 'say "hi"', "a\nb", "{{ target }}", "{%", '"""', "\\", "é", "in", "true", "1a", ""]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
)
_SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "interval": st.sampled_from(["1m", "30s", "1s", "90s", "0s", "1mm"]),
    "timeout": st.sampled_from(["5s", "1m", "x", "", "0s"]),
    "perTryTimeout": st.sampled_from(["1s", "500ms", "soon"]),
    "maxAge": st.sampled_from(["24h", 3600, "1m"]),
    "url": st.sampled_from(["http://a.b/", "https://x/y?z=1", "nowhere"]),
    "threshold": st.integers(-1, 20),
    "iterations": st.integers(-1, 12),
    "stepWeight": st.integers(-1, 120),
    "maxWeight": st.integers(0, 100),
    "stepWeights": st.lists(st.integers(1, 100), max_size=6, unique=True).map(sorted),
    "port": st.integers(1, 65535),
}


def of_schema(node: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values that a schema allows, more or less: what it forbids is made too, now and then."""
    if name in _SPECIAL:
        return _SPECIAL[name]
    if "enum" in node:
        return st.sampled_from(node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return st.one_of(st.integers(1, 65535), st.sampled_from(["http", "80", "web-1"]))
    match node.get("type"):
        case "object":
            return _object(node)
        case "array":
            return st.lists(of_schema(node.get("items", {})), max_size=3)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(-2, 300)
        case "number":
            return st.one_of(st.integers(-2, 300), st.floats(-1e3, 1e3))
        case _:
            return _TEXTS


def _object(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" in node:
        fields = {key: of_schema(inner, key) for key, inner in node["properties"].items()}
        required = [key for key in node.get("required", ()) if key in fields]
        return st.fixed_dictionaries(
            {key: fields[key] for key in required},
            optional={key: value for key, value in fields.items() if key not in required},
        )
    more = node.get("additionalProperties", {})
    return st.dictionaries(_TEXTS, of_schema(more) if isinstance(more, dict) else _TEXTS, max_size=3)
