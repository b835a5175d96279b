"""The builder of a schedule by its address: what fills it in, what it answers while one types, what it withstands."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_scheduler.forms import SCHEDULE_FIELDS, agree, data_of, fill, trigger_from
from app_scheduler.models import JobSpec
from app_scheduler.triggers import format_expression, normalise
from tests.integration.admin.jobs_site import LIST, client_of, form_data, make_job, person, text_of, url_of
from tests.unit.triggers.strategies import DOCUMENTS

pytestmark = pytest.mark.django_db

ADD = f"{LIST}add/"
PREVIEW = f"{LIST}preview/"


def inputs(response: Any) -> dict[str, str]:
    """Return what an answer puts into the inputs."""
    assert response.status_code == 200
    found = re.findall(r'<data data-name="([^"]*)" value="([^"]*)"', response.content.decode())
    return {name: unescape(value) for name, value in found if value}


def faults(response: Any) -> dict[str, str]:
    part = response.content.decode().partition('data-part="faults"')[2]
    found = re.findall(r'<div data-name="([^"]*)"><ul class="errorlist" id="id_\1_error"><li>(.*?)</li>', part)
    return {name: unescape(text) for name, text in found}


def fills(response: Any) -> bool:
    return " data-fills " in response.content.decode()


# --- the line and the fields --------------------------------------------------------------------------------------


def test_the_answer_to_fields_is_the_line_and_what_empty_ones_amount_to(client: Client) -> None:
    answer = client.post(PREVIEW, {"trigger_type": "cron", "cron_hour": "9-12", "interval_hours": "4"})
    assert not fills(answer)
    assert inputs(answer)["expression"] == inputs(answer)["expression_was"] == "cron hour=9-12"
    assert inputs(answer)["interval_hours"] == "4", "what was typed for another type is kept"
    page = answer.content.decode()
    assert 'data-name="cron_minute" value="" data-placeholder="0"' in page
    assert 'data-name="cron_day" value="" data-placeholder="*"' in page


def test_the_answer_to_the_line_is_the_fields(client: Client) -> None:
    answer = client.post(PREVIEW, {"expression": "every 90 minutes in Europe/Paris"})
    assert fills(answer)
    assert inputs(answer) == {
        "trigger_type": "interval",
        "interval_minutes": "90",
        "trigger_timezone": "Europe/Paris",
        "expression": "every 90m in Europe/Paris",
        "expression_was": "every 90m in Europe/Paris",
    }


def test_a_line_that_is_no_schedule_stays_with_its_error(client: Client) -> None:
    answer = client.post(PREVIEW, {"expression": "now and then"})
    assert not fills(answer)
    assert inputs(answer) == {"expression": "now and then"}
    assert "is not a schedule" in faults(answer)["expression"]
    past = client.post(PREVIEW, {"expression": "at 2001-01-01 12:00"})
    assert "in the past" in faults(past)["expression"], "what only the calendar knows is said there too"


def test_an_input_that_is_empty_is_not_wrong_yet(client: Client) -> None:
    answer = client.post(PREVIEW, {"trigger_type": "interval", "interval_days": "x"})
    assert set(faults(answer)) == {"interval_days"}
    empty = client.post(PREVIEW, {"trigger_type": "interval"})
    assert not faults(empty)
    assert "at least 1 second" in text_of(empty), "it is in the panel"


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"trigger_type": "interval", "interval_hours": "-1"}, "interval_hours"),
        ({"trigger_type": "cron", "cron_hour": "25"}, "cron_hour"),
        ({"trigger_type": "cron", "cron_day": "30", "cron_month": "2"}, "cron_day"),
        ({"trigger_type": "cron", "cron_expression": "61 * * * *"}, "cron_expression"),
        ({"trigger_type": "cron", "cron_hour": "3", "trigger_timezone": "Mars"}, "trigger_timezone"),
        ({"trigger_type": "cron", "cron_hour": "3", "trigger_end_date": "2001-01-01"}, "trigger_end_date"),
        ({"trigger_type": "date", "date_run_date": "2001-01-01T00:00"}, "date_run_date"),
        ({"trigger_type": "calendar", "calendar_days": "1", "calendar_hour": "24"}, "calendar_hour"),
    ],
)
def test_an_error_is_beside_its_field_while_typing_and_after_a_preview(
    client: Client, fields: dict[str, str], name: str
) -> None:
    assert set(faults(client.post(PREVIEW, fields))) == {name}
    shown = client.post(ADD, {**fields, "function": "tests.probe.jobs.add", "name": "Typed", "_preview": "1"})
    assert set(shown.context["form"].errors) == {name}
    page = shown.content.decode()
    assert f'id="id_{name}_error"' in page
    assert 'value="Typed"' in page
    tag = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert tag
    assert 'aria-invalid="true"' in tag[0]


def test_each_row_says_what_it_means_or_what_is_wrong(client: Client) -> None:
    answer = client.post(PREVIEW, {"trigger_type": "any", "any_expressions": ["every 3h", "nonsense", ""]})
    rows = answer.content.decode().partition('data-part="rows"')[2].split("<li class=")[1:4]
    assert "Every 3 hours" in rows[0]
    assert "is not a schedule" in rows[1]
    assert 'aria-invalid="true"' in rows[1]
    assert "errorlist" not in rows[2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(DOCUMENTS)
def test_a_schedule_goes_through_the_form_and_the_line_and_comes_back_the_same(document: dict[str, Any]) -> None:
    document = normalise(document, allow_past=True)
    by_fields = data_of(document)
    assert trigger_from(by_fields) == document
    assert trigger_from({"expression": by_fields["expression"]}) == document
    agreed = agree(fill({"expression": by_fields["expression"]}, detect=False)).data
    assert {name: value for name, value in agreed.items() if value} == by_fields


# --- filling in ---------------------------------------------------------------------------------------------------


def test_the_zone_that_was_chosen_stays_with_a_schedule_that_names_none(client: Client) -> None:
    data = {"trigger_type": "cron", "cron_hour": "7", "trigger_timezone": "Europe/Paris"}
    picked = inputs(client.post(PREVIEW, {**data, "_pick": "daily"}))
    assert picked["expression"] == "cron hour=3 minute=0 in Europe/Paris"
    pasted = inputs(client.post(PREVIEW, {**data, "_pasted": "CRON_TZ=UTC\n0 4 * * * x", "_into": "cron_hour"}))
    assert (pasted["trigger_timezone"], pasted["cron_hour"]) == ("UTC", "4")


def test_a_pasted_line_stays_a_line_where_lines_belong(client: Client) -> None:
    for into in ("expression", "cron_expression"):
        pasted = inputs(client.post(PREVIEW, {"trigger_type": "cron", "_pasted": "0 3 * * 1-5", "_into": into}))
        assert pasted["cron_expression"] == pasted["expression"] == "0 3 * * 1-5"


def test_what_was_filled_in_is_undone(client: Client) -> None:
    data = {"trigger_type": "calendar", "calendar_months": "2", "cron_hour": "typed before", "name": "Typed"}
    filled = client.post(ADD, {**data, "function": "tests.probe.jobs.add", "_pick": "daily"})
    undo = filled.context["filled"].undo
    assert json.loads(undo)["cron_hour"] == "typed before"
    back = client.post(PREVIEW, {"trigger_type": "cron", "cron_hour": "3", "trigger_undo": undo, "_undo": "1"})
    assert fills(back)
    assert inputs(back) == {
        "trigger_type": "calendar",
        "calendar_months": "2",
        "cron_hour": "typed before",
        "expression": "calendar months=2",
        "expression_was": "calendar months=2",
    }


@pytest.mark.parametrize("undo", ["", "x", "[]", "null", '{"cron_hour": 3, "name": "x"}', "[" * 100_000, '{"a": NaN}'])
def test_an_undo_that_was_tampered_with_changes_nothing_else(client: Client, undo: str) -> None:
    page = client.post(ADD, {"name": "Typed", "trigger_type": "cron", "trigger_undo": undo, "_undo": "1"})
    assert page.status_code == 200
    assert page.context["form"]["name"].value() == "Typed"


def test_rows_are_added_and_removed_up_to_the_limit(client: Client) -> None:
    data: dict[str, Any] = {"trigger_type": "any", "any_expressions": ["every 3h", "every 5h"]}
    added = inputs(client.post(PREVIEW, {**data, "_add": "1"}))
    assert added["any_expressions"] == "every 3h\nevery 5h\n"
    removed = inputs(client.post(PREVIEW, {**data, "_remove": "1"}))
    assert (removed["any_expressions"], removed["expression"]) == ("every 5h", "any of every 5h")
    for number in ("0", "3", "-1", "x", "9" * 400, "²"):
        assert inputs(client.post(PREVIEW, {**data, "_remove": number}))["any_expressions"] == "every 3h\nevery 5h"
    full = {**data, "any_expressions": ["every 3h"] * 20}
    assert "no room for more than 20" in text_of(client.post(PREVIEW, {**full, "_add": "1"}))
    assert "no room for more than 20" in text_of(client.post(PREVIEW, {**full, "_pick": "daily"}))


def test_a_crontab_line_in_a_field_is_shown_before_it_is_saved(client: Client) -> None:
    make_job()
    url = url_of("sum")
    data = form_data(client, url, trigger_type="cron", cron_minute="0 3 * * 1-5 backup", description="mine")
    page = client.post(url, data)
    assert "Filled in from the line that was pasted: “0 3 * * 1-5”." in text_of(page)
    assert JobSpec.objects.get().trigger["type"] == "interval", "nothing is saved yet"
    form = page.context["form"]
    assert (form["cron_hour"].value(), form["description"].value()) == ("3", "mine")
    shown = {name: str(form[name].value() or "") for name in SCHEDULE_FIELDS}
    assert client.post(url, {**data, **shown}).status_code == 302
    assert format_expression(JobSpec.objects.get().trigger) == "cron day_of_week=mon-fri hour=3 minute=0"


def test_a_line_that_was_typed_is_what_is_saved(client: Client) -> None:
    make_job()
    url = url_of("sum")
    assert client.post(url, form_data(client, url, expression="every 2 hours")).status_code == 302
    assert JobSpec.objects.get().trigger == {"type": "interval", "hours": 2}
    both = client.post(url, form_data(client, url, expression="every 3h", interval_hours="4"))
    assert "were both changed" in both.context["form"].errors["expression"][0]
    emptied = client.post(url, form_data(client, url, expression="", interval_hours="4"))
    assert emptied.status_code == 302
    assert JobSpec.objects.get().trigger == {"type": "interval", "hours": 4}
    wrong = client.post(url, form_data(client, url, expression="at 2001-01-01 12:00"))
    assert "in the past" in wrong.context["form"].errors["expression"][0]


# --- the panel ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "day", "words"),
    [
        ("30 2 * * * from 2027-03-27 in Europe/Berlin", "Sun 28 Mar 2027", "clocks go forward 1 h"),
        ("30 2 * * * from 2027-10-30 in Europe/Berlin", "Sun 31 Oct 2027", "clocks go back 1 h"),
        ("0 9 * * * from 2027-04-03 in Australia/Lord_Howe", "Sun 4 Apr 2027", "clocks go back 30 min"),
        ("0 9 * * wed from 2027-03-24 in Europe/Berlin", "Wed 31 Mar 2027", "the clocks have changed"),
    ],
)
def test_the_day_on_which_clocks_change_is_marked(client: Client, line: str, day: str, words: str) -> None:
    page = client.post(PREVIEW, {"expression": line}).content.decode()
    ticks = [re.sub(r"<[^>]*>|\s+", " ", tick) for tick in re.findall(r"<li class=.*?</li>", page) if "<time" in tick]
    assert len(ticks) == 10
    marked = [" ".join(tick.split()) for tick in ticks if "clocks" in tick]
    assert len(marked) == 1
    assert marked[0].startswith(day)
    assert words in marked[0]


def test_the_panel_counts_the_runs_and_offers_a_free_minute(client: Client) -> None:
    for number in range(17):
        make_job(f"job-{number}", trigger="0 0 * * *")
    answer = client.post(PREVIEW, {"expression": "@daily"})
    assert "1 run a day" in text_of(answer)
    assert "17 other jobs start at 00:00" in text_of(answer)
    use = re.search(r'name="_use" value="([^"]*)"', answer.content.decode())
    assert use
    moved = client.post(PREVIEW, {**inputs(answer), "_use": unescape(use[1])})
    assert inputs(moved)["expression"] == "7 0 * * *"
    assert "other job" not in text_of(moved)
    viewer = client_of(person("viewer", "view_djangojob"))
    page = viewer.get(url_of("job-1"))
    assert "16 other jobs" in text_of(page)
    assert "_use" not in page.content.decode(), "a page that only shows has nothing to fill in"


def test_a_screen_reader_is_told_one_sentence(client: Client) -> None:
    def brief(**data: str) -> str:
        page = client.post(PREVIEW, data).content.decode()
        return unescape(page.partition('data-part="brief">')[2].partition("</div>")[0])

    assert re.fullmatch(r"Every 15 minutes\. Next: \w{3} \d+ \w{3} \d\d:\d\d\.", brief(expression="*/15 * * * *"))
    assert brief(expression="x").startswith("Not a schedule yet: “x” is not a schedule.")


# --- who may, and what it withstands ------------------------------------------------------------------------------


def test_what_a_job_did_is_told_to_those_who_may_see_it(client: Client) -> None:
    make_job(trigger="every 10m")
    data = {"_job": "sum", "trigger_type": "interval", "interval_minutes": "15"}
    assert "Until now" in text_of(client.post(PREVIEW, data))
    adder = client_of(person("adder", "add_djangojob"))
    answer = adder.post(PREVIEW, data)
    assert "Every 15 minutes" in text_of(answer)
    assert "Until now" not in text_of(answer)
    assert Client(enforce_csrf_checks=True).post(PREVIEW, data).status_code in (302, 403)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person("strict", "view_djangojob"))
    assert strict.post(PREVIEW, data).status_code == 403


TEXTS = st.text(max_size=30) | st.sampled_from(
    ["*", "*/0", "9" * 300, "0 3 * * *", "@daily x", "every 3h | every 5h", "at 9999-12-31 23:59", "1st mon", "\x00"]
)
BUTTONS = ("_pick", "_use", "_fill", "_add", "_remove", "_undo", "_pasted", "_preview")


@st.composite
def posts(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a form might send, and what no form would."""
    names = st.sampled_from([*SCHEDULE_FIELDS, "trigger_undo", "_job", "_into", "_more"])
    data = draw(st.dictionaries(names, TEXTS | st.lists(TEXTS, max_size=4), max_size=8))
    data["trigger_type"] = draw(st.sampled_from(["interval", "cron", "date", "calendar", "any", "expression", ""]))
    if draw(st.booleans()):
        data[draw(st.sampled_from(BUTTONS))] = draw(TEXTS)
    return data


POSTS = posts()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(posts=POSTS)
def test_no_input_is_an_error_of_the_server(client: Client, posts: dict[str, Any]) -> None:
    answer = client.post(PREVIEW, posts)
    assert answer.status_code == 200
    for part in ("panel", "brief", "filled", "rows", "inputs", "faults"):
        assert f'data-part="{part}"' in answer.content.decode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(posts=POSTS)
def test_no_input_is_an_error_of_the_page(client: Client, posts: dict[str, Any]) -> None:
    assert client.post(ADD, {**posts, "_preview": "1"}).status_code == 200
