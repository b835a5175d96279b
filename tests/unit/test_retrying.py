"""How long a retry waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app_scheduler.engine import retrying
from app_scheduler.engine.retrying import JITTER, LONGEST_WAIT_SECONDS, retry_of, wait_after
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.models import Status

LONGEST = timedelta(seconds=LONGEST_WAIT_SECONDS)


def run(attempt: int, backoff: int) -> Run:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return Run(1, "tick", "tests.probe.jobs.fail", [], {}, now, attempt=attempt, max_retries=100, retry_backoff=backoff)


def test_waits_that_begin_together_end_apart_and_never_early() -> None:
    waits = {wait_after(run(3, 10)) for _ in range(50)}
    assert len(waits) > 40
    assert all(timedelta(seconds=40) <= wait <= timedelta(seconds=40 * (1 + JITTER)) for wait in waits)


def test_without_a_backoff_the_next_attempt_is_due_at_once() -> None:
    assert wait_after(run(5, 0)) == timedelta(0)


@pytest.mark.parametrize("backoff", [1, 30, LONGEST_WAIT_SECONDS])
def test_no_wait_grows_beyond_a_day(backoff: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "JITTER", 0)
    waits = [wait_after(run(attempt, backoff)) for attempt in range(1, 102)]
    assert waits[0] == timedelta(seconds=backoff)
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST


@pytest.mark.parametrize("status", Status)
def test_what_failed_or_timed_out_is_tried_again(status: Status) -> None:
    last = run(attempt=101, backoff=10)
    assert bool(retry_of(Outcome(run(1, 10), status, last.run_time, last.run_time))) is (
        status in {Status.ERROR, Status.TIMED_OUT}
    )
    assert not retry_of(Outcome(last, status, last.run_time, last.run_time))
