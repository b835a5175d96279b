"""Faults of the engine's threads and a database that is away: nothing ends a thread, nothing is lost."""

from __future__ import annotations

import ctypes
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from apscheduler.events import EVENT_ALL
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.db.backends.signals import connection_created
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine import loop, recorder
from app_scheduler.engine.claim import claim
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import ExecutionDetail, SchedulerInstance, Status
from tests.integration.engine.conftest import RunNow
from tests.integration.engine.faulty import fails_once, last_error, wait_for_status
from tests.integration.engine.test_dispatch import status_of
from tests.live import wait_until
from tests.probe import jobs as probe


@pytest.mark.parametrize("error", [SystemExit(1), MemoryError(), GeneratorExit(), KeyboardInterrupt(), KeyError("x")])
def test_no_exception_of_a_pass_ends_the_loop(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    thread = engine._thread
    monkeypatch.setattr(loop, "claim", fails_once(claim, error))
    wait_for_status(run_now(), Status.EXECUTED)
    wait_until(lambda: type(error).__name__ in last_error(engine), what="the fault on the status")
    assert engine._thread is thread


def test_a_listener_that_exits_ends_nothing(engine: ConsoleScheduler, run_now: RunNow) -> None:
    def leave(event: Any) -> None:
        raise SystemExit

    engine.add_listener(leave, EVENT_ALL)
    wait_for_status(run_now("first"), Status.EXECUTED)
    wait_for_status(run_now("second"), Status.EXECUTED)


def test_what_follows_a_recorded_execution_may_exit(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._recorder, "_on_recorded", fails_once(engine._after_recording, SystemExit()))
    wait_for_status(run_now("first"), Status.EXECUTED)
    wait_for_status(run_now("second"), Status.EXECUTED)


def strike(thread: threading.Thread | None) -> None:
    """Raise SystemExit between two statements of a thread, wherever it is."""
    assert thread is not None
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


def thread_of(engine: ConsoleScheduler, name: str) -> threading.Thread | None:
    threads = {
        "loop": lambda: engine._thread,
        "recorder": lambda: engine._recorder._thread,
        "doorbell": lambda: engine._doorbell._thread,
        "watchdog": lambda: engine._watchdog._thread,
    }
    return threads[name]()


@pytest.mark.parametrize("name", ["loop", "recorder", "doorbell", "watchdog"])
def test_a_thread_that_was_killed_is_started_again(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    # A second blow may strike while the first is reported, and pytest's own hook would not survive it.
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    wait_for_status(run_now("before"), Status.EXECUTED)
    killed = thread_of(engine, name)
    assert killed is not None

    def is_dead() -> bool:
        # It strikes when the thread comes back from what it waits in; a pass swallows it, so it is said again.
        if killed.is_alive():
            strike(killed)
            engine.wakeup()
            engine._doorbell.ring()
            with engine._recorder._condition:
                engine._recorder._condition.notify_all()
        return not killed.is_alive()

    wait_until(is_dead, what=f"the end of the {name}")
    wait_until(lambda: (now := thread_of(engine, name)) is not killed and now and now.is_alive(), what="another")
    wait_for_status(run_now("after"), Status.EXECUTED)
    wait_until(lambda: "started again" in last_error(engine), what="the fault on the status")


def test_a_worker_that_is_killed_gives_its_execution_a_verdict_and_its_slot_back(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "app_scheduler.engine.executors.threads.execute"
    from app_scheduler.engine.runner import execute

    monkeypatch.setattr(module, fails_once(execute, MemoryError("no room")))
    pk = run_now("first")
    wait_for_status(pk, Status.ERROR)
    assert "MemoryError: no room" in (DjangoJobExecution.objects.get(pk=pk).exception or "")
    wait_until(lambda: not any(executor.busy for executor in engine._consoles()), what="the free slot")
    wait_for_status(run_now("second"), Status.EXECUTED)


def test_a_pass_that_hangs_is_said_while_the_heartbeat_stands_still(
    engine: ConsoleScheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    go_on = threading.Event()

    def hang(*args: Any, **options: Any) -> Any:
        go_on.wait(20)
        return claim(*args, **options)

    monkeypatch.setattr(loop, "claim", hang)
    with caplog.at_level(logging.ERROR, "app_scheduler"):
        wait_until(lambda: "hangs" in last_error(engine), what="the fault on the status")
    heartbeat = SchedulerInstance.objects.get(id=engine.instance).heartbeat
    assert timezone.now() - heartbeat > timedelta(seconds=1)
    assert "in hang" in caplog.text, "the log says where"
    go_on.set()
    wait_until(lambda: SchedulerInstance.objects.get(id=engine.instance).heartbeat > heartbeat, what="a heartbeat")


def test_a_stop_waits_and_records_although_the_lease_cannot_be_released(
    engine: ConsoleScheduler, run_now: RunNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OperationalError("away")

    pk = run_now(function="tests.probe.jobs.sleep", kwargs={"seconds": 0.5})
    wait_for_status(pk, Status.STARTED)
    monkeypatch.setattr(engine._lease, "release", refuse)
    engine.shutdown()
    assert status_of(pk) == Status.EXECUTED
    assert not engine.serving


# --- a database that is away ------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite_options(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield a list of PRAGMAs that each connection gets which is made from now on.

    Connections last for one pass of the loop or one transaction of the recorder.
    """
    pragmas: list[str] = []
    record = recorder.record

    def record_on_new_connection(outcomes: Any) -> None:
        connection.close()
        record(outcomes)

    monkeypatch.setattr(recorder, "record", record_on_new_connection)

    def on_connect(sender: Any, connection: Any, **kwargs: Any) -> None:
        for pragma in pragmas:
            connection.connection.execute(pragma)

    age = connection.settings_dict["CONN_MAX_AGE"]
    connection.settings_dict["CONN_MAX_AGE"] = 0
    connection_created.connect(on_connect)
    yield pragmas
    connection_created.disconnect(on_connect)
    connection.settings_dict["CONN_MAX_AGE"] = age


@pytest.mark.skipif(django_settings.TEST_DATABASE != "sqlite", reason="SQLite only")
def test_a_lock_that_is_held_longer_than_the_timeout_costs_nothing_but_time(
    sqlite_options: list[str], engine: ConsoleScheduler, run_now: RunNow, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_options.append("PRAGMA busy_timeout = 50")
    waiting = run_now("waiting", function="tests.probe.jobs.count_slowly", kwargs={"seconds": 2})
    wait_for_status(waiting, Status.STARTED)
    path = str(connection.settings_dict["NAME"])
    with caplog.at_level(logging.INFO, "app_scheduler"), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        wait_until(lambda: engine._recorder.unflushed() and engine._faults.in_a_row(recorder.FAULT) > 5, what="faults")
        assert status_of(waiting) == Status.STARTED
        other.execute("ROLLBACK")
    wait_for_status(waiting, Status.EXECUTED)
    wait_for_status(run_now("after"), Status.EXECUTED)
    assert probe.effects.count(waiting) == 1
    assert caplog.text.count(f"{recorder.FAULT}: OperationalError") == 1, "said once"
    wait_until(lambda: "database is locked" in last_error(engine), what="the fault on the status")


@pytest.mark.skipif(
    django_settings.TEST_DATABASE != "sqlite", reason="SQLite only: max_page_count stands for a full disk"
)
def test_a_full_disk_costs_nothing_but_time(
    sqlite_options: list[str], engine: ConsoleScheduler, run_now: RunNow
) -> None:
    """PRAGMA max_page_count is what SQLite has to make a disk full for one connection."""
    pk = run_now(function="tests.probe.jobs.count_slowly", kwargs={"seconds": 2, "size": 100_000})
    wait_for_status(pk, Status.STARTED)
    with connection.cursor() as cursor:
        # What earlier tests have deleted left room in the file, which would be used first.
        cursor.execute("CREATE TABLE filler (x)")
        cursor.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size")
        cursor.execute("INSERT INTO filler VALUES (zeroblob(%s))", cursor.fetchone())
        cursor.execute("PRAGMA page_count")
        (pages,) = cursor.fetchone()
    sqlite_options.append(f"PRAGMA max_page_count = {pages}")
    wait_until(lambda: engine._faults.in_a_row(recorder.FAULT) > 3, what="faults")
    assert "full" in engine._faults.shown()
    sqlite_options.clear()
    wait_for_status(pk, Status.EXECUTED)
    assert len(ExecutionDetail.objects.get(pk=pk).log) > 100_000
    assert probe.effects == [pk]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE filler")


@pytest.mark.postgres
def test_connections_that_are_cut_at_random_cost_nothing_but_time(engine: ConsoleScheduler, run_now: RunNow) -> None:
    ids = [run_now(f"job-{number}") for number in range(5)]
    for number in range(20):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        ids.append(run_now(f"more-{number}"))
    for pk in ids:
        wait_for_status(pk, Status.EXECUTED)
    assert Counter(probe.effects) == Counter(ids)
