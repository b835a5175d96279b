"""The overview as staff read it at nine in the morning: wide and on a phone, light and dark, with keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests import live
from tests.browser.conftest import expect_fits, log_in
from tests.live import Server

OVERVIEW = "/admin/django_apscheduler/djangojob/overview/"
LIST = "/admin/django_apscheduler/djangojob/"
LONG = "Unbroken" + "y" * 60


@pytest.fixture(scope="module")
def read_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a server that came back after nothing led for longer than a job's grace time."""
    with live.site("sqlite", tmp_path_factory.mktemp("live")) as made:
        first = made.gunicorn()
        jobs: dict[str, dict[str, Any]] = {
            "remind": {"trigger": "every 2s", "misfire_grace_time": 6, "coalesce": False, "name": "Remind players"},
            "fails": {"trigger": "every 1h", "function": "tests.probe.jobs.fail", "name": LONG},
            "yearly": {"trigger": "0 3 1 1 *", "name": "Year in review"},
        }
        for job_id, values in jobs.items():
            answer = first.api("POST", "jobs/", {"id": job_id, "function": "tests.probe.jobs.chatter", **values})
            assert answer.status == 201, answer.text
        assert first.api("POST", "jobs/fails/run/").status in (200, 201, 202)
        live.wait_until(lambda: _executions(first, "fails", "Error!"), what="a failure")
        live.wait_until(lambda: _executions(first, "remind", "Executed"), what="a run")
        first.stop()
        # Until the job's next tick is later than its grace time allows.
        live.wait_until(lambda: made.rows(_OVERDUE)[0][0], seconds=60, what="ticks to be missed")
        second = made.gunicorn()
        live.wait_until(lambda: _executions(second, "remind", "Missed!"), seconds=60, what="missed ticks")
        yield second


_OVERDUE = (
    "SELECT julianday('now') - julianday(next_run_time) > 14 / 86400.0"
    " FROM django_apscheduler_djangojob WHERE id = 'remind'"
)


def _executions(server: Server, job_id: str, status: str) -> int:
    count: int = server.api("GET", f"executions/?job={job_id}&status={status}").json["count"]
    return count


def test_a_missed_tick_is_explained_from_the_index_on(reader: Page) -> None:
    expect(reader.get_by_role("heading", name="Scheduler")).to_be_visible()
    tile = reader.locator(".jc-tile", has_text="missed in 24 h")
    expect(tile.locator("strong")).not_to_have_text("0")
    tile.get_by_role("link", name=re.compile("scheduler down")).click()
    expect(reader.locator(".jc-sentence")).to_contain_text("no scheduler was running from")


def test_a_hole_in_the_timeline_leads_to_the_same_answer(reader: Page) -> None:
    reader.get_by_role("heading", name="Scheduler").get_by_role("link").click()
    row = reader.locator(".jc-lanes li", has_text="Remind players")
    expect(row.locator("a.missed").first).to_be_visible()
    reader.goto(row.locator("a.missed").first.get_attribute("href") or "")
    expect(reader.locator("#content")).to_contain_text(re.compile("Missed|no scheduler was running"))


def test_what_failed_is_first_and_two_clicks_away(reader: Page) -> None:
    needs = reader.locator(".jc-needs li").first
    expect(needs).to_contain_text("Failing")
    needs.locator("small a").click()
    expect(reader.locator("#content")).to_contain_text("Traceback")


@pytest.mark.parametrize("path", ["/admin/", OVERVIEW, "/admin/auth/user/", f"{LIST}remind/change/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_leaves_the_window(
    browser: Browser, read_site: Server, path: str, scheme: Any
) -> None:
    context = browser.new_context(base_url=read_site.url, color_scheme=scheme, locale="en-US")
    page = context.new_page()
    log_in(page)
    # All scheduling is paused, so that the banner is there to be looked at.
    paused = read_site.api("POST", "scheduler/pause/", {"reason": LONG})
    assert paused.status == 200, paused.text
    try:
        page.set_viewport_size({"width": 360, "height": 800})
        page.goto(path)
        expect_fits(page)
        page.set_viewport_size({"width": 1280, "height": 800})
        expect_fits(page)
        page.add_style_tag(content="* { transition: none !important; }")
        for part in (".jc", ".jc-banner"):
            if page.locator(part).count():
                found = Axe().run(page, context=part).response["violations"]
                assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert page.locator(".jc-live.is-paused, .jc-banner.is-paused").count() == 1
    finally:
        resumed = read_site.api("POST", "scheduler/resume/", {})
        assert resumed.status == 200, resumed.text
        context.close()


def test_the_keyboard_alone_can_pass_the_timeline(browser: Browser, read_site: Server) -> None:
    context = browser.new_context(base_url=read_site.url, locale="en-US")
    page = context.new_page()
    log_in(page)
    page.goto(OVERVIEW)
    skip = page.get_by_role("link", name="Skip the timeline")
    skip.focus()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.jc-lanes')") is None
    page.locator(".jc-lanes a.missed").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/djangojobexecution/**")
    context.close()
