"""A link is good as it was signed, until its time, and in no other form."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreter.web.links import LIFE_MS, LONGEST_LIFE_MS, MOST_TOKEN, Link, LinkProblem, expiry, sign, verify

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = 1_800_000_000_000
LINK = Link("shop", "Rollout", "checkout", "u-1", "ff87463d6c", 6, "approve", NOW + LIFE_MS, "the channel a", "n", 2)
TOKEN = sign(KEY, LINK)

links = st.builds(
    Link,
    namespace=st.text(max_size=30),
    kind=st.sampled_from(["Rollout", "Canary"]),
    name=st.text(max_size=30),
    uid=st.text(max_size=40),
    revision=st.text(max_size=20),
    step=st.none() | st.integers(0, 2000),
    verb=st.sampled_from(["approve", "abort", "promote"]),
    expires_ms=st.integers(NOW + 1, NOW * 2),
    audience=st.text(max_size=40),
    nonce=st.text(max_size=20),
    run=st.none() | st.integers(0, 10**6),
)
printable = st.text(st.characters(exclude_categories=["Cs"]))


@given(links)
def test_what_is_signed_is_read_again(link: Link) -> None:
    token = sign(KEY, link)
    if len(token) <= MOST_TOKEN:
        assert verify([OTHER, KEY], token, NOW) == link


@given(st.integers(0, len(TOKEN) - 1), st.characters())
def test_a_link_with_a_changed_character_is_none(at: int, other: str) -> None:
    changed = TOKEN[:at] + other + TOKEN[at + 1 :]
    assert isinstance(verify([KEY], changed, NOW), LinkProblem) is (changed != TOKEN)


@given(printable | st.text() | st.from_regex(r"1\.[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,50}"))
def test_no_text_makes_it_raise_or_is_good(text: str) -> None:
    assert isinstance(verify([KEY], text, NOW), LinkProblem)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_what_we_have_signed_and_is_no_link_is_none(data: object) -> None:
    """A later version of us may sign another form."""
    assert isinstance(verify([KEY], signed(data), NOW), LinkProblem)


def signed(data: object) -> str:
    from interpreter.web import links as module

    payload = base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()
    return f"1.{payload}.{module._mac(KEY, f'1.{payload}')}"


PADDED = TOKEN + "="
SWAPPED = ".".join([TOKEN.split(".")[0], sign(KEY, LINK._replace(verb="abort")).split(".")[1], TOKEN.split(".")[2]])


@pytest.mark.parametrize(
    ("token", "keys", "now", "problem"),
    [
        (TOKEN, [OTHER], NOW, LinkProblem.FORGED),
        (TOKEN, [], NOW, LinkProblem.FORGED),
        (SWAPPED, [KEY], NOW, LinkProblem.FORGED),
        (PADDED, [KEY], NOW, LinkProblem.FORGED),
        (TOKEN, [KEY], NOW + LIFE_MS, LinkProblem.EXPIRED),
        (TOKEN, [KEY], NOW * 10, LinkProblem.EXPIRED),
        ("2" + TOKEN[1:], [KEY], NOW, LinkProblem.MALFORMED),
        ("", [KEY], NOW, LinkProblem.MALFORMED),
        ("1..", [KEY], NOW, LinkProblem.FORGED),
        (TOKEN + ".x", [KEY], NOW, LinkProblem.MALFORMED),
        (TOKEN[: len(TOKEN) // 2], [KEY], NOW, LinkProblem.MALFORMED),
        ("1." + "a" * 9000 + ".b", [KEY], NOW, LinkProblem.MALFORMED),
        (signed([*LINK[:6], "retry", *LINK[7:]]), [KEY], NOW, LinkProblem.MALFORMED),
        (signed([*LINK[:7], "never", *LINK[8:]]), [KEY], NOW, LinkProblem.MALFORMED),
        (signed([*LINK[:5], True, *LINK[6:]]), [KEY], NOW, LinkProblem.MALFORMED),
        (signed({"verb": "approve"}), [KEY], NOW, LinkProblem.MALFORMED),
    ],
)
def test_what_is_no_link_to_go_by(token: str, keys: list[bytes], now: int, problem: LinkProblem) -> None:
    assert verify(keys, token, now) is problem


def test_a_link_of_the_key_before_is_good_and_one_that_has_a_moment_left() -> None:
    assert verify([OTHER, KEY], TOKEN, LINK.expires_ms - 1) == LINK


def test_only_some_verbs_and_only_real_keys_make_links() -> None:
    for verb in ("pause", "retry", ""):
        with pytest.raises(ValueError, match="approve, abort, promote"):
            sign(KEY, LINK._replace(verb=verb))
    with pytest.raises(ValueError, match="32 bytes"):
        sign(b"short", LINK)


@pytest.mark.parametrize(("life", "until"), [(LIFE_MS, LIFE_MS), (0, 60_000), (-5, 60_000), (10**12, LONGEST_LIFE_MS)])
def test_a_life_has_bounds(life: int, until: int) -> None:
    assert expiry(NOW, life) == NOW + until
