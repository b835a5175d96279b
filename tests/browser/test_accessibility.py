"""What axe finds on the pages that staff use: nothing, in light and in dark, wide and narrow, with long names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import expect_fits, log_in
from tests.live import Server

JOBS = "/admin/django_apscheduler/djangojob/"
EXECUTIONS = "/admin/django_apscheduler/djangojobexecution/"
WINDOWS = "/admin/app_scheduler/blackoutwindow/"
INSTANCES = "/admin/app_scheduler/schedulerinstance/"
#: What no page may be pushed out of its width by.
LONG = "Unbroken" + "y" * 60

PAGES = {
    "index": "/admin/",
    "overview": f"{JOBS}overview/",
    "jobs": JOBS,
    "no job": f"{JOBS}?q=nosuchjob",
    "a job": f"{JOBS}each-hour/change/",
    "a job in a blackout": f"{JOBS}in-a-blackout/change/",
    "a job that skips": f"{JOBS}skips/change/",
    "a paused job": f"{JOBS}sleeps/change/",
    "a finished job": f"{JOBS}once/change/",
    "why": f"{JOBS}each-hour/change/?at=2026-01-01T00:00",
    "add": f"{JOBS}add/",
    "add with arguments": f"{JOBS}add/?function=tests.probe.jobs.account",
    "skip": f"{JOBS}each-hour/skip-next/",
    "pause": f"{JOBS}each-hour/pause/",
    "delete": f"{JOBS}each-hour/delete/",
    "history": f"{JOBS}skips/history/",
    "run with": f"{JOBS}each-hour/run-with/",
    "pause everything": f"{JOBS}pause-everything/",
    "import": f"{JOBS}import/",
    "export": f"{JOBS}export/",
    "calendar, day": f"{JOBS}calendar/",
    "calendar, hour": f"{JOBS}calendar/?date=2031-12-31&hour=3",
    "calendar, all day long": f"{JOBS}calendar/?date=2031-12-31&hour=often",
    "calendar, week": f"{JOBS}calendar/?view=week",
    "calendar, month": f"{JOBS}calendar/?view=month",
    "calendar, nothing": f"{JOBS}calendar/?q=nosuchjob",
    "calendar, faults": f"{JOBS}calendar/?view=x&date=y&state=z",
    "windows": WINDOWS,
    "no window": f"{WINDOWS}?q=nosuchwindow",
    "add a window": f"{WINDOWS}add/",
    "a window": f"{WINDOWS}1/change/",
    "history of a window": f"{WINDOWS}1/history/",
    "delete a window": f"{WINDOWS}1/delete/",
    "instances": INSTANCES,
    "no instance": f"{INSTANCES}?q=nosuchinstance",
    "executions": EXECUTIONS,
    "skipped": f"{EXECUTIONS}?status__exact=Skipped",
    "no execution": f"{EXECUTIONS}?q=nosuchexecution",
}


def _make_jobs(server: Server) -> None:
    """Make jobs in each state that a page tells, and the windows and skips beside them."""
    now = datetime.now(UTC)
    every = {"type": "interval", "hours": 1}
    jobs: dict[str, dict[str, Any]] = {
        "each-hour": {"trigger": every, "name": LONG},
        "in-a-blackout": {"trigger": {"type": "interval", "seconds": 1}, "tags": ["series"]},
        "skips": {"trigger": every},
        "sleeps": {"trigger": every},
        "once": {"trigger": {"type": "date", "run_date": (now + timedelta(seconds=1)).isoformat()}},
    }
    for job_id, values in jobs.items():
        made = server.api("POST", "jobs/", {"id": job_id, "function": "tests.probe.jobs.chatter", **values})
        assert made.status == 201, made.text
    for name, tags in (("Easter series", ["series"]), (LONG, [LONG.lower()[:50]])):
        bounds = {"begins": (now - timedelta(hours=1)).isoformat(), "ends": (now + timedelta(hours=9)).isoformat()}
        made = server.api("POST", "blackouts/", {"name": name, "tags": tags, "reason": "r" * 200, **bounds})
        assert made.status == 201, made.text
    skipped = server.api("POST", "jobs/skips/skip-next/", {"reason": "The feed moves"})
    until = (now + timedelta(days=2)).isoformat()
    paused = server.api("POST", "jobs/sleeps/pause/", {"reason": "A series", "until": until})
    assert (skipped.status, paused.status) == (200, 200), (skipped.text, paused.text)


@pytest.fixture(scope="module")
def reader(browser: Browser, live_site: Server) -> Iterator[Page]:
    """Yield a page of a site with jobs in all states, logged in as the superuser; it is used by one test at a time."""
    _make_jobs(live_site)
    context = browser.new_context(base_url=live_site.url, locale="en-US")
    context.set_default_timeout(20_000)
    page = context.new_page()
    log_in(page)
    page.goto(f"{EXECUTIONS}?status__exact=Skipped")
    for _ in range(40):
        if page.locator(".field-verdict").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    yield page
    context.close()


def _look(page: Page) -> None:
    """Let axe look at a page in both schemes, and see that nothing leaves the window at either width."""
    page.set_viewport_size({"width": 360, "height": 800})
    expect_fits(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    expect_fits(page)
    # Around it is Django's own page, which is not ours to mend.
    context = "#content-main" if page.locator("#content-main").count() else "#content"
    # The admin's links change their colour slowly, and axe would read one in between.
    page.add_style_tag(content="* { transition: none !important; }")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        found = Axe().run(page, context=context).response["violations"]
        assert not found, (scheme, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found])


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_axe_finds_nothing_and_nothing_is_cut_off(reader: Page, path: str) -> None:
    reader.set_viewport_size({"width": 1280, "height": 800})
    answer = reader.goto(path)
    assert answer is not None
    assert answer.status == 200
    _look(reader)


@pytest.mark.parametrize("action", ["Skip the next tick…", "Pause…", "Delete…"])
def test_axe_finds_nothing_where_an_action_asks(reader: Page, action: str) -> None:
    reader.set_viewport_size({"width": 1280, "height": 800})
    reader.goto(JOBS)
    reader.locator("#action-toggle").check()
    reader.get_by_label("Action:").select_option(label=action)
    reader.get_by_role("button", name="Go", exact=True).click()
    expect(reader.locator(".jc-chosen")).to_be_visible()
    _look(reader)


def test_axe_finds_nothing_in_the_effect_and_the_faults_of_a_window(reader: Page) -> None:
    reader.set_viewport_size({"width": 1280, "height": 800})
    reader.goto(f"{WINDOWS}add/")
    reader.get_by_label("Time zone:").fill("Sydney")
    reader.get_by_role("button", name="Preview").click()
    expect(reader.locator(".field-timezone .errorlist")).to_be_visible()
    _look(reader)


def test_axe_finds_nothing_on_the_execution_of_a_skipped_tick(reader: Page) -> None:
    reader.set_viewport_size({"width": 1280, "height": 800})
    reader.goto(f"{EXECUTIONS}?status__exact=Skipped")
    reader.locator(".field-due a").first.click()
    expect(reader.locator(".jc-sentence")).to_contain_text("blackout")
    _look(reader)
