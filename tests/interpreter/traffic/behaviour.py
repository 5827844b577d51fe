"""What a real data plane does with requests when it goes by what was rendered: the tests that data planes share."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from threading import Thread

import httpx

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.routing import HOME
from interpreter.traffic.provider import Site
from tests.interpreter.traffic.shop import BASELINE, CANARY, ELSEWHERE, HOST, PRIMARY, SESSION, Shop, until
from tests.interpreter.traffic.situations import HEADER, matching, weight

BOTH_ARMS = StickySpec("c", 60_000, {"primary_cookie": "p"})
ALL = (PRIMARY, CANARY)
EVERY_MATCH = ((HEADER, MatchTest("cookie", "c", "==", "1")), (MatchTest("query", "v", "=~", "^2"),))
_MANY = 400

TESTS = [
    (("==", "a.b"), ["a.b"], ["axb", "a.bc", "xa.b"]),
    (("==", "`"), ["`"], ["'"]),
    (("=~", "^(insider|beta)-"), ["beta-1"], ["xbeta-1", "beta"]),
    (("=~", "b$"), ["ab"], ["ba"]),
    (("^=", "be."), ["be.ta"], ["beta", "xbe."]),
    (("exists", ""), ["x"], []),
]
"""Of a kind of test: the operator and its value, values that pass, and values that do not."""


def is_share(count: int, of: int, percent: float) -> bool:
    """Whether so many of all are that share, give or take five standard deviations: of two million such questions one
    is answered wrongly."""
    part = percent / 100
    return abs(count - of * part) <= 5 * sqrt(of * part * (1 - part))


def splits_by_weight(shop: Shop) -> None:
    shop.route(HOME)
    assert shop.answers(20) == {PRIMARY: 20}
    for percent in (12.5, 50, 99):
        shop.route(weight(percent))
        answered = shop.answers(_MANY)
        assert answered.keys() <= {PRIMARY, CANARY}, answered
        assert is_share(answered[CANARY], _MANY, percent), answered
    shop.route(weight(100))
    assert shop.answers(20) == {CANARY: 20}
    shop.route(HOME)
    assert shop.answers(20) == {PRIMARY: 20}


def leaves_other_routes_alone(shop: Shop) -> None:
    shop.route(Routing(100.0, matches=((HEADER,),)))
    assert shop.answers(5, "/other", X_Canary="insider") == {ELSEWHERE: 5}
    shop.route(HOME)


def matches(shop: Shop, kind: str) -> None:
    """All at once, as alternatives, each on a name of its own."""
    tests = [MatchTest(kind, f"x-{number}", *test) for number, (test, _, _) in enumerate(TESTS)]  # type: ignore[arg-type]
    shop.route(matching(*([test] for test in tests)))

    def answered(name: str, value: str) -> str:
        asked = f"/deep/?{name}={value}" if kind == "query" else "/deep/"
        headers = {"header": {name: value}, "cookie": {"Cookie": f"a=1; {name}={value}"}, "query": {}}[kind]
        return shop.get(asked, **headers).text

    for test, (_, yes, no) in zip(tests, TESTS, strict=True):
        assert {answered(test.key, value) for value in yes} == {CANARY}, test
        assert {answered(test.key, value) for value in no} <= {PRIMARY}, test
    assert shop.get().text == PRIMARY


def alternatives_conjunctions_and_weights(shop: Shop) -> None:
    both = (HEADER, MatchTest("cookie", "c", "==", "1"))
    shop.route(Routing(0.0, matches=(both, (MatchTest("query", "v", "==", "2"),))))
    assert shop.answers(3, X_Canary="insider") == {PRIMARY: 3}
    assert shop.answers(3, X_Canary="insider", Cookie="c=1") == {CANARY: 3}
    assert shop.answers(3, "/?v=2") == {CANARY: 3}
    shop.route(Routing(50.0, matches=((HEADER,),)))
    answered = shop.answers(_MANY)
    assert is_share(answered[CANARY], _MANY, 50), answered
    assert shop.answers(20, X_Canary="insider") == {CANARY: 20}


def clients_stay(shop: Shop, *, own_cookie_is_kept: bool) -> None:
    """With the arm that answered them, by a cookie whose value is the run's session."""
    shop.route(Routing(50.0, sticky=BOTH_ARMS))
    given: dict[str, list[str]] = {}
    for _ in range(60):
        answer = shop.get()
        given[answer.text] = answer.headers.get_list("Set-Cookie")
    for arm, name in ((CANARY, "c"), (PRIMARY, "p")):
        (ours,) = [one for one in given[arm] if one.startswith(f"{name}={SESSION};")]
        assert "Max-Age=60" in ours
        assert ("own=1" in given[arm]) is own_cookie_is_kept
    assert shop.answers(30, Cookie=f"x=1; c={SESSION}") == {CANARY: 30}
    assert shop.answers(30, Cookie=f"p={SESSION}; x=1") == {PRIMARY: 30}
    assert shop.answers(30, Cookie=f"p={SESSION}; c={SESSION}") == {CANARY: 30}
    answered = shop.answers(_MANY, Cookie="c=0ther; p=0ther")
    assert is_share(answered[CANARY], _MANY, 50), answered
    shop.route(Routing(50.0, matches=((MatchTest("query", "v", "==", "2"),),), sticky=BOTH_ARMS))
    assert shop.answers(20, "/?v=2", Cookie=f"p={SESSION}") == {CANARY: 20}
    shop.route(HOME)
    assert shop.answers(20, Cookie=f"c={SESSION}") == {PRIMARY: 20}
    assert shop.get().headers.get_list("Set-Cookie") == ["own=1"]


