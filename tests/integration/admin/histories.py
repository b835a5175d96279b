"""Makers of stored executions in any state, as the engine and plain django-apscheduler leave them behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.engine.queue import timestamp
from app_scheduler.models import ExecutionDetail, JobSpec, Status
from app_scheduler.services import Actor

LIST = "/admin/django_apscheduler/djangojobexecution/"
INSTANCE = "web-2-4711-0a1b2c"

TRACEBACK = """Traceback (most recent call last):
  File "/srv/elsewhere/games/mail.py", line 88, in deliver
    smtp.send_message(message)
  File "/usr/lib/python3.13/smtplib.py", line 986, in send_message
    return self.sendmail(from_addr, to_addrs, flatmsg)
smtplib.SMTPServerDisconnected: Connection unexpectedly closed
"""


def make_job(job_id: str = "digest", **document: Any) -> JobSpec:
    """Create a job; its ticks are far away, unless its document says otherwise."""
    given = {"function": "tests.probe.jobs.add", "args": [1], "trigger": "0 8 * * 1-5 in Australia/Sydney"}
    return services.create_job({"id": job_id, **given, **document}, Actor())


def make_strange_job(job_id: str = "strange") -> DjangoJob:
    """Create a job as plain django-apscheduler does: without a definition."""
    return DjangoJob.objects.create(id=job_id, next_run_time=None, job_state=b"")


def make_execution(
    job_id: str = "digest",
    status: str = Status.EXECUTED,
    *,
    due: datetime | None = None,
    late: float | None = 0.012,
    took: float | None = 2.31,
    exception: str | None = None,
    traceback: str | None = None,
    **detail: Any,
) -> DjangoJobExecution:
    """Create an execution that went through the steps that its status needs."""
    due = due or timezone.now() - timedelta(minutes=5)
    ran = status not in (Status.QUEUED, Status.MISSED, Status.MAX_INSTANCES, Status.CANCELLED, Status.SKIPPED)
    started = due + timedelta(seconds=late) if ran and late is not None else None
    on_the_way = status in (Status.QUEUED, Status.STARTED)
    finished = None if on_the_way else (started or due) + timedelta(seconds=took or 0)
    execution = DjangoJobExecution.objects.create(
        job_id=job_id,
        status=status,
        run_time=due,
        duration=Decimal(str(round(took or 0, 2))) if finished and started else None,
        finished=timestamp(finished) if finished else None,
        exception=exception,
        traceback=traceback,
    )
    values = {
        "queued_at": due + timedelta(milliseconds=4),
        "available_at": due if status == Status.QUEUED else None,
        "started_at": started,
        "finished_at": finished,
        "instance": INSTANCE if started else "",
        **detail,
    }
    ExecutionDetail.objects.create(execution=execution, **values)
    return DjangoJobExecution.objects.get(pk=execution.pk)


def make_strange_execution(job_id: str = "strange", status: str = Status.EXECUTED, **values: Any) -> DjangoJobExecution:
    """Create an execution as plain django-apscheduler does: without a detail."""
    given = {"run_time": timezone.now() - timedelta(minutes=5), "duration": Decimal("1.50"), **values}
    return DjangoJobExecution.objects.create(job_id=job_id, status=status, **given)


def fill(job_id: str, number: int) -> None:
    """Add ``number`` executions with their details, a second apart, in bulk."""
    now = timezone.now() - timedelta(days=1)
    made = DjangoJobExecution.objects.bulk_create(
        [
            DjangoJobExecution(job_id=job_id, status=Status.EXECUTED, run_time=now - timedelta(seconds=second))
            for second in range(number)
        ],
        batch_size=1000,
    )
    ExecutionDetail.objects.bulk_create(
        [ExecutionDetail(execution=execution, queued_at=execution.run_time) for execution in made], batch_size=1000
    )


def client_with(*permissions: str, name: str = "viewer") -> Client:
    """Return a client logged in as a staff member who has these permissions, by codename, and no others."""
    user = User.objects.create_user(name, is_staff=True)
    found = list(Permission.objects.filter(codename__in=permissions))
    assert len(found) == len(permissions), f"not all of {permissions} exist"
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


def page_url(execution: DjangoJobExecution | int, act: str = "change") -> str:
    pk = execution if isinstance(execution, int) else execution.pk
    return f"{LIST}{pk}/{act}/"
