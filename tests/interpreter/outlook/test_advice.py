"""A check that cannot do its work is named, with what to write instead; one that can is left in peace."""

from __future__ import annotations

from dsl.ir import Program, Statistical
from interpreter.outlook.advice import Advice, advice, certificate
from interpreter.outlook.chances import Expected, Service, chances, counted, service
from interpreter.simulator.crowd import Latencies
from tests.interpreter.outlook.policies import policy


def said(program: Program, rps: float, errors: float, number: int = 20, latency: float = 0.1) -> tuple[Advice, ...]:
    return advice(chances(program, service(program, Expected(rps, errors, latency, 3.2 * latency)), number=number))


def one(program: Program, rps: float, errors: float, number: int = 20, latency: float = 0.1) -> Advice:
    (found,) = said(program, rps, errors, number, latency)
    return found


def test_a_threshold_that_ends_most_healthy_releases_is_hopeless() -> None:
    found = one(policy("require success_rate >= 99%"), 10, 0.005)
    assert (found.kind, found.check) == ("hopeless", "success_rate >= 99%")
    assert found.text.endswith("of healthy releases: use `no_regression(requests)`")


def test_for_latencies_another_test_is_named() -> None:
    found = one(policy("require latency(0.99) <= 300ms", steps="shift to 50% for 10m"), 10, 0)
    assert found.kind == "hopeless"
    assert found.text.endswith("use `no_slower(duration)`")


def test_an_objective_that_the_service_breaks_is_said_to_be_broken_already() -> None:
    found = one(policy("require meets(requests, 99.9%)", tolerate="1 failures"), 100, 0.01, 5)
    assert found.kind == "hopeless"
    assert "1% of requests are bad as it is" in found.text


def test_windows_without_requests_are_named_as_the_cause() -> None:
    found = one(policy("require success_rate >= 50%", steps="shift to 1% for 20m"), 1, 0)
    assert found.kind == "hopeless"
    assert "the canary has had no request" in found.text


def test_a_quantile_beyond_the_last_bound_can_never_fail() -> None:
    """The 99th percentile is never known to be above the last finite bound, 10s: at 10s and above nothing is broken."""
    for threshold in ("10s", "12s"):
        found = one(policy(f"require latency(0.99) <= {threshold}", steps="shift to 50% for 10m"), 100, 0, 5)
        assert found.kind == "blind"
        assert "the last bound of the histogram is 10s" in found.text
    assert said(policy("require latency(0.99) <= 9s", steps="shift to 50% for 10m"), 100, 0, 5) == ()


def test_the_bounds_are_those_that_were_seen() -> None:
    program = policy("require latency(0.99) <= 500ms", steps="shift to 50% for 10m")
    seen = {name: Latencies(100, (0.1, 0.5), (0.9, 0.0999, 0.0001)) for name in counted(program)}
    (found,) = advice(chances(program, Service(100, seen, seen), number=5))
    assert "the last bound of the histogram is 500ms" in found.text


def test_what_every_release_passes_can_never_fail() -> None:
    found = one(policy("require success_rate >= 0%", steps="shift to 50% for 10m"), 100, 0.01, 5)
    assert (found.kind, found.check) == ("blind", "success_rate >= 0%")


def test_a_certificate_that_takes_days_says_so() -> None:
    found = one(policy("require certified(requests, 99.9%)", steps="shift to 5% for 2m"), 1, 0, 3)
    assert found.kind == "holds"
    assert "to certify one takes 4,900 requests" in found.text  # analysis.md A3.2: 4915 without an error
    assert "at the 0.05 a second of its first step that is 1d3h" in found.text


def test_a_certificate_that_never_comes_says_so() -> None:
    (found,) = [
        each
        for each in said(
            policy("require certified(requests, 99.9%)", steps="shift to 50% for 2m", tolerate="1000 failures"),
            1,
            0.01,
            3,
        )
        if each.kind == "holds"
    ]
    assert "never certifies a healthy release" in found.text


def test_requests_of_a_certificate() -> None:
    """analysis.md A3.2: 490 ± 5 without an error at 1%, 985 at 0.5%; none at or above the objective."""

    def needed(objective: float, bad: float) -> int | None:
        test = Statistical("certified", "requests", 60_000, None, {"objective": objective, "confidence": 0.95})
        return certificate(test, bad)

    assert needed(0.99, 0.0) in range(485, 496)
    assert needed(0.995, 0.0) in range(980, 991)
    assert needed(0.99, 0.01) is None
    some, none = needed(0.99, 0.002), needed(0.99, 0.0)
    assert some is not None
    assert none is not None
    assert some > none


def test_evidence_that_comes_too_late_says_when_it_would_come() -> None:
    found = one(policy("require no_regression(requests)", steps="shift to 10% for 10m"), 5, 0.005, 10)
    assert found.kind in ("late", "blind")
    assert (
        "to notice +1 point of errors in half of all cases: the canary gets 300 requests before promotion" in found.text
    )
    assert "after the start if it is the last step" in found.text


def test_quantiles_of_two_arms_want_a_hundred_requests_of_each() -> None:
    found = one(policy("require latency(0.95) <= latency(0.95) of primary * 1.2", steps="shift to 5% for 2m"), 10, 0, 3)
    assert found.kind == "holds"
    assert "100 requests of each arm in a window" in found.text


def test_nothing_is_said_of_checks_that_do_their_work() -> None:
    checks = "require no_regression(requests); require success_rate >= 90%"
    assert said(policy(checks, steps="shift to 50% for 10m"), 200, 0.001, 5) == ()
