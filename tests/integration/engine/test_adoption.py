"""Rows that plain django-apscheduler made: read safely, adopted once, never lost."""

from __future__ import annotations

import os
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.calendarinterval import CalendarIntervalTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from django_apscheduler.jobstores import DjangoJobStore
from django_apscheduler.models import DjangoJob

from app_scheduler import triggers
from app_scheduler.engine.adoption import adopt
from app_scheduler.models import JobSpec, JobState
from tests.probe.jobs import add

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def stock_row(trigger: BaseTrigger, **values: Any) -> DjangoJob:
    """Make a row exactly as plain django-apscheduler does."""
    scheduler = BackgroundScheduler(timezone="Australia/Sydney")
    options = {"next_run_time": trigger.get_next_fire_time(None, NOW), "max_instances": 1, "misfire_grace_time": 1}
    job = Job(scheduler, id="old", func=add, trigger=trigger, args=[1], kwargs={}, executor="default", coalesce=True)
    job._modify(**{**options, **values})
    DjangoJobStore().add_job(job)
    return DjangoJob.objects.get(id="old")


@pytest.mark.parametrize(
    ("trigger", "kind"),
    [
        (IntervalTrigger(minutes=5), "interval"),
        (CronTrigger(hour=3, day_of_week="mon-fri", day="1st mon,last", timezone="Australia/Sydney"), "cron"),
        (CronTrigger.from_crontab("*/5 3-9 * jan-mar *", timezone=ZoneInfo("Asia/Kathmandu")), "cron"),
        (DateTrigger("2099-01-01 00:00:00", timezone="UTC"), "date"),
        (CalendarIntervalTrigger(months=2, hour=9, timezone="Australia/Sydney"), "calendar"),
        (OrTrigger([CronTrigger(hour=3), IntervalTrigger(hours=5)]), "any"),
    ],
)
def test_every_stock_trigger_is_adopted_with_its_next_tick(trigger: BaseTrigger, kind: str) -> None:
    row = stock_row(trigger, max_instances=3, misfire_grace_time=77)
    assert adopt(NOW) == ["old"]
    spec = JobSpec.objects.select_related("job").get()
    assert (spec.trigger_type, spec.state, spec.function) == (kind, JobState.SCHEDULED, "tests.probe.jobs.add")
    assert (spec.args, spec.max_instances, spec.misfire_grace_time) == ([1], 3, 77)
    assert spec.job.next_run_time == row.next_run_time
    assert adopt(NOW) == []


def test_an_interval_keeps_its_phase() -> None:
    start = datetime(2026, 11, 23, 12, 0, 7, tzinfo=UTC)
    stock_row(IntervalTrigger(minutes=5, start_date=start))
    adopt(NOW)
    spec = JobSpec.objects.get()
    tick = triggers.schedule_for(spec.trigger, anchor=spec.anchor).next_after(start)
    assert tick == start + timedelta(minutes=5)


def test_a_paused_row_stays_paused() -> None:
    stock_row(IntervalTrigger(minutes=5), next_run_time=None)
    adopt(NOW)
    assert JobSpec.objects.get().state == JobState.PAUSED


def test_a_row_whose_function_is_gone_is_kept_and_says_so() -> None:
    row = stock_row(IntervalTrigger(minutes=5))
    row.job_state = bytes(row.job_state).replace(b"tests.probe.jobs:add", b"tests.probe.jobs:old")
    row.save()
    adopt(NOW)
    spec = JobSpec.objects.select_related("job").get()
    assert (spec.state, spec.job.next_run_time, spec.function) == (JobState.BROKEN, None, "tests.probe.jobs.old")
    assert "not a registered function" in spec.state_reason
    assert spec.trigger == {"type": "interval", "minutes": 5}


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.path}",)


class Attribute:
    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (datetime, "__subclasses__")


@pytest.mark.parametrize("state", ["hostile", "attribute", "garbage", "empty", "wrong"])
def test_a_row_that_cannot_be_read_is_kept_and_nothing_of_it_runs(state: str, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    states = {
        "hostile": pickle.dumps({"trigger": Hostile(proof)}),
        "attribute": pickle.dumps({"trigger": Attribute()}),
        "garbage": b"\x80\x04garbage",
        "empty": b"",
        "wrong": pickle.dumps(["not", "a", "job"]),
    }
    DjangoJob.objects.create(id="bad", next_run_time=NOW, job_state=states[state])
    adopt(NOW)
    spec = JobSpec.objects.select_related("job").get()
    assert (spec.state, spec.job.next_run_time) == (JobState.BROKEN, None)
    assert "cannot be read" in spec.state_reason
    assert not proof.exists()
