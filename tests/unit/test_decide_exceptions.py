"""What becomes of ticks in blackouts and of skipped ones: each has one verdict, however late anybody looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_scheduler import triggers
from app_scheduler.engine.decide import Decision, decide
from app_scheduler.engine.due import Due
from app_scheduler.engine.windows import (
    NO_EXCEPTIONS,
    Exceptions,
    OpenRow,
    Window,
    causes_between,
    exceptions_of,
    next_free,
    skip_of,
)
from app_scheduler.models import JobState

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def window(name: str, begin: float, end: float, **options: Any) -> Window:
    """Return a window of UTC, in minutes from START."""
    wall = START.replace(tzinfo=None)
    return Window(name, wall + minutes(begin), wall + minutes(end), ZoneInfo("UTC"), **options)


def due(trigger: str = "every 1m", tick: datetime | None = None, **options: Any) -> Due:
    document = triggers.normalise(trigger, now=START)
    schedule = triggers.schedule_for(document, anchor=START)
    first = tick or schedule.next_after(START)
    assert first is not None
    values = {"coalesce": True, "misfire_grace_time": 300, **options}
    return Due(
        "job",
        first,
        JobState.SCHEDULED,
        1,
        "tests.probe.jobs.add",
        json.dumps(document),
        START,
        "[1]",
        "{}",
        "default",
        max_instances=1,
        timeout=None,
        max_retries=0,
        retry_backoff=30,
        last_status="",
        **values,
    )


def blackout(*windows: Window, now: datetime, skip: datetime | None = None, row: OpenRow | None = None) -> Exceptions:
    found = causes_between(windows, START, now)
    return exceptions_of(found, (), skip=None if skip is None else skip_of(skip, "anna", "Not today"), open_row=row)


@dataclass
class Row:
    status: str
    first: datetime
    last: datetime
    count: int
    reason: str


def rows(decision: Decision) -> list[tuple[str, float, float, int]]:
    """Return status, first and last tick in minutes from START, and the number of ticks of each entry."""
    return [
        (
            each.status.value,
            ((each.first_tick or each.run_time) - START) / minutes(1),
            (each.run_time - START) / minutes(1),
            each.tick_count,
        )
        for each in decision.entries
    ]


def test_a_tick_in_a_blackout_is_skipped_and_says_why() -> None:
    now = START + minutes(1)
    series = window("Easter series", 0, 60, set_by="anna", reason="No clean-ups.")
    decision = decide(due(), now, (), blackout(series, now=now))
    assert rows(decision) == [("Skipped", 1, 1, 1)]
    assert decision.entries[0].reason == (
        "It fell into the blackout “Easter series” from 2026-11-23 23:00:00 to 2026-11-24 00:00:00, set by anna: "
        "No clean-ups."
    )
    assert decision.next_run_time == START + minutes(2)


def test_a_blackout_holds_its_first_moment_and_not_its_last() -> None:
    now = START + minutes(3)
    decision = decide(due(coalesce=False), now, (), blackout(window("w", 1, 3), now=now))
    assert rows(decision) == [("Skipped", 1, 2, 2), ("Queued", 3, 3, 1)]


def test_what_was_due_before_a_blackout_runs_though_late() -> None:
    now = START + minutes(2.5)
    decision = decide(due("every 2m"), now, (), blackout(window("w", 2.2, 60), now=now))
    assert rows(decision) == [("Queued", 2, 2, 1)]


def test_the_ticks_of_a_blackout_are_settled_and_not_caught_up() -> None:
    now = START + minutes(30)
    decision = decide(due(misfire_grace_time=None), now, (), blackout(window("w", 5, 20), now=now))
    assert rows(decision) == [("Skipped", 1, 4, 4), ("Skipped", 5, 19, 15), ("Queued", 20, 30, 11)]
    assert decision.entries[0].reason == (
        "These 4 ticks from 2026-11-23 23:01:00 to 2026-11-23 23:04:00 were late. The job runs once for all its late "
        "ticks, at 2026-11-23 23:30:00."
    )
    assert decision.next_run_time == START + minutes(31)


def test_where_nothing_is_due_after_it_the_ticks_before_a_blackout_run() -> None:
    now = START + minutes(4.5)
    decision = decide(due(), now, (), blackout(window("w", 3, 20), now=now))
    assert rows(decision) == [("Queued", 1, 2, 2), ("Skipped", 3, 4, 2)]


def test_what_is_beyond_its_grace_time_is_missed_on_either_side() -> None:
    now = START + minutes(60)
    decision = decide(due(coalesce=False), now, (), blackout(window("w", 10, 20), now=now))
    assert rows(decision)[:3] == [("Missed!", 1, 9, 9), ("Skipped", 10, 19, 10), ("Missed!", 20, 55, 36)]
    assert rows(decision)[3:] == [("Queued", minute, minute, 1) for minute in range(56, 61)]


def test_overlapping_blackouts_are_named_in_their_order() -> None:
    now = START + minutes(30)
    decision = decide(due(), now, (), blackout(window("a", 5, 15, id=2), window("b", 10, 40, id=1), now=now))
    assert [(row[1:3], "“a”" in e.reason) for row, e in zip(rows(decision), decision.entries, strict=True)] == [
        ((1, 4), False),
        ((5, 14), True),
        ((15, 30), False),
    ]
    assert "“b”" in decision.entries[2].reason


def test_a_blackout_that_lasts_keeps_to_one_row() -> None:
    now = START + minutes(2)
    series = window("Easter series", 0, 60)
    first = decide(due(), START + minutes(1), (), blackout(series, now=now)).entries[0]
    row = OpenRow(7, first.run_time, first.run_time, 1, first.reason)
    decision = decide(due(tick=START + minutes(2)), now, (), blackout(series, now=now, row=row))
    assert decision.entries == []
    assert decision.extension is not None
    assert (decision.extension.run_time, decision.extension.tick_count) == (now, 2)
    assert decision.extension.reason.startswith("These 2 ticks from 2026-11-23 23:01:00 to 2026-11-23 23:02:00 fell")


@pytest.mark.parametrize("spoilt", ["a tick between", "another window"])
def test_a_row_is_not_added_to_across_something_else(spoilt: str) -> None:
    now = START + minutes(5)
    reason = decide(due(), START + minutes(1), (), blackout(window("w", 0, 60), now=now)).entries[0].reason
    at = START + minutes(3 if spoilt == "a tick between" else 4)
    row = OpenRow(7, at, at, 1, reason)
    name = "w" if spoilt == "a tick between" else "other"
    decision = decide(due(tick=now), now, (), blackout(window(name, 0, 60), now=now, row=row))
    assert decision.extension is None
    assert rows(decision) == [("Skipped", 5, 5, 1)]


def test_a_one_off_job_whose_only_tick_is_swallowed_is_finished_and_says_so() -> None:
    now = START + minutes(60)
    decision = decide(due("at 2026-11-24 00:00"), now, (), blackout(window("w", 30, 90), now=now))
    assert rows(decision) == [("Skipped", 60, 60, 1)]
    assert (decision.state, decision.next_run_time) == (JobState.FINISHED, None)
    assert decision.state_reason.startswith("Its schedule has come to its end, and its last tick did not run. It fell")


def test_a_skipped_tick_does_not_move_the_others() -> None:
    spec = due("every 7m", skip_tick=START + minutes(7))
    now = START + minutes(7)
    decision = decide(spec, now, (), blackout(now=now, skip=START + minutes(7)))
    assert rows(decision) == [("Skipped", 7, 7, 1)]
    assert decision.entries[0].reason == "Asked for by anna: Not today."
    assert decision.next_run_time == START + minutes(14)
    assert decision.ends_skip


def test_a_skip_is_kept_until_its_tick_and_forgotten_when_it_has_gone_by() -> None:
    now = START + minutes(1)
    assert not decide(due(skip_tick=START + minutes(5)), now).ends_skip
    assert decide(due(skip_tick=START - minutes(5)), now).ends_skip


def test_without_exceptions_nothing_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exceptions, "stretch", None)
    assert rows(decide(due(), START + minutes(1), (), NO_EXCEPTIONS)) == [("Queued", 1, 1, 1)]


TRIGGERS = st.sampled_from(
    [
        "every 1m",
        "every 7m",
        "*/5 * * * * in UTC",
        "0 * * * * in Australia/Lord_Howe",
        "every 3m | every 5m",
        "at 2026-11-24 00:10 in Australia/Sydney",
    ]
)
SPANS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 90)).map(lambda span: (span[0], span[0] + span[1])), max_size=4
)


@settings(max_examples=200)
@given(
    TRIGGERS,
    SPANS,
    st.lists(st.integers(1, 80), min_size=1, max_size=8),
    st.booleans(),
    st.sampled_from([None, 60, 300, 3000]),
    st.integers(0, 200),
)
def test_every_tick_has_one_verdict_and_the_right_one(
    trigger: str, spans: Sequence[tuple[int, int]], looks: Sequence[int], coalesce: bool, grace: int | None, skip: int
) -> None:
    """Claim at any moments, each time from what the claim before has left; then ask for each tick by itself."""
    windows = [window(f"w{number}", *span, id=number) for number, span in enumerate(spans)]
    spec = due(trigger, coalesce=coalesce, misfire_grace_time=grace)
    schedule = triggers.schedule_of_text(spec.trigger, anchor=START)
    spec.skip_tick = schedule.next_after(START + minutes(skip))
    kept, skipped = spec.skip_tick, False
    told: list[Row] = []
    now = START
    for step in looks:
        now += minutes(step)
        while spec.next_run_time <= now and spec.state == JobState.SCHEDULED:
            last = told[-1] if told and told[-1].status == "Skipped" else None
            row = OpenRow(1, last.last, last.first, last.count, last.reason) if last else None
            decision = decide(spec, now, (), blackout(*windows, now=now, skip=spec.skip_tick, row=row))
            if decision.extension is not None:
                assert last is not None
                last.last, last.count = decision.extension.run_time, decision.extension.tick_count
                last.reason = decision.extension.reason
            told += [
                Row(each.status.value, each.first_tick or each.run_time, each.run_time, each.tick_count, each.reason)
                for each in decision.entries
            ]
            spec.state = decision.state
            if decision.ends_skip:
                spec.skip_tick = None
            if decision.next_run_time is None:
                break
            assert decision.next_run_time.astimezone(UTC) > spec.next_run_time.astimezone(UTC)
            spec.next_run_time = decision.next_run_time
    tick = schedule.next_after(START)
    while tick is not None and tick <= now:
        (row_of_it,) = [each for each in told if each.first <= tick <= each.last]
        swallowed = [name.name for name in windows if list(name.times_between(tick, tick))]
        if kept is not None and tick.astimezone(UTC) == kept.astimezone(UTC):
            skipped = True
            assert (row_of_it.status, row_of_it.reason) == ("Skipped", "Asked for by anna: Not today.")
        elif swallowed:
            first = min(swallowed, key=lambda name: (next(w.begins for w in windows if w.name == name), name))
            assert row_of_it.status == "Skipped" and f"“{first}”" in row_of_it.reason
        else:
            assert "blackout" not in row_of_it.reason
        tick = schedule.next_after(tick)
    assert skipped == (kept is not None and kept <= now)
    ticks = schedule.count_between(START, now)
    assert sum(each.count for each in told) == ticks
    if not windows:
        assert len([each for each in told if "were late" in each.reason]) <= len(looks)


@settings(max_examples=100)
@given(TRIGGERS, SPANS, st.integers(0, 200))
def test_the_next_tick_that_runs_is_the_first_that_no_window_holds(
    trigger: str, spans: Sequence[tuple[int, int]], after: int
) -> None:
    windows = [window(f"w{number}", *span) for number, span in enumerate(spans)]
    document = triggers.normalise(trigger, now=START)
    schedule = triggers.schedule_for(document, anchor=START)
    tick = first = schedule.next_after(START + minutes(after))
    while tick is not None and any(list(each.times_between(tick, tick)) for each in windows):
        tick = schedule.next_after(tick)
    assert first is None or next_free(schedule, first, windows) == tick


def test_a_yearly_tick_in_a_yearly_window_is_given_up() -> None:
    document = triggers.normalise("0 12 25 12 * in UTC", now=START)
    schedule = triggers.schedule_for(document, anchor=START)
    first = schedule.next_after(START)
    assert first is not None
    yearly = Window("Holidays", datetime(2026, 12, 24), datetime(2027, 1, 2), ZoneInfo("UTC"), True)
    assert next_free(schedule, first, [yearly]) is None
