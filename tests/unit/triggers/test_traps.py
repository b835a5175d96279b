"""Each trap of APScheduler 3.11 and cron-descriptor 2: the stock class fails, ours does not.

A trap whose stock half fails no more has been mended there, and its remedy here may go.

======================================================  ==============================================================
trap                                                    test
======================================================  ==============================================================
weekday 0 is Monday, 7 raises                           weekday_zero_of_a_crontab_is_sunday
cron-descriptor's weekday 0 is Sunday, for fields too   weekday_zero_in_a_sentence_is_monday_for_fields_…
day and weekday: either in crontab, both in fields      day_and_weekday_of_a_crontab_match_either_…
mon#1 loses its #1; L, W, names with steps raise        positions_are_kept_or_refused, what_crontab_writes_…
30 February, a past end                                 what_never_fires_is_refused
a range that wraps                                      a_range_that_wraps_is_taken
any-of starves its children; two dates fire once        any_of_two_intervals_…, any_of_two_dates_…
all-of of two crons searches without end                all_of_searches_without_end_so_it_is_refused
a calendar interval begins in the past                  a_calendar_interval_does_not_begin_in_the_past
an interval of 0 is 1 second                            an_interval_of_zero_is_refused
jitter drifts an interval                               jitter_does_not_drift_an_interval
midnight is skipped, 01:30 doubled, 02:30 invented      midnight_of_a_day_…, a_repeated_time_…, a_time_that_…
a preview loops on the repeated hour                    a_preview_through_the_repeated_hour_does_not_loop
======================================================  ==============================================================
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import AndTrigger, OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from cron_descriptor import Options, get_description

from app_scheduler.exceptions import InvalidInput
from app_scheduler.triggers import describe, document_of, normalise, schedule_for, trigger_for, upcoming

SYDNEY = ZoneInfo("Australia/Sydney")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUNDAY = 6


def stock_ticks(trigger: object, now: datetime, count: int) -> list[datetime | None]:
    """Fire a trigger as APScheduler's loop does."""
    previous, ticks = None, []
    for _ in range(count):
        previous = trigger.get_next_fire_time(previous, now)  # type: ignore[attr-defined]
        ticks.append(previous)
        if previous is None:
            break
        now = previous
    return ticks


def ours(document: dict[str, Any], after: datetime, count: int) -> list[datetime]:
    return upcoming(document, anchor=NOW, after=after, count=count)


def test_weekday_zero_of_a_crontab_is_sunday() -> None:
    stock = CronTrigger.from_crontab("0 0 * * 0", timezone=UTC).get_next_fire_time(None, NOW)
    assert stock is not None and stock.weekday() != SUNDAY
    with pytest.raises(ValueError, match="higher than the maximum"):
        CronTrigger.from_crontab("0 0 * * 7", timezone=UTC)
    for expression in ("0 0 * * 0", "0 0 * * 7"):
        document = {"type": "cron", "expression": expression, "timezone": "UTC"}
        assert ours(document, NOW, 1)[0].weekday() == SUNDAY
        live = trigger_for(document, anchor=NOW)
        assert live.get_next_fire_time(None, NOW) == ours(document, NOW, 1)[0]


def test_weekday_zero_in_a_sentence_is_monday_for_fields_and_sunday_for_a_crontab() -> None:
    assert "Sunday" in get_description("0 0 * * 0", Options(locale_code="en_US"))
    assert "Monday" in describe({"type": "cron", "day_of_week": "0", "hour": "0"})
    assert "Sunday" in describe({"type": "cron", "expression": "0 0 * * 0"})


def test_day_and_weekday_of_a_crontab_match_either_and_of_fields_both() -> None:
    stock = CronTrigger.from_crontab("0 0 13 * fri", timezone=UTC).get_next_fire_time(None, NOW)
    assert (stock.month, stock.day) == (2, 13)  # Only a Friday the 13th.
    either = ours({"type": "cron", "expression": "0 0 13 * fri", "timezone": "UTC"}, NOW, 3)
    assert [tick.day for tick in either] == [2, 9, 13]
    both = {"type": "cron", "day": "13", "day_of_week": "fri", "timezone": "UTC"}
    assert ours(both, NOW, 1) == [stock]
    assert "both must match" in describe(both)
    assert " or " in describe({"type": "cron", "expression": "0 0 13 * fri"})


def test_positions_are_kept_or_refused_never_ignored() -> None:
    stock = CronTrigger(day_of_week="mon#1", timezone=UTC)
    assert str(stock) == "cron[day_of_week='mon']"  # “#1” vanished.
    with pytest.raises(InvalidInput, match="1st mon"):
        normalise({"type": "cron", "day_of_week": "mon#1"})
    document = {"type": "cron", "expression": "0 0 * * mon#1", "timezone": "UTC"}
    assert [tick.day for tick in ours(document, NOW, 2)] == [5, 2]
    for bad in ({"day": "L"}, {"day": "15W"}, {"day": "lastly"}, {"day": "1st mon tue"}, {"month": "jan/2"}):
        with pytest.raises(InvalidInput):
            normalise({"type": "cron", **bad})


