"""Random triggers of every type against the judge, in zones whose clocks are unlike one another.

``TRIGGER_EXAMPLES=50`` has each property try fifty times as many, see ``deepness``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler.triggers import upcoming

from . import oracle
from .deepness import examples
from .strategies import JUDGED, PLACES, in_zone

ANCHOR = datetime(2009, 6, 1, 7, 30, tzinfo=UTC)
COUNT = 6
#: How far the judge walks for a rare trigger.
FAR = timedelta(days=800)


#: From two days before the day on which something happens to the clock.
HALF_HOURS = st.integers(-80, 40)


def agree(document: dict[str, Any], after: datetime, count: int = COUNT) -> None:
    expected = oracle.upcoming(document, ANCHOR, after, count, after + FAR)
    found = upcoming(document, anchor=ANCHOR, after=after, count=count)
    assert [tick.astimezone(UTC) for tick in found if tick.astimezone(UTC) <= after + FAR] == expected


def near(day: date, half_hours: int) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC) + timedelta(minutes=30 * half_hours)


@pytest.mark.parametrize(
    ("kind", "count"), [("cron", 200), ("interval", 80), ("calendar", 120), ("date", 80), ("any", 80)]
)
def test_the_next_ticks_of_any_trigger_are_those_of_the_judge(kind: str, count: int) -> None:
    @examples(count)
    @given(st.sampled_from(PLACES), HALF_HOURS, JUDGED[kind])
    def check(place: tuple[str, date], half_hours: int, document: dict[str, Any]) -> None:
        agree(in_zone(document, place[0]), near(place[1], half_hours))

    check()


@pytest.mark.parametrize("is_fixed", [True, False])
@pytest.mark.parametrize(("zone", "day"), PLACES)
def test_the_judge_of_a_day_and_the_walk_through_real_time_agree(zone: str, day: date, is_fixed: bool) -> None:
    times = {(hour, minute, 0) for hour in range(24) for minute in (0, 10, 15, 30, 59)}
    start, end = oracle.window(day, days=3)

    def due(wall: datetime) -> bool:
        return wall.date() == day and (wall.hour, wall.minute, 0) in times

    walk = (oracle.fixed if is_fixed else oracle.rhythm)(zone, start, end, due)
    assert sorted(oracle.day_ticks(zone, day, times, is_fixed)) == walk


@examples(25)
@given(
    st.sampled_from(PLACES),
    HALF_HOURS,
    st.fixed_dictionaries(
        {
            "second": st.sampled_from(["*/20", "0,40", "20", "*/15", "30-45/15", "5"]),
            "minute": st.sampled_from(["*", "*/15", "0,30", "59", "10-12"]),
            "hour": st.sampled_from(["*", "*/2", "0", "1-3", "2", "23"]),
        }
    ),
)
def test_seconds_are_judged_too(place: tuple[str, date], half_hours: int, fields: dict[str, str]) -> None:
    agree({"type": "cron", "timezone": place[0], **fields}, near(place[1], half_hours), count=40)


@examples(120)
@given(
    st.sampled_from(["UTC", "Asia/Kathmandu"]),
    st.datetimes(datetime(2010, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.one_of(*(JUDGED[kind] for kind in ("cron", "calendar"))),
)
def test_any_other_day_is_judged_as_well(zone: str, after: datetime, document: dict[str, Any]) -> None:
    """Year ends, leap days and ISO weeks are anywhere in the years."""
    agree(in_zone(document, zone), after)
