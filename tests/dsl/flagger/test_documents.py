"""YAML by places: what Kubernetes would read is read the same, and what is hostile is refused in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsl.flagger.documents import Document, read_documents
from dsl.flagger.importer import import_documents
from dsl.source import Source
from tests.dsl.flagger.manifests import canary

LIST = "kind: List\nitems:\n  - kind: A\n    spec: {x: [1, {y: z}]}\n  - kind: B\n"


def one(text: str) -> Document:
    documents, troubles = read_documents(Source("x.yaml", text))
    assert troubles == ()
    (document,) = documents
    return document


def said(text: str) -> tuple[str, str]:
    """What is wrong with a text, and the words at that place."""
    _, (trouble,) = read_documents(Source("x.yaml", text))
    assert trouble.code == "RW903"
    return trouble.message, trouble.span.text


def test_fields_have_places() -> None:
    document = one("spec:\n  metrics:\n    - name: a\n      interval: 1m\n")
    assert document.place("spec.metrics[0].interval").begin == (4, 7)
    assert document.place("spec.metrics[0].thresholdRange").begin == (3, 7)
    assert document.place("spec.metrics[3].name").begin == (2, 3)
    assert document.place("metadata.name").begin == (1, 1)


def test_scalars_are_what_kubernetes_takes_them_for() -> None:
    data = one('a: 1\nb: "1"\nc: 1.5\nd: true\ne: null\nf: 2020-01-01\ng: 12:30:00\nh: !!python/object:os.x y\n').data
    assert data == {
        "a": 1,
        "b": "1",
        "c": 1.5,
        "d": True,
        "e": None,
        "f": "2020-01-01",
        "g": "12:30:00",
        "h": "y",
    }


def test_several_documents_and_lists() -> None:
    documents, troubles = read_documents(Source("x.yaml", f"---\n{LIST}---\n---\nkind: C\n"))
    assert troubles == ()
    assert [document.data["kind"] for document in documents] == ["A", "B", "C"]
    assert documents[0].place("spec.x[1].y").text == "y"


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("a: 1\nb: 2\na: 3\n", "`a` stands twice", "a"),
        ("a: [1\nb: 2\n", "this is not YAML: ", ""),
        ("just words", "this is no object of Kubernetes", "just words"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "`<<` is not understood here", "<<"),
        ("a: &a [*a]\n", "this YAML is too large, or nested too deeply", ""),
        ("? [1]\n: 2\n", "the name of a field is no text", "[1]"),
        ("a: \x01\n", "this is not YAML: ", ""),
        ("a: " + "[" * 3000 + "]" * 3000, "this YAML is", ""),
    ],
)
def test_what_cannot_be_read(text: str, message: str, at: str) -> None:
    words, place = said(text)
    assert words.startswith(message)
    assert place.startswith(at)


def test_aliases_cannot_make_much_of_little() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
    assert said(text)[0] == "this YAML is too large, or nested too deeply"


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("a:b- \n[]{},'\"&*!|>#?%@`\t1\x00\ud800"), max_size=40))
def test_no_text_is_a_crash(text: str) -> None:
    read_documents(Source("x.yaml", text))


def test_objects_of_other_groups_are_passed_over() -> None:
    documents, _ = read_documents(Source("x.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"))
    found = import_documents(documents)
    assert (found.text, found.diagnostics) == ("", ())


def test_canaries_of_one_file_share_what_they_have_in_common() -> None:
    hooks = {"webhooks": [{"name": "load", "url": "http://l/"}]}
    other = {"webhooks": [{"name": "load", "url": "http://other/"}]}
    manifests = [canary(hooks), canary(hooks), canary(other)]
    for index, manifest in enumerate(manifests):
        manifest["metadata"]["name"] = f"c{index}"
    found = import_documents([Document(manifest, {"": _nowhere()}) for manifest in manifests])
    assert found.text.count("webhook load {") == 1
    assert found.text.count("webhook load_2 {") == 1
    assert found.compilation is not None
    used = [list(rollout.program.webhooks) for rollout in found.compilation.rollouts]
    assert used == [["load"], ["load"], ["load_2"]]


def _nowhere() -> object:
    from dsl.source import Span

    return Span(Source("x.yaml", ""), 0, 0)
