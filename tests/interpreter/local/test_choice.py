"""Who gets a request: shares are exact, rules come first, and a cookie binds to one canary only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.local.choice import Choice


class Asked:
    def __init__(
        self,
        headers: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
    ) -> None:
        self._headers, self._cookies, self._query = headers or {}, cookies or {}, query or {}

    def header(self, name: str) -> Iterable[str]:
        return [value for key, value in self._headers.items() if key.lower() == name.lower()]

    def cookie(self, name: str) -> Iterable[str]:
        return [self._cookies[name]] if name in self._cookies else []

    def query(self, name: str) -> Iterable[str]:
        return [self._query[name]] if name in self._query else []


PLAIN = Asked()


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 10.0, 33.3, 50.0, 99.0, 100.0])
def test_every_stretch_of_requests_has_its_share(weight: float) -> None:
    choice = Choice(Routing(weight=weight), "v2")
    roles = [choice.role(PLAIN) for _ in range(5000)]
    for stretch in (roles[:100], roles[137:637], roles[2000:4000], roles):
        got = stretch.count("canary")
        assert abs(got - len(stretch) * weight / 100) <= 4, (weight, len(stretch), got)


def test_a_regular_pattern_in_the_traffic_does_not_fall_in_step() -> None:
    choice = Choice(Routing(weight=10.0), "v2")
    every_tenth = [choice.role(PLAIN) for _ in range(10_000)][::10]
    assert 80 <= every_tenth.count("canary") <= 120


def test_nobody_is_sent_to_a_canary_that_is_not_there() -> None:
    assert {Choice(Routing(weight=100.0), None).role(PLAIN) for _ in range(50)} == {"primary"}


@pytest.mark.parametrize(
    ("test", "asked", "role"),
    [
        (MatchTest("header", "X-User", "==", "ann"), Asked(headers={"x-user": "ann"}), "canary"),
        (MatchTest("header", "X-User", "==", "ann"), Asked(headers={"x-user": "anna"}), "primary"),
        (MatchTest("header", "x-group", "=~", "^(insider|beta)-"), Asked(headers={"X-Group": "beta-7"}), "canary"),
        (MatchTest("header", "x-group", "=~", "^(insider|beta)-"), Asked(headers={"X-Group": "a beta-7"}), "primary"),
        (MatchTest("header", "x-group", "=~", "eta"), Asked(headers={"X-Group": "beta-7"}), "canary"),
        (MatchTest("cookie", "canary", "==", "always"), Asked(cookies={"canary": "always"}), "canary"),
        (MatchTest("cookie", "canary", "exists"), Asked(), "primary"),
        (MatchTest("query", "v", "^=", "2."), Asked(query={"v": "2.1"}), "canary"),
        (MatchTest("query", "v", "^=", "2."), Asked(query={"v": "1.2."}), "primary"),
    ],
)
def test_a_rule_sends_whom_it_fits_whatever_the_weight(test: MatchTest, asked: Asked, role: str) -> None:
    assert Choice(Routing(weight=0.0, matches=((test,),)), "v2").role(asked) == role


def test_rules_are_alternatives_of_conjunctions() -> None:
    a, b = MatchTest("header", "a", "exists"), MatchTest("header", "b", "exists")
    both = Choice(Routing(matches=((a, b),)), "v2")
    either = Choice(Routing(matches=((a,), (b,))), "v2")
    assert both.role(Asked(headers={"a": "1"})) == "primary"
    assert both.role(Asked(headers={"a": "1", "b": "1"})) == "canary"
    assert either.role(Asked(headers={"b": "1"})) == "canary"


def test_a_cookie_binds_to_this_canary_only_and_only_while_it_has_traffic() -> None:
    sticky = StickySpec("session", 3_600_000)
    choice = Choice(Routing(weight=1.0, sticky=sticky), "v2")
    bound = Asked(cookies={"session": "v2"})
    assert {choice.role(bound) for _ in range(100)} == {"canary"}
    assert [choice.role(Asked(cookies={"session": "v1"})) for _ in range(100)].count("canary") <= 2
    assert choice.cookie("canary") == "session=v2; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"
    assert choice.cookie("primary") is None
    ended = Choice(Routing(weight=0.0, sticky=sticky), "v2")
    assert {ended.role(bound) for _ in range(100)} == {"primary"}


def test_mirroring_copies_its_share_of_what_the_canary_does_not_answer() -> None:
    choice = Choice(Routing(mirror=30.0), "v2")
    copied = sum(choice.mirrored("primary") for _ in range(1000))
    assert abs(copied - 300) <= 3
    assert not any(choice.mirrored("canary") for _ in range(100))


def test_a_baseline_gets_as_much_as_the_canary() -> None:
    choice = Choice(Routing(weight=10.0), "v2", baseline=True)
    roles = Counter(choice.role(PLAIN) for _ in range(2000))
    assert abs(roles["canary"] - 200) <= 4
    assert abs(roles["baseline"] - 200) <= 4
