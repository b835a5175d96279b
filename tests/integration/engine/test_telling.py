"""What a run tells while it goes on: it is in the row before the run ends, and never in the way of its end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from app_scheduler import current_execution
from app_scheduler.engine import telling
from app_scheduler.engine.capture import RunLog
from app_scheduler.engine.recorder import record
from app_scheduler.engine.runner import CurrentExecution
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.engine.telling import Telling, Writer
from app_scheduler.models import ExecutionDetail, Status
from tests.integration.engine.conftest import MakeJob, RunNow
from tests.integration.engine.faulty import outcome_of, started, wait_for_status
from tests.integration.engine.test_dispatch import status_of
from tests.live import wait_until


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write what a run tells as soon as it tells it."""
    monkeypatch.setattr(telling, "INTERVAL", 0.02)


def detail_of(pk: int) -> ExecutionDetail:
    return ExecutionDetail.objects.get(execution_id=pk)


def told(pk: int, log: str = "", **progress: Any) -> Telling:
    """Return what a run has told that began long ago."""
    kept = RunLog(10_000)
    if log:
        kept.add("INFO", log)
    made = Telling(pk, kept)
    made.began -= 60
    if progress:
        made.tell(**progress)
    return made


def asleep() -> bool:
    return not telling.writer._awake


# --- while it runs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["end", "fail"])
def test_progress_and_log_are_seen_before_the_run_ends(
    engine: ConsoleScheduler, run_now: RunNow, often: None, tmp_path: Path, end: str
) -> None:
    file = tmp_path / "asked"
    pk = run_now(function="tests.probe.jobs.follow", args=[str(file), 40])
    file.write_text("3")
    wait_until(lambda: detail_of(pk).progress_done == 3 and "step 3" in detail_of(pk).log, what="the third step")
    seen = detail_of(pk)
    assert (seen.progress_total, seen.progress_message) == (40, "at step 3")
    assert seen.progress_at is not None
    assert seen.finished_at is None
    file.write_text("5")
    wait_until(lambda: "step 5" in detail_of(pk).log, what="the fifth step")
    file.write_text(end)
    wait_for_status(pk, Status.EXECUTED if end == "end" else Status.ERROR)
    over = detail_of(pk)
    assert over.progress_done == 5
    assert [f"step {number}" in over.log for number in range(1, 6)] == [True] * 5
    wait_until(asleep, what="the writer's end")


def test_a_transaction_that_the_function_holds_is_in_nobodys_way(
    engine: ConsoleScheduler, run_now: RunNow, often: None, tmp_path: Path
) -> None:
    file = tmp_path / "asked"
    pk = run_now(function="tests.probe.jobs.follow", args=[str(file), 9, True])
    file.write_text("4")
    wait_until(lambda: Path(f"{file}.done").exists(), what="the fourth step")
    if connection.vendor == "postgresql":  # SQLite has one writer, which is the function.
        wait_until(lambda: detail_of(pk).progress_done == 4, what="what is told inside the transaction")
    file.write_text("fail")
    wait_for_status(pk, Status.ERROR)
    over = detail_of(pk)
    assert over.progress_done == 4
    assert "step 4" in over.log
    wait_until(asleep, what="the writer's end")


def test_a_run_shorter_than_the_interval_costs_no_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    monkeypatch.setattr(Writer, "_write", lambda self, each: written.append(each.execution_id))
    short = told(1, log="hello")
    short.began += 60
    writer = Writer()
    writer._running = {1: short, 2: told(2, log="hello")}
    writer.write()
    assert written == [2]


def test_what_has_not_changed_is_not_written_again(make_job: MakeJob, django_assert_num_queries: Any) -> None:
    make_job()
    pk = started()
    writer = Writer()
    writer._running[pk] = told(pk, log="hello", done=1, total=2, message="m")
    with django_assert_num_queries(1):
        writer.write()
        writer.write()
    writer._running[pk].tell(2, 2, "m")
    with django_assert_num_queries(1):
        writer.write()
        writer.write()
    assert detail_of(pk).progress_done == 2


# --- its end wins -------------------------------------------------------------------------------------------------


