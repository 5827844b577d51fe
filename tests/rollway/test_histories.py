"""A history, from a run to JSON and back, and its report: nothing is lost, and nothing hostile gets through."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsl import ir_json
from interpreter import state_json
from interpreter.local.journal import Journal
from interpreter.objects import Manifest
from interpreter.state import CheckLine, CheckRow, CheckSeries, Entry, Outcome, Run, State, Verdict
from rollway.__main__ import main
from rollway.cluster.reading import instant
from rollway.cluster.shown import run_shown
from rollway.exported import read
from rollway.histories import FORMAT, Change, History, from_data, history, line, to_data
from rollway.journalled import read as recall
from rollway.report_page import page
from rollway.terminal import Stop
from tests.rollway.cluster import objects

NOW = instant("2026-11-23T11:00:00Z") or 0
EVIL = "\"><script>alert('x')</script><img src=x onerror=alert(1)>"
ERRORS = {
    "text": "errors <= 1%",
    "kind": "require",
    "name": "errors",
    "unit": "percent",
    "cmp": "<=",
    "threshold": 0.01,
}
LATENCY = {"text": "lat <= lat of primary", "kind": "require", "name": "lat", "unit": "seconds", "cmp": "<="}
CHECKS = {
    "lines": [ERRORS, LATENCY],
    "table": "at step weight verdict 1 2\n"
    "2026-11-23T10:02:00Z 1 10 pass 0.002 0.31/0.33\n"
    "2026-11-23T10:05:00Z 3 30 no_data - -/0.33\n"
    "2026-11-23T10:06:00Z 3 30 fail 0.2 0.5/0.33\n",
}
APPROVED = {"by": "anna", "at": "2026-11-23T10:03:00Z", "step": 1, "verb": "approve", "via": "page", "reason": "CHG-1"}


def entry(what: str, text: str, at: str = "10:06:30") -> dict[str, Any]:
    return {"at": f"2026-11-23T{at}Z", "step": 3, "weight": 30, "what": what, "text": text}


def run(**status: Any) -> Manifest:
    made = objects.run(objects.rollout(), outcome="rolled_back", phase="Failed", reason="aborted by ben: wrong colour")
    log = [*objects.LOG, entry("RolledBack", "rolled back ff87463d6c: aborted by ben: wrong colour", "10:08:30")]
    made["status"] |= {"checks": CHECKS, "approvals": [APPROVED], "log": log, **status}
    made["spec"]["template"] = {"spec": {"containers": [{"name": "app", "image": "checkout:2"}]}}
    return made


def told(manifest: Manifest | None = None, **more: Any) -> History:
    return history("Rollout", "shop", "checkout", run_shown(manifest or run()), policy=objects.POLICY, **more)


def test_it_says_who_what_when_and_what_came_of_it() -> None:
    data = to_data(told())

    assert data["format"] == FORMAT
    assert (data["outcome"], data["reason"]) == ("rolled_back", "aborted by ben: wrong colour")
    assert data["images"] == ["checkout:2"]
    assert data["checks"] == {"made": 4, "failed": 1}
    assert data["people"] == [
        {
            "verb": "approve",
            "by": "anna",
            "at": "2026-11-23T10:03:00Z",
            "step": 2,
            "via": "page",
            "reason": "CHG-1",
        },
        {"verb": "abort", "by": "ben", "at": "2026-11-23T10:08:30Z", "step": 4, "reason": "wrong colour"},
    ]
    assert data["steps"] == [
        {
            "number": 1,
            "text": "ramp 10% to 50% by 20%",
            "begun": "2026-11-23T10:01:00Z",
            "ended": "2026-11-23T10:08:30Z",
        }
    ]
    assert [point["verdict"] for point in data["series"]["points"]] == ["pass", "no_data", "fail"]
    assert data["series"]["points"][0]["values"] == [
        {"line": 0, "value": 0.002, "threshold": 0.01},
        {"line": 1, "value": 0.31, "threshold": 0.33},
    ]


@pytest.mark.parametrize(
    ("what", "text", "expected"),
    [
        ("Paused", "paused by anna at 30%", ("pause", "anna", "", "")),
        (
            "Resumed",
            "resumed by system:serviceaccount:ci:bot (link)",
            ("resume", "system:serviceaccount:ci:bot", "link", ""),
        ),
        (
            "Promoting",
            "ff is promoted: promoted by hand by eve (cli): urgent: now",
            ("promote", "eve", "cli", "urgent: now"),
        ),
        ("Retried", "ff87463d6c is tried again by anna", ("retry", "anna", "", "")),
    ],
)
def test_deeds_are_read_from_the_record(what: str, text: str, expected: tuple[str, ...]) -> None:
    (deed,) = told(run(log=[entry(what, text)], approvals=[])).deeds
    assert (deed.verb, deed.by, deed.via, deed.reason) == expected


def test_what_the_record_says_of_nobody_is_no_deed() -> None:
    log = [entry("Paused", "a window is shut"), entry("CheckFailed", "approved by nobody")]
    assert told(run(log=log, approvals=[])).deeds == ()


def target(*writes: tuple[str, str, dict[str, Any]]) -> Manifest:
    fields = [{"manager": manager, "time": at, "fieldsV1": what} for manager, at, what in writes]
    return {"metadata": {"managedFields": fields}}


IMAGE: dict[str, Any] = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:image": {}}}}}}}


def test_who_changed_the_image_is_told_while_it_can_be() -> None:
    scaled: tuple[str, str, dict[str, Any]] = ("hpa", "2026-11-23T09:59:59Z", {"f:spec": {"f:replicas": {}}})
    pushed = ("argocd-controller", "2026-11-23T09:59:58Z", IMAGE)

    assert told(target=target(scaled, pushed)).changed == Change("argocd-controller", instant("2026-11-23T09:59:58Z"))
    later = ("kubectl-set", "2026-11-23T12:00:00Z", IMAGE)
    assert told(target=target(pushed, later)).changed is None
    assert told(target=target(scaled)).changed is None


def test_it_comes_back_from_its_json() -> None:
    data = json.loads(line(told(target=target(("kubectl", "2026-11-23T09:59:58Z", IMAGE)))))
    assert to_data(from_data(data)) == data


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["run", "rollout", "series", "lines", "points", "values", "log", "at", "steps", "people", "line"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_of_this_format_is_drawn_or_left_out(value: Any) -> None:
    data = {"format": FORMAT} | (value if isinstance(value, dict) else {"log": value, "series": value, "run": value})
    assert page(from_data(data), NOW).startswith("<!doctype html>")


# --- the report -------------------------------------------------------------------------------------------------


def test_the_report_has_all_of_it() -> None:
    text = page(told(), NOW)

    assert text.index("rolled back") < text.index("<svg")
    for said in ("aborted by ben: wrong colour", "anna", "CHG-1", "Traffic on the canary", "lat &lt;= lat of primary"):
        assert said in text
    assert text.count("<svg") == 3
    assert "success_rate &gt;= 99%" in text  # the last check, and the policy
    assert "prefers-color-scheme:dark" in text or "prefers-color-scheme: dark" in text


def test_a_report_asks_nothing_of_anybody() -> None:
    text = page(told(), NOW)
    addresses = [found for found in re.findall(r"https?://[^\s\"'<>]+", text) if found != "http://www.w3.org/2000/svg"]
    assert addresses == []
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b|url\((?!#)|@import", text)


def test_hostile_words_are_words() -> None:
    checks = {"lines": [{**ERRORS, "text": EVIL, "name": EVIL}], "table": CHECKS["table"]}
    manifest = run(
        reason=EVIL,
        checks=checks,
        approvals=[{**APPROVED, "by": EVIL, "reason": EVIL}],
        log=[entry("CheckFailed", EVIL)],
        lastCheck={**objects.CHECK, "results": [{"text": EVIL, "verdict": "fail", "values": {EVIL: EVIL}}]},
    )
    manifest["spec"]["template"]["spec"]["containers"][0]["image"] = EVIL
    one = history("Rollout", EVIL, EVIL, run_shown(manifest), policy=EVIL)

    text = page(one, NOW)

    assert text.count("&lt;script&gt;") >= 8
    assert "<script" not in text
    assert "<img" not in text


# --- the command ------------------------------------------------------------------------------------------------


def test_a_report_is_made_of_what_was_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported, out = tmp_path / "h.json", tmp_path / "h.html"
    exported.write_text(line(told()))

    assert main(["report", "--from", str(exported), "-o", str(out)]) == 0

    assert capsys.readouterr().err == f"wrote {out}\n"
    assert out.read_text().startswith("<!doctype html>")


def test_one_of_several_runs_is_chosen_by_its_number(tmp_path: Path) -> None:
    first, second = run(), run()
    second["spec"]["number"] = 3
    path = tmp_path / "h.jsonl"
    path.write_text(line(told(first)) + line(told(second)))

    assert read(str(path), 3).run.number == 3
    with pytest.raises(Stop, match="has several runs, shop/checkout 2, shop/checkout 3: say which"):
        read(str(path))
    with pytest.raises(Stop, match="has no run 9; it has"):
        read(str(path), 9)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no run; it has none"),
        (b"{", "is not JSON"),
        (b"[" * 100_000, "nested too deep|is not JSON"),
        (b"[]", "has no run; it has none"),
        (b"{}", "has no `format: rollway.dev/history/1`"),
        (b'{"format": "rollway.dev/history/2"}', "its `format` is `rollway.dev/history/2`"),
        (b"\xff\xfe\x00", "is not UTF-8"),
    ],
)
def test_what_is_no_history_is_said_to_be_none(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "h.json"
    path.write_bytes(content)
    with pytest.raises(Stop, match=said):
        read(str(path))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to report on"),
        (["checkout", "--from", "x.json"], "say what to report on, and only one"),
        (["--from", "nowhere.json"], "`nowhere.json` cannot be read: no such file"),
        (["--journal", "nowhere"], "`nowhere` has no journal that can be read"),
        (["--from", "x.json", "-n", "shop"], "go with a rollout's NAME"),
    ],
)
def test_wrong_usage_is_told(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_name_of_the_file_stays_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = to_data(told()) | {"rollout": {"name": "../../up"}}
    Path("h.json").write_text(json.dumps(data))

    assert main(["report", "--from", "h.json"]) == 0

    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.json", "up-2.html"]


def test_a_check_in_the_second_of_a_change_does_not_undo_it() -> None:
    """The record has whole seconds: what came after a check may be said to have come before it."""
    log = [
        {**entry("TrafficRouted", "canary weight 10%", "10:01:00"), "step": 0, "weight": 10},
        {**entry("TrafficRouted", "canary weight 30%", "10:02:00"), "step": 2, "weight": 30},
    ]
    table = "at step weight verdict 1\n2026-11-23T10:02:00.400Z 1 10 pass 0.002\n2026-11-23T10:03:00Z 3 30 pass 0.002\n"

    data = to_data(told(run(log=log, checks={"lines": [ERRORS], "table": table})))

    assert [(each["at"][11:19], each["weight"]) for each in data["weights"]] == [("10:01:00", 10.0), ("10:02:00", 30.0)]


# --- from a run on this machine ---------------------------------------------------------------------------------


async def kept(folder: Path, state: State) -> None:
    journal = Journal(folder)
    journal.note("program", ir_json.to_data(objects.program()))
    await journal.keep("state", json.loads(state_json.encode(state)))
    journal.close()


async def test_the_journal_of_a_run_on_this_machine_has_a_history(tmp_path: Path) -> None:
    rows = (CheckRow(NOW - 60_000, 3, 30.0, Verdict.FAIL, (0.2,)),)
    line_of_it = CheckLine("success_rate >= 99%", "require", "success_rate", "percent", ">=", 0.99)
    log = (Entry(NOW - 90_000, 0, 10.0, "TrafficRouted", "canary weight 10%"),)
    run_of_it = Run(
        *(4, "v2", "digest", NOW - 120_000, 0),
        outcome=Outcome.ROLLED_BACK,
        reason="3 failed checks",
        ended_ms=NOW,
        log=log,
        series=CheckSeries((line_of_it,), rows),
    )
    await kept(tmp_path, State(run=run_of_it, wall_ms=NOW))

    one = recall(str(tmp_path))

    assert (one.name, one.run.number, one.run.outcome, one.run.reason) == (
        "checkout",
        4,
        "rolled_back",
        "3 failed checks",
    )
    assert [(each.line.name, each.value, each.threshold) for each in one.run.series[0].values] == [
        ("success_rate", 0.2, 0.99)
    ]
    assert "3 failed checks" in page(one, NOW)


async def test_a_journal_in_which_nothing_was_rolled_out_says_so(tmp_path: Path) -> None:
    await kept(tmp_path, State())
    with pytest.raises(Stop, match="nothing has been rolled out yet"):
        recall(str(tmp_path))


def test_a_journal_of_another_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"not a journal\n")
    with pytest.raises(Stop, match="has no state of a version that is known here"):
        recall(str(tmp_path))
