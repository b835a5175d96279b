"""Pages that refresh themselves, in a real browser: a run watched to its end, rows that stay, and the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.browser.conftest import EXECUTIONS as LIST
from tests.browser.conftest import SOON, Followed, axe, expect_fits, log_in, look_now
from tests.live import Server, wait_until

JOBS = "/admin/django_apscheduler/djangojob/"


def test_a_running_job_is_watched_to_its_end(admin_page: Page, follow: Callable[[str], Followed]) -> None:
    page, run = admin_page, follow("watched")
    page.goto(run.url)
    expect(page.locator("#jc-look")).to_contain_text("This page refreshes itself.")
    run.go(10)
    bar = page.get_by_role("progressbar")
    expect(bar).to_have_attribute("value", "25", timeout=SOON)
    expect(page.locator(".jc-progress")).to_contain_text("10 of 40")
    expect(page.locator(".jc-log li")).to_have_count(10, timeout=SOON)
    page.locator(".jc-log").focus()
    run.go(20)
    expect(bar).to_have_attribute("value", "50", timeout=SOON)
    expect(page.locator(".jc-log li").last).to_contain_text("step 20", timeout=SOON)
    axe(page)
    run.go("fail")
    expect(page.locator(".jc-sentence")).to_contain_text("Failed after", timeout=SOON)
    expect(page.locator(".jc-fault-card")).to_contain_text("RuntimeError: stopped at step 20")
    expect(page.get_by_role("button", name="copy")).to_be_visible()
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_visible()
    # It says once how it ended, and looks no more.
    expect(page.locator("#jc-look [role=status]").first).to_contain_text("Failed after")
    expect(page).to_have_title("Error: Watched | Poker backend")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("Queued again, with the same arguments.")).to_be_visible()


def test_what_one_is_at_stays_as_it_is(admin_page: Page, follow: Callable[[str], Followed]) -> None:
    page, run = admin_page, follow("kept")
    page.set_viewport_size({"width": 1280, "height": 500})
    page.goto(run.url)
    run.go(40)
    log = page.locator(".jc-log")
    expect(log.locator("li")).to_have_count(40, timeout=SOON)
    line = log.locator("li").nth(3)
    line.evaluate("node => { node.mark = 1; getSelection().selectAllChildren(node); }")
    log.focus()
    log.evaluate("node => { node.scrollTop = 37; }")
    page.evaluate("scrollTo(0, 60)")
    at = log.evaluate("node => node.getBoundingClientRect().top")
    run.go("end")
    expect(page.locator(".jc-sentence")).to_contain_text("Ran for", timeout=SOON)
    expect(page.locator("#jc-result")).to_be_visible()
    assert line.evaluate("node => node.mark") == 1
    assert "step 4" in page.evaluate("getSelection().toString()")
    assert log.evaluate("node => [document.activeElement === node, node.scrollTop]") == [True, 37]
    # The lines above it have become more, and it is still where it was.
    assert abs(log.evaluate("node => node.getBoundingClientRect().top") - at) <= 1


def test_rows_keep_their_places_and_new_ones_are_a_link(
    admin_page: Page, live_site: Server, follow: Callable[[str], Followed], looks: list[Request]
) -> None:
    page, run = admin_page, follow("placed")
    # Of this job alone: those of other tests, and of the site, come when they come.
    page.goto(f"{LIST}?job=placed")
    row = page.get_by_role("row").filter(has_text="Placed").first
    names = page.locator("#result_list tbody tr").all_inner_texts()
    row.get_by_role("checkbox").check()
    box = row.bounding_box()
    page.locator("#searchbar").fill("half a wor")
    assert live_site.api("POST", "jobs/placed/run/", {}).status < 300
    expect(page.locator("#jc-new")).to_have_text("1 new", timeout=SOON)
    assert row.bounding_box() == box
    # Its place under the pointer is held, and so is what is written there; the row's other cells go on.
    row.locator(".field-due a").hover()
    run.go("end")
    expect(row.locator(".jc-pill")).to_have_text("Executed", timeout=SOON)
    assert len(page.locator("#result_list tbody tr").all_inner_texts()) == len(names)
    expect(row.get_by_role("checkbox")).to_be_checked()
    expect(row).to_have_class("selected")
    expect(page.locator("#searchbar")).to_have_value("half a wor")
    assert str(run.pk) in looks[-1].headers["live-rows"].split(",")
    axe(page)
    page.locator("#jc-new a").click()
    expect(page.get_by_role("row").filter(has_text="Placed")).to_have_count(2)


def test_the_rows_of_jobs_go_on_and_a_button_in_hand_waits(admin_page: Page, follow: Callable[[str], Followed]) -> None:
    page, run = admin_page, follow("listed")
    page.goto(JOBS)
    row = page.get_by_role("row").filter(has_text="Listed")
    expect(row.locator(".field-state_cell")).to_contain_text("Running")
    button = row.get_by_role("button", name="Pause Listed")
    button.hover()
    assert run.server.api("POST", "jobs/listed/pause/", {}).status < 300
    expect(row.locator(".field-state_cell")).to_contain_text("Paused", timeout=SOON)
    expect(button).to_be_visible()
    # Not far away: only the rows in sight are asked for.
    row.locator(".field-state_cell").hover()
    expect(row.get_by_role("button", name="Resume Listed")).to_be_visible(timeout=SOON)
    axe(page)


def test_a_hidden_tab_does_not_look_and_a_still_one_neither(
    admin_page: Page, follow: Callable[[str], Followed], looks: list[Request]
) -> None:
    page, run = admin_page, follow("hidden")
    page.clock.install()
    page.goto(run.url)
    expect(page.locator("#jc-look")).to_contain_text("This page refreshes itself.")
    hide = "value => Object.defineProperty(document, 'hidden', { value, configurable: true })"
    page.evaluate(hide, True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    before = len(looks)
    page.clock.run_for(600_000)
    assert len(looks) == before
    page.evaluate(hide, False)
    look_now(page)
    assert len(looks) == before + 1
    page.get_by_role("button", name="Stop").click()
    page.clock.run_for(600_000)
    assert len(looks) == before + 1
    expect(page.locator("#jc-look")).to_contain_text("It does not refresh itself.")
    # That is kept for the next page.
    page.goto(LIST)
    expect(page.locator("#jc-look")).to_contain_text("It does not refresh itself.")
    with page.expect_response(lambda response: "hx-target" in response.request.headers):
        page.get_by_role("button", name="Refresh itself").click()
    expect(page.locator("#jc-look")).to_contain_text("This page refreshes itself.")


def test_nobody_at_the_page_makes_it_slower(
    admin_page: Page, follow: Callable[[str], Followed], looks: list[Request]
) -> None:
    page, run = admin_page, follow("idle")
    page.clock.install()
    page.goto(run.url)

    def looks_in(seconds: int) -> int:
        before = len(looks)
        for _ in range(seconds):
            page.clock.run_for(1_000)
            page.wait_for_function("!document.querySelector('.htmx-request')")
        return len(looks) - before

    assert looks_in(30) >= 8
    looks_in(60)
    assert 1 <= looks_in(60) <= 4


def test_a_server_that_does_not_answer_is_asked_again_ever_more_seldom(
    admin_page: Page, follow: Callable[[str], Followed]
) -> None:
    page, run = admin_page, follow("away")
    page.goto(run.url)
    page.route("**/change/", lambda route: route.abort())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#jc-look")).to_contain_text("The server does not answer. It is asked again.")
    expect(page.locator(".jc-sentence")).to_contain_text("Running")
    page.unroute("**/change/")
    look_now(page)
    expect(page.locator("#jc-look")).to_contain_text("This page refreshes itself.")


def test_the_end_of_the_session_ends_the_looking_and_puts_no_login_into_the_page(
    admin_page: Page, follow: Callable[[str], Followed], looks: list[Request]
) -> None:
    page, run = admin_page, follow("left")
    page.goto(run.url)
    page.context.clear_cookies()
    expect(page.locator("#jc-look")).to_contain_text("You are logged out", timeout=SOON)
    expect(page.locator("#id_password")).to_have_count(0)
    expect(page.locator(".jc-sentence")).to_contain_text("Running")
    number = len(looks)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(looks) == number
    page.get_by_role("link", name="Log in again").click()
    page.wait_for_url("**/login/**")


def test_everything_is_there_without_scripts(plain_page: Page, follow: Callable[[str], Followed]) -> None:
    page, run = plain_page, follow("plain")
    run.go(10)
    wait_until(lambda: _progress(run) == 10, what="the tenth step")
    page.goto(run.url)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "25")
    expect(page.locator("#jc-look")).to_contain_text("As of ")
    expect(page.locator("#jc-look button")).to_be_hidden()
    run.go("end")
    wait_until(lambda: run.server.api("GET", f"executions/{run.pk}/").json["status"] == "Executed", what="its end")
    page.get_by_role("link", name="Reload").click()
    expect(page.locator(".jc-sentence")).to_contain_text("Ran for")
    for url in (LIST, JOBS):
        page.goto(url)
        expect(page.get_by_role("link", name="Reload")).to_be_visible()
        expect(page.locator("#jc-keys-show")).to_be_hidden()


def _progress(run: Followed) -> Any:
    return (run.server.api("GET", f"executions/{run.pk}/").json["progress"] or {}).get("done")


def test_no_script_is_made_of_text(context: BrowserContext, page: Page, follow: Callable[[str], Followed]) -> None:
    """With a policy that allows the site's own files only, a page refreshes itself as ever."""
    run = follow("strict")

    def strict(route: Any) -> None:
        answer = route.fetch()
        policy = "script-src 'self'; style-src 'self'; object-src 'none'"
        route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})

    log_in(page)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    context.route(f"**{run.url}", strict)
    page.goto(run.url)
    look_now(page)
    expect(page.locator("#jc-look")).to_contain_text("This page refreshes itself.")
    assert not [text for text in said if "Content Security Policy" in text]


