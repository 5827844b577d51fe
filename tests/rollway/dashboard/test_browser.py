"""The pages in a real Chromium, which complains of nothing: no error of a script, nothing that the content's policy
forbids (`people` looks after that), no request to anywhere else."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.objects import Manifest
from rollway.dashboard.glance import PAGE
from tests.controlplane.cluster import ControlPlane
from tests.rollway.cluster import objects, writing
from tests.rollway.dashboard.board import PERSON, Board, at_work, board, checked, many
from tests.rollway.dashboard.conftest import PATIENCE_MS, People, Person
from tests.rollway.dashboard.looks import contrast, faults

WAITING = {"phase": "WaitingPromotion", "reason": "waiting for approval"}
GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides"
MOST_PICTURE = 120_000
THOUSAND = 1000

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(autouse=True)
def _definitions(control_plane: ControlPlane) -> None:
    control_plane.install_crds("rollway", "flagger")


def shop(plane: ControlPlane, namespace: str) -> Manifest:
    """A few rollouts in different phases, the first of which waits for approval and has been checked; it is given."""
    now = int(time.time() * 1000)
    owner = objects.rollout("checkout", namespace, step=objects.WAITS, weight=50.0, **WAITING)
    owner = writing.write(plane.api, at_work(owner, now))
    writing.write(plane.api, at_work(objects.run(owner, step=objects.WAITS, weight=50.0, **WAITING), now))
    writing.write(plane.api, checked(objects.run(owner, 1, "Succeeded", step=objects.WAITS + 1, outcome="promoted")))
    failed = "latency(0.99) is 740ms: 4 of 3 tolerated checks have failed"
    for name, phase, step, more in (
        ("cart", "Failed", 3, {"reason": failed, "weight": 0.0}),
        ("search", "Progressing", 3, {}),
        ("mail", "Succeeded", None, {"failedChecks": 0}),
        ("users", "Initialized", None, {"failedChecks": 0}),
    ):
        writing.write(plane.api, at_work(objects.rollout(name, namespace, phase, step=step, **more), now))
    writing.write(plane.api, objects.canary("legacy", namespace))
    return owner


async def enter(here: Board, people: People, path: str = "/", *, dark: bool = False, width: int = 1280) -> Person:
    person = await people.person(dark=dark, width=width)
    await person.page.goto(here.door)
    await person.page.goto(f"{here.url}{path}")
    return person


_IN_SHOP = """() => {
  const every = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (every.nextNode()) every.currentNode.data = every.currentNode.data.replace(/t-[0-9a-f]{10}/g, "shop");
}"""
"""On a picture the namespace has the name that people would give it."""


async def picture(page: Page, name: str, height: int) -> None:
    """For the guide, where it is asked for; otherwise only that it can be taken, and is not too large for a page."""
    await page.evaluate(_IN_SHOP)
    taken = await page.screenshot(clip={"x": 0, "y": 0, "width": 1280, "height": height}, full_page=True)
    assert len(taken) < MOST_PICTURE
    if os.environ.get("UPDATE_PICTURES"):
        (GUIDE / f"dashboard-{name}.png").write_bytes(taken)


def address(namespace: str, name: str = "checkout") -> str:
    return f"/rollouts/rollout/{namespace}/{name}"


async def test_the_list_shows_all_and_a_change_as_it_comes(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    shop(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        person = await enter(here, people)
        page = person.page
        await expect(page.locator("tbody tr")).to_have_count(6)
        await expect(page.locator("tbody tr").first).to_contain_text("waiting for approval")
        await expect(page.locator("#link")).to_have_text("live")
        await page.evaluate("window.notLoadedAgain = true")
        await picture(page, "list", 560)
        search = control_plane.api.get(f"/apis/rollway.dev/v1alpha1/namespaces/{namespace}/rollouts/search")
        writing.status(control_plane.api, search, phase="Failed", reason="aborted by bob")
        row = page.locator("tbody tr", has_text="search")
        await expect(row).to_contain_text("aborted by bob")
        await expect(row.locator(".phase")).to_have_text("Failed")
        await expect(page.locator("#needs .trouble b")).to_have_text("2")
        await expect(page.locator("#said")).to_contain_text("2 in trouble")
        assert await page.evaluate("window.notLoadedAgain") is True
        assert all(url.startswith(here.url) for url in person.asked)


async def test_one_rollout_is_followed_with_what_is_open_and_where_the_keyboard_is(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    owner = shop(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        page = (await enter(here, people, address(namespace))).page
        await expect(page.locator("#steps .now")).to_contain_text("wait for approval")
        await expect(page.locator("#policy .now")).to_contain_text("wait for approval")
        await expect(page.locator("#charts svg")).to_have_count(3)
        await picture(page, "rollout", 1020)
        await page.evaluate("window.notLoadedAgain = true")
        await page.locator("#figures-2 summary").click()
        await page.locator("#do-approve").focus()
        run = control_plane.api.get(f"/apis/rollway.dev/v1alpha1/namespaces/{namespace}/rolloutruns/checkout-2")
        last = {"at": "2026-11-23T10:07:00Z", "step": 6, "weight": 50, "what": "Approved", "text": "approved by bob"}
        writing.status(control_plane.api, run, log=[*objects.LOG, last], iterations=9)
        writing.status(control_plane.api, owner, reason="the night is over", iterations=9)
        await expect(page.locator("#standing .why")).to_have_text("the night is over")
        await expect(page.locator("#log")).to_contain_text("approved by bob")
        assert await page.evaluate("window.notLoadedAgain") is True
        assert await page.locator("#figures-2").get_attribute("open") is not None
        assert await page.evaluate("document.activeElement.id") == "do-approve"


async def test_a_rollout_is_approved_with_the_keyboard_alone(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    owner = shop(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        page = (await enter(here, people)).page
        await tab_to(page, f"r-{owner['metadata']['uid']}")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**{address(namespace)}")
        await tab_to(page, "do-approve")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/approve")
        await picture(page, "approve", 420)
        await page.keyboard.type("the figures are good")
        await tab_to(page, "confirm")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**{address(namespace)}")
        await expect(page.locator(".notice.good")).to_contain_text("Taken down: approve revision ff87463d6c")
    said = control_plane.api.get(writing.path(owner))["metadata"]["annotations"]["rollway.dev/approve"]
    assert '"reason": "the figures are good"' in said
    assert f'"by": "{PERSON}"' in said


async def tab_to(page: Page, target: str) -> None:
    """Press Tab until the keyboard is there."""
    for _ in range(60):
        if await page.evaluate("document.activeElement.id") == target:
            shown = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert shown == "solid", "where the keyboard is must be seen"
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way with Tab to #{target}")


async def test_without_scripts_everything_works(control_plane: ControlPlane, namespace: str, people: People) -> None:
    owner = shop(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        page = (await people.person(scripts=False)).page
        await page.goto(here.door)
        await page.get_by_label("Text").fill("checkout")
        await page.get_by_role("button", name="Filter").click()
        await page.get_by_role("link", name="checkout").click()
        await page.get_by_role("link", name="Pause").click()
        await page.get_by_label("Reason").fill("lunch")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator(".notice.good")).to_contain_text("pause revision")
    annotations = control_plane.api.get(writing.path(owner))["metadata"]["annotations"]
    assert '"reason": "lunch"' in annotations["rollway.dev/pause"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_pages_can_be_read_in_both_themes_and_used_by_everybody(
    control_plane: ControlPlane, namespace: str, people: People, dark: bool
) -> None:
    shop(control_plane, namespace)
    paths = ("/", address(namespace), f"{address(namespace)}/abort", f"{address(namespace)}/runs/1", "/?text=nothing")
    async with board(str(control_plane.kubeconfig), namespace) as here:
        person = await enter(here, people, dark=dark)
        page = person.page
        ground = "rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)"
        for path in (*paths, "/rollouts/rollout/x/y"):
            await page.goto(f"{here.url}{path}")
            assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
            for one in await page.locator("details").all():
                await one.evaluate("one => one.open = true")
            assert (path, await contrast(page)) == (path, [])
            assert (path, await faults(page)) == (path, [])
        person.complaints.clear()  # that the last page is not there is said in the console
        if dark:
            await page.goto(f"{here.url}{address(namespace)}")
            await picture(page, "dark", 1020)


async def test_a_small_window_shows_all_without_scrolling_aside(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    shop(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        page = (await enter(here, people, address(namespace), width=390)).page
        for path in ("/", address(namespace), f"{address(namespace)}/approve"):
            await page.goto(f"{here.url}{path}")
            assert (path, await faults(page)) == (path, [])


async def test_a_page_that_lost_its_server_says_so_and_comes_back(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    owner = shop(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        person = await enter(here, people)
        await expect(person.page.locator("#link")).to_have_text("live")
        port = int(here.url.rpartition(":")[2])
    await expect(person.page.locator("#link")).to_have_text("no connection, trying again")
    writing.status(control_plane.api, owner, reason="while nobody was there")
    token = here.token
    async with board(str(control_plane.kubeconfig), namespace, port=port, token=token):
        await expect(person.page.locator("#link")).to_have_text("live")
        await expect(person.page.locator("tbody")).to_contain_text("while nobody was there")
        await person.page.close()
    person.complaints.clear()  # that the server was away is said in the console


async def test_a_link_in_a_chat_leads_to_the_page_of_who_is_logged_in(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    """`localhost` is another site than `127.0.0.1`, so that the browser keeps the session's cookie from the first
    request; the page is asked for once more by itself."""
    shop(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        page = (await enter(here, people)).page
        await page.goto(here.url.replace("127.0.0.1", "localhost") + "/login")
        await page.evaluate(f"location.href = {here.url + address(namespace)!r}")
        await expect(page.locator("h1")).to_contain_text("checkout")
        assert page.url == here.url + address(namespace)


async def test_hostile_text_stays_text_in_the_browser(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    evil = "</td><script>window.evil=1</script><img src=x onerror='window.evil=1'>\"' {{7*7}}"
    owner = shop(control_plane, namespace)
    control_plane.api.merge(writing.path(owner), {"metadata": {"annotations": {"rollway.dev/abort": evil}}})
    writing.status(control_plane.api, owner, reason=evil)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        page = (await enter(here, people)).page
        await expect(page.locator("tbody")).to_contain_text(evil)
        await page.goto(f"{here.url}{address(namespace)}")
        await expect(page.locator("#standing .why")).to_have_text(evil)
        writing.status(control_plane.api, owner, reason=f"{evil} again")
        await expect(page.locator("#standing .why")).to_have_text(f"{evil} again")
        assert await page.evaluate("window.evil") is None


async def test_a_thousand_rollouts(control_plane: ControlPlane, namespace: str, people: People) -> None:
    async with await connect(str(control_plane.kubeconfig)) as api:
        await asyncio.gather(*(written(api, one) for one in many(THOUSAND, namespace)))
    async with board(str(control_plane.kubeconfig), namespace) as here:
        async with here.client() as client:
            answer = await client.get("/")
            assert len(answer.content) < 150_000
        page = (await enter(here, people)).page
        await expect(page.locator("#needs b").first).to_have_text(str(THOUSAND))
        await expect(page.locator("tbody tr")).to_have_count(PAGE)
        await page.get_by_role("link", name="next").click()
        await expect(page.locator(".pages")).to_contain_text("page 2 of 10")
        await page.get_by_label("Text").fill("service-0777")
        await page.keyboard.press("Enter")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.locator("#link")).to_have_text("live")
        path = f"/apis/rollway.dev/v1alpha1/namespaces/{namespace}/rollouts/service-0777"
        writing.status(control_plane.api, control_plane.api.get(path), reason="changed among a thousand")
        await expect(page.locator("tbody")).to_contain_text("changed among a thousand")


async def written(api: Api, manifest: Manifest) -> None:
    """A rollout with its status."""
    made = await api.create({key: value for key, value in manifest.items() if key != "status"})
    await api.replace({**made, "status": manifest["status"]}, subresource="status")
