"""Protects `rollway backtest`: the minute and the reason, false alarms against their bound, refusals that help."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.backtest.fake import FakePrometheus, Value, prometheus

METRICS = """\
metric requests returns events {
  bad   prometheus "bad_{{ workload }}[{{ interval }}]"
  total prometheus "all_{{ workload }}[{{ interval }}]"
}
metric duration returns histogram {
  prometheus "took_{{ workload }}[{{ interval }}]"
}
metric queue returns number {
  prometheus "queue_{{ workload }}"
}
metric clicks returns number {
  datadog "avg:clicks{{ '{' }}name:{{ workload }}{{ '}' }}"
}
"""
TILL = """\
rollout till in cafe {
  target   deployment/till
  service  { port 8080 }
  traffic  istio
  analysis { every 1m; tolerate 2 failures; CHECKS }
  steps    { ramp 10% to 50% by 20% every 5m; promote }
}
"""
STRICT = "require no_regression(requests)"
PLAIN = "require requests.rate <= 2%; require duration.quantile(0.5) <= 500ms"

NOW = int(time.time()) // 60 * 60
BEGIN = NOW - 7200  # two hours ago
BROKEN = BEGIN + 420  # in its seventh minute
FROM = str(BEGIN)


def bad_canary(query: str, at: float) -> Value | dict[str, Value]:
    """A thousand requests a minute of each arm; from `BROKEN` on a tenth of the canary's fail."""
    canary = "_till[" in query
    failing = 0.1 if canary and at > BROKEN else 0.001
    if query.startswith("took"):
        return {"0.1": 900.0, "1": 1000.0, "+Inf": 1000.0}
    return 1000.0 * failing if query.startswith("bad") else 1000.0


def steady(query: str, at: float) -> Value | dict[str, Value]:
    """No canary. The primary's errors rise and fall through the day, and every window has its own luck."""
    if "_till-primary" not in query:
        return None
    if query.startswith("took"):
        return {"0.1": 900.0, "1": 1000.0, "+Inf": 1000.0}
    share = 0.01 + 0.008 * math.sin(at / 5000)
    lucky = Random(at).gauss(1000 * share, math.sqrt(1000 * share))
    return max(0.0, round(lucky)) if query.startswith("bad") else 1000.0


@pytest.fixture
def server() -> Iterator[FakePrometheus]:
    with prometheus(bad_canary) as fake:
        yield fake


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    write(STRICT)
    return tmp_path


def write(checks: str, name: str = "till.rollout") -> None:
    Path(name).write_text(METRICS + TILL.replace("CHECKS", checks))


def run(capsys: pytest.CaptureFixture[str], code: ExitCode, *line: str) -> tuple[str, str]:
    assert main(["backtest", *line]) == code, capsys.readouterr()
    printed = capsys.readouterr()
    return printed.out, printed.err


def asked(server: FakePrometheus, *more: str) -> tuple[str, ...]:
    return ("till.rollout", "--prometheus", server.url, *more)


def at(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(seconds))


# --- one rollout --------------------------------------------------------------------------------------------------


def test_the_minute_of_the_stop_and_its_reason(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM))
    assert f"would have been rolled back at {time.strftime('%Y-%m-%d', time.gmtime(BEGIN))} {at(BROKEN + 120)}" in out
    assert "after 9m: " in out  # the second failed check
    assert "no_regression(requests)" in out
    assert "data of `requests` of canary in 9 of 9 windows" in out


def test_plain_thresholds_are_counted_as_the_policy_says(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    write(PLAIN)
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, "--json"))
    found = json.loads(out)
    assert (found["outcome"], found["ended_ms"]) == ("rolled_back", 9 * 60_000)  # the second failed check
    failed = [m for m in found["timeline"] if m["kind"] == "check" and m["text"] == "fail"]
    assert [m["results"][0]["values"]["requests.rate"] for m in failed] == ["10%", "10%"]
    windows = {one["at"]: one for one in found["seen"] if (one["metric"], one["arm"]) == ("requests", "canary")}
    assert windows[time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BROKEN))]["bad"] == 1.0
    assert windows[time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(BROKEN + 60))]["bad"] == 100.0


