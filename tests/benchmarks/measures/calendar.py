"""The calendar's pages with many jobs: crontabs, intervals from a second to a day, any-of and calendar intervals."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client, override_settings
from django.urls import reverse
from django_apscheduler.models import DjangoJob

from app_scheduler import triggers
from app_scheduler.models import JobSpec
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Side

ROWS_PER_STATEMENT = 500
#: Each view is asked for several periods, none of them twice but for “again”.
PERIODS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=31)}
LOOKS = 5
FIRST = date(2031, 1, 15)


def measure(side: Side, case: Case) -> Outcome:
    side.become_client()
    _fill(case.count)
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("reader"))
    figures: dict[str, float] = {}
    # The test client asks as a site without TLS.
    # Names of static files with a hash need a step that a benchmark has not taken.
    plain = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(ALLOWED_HOSTS=["testserver"], SECURE_SSL_REDIRECT=False, STORAGES=plain):
        _look(client, "day", FIRST - timedelta(days=400))
        for view, step in PERIODS.items():
            looks = [_look(client, view, FIRST + number * step) for number in range(LOOKS)]
            figures |= {f"{view}_{unit}": median(each) for unit, each in _apart(looks).items()}
        last = FIRST + (LOOKS - 1) * PERIODS["day"]
        _look(client, "day", last)
        figures["again_ms"] = median(elapsed for elapsed, _cpu in [_look(client, "day", last) for _ in range(LOOKS)])
    return Outcome(figures, case.count, case.count)


def _apart(looks: Sequence[tuple[float, float]]) -> dict[str, list[float]]:
    return {"ms": [elapsed for elapsed, _cpu in looks], "cpu_ms": [cpu for _elapsed, cpu in looks]}


def _look(client: Client, view: str, day: date) -> tuple[float, float]:
    """Return the milliseconds that a page took, and those that this process worked for it."""
    elapsed, cpu = time.perf_counter(), time.process_time()
    address = reverse("admin:django_apscheduler_djangojob_calendar")
    answer = client.get(address, {"view": view, "date": day.isoformat()})
    elapsed, cpu = time.perf_counter() - elapsed, time.process_time() - cpu
    assert answer.status_code == 200, answer.status_code
    return elapsed * 1000, cpu * 1000


def _fill(count: int) -> None:
    chance, now = random.Random(4), datetime.now(UTC)
    jobs, specs = [], []
    for number in range(count):
        trigger = _trigger(number, chance)
        anchor = now - timedelta(seconds=chance.random() * 8_000_000)
        following = triggers.schedule_for(trigger, anchor=anchor).next_after(now)
        jobs.append(DjangoJob(id=f"due-{number}", next_run_time=following, job_state=b""))
        specs.append(
            JobSpec(
                job_id=f"due-{number}",
                name=f"Job {number}",
                function="tests.benchmarks.jobs.note",
                tags=["even" if number % 2 else "odd"],
                trigger=trigger,
                trigger_type=trigger["type"],
                anchor=anchor,
            )
        )
    DjangoJob.objects.bulk_create(jobs, ROWS_PER_STATEMENT)
    JobSpec.objects.bulk_create(specs, ROWS_PER_STATEMENT)


def _trigger(number: int, chance: random.Random) -> dict[str, Any]:
    minute, hour = chance.randrange(60), chance.randrange(24)
    kind = number % 10
    if kind < 4:
        return {"type": "cron", "expression": f"{minute} {hour} * * {chance.choice(['*', '*', 'mon-fri', 'sun'])}"}
    if kind == 4:
        return {"type": "cron", "expression": f"{chance.choice(['0', '*/5', '*/15', '*'])} 9-17 * * *"}
    if kind < 8:
        return {"type": "interval", "seconds": chance.choice([1, 7, 10, 30, 60, 90, 300, 600, 3600, 21_600, 86_400])}
    if kind == 8:
        often = {"type": "interval", "hours": chance.randrange(1, 9)}
        return {"type": "any", "triggers": [{"type": "cron", "expression": f"{minute} 2 * * *"}, often]}
    return {"type": "calendar", "months": chance.randrange(1, 4), "hour": hour, "minute": minute}
