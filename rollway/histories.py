"""The history of one run: who, what, when, the steps, the checks with their values, and what came of it. Pure.

It is made from what a `RolloutRun` keeps, or from the journal of a run on this machine, and is written as JSON in the
form `rollway.dev/history/1` (docs/reference/history.md), from which the same history is read again. Times are RFC 3339
in UTC, shares of traffic percent, steps count from 1, values of checks are in base units.

Who did something is told by the approvals that the run keeps, and, of the other verbs, by the words of its log. Who
changed the target is told by the field managers of its images, where they still speak of this run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter import series
from interpreter.desired import Instant
from interpreter.objects import Manifest
from interpreter.state import CheckSeries, Entry
from rollway.cluster.reading import instant, items, mapping, number, text, whole
from rollway.cluster.shown import Deed, RunShown, check_read
from rollway.run_charts import levels

FORMAT = "rollway.dev/history/1"

_VERBS = {
    "Approved": "approve",
    "Paused": "pause",
    "Resumed": "resume",
    "Retried": "retry",
    "RolledBack": "abort",
    "Promoting": "promote",
}
_DONE_BY = re.compile(
    r"\b(?:approved|paused|resumed|aborted|tried again|promoted by hand) by (?P<by>.+?)"
    r"(?: \((?P<via>[a-z ]+)\))?(?: at [\d.]+%)?(?:: (?P<reason>.*))?$"
)


class HistoryError(ValueError):
    """A text that is no history of a form that is known here; the message says what is wrong."""


class StepTaken(NamedTuple):
    """A step of the policy that left a trace. `number` counts from 1; `begun` is its first trace, `ended` that of the
    next one, or the end of the run."""

    number: int
    text: str
    begun: Instant
    ended: Instant | None


class Change(NamedTuple):
    """Who changed the target's image: the field manager, and when."""

    manager: str
    at: Instant | None


