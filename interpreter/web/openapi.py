"""The description of the API, OpenAPI 3.1. Pure."""

from __future__ import annotations

from typing import Any

from interpreter.cluster.names import VERBS
from interpreter.state import Phase

_JSON = "application/json"
_PROBLEM = "application/problem+json"
_ANSWERS = {
    "400": "the request cannot be read",
    "401": "no token, or one that is not valid",
    "403": "the cluster does not let this person do that",
    "404": "there is no such rollout",
    "409": "it does not fit the rollout as it stands",
    "415": "the body is not JSON",
    "429": "too many tokens that were not valid",
    "503": "the API server does not answer",
}
_TEXT = {"type": "string"}
_PATH = {
    "kind": {**_TEXT, "enum": ["rollout", "canary"]},
    "namespace": _TEXT,
    "name": _TEXT,
    "verb": {**_TEXT, "enum": list(VERBS)},
}


def document(asked: dict[str, Any]) -> dict[str, Any]:
    """The document; `asked` is the schema of the body of a decision."""
    one = "/api/v1/rollouts/{kind}/{namespace}/{name}"
    return {
        "openapi": "3.1.0",
        "info": {"title": "rollway", "version": "1", "description": "Rollouts of a cluster, and decisions about them."},
        "security": [{"token": []}],
        "paths": {
            "/api/v1/openapi.json": {
                "get": {**_operation("describe", "This document.", {"type": "object"}), "security": []}
            },
            "/api/v1/rollouts": {
                "get": {
                    **_operation("list", "All rollouts, by namespace and name, a page at a time.", _ref("Rollouts")),
                    "parameters": _queries(),
                }
            },
            one: {"get": {**_operation("get", "One rollout.", _ref("Rollout")), "parameters": _in_path(one)}},
            f"{one}/runs": {
                "get": {**_operation("runs", "Its runs, newest first.", _ref("Runs")), "parameters": _in_path(one)}
            },
            f"{one}/{{verb}}": {
                "post": {
                    **_operation("decide", "Decide about it.", _ref("Decided"), "202"),
                    "parameters": _in_path(f"{one}/{{verb}}"),
                    "requestBody": {"required": True, "content": {_JSON: {"schema": _ref("Asked")}}},
                }
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Asked": asked, **_SCHEMAS},
        },
    }


def _operation(name: str, summary: str, schema: dict[str, Any], success: str = "200") -> dict[str, Any]:
    answers: dict[str, Any] = {success: {"description": "fine", "content": {_JSON: {"schema": schema}}}}
    for status, words in _ANSWERS.items():
        answers[status] = {"description": words, "content": {_PROBLEM: {"schema": _ref("Problem")}}}
    if success == "200":
        answers["304"] = {"description": "as the `ETag` in `If-None-Match` has it"}
    return {"operationId": name, "summary": summary, "responses": answers}


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in _PATH.items()
        if f"{{{name}}}" in path
    ]


def _queries() -> list[dict[str, Any]]:
    said = {
        "namespace": (_TEXT, "Only these; without it, of all namespaces."),
        "phase": ({**_TEXT, "enum": [phase.value for phase in Phase]}, "Only those in this phase."),
        "kind": (_PATH["kind"], "Only those of this kind."),
        "name": (_TEXT, "Only those with this in their name."),
        "limit": ({"type": "integer", "minimum": 1, "maximum": 500, "default": 100}, "How many a page."),
        "continue": (_TEXT, "Where the page before ended."),
    }
    return [
        {"name": name, "in": "query", "schema": schema, "description": words} for name, (schema, words) in said.items()
    ]


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_NUMBER = {"type": "number"}
_WHOLE = {"type": "integer"}
_TIME = {"type": "string", "format": "date-time"}
_SCHEMAS: dict[str, Any] = {
    "Rollout": _object(
        ["kind", "namespace", "name"],
        kind={**_TEXT, "enum": ["Rollout", "Canary"]},
        namespace=_TEXT,
        name=_TEXT,
        phase=_TEXT,
        suspended={"type": "boolean"},
        revision=_TEXT,
        primary=_TEXT,
        step=_object(["number"], number=_WHOLE, text=_TEXT, since=_TIME),
        weight=_NUMBER,
        failedChecks=_WHOLE,
        checks=_WHOLE,
        reason=_TEXT,
        problem=_TEXT,
        asked={"type": "array", "items": _TEXT},
        created=_TIME,
        steps={"type": "array", "items": _TEXT},
        run=_ref("Run"),
        possible={"type": "array", "items": _PATH["verb"]},
    ),
    "Rollouts": _object(
        ["items", "total"], items={"type": "array", "items": _ref("Rollout")}, total=_WHOLE, **{"continue": _TEXT}
    ),
    "Run": _object(
        ["name"],
        name=_TEXT,
        number=_WHOLE,
        revision=_TEXT,
        phase=_TEXT,
        outcome=_TEXT,
        reason=_TEXT,
        started=_TIME,
        ended=_TIME,
        weight=_NUMBER,
        log={"type": "array", "items": {"type": "object"}},
    ),
    "Runs": _object(["items"], items={"type": "array", "items": _ref("Run")}),
    "Decided": _object(
        ["verb", "revision", "at", "id", "repeated", "later"],
        verb=_PATH["verb"],
        revision=_TEXT,
        step={"type": "integer", "minimum": 1},
        by=_TEXT,
        reason=_TEXT,
        at=_TIME,
        id=_TEXT,
        repeated={"type": "boolean"},
        later=_TEXT,
    ),
    "Problem": _object(["title", "status"], type=_TEXT, title=_TEXT, status=_WHOLE, detail=_TEXT),
}
