"""A backtest over a real Prometheus that holds a real regression: the right minute, and no false alarm before it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from interpreter.backtest.moments import Span
from interpreter.backtest.ranges import Ranges
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import RenderedQuery
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.backtest.guide import GUIDE, POLICY, iso, kept, plain, shown
from tests.backtest.server import moments, quiet, remembering

EVERY = 15_000
AT = moments()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with remembering(tmp_path_factory.mktemp("prometheus")) as url:
        yield url


def backtest(capsys: pytest.CaptureFixture[str], code: ExitCode, policy: Path, *line: str) -> dict[str, object]:
    assert main(["backtest", str(policy), "--json", *line]) == code, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def seconds(at_ms: int) -> str:
    return str(at_ms // 1000)


def test_the_regression_is_found_at_its_minute(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The third of three failed checks in a row; the first of them within a minute of the regression."""
    span = ("--from", seconds(AT["canary_from"]), "--to", seconds(AT["to"]))
    found = backtest(capsys, ExitCode.FINDINGS, POLICY, "--prometheus", server, *span)
    assert found["outcome"] == "rolled_back"
    timeline = found["timeline"]
    assert isinstance(timeline, list)
    checks = [(AT["canary_from"] + m["at_ms"], m["text"]) for m in timeline if m["kind"] == "check"]
    failed = [at_ms for at_ms, verdict in checks if verdict == "fail"]
    assert [verdict for at_ms, verdict in checks if at_ms <= AT["regression_from"]] == ["pass"] * 14
    assert len(failed) == 3
    assert AT["regression_from"] < failed[0] <= AT["regression_from"] + 60_000
    assert found["ended_ms"] == failed[-1] - AT["canary_from"]


def test_a_canary_that_is_well_is_not_ended(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    span = ("--from", seconds(AT["canary_from"]), "--to", seconds(AT["regression_from"]))
    found = backtest(capsys, ExitCode.FINDINGS, POLICY, "--prometheus", server, *span)
    assert found["outcome"] == "running"  # when the history ends


def test_no_false_alarm_in_quiet_times_and_a_threshold_has_some(
    server: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A dependency of both arms fails for a while: no regression of the canary's, but more than a threshold allows."""
    line = ("--quiet-since", seconds(quiet().from_ms), "--to", seconds(quiet().to_ms), "--every", "15s")
    found = backtest(capsys, ExitCode.FINE, POLICY, "--prometheus", server, *line)
    assert (found["rollouts"], found["false_alarms"]) == (36, [])
    assert int(str(found["promoted"])) >= 10
    found = backtest(capsys, ExitCode.FINE, plain(tmp_path), "--prometheus", server, *line)
    alarms = found["false_alarms"]
    assert isinstance(alarms, list)
    assert len(alarms) >= 10
    ended = sorted(alarm["ended_at"] for alarm in alarms)
    assert ended[0] > iso(AT["burst_from"])
    assert ended[-1] < iso(AT["burst_to"] + 60_000)


@pytest.mark.parametrize("arm", ["checkout", "checkout-primary"])
async def test_a_range_says_of_each_moment_what_an_instant_query_would_have_said(server: str, arm: str) -> None:
    texts = (
        f'sum(increase(http_requests_total{{workload="{arm}",code=~"5.."}}[15s]))',
        f'sum(increase(http_requests_total{{workload="{arm}"}}[15s]))',
        f'sum by (le) (increase(http_request_duration_seconds_bucket{{workload="{arm}"}}[15s]))',
        f'histogram_quantile(0.9, rate(http_request_duration_seconds_bucket{{workload="{arm}"}}[15s]))',
    )
    within = Span(AT["quiet_from"], AT["to"])
    ranges, instant = Ranges(server, within, EVERY), Prometheus(server)
    seen = 0
    for text in texts:
        for at_ms in [*range(within.from_ms, within.to_ms, 11 * EVERY), AT["canary_from"] + 1_234]:
            query = RenderedQuery(text, at_ms, EVERY)
            ours, theirs = await ranges.measure(query), await instant.measure(query)
            assert {str(s.labels): str(s.value) for s in ours.samples} == {
                str(s.labels): str(s.value) for s in theirs.samples
            }
            seen += len(theirs.samples)
    assert seen > 30
    assert ranges.requests == 2 * len(texts)
    await ranges.close()
    await instant.close()


def test_what_is_beyond_its_memory_is_no_data(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = ("--from", seconds(quiet().from_ms - 86_400_000), "--to", seconds(quiet().from_ms - 80_000_000))
    assert main(["backtest", str(POLICY), "--prometheus", server, *before]) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "has no data of any metric between" in printed.err


def test_the_guide_shows_what_is_printed(server: str, tmp_path: Path) -> None:
    """`make backtest-guide` writes it anew."""
    assert shown(server, tmp_path) == kept()
    policy = POLICY.read_text().partition("\n\n")[2]
    assert f"```rollout\n{policy}```\n" in GUIDE.read_text()
