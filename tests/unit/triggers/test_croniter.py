"""Crontab lines against croniter, which the application does not use: nothing of it is in what it judges.

Left out is what the two read differently on purpose: ``tue-tue``, for croniter the whole week and for cron(8) one day;
``3/2`` as a weekday, which crontab(5) does not know; steps on a range that wraps, where croniter begins anew at the
field's beginning; and the days on which clocks change, for which croniter has rules of its own.
"""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler.triggers import upcoming

from .deepness import examples
from .strategies import WRAPPING_LINES, crontab_lines

COUNT = 6


def is_read_alike(line: str) -> bool:
    minute, hour, day, month, weekday = line.split()
    for field in (minute, hour, day, month, weekday):
        for item in field.split(","):
            span, slash, _ = item.partition("/")
            first, dash, last = span.partition("-")
            if dash and (first == last or (slash and first.isdigit() and last.isdigit() and int(first) > int(last))):
                return False
            if slash and not dash and span != "*" and field is weekday:
                return False
    return True


def theirs(line: str, after: datetime) -> list[datetime]:
    # Weekdays by cron(8)'s rule that a star with a step is still a star.
    walk = croniter(line.replace("5L", "L5"), after, ret_type=datetime, implement_cron_bug=True)
    return list(itertools.islice(walk, COUNT))


def ours(line: str, after: datetime) -> list[datetime]:
    document = {"type": "cron", "expression": line, "timezone": str(after.tzinfo)}
    return upcoming(document, anchor=after, after=after, count=COUNT)


@examples(300)
@given(
    st.one_of(crontab_lines(positions=False), WRAPPING_LINES).filter(is_read_alike),
    st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1)),
    st.sampled_from(["UTC", "Asia/Kathmandu"]),
)
def test_ticks_are_those_of_croniter(line: str, moment: datetime, zone: str) -> None:
    after = moment.replace(microsecond=0, tzinfo=ZoneInfo(zone))
    assert ours(line, after) == theirs(line, after)


@pytest.mark.parametrize(
    "line",
    [
        "@daily",
        "@hourly",
        "@weekly",
        "@monthly",
        "@yearly",
        "0 9 * * mon#1",
        "0 9 * * 3#5",
        "0 9 * * 5L",
        "0 9 L * *",
        "0 9 15,L * *",
        "0 9 13 * 5",
        "0 9 */2 * mon",
        "0 9 * * 7",
        "0 9 * * 5-7",
        "0 9 * * fri-tue",
        "0 0 29 2 *",
        "59 23 31 12 *",
    ],
)
def test_ticks_of_names_and_positions_are_those_of_croniter(line: str) -> None:
    after = datetime(2026, 1, 1, tzinfo=UTC)
    assert ours(line, after) == theirs(line, after)
