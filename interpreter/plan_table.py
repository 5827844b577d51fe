"""A plan as a table for people and as JSON for tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dsl.flow import Range
from dsl.ir import Check, NotifyOp, Program, RouteOp, Statistical, walk
from interpreter.durations import duration
from interpreter.plan import Plan, PlannedStep
from interpreter.plan_exposure import Exposure, exposures, gathers, worst
from interpreter.plan_load import Load, loads
from interpreter.plan_times import Span

_HEAD = ("step", "soonest", "latest", "canary", "what", "judged by", "ended by")
_WIDEST = 44


def text(plan: Plan) -> str:
    """The whole plan: the table of steps, and beneath it what it comes to."""
    program = plan.program
    head = f"{program.name} in {program.namespace}"
    return "\n".join([head, "", *_aligned([_HEAD, *_rows(plan)]), "", *_summary(plan)]) + "\n"


def _promotion(plan: Plan) -> str:
    if plan.promotion is None:
        return "never"
    soonest, latest = plan.promotion
    ends = "with no limit to the latest" if latest is None else f"after {duration(latest)} at the latest"
    return f"after {duration(soonest)} at the soonest, {ends}"


# --- the table --------------------------------------------------------------------------------------------------


def _rows(plan: Plan) -> Iterator[tuple[str, ...]]:
    deadline = plan.program.deadline_ms
    yield ("", "0s", _times(0, deadline), "0%", "bring the canary up", "", "canary not ready in time")
    for step in plan.steps:
        if step.arm == "else":
            yield ("", "", "", "", "  " * (step.depth - 1) + "else", "", "")
        if not (_jumps(plan.program, step) or _goes_on(plan.program, step)):
            yield _row(step)


def _jumps(program: Program, step: PlannedStep) -> bool:
    """Whether the step is only the end of an arm, which nobody wrote."""
    op = program.code[step.place]
    return op.op == "branch" and op.condition is None


def _goes_on(program: Program, step: PlannedStep) -> bool:
    """Whether the statement changes the routing only to hold it: the row of the hold says all."""
    after = step.place + 1
    if not (isinstance(program.code[step.place], RouteOp) and after < min(len(program.code), len(program.spans))):
        return False
    return program.code[after].op == "hold" and program.spans[after] == program.spans[step.place]


def _row(step: PlannedStep) -> tuple[str, ...]:
    ended_by = [*step.ended_by, *(["aborts"] if step.aborted_by else [])]
    return (
        str(step.place + 1),
        _times(step.starts.soonest, step.ends.soonest),
        _times(step.starts.latest, step.ends.latest),
        share_of(step),
        "  " * step.depth + _shortened(step.text),
        step.analysis or "",
        ", ".join(ended_by),
    )


def _times(begin: int | None, end: int | None) -> str:
    if begin is None:
        return "no limit"
    if begin == end:
        return duration(begin)
    return f"{duration(begin)}–{duration(end)}" if end is not None else f"{duration(begin)}–…"


def share_of(step: PlannedStep) -> str:
    """The canary's part of the traffic behind a step, with what is mirrored to it and what matches."""
    parts = [_share(step.weight)]
    if step.mirror.high:
        parts.append(f"+{_share(step.mirror)} mirrored")
    if step.matched:
        parts.append("+matching")
    return " ".join(parts)


def _share(share: Range) -> str:
    return f"{share.high:g}%" if share.low == share.high else f"{share.low:g}–{share.high:g}%"


def _shortened(words: str) -> str:
    return words if len(words) <= _WIDEST else f"{words[: _WIDEST - 1]}…"


def _aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        cells = [
            cell.rjust(width) if column in (0,) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


# --- what it comes to -------------------------------------------------------------------------------------------


def _summary(plan: Plan) -> Iterator[str]:
    yield f"promotion  {_promotion(plan)}"
    if plan.endless:
        yield f"no limit   {', '.join(plan.endless)}"
    for words in dict.fromkeys(words for step in plan.steps for words in step.aborted_by):
        yield f"aborts     {words}"
    for words in dict.fromkeys(_gathering(plan)):
        yield f"evidence   {words}"
    yield f"exposure   {_exposed(worst(plan))}"
    for load in loads(plan):
        yield f"load       {_load(load)}"
    messages = sum(isinstance(plan.program.code[step.place], NotifyOp) for step in plan.steps)
    if messages:
        yield f"messages   {messages} to channels, beside those of events"


def _gathering(plan: Plan) -> Iterator[str]:
    """The checks that need evidence, and what that means for the times of this plan."""
    used = dict.fromkeys(step.analysis for step in plan.steps if step.analysis is not None)
    for check in (check for name in used for check in plan.program.analyses[name].checks):
        if isinstance(check, Check) and check.kind != "observe" and gathers(check.condition):
            tests = {part.test for part in walk(check.condition) if isinstance(part, Statistical)}
            holds = "holds the traffic" if tests & {"certified", "kayenta"} else "stops nothing"
            yield f"`{check.text}` {holds} until it has seen enough, which no time here counts"


def _exposed(exposure: Exposure | None) -> str:
    if exposure is None:
        return "no user's request reaches the canary"
    shares = [f"{exposure.share:g}% of requests"] if exposure.share else []
    share = " and ".join([*shares, *(["those that match"] if exposure.matched else [])])
    at = f"(step {exposure.step + 1})"
    if exposure.notice.ms is None and exposure.notice.evidence:
        return f"at worst {share} until the evidence is enough, for which there is no fixed time {at}"
    if exposure.notice.ms is None:
        return f"at worst {share} until somebody notices: nothing judges them before a wait without a limit {at}"
    hit = f", as much as all requests for {duration(_rounded(exposure.hit_ms or 0))}" if exposure.share else ""
    return f"at worst {share} for {duration(exposure.notice.ms)}{hit} {at}"


def _rounded(milliseconds: int) -> int:
    return round(milliseconds, -3) if milliseconds >= 1000 else milliseconds


def _load(load: Load) -> str:
    return f"{load.queries:,.6g} queries and {load.calls:,.6g} calls an hour under analysis `{load.analysis}`"


# --- JSON -------------------------------------------------------------------------------------------------------


def data(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON data; a latest time of null has no limit."""
    return {
        "rollout": plan.program.name,
        "namespace": plan.program.namespace,
        "promotion": None if plan.promotion is None else _span(plan.promotion),
        "without_limit": list(plan.endless),
        "steps": [_step(step) for step in plan.steps],
        "exposure": [_exposure(one) for one in exposures(plan)],
        "worst_exposure": None if (found := worst(plan)) is None else _exposure(found),
        "load": [load._asdict() for load in loads(plan)],
    }


def _span(span: Span) -> dict[str, int | None]:
    return {"soonest_ms": span.soonest, "latest_ms": span.latest}


def _exposure(one: Exposure) -> dict[str, Any]:
    return {
        "step": one.step,
        "share": one.share,
        "matched": one.matched,
        "noticed_ms": one.notice.ms,
        "by_evidence": one.notice.evidence,
        "hit_ms": one.hit_ms,
    }


def _step(step: PlannedStep) -> dict[str, Any]:
    return {
        "step": step.place,
        "text": step.text,
        "line": step.line,
        "starts": _span(step.starts),
        "ends": _span(step.ends),
        "weight": {"low": step.weight.low, "high": step.weight.high},
        "mirror": {"low": step.mirror.low, "high": step.mirror.high},
        "matched": step.matched,
        "analysis": step.analysis,
        "ended_by": [*step.ended_by, *step.aborted_by],
        "arm": step.arm or None,
        "depth": step.depth,
    }
