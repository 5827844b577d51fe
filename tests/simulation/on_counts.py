"""The figures of `no_regression`: validity, bursts, delay, and those that others come to on the same rollouts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from interpreter.analysis.kayenta import Label, classify
from tests.simulation import peers, whole
from tests.simulation.kernels import (
    aborted,
    delays,
    learnt,
    rate_evidence,
)
from tests.simulation.rows import ALPHA, LIMIT, Plan, Row, delay_of, delay_row, held, percent, shown
from tests.simulation.traffic import (
    HALF,
    LOOKS,
    RAMP,
    Counts,
    Windows,
    errors,
    random_schedules,
    windows,
)

# --- 2: validity ------------------------------------------------------------------------------------------------------

RATES = (0.001, 0.01, 0.05, 0.3)
LOADS = (1, 10, 100)
DRIFTS = (0.0, 1.0)


def validity(plan: Plan) -> Iterator[Row]:
    """Healthy rollouts: how many are aborted at any look, on the ramp and on weights without any order."""
    worst: dict[tuple[str, float], float] = {}
    for drift in DRIFTS:
        for rps in LOADS:
            for rate in RATES:
                name = f"{percent(rate)} at {rps} rps, {'drifting' if drift else 'flat'}"
                found = _false_aborts(plan, rate, rps, drift)
                for key, share in found.items():
                    worst[key] = max(worst.get(key, 0.0), share)
                ramp, five = found["ramp", 0.01], found["ramp", 0.05]
                yield held(
                    "2 validity", f"{name}, α 1%", ramp, plan.at_most(0.01), "≤ 0.44%" if not drift else "≤ 0.38%"
                )
                yield held("2 validity", f"{name}, α 5%", five, plan.at_most(0.05), "≤ 2.3%" if not drift else "≤ 2.0%")
    for alpha in (0.01, 0.05):
        for name, words in (
            ("random", "weights at random, the worst cell"),
            ("learnt", "the ramp with `dispersion` left out, the worst cell"),
        ):
            yield held("2 validity", f"{words}, α {percent(alpha)}", worst[name, alpha], plan.at_most(alpha))


def _false_aborts(plan: Plan, rate: float, rps: float, drift: float) -> Mapping[tuple[str, float], float]:
    chance = plan.chance(f"validity {rate} {rps} {drift}")

    def healthy(weights: Counts) -> Windows:
        return windows(chance, plan.rollouts, primary=rate, canary=rate, rps=rps, drift=drift, weights=weights)

    ramp = healthy(RAMP)
    found = {
        "ramp": rate_evidence(ramp),
        "learnt": rate_evidence(ramp, divided=learnt(ramp)),
        "random": rate_evidence(healthy(random_schedules(chance, plan.rollouts))),
    }
    return {(name, alpha): aborted(evidence, alpha) for name, evidence in found.items() for alpha in (0.01, 0.05)}


def through_the_judge(plan: Plan) -> Iterator[Row]:
    """The same through a compiled policy, its judge and the state's JSON, on the hardest of the small cells."""
    program = whole.policy("no_regression(requests)")
    for rate, rps, drift in ((0.01, 10, 0.0), (0.05, 10, 1.0)):
        chance = plan.chance(f"judge {rate} {rps} {drift}")
        seen = windows(chance, plan.whole, primary=rate, canary=rate, rps=rps, drift=drift)
        expected = rate_evidence(seen, divided=learnt(seen))
        stopped, apart = 0, 0.0
        for row in range(plan.whole):
            judgements = list(whole.looks(program, whole.of_counts(seen, row)))
            stopped += any(map(whole.stops, judgements))
            logs = [whole.log_evidence(judgement) for judgement in judgements]
            apart = max(apart, float(np.abs(np.array(logs) - expected[row]).max()))
        words = f"the whole judge, {percent(rate)} at {rps} rps, {'drifting' if drift else 'flat'}"
        yield held(
            "2 validity", f"{words}, {plan.whole} rollouts", stopped / plan.whole, plan.at_most(0.01, plan.whole)
        )
        yield Row(
            "2 validity", f"{words}: log E differs from the kernel's by", f"{apart:.0e}", "", "1e-9", apart < 1e-9
        )


