"""What people are shown of a rollout, as data for scripts: the same for a Rollout and for a Canary. What there is
nothing to say of is left out; weights are in percent, times in RFC 3339."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from dsl.ir import Program
from interpreter.desired import Instant
from interpreter.state import CheckRecord
from rollway.cluster import now
from rollway.cluster.shown import CANARY, RunShown, Shown


class Output(StrEnum):
    """The forms in which something can be had."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def written(value: Any, output: Output) -> str:
    """The value as JSON or YAML."""
    if output is Output.YAML:
        import yaml

        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def name(one: Shown) -> str:
    """As `kubectl -o name` has it."""
    return f"{'canary.flagger.app' if one.kind == CANARY else 'rollout.rollway.dev'}/{one.name}"


def brief(one: Shown) -> dict[str, Any]:
    """One rollout as a row of the table has it."""
    place = one.place
    step = place and _present(number=place.pc + 1, text=place.text, since=_time(place.since))
    return _present(
        kind=one.kind,
        namespace=one.namespace,
        name=one.name,
        phase=one.phase,
        suspended=one.suspended or None,
        deleting=one.deleting or None,
        revision=one.revision,
        primary=one.primary,
        step=step,
        weight=one.weight,
        failedChecks=one.failed,
        checks=one.iterations,
        reason=one.reason,
        problem=one.problem,
        asked=list(one.asked),
        created=_time(one.created),
    )


def whole(one: Shown, program: Program | None) -> dict[str, Any]:
    """One rollout as its page has it."""
    steps = [span.text for span in program.spans] if program is not None else None
    return brief(one) | _present(
        steps=steps,
        run=one.run and record(one.run),
        lastCheck=_check(one.check),
        possible=list(now.verbs(one, program)),
    )


def record(run: RunShown) -> dict[str, Any]:
    """One run with all that is kept of it."""
    return summary(run) | _present(
        lastCheck=_check(run.check),
        log=[
            _present(at=_time(entry.at_ms), step=entry.step + 1, weight=entry.weight, what=entry.what, text=entry.text)
            for entry in run.log
        ],
    )


def summary(run: RunShown) -> dict[str, Any]:
    """One run as a row of the history has it."""
    return _present(
        name=run.name,
        number=run.number,
        revision=run.revision,
        phase=run.phase,
        outcome=run.outcome,
        reason=run.reason,
        started=_time(run.started),
        ended=_time(run.ended),
        weight=run.weight,
        highestWeight=run.highest,
        failedChecks=run.failed,
        checks=run.iterations,
    )


def _check(record: CheckRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    results = [
        _present(text=one.words, verdict=one.verdict.value, values=dict(one.values), detail=one.detail)
        for one in record.results
    ]
    return {"at": _time(record.at_ms), "verdict": record.verdict.value, "results": results}


def _time(at: Instant | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z")


def _present(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}
