"""Sums over minutes and the days of a zone, held against counting one by one."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler.services.load import Tally, count_jobs, free_spans, period_of

BITMAPS = st.lists(st.tuples(st.integers(0, (1 << 300) - 1), st.integers(1, 9)), max_size=12)


@given(BITMAPS, st.integers(0, (1 << 300) - 1))
def test_a_tally_sums_and_finds_the_highest(added: list[tuple[int, int]], mask: int) -> None:
    tally = Tally()
    for minutes, times in added:
        tally.add(minutes, times)
    sums = [sum(times for minutes, times in added if minutes >> n & 1) for n in range(300)]
    within = [total for n, total in enumerate(sums) if mask >> n & 1]
    assert tally.sum(mask) == sum(within)
    most, where = tally.highest(mask)
    assert most == max(within, default=0)
    expected = {n for n, total in enumerate(sums) if mask >> n & 1 and total == most} if most else set()
    assert {n for n in range(300) if where >> n & 1} == expected


@given(BITMAPS, st.lists(st.tuples(st.integers(0, 280), st.sampled_from([0, 1, 20, 59, 60, 61, 120])), max_size=8))
def test_jobs_are_counted_once_in_each_cell(added: list[tuple[int, int]], spans: list[tuple[int, int]]) -> None:
    cells = [((1 << length) - 1) << first for first, length in spans]
    assert count_jobs(added, cells) == [sum(jobs for minutes, jobs in added if minutes & cell) for cell in cells]


@given(st.integers(0, (1 << 200) - 1), st.integers(0, 50), st.integers(1, 150), st.integers(1, 40))
def test_free_spans_are_the_runs_without_a_job(busy: int, first: int, length: int, least: int) -> None:
    minutes = ((1 << length) - 1) << first
    found = free_spans(busy, minutes, least)
    runs, start = [], None
    for n in range(first, first + length + 1):
        is_free = n < first + length and not busy >> n & 1
        if is_free and start is None:
            start = n
        elif not is_free and start is not None:
            runs.append((start, n - start))
            start = None
    assert sorted(found) == [run for run in runs if run[1] >= least]
    assert [run[1] for run in found] == sorted((run[1] for run in found), reverse=True)
    assert free_spans(busy, 0, least) == []


@pytest.mark.parametrize(
    ("zone", "day", "odd"),
    [
        ("Australia/Sydney", date(2026, 10, 4), {2: 0}),
        ("Australia/Sydney", date(2027, 4, 4), {2: 120}),
        ("Australia/Lord_Howe", date(2026, 10, 4), {2: 30}),
        ("Australia/Lord_Howe", date(2027, 4, 4), {1: 90}),
        ("America/Santiago", date(2026, 9, 6), {0: 0}),
        ("America/Santiago", date(2027, 4, 3), {23: 120}),
        ("Asia/Kathmandu", date(2026, 3, 1), {}),
        ("Antarctica/Troll", date(2026, 3, 29), {1: 0, 2: 0}),
    ],
)
def test_a_day_has_the_hours_that_its_clock_shows(zone: str, day: date, odd: dict[int, int]) -> None:
    period = period_of(ZoneInfo(zone), day - timedelta(days=1), 3)
    before, shown, after = period.days
    assert [each.length for each in shown.hours] == [odd.get(hour, 60) for hour in range(24)]
    assert bool(shown.shifts) == bool(odd)
    assert not before.shifts and not after.shifts
    assert {each.length for each in (*before.hours, *after.hours)} == {60}
    whole = before.minutes + shown.minutes + after.minutes
    assert whole == period.window.full
    for each in shown.hours:
        for minute in range(period.window.minutes):
            if each.minutes >> minute & 1:
                local = period.at(minute)
                assert (local.date(), local.hour) == (day, each.hour)


def test_a_day_that_a_zone_left_out_has_no_minutes() -> None:
    period = period_of(ZoneInfo("Pacific/Apia"), date(2011, 12, 29), 3)
    assert [day.minutes.bit_count() for day in period.days] == [1440, 0, 1440]
