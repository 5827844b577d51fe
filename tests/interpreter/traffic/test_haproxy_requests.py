"""Protects that a real HAProxy takes the conditions, and does with requests what the routing says.

The controller's part, a rule for each path of the Ingress, is written here as its `pkg/route/route.go` writes it.
"""

from __future__ import annotations

import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.routing import HOME
from interpreter.traffic.haproxy import CONDITION, HAProxy
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, site
from tests.interpreter.traffic.situations import COOKIE, HEADER, QUERY, matching, weight
from tests.servers.process import program
from tests.servers.recipes import HAPROXY as HAPROXY_SERVER

pytestmark = pytest.mark.data_plane("haproxy")

HAPROXY = HAProxy()
PLACE = site("test", "haproxy", {"ingress": "shop"})
_, _, SERVICE, INGRESS = HAPROXY.refs(PLACE)
HOST = "shop.example.com"
PATIENCE_S = 20.0


def rules(routing: Routing) -> list[str]:
    """Those that the controller makes of what is rendered: of paths that are `/` and no more."""
    made = Pretence(RIGS["haproxy"]("test").given)
    made.do(HAPROXY.render(PLACE, routing, made.objects))
    condition = made.objects[SERVICE]["metadata"]["annotations"][CONDITION]
    places = [
        (rule["host"], path["path"])
        for rule in made.objects[INGRESS]["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    assert places == [(HOST, "/")]
    return [
        f"use_backend canary if {{ var(txn.host) -m str {host} }} {{ path -m beg {path} }}  {{ {condition} }}"
        for host, path in places
    ]


@contextmanager
def running(folder: Path, routing: Routing) -> Iterator[httpx.Client]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = "\n".join(
        f'backend {name}\n  http-request return status 200 content-type text/plain string "{name}"'
        for name in ("canary", "primary")
    )
    lines = "\n  ".join(rules(routing))
    (folder / "haproxy.cfg").write_text(
        f"defaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n"
        f"frontend http\n  bind 127.0.0.1:{port}\n  http-request set-var(txn.host) req.hdr(host)\n  {lines}\n"
        f"  default_backend primary\n{answers}\n"
    )
    with subprocess.Popen(
        [program(HAPROXY_SERVER), "-db", "-f", str(folder / "haproxy.cfg")], stderr=subprocess.PIPE
    ) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Host": HOST}, trust_env=False) as client:
                _until_up(client, process)
                yield client
        finally:
            process.terminate()


def _until_up(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    end = monotonic() + PATIENCE_S
    while monotonic() < end:
        if process.poll() is not None:
            assert process.stderr is not None
            pytest.fail(f"HAProxy does not take it: {process.stderr.read().decode()}")
        try:
            client.get("/")
        except httpx.TransportError:
            sleep(0.05)
        else:
            return
    pytest.fail("HAProxy does not answer")


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_the_canary_gets_its_share(tmp_path: Path, percent: float) -> None:
    """Of 1500 requests, within five standard deviations."""
    with running(tmp_path, weight(percent)) as client:
        counted = Counter(client.get("/").text for _ in range(1500))
        other = client.get("/", headers={"Host": "other.example.com"}).text
    assert counted["canary"] == pytest.approx(15 * percent, abs=5 * (1500 * 0.3 * 0.7) ** 0.5 if percent == 30 else 0)
    assert other == "primary"


HEAD = MatchTest("header", "X-Group", "=~", r"^(in|be)\w+ ab, c$")
CASES: list[tuple[MatchTest, dict[str, str], str, str]] = [
    (HEADER, {"X-Canary": "insider"}, "/", "canary"),
    (HEADER, {"X-Canary": "Insider"}, "/", "primary"),
    (HEADER, {"X-Canary": "insiders"}, "/", "primary"),
    (HEADER, {}, "/", "primary"),
    (HEAD, {"X-Group": "beta ab, c"}, "/", "canary"),
    (HEAD, {"X-Group": "beta ab"}, "/", "primary"),
    (MatchTest("header", "a", "==", '} # \\n "$x" {'), {"a": '} # \\n "$x" {'}, "/", "canary"),
    (MatchTest("header", "a", "==", "-i"), {"a": "-i"}, "/", "canary"),
    (MatchTest("header", "a", "==", ""), {"a": ""}, "/", "canary"),
    (MatchTest("header", "a", "==", ""), {"a": "b"}, "/", "primary"),
    (COOKIE, {"Cookie": "a=1; group=always; b=2"}, "/", "canary"),
    (COOKIE, {"Cookie": "xgroup=always"}, "/", "primary"),
    (COOKIE, {"Cookie": "group=alwaysnot"}, "/", "primary"),
    (MatchTest("cookie", "group", "exists", ""), {"Cookie": "group=x"}, "/", "canary"),
    (MatchTest("cookie", "group", "^=", "b."), {"Cookie": "group=b.c"}, "/", "canary"),
    (MatchTest("cookie", "group", "^=", "b."), {"Cookie": "group=bxc"}, "/", "primary"),
    (QUERY, {}, "/?version=2", "canary"),
    (QUERY, {}, "/?version=20", "primary"),
    (MatchTest("query", "v", "exists", ""), {}, "/?w=1&v=", "canary"),
]


@pytest.mark.parametrize(("test", "headers", "path", "who"), CASES)
def test_who_answers_a_request(tmp_path: Path, test: MatchTest, headers: dict[str, str], path: str, who: str) -> None:
    with running(tmp_path, matching([test])) as client:
        assert client.get(path, headers=headers).text == who


def test_after_a_rollback_nothing_goes_to_the_canary(tmp_path: Path) -> None:
    with running(tmp_path, HOME) as client:
        assert {client.get("/", headers={"X-Canary": "insider"}).text for _ in range(500)} == {"primary"}