def mirrors(shop: Shop, share: float, percent: float, *, copied: tuple[str, ...] = (PRIMARY,)) -> None:
    """The answers of copies are dropped: each request has one answer, of whom the weights say. `copied` are those whose
    requests are copied."""
    shop.route(Routing(share, mirror=percent))
    before = shop.asked(CANARY)
    answered = shop.answers(_MANY)
    assert answered.keys() <= {PRIMARY, CANARY}, answered
    assert is_share(answered[CANARY], _MANY, share), answered
    asked = sum(answered[name] for name in copied)
    sent = settled(shop, before + answered[CANARY] + (asked if percent == 100 else 0)) - before
    assert is_share(sent - answered[CANARY], asked, percent), (sent, answered)
    shop.route(HOME)
    before = shop.asked(CANARY)
    assert shop.answers(20) == {PRIMARY: 20}
    assert shop.asked(CANARY) == before


def settled(shop: Shop, least: int) -> int:
    """How much the canary was asked, once all copies that are on their way have come: the last of them is known, for
    nobody but the test asks anything."""
    until(lambda: shop.asked(CANARY) >= least)
    shop.until_seen()
    return shop.asked(CANARY)


def the_baseline_is_asked_as_often_as_the_canary(shop: Shop, baselined: Site) -> None:
    shop.route(Routing(30.0, matches=((HEADER,),)), baselined)
    answered = shop.answers(_MANY)
    assert answered.keys() == {PRIMARY, CANARY, BASELINE}, answered
    assert is_share(answered[CANARY], _MANY, 30), answered
    assert is_share(answered[BASELINE], _MANY, 30), answered
    assert shop.answers(10, X_Canary="insider") == {CANARY: 10}
    shop.route(Routing(30.0))
    assert BASELINE not in shop.answers(200)


def no_request_is_lost(shop: Shop, *routings: Routing) -> None:
    """Four clients ask all the time while the routing changes; after the rollback the canary is asked no more."""
    shop.route(HOME)
    ended, seen = [False], Counter[tuple[int, str]]()
    threads = [Thread(target=_ask, args=(shop.url, ended, seen)) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for routing in routings:
            shop.route(routing)
        shop.route(HOME)
        before = shop.asked(CANARY)
        assert shop.answers(100) == {PRIMARY: 100}
    finally:
        ended[0] = True
        for thread in threads:
            thread.join()
    assert {status for status, _ in seen} == {200}, seen
    assert seen[(200, CANARY)], "no client has seen the canary"
    assert shop.asked(CANARY) == before, "the canary is asked after a rollback"


def _ask(url: str, ended: list[bool], seen: Counter[tuple[int, str]]) -> None:
    with httpx.Client(trust_env=False, timeout=10) as client:
        while not ended[0]:
            answer = client.get(url, headers={"Host": HOST})
            seen[(answer.status_code, answer.text)] += 1