def test_what_never_fires_is_refused() -> None:
    assert CronTrigger(month=2, day=30, timezone=UTC).get_next_fire_time(None, NOW) is None
    past = {"end_date": "2020-01-01T00:00:00", "timezone": "UTC"}
    for document in (
        {"type": "cron", "month": "2", "day": "30"},
        {"type": "cron", "expression": "0 0 30 2 *"},
        {"type": "cron", "hour": "3", **past},
        {"type": "interval", "hours": 3, **past},
        {"type": "date", "run_date": "2020-01-01T00:00:00"},
        {"type": "cron", "year": "2020"},
    ):
        with pytest.raises(InvalidInput, match="This schedule never fires"):
            normalise(document, now=NOW)
        assert normalise(document, now=NOW, allow_past=True) == document


def test_any_of_two_intervals_fires_both() -> None:
    stock = OrTrigger([IntervalTrigger(hours=3, start_date=NOW), IntervalTrigger(hours=5, start_date=NOW)])
    hours = [round((tick - NOW) / timedelta(hours=1)) for tick in stock_ticks(stock, NOW, 6) if tick]
    assert hours == [0, 3, 6, 9, 12, 15]  # The second never fires.
    document = {"type": "any", "triggers": [{"type": "interval", "hours": 3}, {"type": "interval", "hours": 5}]}
    found = [round((tick - NOW) / timedelta(hours=1)) for tick in ours(document, NOW, 8)]
    assert found == [3, 5, 6, 9, 10, 12, 15, 18]
    live = stock_ticks(trigger_for(document, anchor=NOW), NOW + timedelta(seconds=1), 8)
    assert live == ours(document, NOW, 8)


def test_any_of_two_dates_fires_twice() -> None:
    first, second = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    stock = OrTrigger([DateTrigger(first), DateTrigger(second)])
    assert stock_ticks(stock, NOW, 3) == [first, None]
    document = {
        "type": "any",
        "triggers": [{"type": "date", "run_date": moment.isoformat()} for moment in (first, second)],
    }
    assert stock_ticks(trigger_for(document, anchor=NOW), NOW, 3) == [first, second, None]


def test_all_of_searches_without_end_so_it_is_refused() -> None:
    class TooLong(Exception):
        pass

    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 200_000:
            raise TooLong

    stock = AndTrigger([CronTrigger(hour=3, timezone=UTC), CronTrigger(hour=4, timezone=UTC)])
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        with pytest.raises((TooLong, OverflowError, RecursionError)):
            stock.get_next_fire_time(None, NOW)
    finally:
        sys.setprofile(before)
    with pytest.raises(InvalidInput, match="AndTrigger"):
        document_of(AndTrigger([CronTrigger(hour=3), CronTrigger(hour=4)]))


def test_a_calendar_interval_does_not_begin_in_the_past() -> None:
    start = (NOW - timedelta(days=100)).date()
    stock = CalendarIntervalTrigger(days=1, start_date=start, timezone=UTC)
    first = stock.get_next_fire_time(None, NOW + timedelta(hours=1))
    assert first is not None and first < NOW
    document = {"type": "calendar", "days": 1, "start_date": start.isoformat(), "timezone": "UTC"}
    live = trigger_for(document, anchor=NOW)
    assert live.get_next_fire_time(None, NOW + timedelta(hours=1)) == NOW + timedelta(days=1)


def test_an_interval_of_zero_is_refused() -> None:
    assert IntervalTrigger(hours=0).interval == timedelta(seconds=1)
    for document in ({"type": "interval"}, {"type": "interval", "hours": 0}, {"type": "calendar", "days": 0}):
        with pytest.raises(InvalidInput, match="at least 1"):
            normalise(document)


def test_jitter_does_not_drift_an_interval() -> None:
    stock = IntervalTrigger(minutes=1, start_date=NOW, timezone=UTC, jitter=30)
    drifted = stock_ticks(stock, NOW, 50)[-1]
    assert drifted is not None and drifted - NOW > timedelta(minutes=50)
    document = {"type": "interval", "minutes": 1, "start_date": NOW.isoformat(), "jitter": 30}
    live = stock_ticks(trigger_for(document, anchor=NOW), NOW, 50)
    assert live == [NOW + timedelta(minutes=number) for number in range(50)]
    assert schedule_for(document, anchor=NOW).jitter == 30


