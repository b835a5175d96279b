"""How often a schedule fires, in words, and moved by some minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app_scheduler import triggers
from app_scheduler.triggers.rates import rate_words
from app_scheduler.triggers.shifting import minute_text, shifted

#: A Monday, in Sydney; the clocks there change on 4 April and 3 October 2027.
NOW = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("*/10 18-23 * * *", "36 runs a day"),
        ("* * * * * *", "86,400 runs a day"),
        ("0 3 * * *", "1 run a day"),
        ("every 90m", "16 runs a day"),
        ("every 7h", "about 3 runs a day"),
        ("0 9 * * 1-5", "5 runs a week"),
        ("*/15 9-16 * * mon-fri", "32 runs a day on 5 days a week"),
        ("0 9 * * mon", "1 run a week"),
        ("0 9,17 * * mon", "2 runs a week"),
        ("every 1w", "1 run a week"),
        ("0 0 1 * *", "12 runs a year"),
        ("0 0 1-7 * *", "84 runs a year"),
        ("calendar months=3 hour=9", "4 runs a year"),
        ("every 2d", "182 runs a year"),
        ("0 0 29 2 *", ""),
        ("calendar years=1", ""),
        ("at 2027-01-01 12:00", ""),
        ("0 3 * * * | 0 15 * * *", "2 runs a day"),
        ("0 3 1 * * | 0 3 1 1 *", "12 runs a year"),
        ("every 1s | every 2s", "at most 129,600 runs a day"),
        ("*/15 * * * * until 2026-12-24", "96 runs a day"),
        ("0 3 * * * until 2026-11-24", ""),
        ("0 3 * * * until 9999-12-31 from 9999-12-30", ""),
    ],
)
def test_the_rate_of_a_schedule(expression: str, words: str) -> None:
    assert rate_words(triggers.parse_expression(expression), anchor=NOW, now=NOW) == words


@pytest.mark.parametrize(
    ("expression", "later", "minutes"),
    [
        ("0 3 * * 1-5", "7 3 * * 1-5", "7"),
        ("@daily", "7 0 * * *", "7"),
        ("30 0 3 * * *", "30 7 3 * * *", "7"),
        ("cron hour=3", "cron hour=3 minute=7", "7"),
        ("cron hour=3 minute=0,30", "cron hour=3 minute=7,37", "7,37"),
        ("cron minute=*/15 hour=9-17", "cron hour=9-17 minute=7-59/15", "7-59/15"),
        ("calendar months=2 hour=9", "calendar months=2 hour=9 minute=7", ""),
        ("at 2027-01-01 12:00 in Europe/Paris", "at 2027-01-01 12:07 in Europe/Paris", ""),
    ],
)
def test_a_schedule_is_moved_by_some_minutes(expression: str, later: str, minutes: str) -> None:
    document = triggers.parse_expression(expression)
    found = shifted(document, 7)
    assert found is not None
    assert triggers.format_expression(found) == later
    assert minute_text(found) == minutes
    night = NOW.replace(hour=15)  # 02:00 in Sydney
    before, after = (triggers.upcoming(each, anchor=NOW, after=night, count=5) for each in (document, found))
    assert after == [tick + timedelta(minutes=7) for tick in before]


@pytest.mark.parametrize(
    "expression",
    ["every 1h", "0 3 * * * | 0 4 * * *", "* * * * *", "55 3 * * *", "*/5 * * * *", "*/7 * * * *", "10-20 3 * * *"],
)
def test_a_schedule_that_cannot_be_moved_within_its_hour_stays(expression: str) -> None:
    assert shifted(triggers.parse_expression(expression), 7) is None
