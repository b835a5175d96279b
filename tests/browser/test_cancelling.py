"""A long run in a real browser: started, watched, cancelled, and run again with other arguments."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SOON, axe
from tests.live import Server

JOBS = "/admin/django_apscheduler/djangojob/"


@pytest.fixture(params=["default", "processes"])
def long_job(live_site: Server, request: pytest.FixtureRequest) -> str:
    """Return a job that takes a minute, in a thread and in a process."""
    job_id = f"long-{request.param}"
    document = {
        "id": job_id,
        "name": job_id.title(),
        "function": "tests.probe.cooperative.work_off",
        "trigger": "every 9h",
        "executor": request.param,
    }
    made = live_site.api("POST", "jobs/", document)
    assert made.status == 201, made.text
    return job_id


def test_a_long_run_is_watched_cancelled_and_run_again_with_less_to_do(admin_page: Page, long_job: str) -> None:
    page = admin_page
    page.goto(f"{JOBS}{long_job}/change/")
    page.get_by_role("button", name="Run now").first.click()
    page.get_by_role("link", name="Running").first.click()
    bar = page.get_by_role("progressbar")
    expect(bar).to_be_visible(timeout=SOON)
    expect(page.locator(".jc-progress")).to_contain_text("items", timeout=SOON)
    axe(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".messagelist")).to_contain_text("Cancelled: it")
    expect(page.locator(".jc-sentence")).to_contain_text("Cancelled by admin while it ran.", timeout=SOON)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    page.get_by_role("link", name="with other arguments").or_(page.get_by_role("link", name="Retry with")).first.click()
    page.get_by_role("spinbutton", name="Items:").fill("3")
    page.get_by_role("button", name="Queue it now").click()
    expect(page.get_by_text("Queued again, with the arguments below.")).to_be_visible()
    expect(page.locator(".jc-sentence")).to_contain_text("Ran for", timeout=SOON)
    expect(page.locator("#jc-result-place")).to_contain_text("3 items")
