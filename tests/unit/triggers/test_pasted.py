"""Pasted lines: what they say, and that fields which take their place say the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler import triggers
from app_scheduler.triggers.documents import Document
from app_scheduler.triggers.pasted import as_fields, read_pasted

NOW = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def read(text: str) -> Document:
    found = read_pasted(text)
    assert found is not None, text
    return found.document


@pytest.mark.parametrize(
    ("text", "expression", "has_command"),
    [
        ("0 3 * * 1-5", "0 3 * * 1-5", False),
        ("  0\t3 * *  mon-fri  ", "0 3 * * mon-fri", False),
        ("0 3 * * 1-5 /usr/bin/backup --all", "0 3 * * 1-5", True),
        ("0 3 * * 1-5 root /usr/bin/backup", "0 3 * * 1-5", True),
        ("30 0 3 * * 1-5", "30 0 3 * * 1-5", False),
        ("@daily", "@daily", False),
        ("@daily backup", "@daily", True),
        ("every 90m", "every 90m", False),
        ("# nightly\nMAILTO=ada\n0 3 * * * backup > /dev/null 2>&1", "0 3 * * *", True),
        ("CRON_TZ=Europe/Paris\n0 3 * * *\n@hourly tidy", "0 3 * * * in Europe/Paris | @hourly in Europe/Paris", True),
        ("every 3h | every 5h", "every 3h | every 5h", False),
    ],
)
def test_a_pasted_text_is_read(text: str, expression: str, has_command: bool) -> None:
    found = read_pasted(text)
    assert found is not None
    assert triggers.format_expression(found.document) == expression
    assert found.left_out is has_command


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "# 0 3 * * *",
        "9-17",
        "1st mon,last fri",
        "1st mon, 2nd tue, 3rd wed, 4th thu",
        "2026-12-31 18:00",
        "@reboot backup",
        "99 3 * * *",
        "the quick brown fox jumps over the dog",
        "0 3 * * *\nnonsense that is no line of a crontab",
        "CRON_TZ=Mars/Base\n0 3 * * *",
        "\n".join(["0 3 * * *"] * 21),
        "\x00 \x00 \x00 \x00 \x00",
        "x" * 100_000,
    ],
)
def test_what_is_no_schedule_is_left_alone(text: str) -> None:
    assert read_pasted(text) is None


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("0 3 * * 1-5", "cron day_of_week=mon-fri hour=3 minute=0"),
        ("*/15 9-17 * * *", "cron hour=9-17 minute=*/15"),
        ("0 0 L * *", "cron day=last hour=0 minute=0"),
        ("0 9 * * mon#1", "cron day=1st mon hour=9 minute=0"),
        ("0 9 * * 5L", "cron day=last fri hour=9 minute=0"),
        ("0 0 * * 0,6", "cron day_of_week=sat,sun hour=0 minute=0"),
        ("@monthly", "cron day=1 hour=0 minute=0"),
        ("30 0 3 1 jan *", "cron month=jan day=1 hour=3 minute=0 second=30"),
        # Either day: the fields would ask for both.
        ("0 9 13 * 5", "0 9 13 * 5"),
        ("every 90m", "every 90m"),
    ],
)
def test_a_line_becomes_fields_where_they_say_the_same(line: str, fields: str) -> None:
    assert triggers.format_expression(as_fields(read(line))) == fields


MINUTES = st.sampled_from(["0", "*", "*/7", "5,50", "1-59/2", "10-20"])
HOURS = st.sampled_from(["0", "*", "*/5", "9-17", "2", "23"])
DAYS = st.sampled_from(["*", "*/2", "1", "13", "29-31", "L", "1,L"])
MONTHS = st.sampled_from(["*", "2", "jan-mar", "*/3"])
WEEKDAYS = st.sampled_from(["*", "0", "7", "1-5", "sat,sun", "mon#1", "5L", "*/2", "fri-sun"])


@given(
    st.tuples(MINUTES, HOURS, DAYS, MONTHS, WEEKDAYS),
    st.sampled_from(["Australia/Lord_Howe", "UTC", "America/New_York"]),
)
def test_fields_fire_when_the_line_does(parts: tuple[str, ...], zone: str) -> None:
    document = read(f"{' '.join(parts)} in {zone}")
    fields = as_fields(document)
    assert triggers.upcoming(fields, anchor=NOW, after=NOW, count=40) == triggers.upcoming(
        document, anchor=NOW, after=NOW, count=40
    )


@given(st.text(max_size=80) | st.lists(st.sampled_from("*/0159-,@#L monCRTZ=\n|every at in"), max_size=40).map("".join))
def test_no_text_is_an_error(text: str) -> None:
    found = read_pasted(text)
    assert found is None or triggers.normalise(found.document, allow_past=True) == found.document
