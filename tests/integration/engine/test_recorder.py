"""The recorder: an outcome is written once and surely, whatever the database does."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, InternalError, OperationalError

from app_scheduler.engine import recorder, retrying
from app_scheduler.engine.faults import Faults
from app_scheduler.engine.recorder import Recorder
from app_scheduler.engine.runner import Outcome
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import ExecutionDetail, Status
from tests.integration.engine.conftest import START, MakeJob, RunNow
from tests.integration.engine.faulty import (
    fails_once,
    last_error,
    outcome_of,
    queued,
    started,
    wait_for_status,
)
from tests.integration.engine.test_dispatch import status_of
from tests.live import wait_until


def write(given: Outcome, faults: Faults | None = None) -> None:
    """Write as the recorder does, in this thread."""
    Recorder(lambda outcomes: None, faults)._write_surely([given])


def test_an_outcome_that_was_recorded_and_raised_is_written_again_without_harm(
    make_job: MakeJob, keep_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job()
    pk = started()
    away = OperationalError("lost after COMMIT")
    monkeypatch.setattr(recorder, "record", fails_once(recorder.record, away, after=True))
    write(outcome_of(pk, Status.ERROR, max_retries=1))
    assert status_of(pk) == Status.ERROR
    assert ExecutionDetail.objects.filter(retry_of=pk).count() == 1


def test_a_server_that_became_read_only_is_waited_for_and_said_once(
    make_job: MakeJob, keep_connection: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_job()
    pk = started()
    monkeypatch.setattr(recorder, "MAX_BACKOFF_SECONDS", 0.01)
    record, calls = recorder.record, []

    def away(outcomes: Any) -> None:
        calls.append(1)
        if len(calls) < 30:
            raise InternalError("cannot execute UPDATE in a read-only transaction")
        record(outcomes)

    monkeypatch.setattr(recorder, "record", away)
    faults = Faults()
    with caplog.at_level(logging.INFO, "app_scheduler"):
        write(outcome_of(pk), faults)
    assert (status_of(pk), ExecutionDetail.objects.get(pk=pk).log) == (Status.EXECUTED, "said")
    assert caplog.text.count("read-only") == 1
    assert "Over after 29 times" in caplog.text
    assert "(time 29)" in faults.shown()


def test_an_outcome_that_cannot_be_stored_as_it_is_survives_an_outage_in_between(
    make_job: MakeJob, keep_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job()
    pk = started()
    record, errors = recorder.record, [IntegrityError("no"), OperationalError("away"), OperationalError("away")]

    def fails(outcomes: Any) -> None:
        if errors:
            raise errors.pop(0)
        record(outcomes)

    monkeypatch.setattr(recorder, "record", fails)
    write(outcome_of(pk))
    assert status_of(pk) == Status.EXECUTED
    assert "could not be stored: IntegrityError" in ExecutionDetail.objects.get(pk=pk).reason


def test_a_retry_gives_way_to_a_tick_at_its_very_moment(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "JITTER", 0)
    make_job()
    pk = started()
    given = outcome_of(pk, Status.ERROR, max_retries=1, retry_backoff=4)
    queued(offset=5)
    recorder.record([given])
    retry = ExecutionDetail.objects.get(retry_of=pk)
    assert retry.execution.run_time > START + timedelta(seconds=5)


def test_a_full_recorder_holds_dispatch_back_until_it_has_written(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MAX_UNFLUSHED", 0)
    pk = run_now()
    wait_until(lambda: "too many finished executions" in last_error(engine), what="the fault on the status")
    assert status_of(pk) == Status.QUEUED
    monkeypatch.setattr(recorder, "MAX_UNFLUSHED", 1)
    wait_for_status(pk, Status.EXECUTED)
    wait_until(lambda: engine._recorder._characters == 0, what="an empty recorder")
    monkeypatch.setattr(recorder, "MAX_CHARACTERS", 0)
    assert engine._recorder.full


def test_why_a_run_stands_for_several_ticks_outlives_its_end(make_job: MakeJob) -> None:
    make_job()
    pk = started()
    ExecutionDetail.objects.filter(pk=pk).update(reason="Runs once for 10 ticks.")
    recorder.record([outcome_of(pk)])
    assert (status_of(pk), ExecutionDetail.objects.get(pk=pk).reason) == (Status.EXECUTED, "Runs once for 10 ticks.")
