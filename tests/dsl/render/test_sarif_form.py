"""Protects the SARIF form: the parts of the 2.1.0 schema that we use, held to their shape, and identity over time.

The schema here holds what SARIF's own demands of these objects (required properties, kinds, bounds) and refuses any
property that is not SARIF's, which is how a misspelt one would go unnoticed elsewhere.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from dsl import catalogue
from dsl.catalogue import Page
from dsl.diagnostics import Diagnostic, Severity
from dsl.render.sarif import render
from dsl.source import Source, Span


def shape(required: str, optional: str = "", **kinds: Any) -> dict[str, Any]:
    names = [*required.split(), *optional.split()]
    return {
        "type": "object",
        "required": required.split(),
        "properties": {name: kinds.get(name, {"type": "string"}) for name in names},
        "additionalProperties": False,
    }


def many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


FROM_ONE = {"type": "integer", "minimum": 1}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
URI = {"type": "string", "pattern": r"^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*$"}
MESSAGE = shape("text", "markdown")
ARTIFACT = shape("uri", uri=URI)
REGION = shape(
    "startLine", "startColumn endLine endColumn", startLine=FROM_ONE, startColumn=FROM_ONE, endLine=FROM_ONE,
    endColumn=FROM_ONE,
)  # fmt: skip
PHYSICAL = shape("artifactLocation region", artifactLocation=ARTIFACT, region=REGION)
LOCATION = shape(
    "physicalLocation", "id message", physicalLocation=PHYSICAL, id={"type": "integer", "minimum": 0}, message=MESSAGE
)
REPLACEMENT = shape("deletedRegion", "insertedContent", deletedRegion=REGION, insertedContent=shape("text"))
CHANGE = shape(
    "artifactLocation replacements", artifactLocation=ARTIFACT, replacements={**many(REPLACEMENT), "minItems": 1}
)
FIX = shape("artifactChanges", "description", description=MESSAGE, artifactChanges={**many(CHANGE), "minItems": 1})
RESULT = shape(
    "message", "ruleId ruleIndex level locations relatedLocations partialFingerprints fixes",
    message=MESSAGE, ruleIndex={"type": "integer", "minimum": 0}, level=LEVEL, locations=many(LOCATION),
    relatedLocations=many(LOCATION), fixes=many(FIX),
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
)  # fmt: skip
RULE = shape(
    "id", "name shortDescription fullDescription help helpUri defaultConfiguration properties",
    shortDescription=MESSAGE, fullDescription=MESSAGE, help=MESSAGE, helpUri=URI,
    defaultConfiguration=shape("level", level=LEVEL),
    properties=shape("tags", tags={**many({"type": "string"}), "uniqueItems": True}),
)  # fmt: skip
DRIVER = shape("name", "informationUri rules semanticVersion", informationUri=URI, rules=many(RULE))
RUN = shape(
    "tool", "columnKind artifacts results", tool=shape("driver", driver=DRIVER), results=many(RESULT),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]}, artifacts=many(shape("location", location=ARTIFACT)),
)  # fmt: skip
LOG = shape("version runs", "$schema", version={"const": "2.1.0"}, runs=many(RUN))


def log(*diagnostics: Diagnostic, files: tuple[str, ...] = ("checkout.rollout",)) -> Any:
    data = json.loads(render(diagnostics, files))
    Draft202012Validator(LOG).validate(data)
    return data


def results(*diagnostics: Diagnostic) -> Any:
    return log(*diagnostics)["runs"][0]["results"]


def prints(*diagnostics: Diagnostic) -> list[str]:
    return [result["partialFingerprints"]["rollway/v1"] for result in results(*diagnostics)]


def test_the_schema_here_refuses_what_is_not_sarif() -> None:
    assert not Draft202012Validator(LOG).is_valid({"version": "2.1.0", "runs": [{"tool": {"driver": {"nam": "x"}}}]})


def test_a_whole_result(units: Diagnostic) -> None:
    [result] = results(units)
    place = result["locations"][0]["physicalLocation"]
    assert result["ruleId"] == "RW203"
    assert result["level"] == "error"
    assert place["artifactLocation"]["uri"] == "checkout.rollout"
    assert place["region"] == {"startLine": 3, "startColumn": 13, "endLine": 3, "endColumn": 26}
    assert result["message"]["text"].splitlines()[0] == units.message
    assert [one["message"]["text"] for one in result["relatedLocations"]] == ["a share", "named here"]
    [replacement] = result["fixes"][0]["artifactChanges"][0]["replacements"]
    assert replacement["insertedContent"]["text"] == "500ms"


def test_levels_and_rules(units: Diagnostic, warning: Diagnostic, hint: Diagnostic) -> None:
    run = log(hint, warning, units)["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == ["RW203", "RW301", "RW701"]
    assert [result["level"] for result in run["results"]] == ["note", "warning", "error"]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])


def test_rules_have_their_page(units: Diagnostic, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page("RW203", "units-do-not-match", Severity.ERROR, "units differ", "Because.", "wrong\n", "right\n")
    monkeypatch.setattr(catalogue, "page", lambda code: page)
    [rule] = log(units)["runs"][0]["tool"]["driver"]["rules"]
    assert rule["name"] == "UnitsDoNotMatch"
    assert rule["shortDescription"] == {"text": "units differ"}
    assert "```rollout\nwrong\n```" in rule["help"]["markdown"]
    assert rule["properties"]["tags"] == ["types, units and fields"]


def test_a_finding_keeps_its_identity_when_lines_move(hint: Diagnostic) -> None:
    source = hint.span.source
    lower = Source(source.name, "# a new first line\n\n" + source.text)
    shift = len(lower.text) - len(source.text)
    moved = hint._replace(span=Span(lower, hint.span.start + shift, hint.span.end + shift))
    assert prints(hint) == prints(moved)


def test_different_findings_have_different_identities(hint: Diagnostic, units: Diagnostic) -> None:
    assert len(set(prints(hint, hint, units))) == 3


def test_paths_are_uris(hint: Diagnostic) -> None:
    def uri(name: str) -> Any:
        named = hint._replace(span=hint.span._replace(source=Source(name, hint.span.source.text)))
        return log(named, files=(name,))["runs"][0]["artifacts"][0]["location"]["uri"]

    assert uri("my policies/a#b.rollout") == "my%20policies/a%23b.rollout"
    assert uri("/srv/ä.rollout") == "file:///srv/%C3%A4.rollout"
    assert uri("<stdin>") == "%3Cstdin%3E"


def test_nothing_found_is_a_run_without_results() -> None:
    run = log()["runs"][0]
    assert run["results"] == []
    assert len(run["artifacts"]) == 1
