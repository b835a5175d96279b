"""Runs in child processes: what they tell, their limits, their crashes. The children are real."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from django.db import connection
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.executors.processes import ProcessesExecutor
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import Status
from tests.integration.engine.conftest import RunNow
from tests.live import wait_until
from tests.probe.hard import WAYS

SECONDS = 60
HARD = "tests.probe.hard."


@pytest.fixture(autouse=True)
def children_find_the_database(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have children read the settings of a real site, with the test's database."""
    settings = connection.settings_dict
    url = f"sqlite:///{settings['NAME']}"
    if connection.vendor == "postgresql":
        user, host = quote(settings["USER"], safe=""), settings["HOST"]
        url = f"postgresql://{user}@/{settings['NAME']}?host={host}&port={settings['PORT'] or 5432}"
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.live_settings")


@pytest.fixture
def processes(engine: ConsoleScheduler) -> ProcessesExecutor:
    executor = engine._executors["processes"]
    assert isinstance(executor, ProcessesExecutor)
    return executor


RunHard = Callable[..., int]


@pytest.fixture
def run_hard(run_now: RunNow) -> RunHard:
    """Return what runs a function of ``tests.probe.hard`` in a child process; it returns the execution's id."""

    def run(function: str, job_id: str = "hard", **document: object) -> int:
        return run_now(job_id, **{"executor": "processes", "function": HARD + function, **document})

    return run


def execution(pk: int) -> DjangoJobExecution:
    return DjangoJobExecution.objects.select_related("detail").get(pk=pk)


def ended(pk: int) -> DjangoJobExecution:
    """Wait for the verdict and return the execution."""
    wait_until(lambda: execution(pk).status not in (Status.QUEUED, Status.STARTED), SECONDS, f"a verdict for {pk}")
    told = execution(pk)
    print(told.exception, told.traceback, told.detail.reason, told.detail.log)  # Where the test fails, pytest shows it.
    return told


def test_a_run_tells_from_a_child_what_it_tells_from_a_thread(run_hard: RunHard) -> None:
    told = ended(run_hard("sum_up", kwargs={"numbers": [1, 2, 3]}))
    assert (told.status, told.detail.result) == (Status.EXECUTED, "6")
    pid = int(told.detail.worker.removeprefix("process "))
    assert pid != os.getpid()
    assert f"tests.probe.hard: summed up in {pid}" in told.detail.log
    assert told.detail.started_at and told.detail.finished_at
    assert told.detail.started_at <= told.detail.finished_at


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_stuck_is_ended_at_its_timeout(run_hard: RunHard, way: str) -> None:
    told = ended(run_hard("stick", args=[way], timeout=1))
    assert told.status == Status.TIMED_OUT
    assert told.detail.reason == "It was ended at its timeout of 1 s."
    assert "in stick" in (told.traceback or "")
    assert f"about to {way}" in told.detail.log


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_stuck_is_ended_when_it_is_cancelled(
    processes: ProcessesExecutor, run_hard: RunHard, run_now: RunNow, tmp_path: Path, way: str
) -> None:
    path = tmp_path / "lines"
    pk = run_hard("stick", args=[way, str(path)])
    pid = process_in(path)
    beside = run_now("beside", function="tests.probe.jobs.sleep", args=[0.5])
    assert processes.cancel(pk, "Enough.")
    told = ended(pk)
    assert told.status == Status.CANCELLED
    assert not psutil.pid_exists(pid)
    assert ended(beside).status == Status.EXECUTED
    assert not processes.cancel(pk, "Enough.")


def process_in(path: Path) -> int:
    """Wait until a file has a line, and return the process that it names."""
    wait_until(path.exists, SECONDS, f"{path}")
    wait_until(path.read_text, SECONDS, f"a line in {path}")
    return int(path.read_text().split()[1])


@pytest.mark.parametrize(
    ("way", "code", "words"),
    [
        ("segfault", 0, "was ended by signal 11 (SIGSEGV)."),
        ("exit", 3, "ended with exit code 3."),
        ("exit", 0, "ended with exit code 0."),
        ("kill", 9, "was ended by signal 9 (SIGKILL), which the system also sends where memory runs out."),
    ],
)
def test_a_crash_ends_its_run_and_says_how(run_hard: RunHard, run_now: RunNow, way: str, code: int, words: str) -> None:
    beside = run_hard("stick", "beside", args=["read_socket"], timeout=6)
    told = ended(run_hard("crash", args=[way, code]))
    assert (told.status, told.exception) == (Status.ERROR, f"ProcessEnded: The process that ran it {words}")
    assert told.detail.fingerprint
    assert f"about to {way}" in told.detail.log
    assert ("in crash" in (told.traceback or "")) is (way == "segfault")
    assert ended(run_hard("sum_up", "after", args=[[1]])).status == Status.EXECUTED
    assert ended(beside).status == Status.TIMED_OUT


def test_a_cancelled_run_takes_along_what_it_has_started(
    processes: ProcessesExecutor, run_hard: RunHard, tmp_path: Path
) -> None:
    path = tmp_path / "program"
    pk = run_hard("start_subprocess", args=[str(path)])
    wait_until(lambda: path.exists() and path.read_text(), SECONDS, "the program")
    program = psutil.Process(int(path.read_text()))
    assert processes.cancel(pk, "Enough.")
    assert ended(pk).status == Status.CANCELLED
    wait_until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE, 5, "its end")