def test_a_good_canary_is_promoted(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    server.says = lambda query, _: bad_canary(query, BEGIN)
    out, _ = run(capsys, ExitCode.FINE, *asked(server, "--from", FROM))
    assert "would have been promoted" in out
    assert "after 15m\n" in out


def test_a_rollout_that_waits_for_its_window_and_its_approval_is_dated(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    """Windows are kept as they would have been then; people approve at once; webhooks and gates say yes, and it is
    said that they were not asked."""
    midnight = NOW // 86_400 * 86_400 - 86_400
    server.says = lambda query, _: bad_canary(query, BEGIN)
    text = Path("till.rollout").read_text().replace("promote }", "wait for approval; run soak; promote }")
    text += (
        'window office { days mon..sun; hours 06:00..23:00; zone "UTC" }\nwebhook soak { url "http://soak.example/" }\n'
    )
    Path("till.rollout").write_text(text.replace("  traffic ", "  only in office\n  traffic "))
    line = asked(server, "--from", str(midnight - 1800), "--to", str(midnight + 8 * 3600))
    out, _ = run(capsys, ExitCode.FINE, *line)
    assert f"would have been promoted at {time.strftime('%Y-%m-%d', time.gmtime(midnight))} 06:15:00 UTC" in out
    assert f"\n{time.strftime('%b %d', time.gmtime(midnight))} 06:01:00  " in out
    assert "not asked, and taken to say yes: webhook `soak`" in out


def test_requests_split_otherwise_than_the_policy_would_have_are_judged_all_the_same(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    """The canary had half of the requests then, where the policy begins with a tenth."""
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM))
    assert "routing not applied" not in out


def test_a_history_that_ends_too_soon_is_no_promotion(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, "--to", str(BEGIN + 240)))
    assert "not at its end when the history ends, at " in out
    assert f" {at(BEGIN + 240)} UTC, after 4m" in out
    assert max(float(form["end"]) for form in server.asked) <= BEGIN + 240


def test_the_arms_as_they_were_called_then(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    server.says = lambda query, at: bad_canary(query.replace("old-canary", "till"), at) if "old-" in query else None
    names = ("--canary-workload", "old-canary", "--primary-workload", "old-primary")
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, *names))
    assert "after 9m: " in out
    assert {form["query"] for form in server.asked} == {
        f"{what}_old-{arm}[60s]" for what in ("bad", "all") for arm in ("canary", "primary")
    }


def test_a_policy_with_a_baseline_takes_what_stood_in_for_it(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    text = Path("till.rollout").read_text()
    Path("till.rollout").write_text(text.replace("  traffic ", "  baseline\n  traffic "))
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, "--baseline-workload", "till-primary"))
    assert "after 9m: " in out
    assert "data of `requests` of baseline in 9 of 9 windows" in out
    assert {form["query"].split("[")[0] for form in server.asked} == {
        f"{what}_{workload}" for what in ("bad", "all") for workload in ("till", "till-primary")
    }


def test_a_variable_of_the_queries_can_be_another(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    run(capsys, ExitCode.FINE, *asked(server, "--from", FROM, "--var", "workload=both"))
    assert {form["query"] for form in server.asked} == {"bad_both[60s]", "all_both[60s]"}


def test_who_we_are_is_told_from_a_file_or_a_folder(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus, folder: Path
) -> None:
    (folder / "token").write_text("hush\n")
    run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, "--credentials", "token"))
    (folder / "secret").mkdir()
    (folder / "secret" / "username").write_text("ann")
    (folder / "secret" / "password").write_text("hush")
    run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, "--credentials", "secret"))
    given = {headers["Authorization"] for headers in server.headers}
    assert given == {"Bearer hush", "Basic YW5uOmh1c2g="}


# --- quiet times --------------------------------------------------------------------------------------------------


