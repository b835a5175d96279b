"""What tests of faults share: calls that fail once, a COMMIT whose outcome is unknown, rows as they are left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import ExecutionDetail, SchedulerInstance, Status
from tests.integration.engine.conftest import START
from tests.integration.engine.test_dispatch import status_of
from tests.live import wait_until


def wait_for_status(pk: int, status: Status, seconds: float = 20) -> None:
    wait_until(lambda: status_of(pk) == status, seconds, f"{status!r} of execution {pk}")


def last_error(scheduler: ConsoleScheduler) -> str:
    return SchedulerInstance.objects.values_list("last_error", flat=True).get(id=scheduler.instance)


def fails_once(function: Callable[..., Any], error: BaseException, *, after: bool = False) -> Callable[..., Any]:
    """Return ``function`` with a first call that raises, before or after it did its work."""
    calls: list[int] = []

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            return function(*args, **kwargs)
        if after:
            function(*args, **kwargs)
        raise error

    return wrapper


@contextlib.contextmanager
def commit_that_fails(monkeypatch: pytest.MonkeyPatch, *, after: bool) -> Iterator[None]:
    """Let the next transaction raise in its COMMIT, before or after the server has carried it out."""

    @contextlib.contextmanager
    def atomic() -> Iterator[None]:
        monkeypatch.setattr(transaction, "atomic", transaction_atomic)
        with transaction_atomic():
            yield
            if not after:
                raise OperationalError("lost before COMMIT")
        raise OperationalError("lost after COMMIT")

    transaction_atomic = transaction.atomic
    with monkeypatch.context():
        monkeypatch.setattr(transaction, "atomic", atomic)
        with pytest.raises(OperationalError):
            yield
        monkeypatch.setattr(transaction, "atomic", transaction_atomic)


def queued(offset: float = 0) -> int:
    moment = START + timedelta(seconds=offset)
    return insert([Entry("tick", moment, moment)])[0]


def outcome_of(pk: int, status: Status = Status.EXECUTED, **run: Any) -> Outcome:
    made = Run(pk, "tick", "tests.probe.jobs.add", [1], {}, START, **run)
    return Outcome(made, status, START, START + timedelta(seconds=1), log="said")


def started(instance: str = "here", offset: float = 0) -> int:
    pk = queued(offset)
    DjangoJobExecution.objects.filter(pk=pk).update(status=Status.STARTED)
    ExecutionDetail.objects.filter(pk=pk).update(available_at=None, started_at=START, instance=instance)
    return pk
