"""The API server's question, and our answer: `AdmissionReview` of `admission.k8s.io/v1`. Pure.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ has the form. A warning is
shown by kubectl; the API server cuts it at 256 characters, and all of them at 4096.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from interpreter.objects import Manifest, Ref

API_VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
LONGEST_WARNING = 250
MOST_WARNINGS = 15


class NoReview(ValueError):
    """The body is no question of the API server's. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be done to which object. `old` is what there is, `object` what there would be; both as the API server
    has them, with the namespace put in. `who` is the name of the user."""

    uid: str
    operation: str
    ref: Ref
    object: Manifest
    old: Manifest
    who: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problems` refuse, `warnings` do not. Sentences for people."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


FINE = Verdict()


def read(body: object) -> Request:
    """Raises `NoReview`."""
    if not isinstance(body, Mapping) or body.get("apiVersion") != API_VERSION or body.get("kind") != KIND:
        raise NoReview(f"the body is no {KIND} of {API_VERSION}")
    asked = body.get("request")
    if not isinstance(asked, Mapping):
        raise NoReview(f"the {KIND} has no request")
    uid, operation, kind = asked.get("uid"), asked.get("operation"), asked.get("kind")
    if not (isinstance(uid, str) and uid and isinstance(operation, str) and isinstance(kind, Mapping)):
        raise NoReview("the request lacks its uid, operation or kind")
    namespace = str(asked.get("namespace") or "")
    manifest, old = (_manifest(asked.get(key), kind, namespace) for key in ("object", "oldObject"))
    name = str(asked.get("name") or manifest["metadata"].get("name") or "")
    ref = Ref(_api_version(kind), str(kind.get("kind", "")), namespace, name)
    user = asked.get("userInfo")
    who = str(user.get("username", "")) if isinstance(user, Mapping) else ""
    return Request(uid, operation, ref, manifest, old, who)


def answer(uid: str, verdict: Verdict) -> dict[str, Any]:
    """The JSON of the answer."""
    response: dict[str, Any] = {"uid": uid, "allowed": not verdict.problems}
    if verdict.problems:
        response["status"] = {"code": 422, "reason": "Invalid", "message": _lines(verdict.problems)}
    if verdict.warnings:
        response["warnings"] = [_short(warning) for warning in verdict.warnings[:MOST_WARNINGS]]
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


def _manifest(value: object, kind: Mapping[str, Any], namespace: str) -> Manifest:
    """With all that readers of manifests rely on; of an object that is not there, nothing else."""
    given = dict(value) if isinstance(value, Mapping) else {}
    metadata = given.get("metadata")
    held = dict(metadata) if isinstance(metadata, Mapping) else {}
    if namespace:
        held["namespace"] = namespace
    return {"apiVersion": _api_version(kind), "kind": kind.get("kind", ""), **given, "metadata": held}


def _api_version(kind: Mapping[str, Any]) -> str:
    group, version = str(kind.get("group") or ""), str(kind.get("version") or "")
    return f"{group}/{version}" if group else version


def _lines(problems: Sequence[str]) -> str:
    """One problem stands in the line; several each have their own."""
    return problems[0] if len(problems) == 1 else "".join(f"\n  {problem}" for problem in problems)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= LONGEST_WARNING else f"{plain[: LONGEST_WARNING - 1]}…"