class History(NamedTuple):
    """See the module's docstring. `policy` is the text of the policy, as it reads now; empty where it is not known."""

    kind: str
    namespace: str
    name: str
    run: RunShown
    steps: tuple[StepTaken, ...]
    deeds: tuple[Deed, ...]
    images: tuple[str, ...] = ()
    changed: Change | None = None
    policy: str = ""

    @property
    def spoken(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def history(
    kind: str, namespace: str, name: str, run: RunShown, *, target: Manifest | None = None, policy: str = ""
) -> History:
    """The history of a run. `target` is the workload as it is now, with its managed fields, where it still is what this
    run rolled out."""
    return History(
        kind,
        namespace,
        name,
        run,
        tuple(_steps(run, run.program())),
        tuple(_deeds(run)),
        _images(run.template),
        _changed(target, run) if target is not None else None,
        policy,
    )


# --- made from a run --------------------------------------------------------------------------------------------


def _steps(run: RunShown, program: Program | None) -> Iterator[StepTaken]:
    """A statement that is several instructions, such as a ramp, is one step."""
    traces = [(entry.at_ms, entry.step) for entry in run.log] + [(p.at_ms, p.step) for p in run.series]
    traces.sort(key=lambda trace: (trace[0] // 1000, trace[1]))  # the record has whole seconds, the checks have not
    begun: list[tuple[Instant, int]] = []
    for at, pc in traces:
        first = _first(program, pc)
        if pc >= 0 and (not begun or begun[-1][1] != first):
            begun.append((at, first))
    for place, (at, pc) in enumerate(begun):
        ended = begun[place + 1][0] if place + 1 < len(begun) else run.ended
        yield StepTaken(pc + 1, _words(program, pc), at, ended)


def _first(program: Program | None, pc: int) -> int:
    """The first instruction of the statement that an instruction is part of."""
    spans = program.spans if program is not None else ()
    while 0 < pc < len(spans) and spans[pc] == spans[pc - 1]:
        pc -= 1
    return pc


def _words(program: Program | None, pc: int) -> str:
    return program.spans[pc].text if program is not None and pc < len(program.spans) else ""


def _deeds(run: RunShown) -> Iterator[Deed]:
    """Approvals are kept; the other deeds are told in the log."""
    kept = {(deed.verb, deed.at and deed.at // 1000) for deed in run.approvals}
    told = [deed for entry in run.log if (deed := _told(entry)) and (deed.verb, entry.at_ms // 1000) not in kept]
    yield from sorted((*run.approvals, *told), key=lambda deed: deed.at or 0)


def _told(entry: Entry) -> Deed | None:
    verb, found = _VERBS.get(entry.what), _DONE_BY.search(entry.text)
    if verb is None or found is None:
        return None
    return Deed(verb, found["by"], entry.at_ms, entry.step, found["via"] or "", found["reason"] or "")


def _images(template: Mapping[str, Any]) -> tuple[str, ...]:
    containers = items(mapping(template.get("spec")).get("containers"))
    return tuple(filter(None, (text(mapping(one).get("image")) for one in containers)))


_SLACK_MS = 2000
"""Times of Kubernetes' are whole seconds."""


def _changed(target: Manifest, run: RunShown) -> Change | None:
    """Who wrote the images last, if that was before the run began: what came later is of another revision."""
    writes = [mapping(one) for one in items(mapping(target.get("metadata")).get("managedFields"))]
    found = [
        Change(text(one.get("manager")), instant(one.get("time"))) for one in writes if _has_image(one.get("fieldsV1"))
    ]
    last = max(found, key=lambda one: one.at or 0, default=None)
    if last is None or not last.manager or run.started is None or (last.at or 0) > run.started + _SLACK_MS:
        return None
    return last


def _has_image(fields: object) -> bool:
    """Whether a container's image is among these fields, wherever the kind has its pod template."""
    return isinstance(fields, Mapping) and ("f:image" in fields or any(map(_has_image, fields.values())))


# --- written and read -------------------------------------------------------------------------------------------


def to_data(one: History) -> dict[str, Any]:
    """As JSON data; what there is nothing to say of is left out."""
    run = one.run
    return _present(
        format=FORMAT,
        rollout=_present(kind=one.kind, namespace=one.namespace, name=one.name),
        run=_present(name=run.name, number=run.number),
        revision=run.revision,
        images=list(one.images),
        changedBy=one.changed and _present(manager=one.changed.manager, at=time(one.changed.at)),
        phase=run.phase,
        outcome=run.outcome,
        reason=run.reason,
        started=time(run.started),
        ended=time(run.ended),
        highestWeight=run.highest,
        checks={"made": run.iterations, "failed": run.failed},
        people=[_deed(deed) for deed in one.deeds],
        steps=[
            _present(number=step.number, text=step.text, begun=time(step.begun), ended=time(step.ended))
            for step in one.steps
        ],
        weights=[{"at": time(at), "weight": weight} for at, weight in levels(run)],
        series=_series(run.checks),
        lastCheck=run.check and check_data(run),
        log=[
            _present(at=time(entry.at_ms), step=entry.step + 1, weight=entry.weight, what=entry.what, text=entry.text)
            for entry in run.log
        ],
        policy=one.policy,
    )


def check_data(run: RunShown) -> dict[str, Any] | None:
    """The last check, line by line."""
    record = run.check
    if record is None:
        return None
    results = [
        _present(text=each.words, verdict=each.verdict.value, values=dict(each.values), detail=each.detail)
        for each in record.results
    ]
    return {"at": time(record.at_ms), "verdict": record.verdict.value, "results": results}


def _deed(deed: Deed) -> dict[str, Any]:
    return _present(verb=deed.verb, by=deed.by, at=time(deed.at), step=deed.step + 1, via=deed.via, reason=deed.reason)


def _series(checks: CheckSeries) -> dict[str, Any] | None:
    if not checks.rows:
        return None
    numbers = {line: place for place, line in enumerate(checks.lines)}
    return {
        "lines": series.lines_data(checks),
        "points": [
            {
                "at": time(point.at_ms),
                "step": point.step + 1,
                "weight": point.weight,
                "verdict": point.verdict.value,
                "values": [
                    {"line": numbers[each.line], "value": each.value, "threshold": each.threshold}
                    for each in point.values
                ],
            }
            for point in series.points(checks)
        ],
    }


def from_data(data: object) -> History:
    """A history from what `to_data` gave. Raises `HistoryError`."""
    found = mapping(data)
    said = found.get("format")
    if said != FORMAT:
        raise HistoryError(f"its `format` is `{said}`, not `{FORMAT}`" if said else f"it has no `format: {FORMAT}`")
    rollout, about, checks = (mapping(found.get(key)) for key in ("rollout", "run", "checks"))
    log = tuple(_entry(mapping(one)) for one in items(found.get("log")))
    run = RunShown(
        name=text(about.get("name")),
        number=whole(about.get("number")),
        revision=text(found.get("revision")),
        phase=text(found.get("phase")),
        outcome=text(found.get("outcome")),
        reason=text(found.get("reason")),
        weight=number(found.get("highestWeight")),
        place=None,
        failed=whole(checks.get("failed")),
        iterations=whole(checks.get("made")),
        started=instant(found.get("started")),
        ended=instant(found.get("ended")),
        log=log,
        check=check_read(found.get("lastCheck")),
        owner_uid="",
        program_data=None,
        template={},
        checks=_series_read(mapping(found.get("series"))),
    )
    changed = mapping(found.get("changedBy"))
    return History(
        text(rollout.get("kind")),
        text(rollout.get("namespace")),
        text(rollout.get("name")),
        run,
        tuple(_step_read(mapping(one)) for one in items(found.get("steps"))),
        tuple(_deed_read(mapping(one)) for one in items(found.get("people"))),
        tuple(text(one) for one in items(found.get("images"))),
        Change(text(changed.get("manager")), instant(changed.get("at"))) if changed else None,
        text(found.get("policy")),
    )


def _entry(data: Mapping[str, Any]) -> Entry:
    return Entry(
        instant(data.get("at")) or 0,
        whole(data.get("step")) - 1,
        number(data.get("weight")),
        text(data.get("what")),
        text(data.get("text")),
    )


def _step_read(data: Mapping[str, Any]) -> StepTaken:
    begun, ended = instant(data.get("begun")), instant(data.get("ended"))
    return StepTaken(whole(data.get("number")), text(data.get("text")), begun or 0, ended)


def _deed_read(data: Mapping[str, Any]) -> Deed:
    words = [text(data.get(key)) for key in ("via", "reason")]
    verb, by = text(data.get("verb")), text(data.get("by"))
    return Deed(verb, by, instant(data.get("at")), whole(data.get("step")) - 1, *words)


def _series_read(data: Mapping[str, Any]) -> CheckSeries:
    """The points as the table of a status has them, and read as that."""
    fixed = {place: mapping(line).get("threshold") for place, line in enumerate(items(data.get("lines")))}
    rows = []
    for point in map(mapping, items(data.get("points"))):
        cells: dict[int, str] = {}
        for each in map(mapping, items(point.get("values"))):
            place = whole(each.get("line"))
            cells[place] = _cell(each, fixed.get(place))
        width = max((place for place in cells if 0 <= place < series.MOST_LINES), default=-1) + 1
        head = (text(point.get("at")), whole(point.get("step")) - 1, number(point.get("weight")), point.get("verdict"))
        rows.append(" ".join(map(str, (*head, *(cells.get(place, "-") for place in range(width))))))
    return series.from_data({"lines": data.get("lines"), "table": "\n".join(("", *rows))})


def _cell(reading: Mapping[str, Any], fixed: object) -> str:
    value, threshold = (reading.get(key) for key in ("value", "threshold"))
    shown = "-" if value is None else f"{number(value):g}"
    return shown if threshold is None or threshold == fixed else f"{shown}/{number(threshold):g}"


def time(at: Instant | None) -> str | None:
    """As RFC 3339, in UTC."""
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z")


def _present(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value not in (None, "", [], {})}


def line(one: History) -> str:
    """A history as one line of JSON."""
    return json.dumps(to_data(one), ensure_ascii=False, separators=(",", ":")) + "\n"