def test_what_comes_after_the_record_is_not_written(make_job: MakeJob) -> None:
    make_job()
    pk = started()
    record([outcome_of(pk)])
    Writer()._write(told(pk, log="half"))
    assert detail_of(pk).log == "said"


def test_what_waits_for_the_record_to_be_committed_is_not_written(transactional_db: None, make_job: MakeJob) -> None:
    make_job()
    pk = started()
    writer = Writer()
    writer._running[pk] = told(pk, log="half")

    def write() -> None:
        try:
            writer.write()
        finally:
            connection.close()

    thread = threading.Thread(target=write)
    with transaction.atomic():
        record([outcome_of(pk)])
        thread.start()
        thread.join(0.3)
    thread.join(30)
    assert not thread.is_alive()
    assert (detail_of(pk).log, status_of(pk)) == ("said", Status.EXECUTED)


def test_a_database_that_is_away_fails_no_run(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job()
    pk = started()
    writer = Writer()
    writer._running[pk] = told(pk, log="hello")
    write = Writer._write

    def away(self: Writer, each: Telling) -> None:
        raise OperationalError("database is locked")

    # The test's own connection is kept.
    monkeypatch.setattr(telling, "drop_connection", lambda: None)
    monkeypatch.setattr(Writer, "_write", away)
    writer.write()
    monkeypatch.setattr(Writer, "_write", write)
    writer.write()
    assert "hello" in detail_of(pk).log


def test_the_progress_of_a_short_run_is_in_its_record(make_job: MakeJob) -> None:
    make_job()
    pk = started()
    outcome = outcome_of(pk, Status.EXECUTED)
    outcome.progress = told(pk, done=7, total=9, message="seven").progress
    record([outcome])
    kept = detail_of(pk)
    assert (kept.progress_done, kept.progress_total, kept.progress_message) == (7, 9, "seven")
    assert kept.progress_rate is None


# --- what is told -------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("app_scheduler.engine.telling.time.monotonic", made)
    return made


def test_the_rate_is_that_of_late(clock: Clock) -> None:
    run = told(1)
    rates = []
    # Ten steps a second, then one.
    for second in range(100):
        clock.now += 1
        run.tell(second * 10 if second < 50 else 500 + second - 50, 2000, "")
        rates.append(run.progress.rate if run.progress else None)
    assert rates[:2] == [None, None]
    assert rates[2] == pytest.approx(10)
    assert rates[49] == pytest.approx(10)
    assert rates[-1] == pytest.approx(1)


def test_the_rate_is_not_known_where_nothing_moves_or_it_begins_anew(clock: Clock) -> None:
    run = told(1)
    for done in (5, 5, 5, 5):
        clock.now += 2
        run.tell(done, None, "")
    assert run.progress is not None
    assert run.progress.rate is None
    for done in (9, 1):
        clock.now += 2
        run.tell(done, None, "")
    assert run.progress.rate is None


@pytest.mark.parametrize(
    ("done", "total", "kept"),
    [
        (2.9, "10", (2, 10)),
        (10**30, -(10**30), (2**63 - 1, -(2**63) + 1)),
        (True, None, (1, None)),
    ],
)
def test_odd_numbers_are_made_to_fit(make_job: MakeJob, done: Any, total: Any, kept: tuple[int, int | None]) -> None:
    make_job()
    pk = started()
    Writer()._write(told(pk, done=done, total=total, message="nul\x00 and \ud800" + "x" * 999))
    row = detail_of(pk)
    assert (row.progress_done, row.progress_total) == kept
    assert row.progress_message.startswith("nul and ?")
    assert len(row.progress_message) == 255


@pytest.mark.parametrize("done", [None, "many", float("nan"), float("inf"), object()])
def test_what_is_no_number_fails_no_run(done: Any, caplog: pytest.LogCaptureFixture) -> None:
    run = told(1)
    CurrentExecution(outcome_of(1).run, run).progress(done, 10)
    assert "progress() takes whole numbers" in caplog.text
    assert run.progress is None


def test_outside_a_run_nothing_is_told() -> None:
    current_execution().progress(1, 2, "nobody listens")
