"""Protects the search for credentials: what is found, what is left alone, and that no message repeats one."""

from __future__ import annotations

from typing import Any

import pytest

USE = "run deploy_note; ramp 10% to 50% by 10%; promote"


def hook(settings: str, url: str = "https://notes.example.com/") -> str:
    return f'webhook deploy_note {{ url "{url}"; {settings} }}'


@pytest.mark.parametrize(
    "settings",
    [
        'headers { "Authorization": "Bearer 7f3a9c51e0d24b68" }',
        'headers { "X-Api-Key": "tr0ub4dor" }',
        'body { password: "tr0ub4dor" }',
        'body { "db-password": "tr0ub4dor" }',
        'body { note: "AKIAIOSFODNN7EXAMPLE" }',
        'body { note: "ghp_0123456789abcdefghijABCDEFGHIJ012345" }',
        'body { note: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl" }',
        'body { cmd: "curl -u admin:hunter22 http://x.shop/" }',
        'body { cmd: "load --token=abcdef123" }',
        "body { cmd: \"curl -H 'Authorization: Bearer abcdefghijkl' http://x.shop/\" }",
        'body { note: "-----BEGIN RSA PRIVATE KEY-----" }',
    ],
)
def test_credentials_are_found(lint: Any, settings: str) -> None:
    assert len(lint("RW601", before=hook(settings), steps=USE)) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://bot:hunter22@notes.example.com/",
        "https://notes.example.com/?access_token=abc123def",
        "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnop",
    ],
)
def test_credentials_in_addresses_are_found(lint: Any, url: str) -> None:
    assert len(lint("RW601", before=hook("", url), steps=USE)) == 1


@pytest.mark.parametrize(
    "settings",
    [
        'secret "notes-credentials"',
        'headers { "X-Team": "shop" }',
        'headers { "Authorization": "" }',
        'body { token: "${TOKEN}" }',
        'body { cmd: "hey -z 1m -q 10 http://checkout-canary.shop:9898/" }',
        'body { token_type: "opaque-and-long-enough" }',
        'body { cmd: "curl -sf http://podinfo-canary.test:9898/token" }',
        'body { image: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" }',
        'body { query: "sum(rate(http_requests_total{app=checkout_canary_primary_service}))" }',
    ],
)
def test_what_is_no_credential_is_left_alone(lint: Any, settings: str) -> None:
    for code in ("RW601", "RW602"):
        assert lint(code, before=hook(settings), steps=USE) == []


def test_no_message_repeats_what_it_found(full: Any) -> None:
    (found,) = full("RW601", before=hook('headers { "Authorization": "Bearer 7f3a9c51e0d24b68" }'), steps=USE)
    assert "7f3a9c51e0d24b68" not in " ".join((found.message, found.help, found.note, *found.notes))


def test_random_looking_texts_are_a_warning(lint: Any) -> None:
    settings = 'body { channel: "Zq8vL2nXw7Rk4TmB9cYs3HdJ6fGp1Ea5" }'
    assert lint("RW602", before=hook(settings), steps=USE) == [
        ("Zq8vL2nXw7Rk4TmB9cYs3HdJ6fGp1Ea5", "this looks like a credential")
    ]


@pytest.mark.parametrize(
    ("url", "settings", "code"),
    [
        ("http://notes.example.com/", 'secret "x"', "RW604"),
        ("http://notes.example.co.uk/", 'secret "x"', "RW604"),
        ("http://notes.example.com/", "", None),
        ("http://notes.shop.svc.cluster.local/", 'secret "x"', None),
        ("http://notes/", 'secret "x"', None),
        ("https://notes.example.com/", 'secret "x"', None),
        ("ftp://notes.example.com/", "", "RW605"),
        ("notes.example.com/check", "", "RW605"),
        ("http://169.254.169.254/latest/", "", "RW606"),
        ("http://[fd00:ec2::254]/latest/", "", "RW606"),
        ("http://metadata.google.internal/", "", "RW606"),
    ],
)
def test_addresses(lint: Any, url: str, settings: str, code: str | None) -> None:
    found = [each for each in ("RW604", "RW605", "RW606") if lint(each, before=hook(settings, url), steps=USE)]
    assert found == ([code] if code else [])


def test_certificates_are_checked(lint: Any) -> None:
    assert len(lint("RW603", before=hook("insecure_skip_verify true"), steps=USE)) == 1
    assert lint("RW603", before=hook("insecure_skip_verify false"), steps=USE) == []
