"""Protects the form of the API server's question and of our answer."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreter.admission.review import LONGEST_WARNING, MOST_WARNINGS, NoReview, Verdict, answer, read

KIND = {"group": "rollway.dev", "version": "v1alpha1", "kind": "Rollout"}
ASKED = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "u1",
        "kind": KIND,
        "namespace": "shop",
        "name": "web",
        "operation": "UPDATE",
        "userInfo": {"username": "anna"},
        "object": {"metadata": {"name": "web"}, "spec": {"source": "new"}},
        "oldObject": {"metadata": {"name": "web"}, "spec": {"source": "old"}},
    },
}


def test_a_question() -> None:
    request = read(ASKED)
    assert (request.uid, request.operation, request.who) == ("u1", "UPDATE", "anna")
    assert request.ref == ("rollway.dev/v1alpha1", "Rollout", "shop", "web")
    assert request.object["metadata"] == {"name": "web", "namespace": "shop"}
    assert request.old["spec"] == {"source": "old"}


def test_a_deletion_has_no_object() -> None:
    request = read({**ASKED, "request": {**ASKED["request"], "operation": "DELETE", "object": None}})  # type: ignore[dict-item]
    assert request.object["metadata"] == {"namespace": "shop"}


@pytest.mark.parametrize(
    "body",
    [None, [], "text", {}, {**ASKED, "kind": "Pod"}, {**ASKED, "apiVersion": "admission.k8s.io/v1beta1"},
     {**ASKED, "request": None}, {**ASKED, "request": {"uid": "", "operation": "CREATE", "kind": KIND}}],
)  # fmt: skip
def test_what_is_no_question(body: object) -> None:
    with pytest.raises(NoReview):
        read(body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(ASKED["request"])), _json))  # type: ignore[call-overload]
def test_nothing_but_a_refusal_comes_of_nonsense(changes: dict[str, object]) -> None:
    with contextlib.suppress(NoReview):
        read({**ASKED, "request": {**ASKED["request"], **changes}})  # type: ignore[dict-item]


def test_answers() -> None:
    assert answer("u1", Verdict())["response"] == {"uid": "u1", "allowed": True}
    refused = answer("u1", Verdict(("one is wrong",)))["response"]
    assert refused["allowed"] is False
    assert refused["status"] == {"code": 422, "reason": "Invalid", "message": "one is wrong"}
    assert answer("u1", Verdict(("one", "two")))["response"]["status"]["message"] == "\n  one\n  two"


def test_warnings_are_no_longer_than_the_api_server_takes() -> None:
    told = answer("u1", Verdict((), ("x " * 400,) * 40))["response"]["warnings"]
    assert len(told) == MOST_WARNINGS
    assert all(len(one) <= LONGEST_WARNING for one in told)
    assert "\n" not in answer("u1", Verdict((), ("a\nb",)))["response"]["warnings"][0]
