"""Protects the manifest: whatever the policy's text, YAML's own reader gets it back unchanged."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rollway.manifest import manifest, scalar

POLICY = 'rollout a in b {\n  target deployment/a\n\n  # "quoted": #yes\n}\n'
ODD = [
    "",
    "\n",
    "\n\n",
    " ",
    "x",
    "x\n",
    "x\n\n\n",
    "\n\nx\n",
    "  x\n y\n",
    "\tx\n",
    "x\n\t\n  \n",
    "x   \n",
    "x\n   ",
    "# x\n",
    "---\nx: y\n...\n",
    "x\r\ny\r\n",
    "\ufeffx\n",
    "a\u2028b\u2029c\u0085d\n",
    "a\x00b\x1b\x7f\x80\n",
    "日本 😀\n",
    "%TAG\n",
    "'\"\\\n",
]


def read(name: str, namespace: str, source: str) -> object:
    return yaml.safe_load(manifest(name, namespace, source))


def expected(name: str, namespace: str, source: str) -> object:
    return {
        "apiVersion": "rollway.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"source": source},
    }


def test_a_policy_reads_as_it_was_written() -> None:
    assert manifest("a", "b", POLICY) == (
        "apiVersion: rollway.dev/v1alpha1\n"
        "kind: Rollout\n"
        "metadata:\n"
        "  name: a\n"
        "  namespace: b\n"
        "spec:\n"
        "  source: |\n"
        "    rollout a in b {\n"
        "      target deployment/a\n"
        "\n"
        '      # "quoted": #yes\n'
        "    }\n"
    )


@pytest.mark.parametrize("source", [POLICY, *ODD])
def test_every_text_comes_back(source: str) -> None:
    assert read("a", "b", source) == expected("a", "b", source)


@given(st.text(st.sampled_from("ax \t\n\n#:-|\"'\\{\r\x00\x85\u2028\ufeff日😀")))
def test_every_mixture_comes_back(source: str) -> None:
    assert read("a", "b", source) == expected("a", "b", source)


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_text_comes_back(source: str) -> None:
    assert read("a", "b", source) == expected("a", "b", source)


@pytest.mark.parametrize("name", ["check-out", "a.b", "true", "null", "on", "123", "1e3", "0x1", "_", "no", "~", "-"])
def test_every_name_is_a_string(name: str) -> None:
    assert yaml.safe_load(scalar(name)) == name


def test_several_are_a_stream_of_documents() -> None:
    stream = "---\n".join(manifest(name, "shop", source) for name, source in [("a", "x\n\n\n"), ("b", "y"), ("c", "")])
    assert list(yaml.safe_load_all(stream)) == [
        expected("a", "shop", "x\n\n\n"),
        expected("b", "shop", "y"),
        expected("c", "shop", ""),
    ]
