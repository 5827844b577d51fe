"""Protects what the tester answers over HTTP: Flagger's contract first, then what is told of tasks and their output.

The programs are little scripts; what the real tools do is in test_real_tools.py.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import re2

from interpreter.tester import gates, processes
from interpreter.tester.allowed import Allowed
from interpreter.tester.guard import ALL, GATES, Shared
from interpreter.tester.store import Folder, StoreError
from interpreter.tester.tasks import Limits
from tests.interpreter.tester.conftest import Starts, running

Programs = Callable[[str, str], Path]
SHELL = Allowed(frozenset(), frozenset(), shell=True)


# --- Flagger's contract (peers: loadtester) -----------------------------------------------------------------------


async def test_a_command_is_started_in_the_background(tester: Starts, programs: Programs, tmp_path: Path) -> None:
    programs("hey", f"echo begun; while [ ! -e {tmp_path}/enough ]; do sleep 0.02; done")
    client = await tester()
    first = await client.post(cmd="hey -z 1m http://x/")
    assert (first.status_code, "has begun" in first.text) == (202, True)
    again = await client.post(cmd="hey -z 1m http://x/")
    assert (again.status_code, again.headers["Rollway-Task"]) == (202, first.headers["Rollway-Task"])
    assert "is running already" in again.text
    (tmp_path / "enough").touch()
    assert (await client.ended(first.headers["Rollway-Task"]))["state"] == "passed"
    anew = await client.post(cmd="hey -z 1m http://x/")
    assert anew.headers["Rollway-Task"] != first.headers["Rollway-Task"]


async def test_the_same_command_of_another_rollout_is_another_task(tester: Starts) -> None:
    client = await tester()
    one, two = [await client.post(name=name, cmd="sleep 60") for name in ("a", "b")]
    assert one.headers["Rollway-Task"] != two.headers["Rollway-Task"]


async def test_bash_is_waited_for(tester: Starts) -> None:
    client = await tester()
    good = await client.post(type="bash", cmd="echo token | grep token")
    assert (good.status_code, good.text) == (200, "")
    shown = await client.post(type="bash", cmd="echo token | grep tok", returnCmdOutput="true")
    assert (shown.status_code, shown.text) == (200, "token\n")
    bad = await client.post(type="bash", cmd="echo oh no && false")
    assert (bad.status_code, "exit code 1: oh no" in bad.text) == (500, True)


@pytest.mark.parametrize(("kind", "program"), [("helm", "helm"), ("helmv3", "helm"), ("kubectl", "kubectl")])
async def test_helm_and_kubectl_are_given_their_arguments(
    tester: Starts, programs: Programs, kind: str, program: str
) -> None:
    programs(program, 'for word; do echo "[$word]"; done')
    client = await tester()
    answer = await client.post(type=kind, cmd="get 'a b' --c", returnCmdOutput="true")
    assert (answer.status_code, answer.text) == (200, "[get]\n[a b]\n[--c]\n")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [("/gate/approve", 200, "OK"), ("/gate/halt", 403, "Forbidden"), ("/healthz", 200, "OK")],
)
async def test_what_is_always_the_same(tester: Starts, path: str, status: int, text: str) -> None:
    client = await tester()
    for answer in (await client.post(path), await client.http.get(path)):
        assert (answer.status_code, answer.text) == (status, text)


@pytest.mark.parametrize("kind", ["gate", "rollback"])
async def test_a_gate_is_shut_until_it_is_opened(tester: Starts, kind: str) -> None:
    client = await tester()
    other = {"gate": "rollback", "rollback": "gate"}[kind]
    assert (await client.post(f"/{kind}/check")).status_code == 403
    assert (await client.post(f"/{kind}/open")).status_code == 202
    answer = await client.post(f"/{kind}/check")
    assert (answer.status_code, answer.text.startswith("Approved")) == (200, True)
    assert (await client.post(f"/{other}/check")).status_code == 403
    assert (await client.post(f"/{kind}/check", namespace="elsewhere")).status_code == 403
    assert await client.metric(f'rollway_tester_gate_open{{kind="{kind}",name="podinfo",namespace="test"}} 1.0')
    assert (await client.post(f"/{kind}/close")).status_code == 202
    assert (await client.post(f"/{kind}/check")).status_code == 403
    assert await client.metric(f'rollway_tester_gate_open{{kind="{kind}",name="podinfo",namespace="test"}} 0.0')


async def test_a_rollout_whose_name_looks_like_a_gate_has_its_own(tester: Starts) -> None:
    client = await tester()
    await client.post("/gate/open", name="rollback.podinfo")
    assert (await client.post("/rollback/check", name="podinfo")).status_code == 403


async def test_what_cannot_be_done_is_a_bad_request(tester: Starts) -> None:
    client = await tester()
    for answer in (await client.post(), await client.post(type="concord"), await client.post(type="hey")):
        assert (answer.status_code, answer.text.count("\n")) == (400, 0)
    assert (await client.http.post("/", content=b"{")).status_code == 400
    assert (await client.http.post("/", content=b"x" * 300_000)).status_code == 413
    assert (await client.http.get("/nothing")).status_code == 404


# --- what may be run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cmd",
    ["rm -rf /", "true && rm x", "echo a | sh", "/bin/true", "eval true", "locust -f http://evil/x.py", "wrk -s x.lua"],
)
async def test_what_is_not_allowed_is_not_run(tester: Starts, cmd: str) -> None:
    client = await tester()
    answer = await client.post(type="bash", cmd=cmd)
    assert (answer.status_code, "may not be run in a command line" in answer.text) == (403, True)
    assert (await client.http.get("/tasks")).json() == {"tasks": []}


@pytest.mark.parametrize(
    ("kind", "cmd"),
    [
        ("helm", "install x . --post-renderer /bin/sh"),
        ("helmv3", "install x . --post-renderer=/bin/sh"),
        ("helm", "plugin install http://evil/"),
        ("kubectl", "get pods --kubeconfig=/tmp/evil"),
    ],
)
async def test_arguments_that_start_another_program_need_leave(tester: Starts, kind: str, cmd: str) -> None:
    answer = await (await tester()).post(type=kind, cmd=cmd)
    assert (answer.status_code, "start another program" in answer.text) == (403, True)


async def test_a_shell_runs_what_a_policy_writes_only_where_it_may(tester: Starts) -> None:
    shut, opened = await tester(), await tester(allowed=SHELL)
    line = {"type": "bash", "cmd": "A=1; echo $((A + 1))", "returnCmdOutput": "true"}
    refused = await shut.post(**line)
    assert (refused.status_code, "--allow-shell" in refused.text) == (403, True)
    answer = await opened.post(**line)
    assert (answer.status_code, answer.text) == (200, "2\n")


async def test_a_script_of_a_policy_needs_the_same_leave(tester: Starts, programs: Programs) -> None:
    programs("k6", "cat script.js")
    script = {"type": "k6", "script": "what it says", "returnCmdOutput": "true"}
    refused = await (await tester()).post(**script)
    assert (refused.status_code, "--allow-shell" in refused.text) == (403, True)
    answer = await (await tester(allowed=Allowed(shell=True))).post(**script)
    assert (answer.status_code, answer.text) == (200, "what it says")


async def test_namespaces_that_are_not_served(tester: Starts) -> None:
    client = await tester(namespaces=re2.compile("^shop-"))
    for path in ("/", "/gate/check", "/gate/open"):
        assert (await client.post(path, namespace="test", cmd="true")).status_code == 403
    assert (await client.post(namespace="shop-eu", cmd="true")).status_code == 202


async def test_a_page_in_a_browser_cannot_run_tasks(tester: Starts) -> None:
    client = await tester()
    answer = await client.post(type="bash", cmd="true", headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


async def test_the_testers_environment_does_not_reach_a_task(tester: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-of-the-tester")
    client = await tester(allowed=SHELL)
    answer = await client.post(type="bash", cmd="env | cut -d= -f1", returnCmdOutput="true")
    assert "SLACK_TOKEN" not in answer.text
    assert {"PATH", "HOME", "ROLLWAY_TASK"} <= set(answer.text.split())


# --- who may -------------------------------------------------------------------------------------------------------

TOKEN = "a-token-of-twenty-four-x"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_for_everything(tester: Starts, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    client = await tester(guard=Shared(tmp_path / "token", ALL))
    for path in ("/", "/gate/check", "/gate/open", "/rollback/close", "/tasks/x/stop"):
        answer = await client.post(path, cmd="true")
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await client.post(path, cmd="true", headers=bearer("wrong"))).status_code == 401
    assert (await client.http.get("/tasks")).status_code == 401
    assert (await client.post(type="bash", cmd="true", headers=bearer(TOKEN))).status_code == 200
    assert (await client.http.get("/healthz")).status_code == 200


async def test_a_token_for_gates_leaves_policies_as_they_are(tester: Starts, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    client = await tester(guard=Shared(tmp_path / "token", GATES))
    assert (await client.post(type="bash", cmd="true")).status_code == 200
    assert (await client.post("/gate/check")).status_code == 403
    assert (await client.post("/gate/open")).status_code == 401
    assert (await client.http.get("/gates")).status_code == 401
    assert (await client.post("/gate/open", headers=bearer(TOKEN))).status_code == 202
    assert "opened by the holder of the token" in (await client.post("/gate/check")).text


async def test_a_token_file_that_is_gone_lets_nobody_in(tester: Starts, tmp_path: Path) -> None:
    client = await tester(guard=Shared(tmp_path / "token", ALL))
    assert (await client.post(cmd="true", headers=bearer(TOKEN))).status_code == 503


# --- limits --------------------------------------------------------------------------------------------------------


async def test_a_task_that_takes_too_long_is_ended_with_all_it_started(
    tester: Starts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "GRACE_S", 0.3)
    client = await tester(allowed=SHELL, limits=Limits(seconds=0.5))
    cmd = f"sleep 300 & echo $! > {tmp_path}/child; trap '' TERM HUP; echo here; wait; sleep 300"
    answer = await client.post(type="bash", cmd=cmd)
    assert (answer.status_code, "it took longer than 0.5s" in answer.text) == (500, True)
    assert not alive(int((tmp_path / "child").read_text()))


def alive(process: int) -> bool:
    """A process that has ended and is not waited for yet is not."""
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_what_a_task_leaves_behind_is_killed_and_does_not_hold_the_answer_up(
    tester: Starts, tmp_path: Path
) -> None:
    client = await tester(allowed=SHELL)
    answer = await client.post(type="bash", cmd=f"sleep 300 & echo $! > {tmp_path}/child")
    assert answer.status_code == 200
    assert not alive(int((tmp_path / "child").read_text()))


async def test_too_many_tasks(tester: Starts) -> None:
    client = await tester(limits=Limits(most_running=1))
    assert (await client.post(cmd="sleep 60")).status_code == 202
    answer = await client.post(cmd="sleep 61")
    assert (answer.status_code, "Retry-After" in answer.headers) == (429, True)
    assert (await client.post(cmd="sleep 60")).status_code == 202


async def test_of_much_output_the_end_is_kept(tester: Starts) -> None:
    client = await tester(allowed=SHELL, limits=Limits(kept_bytes=1000))
    cmd = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"
    answer = await client.post(type="bash", cmd=cmd, returnCmdOutput="true")
    assert answer.text.startswith("[")
    assert "bytes before this are not kept]" in answer.text.splitlines()[0]
    assert answer.text.endswith("line 2998\nline 2999\n")
    assert len(answer.text) < 1100


async def test_as_many_tasks_are_remembered_as_is_said(tester: Starts, tmp_path: Path) -> None:
    client = await tester(limits=Limits(kept_tasks=2), tasks=Folder(tmp_path / "tasks"))
    names = [(await client.post(type="bash", cmd=f"echo {n}")).headers["Rollway-Task"] for n in range(4)]
    assert [each["id"] for each in (await client.http.get("/tasks")).json()["tasks"]] == [names[3], names[2]]
    assert {path.name for path in (tmp_path / "tasks").iterdir()} == {names[3], names[2]}


async def test_a_program_that_is_not_there(tester: Starts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = await (await tester()).post(type="bash", cmd="hey http://x/")
    assert (answer.status_code, "there is no program `hey` here" in answer.text) == (500, True)


# --- what is told of tasks -----------------------------------------------------------------------------------------


async def test_output_is_followed_while_the_task_runs(tester: Starts, programs: Programs, tmp_path: Path) -> None:
    programs("hey", f"echo one; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo password=hunter2; echo three")
    client = await tester()
    name = (await client.post(cmd="hey")).headers["Rollway-Task"]
    seen = ""
    async with client.http.stream("GET", f"/tasks/{name}/output", params={"follow": "true"}) as answer:
        async for piece in answer.aiter_text():
            seen += piece
            if seen == "one\n":
                (tmp_path / "go").touch()
    assert seen == "one\npassword=***\nthree\n"
    assert (await client.http.get(f"/tasks/{name}/output")).text == seen


async def test_a_task_is_stopped_by_a_person(tester: Starts) -> None:
    client = await tester()
    name = (await client.post(cmd="sleep 60")).headers["Rollway-Task"]
    assert await client.metric('rollway_tester_tasks_running{type="cmd"} 1.0')
    assert (await client.http.post(f"/tasks/{name}/stop")).status_code == 202
    found = await client.ended(name)
    assert (found["state"], "stopped by somebody at 127.0.0.1" in found["reason"]) == ("failed", True)
    assert (await client.http.post(f"/tasks/{name}/stop")).status_code == 409
    assert (await client.http.post("/tasks/nothing/stop")).status_code == 404
    assert await client.metric('rollway_tester_tasks_total{outcome="failed",type="cmd"} 1.0')
    assert await client.metric('rollway_tester_tasks_running{type="cmd"} 0.0')


async def test_whoever_asks_again_while_a_task_is_waited_for_waits_for_the_same_end(
    tester: Starts, programs: Programs, tmp_path: Path
) -> None:
    programs("curl", f"echo x >> {tmp_path}/runs; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
    client = await tester()
    both = [asyncio.create_task(client.post(type="bash", cmd="curl x")) for _ in range(2)]
    while not (tmp_path / "runs").exists():  # noqa: ASYNC110 - the program tells nobody
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    (tmp_path / "go").touch()
    one, two = await asyncio.gather(*both)
    assert (one.status_code, two.status_code) == (200, 200)
    assert (tmp_path / "runs").read_text() == "x\n"


async def test_an_outcome_that_nobody_waited_for_is_the_answer_to_the_next_call(
    tester: Starts, programs: Programs, tmp_path: Path
) -> None:
    programs("curl", f"echo x >> {tmp_path}/runs; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; exit 7")
    client = await tester()
    asked = asyncio.create_task(client.post(type="bash", cmd="curl x"))
    while not (tmp_path / "runs").exists():  # noqa: ASYNC110 - the program tells nobody
        await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await asyncio.sleep(0.1)
    (tmp_path / "go").touch()
    await client.ended((await client.http.get("/tasks")).json()["tasks"][0]["id"])
    answer = await client.post(type="bash", cmd="curl x")
    assert (answer.status_code, "exit code 7" in answer.text) == (500, True)
    assert (tmp_path / "runs").read_text() == "x\n"
    await client.post(type="bash", cmd="curl x")
    assert (tmp_path / "runs").read_text() == "x\nx\n"


BAD_LOAD = 'echo "Summary:"; echo "  Total: 1.0 secs"; echo "Status code distribution:"; echo "  [500]  9 responses"'


async def test_a_load_in_the_background_that_failed_refuses_the_next_call_once(
    tester: Starts, programs: Programs
) -> None:
    programs("hey", BAD_LOAD)
    client = await tester()
    load = {"type": "hey", "url": "http://x/", "wait": "false", "maxErrorRate": "1%"}
    begun = await client.post(**load)
    assert begun.status_code == 202
    await client.ended(begun.headers["Rollway-Task"])
    assert (await client.post(**load, checksum="2")).status_code == 202, "that is another revision's"
    refused = await client.post(**load)
    assert (refused.status_code, "100.00% errors" in refused.text) == (202, False), "the last one is of revision 2"


async def test_it_refuses_once_and_is_begun_anew(tester: Starts, programs: Programs) -> None:
    programs("hey", BAD_LOAD)
    client = await tester()
    load = {"type": "hey", "url": "http://x/", "wait": "false", "maxErrorRate": "1%"}
    await client.ended((await client.post(**load)).headers["Rollway-Task"])
    refused = await client.post(**load)
    assert (refused.status_code, "100.00% errors" in refused.text) == (500, True)
    assert (await client.post(**load)).status_code == 202


# --- restarts ------------------------------------------------------------------------------------------------------


async def test_gates_outlive_the_tester_and_say_who_opened_them(tmp_path: Path) -> None:
    store = Folder(tmp_path / "gates")
    async with running(gates=store) as client:
        await client.post("/gate/open")
    async with running(gates=store) as client:
        answer = await client.post("/gate/check")
        assert answer.status_code == 200
        gate = (await client.http.get("/gates")).json()["gate_podinfo.test"]
    assert (gate["open"], gate["by"]) == (True, "somebody at 127.0.0.1")
    assert gate["at"] in answer.text


async def test_a_task_that_was_running_is_lost_and_says_so_once(tmp_path: Path) -> None:
    store = Folder(tmp_path / "tasks")
    async with running(tasks=store) as client:
        lost = (await client.post(cmd="sleep 60")).headers["Rollway-Task"]
        await client.post(type="bash", cmd="true")
    async with running(tasks=store) as client:
        assert (await client.task(lost))["state"] == "lost"
        refused = await client.post(cmd="sleep 60")
        assert (refused.status_code, f"task {lost} lost" in refused.text) == (500, True)
        assert (await client.post(cmd="sleep 60")).status_code == 202


async def test_a_spoilt_record_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "spoilt").write_text('{"id": 5}')
    async with running(tasks=Folder(tmp_path / "tasks")) as client:
        assert (await client.post(cmd="true")).status_code == 202


class Broken:
    """A store that has stopped to answer."""

    async def read(self) -> dict[str, str]:
        if self.down:
            raise StoreError("ConfigMap `a/b` cannot be read: no answer")
        return {}

    async def put(self, key: str, value: str | None) -> None:
        raise StoreError("ConfigMap `a/b` cannot be written: no answer")

    down = False


async def test_a_store_that_does_not_answer_shuts_gates_and_stops_no_task(tester: Starts) -> None:
    store = Broken()
    client = await tester(gates=store, tasks=store)
    store.down = True
    for path in ("/gate/check", "/gate/open"):
        answer = await client.post(path)
        assert (answer.status_code, "no answer" in answer.text) == (503, True)
    assert (await client.post(type="bash", cmd="true")).status_code == 200


async def test_tasks_are_ended_when_the_tester_is(tester: Starts, tmp_path: Path) -> None:
    async with running(allowed=SHELL) as client:
        await client.post(cmd=f"echo $$ > {tmp_path}/id; exec sleep 300")
        while not ((tmp_path / "id").exists() and (tmp_path / "id").read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    process = int((tmp_path / "id").read_text())
    assert not alive(process)


async def test_gates_that_nobody_has_made_take_no_room(tester: Starts) -> None:
    client = await tester()
    for number in range(3):
        assert (await client.post("/gate/check", name=f"made-up-{number}")).status_code == 403
    assert "made-up" not in (await client.http.get("/metrics")).text


async def test_there_is_an_end_to_gates(tester: Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "MOST_GATES", 1)
    client = await tester()
    assert (await client.post("/gate/open", name="a")).status_code == 202
    assert (await client.post("/gate/open", name="b")).status_code == 503
    assert (await client.post("/gate/close", name="a")).status_code == 202


async def test_tokens_are_not_to_be_guessed(tester: Starts, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    client = await tester(guard=Shared(tmp_path / "token", ALL))
    answers = [(await client.post("/gate/open", headers=bearer(f"guess-{n}"))).status_code for n in range(22)]
    assert set(answers) == {401, 429}
    assert (await client.post("/gate/open", headers=bearer(TOKEN))).status_code == 429


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/", 405, "GET is not taken here, but POST is"),
        ("GET", "/gate/open", 405, "GET is not taken here, but POST is"),
        ("GET", "/gates/check", 404, "webhooks call /, /gate/check or /rollback/check"),
        ("GET", "/tasks/x", 404, "there is no such task"),
    ],
)
async def test_who_has_gone_astray_is_told_the_way(
    tester: Starts, method: str, path: str, status: int, said: str
) -> None:
    answer = await (await tester()).http.request(method, path)
    assert (answer.status_code, said in answer.text) == (status, True), answer.text


async def test_no_answer_is_masked_that_has_nothing_to_hide(tester: Starts, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    client = await tester(guard=Shared(tmp_path / "token", ALL))
    for answer in (await client.post(), await client.post(headers=bearer("wrong"))):
        assert "***" not in answer.text