def test_midnight_of_a_day_that_begins_at_one_is_not_skipped() -> None:
    zone = ZoneInfo("America/Santiago")
    before = datetime(2026, 9, 5, 12, tzinfo=zone)
    stock = CronTrigger(hour=0, timezone=zone).get_next_fire_time(None, before)
    assert stock is not None and stock.day == 7  # The 6th is left out.
    tick = ours({"type": "cron", "hour": "0", "timezone": "America/Santiago"}, before, 1)[0]
    assert (tick.day, tick.hour) == (6, 1)  # The gap's end, still on its day.


def test_a_repeated_time_fires_once() -> None:
    before = datetime(2026, 4, 5, tzinfo=SYDNEY)
    trigger = CronTrigger(hour=2, minute=30, timezone=SYDNEY)
    stock = [tick.day for tick in stock_ticks(trigger, before, 2) if tick]
    assert stock == [5, 5]
    assert [
        tick.day
        for tick in ours({"type": "cron", "hour": "2", "minute": "30", "timezone": "Australia/Sydney"}, before, 2)
    ] == [5, 6]


def test_a_time_that_does_not_exist_fires_at_the_end_of_the_gap() -> None:
    before = datetime(2026, 10, 4, tzinfo=SYDNEY)
    stock = CronTrigger(hour=2, minute=30, timezone=SYDNEY).get_next_fire_time(None, before)
    assert stock is not None and stock.astimezone(UTC).astimezone(SYDNEY).replace(tzinfo=None) != stock.replace(
        tzinfo=None
    )
    document = {"type": "cron", "hour": "2", "minute": "30", "timezone": "Australia/Sydney"}
    first, second = ours(document, before, 2)
    assert (first.day, first.hour, first.minute) == (4, 3, 0)
    assert (second.day, second.hour, second.minute) == (5, 2, 30)


def test_an_hourly_rhythm_has_no_hole_and_no_double_on_either_day() -> None:
    for day in (datetime(2026, 4, 4, 23, tzinfo=SYDNEY), datetime(2026, 10, 3, 23, tzinfo=SYDNEY)):
        ticks = [
            tick.astimezone(UTC)
            for tick in ours({"type": "cron", "expression": "0 * * * *", "timezone": "Australia/Sydney"}, day, 8)
        ]
        assert {later - earlier for earlier, later in itertools.pairwise(ticks)} == {timedelta(hours=1)}


def test_a_range_that_wraps_is_taken() -> None:
    for line in ("0 22-2 * * *", "0 0 * * fri-mon", "0 0 1 nov-feb *"):
        with pytest.raises(ValueError, match="higher than the maximum"):
            CronTrigger.from_crontab(line, timezone=UTC)
    hours = [tick.hour for tick in ours({"type": "cron", "expression": "0 22-2 * * *", "timezone": "UTC"}, NOW, 5)]
    assert hours == [1, 2, 22, 23, 0]


@pytest.mark.parametrize("line", ["0 0 L * *", "0 0 * * 5L", "@daily", "0 0 * * 7"])
def test_what_crontab_writes_and_the_stock_class_raises_at(line: str) -> None:
    with pytest.raises(ValueError):
        CronTrigger.from_crontab(line, timezone=UTC)
    assert ours({"type": "cron", "expression": line, "timezone": "UTC"}, NOW, 1)


def test_w_is_ignored_there_and_refused_here() -> None:
    try:
        days = {tick.day for tick in stock_ticks(CronTrigger(day="15W", timezone=UTC), NOW, 12) if tick}
    except ValueError:
        days = set()
    assert days in (set(), {15})  # Never the nearest working day.
    with pytest.raises(InvalidInput, match="nearest working day"):
        normalise({"type": "cron", "expression": "0 0 15W * *"})


def test_a_preview_through_the_repeated_hour_does_not_loop() -> None:
    """A preview asks what comes after each tick; arithmetic on local time forgets which of the two hours it is in."""

    def walk(following: Callable[[datetime], datetime | None]) -> list[datetime]:
        moment, ticks = datetime(2026, 4, 5, 1, 50, tzinfo=SYDNEY), []
        for _ in range(9):
            tick = following(moment)
            assert tick is not None
            ticks.append(tick.astimezone(UTC))
            moment = tick + timedelta(seconds=1)
        return ticks

    stock = CronTrigger(hour="*", timezone=SYDNEY)
    assert len(set(walk(lambda moment: stock.get_next_fire_time(None, moment)))) == 2  # 02:00 and 02:00, for ever.
    document = {"type": "cron", "hour": "*", "timezone": "Australia/Sydney"}
    schedule = schedule_for(document, anchor=NOW)
    mine = [tick.astimezone(UTC) for tick in ours(document, datetime(2026, 4, 5, 1, 50, tzinfo=SYDNEY), 9)]
    assert {later - earlier for earlier, later in itertools.pairwise(mine)} == {timedelta(hours=1)}
    assert mine[2] == schedule.next_after(mine[1])
