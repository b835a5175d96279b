"""Documents as live APScheduler triggers, and back."""

from __future__ import annotations

import pickle
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from app_scheduler.exceptions import InvalidInput
from app_scheduler.triggers import document_of, normalise, stock_trigger, trigger_for

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
SYDNEY = ZoneInfo("Australia/Sydney")

EXAMPLES: list[tuple[dict[str, Any], type]] = [
    ({"type": "interval", "hours": 3, "jitter": 9}, IntervalTrigger),
    ({"type": "cron", "hour": "3", "day_of_week": "0-4", "timezone": "UTC"}, CronTrigger),
    ({"type": "cron", "expression": "0 3 * * 1-5"}, CronTrigger),
    ({"type": "cron", "expression": "0 3 13 * 5"}, OrTrigger),
    ({"type": "cron", "expression": "0 3 * * mon#1,fri"}, OrTrigger),
    ({"type": "cron", "expression": "0 3 */2 * mon#1"}, CronTrigger),
    ({"type": "date", "run_date": "2026-12-01T12:00:00"}, DateTrigger),
    ({"type": "calendar", "months": 2, "hour": 9, "start_date": "2026-01-31"}, CalendarIntervalTrigger),
    ({"type": "any", "triggers": [{"type": "interval", "hours": 3}, {"type": "cron", "hour": "3"}]}, OrTrigger),
]


@pytest.mark.parametrize(("document", "kind"), EXAMPLES)
def test_a_live_trigger_is_of_apschedulers_class_and_survives_a_pickle(document: dict[str, Any], kind: type) -> None:
    trigger = trigger_for(document, anchor=ANCHOR)
    assert isinstance(trigger, kind)
    assert (trigger.document, trigger.anchor) == (document, ANCHOR)
    assert str(trigger) and repr(trigger)
    again = pickle.loads(pickle.dumps(trigger))
    assert (type(again), again.document, again.anchor) == (type(trigger), document, ANCHOR)
    assert again.get_next_fire_time(None, ANCHOR) == trigger.get_next_fire_time(None, ANCHOR)


@pytest.mark.parametrize(("document", "kind"), EXAMPLES)
def test_a_stock_trigger_is_apschedulers_own(document: dict[str, Any], kind: type) -> None:
    trigger = stock_trigger(document, anchor=ANCHOR)
    assert type(trigger) is kind
    assert b"app_scheduler" not in pickle.dumps(trigger)
    assert isinstance(normalise(document_of(trigger), allow_past=True), dict)


def test_a_stock_pickle_loads_where_this_application_is_not_installed() -> None:
    data = pickle.dumps([stock_trigger(document, anchor=ANCHOR) for document, _ in EXAMPLES])
    script = "import pickle, sys; print(len(pickle.load(sys.stdin.buffer)), 'app_scheduler' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], input=data, capture_output=True, check=True, cwd="/", timeout=60
    )
    assert done.stdout.split() == [str(len(EXAMPLES)).encode(), b"False"]


def test_stock_weekdays_are_names() -> None:
    trigger = stock_trigger({"type": "cron", "day_of_week": "0-4,6"}, anchor=ANCHOR)
    assert "mon-fri,sun" in str(trigger)
    assert "mon-fri" in str(stock_trigger({"type": "cron", "expression": "0 3 * * 1-5"}, anchor=ANCHOR))


def test_the_first_fire_is_the_first_tick_from_now_on() -> None:
    trigger = trigger_for({"type": "interval", "hours": 3}, anchor=ANCHOR)
    tick = ANCHOR + timedelta(hours=3)
    assert trigger.get_next_fire_time(None, tick) == tick
    assert trigger.get_next_fire_time(tick, tick) == tick + timedelta(hours=3)
    assert trigger.get_next_fire_time(None, tick + timedelta(microseconds=1)) == tick + timedelta(hours=3)


def test_a_date_fires_first_even_when_past_and_then_no_more() -> None:
    trigger = trigger_for({"type": "date", "run_date": "2020-01-01T00:00:00", "timezone": "UTC"}, anchor=ANCHOR)
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, ANCHOR) == moment
    assert trigger.get_next_fire_time(moment, ANCHOR) is None


@pytest.mark.parametrize(
    ("trigger", "document"),
    [
        (IntervalTrigger(hours=24, timezone=SYDNEY), {"type": "interval", "days": 1}),
        (IntervalTrigger(weeks=2, timezone=SYDNEY, jitter=5), {"type": "interval", "weeks": 2, "jitter": 5}),
        (
            IntervalTrigger(minutes=90, start_date=datetime(2030, 1, 1, tzinfo=SYDNEY)),
            {
                "type": "interval",
                "hours": 1,
                "minutes": 30,
                "start_date": "2030-01-01T00:00:00+11:00",
                "timezone": "Australia/Sydney",
            },
        ),
        (
            CronTrigger(hour=3, day_of_week="mon-fri", timezone=SYDNEY),
            {"type": "cron", "hour": "3", "day_of_week": "mon-fri", "timezone": "Australia/Sydney"},
        ),
        (CronTrigger(day="1st mon,last", timezone="UTC"), {"type": "cron", "day": "1st mon,last", "timezone": "UTC"}),
        (
            DateTrigger(datetime(2030, 1, 1, tzinfo=SYDNEY)),
            {"type": "date", "run_date": "2030-01-01T00:00:00+11:00", "timezone": "Australia/Sydney"},
        ),
        (
            DateTrigger(datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=2, minutes=30)))),
            {"type": "date", "run_date": "2030-01-01T00:00:00+02:30"},
        ),
        (
            CalendarIntervalTrigger(months=1, hour=9, start_date=date(2030, 1, 31), timezone=SYDNEY),
            {
                "type": "calendar",
                "months": 1,
                "hour": 9,
                "minute": 0,
                "second": 0,
                "start_date": "2030-01-31",
                "timezone": "Australia/Sydney",
            },
        ),
        (
            OrTrigger([CronTrigger(hour=3, timezone="UTC"), IntervalTrigger(hours=3)], jitter=7),
            {
                "type": "any",
                "triggers": [
                    {"type": "cron", "hour": "3", "timezone": "UTC", "jitter": 7},
                    {"type": "interval", "hours": 3, "jitter": 7},
                ],
            },
        ),
        (
            CronTrigger(hour=3, timezone=timezone(timedelta(hours=10))),
            {"type": "cron", "hour": "3", "timezone": "Etc/GMT-10"},
        ),
    ],
)
def test_a_stock_trigger_becomes_a_document(trigger: BaseTrigger, document: dict[str, Any]) -> None:
    if isinstance(trigger, IntervalTrigger) and "start_date" not in document:
        # As if made just now: parameters are made when the tests are collected.
        trigger.start_date = datetime.now(UTC) + trigger.interval
    for child in getattr(trigger, "triggers", []):
        if isinstance(child, IntervalTrigger):
            child.start_date = datetime.now(UTC) + child.interval
    assert document_of(trigger) == document


class Strange(BaseTrigger):
    def get_next_fire_time(self, previous_fire_time: Any, now: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("trigger", "says"),
    [
        (Strange(), "“Strange” is not supported"),
        (IntervalTrigger(seconds=0.5), "fraction of a second"),
        (CronTrigger(hour=3, timezone=timezone(timedelta(hours=2, minutes=30))), "no IANA name"),
    ],
)
def test_a_trigger_that_no_document_can_say_is_refused_with_the_reason(trigger: BaseTrigger, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        document_of(trigger)
