"""The evaluation against a judge that walks real time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app_scheduler.triggers import schedule_for, upcoming
from tests.effort import calls_of

from . import oracle
from .strategies import SINGLES

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
#: More calls of functions than what is done "at once" may take; a walk over a month of seconds takes 150 millions.
MANY_CALLS = 1_000_000
QUICK = settings(max_examples=50)

SETS = st.sets(st.integers(0, 59), min_size=1, max_size=4)
HOURS = st.sets(st.sampled_from([0, 1, 2, 3, 23, 12]), min_size=1, max_size=4)


def text(values: set[int]) -> str:
    return ",".join(str(value) for value in sorted(values))


def ticks(document: dict[str, Any], start: datetime, end: datetime) -> list[datetime]:
    schedule = schedule_for(document, anchor=ANCHOR)
    found = []
    tick = schedule.next_after(start - timedelta(microseconds=1))
    while tick is not None and tick.astimezone(UTC) <= end:
        assert tick.tzinfo is schedule.timezone
        found.append(tick.astimezone(UTC))
        tick = schedule.next_after(tick)
    return found


def judged(
    judge: Callable[..., list[datetime]], zone: str, day: date, matches: Callable[[datetime], bool]
) -> tuple[list[datetime], datetime, datetime]:
    start, end = oracle.window(day)
    # The judge sees two days more than are compared, so that it knows the clock before and after.
    ticks = judge(zone, start - timedelta(days=1), end + timedelta(days=1), matches)
    return [tick for tick in ticks if start <= tick <= end], start, end


@QUICK
@given(st.sampled_from(oracle.ODD_DAYS), HOURS, SETS)
def test_a_fixed_time_fires_once_each_local_day(place: tuple[str, date], hours: set[int], minutes: set[int]) -> None:
    zone, day = place
    expected, start, end = judged(oracle.fixed, zone, day, lambda wall: wall.hour in hours and wall.minute in minutes)
    fields = {"type": "cron", "hour": text(hours), "minute": text(minutes), "timezone": zone}
    assert ticks(fields, start, end) == expected
    line = {"type": "cron", "expression": f"{text(minutes)} {text(hours)} * * *", "timezone": zone}
    assert ticks(line, start, end) == expected


@QUICK
@given(st.sampled_from(oracle.ODD_DAYS), HOURS, st.sampled_from([1, 5, 7, 15, 30]))
def test_a_wildcard_keeps_the_rhythm_of_real_time(place: tuple[str, date], hours: set[int], step: int) -> None:
    zone, day = place
    expected, start, end = judged(oracle.rhythm, zone, day, lambda wall: wall.hour in hours and wall.minute % step == 0)
    fields = {"type": "cron", "hour": text(hours), "minute": f"*/{step}", "timezone": zone}
    assert ticks(fields, start, end) == expected
    line = {"type": "cron", "expression": f"*/{step} {text(hours)} * * *", "timezone": zone}
    assert ticks(line, start, end) == expected


@QUICK
@given(st.sampled_from(oracle.ODD_DAYS), SETS, st.sampled_from(["*", "*/2"]))
def test_a_wildcard_hour_keeps_the_rhythm_too(place: tuple[str, date], minutes: set[int], hour: str) -> None:
    zone, day = place
    step = 2 if hour == "*/2" else 1
    expected, start, end = judged(
        oracle.rhythm, zone, day, lambda wall: wall.hour % step == 0 and wall.minute in minutes
    )
    assert ticks({"type": "cron", "hour": hour, "minute": text(minutes), "timezone": zone}, start, end) == expected


@settings(max_examples=25)
@given(st.sampled_from(oracle.ODD_DAYS), st.sets(st.integers(0, 59), min_size=1, max_size=3))
def test_seconds_are_judged_like_minutes(place: tuple[str, date], seconds: set[int]) -> None:
    zone, day = place
    info = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=info).astimezone(UTC) - timedelta(hours=1)
    end = start + timedelta(hours=5)
    expected = oracle.rhythm(zone, start, end, lambda wall: wall.second in seconds and wall.minute % 20 == 0, step=1)
    document = {"type": "cron", "hour": "*", "minute": "*/20", "second": text(seconds), "timezone": zone}
    assert ticks(document, start, end) == expected


@QUICK
@given(
    st.sets(st.integers(0, 6), min_size=1, max_size=3),
    st.sets(st.integers(1, 31), min_size=1, max_size=4),
    st.sets(st.integers(1, 12), min_size=1, max_size=6),
    st.booleans(),
)
def test_days_match_both_in_fields_and_either_in_a_crontab(
    weekdays: set[int], days: set[int], months: set[int], with_week: bool
) -> None:
    start, count = date(2026, 1, 1), 500
    candidates = [start + timedelta(days=number) for number in range(count)]
    after = datetime(2025, 12, 31, 23, tzinfo=UTC)
    until = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=count - 1)

    def found(document: dict[str, Any]) -> list[date]:
        return [tick.date() for tick in ticks({**document, "timezone": "UTC"}, after, until)]

    fields = {"type": "cron", "day": text(days), "day_of_week": text(weekdays), "month": text(months)}
    if with_week:
        fields["week"] = "10-30"
    assert found(fields) == [
        day
        for day in candidates
        if day.day in days
        and day.weekday() in weekdays
        and day.month in months
        and (not with_week or 10 <= day.isocalendar()[1] <= 30)
    ]
    sunday_first = text({(number + 1) % 7 for number in weekdays})
    line = {"type": "cron", "expression": f"0 0 {text(days)} {text(months)} {sunday_first}"}
    assert found(line) == [
        day for day in candidates if (day.day in days or day.weekday() in weekdays) and day.month in months
    ]


@settings(max_examples=120)
@given(SINGLES, st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)))
def test_ticks_increase_and_do_not_depend_on_when_they_are_asked_for(
    document: dict[str, Any], moment: datetime
) -> None:
    schedule = schedule_for(document, anchor=ANCHOR)
    previous = moment
    for tick in upcoming(document, anchor=ANCHOR, after=moment, count=6):
        assert tick.astimezone(UTC) > previous.astimezone(UTC)
        between = previous.astimezone(UTC) + (tick.astimezone(UTC) - previous.astimezone(UTC)) / 2
        assert schedule.next_after(between) == tick
        assert schedule.next_after(tick.astimezone(UTC) - timedelta(microseconds=1)) == tick
        previous = tick


@settings(max_examples=120)
@given(
    st.lists(SINGLES, min_size=1, max_size=4),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_any_of_is_the_union_of_its_children(children: list[dict[str, Any]], moment: datetime) -> None:
    document = {"type": "any", "triggers": children}
    found = [tick.astimezone(UTC) for tick in upcoming(document, anchor=ANCHOR, after=moment, count=8)]
    union = {
        tick.astimezone(UTC) for child in children for tick in upcoming(child, anchor=ANCHOR, after=moment, count=8)
    }
    assert found == sorted(union)[:8]


@settings(max_examples=150)
@given(
    st.one_of(SINGLES, st.lists(SINGLES, min_size=1, max_size=3).map(lambda all: {"type": "any", "triggers": all})),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 400_000),
)
def test_counts_and_last_ticks_agree_with_a_walk(document: dict[str, Any], after: datetime, seconds: int) -> None:
    schedule = schedule_for(document, anchor=ANCHOR)
    until = after + timedelta(seconds=seconds)
    walked: list[datetime] = []
    tick = schedule.next_after(after)
    while tick is not None and tick.astimezone(UTC) <= until and len(walked) < 400:
        walked.append(tick)
        tick = schedule.next_after(tick)
    complete = tick is None or tick.astimezone(UTC) > until
    if complete:
        assert schedule.count_between(after, until) == len(walked)
        assert schedule.last_before(until, after) == (walked[-1] if walked else None)
    else:
        assert schedule.count_between(after, until, limit=400) >= 400
        last = schedule.last_before(until, after)
        assert last is not None
        following = schedule.next_after(last)
        assert following is None or following.astimezone(UTC) > until
    assert schedule.count_between(until, after) == 0
    assert schedule.last_before(after, until) is None


@pytest.mark.parametrize(
    ("expression", "limit"),
    [
        ({"type": "interval", "seconds": 1}, 2_592_000),
        ({"type": "cron", "second": "*"}, 2_592_000),
        ({"type": "any", "triggers": [{"type": "interval", "seconds": 1}, {"type": "cron", "second": "*"}]}, 10_000),
    ],
)
def test_a_month_of_seconds_is_counted_at_once(expression: dict[str, Any], limit: int) -> None:
    schedule = schedule_for(expression, anchor=ANCHOR)
    count, calls = calls_of(lambda: schedule.count_between(ANCHOR, ANCHOR + timedelta(days=30)))
    assert (count, calls < MANY_CALLS) == (limit, True), calls
    until = ANCHOR + timedelta(days=3000, microseconds=5)
    last, calls = calls_of(lambda: schedule.last_before(until, ANCHOR))
    assert (last, calls < MANY_CALLS) == (ANCHOR + timedelta(days=3000), True), calls


#: Days and fields around which clocks change, in zones whose changes are unlike one another.
CHANGES = [
    ("Australia/Sydney", date(2026, 4, 5)),
    ("Australia/Sydney", date(2026, 10, 4)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/St_Johns", date(2026, 3, 8)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Africa/Casablanca", date(2026, 2, 15)),
    ("Africa/Casablanca", date(2026, 3, 22)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("America/Sao_Paulo", date(2018, 11, 4)),
    ("America/Havana", date(2026, 11, 1)),
]
CLOCKS = st.fixed_dictionaries(
    {
        "hour": st.sampled_from(["*", "*/2", "0", "1", "2", "0,1,2,3", "1-3", "23"]),
        "minute": st.sampled_from(["*", "*/7", "0", "30", "0,15,30,45", "59"]),
        "second": st.sampled_from(["0", "0,30", "59", "*/20"]),
    },
    optional={"day_of_week": st.sampled_from(["sun", "sat", "sun,mon", "mon-fri"])},
)


@settings(max_examples=300)
@example(("Australia/Sydney", date(2026, 4, 5)), {"hour": "2", "minute": "0,30"}, -3600, 90_000, False)
@example(("Australia/Sydney", date(2026, 4, 5)), {"hour": "2", "minute": "30"}, 3 * 3600 + 600, 9000, False)
@example(("Australia/Sydney", date(2026, 10, 4)), {"hour": "2", "minute": "0,30"}, -3600, 90_000, False)
@example(("Australia/Sydney", date(2026, 10, 4)), {"hour": "2,3", "minute": "0,30"}, -3600, 90_000, False)
@example(("Pacific/Apia", date(2011, 12, 30)), {"hour": "12", "minute": "0"}, -130_000, 260_000, False)
@given(st.sampled_from(CHANGES), CLOCKS, st.integers(-130_000, 130_000), st.integers(0, 260_000), st.booleans())
def test_a_count_over_a_change_of_the_clocks_agrees_with_a_walk(
    place: tuple[str, date], clock_fields: dict[str, str], shift: int, seconds: int, has_bounds: bool
) -> None:
    zone, day = place
    document = {"type": "cron", **clock_fields, "timezone": zone}
    if has_bounds:
        document |= {"start_date": f"{day}T01:59:59.500000", "end_date": f"{day}T23:10:00"}
    schedule = schedule_for(document, anchor=ANCHOR)
    after = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(seconds=shift)
    until = after + timedelta(seconds=seconds)
    count, tick = 0, schedule.next_after(after)
    while tick is not None and tick.astimezone(UTC) <= until:
        count += 1
        tick = schedule.next_after(tick)
    assert schedule.count_between(after, until) == count


@settings(max_examples=30)
@given(
    st.sampled_from([zone for zone, _ in CHANGES]), st.sampled_from(["0 3 * * *", "30 */6 * * mon-fri", "0 0 L * *"])
)
def test_a_count_over_years_agrees_with_a_walk(zone: str, line: str) -> None:
    schedule = schedule_for({"type": "cron", "expression": line, "timezone": zone}, anchor=ANCHOR)
    after, until = datetime(2009, 6, 3, 5, 7, tzinfo=UTC), datetime(2013, 2, 1, 3, tzinfo=UTC)
    count, tick = 0, schedule.next_after(after)
    while tick is not None and tick.astimezone(UTC) <= until:
        count += 1
        tick = schedule.next_after(tick)
    assert schedule.count_between(after, until) == count


def test_ten_years_of_minutes_are_counted_at_once() -> None:
    document = {"type": "cron", "minute": "*", "timezone": "Australia/Sydney"}
    schedule = schedule_for(document, anchor=ANCHOR)
    until = ANCHOR + timedelta(days=3653)
    count, calls = calls_of(lambda: schedule.count_between(ANCHOR, until))
    assert (count, calls < MANY_CALLS) == (3653 * 24 * 60, True), calls
    last, calls = calls_of(lambda: schedule.last_before(until, ANCHOR))
    assert (last, calls < MANY_CALLS) == (until, True), calls


def test_at_the_end_of_the_calendar_a_walk_counts() -> None:
    schedule = schedule_for({"type": "cron", "hour": "0", "timezone": "Australia/Sydney"}, anchor=ANCHOR)
    after = datetime(9999, 12, 1, tzinfo=UTC)
    assert schedule.count_between(after, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) == 30


@pytest.mark.parametrize(
    ("document", "first"),
    [
        ({"type": "cron", "month": "2", "day": "29", "day_of_week": "mon", "timezone": "UTC"}, date(2044, 2, 29)),
        ({"type": "cron", "month": "feb", "day": "30", "timezone": "UTC"}, None),
        ({"type": "cron", "week": "53", "day": "5", "timezone": "UTC"}, None),
        ({"type": "cron", "week": "20", "day": "last fri", "year": "1970-9999", "timezone": "UTC"}, None),
        ({"type": "cron", "year": "*/100", "month": "2", "day": "29", "timezone": "UTC"}, None),
        ({"type": "cron", "year": "2100-2500/100", "month": "2", "day": "29", "timezone": "UTC"}, date(2400, 2, 29)),
        ({"type": "cron", "year": "9999", "timezone": "UTC"}, date(9999, 1, 1)),
        ({"type": "cron", "expression": "0 0 31 2,4,6 *", "timezone": "UTC"}, None),
        ({"type": "calendar", "years": 1, "start_date": "2028-02-29", "timezone": "UTC"}, date(2028, 2, 29)),
    ],
)
def test_rare_and_impossible_days_are_found_quickly(document: dict[str, Any], first: date | None) -> None:
    schedule = schedule_for(document, anchor=ANCHOR)
    tick, calls = calls_of(lambda: schedule.next_after(ANCHOR))
    assert (tick.date() if tick else None) == first
    assert calls < MANY_CALLS


def test_a_tick_that_several_share_counts_once() -> None:
    hourly = {"type": "cron", "hour": "*", "timezone": "UTC"}
    document = {"type": "any", "triggers": [hourly, {"type": "interval", "hours": 2}, {**hourly, "hour": "*/3"}]}
    schedule = schedule_for(document, anchor=ANCHOR)
    assert schedule.count_between(ANCHOR, ANCHOR + timedelta(days=1)) == 24
    assert len(set(upcoming(document, anchor=ANCHOR, after=ANCHOR, count=24))) == 24


def test_the_last_tick_of_several_is_the_latest() -> None:
    children = [{"type": "cron", "hour": hour, "timezone": "UTC"} for hour in ("3", "5", "4")]
    schedule = schedule_for({"type": "any", "triggers": children}, anchor=ANCHOR)
    last = schedule.last_before(ANCHOR + timedelta(days=900), ANCHOR)
    assert last == ANCHOR + timedelta(days=899, hours=5)


def test_a_moment_in_the_second_pass_of_a_repeated_hour_is_after_the_first_pass() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    document = {"type": "cron", "hour": "2", "minute": "30", "timezone": "Australia/Sydney"}
    schedule = schedule_for(document, anchor=ANCHOR)
    after = datetime(2026, 4, 5, 1, tzinfo=sydney)
    # 02:10 the second time: its wall is before 02:30, its instant after the only tick.
    until = datetime(2026, 4, 5, 2, 10, fold=1, tzinfo=sydney)
    assert schedule.count_between(after, until) == 1
    assert schedule.last_before(until, after) == schedule.next_after(after)


@pytest.mark.parametrize("week", [52, 53])
def test_the_first_days_of_january_have_the_iso_week_of_their_year(week: int) -> None:
    # 2005 and 2011 both begin on a Saturday, but only 2004 was a leap year, with a week 53.
    document = {"type": "cron", "week": str(week), "month": "1", "day": "*", "hour": "0", "timezone": "UTC"}
    start, end = datetime(2004, 12, 31, tzinfo=UTC), datetime(2012, 2, 1, tzinfo=UTC)
    days = [start.date() + timedelta(days=number) for number in range(1, (end - start).days)]
    expected = [day for day in days if day.month == 1 and day.isocalendar()[1] == week]
    assert [tick.date() for tick in ticks(document, start, end)] == expected


def test_a_schedule_ends_where_the_calendar_ends() -> None:
    moment = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for document in (
        {"type": "interval", "hours": 1},
        {"type": "cron", "hour": "*", "timezone": "Australia/Sydney"},
        {"type": "cron", "hour": "*", "timezone": "America/Santiago"},
        {"type": "calendar", "months": 1, "timezone": "America/Santiago"},
        {"type": "calendar", "days": 1},
        {"type": "calendar", "months": 1, "days": 1},
    ):
        assert schedule_for(document, anchor=ANCHOR).next_after(moment) is None


def test_an_interval_counts_from_the_anchor_or_from_its_start() -> None:
    anchor = datetime(2026, 1, 1, 10, 0, 7, 250_000, tzinfo=UTC)
    schedule = schedule_for({"type": "interval", "hours": 3}, anchor=anchor)
    assert schedule.next_after(anchor - timedelta(days=9)) == anchor + timedelta(hours=3)
    assert schedule.next_after(anchor + timedelta(hours=3)) == anchor + timedelta(hours=6)
    started = {"type": "interval", "hours": 3, "start_date": "2026-01-02T00:00:00", "timezone": "UTC"}
    assert schedule_for(started, anchor=anchor).next_after(anchor) == datetime(2026, 1, 2, tzinfo=UTC)


def test_bounds_include_their_ends() -> None:
    document = {
        "type": "cron",
        "hour": "*",
        "start_date": "2026-03-01T05:00:00",
        "end_date": "2026-03-01T07:00:00",
        "timezone": "UTC",
    }
    hours = [tick.hour for tick in upcoming(document, anchor=ANCHOR, after=ANCHOR, count=9)]
    assert hours == [5, 6, 7]


def test_an_end_that_is_a_date_covers_its_day() -> None:
    document = {"type": "cron", "hour": "12", "end_date": "2026-01-03", "timezone": "Australia/Sydney"}
    days = [tick.day for tick in upcoming(document, anchor=ANCHOR, after=ANCHOR, count=9)]
    assert days == [1, 2, 3]


def test_calendar_months_keep_the_day_and_skip_months_without_it() -> None:
    document = {"type": "calendar", "months": 1, "start_date": "2026-01-31", "timezone": "UTC"}
    months = [tick.month for tick in upcoming(document, anchor=ANCHOR, after=ANCHOR, count=4)]
    assert months == [1, 3, 5, 7]


def test_calendar_days_are_added_after_the_months() -> None:
    document = {"type": "calendar", "months": 1, "days": 1, "start_date": "2026-01-30", "timezone": "UTC"}
    days = [tick.date() for tick in upcoming(document, anchor=ANCHOR, after=ANCHOR, count=3)]
    # 30 February does not exist, so the month goes on to March.
    assert days == [date(2026, 1, 30), date(2026, 3, 31), date(2026, 6, 1)]


def test_a_calendar_without_a_start_begins_on_the_anchors_local_date() -> None:
    anchor = datetime(2026, 5, 31, 20, tzinfo=UTC)  # 1 June in Sydney.
    document = {"type": "calendar", "months": 1, "hour": 9, "timezone": "Australia/Sydney"}
    first, second = upcoming(document, anchor=anchor, after=anchor, count=2)
    assert (first.date(), second.date()) == (date(2026, 6, 1), date(2026, 7, 1))


def test_a_daily_calendar_follows_cron_in_a_gap_and_a_repeated_hour() -> None:
    document = {"type": "calendar", "days": 1, "hour": 2, "minute": 30, "timezone": "Australia/Sydney"}
    for day in (date(2026, 10, 4), date(2026, 4, 5)):
        expected, start, end = judged(
            oracle.fixed, "Australia/Sydney", day, lambda wall: (wall.hour, wall.minute) == (2, 30)
        )
        assert ticks(document, start, end) == expected


def test_a_moment_without_a_zone_is_refused() -> None:
    schedule = schedule_for({"type": "interval", "hours": 1}, anchor=ANCHOR)
    with pytest.raises(ValueError, match="zone"):
        schedule.next_after(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="zone"):
        schedule_for({"type": "interval", "hours": 1}, anchor=datetime(2026, 1, 1))


def test_ten_thousand_schedules_are_cheap() -> None:
    documents = [
        {"type": "cron", "hour": str(i % 24), "minute": str(i % 60), "day": str(i % 28 + 1)} for i in range(10_000)
    ]
    ticks, calls = calls_of(lambda: [schedule_for(each, anchor=ANCHOR).next_after(ANCHOR) for each in documents])
    assert (len(ticks), calls < 300 * len(documents)) == (len(documents), True), calls