def test_the_keys_lead_through_a_list(admin_page: Page, follow: Callable[[str], Followed]) -> None:
    page, run = admin_page, follow("keyed")
    page.goto(JOBS)
    focused = page.locator("*:focus")
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()
    page.keyboard.type("jk?keyed")
    expect(page.locator("#searchbar")).to_have_value("jk?keyed")
    page.locator("#searchbar").fill("keyed")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=keyed**")
    page.keyboard.press("j")
    expect(focused).to_have_text("Keyed")
    page.keyboard.press("r")
    expect(focused).to_have_attribute("aria-label", "Run Keyed now")
    page.keyboard.press("p")
    expect(focused).to_have_attribute("aria-label", "Pause Keyed")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/keyed/change/**")
    page.keyboard.press("r")
    expect(focused).to_contain_text("Run now")
    page.goto(LIST)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("#result_list tbody tr").first.locator(".field-due a")).to_be_focused()
    page.goto(run.url)
    run.go("end")
    expect(page.get_by_role("button", name="Run again", exact=True)).to_be_visible(timeout=SOON)
    page.keyboard.press("r")
    expect(focused).to_have_text("Run again")


def test_a_dialog_tells_the_keys_and_switches_them_off(admin_page: Page) -> None:
    page = admin_page
    page.goto(JOBS)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys of this page")
    expect(dialog).to_be_visible()
    axe(page)
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).not_to_be_focused()
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).not_to_be_focused()
    page.get_by_role("button", name="Keyboard").click()
    dialog.get_by_role("checkbox").check()
    dialog.get_by_role("button", name="Close").click()
    expect(page.get_by_role("button", name="Keyboard")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#searchbar")).to_be_focused()


@pytest.mark.parametrize("width", [360, 900])
def test_on_a_narrow_screen_nothing_is_cut(admin_page: Page, follow: Callable[[str], Followed], width: int) -> None:
    page, run = admin_page, follow(f"narrow-{width}")
    run.go(10)
    page.set_viewport_size({"width": width, "height": 800})
    for url in (LIST, JOBS, run.url):
        page.goto(url)
        look_now(page)
        page.keyboard.press("?")
        expect_fits(page)