def test_false_alarms_beside_what_is_promised(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    server.says = steady
    write(f"{STRICT}; require requests.rate <= 2%")
    line = asked(server, "--quiet-since", "1d", "--every", "1h")
    out, _ = run(capsys, ExitCode.FINE, *line)
    assert "24 rollouts, one every 1h: " in out
    assert "statistical checks ended 0 of " in out
    assert "they promise at most 1% of healthy rollouts" in out
    found = json.loads(run(capsys, ExitCode.FINE, *line, "--json")[0])
    assert found["by_check"].keys() == {"requests.rate <= 2%"}
    assert 0 < len(found["false_alarms"]) < 24
    assert found["promoted"] + found["unfinished"] + len(found["false_alarms"]) == 24
    assert {form["query"].split("[")[0] for form in server.asked} == {"bad_till-primary", "all_till-primary"}


def test_the_same_seed_finds_the_same(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    server.says = steady
    write("require requests.rate <= 2%")
    until = ("--quiet-since", str(BEGIN), "--to", str(NOW - 60), "--every", "10m", "--json")
    first, again = (run(capsys, ExitCode.FINE, *asked(server, *until))[0] for _ in range(2))
    assert first == again
    assert run(capsys, ExitCode.FINE, *asked(server, *until, "--seed", "2"))[0] != first


def test_a_check_that_breaks_its_promise_is_told(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    """`meets` is held to an objective that this service does not keep."""
    server.says = steady
    write("require meets(requests, 99.9%)")
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--quiet-since", "12h", "--every", "1h"))
    assert "that is more than chance" in out


def test_kayentas_judge_promises_nothing(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    server.says = lambda query, at: at % 7.0 if query == "queue_till-primary" else None
    write("require kayenta(queue)")
    assert main(["backtest", *asked(server, "--quiet-since", "6h", "--every", "2h")]) == ExitCode.FINE
    assert "plain thresholds and scores promise nothing" in capsys.readouterr().out


def test_numbers_are_alike_in_both_arms_and_it_says_so(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    server.says = lambda query, _: 7.0 if query == "queue_till-primary" else None
    write("require queue <= 2 * queue of primary")
    out, _ = run(capsys, ExitCode.FINE, *asked(server, "--quiet-since", "6h", "--every", "1h"))
    assert "no counts, so that both arms have the primary's own values: `queue`" in out
    assert "plain thresholds and scores promise nothing" in out


# --- the report ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("since", ["--from", "--quiet-since"])
def test_the_report_is_one_file(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus, folder: Path, since: str
) -> None:
    code = ExitCode.FINDINGS if since == "--from" else ExitCode.FINE
    server.says = bad_canary if since == "--from" else steady
    _, err = run(capsys, code, *asked(server, since, FROM, "--every", "1h", "--html", "report.html"))
    page = (folder / "report.html").read_text()
    assert err == "rollway: the report is in report.html\n"
    assert page.count("<svg ") == page.count("</svg>") >= 1
    assert "<script" not in page
    assert "src=" not in page
    assert "link " not in page.partition("<body>")[0]


def test_hostile_words_stay_words_in_the_report(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus, folder: Path
) -> None:
    server.url += "/<img src=x onerror=alert(1)>"
    for since in ("--from", "--quiet-since"):
        write(f"{STRICT}; require requests.rate < 2%; require clicks > 1")
        code = ExitCode.FINDINGS if since == "--from" else ExitCode.FINE
        server.says = bad_canary if since == "--from" else steady
        run(capsys, code, *asked(server, since, FROM, "--every", "1h", "--html", "report.html"))
        page = (folder / "report.html").read_text()
        assert "&lt;img src=x" in page
        assert "<img" not in page
        assert "requests.rate &lt; 2%" in page
        assert "rate < 2" not in page


def test_a_report_that_cannot_be_written(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    _, err = run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM, "--html", "nowhere/report.html"))
    assert "cannot write `nowhere/report.html`: no such file or directory" in err


# --- what cannot be done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (["--from", FROM], "`--prometheus` says where the history is"),
        (["--prometheus", "localhost:9090", "--from", FROM], "an address such as `http://localhost:9090`"),
        (["--prometheus", "http://x"], "say from when"),
        (["--prometheus", "http://x", "--from", "1h", "--quiet-since", "1h"], "say from when"),
        (["--prometheus", "http://x", "--from", "soon"], "`soon` is no moment"),
        (["--prometheus", "http://x", "--from", "2099-01-01"], "is in the future"),
        (["--prometheus", "http://x", "--from", "1h", "--to", "2h"], "before it begins"),
        (["--prometheus", "http://x", "--from", "3w", "--to", "-"], "`-` is no moment"),
        (["--prometheus", "http://x", "--quiet-since", "300d", "--every", "1m"], "more than 2,000 rollouts"),
        (["--prometheus", "http://x", "--quiet-since", "1d", "--every", "often"], "`--every`: `often` is no length"),
        (["--prometheus", "http://x", "--from", "1h", "--seed", "-1"], "`--seed` is a whole number"),
        (["--prometheus", "http://x", "--from", "1h", "--var", "x"], "`--var` is a name and a value"),
        (["--prometheus", "http://x", "--from", "1h", "--credentials", "none"], "cannot read `none`"),
        (["--prometheus", "http://x", "--from", "1h", "--rollout", "bar"], "there is no rollout `bar`"),
    ],
)
def test_wrong_usage_is_told(capsys: pytest.CaptureFixture[str], line: list[str], why: str) -> None:
    out, err = run(capsys, ExitCode.USAGE, "till.rollout", *line)
    assert why in err
    assert out == ""


def test_a_server_that_is_not_there_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("till.rollout", "--prometheus", "http://127.0.0.1:9", "--from", FROM)
    out, err = run(capsys, ExitCode.USAGE, *line)
    assert out == ""
    assert (
        "the history cannot be asked: `requests` of canary: http://127.0.0.1:9/api/v1/query_range could not be" in err
    )


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (401, b"who are you", "does not let us in (401)"),
        (422, b'{"error":"expanding series: too many samples"}', "too many samples"),
        (200, b"<html>login</html>", "the server's answer is not Prometheus's"),
        (200, b'{"data":{"resultType":"matrix","result":[]},"warnings":["store away"]}', "not whole: store away"),
    ],
)
def test_a_server_that_refuses_is_no_verdict(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus, status: int, body: bytes, why: str
) -> None:
    server.instead = (status, body)
    out, err = run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM))
    assert out == ""
    assert why in err


