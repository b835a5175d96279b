"""A document survives every form in which people and programs meet it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from app_scheduler.exceptions import InvalidInput
from app_scheduler.triggers import (
    FORM_FIELDS,
    describe,
    document_of,
    format_expression,
    from_form_data,
    kind_of,
    normalise,
    parse_expression,
    schedule_for,
    stock_trigger,
    to_form_data,
    trigger_for,
    warnings_for,
)

from .strategies import DOCUMENTS

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
QUICK = settings(max_examples=100)


@QUICK
@given(DOCUMENTS)
def test_a_document_is_stable_and_plain_json(document: dict[str, Any]) -> None:
    once = normalise(document, allow_past=True)
    assert normalise(once, allow_past=True) == once
    assert json.loads(json.dumps(once)) == once
    assert set(once) <= set(document)


@QUICK
@given(DOCUMENTS)
def test_an_expression_says_the_whole_document(document: dict[str, Any]) -> None:
    checked = normalise(document, allow_past=True)
    expression = format_expression(document)
    assert parse_expression(expression) == checked
    assert normalise(expression, allow_past=True) == checked


@QUICK
@given(DOCUMENTS)
def test_a_form_says_the_whole_document(document: dict[str, Any]) -> None:
    checked = normalise(document, allow_past=True)
    data = to_form_data(document)
    assert set(data) <= {name for names in FORM_FIELDS.values() for name in names}
    assert from_form_data(data, allow_past=True) == checked
    as_expression = {"trigger_type": "expression", "expression": format_expression(document)}
    assert from_form_data(as_expression, allow_past=True) == checked


@QUICK
@given(DOCUMENTS, st.sampled_from(["en", "de", "fr", "zh-hans", "en-au", "xx"]))
def test_every_document_has_a_sentence_and_its_warnings(document: dict[str, Any], language: str) -> None:
    with translation.override(language):
        sentence = describe(document)
        assert sentence and "\n" not in sentence
        assert "{" not in sentence and "%(" not in sentence and "  " not in sentence
        for warning in warnings_for(document, anchor=ANCHOR, now=ANCHOR):
            assert "%(" not in warning


@settings(max_examples=100)
@given(DOCUMENTS)
def test_triggers_carry_their_document_and_fire_by_the_schedule(document: dict[str, Any]) -> None:
    trigger = trigger_for(document, anchor=ANCHOR)
    checked = normalise(document, allow_past=True)
    assert document_of(trigger) == checked
    schedule = schedule_for(checked, anchor=ANCHOR)
    assert trigger.get_next_fire_time(ANCHOR, ANCHOR) == schedule.next_after(ANCHOR)
    again = document_of(stock_trigger(document, anchor=ANCHOR))
    if "expression" not in str(checked):
        assert kind_of(again) == kind_of(checked)


JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.binary(max_size=5),
        st.dates(),
        st.datetimes(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "type",
        "hour",
        "minute",
        "day",
        "day_of_week",
        "month",
        "year",
        "week",
        "expression",
        "timezone",
        "start_date",
        "end_date",
        "jitter",
        "run_date",
        "seconds",
        "hours",
        "days",
        "months",
        "triggers",
        "nonsense",
    ]
)
PLAUSIBLE = st.sampled_from(
    [
        "*",
        "*/5",
        "mon-fri",
        "L",
        "1st mon",
        "UTC",
        "2026-02-30",
        "٣",
        "-1",
        "1e9",
        "0 0 * * *",
        "@daily",
        "NaN",
        "1" * 5000,
        10**400,
        -1,
        0,
    ]
)
TYPES = st.sampled_from(["interval", "cron", "date", "calendar", "any", "and", None, 3])


@settings(max_examples=200)
@given(st.one_of(JUNK, st.dictionaries(KEYS, st.one_of(JUNK, PLAUSIBLE), max_size=6)), TYPES)
def test_bad_input_only_ever_raises_invalid_input(value: Any, kind: Any) -> None:
    for document in (
        value,
        {**value, "type": kind} if isinstance(value, dict) else {"type": kind, "triggers": [value]},
    ):
        try:
            checked = normalise(document, now=ANCHOR)
        except InvalidInput as error:
            assert error.errors and all(messages for messages in error.errors.values())
        else:
            assert parse_expression(format_expression(checked)) == checked
        assert describe(document)


WORDS = st.sampled_from(
    [
        "every",
        "at",
        "cron",
        "calendar",
        "in",
        "from",
        "until",
        "jitter",
        "|",
        "any of",
        "hour=3",
        "day=1st",
        "mon",
        "months=2",
        "1h",
        "30m",
        "hours",
        "UTC",
        "2026-12-01",
        "12:00",
        "*",
        "*/5",
        "0",
        "@daily",
        "L",
        "5L",
        "mon#1",
        "=",
        "and",
    ]
)


@settings(max_examples=200)
@given(st.one_of(st.lists(WORDS, max_size=9).map(" ".join), st.text(max_size=40)))
def test_bad_expressions_only_ever_raise_invalid_input(text: str) -> None:
    try:
        document = parse_expression(text)
    except InvalidInput as error:
        assert list(error.errors) == [""]
    else:
        assert parse_expression(format_expression(document)) == document
        assert describe(document)
    for kind in ("cron", "interval", "any", "expression", text):
        data = {name: text for names in FORM_FIELDS.values() for name in names} | {"trigger_type": kind}
        try:
            from_form_data(data)
        except InvalidInput as error:
            assert set(error.errors) <= {name for names in FORM_FIELDS.values() for name in names}


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("every 1h 30m", {"type": "interval", "hours": 1, "minutes": 30}),
        ("every 1h30m", {"type": "interval", "hours": 1, "minutes": 30}),
        ("Every 2 hours", {"type": "interval", "hours": 2}),
        ("every hour", {"type": "interval", "hours": 1}),
        ("every 1 hour and 30 minutes", {"type": "interval", "hours": 1, "minutes": 30}),
        ("at 2026-12-01 12:00", {"type": "date", "run_date": "2026-12-01T12:00:00"}),
        ("at 2026-12-01", {"type": "date", "run_date": "2026-12-01T00:00:00"}),
        (
            "at 2026-12-01T12:00Z in Asia/Kathmandu",
            {"type": "date", "run_date": "2026-12-01T12:00:00+00:00", "timezone": "Asia/Kathmandu"},
        ),
        ("0  3 * *  MON-FRI", {"type": "cron", "expression": "0 3 * * mon-fri"}),
        ("@Daily in UTC", {"type": "cron", "expression": "@daily", "timezone": "UTC"}),
        ("cron hour=3 day=1st mon, last fri", {"type": "cron", "hour": "3", "day": "1st mon,last fri"}),
        (
            "calendar months=2 hour=9 from 2026-01-31",
            {"type": "calendar", "months": 2, "hour": 9, "start_date": "2026-01-31"},
        ),
        ("every 5s jitter 2m", {"type": "interval", "seconds": 5, "jitter": 120}),
        ("any of every 3h", {"type": "any", "triggers": [{"type": "interval", "hours": 3}]}),
        (
            "every 3h|@daily",
            {"type": "any", "triggers": [{"type": "interval", "hours": 3}, {"type": "cron", "expression": "@daily"}]},
        ),
    ],
)
def test_expressions_read_as_people_write_them(text: str, document: dict[str, Any]) -> None:
    assert parse_expression(text) == document
