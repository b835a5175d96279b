"""The ways back in a real browser: a broken job fires again, a changed one is reverted, a deleted one comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests import live
from tests.browser.conftest import expect_fits
from tests.browser.test_jobs import LIST, make_job, reload_until, row
from tests.live import Server, Site

CODE_JOB = "clear-expired-sessions"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with live.site("sqlite", tmp_path_factory.mktemp("live")) as made:
        yield made


@pytest.fixture(scope="module")
def live_site(site: Site) -> Server:
    """Return a server whose database a test can reach behind its back, as a deploy does that renames a module."""
    return site.gunicorn()


def rename_function_of(site: Site, name: str, *, arguments: str = "{}") -> None:
    """Let the jobs of this name call a function that is gone, as after a deploy without it."""
    module = name.split()[0].lower()
    statement = "UPDATE app_scheduler_jobspec SET function = %s, kwargs = %s WHERE name LIKE %s"
    site.rows(statement, f"{module}.jobs.chatter", arguments, name)


def test_a_broken_job_is_pointed_at_another_function_and_fires(admin_page: Page, site: Site) -> None:
    page = admin_page
    make_job(page, "Renamed", every_seconds=2)
    rename_function_of(site, "Renamed")
    page.goto(LIST)
    reload_until(page, row(page, "Renamed").get_by_text("Broken"))
    expect(page.locator(".jc-missing")).to_contain_text("1 job calls renamed.jobs.chatter")
    row(page, "Renamed").get_by_role("link", name="Repair Renamed").click()
    ways = page.get_by_role("region", name="Ways out")
    expect(ways.get_by_label("Function")).to_have_value("tests.probe.jobs.chatter")
    ways.get_by_label("Reason").fill("The module was renamed")
    ways.get_by_role("button", name="Point it at this function").click()
    expect(page.get_by_text("Renamed is scheduled again.")).to_be_visible()
    expect(page.locator(".jc-acts").get_by_text("The module was renamed")).to_be_visible()
    page.goto(LIST)
    reload_until(page, row(page, "Renamed").get_by_text("Executed"))
    page.get_by_role("button", name="Pause Renamed").click()


def test_arguments_that_do_not_fit_are_corrected_without_scripts(plain_page: Page, site: Site) -> None:
    page = plain_page
    make_job(page, "Misfit")
    rename_function_of(site, "Misfit", arguments='{"seconds": "soon"}')
    page.goto(LIST)
    expect(row(page, "Misfit")).to_contain_text("Its function is not registered here.")
    row(page, "Misfit").get_by_role("link", name="Misfit", exact=True).click()
    ways = page.get_by_role("region", name="Ways out")
    ways.get_by_label("Function").select_option("tests.probe.jobs.sleep")
    ways.get_by_role("button", name="Point it at this function").click()
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    expect(page.locator(".field-seconds .errorlist")).to_be_visible()
    page.get_by_label("Seconds").fill("1")
    page.get_by_role("button", name="Point it at this function").click()
    expect(page.get_by_text("Misfit is scheduled again.")).to_be_visible()


def test_jobs_of_a_renamed_module_are_pointed_at_another_function_together(admin_page: Page, site: Site) -> None:
    page = admin_page
    for name in ("Module one", "Module two"):
        make_job(page, name)
    rename_function_of(site, "Module %")
    page.goto(LIST)
    cause = page.locator(".jc-missing li").filter(has_text="module.jobs.chatter")
    cause.get_by_role("link", name="2 jobs call").click()
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(label="Point at another function…")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_text("2 jobs fit")).to_be_visible()
    page.get_by_role("button", name="Point 2 jobs at it").click()
    expect(page.locator(".messagelist")).to_contain_text("2 jobs point at tests.probe.jobs.chatter.")


def test_a_job_of_the_code_is_changed_reverted_deleted_and_brought_back(admin_page: Page) -> None:
    page = admin_page
    page.goto(f"{LIST}{CODE_JOB}/change/")
    page.get_by_role("textbox", name="Retries").fill("3")
    page.get_by_role("button", name="Save and continue editing").click()
    changed = page.get_by_role("region", name="Changed from code")
    expect(changed.get_by_role("row", name="Retries")).to_contain_text("3")
    page.goto(f"{LIST}?state=changed")
    expect(page.get_by_text("changed from code", exact=True)).to_be_visible()
    page.locator(".jc-name").click()
    changed.get_by_role("button", name="Revert retries").click()
    expect(page.get_by_text("is as the code asks again.")).to_be_visible()
    expect(changed).to_have_count(0)
    expect(page.get_by_role("textbox", name="Retries")).to_have_value("0")

    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("link", name="1 job of the code was deleted").click()
    page.get_by_role("button", name="Bring Clear expired sessions back").click()
    expect(page.get_by_text("is back.")).to_be_visible()
    expect(row(page, "Clear expired sessions")).to_be_visible()


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_is_cut_off_at_any_width(admin_page: Page, site: Site, width: int) -> None:
    page = admin_page
    page.set_viewport_size({"width": width, "height": 800})
    make_job(page, f"Narrow {width}")
    rename_function_of(site, f"Narrow {width}", arguments='{"message": "a message", "a_name_that_is_quite_long": 1}')
    page.goto(f"{LIST}{CODE_JOB}/change/")
    page.get_by_role("textbox", name="Retries").fill("3")
    page.get_by_role("button", name="Save and continue editing").click()
    broken = f"{LIST}narrow-{width}/"
    for path in (LIST, f"{broken}change/", f"{broken}repair/", f"{LIST}{CODE_JOB}/change/", f"{LIST}deleted-by-hand/"):
        page.goto(path)
        expect_fits(page)
