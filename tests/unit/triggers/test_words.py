"""The sentence for each document, and its warnings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.utils import translation

from app_scheduler import triggers
from app_scheduler.triggers import describe, parse_expression, warnings_for

NOW = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("every 30s", "Every 30 seconds"),
        ("every 1h", "Every hour"),
        ("every 1h 30m", "Every 1 hour 30 minutes"),
        ("every 1h in UTC", "Every hour"),
        ("every 1h from 2026-10-01 09:00", "Every hour, from 1 Oct 2026 09:00"),
        ("0 3 * * mon-fri", "At 03:00, Monday through Friday"),
        ("0 3 * * 1-5", "At 03:00, Monday through Friday"),
        ("0 3 * * 6,7", "At 03:00, only on Saturday and Sunday"),
        ("0 3 * * 0", "At 03:00, only on Sunday"),
        ("cron hour=3 day_of_week=0", "At 03:00, only on Monday"),
        ("0 3 * * *", "At 03:00"),
        ("@daily", "At 00:00"),
        ("@hourly", "Every hour"),
        ("*/5 * * * *", "Every 5 minutes"),
        ("0,30 9 * * *", "At 09:00 and 09:30"),
        ("0 9-17 * * *", "Every hour from 09:00 to 17:00"),
        ("0 3 15 * 1", "At 03:00, on day 15 of the month, or on Monday"),
        ("cron day=13 day_of_week=fri", "At 00:00, on day 13 of the month, only on Friday (both must match)"),
        ("0 0 */2 * mon", "At 00:00, every 2 days from day 1 to day 31 of the month, only on Monday (both must match)"),
        ("0 3 L,15 * *", "At 03:00, on day 15 of the month, or on the last day of the month"),
        ("0 3 * * mon#1", "At 03:00, on the first Monday of the month"),
        ("0 3 * * 5L", "At 03:00, on the last Friday of the month"),
        ("cron day=last fri hour=9", "At 09:00, on the last Friday of the month"),
        ("cron day=last hour=9 minute=30", "At 09:30, on the last day of the month"),
        ("cron year=2027 month=jan", "At 00:00, on day 1 of the month, only in January, only in 2027"),
        ("cron week=10 day_of_week=mon hour=9", "At 09:00, only on Monday, in ISO week 10"),
        ("0 3 * * * in UTC", "At 03:00 (UTC)"),
        ("0 3 * * * in Australia/Sydney", "At 03:00"),
        (
            "0 3 * * * until 2026-12-31 jitter 90s",
            "At 03:00, until 31 Dec 2026, each run delayed by up to 1 minute 30 seconds",
        ),
        ("calendar months=2 hour=9 from 2026-01-31", "Every 2 months on day 31 at 09:00, from 31 Jan 2026"),
        ("calendar weeks=2 hour=9 from 2026-01-05", "Every 2 weeks on Monday at 09:00, from 5 Jan 2026"),
        ("calendar years=1 from 2026-01-05", "Every year on 5 January at 00:00, from 5 Jan 2026"),
        ("at 2026-12-01 12:00", "Once, on Tue 1 Dec 2026 at 12:00"),
        ("at 2026-12-01T12:00:00+00:00 in Asia/Kathmandu", "Once, on Tue 1 Dec 2026 at 17:45 (Asia/Kathmandu)"),
        ("0 9 * * fri-tue", "At 09:00, Friday through Tuesday"),
        ("0 9 * nov-feb *", "At 09:00, November through February"),
        ("0 22-2 * * *", "Every hour from 22:00 to 02:00"),
        ("15 22-2/2 * * *", "Every 2 hours from 22:15 to 02:15"),
        ("0 0 28-3 * *", "At 00:00, on days 1 to 3 and 28 to 31 of the month"),
        ("0 4 8-14 * *", "At 04:00, from day 8 to day 14 of the month"),
        ("0 9 1 */3 *", "At 09:00, on day 1 of the month, only in January, April, July and October"),
        ("cron week=*/2 day_of_week=mon", "At 00:00, only on Monday, every 2 ISO weeks from week 1 to week 53"),
        ("cron week=1,2,9-11 hour=5", "At 05:00, in ISO weeks 1, 2 and 9 to 11"),
        ("cron year=*/2 day=1 hour=5", "At 05:00, on day 1 of the month, every 2 years from 1970"),
        (
            "cron year=2027,2029-2031,2040/5",
            "At 00:00, on day 1 of the month, only in January, only in 2027, 2029 to 2031 and every 5 years from 2040",
        ),
        ("cron second=*/10", "Every 10 seconds"),
        ("30 0 9 * * *", "At 09:00:30"),
        (
            "every 3h | 0 9 * * 1 in UTC | at 2027-01-01",
            "Any of: every 3 hours; at 09:00, only on Monday (UTC); or once, on Fri 1 Jan 2027 at 00:00",
        ),
        ("every 3h | @daily", "Any of: every 3 hours; or at 00:00"),
    ],
)
def test_each_schedule_has_its_sentence(expression: str, sentence: str) -> None:
    with translation.override("en"), override_settings(TIME_ZONE="Australia/Sydney"):
        assert describe(parse_expression(expression)) == sentence


def test_the_zone_is_named_when_it_is_not_the_readers() -> None:
    document = {"type": "cron", "hour": "3", "timezone": "UTC"}
    with translation.override("en"):
        assert describe(document, timezone="UTC") == "At 03:00"
        assert describe(document, timezone="Asia/Kathmandu") == "At 03:00 (UTC)"


def test_another_language_has_its_own_names() -> None:
    with translation.override("de"):
        assert "Montag" in describe({"type": "cron", "day_of_week": "mon", "hour": "3"})
        assert describe({"type": "cron", "hour": "3"}) == "Um 03:00 Uhr"
        assert "Januar" in describe({"type": "cron", "month": "jan"})


@pytest.mark.parametrize(
    "document", [{}, {"type": "cron", "hour": "99"}, {"type": "any", "triggers": 5}, {"type": "x"}]
)
def test_what_cannot_be_read_still_has_a_sentence(document: dict[str, Any]) -> None:
    assert describe(document).startswith("A trigger that cannot be read")


@pytest.mark.parametrize(
    ("expression", "sentences"),
    [
        ("every 5m", ("Alle 5 Minuten", "Toutes les 5 minutes", "Cada 5 minutos")),
        ("every 2d", ("Alle 2 Tage", "Tous les 2 jours", "Cada 2 días")),
        ("every 1d", ("Jeden Tag", "Tous les jours", "Cada día")),
        ("every 3w", ("Alle 3 Wochen", "Toutes les 3 semaines", "Cada 3 semanas")),
        ("every 1h 30m", ("Alle 1 Stunde 30 Minuten", "À intervalles de 1 heure 30 minutes", "Cada 1 hora 30 minutos")),
        ("calendar years=2 hour=9", ("Alle 2 Jahre um 09:00 Uhr", "Tous les 2 ans à 09:00", "Cada 2 años a las 09:00")),
    ],
)
def test_every_agrees_with_its_unit(expression: str, sentences: tuple[str, str, str]) -> None:
    said = []
    for language in ("de", "fr", "es"):
        with translation.override(language):
            said.append(describe(parse_expression(expression)).replace("\xa0", " "))
    assert tuple(said) == sentences


@pytest.mark.parametrize(
    ("expression", "warning"),
    [
        ("every 1s", "Fires 86,400 times a day."),
        ("cron second=*/10", "Fires 8,640 times a day."),
        ("every 30s | every 20s", "Fires 7,200 times a day."),
        ("calendar months=1 from 2026-12-31", "Months without a day 31 are skipped."),
        ("0 0 31 * *", "Months without a day 31 are skipped."),
        ("cron day=29-31", "Months without a day 29 are skipped."),
        ("30 2 * * *", "On 4 Oct 2026 02:30 does not exist in Australia/Sydney; it fires at 03:00."),
        (
            "calendar days=1 hour=2 minute=30",
            "On 4 Oct 2026 02:30 does not exist in Australia/Sydney; it fires at 03:00.",
        ),
        ("at 2026-10-04 02:30", "On 4 Oct 2026 02:30 does not exist in Australia/Sydney; it fires at 03:00."),
        ("30 2 * * *", "On 4 Apr 2027 02:30 happens twice in Australia/Sydney; it fires the first time only."),
        ("*/15 2 * * *", "On 4 Oct 2026 02:00 to 03:00 does not exist in Australia/Sydney; runs in it are left out."),
        ("@daily until 2026-12-31", "Ends on 31 Dec 2026."),
        ("*/7 * * * *", "The step of 7 starts anew at :00, so the last gap is shorter."),
        ("at 2020-01-01", "This schedule has ended: it does not fire again."),
    ],
)
def test_warnings_say_what_will_surprise(expression: str, warning: str) -> None:
    with translation.override("en"), override_settings(TIME_ZONE="Australia/Sydney"):
        assert warning in warnings_for(parse_expression(expression), anchor=NOW, now=NOW)


BY_THE_CLOCK = (
    "It fires every {} hours: after the clocks change on {} in Australia/Sydney it comes at {} instead of {}. "
    "To keep the time of day use a {}, such as “{}”."
)


@pytest.mark.parametrize(
    ("expression", "hours", "change", "times", "kind", "instead"),
    [
        ("every 1d", "24", "4 Oct 2026 02:00", ("11:00", "10:00"), "fixed time", "cron hour=10"),
        ("every 24h from 2026-11-01", "24", "4 Apr 2027 03:00", ("23:00", "00:00"), "fixed time", "cron hour=0"),
        (
            "every 1w from 2026-09-07 09:30",
            "168",
            "4 Oct 2026 02:00",
            ("10:30", "09:30"),
            "fixed time",
            "cron day_of_week=mon hour=9 minute=30",
        ),
        (
            "every 2d from 2026-09-05 09:00:05 in Australia/Sydney",
            "48",
            "4 Oct 2026 02:00",
            ("10:00:05", "09:00:05"),
            "calendar interval",
            "calendar days=2 hour=9 second=5 in Australia/Sydney from 2026-09-05",
        ),
        # It begins after the first change; only the second moves it.
        (
            "every 26w from 2026-10-05 12:00",
            "4,368",
            "4 Apr 2027 03:00",
            ("11:00", "12:00"),
            "calendar interval",
            "calendar weeks=26 hour=12 from 2026-10-05",
        ),
    ],
)
def test_an_interval_of_whole_days_is_warned_of_leaving_its_time_of_day(
    expression: str, hours: str, change: str, times: tuple[str, str], kind: str, instead: str
) -> None:
    with translation.override("en"), override_settings(TIME_ZONE="Australia/Sydney"):
        warnings = warnings_for(parse_expression(expression), anchor=NOW, now=NOW)
        assert warnings == [BY_THE_CLOCK.format(hours, change, *times, kind, instead)]
        document = parse_expression(instead)
        coming = triggers.upcoming(document, anchor=NOW, after=NOW, count=500)
        assert {f"{tick:%H:%M:%S}".removesuffix(":00") for tick in coming} == {times[1]}


@pytest.mark.parametrize(
    "expression",
    [
        "every 1d in UTC",
        "every 1d in Asia/Kathmandu",
        "every 25h",
        "every 12h",
        # Before the clocks change it has ended; when they changed it had not begun; 365 days later they show the same.
        "every 1d until 2026-09-30",
        "every 1d from 2028-01-01",
        "every 365d",
    ],
)
def test_an_interval_that_keeps_its_time_of_day_or_has_none_is_not(expression: str) -> None:
    with override_settings(TIME_ZONE="Australia/Sydney"):
        warnings = warnings_for(parse_expression(expression), anchor=NOW, now=NOW)
        assert not [warning for warning in warnings if "clocks change" in warning]


@pytest.mark.parametrize(
    "expression", ["every 1h", "0 3 * * mon-fri", "0 * * * *", "*/5 * * * *", "@monthly", "0 3 L * *", "0 0 31 * mon"]
)
def test_an_ordinary_schedule_has_no_warning(expression: str) -> None:
    with override_settings(TIME_ZONE="Asia/Kathmandu"):
        assert warnings_for(parse_expression(expression), anchor=NOW, now=NOW) == []


def strings_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module that gettext does not see, but its docstrings."""
    tree = ast.parse(path.read_text())
    seen: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and "gettext" in node.func.id:
            seen.update(each for argument in node.args for each in ast.walk(argument))
        elif isinstance(node, ast.Expr):
            seen.update(ast.walk(node) if isinstance(node.value, ast.Constant) else ())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in seen:
            yield node.lineno, node.value


# Programmers' errors and what stands in a line of code, not on a page.
NOT_FOR_PEOPLE = {
    "A moment needs a time zone.",
    "Cannot describe the trigger %s",
    "0 0 1 1 *",
    "0 0 1 * *",
    "0 0 * * 0",
    "0 0 * * *",
    "0 * * * *",
    "0123456789",
    "any of ",
    "any of\\s",
    "At %(times)s",  # Asked whether the catalogue has it.
    "every 1h 30m",
    "cron hour=3 day_of_week=mon-fri",
    "calendar months=2 hour=9",
    "jitter 30s",
    "in Australia/Sydney",
    "from 2026-01-01",
    "until 2026-12-31",
}


@pytest.mark.parametrize("path", sorted(Path(triggers.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_whatever_people_read_is_translated(path: Path) -> None:
    said = {
        text
        for _, text in strings_of(path)
        if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}|^[A-Z][a-z]+ |%\(", text) and text not in NOT_FOR_PEOPLE
    }
    assert said == set()