def test_a_crash_takes_along_what_the_run_has_started(run_hard: RunHard, tmp_path: Path) -> None:
    path = tmp_path / "program"
    pk = run_hard("start_subprocess", args=[str(path)])
    wait_until(lambda: path.exists() and path.read_text(), SECONDS, "the program")
    program = psutil.Process(int(path.read_text()))
    program.parent().kill()
    assert ended(pk).status == Status.ERROR
    wait_until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE, 5, "its end")


def test_a_run_that_still_waits_for_a_child_is_cancelled_at_once(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    executor = ProcessesExecutor(1)
    executor.on_finish, executor.on_free = outcomes.append, lambda: None
    path, never = tmp_path / "lines", tmp_path / "never"
    executor.submit([a_run(1, "stick", "ignore", str(path)), a_run(2, "tell_process", str(never))])
    try:
        process_in(path)
        assert executor.cancel(2, "Enough.")
        assert [(o.run.execution_id, o.status) for o in outcomes] == [(2, Status.CANCELLED)]
        assert not executor.cancel(2, "Enough.")
        assert executor.cancel(1, "Enough.")
        wait_until(lambda: not executor.busy, SECONDS, "both ends")
        assert [(o.run.execution_id, o.status) for o in outcomes][1:] == [(1, Status.CANCELLED)]
        assert not never.exists()
    finally:
        close(executor)


def test_what_was_cancelled_while_it_waited_is_not_given_back(tmp_path: Path) -> None:
    outcomes: list[Outcome] = []
    executor = ProcessesExecutor(1)
    executor.on_finish, executor.on_free = outcomes.append, lambda: None
    path = tmp_path / "lines"
    executor.submit([a_run(1, "stick", "ignore", str(path)), a_run(2, "tell_process"), a_run(3, "tell_process")])
    try:
        process_in(path)
        assert executor.cancel(2, "Enough.")
        assert [run.execution_id for run in executor.take_back()] == [3]
    finally:
        close(executor)


def test_a_child_is_kept_for_the_next_run_until_it_has_had_its_share() -> None:
    executor = ProcessesExecutor(1, max_runs_per_worker=2)
    assert len(set(results(executor, 2))) == 1
    executor = ProcessesExecutor(1, max_runs_per_worker=2)
    assert len(set(results(executor, 5))) == 3


def test_a_child_that_has_nothing_to_do_ends_and_comes_back() -> None:
    executor = ProcessesExecutor(1, idle_seconds=0.1)
    first = results(executor, 1, keep=True)
    wait_until(lambda: not psutil.pid_exists(int(first[0])), SECONDS, "the end of the idle child")
    assert results(executor, 1) != first


def test_children_that_are_to_be_warm_start_with_the_executor() -> None:
    executor = ProcessesExecutor(1, warm_up=True)
    executor.start(ConsoleScheduler(), "processes")
    wait_until(lambda: own_children(), SECONDS, "a child")
    warm = own_children()
    assert [int(pid) for pid in results(executor, 1)] == warm


def test_a_child_that_was_killed_while_it_had_nothing_to_do_costs_no_run() -> None:
    executor = ProcessesExecutor(1)
    (first,) = results(executor, 1, keep=True)
    os.kill(int(first), signal.SIGKILL)
    (second,) = results(executor, 1)
    assert second not in ("", first)


def test_a_site_that_cannot_be_set_up_in_a_child_is_told_in_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.no_such_settings")
    outcomes: list[Outcome] = []
    results(ProcessesExecutor(1), 1, outcomes)
    (outcome,) = outcomes
    assert outcome.status == Status.ERROR
    assert outcome.exception == "ModuleNotFoundError: No module named 'tests.no_such_settings'"
    assert "django.setup()" in (outcome.traceback or "")


def test_a_run_that_may_not_start_any_more_does_not(tmp_path: Path) -> None:
    path = tmp_path / "never"
    executor = ProcessesExecutor(1)
    executor.may_start = lambda run: False
    executor.on_finish, executor.on_free = (lambda outcome: pytest.fail(str(outcome))), lambda: None
    executor.submit([a_run(1, "tell_process", str(path))])
    wait_until(lambda: not executor.busy, SECONDS, "the end")
    close(executor)
    assert not path.exists()


def a_run(pk: int, function: str, *args: object) -> Run:
    return Run(pk, f"job-{pk}", HARD + function, list(args), {}, datetime(2026, 11, 23, tzinfo=UTC))


def results(
    executor: ProcessesExecutor, count: int, outcomes: list[Outcome] | None = None, *, keep: bool = False
) -> list[str]:
    """Return the processes of some runs, one after the other, and stop the executor unless it is kept."""
    ended = [] if outcomes is None else outcomes
    executor.on_finish, executor.on_free = ended.append, lambda: None
    for pk in range(1, count + 1):
        executor.submit([a_run(pk, "tell_process")])
        wait_until(lambda: not executor.busy, SECONDS, f"the end of run {pk}")
    if not keep:
        close(executor)
    return [outcome.result for outcome in ended]


def close(executor: ProcessesExecutor) -> None:
    executor.stop(0)
    executor.end()
    wait_until(lambda: not executor._threads, SECONDS, "the end of its threads")


def own_children() -> list[int]:
    return [child.pid for child in psutil.Process().children() if "multiprocessing.spawn" in " ".join(child.cmdline())]
