"""Strips and charts in a real browser: pointed at, walked through by keys, followed, on any screen."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import expect_fits
from tests.live import Server, wait_until

LIST = "/admin/django_apscheduler/djangojob/"
PAGE = f"{LIST}ticks/change/"
#: What a bar says: a moment, a verdict, a length.
WORDS = re.compile(r"^\w{3} \d+ \w{3} \d\d:\d\d(:\d\d)?, (Executed|Error), [\d.]+ (ms|s)")


@pytest.fixture(scope="module")
def history(live_site: Server) -> None:
    """Let a job tick each second, well and badly, and stop it when it has a few ticks."""
    for job_id, function in (("ticks", "chatter"), ("fails", "fail")):
        document = {"id": job_id, "name": job_id.title(), "function": f"tests.probe.jobs.{function}"}
        made = live_site.api("POST", "jobs/", {**document, "trigger": "every 1s"})
        assert made.status == 201, made.text

    def ticked() -> bool:
        counts = [
            live_site.api("GET", f"executions/?job={job}&status={status}").json["count"]
            for job, status in (("ticks", "Executed"), ("fails", "Error!"))
        ]
        return min(counts) >= 4

    wait_until(ticked, seconds=40, what="four ticks of each job")
    for job_id in ("ticks", "fails"):
        assert live_site.api("POST", f"jobs/{job_id}/pause/", {"reason": "Enough"}).status == 200

    def idle() -> bool:
        return live_site.api("GET", "executions/?status=Started+execution").json["count"] == 0

    wait_until(idle, what="the last runs to end")


def strip_of(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has_text=name).locator(".jc-strip")


def said(bar: Locator) -> str:
    """Return the words that the stylesheet shows for a bar, or "none"."""
    return str(bar.evaluate("bar => getComputedStyle(bar, '::after').content"))


def test_pointing_at_a_bar_says_its_words_and_a_click_opens_it(admin_page: Page, history: None) -> None:
    admin_page.goto(LIST)
    bar = strip_of(admin_page, "Fails").locator("a").first
    words = bar.get_attribute("aria-label") or ""
    assert WORDS.match(words)
    assert said(bar) == "none"
    bar.hover()
    assert said(bar) == f'"{words}"'
    bar.click()
    expect(admin_page).to_have_url(re.compile(r"/djangojobexecution/\d+/change/$"))
    expect(admin_page.locator(".jc-sentence")).to_contain_text("Failed after")


def test_the_words_and_the_links_need_no_scripts(plain_page: Page, history: None) -> None:
    plain_page.goto(LIST)
    bars = strip_of(plain_page, "Ticks").locator("a")
    bars.nth(1).hover()
    assert WORDS.match(said(bars.nth(1)).strip('"'))
    bars.last.focus()
    plain_page.keyboard.press("Shift+Tab")
    plain_page.keyboard.press("Tab")
    expect(bars.last).to_be_focused()
    plain_page.mouse.move(0, 0)
    assert WORDS.match(said(bars.last).strip('"'))
    plain_page.keyboard.press("Enter")
    expect(plain_page).to_have_url(re.compile(r"/djangojobexecution/\d+/change/$"))
    plain_page.goto(PAGE)
    plain_page.get_by_text("Executions as a table").click()
    expect(plain_page.locator(".jc-values td a").first).to_be_visible()


def test_arrows_walk_through_a_strip_that_is_one_stop_of_the_tab_key(admin_page: Page, history: None) -> None:
    page = admin_page
    page.goto(LIST)
    strip = strip_of(page, "Ticks")
    bars = strip.locator("a")
    page.get_by_role("link", name="Ticks", exact=True).focus()
    page.keyboard.press("Tab")
    expect(bars.last).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(bars.nth(-2)).to_be_focused()
    page.keyboard.press("Home")
    expect(bars.first).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(bars.first).to_be_focused()
    assert WORDS.match(said(bars.first).strip('"'))
    page.keyboard.press("Escape")
    assert said(bars.first) == "none" or bars.first.evaluate("b => getComputedStyle(b, '::after').display") == "none"
    page.keyboard.press("ArrowRight")
    expect(bars.nth(1)).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("row").filter(has_text="Ticks").get_by_role("link", name="ok")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(bars.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/djangojobexecution/\d+/change/$"))


def test_a_bar_of_the_chart_says_its_words_below_it_and_opens(admin_page: Page, history: None) -> None:
    page = admin_page
    page.goto(PAGE)
    bars, line = page.locator(".jc-plot-runs a"), page.locator("#jc-run-says")
    bars.first.hover()
    expect(line).to_have_text(WORDS)
    bars.last.focus()
    page.keyboard.press("ArrowLeft")
    expect(bars.nth(-2)).to_be_focused()
    expect(line).to_have_text(bars.nth(-2).get_attribute("aria-label") or "")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/djangojobexecution/\d+/change/$"))


def test_the_chart_shows_days_instead_without_losing_what_was_typed(admin_page: Page, history: None) -> None:
    page = admin_page
    page.goto(PAGE)
    page.get_by_label("Name").first.fill("Not saved yet")
    page.get_by_role("radio", name="By day").check()
    expect(page.locator(".by-run")).to_be_hidden()
    page.get_by_text("Days as a table").click()
    expect(page.get_by_role("columnheader", name="Longest")).to_be_visible()
    expect(page.get_by_label("Name").first).to_have_value("Not saved yet")


def test_open_failures_lead_to_the_inbox(admin_page: Page, history: None) -> None:
    page = admin_page
    page.goto(f"{LIST}fails/change/")
    card = page.get_by_role("region", name="Open failures")
    expect(card).to_contain_text("RuntimeError: boom")
    card.get_by_role("link", name="All failures of this job").click()
    row = page.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("RuntimeError: boom")
    page.go_back()
    card.get_by_role("link", name="RuntimeError: boom").click()
    expect(page.get_by_role("link", name="Acknowledge…")).to_be_visible()


@pytest.mark.parametrize("path", [LIST, PAGE, f"{LIST}fails/change/"])
def test_axe_finds_nothing_and_nothing_is_cut_off(admin_page: Page, history: None, path: str) -> None:
    page = admin_page
    page.goto(path)
    page.add_style_tag(content="* { transition: none !important; }")
    for details in page.locator(".jc-values").all():
        details.evaluate("details => details.open = true")
    for shown in ("#jc-by-run", "#jc-by-day") if path != LIST else ("",):
        if shown:
            page.locator(shown).check()
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            expect_fits(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            found = Axe().run(page, context="#content").response["violations"]
            assert not found, (scheme, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found])


def test_on_a_phone_a_bars_words_stay_on_the_screen(admin_page: Page, history: None) -> None:
    page = admin_page
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(LIST)
    strip_of(page, "Ticks").locator("a").last.hover()
    expect_fits(page)
