"""The instances in a real browser: the process that leads is drained and let go on, and the list says so by itself."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import look_now

LIST = "/admin/app_scheduler/schedulerinstance/"


def drain_and_go_on(page: Page) -> None:
    page.goto(LIST)
    expect(page.locator("#result_list .jc-pill")).to_have_text("Leads")
    page.locator("#result_list .field-acts_cell a").click()
    expect(page.locator(".jc-note.bad")).to_contain_text("No other instance could lead")
    page.fill("[name=reason]", "a new kernel")
    page.click("input[type=submit][value=Drain]")
    expect(page.locator(".messagelist")).to_contain_text("drains")
    expect(page.locator("#result_list .jc-pill")).to_have_text(re.compile("Drain"))
    page.locator("#result_list .jc-name").click()
    expect(page.locator("#jc-history")).to_contain_text("a new kernel")
    page.locator(".jc-state-acts a").click()
    page.click("input[type=submit][value='Let go on']")
    expect(page.locator(".messagelist")).to_contain_text("goes on")


def test_an_instance_is_drained_and_let_go_on_and_the_list_follows(admin_page: Page) -> None:
    drain_and_go_on(admin_page)
    look_now(admin_page)
    expect(admin_page.locator("#result_list .jc-pill")).to_have_text("Leads", timeout=30_000)
    expect(admin_page.locator("#jc-live-bar")).to_contain_text("Live")


def test_the_same_without_scripts(plain_page: Page) -> None:
    plain_page.goto(LIST)
    expect(plain_page.locator("#jc-look a")).to_have_text("Reload")
    drain_and_go_on(plain_page)
