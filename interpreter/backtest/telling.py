"""A backtest as text for people and as JSON for tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter.analysis.show import percent, plain
from interpreter.backtest.checkable import LeftOut
from interpreter.backtest.moments import Span, written
from interpreter.backtest.replay import Replay, Seen
from interpreter.backtest.tally import SURPRISING, Alarm, Tally
from interpreter.desired import Instant
from interpreter.durations import duration
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, NoDataAnswer, Value
from interpreter.simulator import telling

_MOST_ALARMS = 20


class About(NamedTuple):
    """What a backtest is about. `numbers` are metrics that are shown alike to both arms, `assumed` what was not asked
    and taken to say yes."""

    program: Program
    server: str
    within: Span
    left_out: tuple[LeftOut, ...] = ()
    assumed: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    seed: int = 0
    every_ms: int = 0


class Coverage(NamedTuple):
    """Of how many windows an arm's metric had data."""

    metric: str
    arm: str
    with_data: int
    asked: int


def coverage(seen: Iterable[Seen]) -> tuple[Coverage, ...]:
    """Of each metric and arm that was asked about, in order."""
    counts: dict[tuple[str, str], list[int]] = {}
    for question, answer in seen:
        found = counts.setdefault((question.metric, question.arm), [0, 0])
        found[0] += not isinstance(answer, NoDataAnswer | ErrorAnswer)
        found[1] += 1
    return tuple(Coverage(metric, arm, *found) for (metric, arm), found in counts.items())


# --- text -------------------------------------------------------------------------------------------------------


def text(about: About, replay: Replay) -> str:
    """One rollout: how it ended and why, then the way there."""
    why = telling.why(replay.story)
    parts = [*_head(about, "replayed"), "", verdict(replay), *why, "", *_table(replay), ""]
    return "\n".join((*parts, *_seen(coverage(replay.seen)))) + "\n"


def _head(about: About, how: str) -> Iterator[str]:
    program = about.program
    yield f"{program.name} in {program.namespace}: {how} from {written(about.within.from_ms)}"
    yield f"to {written(about.within.to_ms)}, with the metrics of {about.server}"
    for check, why in about.left_out:
        yield f"left out: `{check}`: {why}"
    if about.assumed:
        yield f"not asked, and taken to say yes: {', '.join(about.assumed)}"


def _table(replay: Replay) -> Iterator[str]:
    told = list(telling.lines(replay.story.program, replay.story.moments))
    broad = max((len(line.canary) for line in told), default=0)
    for line in told:
        at = clock(replay.start_ms + line.at_ms, replay)
        yield f"{at}  {telling.bar(line.weight)} {line.canary:<{broad}}  {line.mark} {line.text}".rstrip()


