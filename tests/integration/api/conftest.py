"""Who asks, and what there is to ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django_apscheduler.models import DjangoJobExecution
from rest_framework.test import APIClient

from app_scheduler import services
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobOrigin, JobSpec, Status
from app_scheduler.registry import registry
from app_scheduler.services import Actor

VIEWER = ("django_apscheduler.view_djangojob", "django_apscheduler.view_djangojobexecution")
OPERATOR = (*VIEWER, "app_scheduler.run_job", "app_scheduler.pause_job")
EDITOR = (
    *VIEWER,
    "django_apscheduler.add_djangojob",
    "django_apscheduler.change_djangojob",
    "django_apscheduler.delete_djangojob",
)

ClientMaker = Callable[..., APIClient]
JobMaker = Callable[..., JobSpec]
ExecutionMaker = Callable[..., DjangoJobExecution]


def make_user(name: str, permissions: tuple[str, ...] = (), **fields: Any) -> Any:
    user = get_user_model().objects.create_user(name, password="secret", **fields)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


@pytest.fixture
def client_with(db: None) -> ClientMaker:
    """Return the maker of clients whose user has exactly these permissions."""

    def make(*permissions: str) -> APIClient:
        client = APIClient()
        count = get_user_model().objects.count()
        client.force_authenticate(make_user(f"user{count}", permissions))
        return client

    return make


@pytest.fixture
def client(db: None) -> APIClient:
    """Return a client that may do everything."""
    client = APIClient()
    client.force_authenticate(make_user("ana", is_superuser=True))
    return client


@pytest.fixture
def make_job(db: None) -> JobMaker:
    def make(id: str = "adder", **document: Any) -> JobSpec:
        data = {"id": id, "function": "tests.probe.jobs.add", "kwargs": {"a": 1}, "trigger": "every 1h", **document}
        return services.create_job(data, Actor(origin=JobOrigin.STAFF))

    return make


@pytest.fixture
def make_execution(db: None) -> ExecutionMaker:
    """Return the maker of executions that have run; with ``plain=True``, as plain django-apscheduler records them."""

    def make(
        job_id: str = "adder",
        status: str = Status.EXECUTED,
        run_time: datetime | None = None,
        *,
        plain: bool = False,
        exception: str | None = None,
        traceback: str | None = None,
        **detail: Any,
    ) -> DjangoJobExecution:
        moment = run_time or datetime.now(UTC) - timedelta(hours=1, seconds=DjangoJobExecution.objects.count())
        execution = DjangoJobExecution.objects.create(
            job_id=job_id,
            status=status,
            run_time=moment,
            exception=exception,
            traceback=traceback,
            finished=round(moment.timestamp() + 2, 2),
            duration="2.00",
        )
        if not plain:
            given = {
                "origin": ExecutionOrigin.SCHEDULE,
                "queued_at": moment,
                "started_at": moment + timedelta(seconds=0.5),
                "finished_at": moment + timedelta(seconds=2),
                "function": "tests.probe.jobs.add",
                "args": [],
                "kwargs": {"a": 1},
                "instance": "host:1",
                "log": "hello\n",
                "result": "3",
            }
            ExecutionDetail.objects.create(execution=execution, **{**given, **detail})
        return execution

    return make


def connect(host: str, password: str, options: dict[str, Any] | None = None) -> None:
    """Stand in for a function with secrets."""


@pytest.fixture
def secret_function() -> Iterator[str]:
    """Register a function that takes a password; return its name."""
    registered = registry.register(connect)
    yield registered.name
    del registry._functions[registered.name]
