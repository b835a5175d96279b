"""Blackouts, skips and pauses until a moment as staff set them, in a real browser beside a scheduler that runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import expect_fits
from tests.browser.test_jobs import LIST, make_job, reload_until, row
from tests.live import Server

WINDOWS = "/admin/app_scheduler/blackoutwindow/"


def set_window(page: Page, name: str, *, hours: float, tags: str) -> None:
    """Fill in the form of a window that is on from an hour ago for so many hours, look at its preview, and save it."""
    now = datetime.now(UTC)
    page.goto(f"{WINDOWS}add/")
    page.get_by_label("Name:").fill(name)
    page.get_by_label("From:").fill((now - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("Until:").fill((now + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("Time zone:").fill("UTC")
    page.get_by_label("Tags:").fill(tags)
    page.get_by_label("Reason:").fill("No clean-ups")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="What this would do")).to_be_visible()
    expect(page.get_by_label("Name:")).to_have_value(name)
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text(f"{name} was added")).to_be_visible()


def delete_window(page: Page, name: str) -> None:
    page.goto(WINDOWS)
    page.get_by_role("link", name=name, exact=True).last.click()
    page.get_by_role("link", name="Delete", exact=True).click()
    page.get_by_label("Reason").fill("It is over")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text(f"“{name}” was deleted.")).to_be_visible()


def tag(page: Page, name: str, tags: str) -> None:
    page.goto(LIST)
    row(page, name).get_by_role("link", name=name, exact=True).click()
    page.get_by_label("Tags:").fill(tags)
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text(f"{name} was saved.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_window_is_set_swallows_ticks_and_is_deleted(
    scripts: bool, admin_page: Page, request: pytest.FixtureRequest
) -> None:
    page: Page = admin_page if scripts else request.getfixturevalue("plain_page")
    job, name = ("With scripts", "Series A") if scripts else ("Without scripts", "Series B")
    word = "series-a" if scripts else "series-b"
    make_job(page, job, every_seconds=1)
    tag(page, job, word)
    set_window(page, name, hours=2, tags=word)
    page.goto(LIST)
    expect(page.locator(".jc-blackouts")).to_contain_text(f"Blackout “{name}” until")
    expect(row(page, job)).to_contain_text(f"In the blackout “{name}” until")
    reload_until(page, row(page, job).get_by_text("Skipped"))
    row(page, job).get_by_role("link", name="Skipped: the last execution").click()
    expect(page.get_by_text(f"fell into the blackout “{name}”").first).to_be_visible()
    page.goto(LIST)
    page.get_by_role("button", name=f"Run {job} now").click()
    expect(page.locator(".messagelist")).to_contain_text(f"The blackout “{name}” is on until")
    delete_window(page, name)
    page.goto(LIST)
    expect(row(page, job)).not_to_contain_text("In the blackout")
    reload_until(page, row(page, job).get_by_text("Executed"))


def test_what_is_wrong_is_said_beside_its_field(plain_page: Page) -> None:
    page = plain_page
    page.goto(f"{WINDOWS}add/")
    page.get_by_label("Time zone:").fill("Sydney")
    page.keyboard.press("Enter")
    expect(page.locator(".field-name .errorlist")).to_contain_text("Give it a name")
    expect(page.locator(".field-timezone .errorlist")).to_contain_text("Did you mean Australia/Sydney?")
    expect(page.get_by_label("Time zone:")).to_have_value("Sydney")


def test_the_next_tick_is_skipped_by_keyboard_and_taken_back(plain_page: Page) -> None:
    page = plain_page
    make_job(page, "Skipper")
    row(page, "Skipper").get_by_role("link", name="Skipper", exact=True).click()
    page.get_by_role("link", name="Skip the next tick…").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("“Skipper” will not run at")).to_be_visible()
    page.get_by_label("Reason").focus()
    page.keyboard.type("The feed moves")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Skipper skips the tick at")).to_be_visible()
    expect(page.locator(".jc-state")).to_contain_text("as admin asked. “The feed moves”")
    expect(page.locator(".jc-ticks .excepted")).to_have_count(1)
    page.get_by_role("button", name="Do not skip it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Skipper skips nothing now.")).to_be_visible()
    expect(page.locator(".jc-ticks .excepted")).to_have_count(0)


def test_many_jobs_skip_their_next_tick(admin_page: Page) -> None:
    page = admin_page
    for name in ("Leap one", "Leap two"):
        make_job(page, name)
    page.get_by_placeholder("name, id, function, tag").fill("leap")
    page.get_by_role("button", name="Search").click()
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Skip the next tick…")
    page.get_by_role("button", name="Go").click()
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name="Skip", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("2 jobs skip their next tick")
    expect(page.get_by_text("as admin asked. “a test”")).to_have_count(2)


def test_a_job_is_paused_until_a_moment_and_goes_on_by_itself(admin_page: Page) -> None:
    page = admin_page
    make_job(page, "Sleeper", every_seconds=1)
    row(page, "Sleeper").get_by_role("link", name="Sleeper", exact=True).click()
    page.get_by_role("link", name="Pause…").click()
    page.get_by_label("Until").fill("2020-01-01T00:00:00")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator(".field-until .errorlist")).to_contain_text("Give one in the future")
    soon = page.evaluate(
        """() => { const parts = new Intl.DateTimeFormat("sv-SE", {timeZone: "Australia/Sydney", dateStyle: "short",
        timeStyle: "medium"}).format(new Date(Date.now() + 4000)); return parts.replace(" ", "T"); }"""
    )
    page.get_by_label("Until").fill(soon)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Sleeper is paused until")).to_be_visible()
    page.goto(LIST)
    reload_until(page, row(page, "Sleeper").get_by_text("Scheduled"))


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_at_any_width(admin_page: Page, live_site: Server, width: int, scheme: str) -> None:
    page = admin_page
    name = f"Wide {width} {scheme}"
    set_window(page, name, hours=1, tags=f"wide-{width}-{scheme}")
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in (WINDOWS, f"{WINDOWS}add/", LIST):
        page.goto(path)
        expect_fits(page)
    page.goto(WINDOWS)
    page.get_by_role("link", name=name, exact=True).click()
    expect_fits(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    delete_window(page, name)
