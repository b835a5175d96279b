"""Stored logs: what the engine's capture writes is read back, and nothing is lost."""

from __future__ import annotations

import contextvars
import logging
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler import logs
from app_scheduler.engine import capture

STAMP = "2026-11-23T10:14:45.521Z"


def test_a_line_has_a_time_a_level_a_logger_and_a_message() -> None:
    (entry,) = logs.parse(f"{STAMP} WARNING  games.mail: server closed: EHLO")
    assert entry.time == datetime(2026, 11, 23, 10, 14, 45, 521_000, tzinfo=UTC)
    assert (entry.level, entry.logger, entry.message) == ("WARNING", "games.mail", "server closed: EHLO")


def test_what_was_printed_has_no_logger_and_keeps_its_blanks() -> None:
    printed, error = logs.parse(f"{STAMP} PRINT      total: 3\n{STAMP} STDERR   oh")
    assert (printed.logger, printed.message, printed.is_printed) == ("", "  total: 3", True)
    assert (error.message, error.is_printed, error.severity) == ("oh", True, 0)


def test_indented_lines_belong_to_the_entry_above() -> None:
    first, second = logs.parse(f"{STAMP} ERROR    a: one\n      two\n    three\n{STAMP} INFO     a: four")
    assert first.message == "one\n  two\nthree"
    assert second.message == "four"
    assert logs.count_lines([first, second]) == 4


def test_the_note_on_lines_left_out_stands_by_itself() -> None:
    entries = logs.parse(f"{STAMP} INFO     a: x\n… 12 lines left out …\n{STAMP} INFO     a: y")
    assert [(entry.level, entry.message) for entry in entries] == [
        ("INFO", "x"),
        ("", "… 12 lines left out …"),
        ("INFO", "y"),
    ]


@pytest.mark.parametrize(
    ("level", "warning", "error"),
    [
        ("DEBUG", False, False),
        ("INFO", False, False),
        ("WARNING", True, False),
        ("ERROR", True, True),
        ("CRITICAL", True, True),
        ("NOTICE", False, False),
        ("PRINT", False, False),
    ],
)
def test_levels_are_weighed_as_logging_does(level: str, warning: bool, error: bool) -> None:
    (entry,) = logs.parse(f"{STAMP} {level:<8} a: x")
    assert (entry.is_warning, entry.is_error) == (warning, error)


def test_a_level_that_has_only_a_number_is_one() -> None:
    (entry,) = logs.parse(f"{STAMP} {'Level 35':<8} a: x")
    assert (entry.level, entry.message) == ("Level 35", "x")


def test_a_time_that_is_none_is_text() -> None:
    (entry,) = logs.parse("2026-13-99T99:99:99.000Z INFO     a: x")
    assert (entry.time, entry.level) == (None, "")


def test_an_empty_log_has_no_lines() -> None:
    assert logs.parse("") == []


def _chat() -> str:
    log = capture.start(10_000)
    logging.getLogger("probe.a").warning("first %s\nsecond", 1)
    print("printed\n\n  indented")
    print("oh", file=sys.stderr)
    return log.text()


def test_what_a_run_writes_is_read_back() -> None:
    text = contextvars.copy_context().run(_chat)
    entries = logs.parse(text)
    assert [(entry.level, entry.logger, entry.message) for entry in entries] == [
        ("WARNING", "probe.a", "first 1\nsecond"),
        ("PRINT", "", "printed"),
        ("PRINT", "", ""),
        ("PRINT", "", "  indented"),
        ("STDERR", "", "oh"),
    ]
    assert logs.joined(entries) == text


@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.builds(lambda level, text: f"{STAMP} {level:<8} {text}", st.text(max_size=12), st.text(max_size=30)),
            st.text(max_size=20).map(lambda text: f"    {text}"),
        )
    ).map("\n".join)
)
def test_any_text_is_parsed_and_given_back_whole(text: str) -> None:
    entries = logs.parse(text)
    assert logs.joined(entries) == text
    assert all(entry.severity >= 0 for entry in entries)


@given(st.sampled_from(["INFO", "PRINT", "CRITICAL", "NOTICE"]), st.text())
def test_a_captured_message_comes_back_as_it_was(level: str, message: str) -> None:
    log = capture.RunLog(100_000)
    log.add(level, message if level == "PRINT" else f"a.b: {message}")
    (entry,) = logs.parse(log.text())
    assert entry.message == message.replace("\x00", "\N{REPLACEMENT CHARACTER}")