def clock(at_ms: Instant, replay: Replay) -> str:
    """The time of day in UTC, with the date where the rollout took more than one."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    days = {datetime.fromtimestamp(end / 1000, UTC).date() for end in (replay.start_ms, replay.ended_ms)}
    return f"{moment:%H:%M:%S}" if len(days) == 1 else f"{moment:%b %d %H:%M:%S}"


def verdict(replay: Replay) -> str:
    """How it ended, in one line."""
    story, at = replay.story, written(replay.ended_ms)
    after = duration(replay.ended_ms - replay.start_ms)
    reason = story.reason.partition("; the last: ")[0]  # the check itself is told apart
    match story.outcome:
        case "promoted":
            return f"would have been promoted at {at}, after {after}"
        case "rolled_back":
            return f"would have been rolled back at {at}, after {after}: {reason}"
        case "waiting" | "running":
            why = f": {story.reason}" if story.reason else ""
            return f"not at its end when the history ends, at {at}, after {after}{why}"
        case other:
            return f"{other.replace('_', ' ')} at {at}, after {after}: {story.reason}"


def _seen(found: Sequence[Coverage]) -> Iterator[str]:
    for one in found:
        missing = "" if one.with_data == one.asked else f"; in {one.asked - one.with_data} there was none"
        yield f"data of `{one.metric}` of {one.arm} in {one.with_data} of {one.asked} windows{missing}"


def quiet_text(about: About, found: Tally) -> str:
    """Many rollouts that nothing was wrong with."""
    parts = [
        *_head(about, "a rollout of nothing new was begun again and again"),
        *how(about),
        "",
        f"{found.rollouts} rollouts, one every {duration(about.every_ms)}: {found.promoted} promoted, "
        f"{len(found.alarms)} ended (false alarms), {found.unfinished} not at their end when the history ended",
        *(f"  {count} by `{check}`" for check, count in found.by_check),
        *bound(found),
        *_alarms(found.alarms),
    ]
    return "\n".join(parts) + "\n"


def how(about: About) -> Iterator[str]:
    """Where the canary comes from."""
    yield f"each canary's requests are drawn at random from the primary's real ones, by its weight (seed {about.seed})"
    if about.numbers:
        names = ", ".join(f"`{name}`" for name in about.numbers)
        yield f"no counts, so that both arms have the primary's own values: {names}"


def bound(found: Tally) -> Iterator[str]:
    """What the statistical checks promise, beside what they did."""
    if found.bound is None or found.surprise is None:
        yield "no statistical check: plain thresholds and scores promise nothing of false alarms"
        return
    share = percent(found.promised / found.decided) if found.decided else "0%"
    yield (
        f"statistical checks ended {found.promised} of {found.decided} ({share}); "
        f"they promise at most {percent(found.bound)} of healthy rollouts, here {plain(found.bound * found.decided)}"
    )
    if found.surprise < SURPRISING:
        yield (
            "that is more than chance: the service varies more between windows than the checks take for usual, "
            "or does not keep the objective that it is held to"
        )


def _alarms(alarms: Sequence[Alarm]) -> Iterator[str]:
    if alarms:
        yield ""
    for alarm in alarms[:_MOST_ALARMS]:
        after = duration(alarm.ended_ms - alarm.start_ms)
        yield f"began {written(alarm.start_ms)}, ended after {after}: {alarm.reason}"
    if len(alarms) > _MOST_ALARMS:
        yield f"and {len(alarms) - _MOST_ALARMS} more; `--json` has all"


# --- JSON -------------------------------------------------------------------------------------------------------


def data(about: About, replay: Replay) -> dict[str, Any]:
    """One rollout, with all that its checks saw."""
    return {
        **_about(about),
        **telling.data(replay.story),
        "ended_at": _iso(replay.ended_ms),
        "coverage": [one._asdict() for one in coverage(replay.seen)],
        "seen": [_seen_data(one) for one in replay.seen],
    }


def quiet_data(about: About, found: Tally) -> dict[str, Any]:
    """Many rollouts."""
    return {
        **_about(about),
        "rollout": about.program.name,
        "namespace": about.program.namespace,
        "seed": about.seed,
        "every_ms": about.every_ms,
        "same_in_both_arms": list(about.numbers),
        "rollouts": found.rollouts,
        "promoted": found.promoted,
        "unfinished": found.unfinished,
        "false_alarms": [
            {
                "start": _iso(alarm.start_ms),
                "ended_at": _iso(alarm.ended_ms),
                "checks": list(alarm.checks),
                "statistical": alarm.promised,
                "reason": alarm.reason,
            }
            for alarm in found.alarms
        ],
        "by_check": dict(found.by_check),
        "bound": found.bound,
        "chance_of_so_many": found.surprise,
    }


def _about(about: About) -> dict[str, Any]:
    return {
        "server": about.server,
        "from": _iso(about.within.from_ms),
        "to": _iso(about.within.to_ms),
        "left_out": [one._asdict() for one in about.left_out],
        "not_asked": list(about.assumed),
    }


def _iso(at_ms: Instant) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S}Z"


def _seen_data(seen: Seen) -> dict[str, Any]:
    question = seen.question
    return {
        "at": _iso(question.at_ms),
        "metric": question.metric,
        "arm": question.arm,
        "window_ms": question.window_ms,
        **_answer_data(seen.answer),
    }


def _answer_data(answer: Answer) -> dict[str, Any]:
    match answer:
        case Events():
            return {"bad": answer.bad, "total": answer.total}
        case Histogram():
            return {"buckets": [[str(bound), count] for bound, count in answer.buckets]}
        case Value():
            return {"value": answer.value}
        case NoDataAnswer() | ErrorAnswer():
            return {answer.kind: answer.reason}
        case _:
            raise AssertionError(f"{answer} is no answer about a metric")