def test_a_password_in_the_address_is_not_shown(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interpreter.backtest.history.TIMEOUT_S", 5)
    server.url = server.url.replace("http://", "http://ann:hush@")
    shown = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, "--html", "report.html"))
    shown += run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM, "--json"))
    server.instead = (401, b"who is ann:hush?")
    shown += run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM))
    server.says, server.instead = lambda _, __: None, None
    shown += run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM))
    monkeypatch.setattr("interpreter.backtest.history.TIMEOUT_S", 0.0001)
    shown += run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM))
    assert "hush" not in "".join(shown) + (folder / "report.html").read_text()


def test_a_server_that_hangs_is_no_verdict(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setattr("interpreter.backtest.history.TIMEOUT_S", 0.2)
    server.says = lambda _, __: 1.0 if done.wait(20) else None
    try:
        out, err = run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM))
    finally:
        done.set()
    assert out == ""
    assert f"`requests` of canary: {server.url} gave no answer in time" in err


@pytest.mark.parametrize("since", ["--from", "--quiet-since"])
def test_no_data_at_all_is_said_and_is_no_rollback(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus, since: str
) -> None:
    server.says = lambda _, __: None
    out, err = run(capsys, ExitCode.USAGE, *asked(server, since, FROM))
    assert out == ""
    assert "has no data of any metric between" in err
    assert "retention" in err
    assert "_till" in err


def test_windows_without_data_are_counted(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    server.says = lambda query, at: bad_canary(query, at) if at <= BEGIN + 180 else None
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM))
    assert "data of `requests` of canary in 3 of 5 windows; in 2 there was none" in out


def test_several_series_are_the_error_that_they_would_have_been(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    server.says = lambda query, at: {"a": 1.0, "b": 2.0} if query.startswith("bad") and at > BROKEN else 5.0
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM))
    assert "the query gives 2 series, and one is needed" in out


def test_what_no_prometheus_can_answer_is_left_out_and_named(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    write(f"{STRICT}; require clicks >= 1")
    out, _ = run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM))
    assert "left out: `clicks >= 1`: `clicks` is asked of datadog, which is no Prometheus" in out
    write("require clicks >= 1")
    _, err = run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM))
    assert "`till` has no check that a Prometheus could answer" in err


def test_a_policy_without_an_analysis_has_nothing_to_replay(
    capsys: pytest.CaptureFixture[str], server: FakePrometheus
) -> None:
    text = METRICS + TILL.replace("  analysis { every 1m; tolerate 2 failures; CHECKS }\n", "")
    Path("till.rollout").write_text(text.replace("ramp 10% to 50% by 20% every 5m; ", ""))
    _, err = run(capsys, ExitCode.USAGE, *asked(server, "--from", FROM))
    assert "`till` has no check that a Prometheus could answer\n" in err


def test_a_policy_with_errors(capsys: pytest.CaptureFixture[str], server: FakePrometheus) -> None:
    write("require requests.rate <= 2s")
    run(capsys, ExitCode.FINDINGS, *asked(server, "--from", FROM))
    _, err = run(capsys, ExitCode.USAGE, "nowhere.rollout", "--prometheus", server.url, "--from", FROM)
    assert "cannot read `nowhere.rollout`" in err
