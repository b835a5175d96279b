"""When a blackout window is on: against a search that only reads the clock on the wall, minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app_scheduler.engine.windows import Window, causes_between

MINUTE = timedelta(minutes=1)
ZONES = ("Australia/Sydney", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "UTC")
#: Around the days on which clocks change, leap days, the turn of the year and the day that Apia left out.
DAYS = (
    datetime(2026, 4, 5),
    datetime(2026, 10, 4),
    datetime(2026, 9, 6),
    datetime(2024, 2, 29),
    datetime(2026, 12, 31),
    datetime(2011, 12, 30),
    datetime(2026, 6, 15),
)


def moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first minute at which the clock shows this wall or a later one."""
    at = (wall - timedelta(hours=16)).replace(tzinfo=UTC)
    while at.astimezone(zone).replace(tzinfo=None) < wall:
        at += MINUTE
    return at


def in_year(wall: datetime, year: int) -> datetime:
    if (wall.month, wall.day) == (2, 29) and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
        return datetime(year, 3, 1)
    return wall.replace(year=year)


def is_on(window: Window, at: datetime) -> bool:
    years = [window.begins.year]
    if window.yearly:
        years = [year for year in range(at.year - 2, at.year + 3) if window.begins.year <= year]
        years = [year for year in years if window.last_year is None or year <= window.last_year]
    for year in years:
        begins = in_year(window.begins, year)
        ends = in_year(window.ends, year + window.ends.year - window.begins.year)
        is_near = begins - timedelta(days=3) < at.replace(tzinfo=None) < ends + timedelta(days=3)
        if is_near and moment(begins, window.zone) <= at < moment(ends, window.zone):
            return True
    return False


def said_on(window: Window, at: datetime) -> bool:
    found = list(window.times_between(at, at))
    assert all(begin <= at < end for begin, end in found)
    return bool(found)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    begins = draw(st.sampled_from(DAYS)) + timedelta(minutes=draw(st.integers(-600, 2400)))
    lasts = draw(st.one_of(st.integers(1, 300), st.integers(1000, 3000), st.integers(10_000, 500_000)))
    yearly = draw(st.booleans())
    last_year = draw(st.one_of(st.none(), st.integers(begins.year, begins.year + 3))) if yearly else None
    ends = begins + timedelta(minutes=lasts)
    return Window("w", begins, ends, ZoneInfo(draw(st.sampled_from(ZONES))), yearly, last_year)


@settings(max_examples=100)
@given(windows(), st.integers(0, 5), st.sampled_from(["begins", "ends"]), st.integers(-200, 200))
@example(
    Window("w", datetime(2026, 10, 4, 2, 10), datetime(2026, 10, 4, 2, 50), ZoneInfo("Australia/Sydney")),
    0,
    "begins",
    5,
)
@example(
    Window("w", datetime(2026, 4, 5, 2, 0), datetime(2026, 4, 5, 3, 0), ZoneInfo("Australia/Sydney")), 0, "begins", 90
)
@example(Window("w", datetime(2024, 2, 29), datetime(2024, 3, 1), ZoneInfo("UTC"), True), 1, "begins", 0)
@example(Window("w", datetime(2024, 2, 28), datetime(2024, 2, 29), ZoneInfo("UTC"), True), 1, "ends", -1)
def test_a_window_is_on_when_the_clock_says_so(window: Window, years: int, bound: str, minutes: int) -> None:
    wall = in_year(getattr(window, bound), getattr(window, bound).year + years)
    at = wall.replace(tzinfo=window.zone).astimezone(UTC) + timedelta(minutes=minutes)
    assert said_on(window, at) == is_on(window, at)


@settings(max_examples=100)
@given(windows(), st.integers(-500, 500), st.integers(0, 1200))
def test_the_times_of_a_span_are_those_of_its_moments(window: Window, start: int, days: int) -> None:
    since = window.begins.replace(tzinfo=UTC) + timedelta(days=start)
    until = since + timedelta(days=days)
    found = list(window.times_between(since, until))
    assert found == sorted(set(found))
    for begin, end in found:
        assert begin < end
        assert begin <= until and since < end
        assert said_on(window, begin)
        assert not said_on(window, begin - MINUTE) or any(other_end == begin for _, other_end in found)
    for number in range(0, 200):
        at = since + (until - since) * number / 200
        assert said_on(window, at) == any(begin <= at < end for begin, end in found)


def test_across_new_year_it_comes_back_each_year() -> None:
    window = Window("Shutdown", datetime(2026, 12, 24), datetime(2027, 1, 2), ZoneInfo("Australia/Sydney"), True, 2028)
    for year in (2026, 2027, 2028):
        assert said_on(window, datetime(year + 1, 1, 1, tzinfo=UTC))
    assert not said_on(window, datetime(2026, 1, 1, tzinfo=UTC))
    assert not said_on(window, datetime(2029, 12, 25, tzinfo=UTC))
    assert window.over_at() == datetime(2029, 1, 1, 13, 0, tzinfo=UTC)


def test_a_leap_day_has_no_window_in_other_years() -> None:
    window = Window("Leap", datetime(2024, 2, 29), datetime(2024, 3, 1), ZoneInfo("UTC"), True)
    since, until = datetime(2024, 1, 1, tzinfo=UTC), datetime(2033, 1, 1, tzinfo=UTC)
    assert [begin.year for begin, _ in window.times_between(since, until)] == [2024, 2028, 2032]
    assert window.over_at() is None


def test_a_repeated_hour_belongs_to_a_window_that_ends_after_it() -> None:
    window = Window("w", datetime(2026, 4, 5, 2), datetime(2026, 4, 5, 3), ZoneInfo("Australia/Sydney"))
    ((begin, end),) = window.times_between(datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 10, tzinfo=UTC))
    assert end - begin == timedelta(hours=2)


@pytest.mark.parametrize(("tags", "expected"), [((), False), (("mail",), False), (("maintenance", "mail"), True)])
def test_a_window_with_tags_is_for_jobs_with_one_of_them(tags: tuple[str, ...], expected: bool) -> None:
    window = Window("w", datetime(2026, 1, 1), datetime(2026, 1, 2), ZoneInfo("UTC"), tags=frozenset({"maintenance"}))
    assert window.is_for(tags) is expected
    assert Window("w", window.begins, window.ends, window.zone).is_for(tags)


def test_of_several_windows_the_one_that_began_first_comes_first() -> None:
    zone = ZoneInfo("UTC")
    late = Window("late", datetime(2026, 1, 2), datetime(2026, 1, 9), zone, id=1)
    early = Window("early", datetime(2026, 1, 1), datetime(2026, 1, 5), zone, id=2)
    at = datetime(2026, 1, 3, tzinfo=UTC)
    assert [cause.name for cause, _ in causes_between([late, early], at, at)] == ["early", "late"]
