"""Jobs as staff make, watch and steer them, in a real browser beside a scheduler that runs."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import expect_fits

LIST = "/admin/django_apscheduler/djangojob/"


def row(page: Page, name: str) -> Locator:
    return page.locator("#result_list tbody tr").filter(has=page.get_by_role("link", name=name, exact=True))


def reload_until(page: Page, locator: Locator) -> None:
    """Load the page again until something is on it: what runs shows when somebody looks."""
    for _ in range(40):
        if locator.count():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(locator).to_be_visible()


def make_job(page: Page, name: str, *, every_seconds: int = 3600) -> None:
    page.goto(f"{LIST}add/?function=tests.probe.jobs.chatter")
    page.get_by_label("Name").fill(name)
    page.locator("#id_trigger_type_interval").check()
    page.locator("#id_interval_seconds").fill(str(every_seconds))
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("was added.")).to_be_visible()


def test_a_cron_job_is_made_fires_and_is_run_paused_and_resumed(admin_page: Page) -> None:
    page = admin_page
    page.goto(f"{LIST}add/")
    page.get_by_label("Function").select_option("tests.probe.jobs.add")
    page.get_by_label("A:", exact=True).fill("40")
    page.get_by_label("Name").fill("Sum up")
    page.locator("#id_trigger_type_cron").check()
    page.locator("#id_cron_second").fill("*/2")
    expect(page.get_by_text("Every 2 seconds")).to_be_visible()
    expect(page.locator("#jc-preview time")).to_have_count(10)
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("Sum up was added.")).to_be_visible()
    expect(row(page, "Sum up")).to_contain_text("Every 2 seconds")
    reload_until(page, row(page, "Sum up").get_by_text("Executed"))

    page.get_by_role("button", name="Pause Sum up").click()
    expect(page.get_by_text("Sum up is paused.")).to_be_visible()
    expect(row(page, "Sum up")).to_contain_text("paused by admin")
    page.get_by_role("button", name="Run Sum up now").click()
    page.locator(".messagelist").get_by_role("link", name=re.compile("execution")).click()
    page.wait_for_url("**/djangojobexecution/*/change/")
    reload_until(page, page.get_by_text("Executed").first)

    page.goto(LIST)
    page.get_by_role("button", name="Resume Sum up").click()
    expect(page.get_by_text("Sum up goes on.")).to_be_visible()
    row(page, "Sum up").get_by_role("link", name="Sum up", exact=True).click()
    expect(page.get_by_role("heading", name="Who changed what")).to_be_visible()
    for act in ("Resumed", "Paused", "Created"):
        expect(page.locator(".jc-acts").get_by_text(act).first).to_be_visible()
    expect(page.locator(".jc-latest .jc-pill.ok").first).to_be_visible()


def test_the_panel_follows_the_typing_and_says_what_is_wrong(admin_page: Page) -> None:
    page = admin_page
    page.goto(f"{LIST}add/")
    panel = page.locator("#jc-preview")
    hour = page.locator("#id_cron_hour")
    hour.fill("25")
    expect(panel).to_contain_text("25 is not a valid hour")
    hour.fill("7")
    expect(panel).to_contain_text("At 07:00")
    expect(hour).to_be_focused()
    page.get_by_label("time zone").fill("America/New_York")
    expect(panel).to_contain_text("in America/New_York")
    page.get_by_role("button", name="Show 50").click()
    expect(panel.locator("time")).to_have_count(50)
    page.get_by_role("button", name="monthly on the last day").click()
    expect(panel).to_contain_text("last day of the month")
    expect(page.get_by_label("day of month")).to_have_value("last")
    page.get_by_label("In one line").fill("every 90m")
    expect(hour).to_be_hidden()
    expect(panel).to_contain_text("Every 90 minutes")


def test_another_function_brings_its_arguments_and_keeps_the_focus(admin_page: Page) -> None:
    page = admin_page
    page.goto(f"{LIST}add/")
    function = page.get_by_label("Function")
    function.focus()
    function.select_option("tests.probe.jobs.mark")
    expect(page.get_by_label("Path")).to_be_visible()
    expect(function).to_be_focused()
    expect(page.locator("#id_id")).to_have_attribute("placeholder", "mark")
    page.get_by_label("Name").fill("Ärger mit Umlaut")
    expect(page.locator("#id_id")).to_have_attribute("placeholder", "arger-mit-umlaut")
    function.select_option("tests.probe.jobs.add")
    expect(page.get_by_label("Path")).to_have_count(0)
    expect(page.get_by_label("B:", exact=True)).to_have_value("2")


def test_all_of_it_works_without_scripts(plain_page: Page) -> None:
    page = plain_page
    page.goto(f"{LIST}add/")
    page.get_by_label("Function").select_option("tests.probe.jobs.add")
    page.get_by_label("Name").fill("By hand")
    page.get_by_role("button", name="Choose").click()
    page.get_by_label("A:", exact=True).fill("1")
    page.get_by_role("button", name="daily at 03:00").click()
    expect(page.locator("#jc-preview")).to_contain_text("At 03:00")
    expect(page.get_by_label("A:", exact=True)).to_have_value("1")
    page.locator("#id_cron_hour").fill("4")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#jc-preview")).to_contain_text("At 04:00")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(row(page, "By hand")).to_contain_text("At 04:00")
    page.get_by_role("button", name="Pause By hand").click()
    expect(row(page, "By hand")).to_contain_text("Paused")
    page.get_by_role("button", name="Resume By hand").click()
    page.get_by_role("button", name="Run By hand now").click()
    expect(page.get_by_text("By hand runs now")).to_be_visible()


def test_many_jobs_are_paused_with_a_reason_and_deleted(admin_page: Page) -> None:
    page = admin_page
    for name in ("Bulk one", "Bulk two"):
        make_job(page, name)
    page.get_by_placeholder("name, id, function, tag").fill("bulk")
    page.get_by_role("button", name="Search").click()
    for action, button in (("Pause…", "Pause"), ("Delete…", "Delete")):
        page.locator("#action-toggle").check()
        page.get_by_label("Action:").select_option(label=action)
        page.get_by_role("button", name="Go").click()
        page.get_by_label("Reason").fill("a test")
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator(".messagelist")).to_contain_text("2 jobs")
        assert "q=bulk" in page.url
    expect(page.get_by_text("No job matches.")).to_be_visible()


@pytest.mark.parametrize("width", [360, 800, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_at_any_width(admin_page: Page, width: int, scheme: str) -> None:
    page = admin_page
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in (LIST, f"{LIST}add/?function=tests.probe.jobs.mark", f"{LIST}pause-everything/"):
        page.goto(path)
        expect_fits(page)


def test_the_pages_work_under_a_strict_content_security_policy(admin_page: Page) -> None:
    page = admin_page
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)

    def add_policy(route: Route) -> None:
        response = route.fetch()
        policy = {"content-security-policy": "script-src 'self'; object-src 'none'; base-uri 'self'"}
        route.fulfill(response=response, headers={**response.headers, **policy})

    page.route(re.compile(r"/admin/django_apscheduler/djangojob/"), add_policy)
    page.goto(LIST)
    page.goto(f"{LIST}add/")
    page.locator("#id_cron_hour").fill("7")
    expect(page.locator("#jc-preview")).to_contain_text("At 07:00")
    assert not complaints


def test_the_page_of_a_job_says_why_it_did_not_run_also_without_scripts(plain_page: Page) -> None:
    make_job(plain_page, "Asked about")
    plain_page.get_by_role("link", name="Asked about", exact=True).first.click()
    plain_page.get_by_label("Date and time").fill("2020-02-03T04:05")
    plain_page.keyboard.press("Enter")
    expect(plain_page.get_by_role("status").get_by_text("The job did not exist yet: it was created at")).to_be_visible()
    expect(plain_page.get_by_label("Date and time")).to_have_value("2020-02-03T04:05")
    plain_page.get_by_label("Date and time").fill("")
    plain_page.get_by_role("button", name="Explain").click()
    expect(plain_page.get_by_text("Give the date and time that you wonder about.")).to_be_visible()
