"""Executions in a real browser: reading a failure, trying again, with and without scripts, wide and narrow."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import expect_fits, log_in
from tests.live import Server, wait_until

LIST = "/admin/django_apscheduler/djangojobexecution/"


@pytest.fixture(scope="module")
def history(live_site: Server) -> dict[str, int]:
    """Run one job that fails and one that writes a log; return their executions by job."""
    for job_id, function in (("failing", "fail"), ("talking", "chatter")):
        document = {
            "id": job_id,
            "name": job_id.title(),
            "function": f"tests.probe.jobs.{function}",
            "trigger": "every 9h",
        }
        assert live_site.api("POST", "jobs/", document).status == 201
        assert live_site.api("POST", f"jobs/{job_id}/run/", {}).status < 300

    def ended() -> dict[str, int]:
        results = live_site.api("GET", "executions/?page_size=100").json["results"]
        found = {row["job"]: row["id"] for row in results if row["status"] in ("Executed", "Error!")}
        return found if {"failing", "talking"} <= found.keys() else {}

    return wait_until(ended, what="both runs to end")


@pytest.fixture
def scriptless(browser: Browser, live_site: Server) -> Iterator[Page]:
    context = browser.new_context(base_url=live_site.url, java_script_enabled=False)
    page = context.new_page()
    log_in(page)
    yield page
    context.close()


def test_a_failure_is_found_read_and_tried_again(admin_page: Page, history: dict[str, int]) -> None:
    page = admin_page
    page.goto(f"{LIST}?status=failures&job=failing")
    row = page.get_by_role("row").filter(has_text="RuntimeError: boom").last
    expect(row.locator(".jc-pill")).to_have_text("Error")
    row.locator(".field-due a").click()
    expect(page.locator(".jc-sentence")).to_contain_text("Failed after")
    expect(page.get_by_role("list").filter(has_text="Due").locator("li").last).to_contain_text("Failed")
    expect(page.locator(".jc-trace mark")).to_contain_text("raise RuntimeError(message")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("Queued again, with the same arguments.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Earlier attempt").get_by_role("link")).to_be_visible()


def test_the_traceback_is_copied_whole(admin_page: Page, history: dict[str, int]) -> None:
    page = admin_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{LIST}{history['failing']}/change/")
    button = page.get_by_role("button", name="copy")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Traceback (most recent call last):")
    assert copied.rstrip().endswith("RuntimeError: boom")


def test_the_log_is_filtered_by_level_without_scripts(scriptless: Page, history: dict[str, int]) -> None:
    page = scriptless
    page.goto(f"{LIST}{history['talking']}/change/")
    lines = page.locator(".jc-log li:visible")
    expect(lines).to_have_text(
        [re.compile(word) for word in ("printed to stdout", "stderr", "info", "warning", "error")]
    )
    page.get_by_label("Warnings and errors").check()
    expect(lines).to_have_text([re.compile("WARN.*logged at warning"), re.compile("ERROR.*logged at error")])
    page.get_by_label("Printed").check()
    expect(lines).to_have_count(2)


def test_everything_can_be_done_without_scripts(scriptless: Page, history: dict[str, int]) -> None:
    page = scriptless
    page.goto(f"{LIST}{history['failing']}/change/")
    expect(page.locator("button[data-copy]")).to_be_hidden()
    page.get_by_text("As it was written").click()
    expect(page.locator("#jc-raw")).to_contain_text("Traceback (most recent call last):")
    page.get_by_role("link", name="Retry with changes…").click()
    page.get_by_label("Message").fill("other words")
    page.get_by_label("Reason").fill("Trying other words")
    page.get_by_role("button", name="Queue it now").click()
    expect(page.get_by_text("Queued again, with the arguments below.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="message")).to_contain_text('"other words"')


@pytest.mark.parametrize("width", [360, 400, 800])
def test_on_a_narrow_screen_rows_are_cards_and_nothing_is_cut(
    admin_page: Page, history: dict[str, int], width: int
) -> None:
    page = admin_page
    page.set_viewport_size({"width": width, "height": 800})
    for url in (LIST, *(f"{LIST}{pk}/change/" for pk in history.values()), f"{LIST}{history['failing']}/retry-with/"):
        page.goto(url)
        expect_fits(page)
    page.goto(LIST)
    expect(page.locator("#result_list thead")).to_be_hidden()
    expect(page.locator(".field-took .jc-word").first).to_be_visible()


def test_the_list_filters_by_a_jobs_name(admin_page: Page, history: dict[str, int]) -> None:
    page = admin_page
    page.goto(LIST)
    page.get_by_label("Filter by job").fill("talk")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list tbody")).to_contain_text("Talking")
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("#result_list tbody")).to_contain_text("Failing")
