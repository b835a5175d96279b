"""A preview takes bounded work, whatever the trigger: also once in a century, never, and by hostile hands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler.exceptions import InvalidInput
from app_scheduler.triggers import (
    cronfields,
    crontab,
    days,
    describe,
    format_expression,
    normalise,
    schedules,
    upcoming,
    walls,
    warnings_for,
)
from tests.effort import calls_of

from .deepness import examples
from .strategies import DOCUMENTS
from .test_roundtrips import JUNK, KEYS, PLAUSIBLE, TYPES, WORDS

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: A preview of some 50 ms makes about so many calls.
MANY_CALLS = 250_000

#: Several schedules of which none ever fires take the work of some 30 ms.
FEW_CALLS = 80_000

LONG_YEARS = ",".join(f"{year}-9999/7" for year in range(1970, 1986))
SPARSE = {"type": "cron", "year": "*/2", "week": "53", "day": "1", "day_of_week": "fri", "timezone": "UTC"}
RARE: dict[str, dict[str, Any] | str] = {
    "every second": "cron second=*",
    "every second of a zone with odd clocks": "cron second=* in Australia/Lord_Howe",
    "once in a century": "calendar years=100 from 2000-01-01",
    "once in 400 years": "calendar years=1 months=1200 from 2000-02-29",
    "29 February on a Monday": "cron month=2 day=29 day_of_week=mon",
    "29 February of centuries": "cron year=2000-9999/100 month=2 day=29",
    "29 February of years that are no leap years": "cron year=2001-9999/4 month=2 day=29",
    "30 February": "0 0 30 2 *",
    "30 February in every second year": "cron year=*/2 month=2 day=30",
    "a week that has no such day": "cron week=53 day=10",
    "a position that has no such weekday": {"type": "cron", "day": "1st mon", "day_of_week": "tue"},
    "a fifth Monday in February": "cron month=2 day=5th mon",
    "a sparse week": SPARSE,
    "many years": {"type": "cron", "year": LONG_YEARS, "week": "53", "day": "1", "day_of_week": "fri"},
    "many years that never match": {"type": "cron", "year": LONG_YEARS, "month": "2", "day": "30"},
    "the last year": "cron year=9999 month=12 day=31 hour=23 minute=59 second=59",
    "a wandering calendar": "calendar months=1 days=1 from 1970-01-31",
    "a wandering calendar of the 31st": "calendar years=1 months=1 days=1 from 1970-01-31",
    "the 29th of a leap year": "calendar years=1 from 2024-02-29",
    "an interval of a century": "every 36525d from 1970-01-01",
    "everything in lists": {
        "type": "cron",
        "minute": ",".join(map(str, range(60))),
        "second": ",".join(map(str, range(60))),
        "hour": ",".join(map(str, range(24))),
        "day": "1st mon,2nd tue,3rd wed,4th thu,5th fri,last sat,last",
    },
    "sparse ones beside a dense one": {
        "type": "any",
        "triggers": ["cron second=*", *({**SPARSE, "day": str(day)} for day in range(1, 18))],
    },
}


def forget() -> None:
    for cached in (
        schedules._cached,
        schedules._drifted_to,
        cronfields.compiled,
        cronfields._days,
        cronfields._yearly,
        cronfields.field_values,
        crontab.compiled,
        crontab._parse,
        walls._shifts_of,
        walls._found,
    ):
        cached.cache_clear()


def preview(trigger: Any, after: datetime, count: int) -> str:
    """Do all that a preview does, and return what it says first."""
    try:
        document = normalise(trigger, now=NOW)
    except InvalidInput as error:
        return str(error)
    warnings_for(document, anchor=NOW, now=NOW)
    format_expression(document)
    ticks = upcoming(document, anchor=NOW, after=after, count=count)
    return f"{describe(document)}: {len(ticks)}"


@pytest.mark.parametrize("after", [NOW, datetime(9000, 6, 1, tzinfo=UTC)], ids=["now", "year 9000"])
@pytest.mark.parametrize("trigger", RARE.values(), ids=RARE.keys())
def test_a_preview_of_any_trigger_is_bounded(trigger: dict[str, Any] | str, after: datetime) -> None:
    forget()
    said, calls = calls_of(lambda: preview(trigger, after, 10))
    assert (bool(said), calls < MANY_CALLS) == (True, True), calls


@pytest.mark.parametrize("year", ["*", "*/2", LONG_YEARS], ids=["every year", "every second year", "many years"])
def test_many_schedules_that_never_fire_are_refused_at_once(year: str) -> None:
    """Each was looked for in every kind of year, twice with years named: once is enough to know the reason too."""
    children = [{**SPARSE, "year": year, "week": "30", "day": str(day)} for day in range(1, 16)]
    forget()
    said, calls = calls_of(lambda: preview({"type": "any", "triggers": ["cron second=*", *children]}, NOW, 10))
    assert "never fires" in said
    assert calls < FEW_CALLS, calls


def test_no_year_is_of_another_kind() -> None:
    assert len({days._kind_of(year) for year in range(1970, 1970 + days.CYCLE)}) == days.KINDS


@pytest.mark.parametrize("trigger", RARE.values(), ids=RARE.keys())
def test_a_thousand_ticks_of_any_trigger_are_bounded(trigger: dict[str, Any] | str) -> None:
    """Of as many as the API gives."""
    forget()
    said, calls = calls_of(lambda: preview(trigger, NOW, 1000))
    assert (bool(said), calls < 4 * MANY_CALLS) == (True, True), calls


@examples(120)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(WORDS, max_size=9).map(" ".join),
        JUNK,
        st.dictionaries(KEYS, st.one_of(JUNK, PLAUSIBLE), max_size=6),
        st.tuples(TYPES, st.dictionaries(KEYS, PLAUSIBLE, max_size=6)).map(lambda pair: {**pair[1], "type": pair[0]}),
    )
)
def test_no_input_makes_a_preview_fail_or_hang(value: Any) -> None:
    said, calls = calls_of(lambda: preview(value, NOW, 10))
    assert (bool(said), calls < MANY_CALLS) == (True, True), calls


@examples(120)
@given(DOCUMENTS)
def test_no_valid_trigger_makes_a_preview_fail_or_hang(document: dict[str, Any]) -> None:
    forget()
    said, calls = calls_of(lambda: preview(document, NOW, 10))
    assert (bool(said), calls < MANY_CALLS) == (True, True), calls
