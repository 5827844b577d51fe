"""Hostile text, wherever somebody can put it, is shown as text: it brings no element, no attribute, no address of its
own to the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from interpreter.objects import Manifest
from interpreter.state import Verdict
from rollway.cluster.finding import Found
from rollway.cluster.pods import Pod
from rollway.cluster.shown import run_shown, shown
from rollway.cluster.tree import PodSet, Tree, Workload
from rollway.dashboard import consequences, rendering
from rollway.dashboard.about import about, buttons, record
from rollway.dashboard.gathering import Event, Gathered, PolicySource
from rollway.dashboard.glance import Query, glance
from tests.rollway.cluster import objects
from tests.rollway.dashboard.board import checked

NOW = 1_795_428_600_000
CORPUS = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"><svg/onload=alert(1)>",
    "' onmouseover='alert(1)' x='",
    "</textarea></title></style><iframe srcdoc='<script>alert(1)</script>'>",
    "</pre></code></text></svg><a href='javascript:alert(1)'>click</a>",
    "{{ 7 * 7 }}{% raw %}{{ config }}{% endraw %}",
    "<!--", "]]>", "&lt;script&gt;", "<base href=//evil.example>", "<meta http-equiv=refresh content=0>",
    "\u202edetouq\u202c \x00\x07\x1b[31m\u2028", "%3Cscript%3E", "<form action=//evil.example><input name=csrf>",
    "a" * 20_000,
)  # fmt: skip
SCHEMES = ("javascript:", "data:", "http:", "https:", "//")


class Seen(HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.addresses: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attributes)))
        self.addresses += [value or "" for name, value in attributes if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        self.text += data


@cache
def harmless(page: Callable[[str], str]) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of a page without anything hostile on it."""
    return Seen(page("harmless")).tags


def rollout_of(text: str) -> Manifest:
    """A rollout with this text wherever a text may be."""
    by = {f"rollway.dev/{verb}": f'{{"revision": "r", "by": {text!r}}}' for verb in ("approve", "abort")}
    made = objects.rollout(
        phase="WaitingPromotion", step=objects.WAITS, reason=text, revision=text, lastPromotedSpec=text
    )
    made["metadata"] |= {"annotations": {**by, "rollway.dev/pause": text}}
    made["status"]["step"]["text"] = text
    made["status"]["lastCheck"] = {
        "at": "2026-11-23T10:06:00Z",
        "verdict": "fail",
        "results": [{"text": text, "verdict": "fail", "values": {text: text}, "detail": text}],
    }
    return made


def gathered_of(text: str) -> Gathered:
    manifest = rollout_of(text)
    log = [{"at": "2026-11-23T10:00:00Z", "step": 0, "weight": 10, "what": text, "text": text}]
    made = checked(objects.run(manifest, step=objects.WAITS, log=log, reason=text))
    run = run_shown(made)
    lines = tuple(replace(line, text=text, name=text, cmp=text) for line in run.checks.lines)
    run = replace(run, checks=replace(run.checks, lines=lines), revision=text)
    pod = Pod(text, text, 0, 1, False, 3, NOW, text)
    tree = Tree(
        (
            Workload(
                "canary", text, text, text, (text,), 2, 0, NOW, (PodSet(text, text, 2, NOW, (text,), True, (pod,)),)
            ),
        )
    )
    events = (Event(NOW, text, text, True, 3, text),)
    source = PolicySource("checkout.rollout", text, f"{manifest['spec']['source']}\n# {text}", text)
    return Gathered(Found(manifest, [run], shown(manifest, [run])), tree, events, source, (text,))


def rendered(template: str, **values: Any) -> str:
    usual: Mapping[str, Any] = {
        "again": False,
        "csrf": "c",
        "local": False,
        "person": "ann",
        "read_only": False,
        "seen": "a-1",
        "stream": "/stream",
    }
    return rendering.environment(lambda: NOW).get_template(template).render({**usual, **values})


def one_page(text: str) -> str:
    page = about(gathered_of(text), NOW)
    return rendered(
        "rollout.html", about=page, asked=page.one.asked, base=rendering.path(page.one), buttons=buttons(["approve"]),
        deadline=text, denied=text, flash=text, most_pods=20, person=text,
    )  # fmt: skip


def run_page(text: str) -> str:
    found = record(gathered_of(text), 2, NOW)
    assert found is not None
    return rendered("run.html", record=found, base="/b")


def confirm_page(text: str) -> str:
    page = about(gathered_of(text), NOW)
    said = [
        one
        for verb in ("approve", "promote", "abort", "retry", "pause", "resume")
        for one in consequences.consequences(verb, page)
    ]
    return rendered(
        "confirm.html", question=consequences.question("abort", page), consequences=[*said, text], base="/b",
        form={"revision": text, "uid": text}, refused=text, reason=text, verb="abort", words="Abort", one=page.one,
    )  # fmt: skip


def list_page(text: str) -> str:
    found = glance([shown(rollout_of(text))], Query())
    found = found._replace(
        query=Query(namespace=text, phase=text, need=text, text=text), namespaces=(text,), phases=(text,)
    )
    return rendered("glance.html", glance=found, address=lambda **_: "/", troubles=[text], namespace=text)


def login_page(text: str) -> str:
    return rendered("login.html", refused=text, next=text)


@pytest.mark.parametrize("page", [one_page, run_page, confirm_page, list_page, login_page])
@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_hostile_text_is_text(page: Callable[[str], str], text: str) -> None:
    hostile = Seen(page(text))
    assert hostile.tags == harmless(page)
    assert not [one for one in hostile.addresses if one.strip().lower().startswith(SCHEMES)]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("gate `go` is shut", "gate <code>go</code> is shut"),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("<i>`x`</i>", "&lt;i&gt;<code>x</code>&lt;/i&gt;"),
        ("one ` alone <b>", "one ` alone &lt;b&gt;"),
        ("", ""),
    ],
)
def test_what_stands_between_backticks_is_code_and_nothing_else(words: str, wanted: str) -> None:
    template = rendering.environment().from_string("{{ words | told }}")
    assert template.render(words=words) == wanted


def test_the_text_is_still_to_be_read() -> None:
    """So that the corpus is known to have been on the page."""
    assert Seen(one_page(CORPUS[0])).text.count(CORPUS[0]) > 20
    assert Seen(list_page(CORPUS[0])).text.count(CORPUS[0]) > 5


def test_no_page_has_what_the_policy_of_its_content_forbids() -> None:
    for page in (one_page, run_page, confirm_page, list_page, login_page):
        found = Seen(page("harmless"))
        assert not [name for _, names in found.tags for name in names if name.startswith("on") or name == "style"]
        assert "style" not in {tag for tag, _ in found.tags}
        assert [tag for tag, _ in found.tags].count("script") == 1


def test_verdicts_of_all_kinds_have_words() -> None:
    for verdict in Verdict:
        manifest = rollout_of("x")
        manifest["status"]["lastCheck"]["verdict"] = verdict.value
        page = about(gathered_of("x")._replace(found=Found(manifest, [], shown(manifest))), NOW)
        assert page.one.check is not None
        rendered(
            "rollout.html", about=page, asked=(), base="/b", buttons=[], deadline="", denied="", flash="", most_pods=20
        )
