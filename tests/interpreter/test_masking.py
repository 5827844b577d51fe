"""Nothing secret is shown, whether it is known to be secret or only looks it; what is not secret is left as it is."""

from __future__ import annotations

import pytest

from interpreter.masking import mask, safe_url, secrets_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: ***"),
        ("got Bearer abcdef123456 there", "got Bearer *** there"),
        ('{"password": "hunter2", "user": "ann"}', '{"password": ***, "user": "ann"}'),
        ("api_key=abc&x=1", "api_key=***&x=1"),
        ("see https://ann:hunter2@host/path", "see https://***@host/path"),
        ("jwt eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl here", "jwt *** here"),
        ("the checkout is slow: 500 of 1000 failed", "the checkout is slow: 500 of 1000 failed"),
        ("success_rate >= 99% over 1m", "success_rate >= 99% over 1m"),
    ],
)
def test_what_looks_like_a_credential_is_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


def test_known_secrets_are_masked_wherever_they_stand() -> None:
    secrets = secrets_of("http://ann:pa55word@x.test/?token=tok-en-1", {"X-Api-Key": "key-12345", "X-Team": "shop"})
    text = "pa55word and tok-en-1 and key-12345 and shop"
    assert mask(text, secrets) == "*** and *** and *** and shop"


def test_an_address_is_shown_without_its_secrets() -> None:
    assert safe_url("https://ann:pa55word@x.test:9090/a?token=1&b=2#f") == "https://x.test:9090/a?token=***&b=***"
