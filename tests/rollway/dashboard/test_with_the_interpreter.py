"""A rollout waits, a person approves on the page, the rollout goes on, and the history has who and when: in a real
Chromium, with the real interpreter, on a real control plane."""

from __future__ import annotations

from playwright.async_api import Page, expect

from rollway.cluster.shown import run_shown
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.life import Life, life
from tests.rollway.dashboard.board import PERSON, Board, board
from tests.rollway.dashboard.conftest import PATIENCE_MS, People

POLICY = """
rollout web in NAMESPACE {
  target deployment/web
  service { port 80; target_port http }
  traffic istio
  steps { shift to 10% for 1m; wait for approval; shift to 50% for 1m; promote }
}
"""
expect.set_options(timeout=2 * PATIENCE_MS)


async def watched(here: Board, people: People, at_work: Life) -> Page:
    page = (await people.person()).page
    await page.goto(here.door)
    await page.goto(f"{here.url}/rollouts/rollout/{at_work.namespace}/web")
    await page.evaluate("window.notLoadedAgain = true")
    return page


async def decided(page: Page, verb: str, reason: str) -> None:
    """Press the button, say why, confirm."""
    await page.locator(f"#do-{verb}").click()
    await page.get_by_label("Reason").fill(reason)
    await page.locator("#confirm").click()
    await expect(page.locator(".notice.good")).to_contain_text(f"Taken down: {verb}")
    await page.evaluate("window.notLoadedAgain = true")


async def test_a_person_approves_on_the_page_and_the_history_has_it(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    control_plane.install_crds("rollway", "istio")
    kubeconfig = str(control_plane.kubeconfig)
    async with life(kubeconfig, namespace, speed=20.0) as at_work, board(kubeconfig, namespace) as here:
        await at_work.deployment()
        await at_work.rollout(POLICY)
        await at_work.phase("Initialized")
        page = await watched(here, people, at_work)
        await at_work.push("web:2")
        revision = await at_work.taken_up()
        await expect(page.locator("#standing .why")).to_have_text("waiting for approval")
        await expect(page.locator("#steps .now")).to_contain_text("wait for approval")
        await expect(page.locator("#pods")).to_contain_text("web:2")
        await expect(page.locator("#events")).to_contain_text("WaitingForApproval")
        assert await page.evaluate("window.notLoadedAgain") is True

        await decided(page, "approve", "the figures are good")
        await expect(page.locator(".phase").first).to_have_text("Succeeded")
        await expect(page.locator("#log")).to_contain_text(f"approved by {PERSON} (page): the figures are good")
        assert await page.evaluate("window.notLoadedAgain") is True

        await page.locator("#runs a").first.click()
        await expect(page.locator("h1")).to_contain_text("Run 1")
        await expect(page.locator("#standing")).to_contain_text("promoted")
        await expect(page.locator("#log")).to_contain_text(f"approved by {PERSON}")
        run = run_shown(await at_work.get("RolloutRun", "web-1"))
        (said,) = [entry for entry in run.log if entry.what == "Approved"]
        assert (said.text, run.revision, run.outcome) == (
            f"approved by {PERSON} (page): the figures are good",
            revision,
            "promoted",
        )
        assert run.started is not None
        assert run.ended is not None
        assert run.started < said.at_ms < run.ended
        assert "rollway.dev/approve" not in ((await at_work.get("Rollout", "web"))["metadata"].get("annotations") or {})


async def test_a_revision_that_cannot_start_is_seen_with_its_pods_words_and_aborted(
    control_plane: ControlPlane, namespace: str, people: People
) -> None:
    control_plane.need_played_pods()
    control_plane.install_crds("rollway", "istio")
    kubeconfig = str(control_plane.kubeconfig)
    async with life(kubeconfig, namespace) as at_work, board(kubeconfig, namespace) as here:
        await at_work.deployment()
        await at_work.rollout(POLICY)
        await at_work.phase("Initialized")
        page = await watched(here, people, at_work)
        await at_work.push("web:bad", fail="ImagePullBackOff")
        await at_work.taken_up()
        await expect(page.locator("#pods .bad").filter(has_text="web:bad").first).to_be_visible()
        await decided(page, "abort", "no such image")
        await expect(page.locator("#standing .why")).to_contain_text(f"aborted by {PERSON} (page): no such image")
        await expect(page.locator("#do-retry")).to_be_visible()
        await expect(page.locator("#do-abort")).to_have_count(0)
