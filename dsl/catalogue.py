"""The catalogue of codes: every finding has a page, `dsl/pages/RWnnn.md`, and the page is the one place that says its
name, its severity and its summary.

A page is a small front matter, prose, and two whole policies under `## Wrong` and `## Right`. The tests run both.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from dsl.diagnostics import Severity

PAGES = Path(__file__).parent / "pages"
SITE = "https://rollway.dev/errors"

RANGES = {
    "0": "syntax",
    "1": "names and imports",
    "2": "types, units and fields",
    "3": "steps and strategy",
    "4": "what the traffic provider cannot do",
    "5": "queries and templates",
    "6": "security",
    "7": "style",
    "8": "guardrails",
    "9": "Flagger's objects",
}
"""What the first digit of a code says."""


class Page(NamedTuple):
    """One code: `prose` says why it matters, `wrong` yields it, `right` yields nothing.

    `encoding` is what the wrong policy is saved in, for the one page that is about that.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    prose: str
    wrong: str
    right: str
    encoding: str = "utf-8"

    @property
    def url(self) -> str:
        return url(self.code)

    @property
    def about_flagger(self) -> bool:
        """Whether its examples are manifests of Flagger's, not policies."""
        return self.code.startswith("RW9")


class PageError(ValueError):
    """A page that is not in the form of a page. A bug of ours, never of the user."""


def codes() -> list[str]:
    """Every code that has a page, in order."""
    return sorted(path.stem for path in PAGES.glob("RW[0-9][0-9][0-9].md"))


@cache
def page(code: str) -> Page | None:
    """The page of a code, or None if there is no such code."""
    if code not in codes():
        return None
    return read(code, (PAGES / f"{code}.md").read_text(encoding="utf-8"))


def summary(code: str) -> str:
    """What a code means, in a line; empty for a code without a page."""
    found = page(code)
    return found.summary if found is not None else ""


def url(code: str) -> str:
    """Where the page of a code is on the web."""
    return f"{SITE}/{code}"


def topic(code: str) -> str:
    """What the codes of this one's range are about."""
    return RANGES.get(code[2:3], "")


def read(code: str, text: str) -> Page:
    """A page from its text. Raises `PageError` where a part of it is missing."""
    fields, body = _front_matter(code, text)
    prose, _, rest = body.partition("\n## Wrong")
    wrong, _, right = rest.partition("\n## Right")
    if fields.get("code") != code:
        raise PageError(f"{code}.md calls itself {fields.get('code')}")
    try:
        return Page(
            code=code,
            name=fields["name"],
            severity=Severity(fields["severity"]),
            summary=fields["summary"],
            prose=prose.strip(),
            wrong=_policy(code, wrong),
            right=_policy(code, right),
            encoding=fields.get("encoding", "utf-8"),
        )
    except KeyError as missing:
        raise PageError(f"{code}.md does not say its {missing.args[0]}") from missing


def _front_matter(code: str, text: str) -> tuple[dict[str, str], str]:
    opening, _, rest = text.partition("---\n")
    head, closing, body = rest.partition("\n---\n")
    if opening.strip() or not closing:
        raise PageError(f"{code}.md does not begin with a front matter between two lines of ---")
    pairs = (line.split(":", 1) for line in head.splitlines() if ":" in line)
    return {key.strip(): _unquoted(value.strip()) for key, value in pairs}, "\n" + body


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _policy(code: str, section: str) -> str:
    fence = next((line.strip() for line in section.splitlines() if line.strip().startswith("```")), None)
    if fence is None:
        raise PageError(f"{code}.md lacks a policy under `Wrong` or `Right`")
    ticks = fence[: len(fence) - len(fence.lstrip("`"))]
    _, _, after = section.partition(fence + "\n")
    policy, closing, _ = after.partition(f"\n{ticks}")
    if not closing:
        raise PageError(f"{code}.md has a policy that does not end")
    return policy + "\n"
