"""The calendar as staff read it: by day, week and month, with and without scripts, narrow and dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import log_in
from tests.live import Server

LIST = "/admin/django_apscheduler/djangojob/"
CALENDAR = f"{LIST}calendar/"
#: The jobs that every site begins with are due too; those of these tests have a tag of their own.
#: A Wednesday that is far enough away for every job to be due on it.
DAY = "2031-12-31"


def make_job(page: Page, name: str, expression: str, tags: str = "ours") -> None:
    page.goto(f"{LIST}add/?function=tests.probe.jobs.chatter")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Tags").fill(tags)
    page.locator("#id_expression").fill(expression)
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("was added.")).to_be_visible()


@pytest.fixture(scope="module")
def read_site(browser: Browser, live_site: Server) -> Server:
    """Return a site with jobs that collide at three, one that is due all day long, and a rare one."""
    context = browser.new_context(base_url=live_site.url, locale="en-US")
    context.set_default_timeout(20_000)
    page = context.new_page()
    log_in(page)
    make_job(page, "Nightly back-up", "0 3 * * *", "ours, night")
    make_job(page, "Nightly report", "0 3 * * *")
    make_job(page, "Heartbeat of tables", "*/10 * * * *")
    make_job(page, "Year in review", "0 18 31 12 *")
    context.close()
    return live_site


def test_a_day_leads_to_its_hours_and_jobs(reader: Page) -> None:
    page = reader
    page.goto(f"{CALENDAR}?date={DAY}&tag=ours")
    expect(page.get_by_role("heading", name="Wednesday 31 December 2031")).to_be_visible()
    expect(page.get_by_text("Most at once: 3 jobs at 03:00.")).to_be_visible()
    expect(page.get_by_role("heading", name="Due all day long")).to_be_visible()
    expect(page.get_by_text("144 times")).to_be_visible()
    page.get_by_role("link", name="03:00: 3 jobs, most at once: 3 at 03:00").click()
    expect(page.get_by_text("3 at once")).to_be_visible()
    expect(page.get_by_role("link", name="Heartbeat of tables")).to_be_visible()
    page.get_by_role("link", name="The whole day").click()
    page.get_by_role("link", name="Year in review").click()
    expect(page.get_by_role("link", name="In the calendar")).to_be_visible()
    if page.viewport_size and page.viewport_size["width"] > 1000:
        page.get_by_role("link", name="In the calendar").click()
        expect(page.get_by_text("18:00").first).to_be_visible()


def test_periods_and_views_follow_one_another(reader: Page) -> None:
    page = reader
    page.goto(f"{CALENDAR}?view=month&date={DAY}&tag=ours")
    expect(page.get_by_role("heading", name="December 2031")).to_be_visible()
    expect(page.get_by_role("link", name="Year in review")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("heading", name="January 2032")).to_be_visible()
    page.get_by_role("link", name="Previous").click()
    page.get_by_role("link", name="Wednesday 31 December: 4 jobs", exact=False).click()
    expect(page.get_by_role("heading", name="Wednesday 31 December 2031")).to_be_visible()
    page.get_by_role("link", name="Week", exact=True).click()
    expect(page.get_by_role("link", name="Wed 31 Dec 18:00: 2 jobs", exact=False)).to_be_visible()
    page.get_by_role("link", name="Today").click()
    expect(page.get_by_role("link", name="Week", exact=True)).to_have_attribute("aria-current", "page")


def test_filters_narrow_it_and_are_cleared(reader: Page) -> None:
    page = reader
    page.goto(f"{CALENDAR}?date={DAY}&tag=ours")
    page.get_by_label("Filter by tag").select_option("night")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="Nightly back-up")).to_be_visible()
    expect(page.get_by_role("link", name="Nightly report")).to_have_count(0)
    page.get_by_role("link", name="Next ›").click()
    expect(page.get_by_label("Filter by tag")).to_have_value("night")
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("link", name="Nightly report")).to_be_visible()
    page.get_by_label("Date").fill("2032-02-29")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", name="Sunday 29 February 2032")).to_be_visible()


@pytest.mark.parametrize("view", ["day", "week", "month"])
def test_nothing_is_wider_than_its_page(reader: Page, view: str) -> None:
    page = reader
    page.goto(f"{CALENDAR}?view={view}&date={DAY}&tag=ours")
    left = page.locator("#content-main").bounding_box()
    assert left is not None
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert left["x"] + left["width"] <= width


def test_the_keyboard_alone_opens_an_hour(reader: Page) -> None:
    page = reader
    page.goto(f"{CALENDAR}?date={DAY}&tag=ours")
    page.get_by_role("link", name="03:00: 3 jobs", exact=False).focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="04:00", exact=False).first).to_be_visible()
