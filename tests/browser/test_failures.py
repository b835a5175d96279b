"""The failure inbox in a real browser: from a failure overnight to its acknowledgement, with and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import look_now
from tests.browser.test_accessibility import _look as look
from tests.live import Server, wait_until

LIST = "/admin/app_scheduler/failuregroup/"
FORTY = 40


def run(server: Server, job_id: str, number: int = 1, **document: object) -> None:
    """Make a job that fails, and let it fail ``number`` times."""
    given = {
        "id": job_id,
        "name": job_id.title(),
        "function": "tests.probe.jobs.fail",
        "trigger": "every 9h",
        "max_instances": FORTY,
        **document,
    }
    made = server.api("POST", "jobs/", given)
    assert made.status == 201, made.text
    for _ in range(number):
        assert server.api("POST", f"jobs/{job_id}/run/", {}).status < 300
    wait_until(lambda: failed(server, job_id) == number, what=f"{job_id} to fail")


def failed(server: Server, job_id: str) -> int:
    return int(server.api("GET", f"executions/?job={job_id}&status=Error!&page_size=1").json["count"])


@pytest.fixture(scope="module")
def failures(live_site: Server) -> Server:
    """Return a server on which one job failed once, one forty times and one with words that never end."""
    run(live_site, "overnight")
    run(live_site, "forty", FORTY)
    run(live_site, "long", name="Unbroken" + "y" * 60, kwargs={"message": "z" * 150})
    return live_site


def number_in_title(page: Page) -> int:
    found = re.match(r"\((\d+)\) Failures", page.title())
    return int(found[1]) if found else 0


def test_from_a_failure_overnight_to_its_acknowledgement(admin_page: Page, failures: Server) -> None:
    page = admin_page
    page.get_by_role("link", name="Failures").first.click()
    before = number_in_title(page)
    assert before >= 1
    row = page.get_by_role("row").filter(has_text="Overnight")
    expect(row).to_contain_text("RuntimeError: boom")
    row.get_by_role("link", name="1 open failure of Overnight in the last 24 h").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.go_back()
    page.get_by_role("link", name="Overnight", exact=True).click()
    expect(page.locator(".jc-pre")).to_contain_text("raise RuntimeError(message")
    page.get_by_role("link", name="Acknowledge…").click()
    page.get_by_label("Note:").fill("The feed was down, ticket 881")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("1 failure acknowledged.")).to_be_visible()
    expect(page.locator(".jc-state")).to_contain_text("Acknowledged by admin")
    expect(page.locator("#jc-history")).to_contain_text("Acknowledged, 1 failure: The feed was down, ticket 881")
    page.goto(LIST)
    assert number_in_title(page) == before - 1
    expect(page.locator("#result_list")).not_to_contain_text("Overnight")
    expect(page.locator(".jc-acknowledged")).to_contain_text("“The feed was down, ticket 881”")


def test_the_inbox_tells_of_a_new_failure_by_itself(admin_page: Page, failures: Server) -> None:
    page = admin_page
    page.goto(LIST)
    expect(page.locator("#jc-look")).to_contain_text("This page refreshes itself.")
    before = number_in_title(page)
    run(failures, "arrives")
    look_now(page)
    expect(page.locator("#jc-new")).to_have_text("1 new")
    assert number_in_title(page) == before + 1
    expect(page.locator("#result_list")).not_to_contain_text("Arrives")
    page.locator("#jc-new a").click()
    expect(page.locator("#result_list")).to_contain_text("Arrives")


def test_one_failure_of_forty_is_retried(admin_page: Page, failures: Server) -> None:
    page = admin_page
    page.goto(LIST)
    page.get_by_role("link", name="Forty", exact=True).click()
    rows = page.locator("section", has_text="Executions").locator("tbody tr").filter(has_text="Error")
    expect(rows).to_have_count(FORTY)
    number = re.search(r"/(\d+)/change/", rows.nth(4).get_by_role("link").first.get_attribute("href") or "")
    assert number is not None
    address = page.url
    rows.nth(4).get_by_role("button", name="Retry").click()
    expect(page.get_by_text("Queued again, with the same arguments.")).to_be_visible()
    wait_until(lambda: failed(failures, "forty") == FORTY + 1, what="the retry to fail as well")
    page.goto(address)
    retried = page.locator("tbody tr").filter(has=page.locator(f'a[href*="/{number[1]}/change/"]'))
    expect(retried).to_contain_text("#")
    expect(retried.get_by_role("button", name="Retry")).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("^Retry the execution"))).to_have_count(FORTY)


def test_everything_that_matches_is_put_aside_and_brought_back_without_scripts(
    plain_page: Page, failures: Server
) -> None:
    page = plain_page
    for number in range(3):
        run(failures, f"aside-{number}", tags=["aside"])
    page.goto(f"{LIST}?tag=aside")
    page.get_by_role("row").filter(has_text="Aside-0").get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option(label="Snooze…")
    page.get_by_role("button", name="Go").click()
    page.get_by_label("Apply to all 3 that match the list").check()
    page.get_by_label("Put aside:").select_option(label="for 4 hours")
    page.get_by_label("Note:").fill("Known since Friday")
    page.get_by_role("button", name="Snooze").click()
    expect(page.get_by_text("3 failures snoozed until")).to_be_visible()
    expect(page.get_by_text("No failure matches.")).to_be_visible()
    page.get_by_role("navigation", name="Failures by state").get_by_role("link", name="Snoozed").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    page.get_by_role("row").filter(has_text="Aside-1").get_by_role("link", name="Open again…").click()
    page.get_by_role("button", name="Open again").click()
    expect(page.get_by_text("1 failure is open again.")).to_be_visible()


PAGES = {
    "open": LIST,
    "snoozed": f"{LIST}?state=snoozed",
    "acknowledged": f"{LIST}?state=acknowledged",
    "all": f"{LIST}?state=all",
    "none": f"{LIST}?q=nosuchfailure",
    "nothing snoozed": f"{LIST}?state=nonsense",
}


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_axe_finds_nothing_in_the_inbox(admin_page: Page, failures: Server, path: str) -> None:
    admin_page.goto(path)
    look(admin_page)


@pytest.mark.parametrize("act", ["", "Acknowledge…", "Snooze…", "Retry…"])
def test_axe_finds_nothing_on_the_page_of_a_failure_and_where_an_act_asks(
    admin_page: Page, failures: Server, act: str
) -> None:
    admin_page.goto(LIST)
    admin_page.get_by_role("link", name="Unbroken").first.click()
    admin_page.wait_for_url(re.compile("/change/$"))
    if act:
        admin_page.get_by_role("link", name=act).click()
        admin_page.wait_for_url(re.compile("/(acknowledge|snooze|retry)/$"))
    look(admin_page)


def test_axe_finds_nothing_in_the_faults_of_a_form(admin_page: Page, failures: Server) -> None:
    admin_page.goto(LIST)
    admin_page.get_by_role("link", name="Unbroken").first.click()
    admin_page.get_by_role("link", name="Retry…").click()
    admin_page.get_by_label("At most, a minute:").fill("0")
    admin_page.get_by_role("button", name="Retry").click()
    expect(admin_page.locator(".field-per_minute .errorlist")).to_be_visible()
    look(admin_page)


def test_axe_finds_nothing_where_many_are_chosen(admin_page: Page, failures: Server) -> None:
    admin_page.goto(LIST)
    admin_page.locator("#result_list .action-select").first.check()
    admin_page.get_by_label("Action:").select_option(label="Retry…")
    admin_page.get_by_role("button", name="Go", exact=True).click()
    expect(admin_page.locator(".jc-chosen")).to_be_visible()
    look(admin_page)
