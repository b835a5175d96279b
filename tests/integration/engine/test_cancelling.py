"""Cancelling what runs in threads: it is told, ends when it looks, and has the verdict that says so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import current_execution, services
from app_scheduler.engine.cancelling import asked_of
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.runner import Run, execute
from app_scheduler.exceptions import ExecutionCancelled, InvalidInput
from app_scheduler.models import ExecutionDetail, Status
from app_scheduler.services import Actor
from tests.integration.engine.conftest import MakeJob, RunNow
from tests.live import wait_until

SECONDS = 20


def execution(pk: int) -> DjangoJobExecution:
    return DjangoJobExecution.objects.select_related("detail").get(pk=pk)


def ended(pk: int) -> DjangoJobExecution:
    wait_until(lambda: execution(pk).status not in (Status.QUEUED, Status.STARTED), SECONDS, f"a verdict for {pk}")
    return execution(pk)


def begun(path: Path) -> None:
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), SECONDS, "its beginning")


@pytest.mark.parametrize("function", ["work_off", "check_often", "wait_for_ever"])
def test_a_run_that_looks_ends_when_it_is_cancelled(run_now: RunNow, tmp_path: Path, function: str) -> None:
    path = tmp_path / "lines"
    pk = run_now("long", function=f"tests.probe.cooperative.{function}", kwargs={"path": str(path)})
    begun(path)
    assert not services.cancel_execution(pk, Actor(User.objects.create(username="ana")), reason="the feed is down")
    told = ended(pk)
    assert (told.status, told.detail.reason) == (
        Status.CANCELLED,
        "Cancelled by ana while it ran: the feed is down.",
    )
    assert ("stopped after" if function == "work_off" else "cleaned up") in told.detail.log
    assert not told.exception and not told.detail.fingerprint
    assert (told.detail.result.endswith('items"')) is (function == "work_off")


def test_a_run_that_never_looks_comes_to_its_own_end(run_now: RunNow, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    kwargs = {"path": str(path), "seconds": 2.5}
    pk = run_now("deaf", function="tests.probe.cooperative.never_look", kwargs=kwargs)
    begun(path)
    assert not services.cancel_execution(pk, Actor())
    told = ended(pk)
    assert (told.status, told.detail.result) == (Status.EXECUTED, '"done"')
    assert told.detail.reason == "Cancelled by a program while it ran. It never looked, and came to its own end."


def test_what_is_queued_has_its_verdict_at_once_and_what_has_ended_keeps_it(
    make_job: MakeJob, run_now: RunNow, tmp_path: Path
) -> None:
    path = tmp_path / "lines"
    running = run_now("one", function="tests.probe.cooperative.work_off", kwargs={"path": str(path)})
    begun(path)
    (waiting,) = services.run_now(["one"], Actor())
    assert services.cancel_execution(waiting, Actor(), reason="Not now.")
    assert execution(waiting).detail.reason == "Cancelled by a program: Not now."
    assert not services.cancel_execution(running, Actor())
    with pytest.raises(InvalidInput, match=r"cancelled already|ended already"):
        services.cancel_execution(running, Actor())
    ended(running)
    with pytest.raises(InvalidInput, match="ended already"):
        services.cancel_execution(running, Actor())


def test_a_second_cancel_says_that_there_was_one(make_job: MakeJob) -> None:
    make_job()
    (pk,) = services.run_now(["tick"], Actor())
    DjangoJobExecution.objects.filter(pk=pk).update(status=Status.STARTED)
    ExecutionDetail.objects.filter(pk=pk).update(available_at=None, started_at=utc_now(), instance="elsewhere")
    assert not services.cancel_execution(pk, Actor(), reason="First.")
    with pytest.raises(InvalidInput, match="has been cancelled already"):
        services.cancel_execution(pk, Actor(), reason="Second.")
    assert asked_of("elsewhere") == {pk: "Cancelled by a program while it ran: First."}
    assert asked_of("here") == {}


# --- by its own clock -------------------------------------------------------------------------------------------------


def run(function: str, timeout: int | None = None, **kwargs: Any) -> Run:
    now = utc_now()
    return Run(1, "job", f"tests.probe.cooperative.{function}", [], kwargs, now, timeout=timeout)


@pytest.mark.parametrize("function", ["work_off", "check_often", "wait_for_ever"])
def test_a_run_that_looks_ends_at_its_timeout(function: str) -> None:
    with ThreadPoolExecutor(1) as pool:  # The runner closes its thread's connections, which must not be the test's.
        outcome = pool.submit(execute, run(function, timeout=1)).result()
    assert outcome.status == Status.TIMED_OUT
    assert "longer than its timeout of 1 s" in outcome.reason
    assert not outcome.fingerprint


def test_outside_of_a_run_nothing_is_cancelled() -> None:
    current_execution().check()
    assert not current_execution().cancelled


def test_what_ends_a_run_is_no_error_that_functions_catch() -> None:
    assert not issubclass(ExecutionCancelled, Exception)
