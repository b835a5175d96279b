"""The engine's parts one by one, with rows in a real database and a clock that the test holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, triggers
from app_scheduler.engine import jobstore
from app_scheduler.models import JobSpec

#: The moment at which the tests' schedules are set.
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

MakeJob = Callable[..., JobSpec]


@pytest.fixture
def make_job(db: None) -> MakeJob:
    """Return a maker of stored jobs: each second from START, unless its document says otherwise."""

    def make(**document: Any) -> JobSpec:
        given = {"id": "tick", "function": "tests.probe.jobs.add", "args": [1], "trigger": "every 1s", **document}
        clean = documents.clean(given, now=START)
        spec = documents.new_spec(clean, origin="staff", anchor=START)
        tick = triggers.schedule_for(spec.trigger, anchor=START).next_after(START)
        jobstore.insert_jobs([(spec, None if clean["paused"] else tick)])
        return JobSpec.objects.select_related("job").get(job_id=clean["id"])

    return make


def next_run_time(job_id: str = "tick") -> datetime | None:
    return DjangoJob.objects.values_list("next_run_time", flat=True).get(id=job_id)
