"""The steps of a Canary: how its traffic moves, and who is asked before it does."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.flagger.hooks_text import HooksText
from dsl.flagger.matching import Test
from dsl.flagger.model import Affinity, Analysis, Canary
from dsl.flagger.writing import block, duration, string, value, word

_AFFINITY = {
    "primaryCookieName": "primary_cookie",
    "domain": "domain",
    "path": "path",
    "sameSite": "same_site",
    "httpOnly": "http_only",
    "secure": "secure",
    "partitioned": "partitioned",
}


def steps_text(canary: Canary, hooks: HooksText) -> str:
    """`steps { … }`."""
    return block("steps", _promote_only(canary) if canary.skip_analysis else _steps(canary, hooks))


def _promote_only(canary: Canary) -> Iterator[str]:
    yield _promote(canary.analysis)


def _steps(canary: Canary, hooks: HooksText) -> Iterator[str]:
    analysis = canary.analysis
    for name in hooks.of("pre-rollout"):
        yield f"run {name}"
    if analysis.iterations:
        yield from (_ab(analysis) if analysis.matches else _blue_green(canary, hooks))
    else:
        yield from _weighted(analysis, hooks)
    if analysis.matches or analysis.weights or not canary.plane.can.weights:
        yield from _confirmed(hooks)
    yield _promote(analysis)


def _promote(analysis: Analysis) -> str:
    if not analysis.promote_step or analysis.promote_step >= 100:
        return "promote"
    return f"promote by {analysis.promote_step}% every {duration(analysis.every_ms)}"


def _confirmed(hooks: HooksText) -> Iterator[str]:
    for name in hooks.of("confirm-promotion"):
        yield f"wait for gate {name}"


# --- three ways to release --------------------------------------------------------------------------------------


def _weighted(analysis: Analysis, hooks: HooksText) -> Iterator[str]:
    if analysis.affinity is not None:
        yield _sticky(analysis.affinity)
    if analysis.mirror is not None:
        yield f"mirror {analysis.mirror}% for 1 checks"
        yield "mirror off"
    asked = [f"wait for gate {name}" for name in hooks.of("confirm-traffic-increase")]
    first, last = analysis.weights[0], analysis.weights[-1]
    if analysis.step and not asked:
        yield f"ramp {first}% to {last}% by {analysis.step}%"
    else:
        shares = ", ".join(f"{weight}%" for weight in analysis.weights)
        yield block(f"for share in [{shares}]", [*asked, "shift to share for 1 checks"])


def _blue_green(canary: Canary, hooks: HooksText) -> Iterator[str]:
    analysis = canary.analysis
    if analysis.mirror is not None:
        yield f"mirror {analysis.mirror}%"
    yield f"hold {analysis.iterations} checks"
    if not canary.plane.can.weights:
        return
    yield from _confirmed(hooks)
    if analysis.mirror is not None:
        yield "mirror off"
    yield "shift to 100% for 1 checks"


def _ab(analysis: Analysis) -> Iterator[str]:
    alternatives = " or ".join(" and ".join(map(_test, tests)) for tests in analysis.matches)
    yield f"route to canary when {alternatives}"
    yield f"hold {analysis.iterations} checks"


def _test(test: Test) -> str:
    return f"{test.kind} {string(test.key)} {test.op} {string(test.value)}"


def _sticky(affinity: Affinity) -> str:
    head = f"sticky {string(affinity.cookie)} for {duration(affinity.max_age_ms)}"
    lines = [f"{_AFFINITY[key]} {_attribute(key, item)}" for key, item in affinity.attributes.items()]
    return block(head, lines) if lines else head


def _attribute(key: str, item: str | bool) -> str:
    return word(item) if key == "sameSite" and isinstance(item, str) else value(item)
