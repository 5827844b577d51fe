"""`run`, `submit`, `signal` and `demo` as a person has them: a rollout from one line, every wrong line told what to do,
and exit codes that scripts can rely on."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from interpreter.local import demoapp, status

POLICY = """\
import "std/http"

rollout shop in test {
  target   deployment/shop
  traffic  istio
  analysis { every 500ms; observe success_rate >= 90% }
  steps {
    shift to 50%
    wait for approval
    promote
  }
}
"""
LIMIT_S = 60


def app(version: str) -> str:
    return shlex.join([sys.executable, "-S", demoapp.__file__, "--port", "{port}", "--version", version])


class Run:
    """`rollway run` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None
        (folder / "shop.rollout").write_text(POLICY)

    def start(self, *more: str) -> None:
        line = ["run", "shop.rollout", "--local", "--listen", "127.0.0.1:0", "--primary", app("1"), *more]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rollway", *line],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def line(self, *words: str) -> tuple[int, str]:
        """Another command, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "rollway", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        return done.returncode, done.stderr

    def until(self, holds: Callable[[dict[str, object]], bool]) -> dict[str, object]:
        """Wait until the run's status is so."""
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:
            found = status.read(self.folder / ".rollway" / "test.shop")
            if found is not None and holds(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"never came to be; the last: {found}")

    def ended(self) -> tuple[int, str]:
        assert self.process is not None
        said, _ = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, said

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.end()


def test_a_rollout_from_one_line_approved_by_another_and_resumed_after_a_kill(run: Run) -> None:
    run.start("--canary", app("2"), "--once")
    half = run.until(lambda seen: seen["weight"] == 50.0 and seen["step"] == 1)
    assert run.process is not None
    os.kill(run.process.pid, signal.SIGKILL)
    run.ended()
    run.start("--canary", app("2"), "--once")
    run.until(lambda seen: seen["pid"] == run.process.pid if run.process else False)
    assert run.line("signal", "approve") == (
        0,
        f"asked the run in `.rollway/test.shop` to approve revision {half['revision']}\n",
    )
    code, said = run.ended()
    assert code == 0, said
    assert "going on from the journal" in said
    assert "Promoted" in said
    assert "promoted: " not in said
    assert said.rstrip().splitlines()[-1].startswith("promoted; 0 requests served, 0 failed")


def test_an_aborted_rollout_ends_with_1_and_a_stopped_one_with_130(run: Run) -> None:
    run.start("--canary", app("2"))
    seen = run.until(lambda seen: seen["step"] == 1)
    code, said = run.line("submit", app("3"))
    assert (code, "submitted revision" in said) == (0, True)
    run.until(lambda now: now["step"] == 1 and now["revision"] not in (None, seen["revision"]))
    assert run.process is not None
    run.process.send_signal(signal.SIGINT)
    code, said = run.ended()
    assert code == 130
    assert "stopped with the canary at 50%" in said
    assert "give the same line again to go on" in said
    run.start("--canary", app("2"), "--once")
    run.until(lambda now: now["pid"] == run.process.pid if run.process else False)
    assert run.line("signal", "abort", "--reason", "too slow", "--who", "ann")[0] == 0
    code, said = run.ended()
    assert code == 1
    assert "rolled back: aborted by ann: too slow;" in said


def test_a_port_in_use_and_a_folder_in_use_say_what_to_do(run: Run) -> None:
    line = ["run", "shop.rollout", "--local", "--primary", app("1")]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = run.line(*line, "--listen", where)
    assert code == 2
    assert said == f"rollway: the port of {where} is in use: stop what listens there, or give another with --listen\n"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = run.line(*line, "--listen", "127.0.0.1:0", "--metrics-port", str(port))
    assert code == 2
    assert f"the port of 127.0.0.1:{port} is in use" in said
    assert said.endswith("or give another with --metrics-port\n")
    run.start()
    run.until(lambda seen: seen["phase"] == "Initialized")
    code, said = run.line(*line, "--listen", "127.0.0.1:0")
    assert code == 2
    assert "is using the folder .rollway/test.shop: stop it, or give another with --dir" in said


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["run", "shop.rollout", "--primary", "x"], "say where to run it: `--local` is on this machine"),
        (["run", "shop.rollout", "--local"], "missing option `--primary`"),
        (["run", "none.rollout", "--local", "--primary", "true"], "`none.rollout`"),
        (["run", "shop.rollout", "--local", "--primary", "no-such-thing"], "--primary: the program `no-such-thing`"),
        (["run", "shop.rollout", "--local", "--primary", "'open"], "its quotes do not match"),
        (["run", "shop.rollout", "--local", "--primary", "true", "--once"], "needs the new revision as `--canary`"),
        (
            ["run", "shop.rollout", "--local", "--primary", "true", "--listen", "here"],
            "`--listen` is a host and a port",
        ),
        (["run", "shop.rollout", "--local", "--primary", "true", "--listen", "192.0.2.1:80"], "cannot be listened on"),
        (["run", "shop.rollout", "--local", "--primary", "true", "--replicas", "99"], "number from 1 to 16"),
        (["run", "shop.rollout", "--local", "--primary", "true", "--prometheus", "x"], "`--prometheus` is an address"),
        (["run", "shop.rollout", "--local", "--primary", "true", "--rollout", "x"], "there is no rollout `x`"),
        (["run", "shop.rollout", "--local", "--primary", "true", "--dir", "shop.rollout"], "cannot be used"),
        (["submit", "true", "--dir", "nowhere"], "there is no run in `nowhere`"),
        (["signal", "approve"], "there is no run under `.rollway`"),
        (["signal", "explode"], "`explode` is not one of"),
        (["demo", "--rate", "0"], "`--rate` is a number from 1 to 5000"),
    ],
)
def test_a_wrong_line_is_told_what_to_do(run: Run, line: list[str], words: str) -> None:
    code, said = run.line(*line)
    assert code == 2, said
    assert words in said
    assert len(said.splitlines()) == 1


def test_a_primary_that_dies_at_once_is_told_with_its_last_words(run: Run) -> None:
    dying = shlex.join([sys.executable, "-S", "-c", "raise SystemExit('no licence')"])
    code, said = run.line("run", "shop.rollout", "--local", "--listen", "127.0.0.1:0", "--primary", dying)
    assert code == 2
    assert "does not start: the process ended with exit code 1; its last words: no licence" in said


def test_a_policy_with_errors_is_refused_as_everywhere(run: Run) -> None:
    (run.folder / "shop.rollout").write_text(POLICY.replace("success_rate", "sucess_rate"))
    code, said = run.line("run", "shop.rollout", "--local", "--primary", "true")
    assert code == 1
    assert "did you mean `success_rate`?" in said
