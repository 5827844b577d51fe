"""The tree as it is drawn, to the letter: wide and narrow, with one pod and with two hundred."""

from __future__ import annotations

import pytest

from interpreter.objects import Manifest
from rollway.cluster import page
from rollway.cluster.finding import Found
from rollway.cluster.reading import instant
from rollway.cluster.shown import run_shown, runs_of, shown
from rollway.cluster.tree import Tree, grown, roots_of
from rollway.cluster.treeview import Drawn
from rollway.cluster.waiting import coming
from tests.rollway.cluster import objects, workloads

NOW = instant("2026-11-23T10:07:30Z") or 0

WIDE = """\
WORKLOADS                             STATUS            READY  RESTARTS    AGE
primary  deployment/checkout-primary  70% checkout:1      3/3               3d
└─ checkout-primary-7f9c                                  1/3            7m30s
   └─ ✓ checkout-primary-7f9c-000     Running             1/1         0  5m30s
canary  deployment/checkout           30% checkout:2      1/2               3d
├─ checkout-aaaa                                          1/2            7m30s
│  ├─ ✗ checkout-aaaa-y               ImagePullBackOff    0/1         3  5m30s
│  │    cannot pull image `checkout:1` (ImagePullBackOff)
│  └─ ✓ checkout-aaaa-x               Running             1/1         0  5m30s
└─ checkout-bbbb                      on its way out      0/0            3d10h
   └─ … checkout-bbbb-z               Terminating         1/1         0  5m30s
"""
NARROW = """\
WORKLOADS                   STATUS       READY
primary  checkout-primary   70% checko…    3/3
└─ checkout-primary-7f9c                   1/3
   └─ ✓ …-000               Running        1/1
canary  checkout            30% checko…    1/2
├─ checkout-aaaa                           1/2
│  ├─ ✗ checkout-aaaa-y     ImagePullB…    0/1
│  │    cannot pull image `checkout:1` (Image…
│  └─ ✓ checkout-aaaa-x     Running        1/1
└─ checkout-bbbb            on its way…    0/0
   └─ … checkout-bbbb-z     Terminating    1/1
"""
MANY = """\
WORKLOADS                             STATUS          READY  RESTARTS    AGE
primary  deployment/checkout-primary  70% checkout:1    3/3               3d
└─ checkout-primary-7f9c                              197/3            7m30s
   ├─ ✗ checkout-primary-7f9c-000     OOMKilled         0/1         9  5m30s
   │    container `app` was killed for want of memory (OOMKilled)
   ├─ ✗ checkout-primary-7f9c-001     OOMKilled         0/1         9  5m30s
   └─ and 198 more: 197 ready, 1 OOMKilled
"""

PRIMARY = workloads.deployment("checkout-primary", revision="0a1b2c3d4e")
CANARY = workloads.deployment("checkout", replicas=2, ready=1, image="registry.example/checkout:2")


def found(**status: object) -> Found:
    owner = objects.rollout(**status)  # type: ignore[arg-type]
    own = runs_of([run_shown(objects.run(owner))], owner["metadata"]["uid"])
    return Found(owner, own, shown(owner, own))


def of(*there: Manifest) -> Tree:
    one = found()
    roots = roots_of(one)
    assert roots is not None
    return grown(roots, one, there)


def drawn(tree: Tree, width: int, most: int = 6) -> str:
    return page.paper(Drawn(tree, 30, NOW, most), width)


def both() -> Tree:
    primary, canary = workloads.replicaset(PRIMARY, "7f9c"), workloads.replicaset(CANARY, "aaaa", replicas=2)
    old = workloads.replicaset(CANARY, "bbbb", replicas=0, made="2026-11-20T00:00:00Z")
    return of(
        *(PRIMARY, CANARY, primary, canary, old),
        workloads.pod(primary, "checkout-primary-7f9c-000"),
        workloads.pod(canary, "checkout-aaaa-x"),
        workloads.pod(canary, "checkout-aaaa-y", ready=False, waiting="ImagePullBackOff", restarts=3),
        workloads.pod(old, "checkout-bbbb-z", deletionTimestamp="2026-11-23T10:02:00Z"),
    )


@pytest.mark.parametrize(("width", "expected"), [(100, WIDE), (46, NARROW)])
def test_it_is_drawn_as_wide_as_there_is_room(width: int, expected: str) -> None:
    assert drawn(both(), width) == expected


def test_of_many_pods_those_that_fail_are_shown_and_the_rest_is_counted() -> None:
    primary = workloads.replicaset(PRIMARY, "7f9c")
    pods = [workloads.pod(primary, f"checkout-primary-7f9c-{number:03}") for number in range(200)]
    for pod in pods[:3]:
        container = pod["status"]["containerStatuses"][0]
        container |= {"ready": False, "restartCount": 9, "state": {"terminated": {"reason": "OOMKilled"}}}
        pod["status"]["conditions"] = []

    assert drawn(of(PRIMARY, primary, *pods), 100, most=2) == MANY


@pytest.mark.parametrize("width", [20, 40, 59, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal_but_where_that_has_no_room_for_anything(width: int) -> None:
    wide = workloads.replicaset(CANARY, "日本語日本語日本語")
    tree = of(CANARY, wide, workloads.pod(wide, "日本語日本語日本語日本語日本語日本語日本語日本語日本語日本語"))
    assert max(len(line) for line in drawn(tree, width).splitlines()) <= max(width, 40)


def test_words_of_the_cluster_are_not_taken_for_markup() -> None:
    odd = workloads.deployment("checkout", image="registry.example/[red]x:2")
    assert "[red]x:2" in drawn(of(odd), 120)


def test_words_of_the_cluster_do_not_speak_to_the_terminal() -> None:
    odd = workloads.deployment("checkout", image="a\x1b]0;owned\x07b\u202ec:2")
    assert "a\ufffd]0;owned\ufffdb\ufffdc:2" in drawn(of(odd), 120)


# --- what comes next --------------------------------------------------------------------------------------------


def next_of(pc: int, state: str = "", **status: object) -> list[str]:
    owner = objects.rollout(step=pc, **status)  # type: ignore[arg-type]
    record = objects.run(owner, step=pc)
    record["status"]["state"] = state
    one = shown(owner, [run_shown(record)])
    return coming(one, one.run.program() if one.run else None, NOW)


def state_due(in_ms: int) -> str:
    return f'{{"clock_ms": 500, "wall_ms": {NOW}, "run": {{"cursor": {{"due_ms": {500 + in_ms}}}}}}}'


@pytest.mark.parametrize(
    ("in_ms", "said"),
    [
        (42_000, "next check in 42s"),
        (-5_000, "next check now"),
        (-300_000, "next check was due 5m ago: is the controller at work?"),
    ],
)
def test_it_is_said_when_the_next_check_is(in_ms: int, said: str) -> None:
    assert next_of(1, state_due(in_ms))[0] == said


def test_a_wait_says_what_becomes_of_it_without_an_answer() -> None:
    assert next_of(objects.WAITS, phase="WaitingPromotion") == ["without an answer it waits for ever"]


def test_of_a_rollout_at_rest_nothing_is_expected() -> None:
    assert next_of(1, state_due(9_000), phase="Failed") == []


@pytest.mark.parametrize("state", ["", "{", "[]", '{"run": 5, "clock_ms": "x"}'])
def test_a_state_of_another_form_says_nothing(state: str) -> None:
    assert not any("check" in said for said in next_of(1, state))
