"""The builder of a schedule, walked each way: by mouse, by keyboard, by pasting, without scripts, on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import expect_fits
from tests.browser.test_jobs import LIST, make_job, row

ADD = f"{LIST}add/?function=tests.probe.jobs.chatter"
LINE = "#id_expression"


@pytest.fixture
def builder(admin_page: Page) -> Page:
    admin_page.goto(ADD)
    return admin_page


def panel(page: Page) -> Locator:
    return page.locator("#jc-preview")


def paste(locator: Locator, text: str) -> None:
    """Paste as the clipboard does: the event first, then, where nobody prevents it, the text in the input."""
    locator.focus()
    locator.evaluate(
        """(input, text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
            if (input.dispatchEvent(event)) {
                document.execCommand("insertText", false, text.replaceAll("\\n", " "));
            }
        }""",
        text,
    )


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).last.click()


def see(page: Page, words: str) -> None:
    expect(panel(page)).to_contain_text(words)


# --- the line and the fields --------------------------------------------------------------------------------------


def test_the_line_and_the_fields_follow_each_other(builder: Page) -> None:
    page = builder
    line = page.locator(LINE)
    line.fill("cron hour=9-17 minute=*/15 in Europe/Paris")
    expect(page.locator("#id_cron_minute")).to_have_value("*/15")
    expect(page.get_by_label("time zone")).to_have_value("Europe/Paris")
    expect(line).to_be_focused()
    page.locator("#id_cron_hour").fill("9-12")
    expect(line).to_have_value("cron hour=9-12 minute=*/15 in Europe/Paris")
    line.fill("every 90m")
    expect(page.get_by_role("radio", name="Every …")).to_be_checked()
    expect(page.locator("#id_interval_minutes")).to_have_value("90")
    expect(page.get_by_label("time zone")).to_have_value("")
    line.fill("every now and then")
    expect(page.locator("#id_expression_error")).to_be_visible()
    expect(line).to_have_attribute("aria-invalid", "true")
    expect(line).to_have_value("every now and then")
    page.locator("#id_interval_minutes").fill("45")
    expect(line).to_have_value("every 45m")
    expect(page.locator("#id_expression_error")).to_have_count(0)


def test_what_is_typed_in_the_line_is_saved_also_before_the_answer_has_come(builder: Page) -> None:
    page = builder
    page.route("**/djangojob/preview/", lambda route: route.abort())
    page.locator("#id_name").fill("By line")
    page.locator(LINE).fill("every 2h in Europe/Paris")
    page.keyboard.press("Enter")
    expect(row(page, "By line")).to_contain_text("Every 2 hours")


def test_a_line_and_fields_that_were_both_changed_are_not_saved_by_guessing(plain_page: Page) -> None:
    page = plain_page
    make_job(page, "Both", every_seconds=7200)
    page.get_by_role("link", name="Both", exact=True).first.click()
    page.locator(LINE).fill("every 5h")
    page.locator("#id_interval_seconds").fill("60")
    save(page)
    expect(page.locator("#id_expression_error")).to_contain_text("both changed")
    expect(page.locator(LINE)).to_have_value("every 5h")
    expect(page.locator("#id_interval_seconds")).to_have_value("60")
    page.get_by_role("button", name="Fill in").click()
    see(page, "Every 5 hours")
    save(page)
    expect(row(page, "Both")).to_contain_text("Every 5 hours")


# --- filling in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", ["#id_cron_hour", "#id_cron_day_of_week", "#id_trigger_start_date", "#id_trigger_jitter"]
)
def test_a_crontab_line_pasted_into_a_field_fills_the_form_and_is_undone(builder: Page, field: str) -> None:
    page = builder
    page.locator("#id_cron_minute").fill("5")
    page.locator("#id_cron_hour").fill("7")
    see(page, "At 07:05")
    paste(page.locator(field), "30 6 * * 1-5   /usr/local/bin/backup --all")
    see(page, "At 06:30, Monday through Friday")
    for name, value in {"minute": "30", "hour": "6", "day_of_week": "mon-fri", "day": "", "expression": ""}.items():
        expect(page.locator(f"#id_cron_{name}")).to_have_value(value)
    expect(page.locator("#id_trigger_start_date")).to_have_value("")
    status = page.locator("#jc-filled")
    expect(status).to_contain_text("“30 6 * * 1-5”")
    expect(status).to_contain_text("command behind it was left out")
    status.get_by_role("button", name="Undo").click()
    see(page, "At 07:05")
    expect(page.locator("#id_cron_hour")).to_have_value("7")
    expect(page.locator(field)).to_have_value("7" if field == "#id_cron_hour" else "")


def test_a_line_that_the_fields_cannot_say_stays_a_crontab_line(builder: Page) -> None:
    page = builder
    paste(page.locator("#id_cron_hour"), "0 9 13 * 5")
    expect(page.locator("#id_cron_expression")).to_have_value("0 9 13 * 5")
    expect(page.locator("#id_cron_hour")).to_have_value("")
    expect(page.locator(LINE)).to_have_value("0 9 13 * 5")


def test_several_lines_become_any_of_them(builder: Page) -> None:
    page = builder
    paste(page.locator(LINE), "# m h dom mon dow\nCRON_TZ=Europe/Paris\n0 3 * * * backup\n\n@hourly tidy\n")
    expect(page.get_by_role("radio", name="Any of")).to_be_checked()
    expect(page.get_by_label("Schedule 1", exact=True)).to_have_value("0 3 * * * in Europe/Paris")
    expect(page.get_by_label("Schedule 2", exact=True)).to_have_value("@hourly in Europe/Paris")


def test_text_that_is_no_schedule_is_pasted_as_it_is(builder: Page) -> None:
    paste(builder.locator("#id_cron_day"), "1st mon,2nd tue,3rd wed,4th thu,last fri")
    expect(builder.locator("#id_cron_day")).to_have_value("1st mon,2nd tue,3rd wed,4th thu,last fri")
    see(builder, "Monday")


def test_a_schedule_to_start_from_is_picked_and_undone(builder: Page) -> None:
    page = builder
    page.locator(LINE).fill("every 3h")
    see(page, "Every 3 hours")
    page.get_by_role("button", name="monthly on the last day").click()
    see(page, "last day of the month")
    expect(page.get_by_label("day of month")).to_have_value("last")
    page.get_by_role("button", name="Undo").click()
    see(page, "Every 3 hours")
    expect(page.get_by_role("radio", name="Every …")).to_be_checked()


# --- any of several -----------------------------------------------------------------------------------------------


def test_several_schedules_are_added_and_removed(builder: Page) -> None:
    page = builder
    page.locator("#id_name").fill("Several")
    page.get_by_role("button", name="daily at 03:00").click()
    see(page, "At 03:00")
    page.get_by_role("radio", name="Any of").check()
    first, second = (page.get_by_label(f"Schedule {number}", exact=True) for number in (1, 2))
    expect(first).to_have_value("cron hour=3 minute=0")
    expect(second).to_be_focused()
    page.keyboard.type("every 25 ours")
    expect(page.locator("#id_any_expressions_2_says")).to_contain_text("not a length of time")
    expect(second).to_have_attribute("aria-invalid", "true")
    second.fill("every 25h")
    expect(page.locator("#id_any_expressions_2_says")).to_have_text("Every 25 hours")
    page.get_by_role("button", name="weekdays at 09:00").click()
    expect(page.get_by_label("Schedule 3", exact=True)).to_have_value("cron day_of_week=mon-fri hour=9 minute=0")
    page.get_by_role("button", name="Remove schedule 1").click()
    expect(first).to_have_value("every 25h")
    expect(page.locator(LINE)).to_have_value("every 25h | cron day_of_week=mon-fri hour=9 minute=0")
    save(page)
    expect(row(page, "Several")).to_contain_text("Any of: every 25 hours; or at 09:00")


# --- the panel ----------------------------------------------------------------------------------------------------


def test_an_error_comes_beside_its_field_while_typing_and_nothing_is_lost(builder: Page) -> None:
    page = builder
    hour = page.locator("#id_cron_hour")
    hour.fill("25")
    error = page.locator("#id_cron_hour_error")
    expect(error).to_contain_text("25 is not a valid hour")
    expect(hour).to_have_attribute("aria-describedby", "id_cron_hour_helptext id_cron_hour_error")
    page.get_by_label("time zone").fill("Mars")
    expect(page.locator("#id_trigger_timezone_error")).to_be_visible()
    save(page)
    expect(error).to_contain_text("25 is not a valid hour")
    expect(hour).to_have_value("25")
    hour.fill("5")
    expect(error).to_have_count(0)
    expect(hour).not_to_have_attribute("aria-invalid", "true")


def test_an_answer_that_comes_late_is_dropped(builder: Page) -> None:
    page = builder
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if "\r\n5\r\n" in (route.request.post_data or "") and not held:
            held.append(route)
        else:
            route.continue_()

    page.route("**/djangojob/preview/", hold_the_first)
    page.locator("#id_cron_hour").fill("5")
    expect.set_options(timeout=10_000)
    page.wait_for_function("document.getElementById('job-form').dataset.asking === '1'")
    while not held:
        page.wait_for_timeout(20)
    page.locator("#id_cron_hour").fill("6")
    see(page, "At 06:00")
    held[0].abort()
    see(page, "At 06:00")
    expect(page.locator(LINE)).to_have_value("cron hour=6")


def test_a_screen_reader_hears_one_sentence(builder: Page) -> None:
    page = builder
    page.locator("#id_cron_hour").fill("7")
    brief = page.locator("#jc-brief")
    expect(brief).to_have_text(re.compile(r"^At 07:00\. Next: \w+ \d+ \w+ 07:00\.( \d+ notes?\.)?$"))
    assert brief.get_attribute("role") == "status"
    assert not page.locator("#jc-preview[aria-live], #jc-preview [aria-live]").count()


def test_a_change_says_what_comes_and_what_goes_and_a_free_minute_is_used(admin_page: Page) -> None:
    page = admin_page
    for name in ("Crowded one", "Crowded two"):
        page.goto(ADD)
        page.locator("#id_name").fill(name)
        page.locator(LINE).fill("30 4 * * *")
        page.keyboard.press("Enter")
        expect(row(page, name)).to_be_visible()
    page.get_by_role("link", name="Crowded two", exact=True).first.click()
    see(page, "1 other job starts at 04:30")
    page.get_by_role("button", name="Use 04:37").click()
    expect(page.locator(LINE)).to_have_value("37 4 * * *")
    see(page, "Until now: At 04:30 (1 run a day)")
    expect(panel(page).locator("li.gone").first).to_contain_text("04:30")
    expect(panel(page).locator("li.new").first).to_contain_text("04:37")
    page.get_by_role("button", name="Show 50").click()
    expect(panel(page).locator("li.new")).to_have_count(50)


def test_saving_can_run_it_at_once(builder: Page) -> None:
    page = builder
    page.locator("#id_name").fill("At once")
    page.get_by_role("button", name="every hour", exact=True).click()
    see(page, "24 runs a day")
    page.get_by_role("button", name="Save and run now").click()
    expect(page.locator(".messagelist")).to_contain_text("At once runs now")


# --- each way -----------------------------------------------------------------------------------------------------


def test_it_is_built_with_the_keyboard_alone(builder: Page) -> None:
    page = builder
    page.locator("#id_name").focus()
    page.keyboard.type("By keyboard")

    def tab_to(target: Locator) -> None:
        for _ in range(60):
            if target.evaluate("element => element === document.activeElement"):
                return
            page.keyboard.press("Tab")
        expect(target).to_be_focused()

    tab_to(page.get_by_role("radio", name="At times"))
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="Every …")).to_be_checked()
    tab_to(page.get_by_role("button", name="daily at 03:00"))
    page.keyboard.press("Enter")
    see(page, "At 03:00")
    tab_to(page.get_by_role("button", name="Undo"))
    tab_to(page.locator("#id_cron_hour"))
    page.keyboard.type("4")
    see(page, "At 04:00")
    tab_to(page.get_by_role("list", name="Next ticks"))
    tab_to(page.get_by_role("button", name="Show 50"))
    page.keyboard.press("Space")
    expect(panel(page).locator("time")).to_have_count(50)
    tab_to(page.locator(".submit-row").get_by_role("button", name="Save", exact=True))
    page.keyboard.press("Enter")
    expect(row(page, "By keyboard")).to_contain_text("At 04:00")


def test_all_of_it_works_without_scripts(plain_page: Page) -> None:
    page = plain_page
    page.goto(ADD)
    page.locator("#id_name").fill("Plainly")
    page.get_by_role("button", name="weekdays at 09:00").click()
    see(page, "At 09:00, Monday through Friday")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#id_cron_hour")).to_have_value("")
    page.locator(LINE).fill("every 6h")
    page.get_by_role("button", name="Fill in").click()
    expect(page.locator("#id_interval_hours")).to_have_value("6")
    page.get_by_role("button", name="Show 50").click()
    expect(panel(page).locator("time")).to_have_count(50)

    page.get_by_role("radio", name="At times").check()
    page.locator("#id_cron_hour").fill("0 4 * * 0")
    save(page)
    expect(page.locator("#jc-filled")).to_contain_text("Filled in from the line that was pasted")
    expect(page.locator("#id_cron_day_of_week")).to_have_value("sun")
    page.locator("#id_cron_hour").fill("24")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("#id_cron_hour_error")).to_contain_text("24 is not a valid hour")
    page.locator("#id_cron_hour").fill("5")

    page.get_by_role("button", name="Preview").click()
    page.get_by_role("radio", name="Any of").check()
    page.get_by_role("button", name="Add a schedule").click()
    expect(page.get_by_label("Schedule 1", exact=True)).to_have_value("cron day_of_week=sun hour=5 minute=0")
    page.get_by_label("Schedule 2", exact=True).fill("every 7h")
    page.get_by_role("button", name="Add a schedule").click()
    page.get_by_label("Schedule 3", exact=True).fill("@yearly")
    page.get_by_role("button", name="Remove schedule 2").click()
    see(page, "Any of: at 05:00")
    expect(page.locator("#id_name")).to_have_value("Plainly")
    save(page)
    expect(row(page, "Plainly")).to_contain_text("Any of: at 05:00")


def _with_a_fault(page: Page) -> None:
    page.locator("#id_cron_hour").fill("25")
    expect(page.locator("#id_cron_hour_error")).to_be_visible()


def _with_a_schedule(page: Page) -> None:
    page.get_by_role("button", name="every 15 min in office hours").click()
    see(page, "Every 15 minutes")


def _with_several(page: Page) -> None:
    page.locator(LINE).fill("every 3h | every 5h")
    see(page, "Any of")
    page.get_by_label("Schedule 2", exact=True).fill("nonsense")
    expect(page.locator("#id_any_expressions_2_says .errorlist")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("prepare", [_with_a_schedule, _with_a_fault, _with_several])
def test_axe_finds_nothing_and_nothing_is_cut_off(builder: Page, prepare: Callable[[Page], None], scheme: str) -> None:
    page = builder
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    prepare(page)
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 800})
        expect_fits(page)
        found = Axe().run(page, context="#job-form").response["violations"]
        assert not found, [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
