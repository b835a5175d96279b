"""Makers of failures as the engine leaves them: an execution with its traceback and verdict, and its group."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from django.utils import timezone

from app_scheduler import services
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.recorder import record
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.models import FailureGroup, JobSpec, Status
from app_scheduler.services import Actor

TRACEBACK = """Traceback (most recent call last):
  File "/srv/elsewhere/games/mail.py", line 88, in deliver
    smtp.send_message(message)
  File "/usr/lib/python3.13/smtplib.py", line 986, in send_message
    return self.sendmail(from_addr, to_addrs, flatmsg)
ValueError: no
"""


def make_job(job_id: str = "digest", **document: object) -> JobSpec:
    """Create a job; its ticks are far away, unless its document says otherwise."""
    given = {"function": "tests.probe.jobs.add", "args": [1], "trigger": "0 8 * * 1-5 in Australia/Sydney"}
    return services.create_job({"id": job_id, **given, **document}, Actor())


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def run(job_id: str, at: datetime, status: Status = Status.EXECUTED, *, fault: str = "", text: str = "") -> int:
    """Give a run that ends at ``at`` its verdict; return the execution's id."""
    due = at - timedelta(seconds=2)
    (pk,) = insert([Entry(job_id, due, due, status=Status.STARTED, args=[1], kwargs={"b": 5})])
    began = Run(pk, job_id, "tests.probe.jobs.add", [1], {"b": 5}, due)
    outcome = Outcome(began, status, due, at)
    if status == Status.ERROR:
        where = "games.py, line 4, in deal"
        outcome = replace(outcome, fingerprint=fault, exception=text, place=where, traceback=TRACEBACK)
    record([outcome])
    return pk


def fail(job_id: str = "digest", at: datetime | None = None, *, fault: str = "f", text: str = "ValueError: no") -> int:
    """Let a run of a job fail at a moment, an hour ago unless told otherwise; return the execution's id."""
    return run(job_id, at or ago(hours=1), Status.ERROR, fault=fault, text=text)


def group_of(job_id: str = "digest", fault: str = "f") -> FailureGroup:
    return FailureGroup.objects.get(job_id=job_id, fingerprint=fault)
