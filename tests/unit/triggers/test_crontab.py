"""Crontab lines against cronsim, and what crontab(5) says in words."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from app_scheduler.exceptions import InvalidInput
from app_scheduler.triggers import normalise, stock_trigger, trigger_for, upcoming

from .strategies import crontab_lines

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


def line(expression: str, zone: str = "UTC") -> dict[str, Any]:
    return {"type": "cron", "expression": expression, "timezone": zone}


def days(expression: str, count: int) -> list[date]:
    return [tick.date() for tick in upcoming(line(expression), anchor=ANCHOR, after=ANCHOR, count=count)]


# No zone whose gap is at midnight: there cronsim takes the first time that exists for hour 0.
@settings(max_examples=150)
@given(
    crontab_lines(),
    st.sampled_from(["UTC", "Australia/Sydney", "America/New_York", "Asia/Kathmandu", "Europe/Berlin"]),
    st.sampled_from(
        [
            datetime(2026, 1, 1),
            datetime(2026, 4, 4, 20),
            datetime(2026, 9, 5, 20),
            datetime(2026, 10, 3, 20),
            datetime(2026, 10, 24, 20),
            datetime(2026, 3, 28, 20),
        ]
    ),
)
@example("30 2 * * *", "Australia/Sydney", datetime(2026, 10, 3, 20))
@example("*/20 2 * * *", "Australia/Sydney", datetime(2026, 4, 4, 20))
@example("0 0 13 * 5", "UTC", datetime(2026, 1, 1))
@example("0 0 * * */7", "UTC", datetime(2026, 1, 1))
@example("0 0 * * 5-7", "UTC", datetime(2026, 1, 1))
def test_ticks_are_those_of_cronsim(expression: str, zone: str, start: datetime) -> None:
    moment = start.replace(tzinfo=ZoneInfo(zone))
    try:
        judge = list(itertools.islice(CronSim(expression, moment), 8))
    except CronSimError:
        assume(False)
    found = upcoming(line(expression, zone), anchor=ANCHOR, after=moment, count=8)
    assert [tick.astimezone(UTC) for tick in found] == [tick.astimezone(UTC) for tick in judge]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("0 0 * * 7", "0 0 * * sun"),
        ("0 0 * * fri-sun", "0 0 * * 5-7"),
        ("0 0 * JAN-MAR mon,Tue", "0 0 * 1-3 1-2"),
        ("0 0 * jul *", "0 0 * 7 *"),
        ("0 30 2 * * *", "30 2 * * *"),
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("50-10/7 0 * * *", "50,57,4 0 * * *"),
        ("0 0 28-2 * *", "0 0 28-31,1,2 * *"),
        ("0 0 * nov-feb *", "0 0 * 11,12,1,2 *"),
        ("0 0 * * fri-tue", "0 0 * * fri,sat,sun,mon,tue"),
        ("0 0 * * 7-2", "0 0 * * 0,1,2"),
        ("0 0 * * sat-sun", "0 0 * * 6,7"),
        ("0 0 * * 5l", "0 0 * * friL"),
    ],
)
def test_shorthands_and_names_mean_their_long_form(short: str, long: str) -> None:
    one, other = (upcoming(line(each), anchor=ANCHOR, after=ANCHOR, count=20) for each in (short, long))
    assert one == other
    assert len(one) == 20


def test_positions_of_weekdays_and_the_last_day() -> None:
    assert days("0 9 * * mon#1", 2) == [date(2026, 1, 5), date(2026, 2, 2)]
    assert days("0 9 * 9 mon#1", 1) == [date(2026, 9, 7)]  # The seventh is still in the first seven days.
    assert days("0 9 * * 5L", 2) == [date(2026, 1, 30), date(2026, 2, 27)]
    assert days("0 9 L * *", 3) == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]


def test_a_star_with_a_step_makes_both_days_count() -> None:
    # crontab(5): a field that begins with * is not restricted, so day and weekday must both match.
    assert all(day.weekday() == 0 and day.day % 2 for day in days("0 0 */2 * mon", 20))
    assert any(day.weekday() != 0 for day in days("0 0 1-31/2 * mon", 20))


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("61 * * * *", "minute: 61 is not a valid minute. Use 0 to 59"),
        ("* 24 * * *", "hour: 24 is not a valid hour. Use 0 to 23"),
        ("* * 0 * *", "day: 0 is not a valid day of the month"),
        ("* * * 13 *", "month: 13 is not a valid month"),
        ("* * * * 8", "day_of_week: 8 is not a valid weekday"),
        ("* * * *", "has 4 fields"),
        ("* * * * * * *", "has 7 fields"),
        ("0 9 * * mon-fri /usr/bin/backup --all", "Write only 0 9 * * mon-fri."),
        ("0 9 * * 1 backup", "Write only 0 9 * * 1."),
        ("@reboot", "@reboot is not supported"),
        ("@often", "not a known shorthand"),
        ("0 0 15W * *", "nearest working day"),
        ("0 0 LW * *", "nearest working day"),
        ("0 0 ? * mon", "“?” is not supported"),
        ("0 0 L-3 * *", "L alone is the last day"),
        ("0 0 * * L", "5L"),
        ("0 0 * * mon#6", "1 to 5"),
        ("*/0 * * * *", "step of 0"),
        ("*/x * * * *", "After / comes"),
        ("0 0 * * monday", "not a valid weekday"),
        ("0 0 * * ,", "not a valid weekday"),
        ("1,,2 0 * * *", "not a valid minute"),
        ("٣ 0 * * *", "not a valid minute"),
        ("0 0 * * " + "1," * 5000 + "1", "too long"),
        ("H H * * *", "not a valid minute"),
        ("~ 0 * * *", "not a valid minute"),
    ],
)
def test_a_line_that_cannot_be_kept_is_refused_with_the_reason(expression: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise({"type": "cron", "expression": expression})
    assert list(caught.value.errors) == ["expression"]
    assert says in " ".join(caught.value.errors["expression"])


def test_every_bad_field_of_a_line_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise({"type": "cron", "expression": "61 25 * * *"})
    assert [message.partition(":")[0] for message in caught.value.errors["expression"]] == ["minute", "hour"]


@settings(max_examples=80)
@given(crontab_lines(positions=False))
def test_a_stock_trigger_fires_like_the_line_where_clocks_do_not_change(expression: str) -> None:
    document = line(expression)
    stock = stock_trigger(document, anchor=ANCHOR)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for tick in upcoming(document, anchor=ANCHOR, after=moment, count=5):
        moment = stock.get_next_fire_time(None, moment.replace(microsecond=1))
        assert moment == tick


def test_an_either_day_line_is_an_or_trigger() -> None:
    names = [type(trigger_for(line(each), anchor=ANCHOR)).__mro__[2].__name__ for each in ("0 0 13 * 5", "0 0 * * 5")]
    assert names == ["OrTrigger", "CronTrigger"]
