"""A small rollout to vary, and a way to ask what one rule says of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dsl.compilation import Loader
from dsl.compiler import compile_source
from dsl.diagnostics import Diagnostic
from dsl.source import Source

CHECKS = "every 1m; tolerate 3 failures; require success_rate >= 99%"


def policy(
    steps: str = "ramp 10% to 50% by 10%; promote",
    *,
    traffic: str = "istio",
    checks: str | None = CHECKS,
    before: str = "",
    rest: str = "",
    service: str = "port 80",
    namespace: str = "shop",
) -> str:
    """One rollout on four lines, what is declared beside it coming first."""
    analysis = f"  analysis {{ {checks} }}" if checks is not None else ""
    return (
        f'import "std/http"\n{before}\nrollout checkout in {namespace} {{\n'
        f"  target deployment/checkout; service {{ {service} }}; traffic {traffic}\n{analysis}\n  {rest}\n"
        f"  steps {{ {steps} }}\n}}\n"
    )


def diagnostics(text: str, loader: Loader | None = None) -> list[Diagnostic]:
    return list(compile_source(Source("test.rollout", text), loader).diagnostics)


Found = list[tuple[str, str]]


@pytest.fixture
def lint() -> Callable[..., Found]:
    """What a code is given for: the words underlined, and the message. The policy is one of `policy`'s by default."""

    def found(code: str, text: str | None = None, **parts: str | None) -> Found:
        whole = text if text is not None else policy(**parts)  # type: ignore[arg-type]
        return [(one.span.text, one.message) for one in diagnostics(whole) if one.code == code]

    return found


@pytest.fixture
def full() -> Callable[..., list[Diagnostic]]:
    """The diagnostics of one code, whole."""

    def found(code: str, text: str | None = None, **parts: str | None) -> list[Diagnostic]:
        whole = text if text is not None else policy(**parts)  # type: ignore[arg-type]
        return [one for one in diagnostics(whole) if one.code == code]

    return found
