"""The minutes in which a schedule is due: what adds them up agrees with a walk from tick to tick."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app_scheduler.triggers import schedule_for
from app_scheduler.triggers.minutes import (
    MINUTE,
    Group,
    Groups,
    Window,
    later,
    minutes_of,
    phase_of,
    single,
    ticks_before,
    ticks_from,
)
from app_scheduler.triggers.schedules import MICROSECOND, Schedule
from tests.effort import calls_of

from .strategies import DOCUMENTS

ANCHOR = datetime(2026, 1, 5, 6, 7, 8, 901_234, tzinfo=UTC)
#: Days on which a clock does something odd, and plain ones; the windows around them begin and end at any minute.
DAYS = st.sampled_from(
    [
        date(2026, 4, 5),
        date(2026, 10, 4),
        date(2026, 9, 6),
        date(2026, 3, 29),
        date(2026, 10, 25),
        date(2026, 12, 31),
        date(2028, 2, 29),
        date(2011, 12, 30),
    ]
)
WINDOWS = st.builds(
    lambda day, early, length: Window(datetime(day.year, day.month, day.day, tzinfo=UTC) - early * MINUTE, length),
    DAYS,
    st.integers(0, 2000),
    st.integers(1, 2500),
)
#: A walk of more ticks than this tells nothing new.
MANY = 3_000


def walked(schedule: Schedule, window: Window) -> Counter[tuple[int, int]] | None:
    """Return each tick of the window as (minute, microseconds within it), or None where they are many."""
    found: Counter[tuple[int, int]] = Counter()
    tick = schedule.next_after(window.start - MICROSECOND)
    while tick is not None and tick.astimezone(UTC) < window.end:
        minute, rest = divmod(tick.astimezone(UTC) - window.start, MINUTE)
        found[minute, rest // MICROSECOND] += 1
        if len(found) > MANY:
            return None
        tick = schedule.next_after(tick)
    return found


def listed(groups: Groups, window: Window) -> Counter[tuple[int, int]]:
    found: Counter[tuple[int, int]] = Counter()
    for places, minutes in groups:
        assert minutes & ~window.full == 0
        for minute in range(window.minutes):
            if minutes >> minute & 1:
                found.update((minute, place) for place in places)
    return found


def counted(groups: Groups) -> int:
    return sum(len(places) * minutes.bit_count() for places, minutes in groups)


# A walk of thousands of ticks takes its time on a busy machine.
@given(DOCUMENTS, WINDOWS)
@example(
    {"type": "cron", "hour": "2", "minute": "0,30", "second": "30", "timezone": "Australia/Sydney"},
    Window(datetime(2026, 10, 3, 12, tzinfo=UTC), 1440),
)
@example(
    {"type": "cron", "hour": "2", "minute": "*/20", "timezone": "Australia/Sydney"},
    Window(datetime(2026, 4, 4, 16, 10, tzinfo=UTC), 90),
)
@example(
    {"type": "cron", "day": "*", "end_date": "9999-12-31", "timezone": "America/Santiago"},
    Window(datetime(2026, 4, 5, tzinfo=UTC), 1),
)
@example({"type": "interval", "seconds": 90}, Window(datetime(2026, 1, 5, 6, tzinfo=UTC), 600))
@example({"type": "interval", "seconds": 7}, Window(datetime(2026, 1, 5, 6, tzinfo=UTC), 60))
@example(
    {"type": "any", "triggers": [{"type": "interval", "seconds": 20}, {"type": "interval", "seconds": 30}]},
    Window(datetime(2026, 1, 5, 6, tzinfo=UTC), 30),
)
def test_the_ticks_are_those_of_a_walk(document: dict[str, Any], window: Window) -> None:
    schedule = schedule_for(document, anchor=ANCHOR)
    expected = walked(schedule, window)
    groups = minutes_of(schedule, window)
    if expected is None:
        if schedule.counts_exactly:
            after, until = window.start - MICROSECOND, window.end - MICROSECOND
            assert counted(groups) == schedule.count_between(after, until)
        return
    assert listed(groups, window) == expected


@given(DOCUMENTS, WINDOWS, st.integers(-90, 2600), st.integers(0, 59_999_999))
def test_a_cut_keeps_each_tick_on_one_side(document: dict[str, Any], window: Window, minute: int, place: int) -> None:
    groups = minutes_of(schedule_for(document, anchor=ANCHOR), window)
    moment = window.start + minute * MINUTE + place * MICROSECOND
    before, after = ticks_before(groups, window, moment), ticks_from(groups, window, moment)
    assert counted(before) + counted(after) == counted(groups)
    if counted(groups) < MANY:
        assert all(tick < (minute, place) for tick in listed(before, window))
        assert all(tick >= (minute, place) for tick in listed(after, window))


@given(
    st.sampled_from([1, 7, 10, 45, 59, 60, 61, 90, 300, 3600, 86_400]),
    st.integers(-200_000_000_000, 9_000_000_000),
    st.integers(0, 999_999),
)
def test_phases_with_ticks_in_the_same_minutes_have_the_very_same_groups(step: int, begin: int, rest: int) -> None:
    window = Window(datetime(2026, 11, 23, tzinfo=UTC), 120)
    whole = window.start + begin // 1_000_000 * timedelta(seconds=1)
    plain, _ = phase_of(whole, timedelta(seconds=step), window)
    first = whole + rest * MICROSECOND
    groups, by = phase_of(first, timedelta(seconds=step), window)
    assert groups is plain
    document = {"type": "interval", "seconds": step, "start_date": first.isoformat()}
    expected = walked(schedule_for(document, anchor=ANCHOR), window)
    assert expected is None or listed(later(groups, by), window) == expected


def test_a_moment_far_away_makes_no_long_number() -> None:
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), 60)
    groups: Groups = (Group([0], window.full),)
    for year in (1, 9999):
        moment = datetime(year, 6, 1, tzinfo=UTC)
        assert {counted(ticks_from(groups, window, moment)), counted(ticks_before(groups, window, moment))} == {0, 60}
        assert single(moment, window) == ()


@pytest.mark.parametrize(
    "document",
    [
        {"type": "interval", "seconds": 1},
        {"type": "interval", "seconds": 7},
        {"type": "cron", "second": "*"},
        {"type": "cron", "expression": "* * * * *"},
        {"type": "calendar", "days": 1, "start_date": "1970-01-01"},
        {"type": "any", "triggers": [{"type": "interval", "seconds": 1}, {"type": "cron", "second": "*/2"}]},
    ],
    ids=str,
)
def test_a_month_of_seconds_is_as_little_work_as_a_month_of_days(document: dict[str, Any]) -> None:
    schedule = schedule_for(document, anchor=ANCHOR)
    start = datetime(2026, 11, 30, 13, tzinfo=UTC)
    window = Window(start, 31 * 1440)
    minutes_of(schedule, window)
    # What one schedule has left behind helps the next, so another window is measured.
    window = Window(start + timedelta(days=31), 31 * 1440)
    groups, calls = calls_of(lambda: minutes_of(schedule, window))
    assert counted(groups) >= 31
    assert calls < 3_000


def test_the_day_that_a_zone_left_out_has_no_minutes() -> None:
    schedule = schedule_for(
        {"type": "cron", "hour": "12", "minute": "0", "timezone": "Pacific/Apia"},
        anchor=datetime(2011, 1, 1, tzinfo=UTC),
    )
    zone = ZoneInfo("Pacific/Apia")
    start = datetime(2011, 12, 29, tzinfo=zone).astimezone(UTC)
    groups = minutes_of(schedule, Window(start, 3 * 1440))
    assert [local.day for local in (ticks(groups, start, zone))] == [29, 31, 1]


def ticks(groups: Groups, start: datetime, zone: ZoneInfo) -> list[datetime]:
    found = listed(groups, Window(start, 3 * 1440))
    return [(start + minute * MINUTE + place * MICROSECOND).astimezone(zone) for minute, place in sorted(found)]
