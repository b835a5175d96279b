"""The overview and a job's page as they refresh themselves: what goes on, and what stays as one has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, Request, Response, expect

from tests.browser.conftest import SOON, Followed, axe, look_now
from tests.live import Server, wait_until

JOBS = "/admin/django_apscheduler/djangojob/"
OVERVIEW = f"{JOBS}overview/"


def look_at_all(page: Page) -> None:
    """Have the page look at all of its parts, as it does when it has not for some time."""

    def is_whole(response: Response) -> bool:
        return response.request.headers.get("live-part") == "whole"

    with page.expect_response(is_whole):
        page.clock.fast_forward(21_000)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function("!document.querySelector('.htmx-request')")


def add(server: Server, job_id: str, function: str = "chatter", **values: Any) -> None:
    document = {"id": job_id, "name": job_id.title(), "function": f"tests.probe.jobs.{function}", "trigger": "every 9h"}
    assert server.api("POST", "jobs/", {**document, **values}).status == 201


def run(server: Server, job_id: str, status: str) -> None:
    """Run a job to its end."""

    def ended() -> int:
        count: int = server.api("GET", f"executions/?job={job_id}&status={status}").json["count"]
        return count

    before = ended()
    assert server.api("POST", f"jobs/{job_id}/run/", {}).status < 300
    wait_until(lambda: ended() > before, what=f"a run of {job_id}")


def lane(page: Page, name: str) -> Locator:
    return page.locator(".jc-lanes li", has_text=name)


def width(mark: Locator) -> float:
    return float(mark.evaluate("mark => mark.style.getPropertyValue('--w')"))


def test_the_overview_goes_on_and_what_runs_grows(admin_page: Page, follow: Callable[[str], Followed]) -> None:
    page = admin_page
    page.clock.install()
    run = follow("grows")
    page.goto(OVERVIEW)
    expect(page.locator("#jc-look")).to_contain_text("This page refreshes itself.")
    tile = page.locator(".jc-tile", has_text="running now")
    expect(tile.locator("strong")).to_have_text("1")
    mark = lane(page, "Grows").locator(".running")
    before = width(mark)
    look_at_all(page)
    assert width(mark) >= before

    def has_grown() -> bool:
        look_at_all(page)
        return width(mark) > before

    wait_until(has_grown, what="the mark to grow")
    run.go("fail")
    # What is running and what failed is asked for more often than what is drawn, while somebody is at the page.
    page.mouse.move(5, 5)
    expect(tile.locator("strong")).to_have_text("0", timeout=SOON)
    look_at_all(page)
    expect(page.locator(".jc-needs li", has_text="Grows")).to_contain_text("Failing")
    expect(lane(page, "Grows").locator(".fail")).to_be_visible()
    axe(page)


def test_the_overview_leaves_alone_what_one_is_at(admin_page: Page, live_site: Server) -> None:
    page = admin_page
    page.clock.install()
    add(live_site, "looked-at")
    run(live_site, "looked-at", "Executed")
    page.goto(OVERVIEW)
    page.get_by_text("As a table").click()
    table = page.locator("#jc-outcomes-card details table")
    values = table.inner_text()
    link = page.locator("#jc-slowest-card tbody a").first
    link.scroll_into_view_if_needed()
    link.hover()
    slowest, at = page.locator("#jc-slowest-card tbody").inner_text(), link.bounding_box()
    for number in range(3):
        add(live_site, f"broken-{number}", "fail")
        run(live_site, f"broken-{number}", "Error!")
    look_at_all(page)
    # What needs a look has become longer, above what the pointer is on.
    expect(page.locator(".jc-needs li", has_text="Broken-2")).to_be_visible()
    now = link.bounding_box()
    assert at and now and abs(at["y"] - now["y"]) <= 1
    assert page.locator("#jc-slowest-card tbody").inner_text() == slowest
    assert table.inner_text() == values
    page.get_by_text("As a table").click()
    page.locator("h1").first.hover()
    look_at_all(page)
    assert table.inner_text() != values


def test_the_timeline_waits_for_the_pointer(admin_page: Page, live_site: Server) -> None:
    page = admin_page
    page.clock.install()
    add(live_site, "pointed", "fail")
    run(live_site, "pointed", "Error!")
    page.goto(OVERVIEW)
    lane(page, "Pointed").locator("a.fail").hover()
    add(live_site, "come", "fail")
    run(live_site, "come", "Error!")
    look_at_all(page)
    expect(page.locator(".jc-needs li", has_text="Come")).to_be_visible()
    expect(lane(page, "Come")).to_have_count(0)
    page.locator("h1").first.hover()
    look_at_all(page)
    expect(lane(page, "Come")).to_have_count(1)


def test_the_index_goes_on(admin_page: Page, follow: Callable[[str], Followed], looks: list[Request]) -> None:
    page, run = admin_page, follow("indexed")
    page.goto("/admin/")
    tile = page.locator(".jc-tile", has_text="running now")
    expect(tile.locator("strong")).to_have_text("1")
    page.get_by_role("link", name="Users", exact=True).first.focus()
    run.go("end")
    expect(tile.locator("strong")).to_have_text("0", timeout=SOON)
    expect(page.get_by_role("link", name="Users", exact=True).first).to_be_focused()
    assert {look.url.partition("/admin/")[2] for look in looks} == {"django_apscheduler/djangojob/overview/?on=index"}
    axe(page)


def test_the_page_of_a_job_goes_on_around_its_form(admin_page: Page, follow: Callable[[str], Followed]) -> None:
    page, run = admin_page, follow("shown")
    page.clock.install()
    page.goto(f"{JOBS}shown/change/")
    state, rows = page.locator("#jc-state"), page.locator("#jc-executions tbody tr")
    expect(state.locator(".jc-lead")).to_contain_text("Running")
    expect(rows).to_have_count(1)
    name = page.locator("#id_name")
    name.fill("Half a na")
    name.evaluate("field => { field.mark = 1; field.setSelectionRange(2, 5); }")
    run.go("fail")
    expect(state.locator(".jc-lead")).to_contain_text("Failing", timeout=SOON)
    expect(rows.first).to_contain_text("Error")
    expect(page.locator("#jc-faults-place")).to_contain_text("RuntimeError")
    look_at_all(page)
    expect(page.locator(".jc-plot-runs a")).to_have_count(1)
    expect(page.locator(".jc-plot-runs rect.fail").first).to_be_attached()
    assert name.evaluate("field => [field.value, field.mark, field.selectionStart, field.selectionEnd]") == [
        *("Half a na", 1, 2, 5),
    ]
    expect(name).to_be_focused()
    axe(page)
    # Its acts are those of the state that it has by now.
    assert run.server.api("POST", "jobs/shown/pause/", {}).status < 300
    state.get_by_role("button", name="Resume").click(timeout=SOON)
    expect(page.locator(".messagelist")).to_contain_text("goes on")


def test_what_one_types_is_not_put_back_to_what_is_stored(admin_page: Page, live_site: Server) -> None:
    page = admin_page
    page.clock.install()
    add(live_site, "typed")
    page.goto(f"{JOBS}typed/change/")
    sentence = page.locator("#jc-preview .sentence")
    stored = sentence.inner_text()
    page.locator("#id_expression").fill("0 7 * * *")
    page.clock.fast_forward(2_000)
    expect(sentence).not_to_have_text(stored)
    typed = sentence.inner_text()
    look_at_all(page)
    assert sentence.inner_text() == typed
    expect(page.locator("#id_expression")).to_have_value("0 7 * * *")


def test_a_job_that_is_gone_is_said_to_be(admin_page: Page, live_site: Server) -> None:
    page = admin_page
    add(live_site, "goes")
    page.goto(f"{JOBS}goes/change/")
    assert live_site.api("DELETE", "jobs/goes/").status == 204
    look_now(page)
    expect(page.locator("#jc-look")).to_contain_text("This cannot be shown any more.")


def test_a_new_tick_comes_into_the_strip_of_its_row(admin_page: Page, live_site: Server) -> None:
    page = admin_page
    add(live_site, "ticking", trigger="every 2s")
    page.goto(f"{JOBS}?q=ticking")
    bars = page.get_by_role("row").filter(has_text="Ticking").locator(".jc-strip a")
    expect(bars.first).to_be_visible(timeout=SOON)
    number = bars.count()
    expect(bars.nth(number)).to_be_attached(timeout=SOON)
    # Not while somebody points at one of them.
    bars.first.hover()
    words = bars.first.get_attribute("aria-label")
    number = bars.count()
    look_now(page)
    look_now(page)
    assert (bars.first.get_attribute("aria-label"), bars.count()) == (words, number)
    page.locator("h1").first.hover()
    expect(bars.nth(number)).to_be_attached(timeout=SOON)
    assert live_site.api("POST", "jobs/ticking/pause/", {}).status == 200
