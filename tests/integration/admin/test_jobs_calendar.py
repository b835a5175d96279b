"""The calendar: what it says is due, what it leaves out and why, and what a page of it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from app_scheduler import services
from app_scheduler.models import JobSpec, JobState
from app_scheduler.services import Actor
from app_scheduler.services.load import period_of
from tests.effort import calls_of
from tests.integration.admin import jobs_site
from tests.integration.admin.jobs_site import LIST, VIEWER, client_of, person, text_of, url_of

pytestmark = pytest.mark.django_db
CALENDAR = f"{LIST}calendar/"
#: 12:30 on a Monday in Sydney.
NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def monday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def make_job(job_id: str = "sum", **values: Any) -> JobSpec:
    return jobs_site.make_job(job_id, **{"name": job_id, **values})


def strip_of(response: Any) -> dict[str, tuple[int, int]]:
    """Return for each hour of the strip its jobs, and the most of them in one minute."""
    return {slot.label: (slot.load.jobs, slot.load.most) for slot in response.context["strip"] if slot.load.jobs}


def test_a_day_says_what_runs_when_and_what_collides(client: Client) -> None:
    make_job("backup", name="Back-up", trigger="0 3 * * *", tags=["night"])
    make_job("clean", name="Clean-up", trigger="cron hour=3 minute=0 second=30 jitter 90s")
    make_job("report", name="Report", trigger="15,45 3 * * mon-fri")
    make_job("mail", name="Mail", trigger="* * * * *")
    page = client.get(CALENDAR, {"date": "2026-11-24"})
    words = text_of(page)
    assert "Tuesday 24 November 2026" in words
    assert "Due: 4 jobs, 1,444 times in all. Most at once: 3 jobs at 03:00." in words
    assert strip_of(page)["03:00"] == (4, 3)
    assert strip_of(page)["04:00"] == (1, 1)
    assert "03:00: 4 jobs, most at once: 3 at 03:00" in page.content.decode()
    for expected in (
        "03:15, 03:45",
        "03:00:30",
        "delayed by up to 1 minute 30 seconds",
        "night",
        "Australia/Sydney (AEDT)",
    ):
        assert expected in words
    assert re.search(r"Due all day long 1 job.*1,440 times Mail", words)
    assert "Free of all but the frequent jobs: 00:00 to 03:00 (3 h), 03:46 to 00:00 (20 h)" in words
    assert url_of("backup") in page.content.decode()


def test_an_hour_lists_all_its_jobs_by_minute(client: Client) -> None:
    for number in range(12):
        make_job(f"job-{number:02}", trigger="30 4 * * *")
    make_job("late", trigger="45 4 * * *")
    day = text_of(client.get(CALENDAR, {"date": "2026-11-24"}))
    assert "3 jobs more" in day
    hour = text_of(client.get(CALENDAR, {"date": "2026-11-24", "hour": "4"}))
    assert "04:30 12 at once" in hour
    assert all(f"job-{number:02}" in hour for number in range(12))
    assert hour.index("job-11") < hour.index("04:45")


def test_a_long_hour_comes_in_pages(client: Client) -> None:
    now = timezone.now()
    _insert(now, [(f"job-{number:03}", {"type": "cron", "expression": "0 4 * * *"}) for number in range(230)])
    pages = [client.get(CALENDAR, {"date": "2026-11-24", "hour": "4", "p": str(number)}) for number in (1, 2, 3, 99)]
    shown = [re.findall(r'<th scope="row"><a [^>]*>(job-\d+)</a>', page.content.decode()) for page in pages]
    assert [len(each) for each in shown] == [100, 100, 30, 30]
    assert shown[0] + shown[1] + shown[2] == [f"job-{number:03}" for number in range(230)]
    assert "Page 3 of 3" in text_of(pages[3])


def test_a_week_and_a_month_show_each_day(client: Client) -> None:
    make_job("daily", name="Daily", trigger="0 6 * * *")
    make_job("yearly", name="Year’s end", trigger="at 2026-12-31 23:00")
    week = client.get(CALENDAR, {"view": "week", "date": "2026-12-31"})
    assert week.context["rows"][0][0].slot.label == "Sun 27 Dec"
    cells = {(day.slot.label, slot.label) for day, slots in week.context["rows"] for slot in slots if slot.load.jobs}
    assert len(cells) == 8
    assert ("Thu 31 Dec", "23:00") in cells
    month = client.get(CALENDAR, {"view": "month", "date": "2026-12"})
    assert "December 2026" in text_of(month)
    assert [day.slot.load.jobs for week in month.context["weeks"] for day in week if day] == [1] * 30 + [2]
    assert "23:00 Year’s end" in text_of(month)
    assert "?view=day&amp;date=2026-12-31" in month.content.decode()


def test_rare_jobs_are_named_before_daily_ones(client: Client) -> None:
    for number in range(9):
        make_job(f"daily-{number}", trigger=f"0 {number} * * *")
    make_job("once", name="The rare one", trigger="at 2026-12-24 18:00")
    for view in ("week", "month"):
        words = text_of(client.get(CALENDAR, {"view": view, "date": "2026-12-24"}))
        assert words.count("The rare one") == 1


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"function": "tests.probe.jobs.fail"}, ["two"]),
        ({"tag": "mail"}, ["one"]),
        ({"q": "thi"}, ["three"]),
        ({"state": "scheduled", "tag": "mail"}, ["one"]),
        ({"state": "paused"}, []),
        ({"function": "nowhere"}, []),
    ],
    ids=str,
)
def test_filters_narrow_it_and_stay_in_its_links(client: Client, filters: dict[str, str], expected: list[str]) -> None:
    make_job("one", trigger="0 3 * * *", tags=["mail"])
    make_job("two", trigger="0 4 * * *", function="tests.probe.jobs.fail", kwargs={})
    make_job("three", trigger="0 5 * * *", name="Third")
    page = client.get(CALENDAR, {"date": "2026-11-24", **filters})
    shown = [line.job.job_id for block in page.context["coming"] for line in block.lines]
    assert shown == expected
    for name, value in filters.items():
        for link in (page.context["asked"].following, page.context["asked"].previous, page.context["today"]):
            assert f"{name}={value}" in link


# --- what is not due ------------------------------------------------------------------------------------------------


def due_ids(client: Client, **asked: str) -> list[str]:
    page = client.get(CALENDAR, {"date": "2026-11-24", **asked})
    return [line.job.job_id for block in page.context["coming"] for line in block.lines]


def test_paused_and_broken_jobs_are_told_apart(client: Client) -> None:
    for name in ("fine", "held", "gone", "ended"):
        make_job(name, trigger="0 3 * * *")
    services.pause_jobs(["held"], Actor(), reason="x")
    JobSpec.objects.filter(pk="gone").update(state=JobState.BROKEN, held_from=NOW)
    JobSpec.objects.filter(pk="ended").update(state=JobState.FINISHED)
    page = client.get(CALENDAR, {"date": "2026-11-24"})
    assert due_ids(client) == ["fine"]
    words = text_of(page)
    assert "Due: 1 job, 1 time in all." in words
    assert re.search(r"Not due .*Paused 1 job held 1 time", words)
    assert re.search(r"Broken 1 job gone 1 time", words)
    assert "ended" not in words


def test_a_pause_until_a_moment_holds_back_what_comes_before_it(client: Client) -> None:
    make_job("held", trigger="0 3,9 * * *")
    services.pause_jobs(["held"], Actor(), until=datetime(2026, 11, 23, 20, 0, tzinfo=UTC))
    page = client.get(CALENDAR, {"date": "2026-11-24"})
    (line,) = [line for block in page.context["coming"] for line in block.lines]
    assert (line.times, line.ticks) == ("09:00", "1 time")
    assert re.search(r"Paused 1 job held 1 time", text_of(page))


def test_what_a_blackout_and_a_skip_swallow_is_not_due(client: Client) -> None:
    make_job("clean-up", trigger="0 3,9 * * *", tags=["maintenance"])
    make_job("other", trigger="0 3 * * *")
    window = {"begins": "2026-11-24T00:00", "ends": "2026-11-24T06:00", "timezone": "Australia/Sydney"}
    services.add_window({"name": "Series", "tags": ["maintenance"], **window}, Actor(person("anna")))
    services.skip_next("other", Actor(person("ben")))
    page = client.get(CALENDAR, {"date": "2026-11-24"})
    assert [line.times for block in page.context["coming"] for line in block.lines] == ["09:00"]
    words = text_of(page)
    assert re.search(r"Blackout “Series” 1 job clean-up 1 time", words)
    assert re.search(r"Skipped 1 job other 1 time", words)


def test_a_next_run_that_was_moved_is_what_will_fire(client: Client) -> None:
    make_job("moved", trigger="0 3,9 * * *")
    DjangoJob.objects.update(next_run_time=datetime(2026, 11, 23, 20, 30, tzinfo=UTC))
    page = client.get(CALENDAR, {"date": "2026-11-24"})
    assert [line.times for block in page.context["coming"] for line in block.lines] == ["07:30", "09:00"]
    assert "Next run moved 1 job moved 1 time" in text_of(page)


def test_a_tick_from_before_the_trigger_was_set_is_none(client: Client) -> None:
    make_job("new", trigger="0 9,15 * * *")
    page = client.get(CALENDAR)
    assert "Due: 1 job, 1 time in all." in text_of(page)
    assert [line.times for block in page.context["coming"] for line in block.lines] == ["15:00"]


def test_what_has_passed_leads_to_its_executions(client: Client) -> None:
    make_job("old", trigger="0 9,15 * * *")
    JobSpec.objects.update(anchor=NOW - timedelta(days=3))
    page = client.get(CALENDAR)
    assert [block.slot.label for block in page.context["past"]] == ["09:00"]
    (block,) = page.context["past"]
    assert client.get(block.past_url).status_code == 200
    assert "run_time__gte=2026-11-23T09%3A00%3A00%2B11%3A00" in block.past_url
    assert client.get(page.context["view"].executions_url).status_code == 200
    assert client.get(CALENDAR, {"date": "2026-11-24"}).context["view"].executions_url == ""
    viewer = client_of(person("vera", *VIEWER))
    assert viewer.get(CALENDAR).context["view"].executions_url == "", "they may not see executions"


def test_a_trigger_that_cannot_be_read_fails_no_page(client: Client) -> None:
    make_job("odd", trigger="0 3 * * *")
    JobSpec.objects.update(trigger={"type": "cron", "hour": "99"})
    for view in ("day", "week", "month"):
        page = client.get(CALENDAR, {"view": view, "date": "2026-11-24"})
        assert page.status_code == 200
        assert "The schedules of these jobs cannot be read: odd" in text_of(page)


# --- days on which clocks change ------------------------------------------------------------------------------------


def test_a_day_of_23_hours_is_marked(client: Client) -> None:
    make_job("fixed", trigger="30 2 * * *")
    make_job("rhythm", trigger="*/30 * * * *")
    page = client.get(CALENDAR, {"date": "2027-10-03"})
    words = text_of(page)
    assert "Sunday 3 October: the clocks go forward from 02:00 to 03:00." in words
    assert "Due: 2 jobs, 47 times in all." in words
    assert "03:00 AEDT" in words
    assert "02:00" not in strip_of(page)
    assert "does not exist: the clocks change" in words


def test_a_day_of_25_hours_is_marked(client: Client) -> None:
    make_job("fixed", trigger="30 2 * * *")
    make_job("rhythm", trigger="*/30 * * * *")
    page = client.get(CALENDAR, {"date": "2027-04-04"})
    assert "Due: 2 jobs, 51 times in all." in text_of(page)
    assert "02:30 AEDT" in text_of(page)
    assert "02:00: 2 jobs, most at once: 2 at 02:30 AEDT, 120 minutes long: the clocks change" in page.content.decode()


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "UTC"])
def test_every_zone_has_its_days(client: Client, zone: str) -> None:
    make_job("each", trigger=f"0 12 * * * in {zone}")
    with timezone.override(zone):
        for day in ("2027-04-04", "2027-09-05", "2027-10-03", "2027-12-31"):
            for view in ("day", "week", "month"):
                page = client.get(CALENDAR, {"view": view, "date": day})
                assert page.status_code == 200
                assert zone in text_of(page)
            assert strip_of(client.get(CALENDAR, {"date": day})) == {"12:00": (1, 1)}


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"view": "decade"}, "There is no such view."),
        ({"date": "2026-02-30"}, "This is not a date."),
        ({"date": "٢٠٢٦-١٢-٣١"}, "This is not a date."),
        ({"date": "9999-12-31"}, "The calendar has the years 2000 to 2199."),
        ({"date": "1999-12-31", "view": "week"}, "The calendar has the years 2000 to 2199."),
        ({"hour": "24"}, "There is no such hour."),
        ({"hour": "-1"}, "There is no such hour."),
        ({"state": "asleep"}, "There is no such state."),
        ({"q": "a\x00b", "tag": "\x00", "function": "\x00"}, ""),
        ({"p": "x", "hour": "3"}, ""),
        ({"p": "99999999999999", "hour": "often"}, ""),
    ],
    ids=str,
)
def test_an_address_that_makes_no_sense_gets_a_page_that_says_so(
    client: Client, asked: dict[str, str], said: str
) -> None:
    make_job(trigger="0 15 * * *")
    page = client.get(CALENDAR, asked)
    assert page.status_code == 200
    assert said in text_of(page)
    if not said:
        assert not page.context["asked"].faults


@pytest.mark.parametrize("view", ["day", "week", "month"])
def test_the_years_have_ends(client: Client, view: str) -> None:
    first = client.get(CALENDAR, {"view": view, "date": "2000-01-01"})
    last = client.get(CALENDAR, {"view": view, "date": "2199-12-31"})
    assert first.context["asked"].previous == ""
    assert last.context["asked"].following == ""
    there = client.get(CALENDAR + last.context["asked"].previous)
    assert not there.context["asked"].faults


def test_links_lead_from_period_to_period(client: Client) -> None:
    for view, following, previous in (
        ("day", "2027-01-01", "2026-12-30"),
        ("week", "2027-01-03", "2026-12-26"),
        ("month", "2027-01-01", "2026-11-30"),
    ):
        asked = client.get(CALENDAR, {"view": view, "date": "2026-12-31"}).context["asked"]
        assert f"date={following}" in asked.following
        assert f"date={previous}" in asked.previous


def test_it_is_linked_from_the_list_and_from_the_job(client: Client) -> None:
    make_job(trigger="0 15 * * *")
    assert f'href="{CALENDAR}"' in client.get(LIST).content.decode()
    assert f'href="{CALENDAR}?' in client.get(url_of("sum")).content.decode()


def test_only_who_may_see_jobs_sees_it_and_nothing_is_posted(client: Client) -> None:
    assert client_of(person("nobody")).get(CALENDAR).status_code == 403
    assert client_of(person("vera", *VIEWER)).get(CALENDAR).status_code == 200
    assert client.post(CALENDAR).status_code == 405


# --- what it costs --------------------------------------------------------------------------------------------------


def _insert(now: datetime, jobs: list[tuple[str, dict[str, Any]]]) -> None:
    DjangoJob.objects.bulk_create([DjangoJob(id=pk, job_state=b"") for pk, _trigger in jobs])
    JobSpec.objects.bulk_create(
        [
            JobSpec(
                job_id=pk,
                name=pk,
                function="tests.probe.jobs.add",
                trigger=trigger,
                trigger_type=trigger["type"],
                anchor=now - timedelta(days=1),
                tags=["bulk"],
            )
            for pk, trigger in jobs
        ]
    )


def _mixed(numbers: range) -> list[tuple[str, dict[str, Any]]]:
    kinds: list[Any] = [
        lambda n: {"type": "cron", "expression": f"{n % 60} {n // 60 % 24} * * *"},
        lambda n: {"type": "interval", "seconds": 1},
        lambda n: {"type": "interval", "minutes": n % 90 + 1},
        lambda n: {"type": "any", "triggers": [{"type": "cron", "hour": "3"}, {"type": "interval", "seconds": 7}]},
        lambda n: {"type": "calendar", "months": 1, "hour": n % 24},
    ]
    return [(f"job-{n:05}", kinds[n % 5](n)) for n in numbers]


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked", [{"view": "day"}, {"view": "day", "hour": "3"}, {"view": "week"}, {"view": "month"}], ids=str
)
def test_the_number_of_queries_does_not_grow(client: Client, asked: dict[str, str]) -> None:
    now = timezone.now()
    _insert(now, _mixed(range(10)))
    asked = {"date": "2026-12-31", **asked}
    client.get(CALENDAR, asked)
    with CaptureQueriesContext(connection) as few:
        client.get(CALENDAR, asked)
    _insert(now, _mixed(range(10, 10_000)))
    with CaptureQueriesContext(connection) as many:
        page = client.get(CALENDAR, asked)
    assert len(many) == len(few) <= 18, "\n".join(query["sql"][:200] for query in many.captured_queries)
    assert len(page.content) < 250_000, "a page shows some jobs and counts the others"


@pytest.mark.parametrize("days", [1, 31])
def test_the_work_for_a_job_is_bounded_however_often_it_is_due(days: int) -> None:
    _insert(timezone.now(), _mixed(range(200)))
    period = period_of(ZoneInfo("Australia/Sydney"), date(2027, 3, 1), days)
    services.due_in(period.window, JobSpec.objects.all())
    window = period_of(ZoneInfo("Australia/Sydney"), date(2027, 5, 1), days).window
    calendar, calls = calls_of(lambda: services.due_in(window, JobSpec.objects.all()))
    assert calendar.cells([window.full])[0].ticks > days * 40 * 86_400
    assert calls / 200 < 500, "of these jobs a fifth is due each second"


def test_a_window_for_all_jobs_is_subtracted_once_for_jobs_that_share_their_minutes() -> None:
    """Here intervals whose phases differ within a second, and crontabs that are the same."""
    now = timezone.now()
    kinds: list[dict[str, Any]] = [{"type": "interval", "minutes": 5}, {"type": "cron", "expression": "*/10 * * * *"}]
    _insert(now, [(f"job-{n:03}", kinds[n % 2]) for n in range(200)])
    for number, spec in enumerate(JobSpec.objects.order_by("job_id")):
        JobSpec.objects.filter(pk=spec.pk).update(anchor=now - timedelta(days=1) + timedelta(microseconds=number))
    bounds = {"begins": "2026-11-24T00:00", "ends": "2026-11-24T06:00", "timezone": "Australia/Sydney"}
    services.add_window({"name": "Series", "tags": [], **bounds}, Actor())
    window = period_of(ZoneInfo("Australia/Sydney"), date(2026, 11, 24), 1).window
    calendar, calls = calls_of(lambda: services.due_in(window, JobSpec.objects.all()))
    assert sorted((len(each.jobs), each.ticks(window.full)) for each in calendar.bundles) == [(100, 108), (100, 216)]
    assert sum(each.ticks for each in calendar.held) == 100 * (36 + 72)
    assert calls / 200 < 100, calls


def test_a_window_that_begins_within_a_second_parts_ticks_of_one_minute(client: Client) -> None:
    now = timezone.now()
    _insert(now, [(name, {"type": "interval", "minutes": 30}) for name in ("early", "late")])
    for name, second in (("early", 10), ("late", 40)):
        JobSpec.objects.filter(pk=name).update(anchor=now.replace(minute=0, second=second) - timedelta(days=1))
    bounds = {"begins": "2026-11-24T09:00:30", "ends": "2026-11-24T10:00:30", "timezone": "Australia/Sydney"}
    services.add_window({"name": "Series", "tags": [], **bounds}, Actor())
    window = period_of(ZoneInfo("Australia/Sydney"), date(2026, 11, 24), 1).window
    due = {entry.job_id: entry for entry in services.due_jobs(window.start, window.end, JobSpec.objects.all())[:]}
    swallowed = [datetime(2026, 11, 23, hour, minute, tzinfo=UTC) for hour, minute in ((22, 0), (22, 30), (23, 0))]
    hours = [services.due_jobs(at, at + timedelta(minutes=1), JobSpec.objects.all())[:] for at in swallowed]
    assert {name: entry.ticks for name, entry in due.items()} == {"early": 46, "late": 46}
    assert [[(entry.job_id, entry.first[0].second) for entry in each] for each in hours] == [
        [("early", 10)],
        [],
        [("late", 40)],
    ]


@pytest.mark.parametrize("moved", [0, 7])
def test_the_next_run_of_a_plain_job_changes_nothing_unless_it_was_moved(client: Client, moved: int) -> None:
    make_job("each", trigger="5-59/10 * * * *")
    following = JobSpec.objects.get().job.next_run_time
    assert following is not None
    DjangoJob.objects.update(next_run_time=following + timedelta(minutes=moved))
    JobSpec.objects.update(anchor=NOW - timedelta(days=3))
    page = client.get(CALENDAR)
    assert sum(each.ticks for each in page.context["view"].calendar.held) == bool(moved) * 1
    assert page.context["view"].total.ticks == 144
