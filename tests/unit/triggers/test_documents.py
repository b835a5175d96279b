"""What a document may say, and what a person reads when it may not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings

from app_scheduler.exceptions import InvalidInput
from app_scheduler.triggers import from_form_data, kind_of, normalise, schedule_for
from tests.effort import calls_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVERY = {"type": "interval", "hours": 1}


def errors(document: object) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        normalise(document, now=NOW)
    return caught.value.errors


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"type": "cron", "hour": 3, "minute": "", "second": None}, {"type": "cron", "hour": "3"}),
        ({"type": "cron", "hour": "03", "day_of_week": "MON - FRI"}, None),
        ({"type": "cron", "day_of_week": "MON-FRI, sun"}, {"type": "cron", "day_of_week": "mon-fri,sun"}),
        ({"type": "cron", "day": "1ST  Mon"}, {"type": "cron", "day": "1st mon"}),
        ({"type": "cron", "day_of_week": 0}, {"type": "cron", "day_of_week": "0"}),
        ({"type": "cron", "expression": " 0  3 * * MON "}, {"type": "cron", "expression": "0 3 * * mon"}),
        ({"type": "interval", "hours": "5", "minutes": 0}, {"type": "interval", "hours": 5}),
        ({"type": "interval", "hours": 2.0}, {"type": "interval", "hours": 2}),
        ({"type": "interval", "hours": 1, "jitter": 0}, EVERY),
        ({"type": "date", "run_date": "2026-12-01 12:00"}, {"type": "date", "run_date": "2026-12-01T12:00:00"}),
        ({"type": "date", "run_date": datetime(2026, 12, 1, 12)}, {"type": "date", "run_date": "2026-12-01T12:00:00"}),
        ({"type": "date", "run_date": date(2026, 12, 1)}, {"type": "date", "run_date": "2026-12-01T00:00:00"}),
        (
            {"type": "date", "run_date": datetime(2026, 12, 1, 12, tzinfo=ZoneInfo("Australia/Sydney"))},
            {"type": "date", "run_date": "2026-12-01T12:00:00+11:00"},
        ),
        ({**EVERY, "timezone": ZoneInfo("UTC")}, {**EVERY, "timezone": "UTC"}),
        (
            {**EVERY, "timezone": UTC, "end_date": date(2027, 1, 1)},
            {**EVERY, "timezone": "UTC", "end_date": "2027-01-01"},
        ),
        (
            {"type": "calendar", "months": 1, "start_date": "2027-01-31T00:00:00"},
            {"type": "calendar", "months": 1, "start_date": "2027-01-31"},
        ),
        (
            {"type": "any", "triggers": [EVERY, {"type": "any", "triggers": ["@daily", EVERY]}]},
            {"type": "any", "triggers": [EVERY, {"type": "cron", "expression": "@daily"}, EVERY]},
        ),
    ],
)
def test_a_document_becomes_canonical(document: dict[str, Any], expected: dict[str, Any] | None) -> None:
    if expected is None:
        errors(document)
    else:
        assert normalise(document, now=NOW) == expected


@pytest.mark.parametrize(
    ("document", "path", "says"),
    [
        (None, "", "A trigger is an object"),
        (b"x", "", "A trigger is an object"),
        ([], "", "A trigger is an object"),
        ("", "", "Say when to run"),
        ("whenever", "", "crontab line"),
        ("61 * * * *", "", "minute: 61"),
        ("every 2 months", "", "calendar months=1"),
        ("every 1h 2h", "", "twice"),
        ("at noon", "", "run_date: “noon” is not a date and time"),
        ("every 1h in Sydney", "", "Australia/Sydney"),
        ("every 1h in", "", "Nothing follows"),
        ("cron hours=3", "", "not a field"),
        ("at 2020-01-01", "", "This schedule never fires: 2020-01-01 00:00 is in the past."),
        ("every 1h | 0 0 30 2 *", "", "Number 2: This schedule never fires"),
        ("x" * 60_000, "", "too long"),
        ("* " * 10_000, "", "too long"),
        (" | ".join(["every 1h"] * 21), "", "at most 20"),
        ({}, "type", "Say which type"),
        ({"type": "weekly"}, "type", "Use interval, cron, date, calendar or any"),
        ({"type": ["cron"]}, "type", "Use interval"),
        ({"type": "cron"}, "", "at least one field"),
        ({"type": "cron", "hour": "25"}, "hour", "25 is not a valid hour. Use 0 to 23, for example 9, 9-17 or */2."),
        ({"type": "cron", "hour": -1}, "hour", "not a valid hour"),
        ({"type": "cron", "hour": True}, "hour", "not a valid hour"),
        ({"type": "cron", "hour": 2.5}, "hour", "not a valid hour"),
        ({"type": "cron", "hour": [3]}, "hour", "not a valid hour"),
        ({"type": "cron", "minute": "60"}, "minute", "60 is not a valid minute"),
        ({"type": "cron", "minute": "*/0"}, "minute", "step of 0"),
        ({"type": "cron", "minute": "*/61"}, "minute", "larger than its range"),
        ({"type": "cron", "day": "32"}, "day", "32 is not a valid day of the month"),
        ({"type": "cron", "day_of_week": "7"}, "day_of_week", "0 for Monday"),
        ({"type": "cron", "day_of_week": "fri-mon"}, "day_of_week", "Write fri-sun,mon."),
        ({"type": "cron", "hour": "22-2"}, "hour", "Write 22-23,0-2."),
        ({"type": "cron", "month": "january"}, "month", "not a valid month"),
        ({"type": "cron", "hour": "٣"}, "hour", "not a valid hour"),
        ({"type": "cron", "minute": "1," * 5_000}, "minute", "too long"),
        ({"type": "cron", "hour": 10**5000}, "hour", "not a valid hour"),
        ({"type": "cron", "hour": "3", "expression": "0 3 * * *"}, "expression", "not both"),
        ({"type": "cron", "expression": 5}, "expression", "not a crontab line"),
        ({"type": "cron", "hour": "3", "hours": 3}, "hours", "belongs to: interval"),
        ({"type": "interval"}, "", "at least 1 second"),
        ({"type": "interval", "hours": -1}, "hours", "out of range"),
        ({"type": "interval", "hours": 0.5}, "hours", "not a whole number"),
        ({"type": "interval", "hours": "1.5"}, "hours", "not a whole number"),
        ({"type": "interval", "hours": float("nan")}, "hours", "not a whole number"),
        ({"type": "interval", "hours": float("inf")}, "hours", "not a whole number"),
        ({"type": "interval", "hours": True}, "hours", "true or false"),
        ({"type": "interval", "hours": 10**400}, "hours", "out of range"),
        ({"type": "interval", "hours": "9" * 5_000}, "hours", "not a whole number"),
        ({"type": "interval", "weeks": 5_217, "days": 36_500}, "", "at most 100 years"),
        ({**EVERY, "timezone": "Sydney"}, "timezone", "Did you mean Australia/Sydney?"),
        ({**EVERY, "timezone": "australia/sydney"}, "timezone", "Did you mean Australia/Sydney?"),
        ({**EVERY, "timezone": "../../etc/passwd"}, "timezone", "not a known time zone"),
        ({**EVERY, "timezone": "Australia"}, "timezone", "not a known time zone"),
        ({**EVERY, "timezone": "\0"}, "timezone", "not a known time zone"),
        ({**EVERY, "timezone": "x" * 10_000}, "timezone", "not a known time zone"),
        ({**EVERY, "timezone": 5}, "timezone", "not a time zone"),
        ({**EVERY, "start_date": "2026-13-01"}, "start_date", "does not exist"),
        ({**EVERY, "start_date": "2026-02-30 10:00"}, "start_date", "does not exist"),
        ({**EVERY, "start_date": "1066-10-14"}, "start_date", "out of range"),
        ({**EVERY, "start_date": 5}, "start_date", "not a date and time"),
        ({**EVERY, "start_date": "2027-02-01", "end_date": "2027-01-01"}, "end_date", "before the start"),
        ({**EVERY, "end_date": "2026-05-01"}, "end_date", "never fires: it ended on 2026-05-01"),
        ({"type": "interval", "weeks": 9, "end_date": "2026-06-05"}, "end_date", "before its first run"),
        ({**EVERY, "jitter": -1}, "jitter", "out of range"),
        ({**EVERY, "jitter": "soon"}, "jitter", "not a whole number"),
        ({"type": "date"}, "run_date", "Say when"),
        ({"type": "date", "run_date": "2026-05-01"}, "run_date", "in the past"),
        ({"type": "date", "run_date": "2027-01-01", "jitter": 5}, "jitter", "has no “jitter”"),
        ({"type": "calendar"}, "", "at least 1 day"),
        ({"type": "calendar", "days": 1, "hour": 24}, "hour", "out of range"),
        ({"type": "calendar", "days": 1, "start_date": "2027-01-01T09:00"}, "start_date", "time of day"),
        ({"type": "calendar", "years": 10**9}, "years", "out of range"),
        ({"type": "any"}, "triggers", "at least one"),
        ({"type": "any", "triggers": []}, "triggers", "at least one"),
        ({"type": "any", "triggers": "every 1h"}, "triggers", "Give a list"),
        ({"type": "any", "triggers": [EVERY] * 1_000}, "triggers", "at most 20"),
        ({"type": "any", "triggers": [EVERY], "timezone": "UTC"}, "timezone", "each of the triggers"),
        ({"type": "any", "triggers": [EVERY, {"type": "cron", "hour": "25"}]}, "triggers.1.hour", "25 is not"),
        ({"type": "any", "triggers": [{"type": "any", "triggers": [5]}]}, "triggers.0.triggers.0", "is an object"),
        (
            {"type": "any", "triggers": [EVERY, {"type": "date", "run_date": "2020-01-01"}]},
            "triggers.1.run_date",
            "past",
        ),
        ({"type": "cron", "day": "30", "month": "feb"}, "day", "This schedule never fires"),
        ({"type": "cron", "expression": "0 0 30 2 *"}, "expression", "This schedule never fires"),
        ({"type": "cron", "year": "2020"}, "year", "no matching day is left in 2020"),
    ],
)
def test_bad_input_says_what_to_do_beside_its_field(document: object, path: str, says: str) -> None:
    found, calls = calls_of(lambda: errors(document))
    assert calls < 100_000
    assert path in found
    assert says in " ".join(found[path])
    assert all(len(message) < 700 for messages in found.values() for message in messages)


def test_every_bad_field_is_named_at_once() -> None:
    document = {"type": "cron", "hour": "25", "minute": "x", "timezone": "Nowhere", "colour": "red"}
    assert set(errors(document)) == {"hour", "minute", "timezone", "colour"}


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    document: dict[str, Any] = EVERY
    for _ in range(3_000):
        document = {"type": "any", "triggers": [document]}
    assert errors(document)


def test_the_input_is_not_changed() -> None:
    document = {"type": "any", "triggers": [{"type": "interval", "hours": "1", "minutes": ""}]}
    normalise(document)
    assert document == {"type": "any", "triggers": [{"type": "interval", "hours": "1", "minutes": ""}]}


def test_the_default_zone_is_read_at_each_use() -> None:
    document = {"type": "cron", "hour": "3"}
    for zone in ("Asia/Kathmandu", "America/Santiago"):
        with override_settings(TIME_ZONE=zone):
            tick = schedule_for(document, anchor=NOW).next_after(NOW)
        assert tick is not None and (tick.hour, str(tick.tzinfo)) == (3, zone)


def test_a_kind_that_is_unknown_is_named() -> None:
    assert kind_of(EVERY) == "interval"
    with pytest.raises(InvalidInput, match="not a type of trigger"):
        kind_of({"type": "hourly"})


@pytest.mark.parametrize(
    ("data", "field", "says"),
    [
        ({}, "trigger_type", "Choose"),
        ({"trigger_type": "weekly"}, "trigger_type", "Choose"),
        ({"trigger_type": "cron", "cron_hour": "25"}, "cron_hour", "25 is not a valid hour"),
        ({"trigger_type": "cron", "cron_expression": "61 * * * *"}, "cron_expression", "minute: 61"),
        ({"trigger_type": "cron", "cron_expression": "@daily", "cron_hour": "3"}, "cron_expression", "not both"),
        ({"trigger_type": "cron"}, "cron_expression", "at least one field"),
        ({"trigger_type": "interval"}, "interval_hours", "at least 1 second"),
        ({"trigger_type": "interval", "interval_days": "x"}, "interval_days", "whole number"),
        (
            {"trigger_type": "interval", "interval_days": "1", "trigger_timezone": "x"},
            "trigger_timezone",
            "not a known",
        ),
        ({"trigger_type": "date"}, "date_run_date", "Say when"),
        (
            {"trigger_type": "date", "date_run_date": "2027-01-01", "trigger_jitter": "5"},
            "trigger_jitter",
            "no such setting",
        ),
        ({"trigger_type": "calendar", "calendar_hour": "3"}, "calendar_months", "at least 1 day"),
        ({"trigger_type": "any", "any_expressions": "every 1h\nbla"}, "any_expressions", "Line 2"),
        ({"trigger_type": "any", "any_expressions": " "}, "any_expressions", "one schedule on each line"),
        (
            {"trigger_type": "any", "any_expressions": "@daily", "trigger_timezone": "UTC"},
            "trigger_timezone",
            "in the expression",
        ),
        ({"trigger_type": "any", "any_expressions": "@daily\n" * 30}, "any_expressions", "at most 20"),
        ({"trigger_type": "expression", "expression": ""}, "expression", "Say when"),
        ({"trigger_type": "expression", "expression": "at 2020-01-01"}, "expression", "past"),
    ],
)
def test_a_form_shows_each_error_at_its_field(data: dict[str, str], field: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        from_form_data(data, now=NOW)
    assert field in caught.value.errors
    assert says in " ".join(caught.value.errors[field])


def test_a_form_reads_only_the_fields_of_its_type() -> None:
    data = {"trigger_type": "interval", "interval_hours": "1", "cron_hour": "99", "date_run_date": "nonsense"}
    assert from_form_data(data) == EVERY