def looks_are_free(plan: Plan) -> Iterator[Row]:
    """How often one looks costs nothing but delay: false aborts at 1% errors and 100 requests a second."""
    for together, published in ((1, "0.25%"), (5, "0.11%")):
        chance = plan.chance(f"looks {together}")
        seen = windows(chance, plan.rollouts, primary=0.01, canary=0.01, rps=100)
        merged = Windows(*(item.reshape(plan.rollouts, LOOKS // together, together).sum(axis=2) for item in seen))
        share = aborted(rate_evidence(merged), ALPHA)
        yield held(
            "2 validity", f"1% at 100 rps, flat, a look every {together} min", share, plan.at_most(ALPHA), published
        )


# --- 3: bursts --------------------------------------------------------------------------------------------------------


def bursts(plan: Plan) -> Iterator[Row]:
    """Healthy and bad rollouts where errors come in bursts: 10 requests a second, 1% of them fail."""
    for correlation, taken, healed in ((0.003, "2.3%", "0.50%"), (0.01, "11.2%", "0.52%")):
        varied = 1 + 599 * correlation
        chance = plan.chance(f"bursts {correlation}")
        common = f"counts vary {varied:.2g} times as much as by chance"
        seen, past = _bursty(chance, plan, 0.01, correlation)
        none, auto, online = (
            aborted(rate_evidence(seen, divided=by), ALPHA) for by in (None, learnt(seen, past), learnt(seen))
        )
        yield Row("3 bursts", f"{common}: false aborts, `dispersion: 0`", percent(none), taken)
        yield held("3 bursts", f"{common}: false aborts, `dispersion: auto`", auto, plan.at_most(ALPHA), healed)
        yield Row("3 bursts", f"{common}: false aborts, left out", percent(online))
    for correlation, published in ((0.0, "99.9%"), (0.003, "94.8%"), (0.01, "68.6%")):
        chance = plan.chance(f"bursts seen {correlation}")
        seen, past = _bursty(chance, plan, 0.02, correlation)
        found = delay_of(delays(rate_evidence(seen, divided=learnt(seen, past)) >= LIMIT, seen.canary_total))
        yield Row("3 bursts", f"1 → 2%, correlation {correlation:g}, `dispersion: auto`", str(found), published)


def _bursty(
    chance: np.random.Generator, plan: Plan, canary: float, correlation: float
) -> tuple[Windows, tuple[Counts, Counts]]:
    """Rollouts, and the thirty windows of the primary before them."""
    seen = windows(chance, plan.rollouts, primary=0.01, canary=canary, rps=10, correlation=correlation)
    requests = np.full((plan.rollouts, 30), 600)
    return seen, (errors(chance, requests, 0.01, correlation), requests)


# --- 4: peers that are known to be bad --------------------------------------------------------------------------------


def contrast(plan: Plan) -> Iterator[Row]:
    """The harness sees a bad test for what it is."""
    for drift, least, published in ((0.0, 0.08, "10.6 to 17.9%"), (1.0, 0.5, "up to 85%")):
        for rate, rps in ((0.01, 10), (0.01, 100), (0.05, 10), (0.05, 100), (0.3, 10)):
            chance = plan.chance(f"contrast {rate} {rps} {drift}")
            seen = windows(chance, plan.rollouts, primary=rate, canary=rate, rps=rps, drift=drift)
            share = float(peers.pooled_z(seen, 2.326).any(axis=1).mean())
            words = (
                f"pooled z at each look, nominal 1%: {percent(rate)} at {rps} rps, {'drifting' if drift else 'flat'}"
            )
            yield shown("4 bad peers", words, share, least, published)
    runs = min(plan.rollouts, 2_000)
    chance = plan.chance("mann-whitney")
    for points, published in ((2, "10.8 to 11.7%"), (3, "2.4%"), (5, "≤ 0.2%")):
        drawn = chance.normal(100, 5, (runs, 2, points)).tolist()
        share = sum(classify(canary, primary).label is Label.HIGH for canary, primary in drawn) / runs
        words = f"Kayenta's judge on {points} points an arm, the same distribution"
        yield (
            shown("4 bad peers", words, share, 0.08, published)
            if points == 2
            else Row("4 bad peers", words, percent(share), published)
        )


# --- 5 and 6: delay, and the fixed line -------------------------------------------------------------------------------

DETECTIONS = (
    # primary, canary, rps, what the design measured, most at the median, most at the 90th percentile, least share
    (0.0005, 0.0105, 10, "100% · 480 · 900", None),
    (0.0005, 0.0105, 100, "100% · 600 · 900", None),
    (0.001, 0.011, 10, "100% · 540 · 1,020", (600, 1200, 0.0)),
    (0.001, 0.011, 100, "100% · 600 · 1,200", None),
    (0.005, 0.015, 10, "100% · 1,020 · 2,100", (1200, 2400, 0.0)),
    (0.005, 0.015, 100, "100% · 1,200 · 2,100", None),
    (0.01, 0.02, 10, "99.9% · 1,620 · 3,900", (1900, 4200, 0.99)),
    (0.01, 0.02, 100, "100% · 1,800 · 3,600", (2100, 4000, 0.0)),
    (0.02, 0.03, 10, "93.5% · 3,180 · 6,900", None),
    (0.02, 0.03, 100, "100% · 3,000 · 6,000", None),
    (0.05, 0.06, 10, "43.6% · 5,340 (of those seen)", None),
    (0.05, 0.06, 100, "100% · 7,800 · 15,000", None),
    (0.0, 0.005, 100, "100% · 900", (1000, math.inf, 0.0)),
    (0.0005, 0.004, 100, "100% · 1,500", None),
    (0.001, 0.006, 100, "100% · 1,200", None),
    (0.001, 0.011, 1, "56 to 60%", None),
)


def delay(plan: Plan) -> Iterator[Row]:
    """Bad rollouts: how many are seen within the hour, and after how many requests of the canary. Both as the kernel
    has it (`dispersion: 0`, as the design) and as it is if nothing is said of dispersion."""
    for primary, canary, rps, published, bounds in DETECTIONS:
        chance = plan.chance(f"delay {primary} {canary} {rps}")
        seen = windows(chance, plan.rollouts, primary=primary, canary=canary, rps=rps)
        for name, by in (("", learnt(seen)), (", `dispersion: 0`", None)):
            found = delay_of(delays(rate_evidence(seen, divided=by) >= LIMIT, seen.canary_total))
            words = f"{100 * primary:g} → {100 * canary:g}% at {rps} rps{name}"
            yield delay_row("5 delay", words, found, published, bounds)


def fixed_line(plan: Plan) -> Iterator[Row]:
    """Against the usual setting of Flagger: a success rate of 99%, five failures."""
    for rate, rps, published, most in (
        (0.005, 10, "97%", 0.01),
        (0.005, 100, "0.4%", None),
        (0.01, 10, "95 to 100%", None),
        (0.01, 100, "95 to 100%", None),
    ):
        seen = windows(plan.chance(f"line {rate} {rps}"), plan.rollouts, primary=rate, canary=rate, rps=rps)
        line = float(peers.fixed_line(seen).any(axis=1).mean())
        ours = aborted(rate_evidence(seen, divided=learnt(seen)), ALPHA)
        words = f"healthy, {percent(rate)} errors at {rps} rps"
        if most is None:
            yield Row("6 fixed line", f"{words}: 99%, 5 failures", percent(line), published)
        else:
            yield shown("6 fixed line", f"{words}: 99%, 5 failures", line, 0.9, published)
            yield held("6 fixed line", f"{words}: no_regression", ours, most)
    for primary, canary, published, most in (
        (0.0, 0.005, "0.3%", 0.05),
        (0.0005, 0.004, "0%", None),
        (0.001, 0.006, "8.9%", None),
    ):
        seen = windows(plan.chance(f"under the line {canary}"), plan.rollouts, primary=primary, canary=canary, rps=100)
        line = float(peers.fixed_line(seen).any(axis=1).mean())
        ours = aborted(rate_evidence(seen, divided=learnt(seen)), ALPHA)
        words = f"{100 * primary:g} → {100 * canary:g}% at 100 rps is seen"
        if most is None:
            yield Row("6 fixed line", f"{words}: 99%, 5 failures", percent(line), published)
        else:
            yield held("6 fixed line", f"{words}: 99%, 5 failures", line, most, published)
        yield shown("6 fixed line", f"{words}: no_regression", ours, 0.99, "100%")


# --- what else people ask ---------------------------------------------------------------------------------------------


def tolerance(plan: Plan) -> Iterator[Row]:
    """What it costs to tolerate a ratio: 1 → 2% errors, half of ten requests a second."""
    for ratio, published in ((1.0, "3,000"), (1.1, "4,200"), (1.25, "97% · 6,600"), (1.5, "49% · 11,100")):
        chance = plan.chance(f"tolerance {ratio}")
        seen = windows(chance, plan.rollouts, primary=0.01, canary=0.02, rps=10, weights=HALF)
        found = delay_of(delays(rate_evidence(seen, null=ratio, divided=learnt(seen)) >= LIMIT, seen.canary_total))
        yield Row("tolerated ratio", f"`ratio: {ratio:g}`, 1 → 2%, half of 10 rps", str(found), published)
        seen = windows(chance, plan.rollouts, primary=0.01, canary=0.01 * ratio, rps=10, weights=HALF)
        share = aborted(rate_evidence(seen, null=ratio, divided=learnt(seen)), ALPHA)
        yield held(
            "tolerated ratio", f"`ratio: {ratio:g}`, just as bad as tolerated: aborts", share, plan.at_most(ALPHA)
        )


AGAINST_KAYENTA = (
    # primary, canary, requests a minute of each arm, minutes, what the design measured of Kayenta's judge and of ours
    (0.01, 0.02, 600, 10, "75.3%", "89.7%"),
    (0.01, 0.02, 600, 20, "99.6%", "99.9%"),
    (0.001, 0.002, 600, 60, "24.2%", "65.6%"),
    (0.01, 0.02, 60, 60, "23.0%", "65.7%"),
    (0.01, 0.013, 600, 60, "58.3%", "64.1%"),
    (0.05, 0.06, 600, 20, "48.6%", "40.4%"),
)


def against_kayenta(plan: Plan) -> Iterator[Row]:
    """Kayenta's judge on the error rates of all minutes, asked once, at the end, as its promise has it; `no_regression`
    on the same rollouts, asked every minute."""
    many = min(plan.rollouts, 1_000)
    for primary, canary, requests, minutes, theirs, ours in AGAINST_KAYENTA:
        chance = plan.chance(f"kayenta {primary} {canary} {requests} {minutes}")
        everything = windows(chance, many, primary=primary, canary=canary, rps=requests / 30, weights=HALF)
        seen = Windows(*(item[:, :minutes] for item in everything))
        words = f"{100 * primary:g} → {100 * canary:g}%, {requests} requests a minute and arm, seen in {minutes} min"
        share = sum(_kayenta_sees(seen, row) for row in range(many)) / many
        yield Row("Kayenta's judge", f"{words}: Kayenta's judge", percent(share), theirs)
        found = aborted(rate_evidence(seen, divided=learnt(seen)), ALPHA)
        yield Row("Kayenta's judge", f"{words}: no_regression", percent(found), ours)


def _kayenta_sees(seen: Windows, row: int) -> bool:
    canary, primary = (
        (bad[row] / total[row]).tolist()
        for bad, total in ((seen.canary_bad, seen.canary_total), (seen.other_bad, seen.other_total))
    )
    return classify(canary, primary).label is Label.HIGH
