"""Protects the reading of pages: what a page says comes out, and a page that lacks a part is refused by name."""

from __future__ import annotations

import pytest

from dsl import catalogue
from dsl.catalogue import Page, PageError, read
from dsl.diagnostics import Severity

PAGE = """\
---
code: RW203
name: units-do-not-match
severity: warning
summary: "two: quantities"
---
It matters.

Much.

## Wrong
Before it.

```rollout
rollout a {

}
```

## Right
````rollout
# ```
let b = 2
````
"""


def test_a_page() -> None:
    assert read("RW203", PAGE) == Page(
        code="RW203",
        name="units-do-not-match",
        severity=Severity.WARNING,
        summary="two: quantities",
        prose="It matters.\n\nMuch.",
        wrong="rollout a {\n\n}\n",
        right="# ```\nlet b = 2\n",
    )


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ("---\ncode", "does not begin with a front matter"),
        ("name: units-do-not-match\n", "does not say its name"),
        ("summary", "does not say its summary"),
        ("code: RW203", "calls itself None"),
        ("```rollout\nrollout a {\n\n}\n```\n", "lacks a policy"),
        ("````\n", "has a policy that does not end"),
    ],
)
def test_a_page_that_lacks_something_is_refused(cut: str, said: str) -> None:
    with pytest.raises(PageError, match=said):
        read("RW203", PAGE.replace(cut, "", 1) if cut != "````\n" else PAGE.removesuffix(cut))


def test_another_codes_page_is_refused() -> None:
    with pytest.raises(PageError, match=r"RW204\.md calls itself RW203"):
        read("RW204", PAGE)


def test_a_code_without_a_page() -> None:
    assert catalogue.page("RW999") is None
    assert catalogue.page("../x") is None
    assert catalogue.summary("RW999") == ""


def test_codes_have_a_place_and_a_topic() -> None:
    assert catalogue.url("RW203") == "https://rollway.dev/errors/RW203"
    assert catalogue.topic("RW203") == "types, units and fields"
    assert catalogue.topic("RWx") == ""
