"""Drain jobs that are due at one instant: ``python -m tests.benchmarks.drain ours|peer COUNT``.

``ours`` is the console's engine; ``peer`` is plain django-apscheduler with APScheduler's own loop. Both run the same
function in ten threads on the same kind of database and keep a record of each run. Prints executions per second.
"""

from __future__ import annotations

import logging
import sys
import time
from datetime import timedelta

import django
from django.core.management import call_command

POLL_SECONDS = 0.02
WORKERS = 10


def ours(count: int) -> float:
    from django.utils import timezone
    from django_apscheduler.models import DjangoJob, DjangoJobExecution

    from app_scheduler import scheduler, services
    from app_scheduler.services import Actor

    DjangoJob.objects.all().delete()
    rows = [
        {"id": f"job-{number}", "function": "tests.probe.jobs.add", "args": [1], "trigger": "every 1h"}
        for number in range(count)
    ]
    services.carry_out_import(services.plan_import(rows), Actor())
    DjangoJob.objects.update(next_run_time=timezone.now())
    began = time.perf_counter()
    scheduler.start()
    while DjangoJobExecution.objects.filter(status="Executed", job__id__startswith="job-").count() < count:
        time.sleep(POLL_SECONDS)
    took = time.perf_counter() - began
    scheduler.shutdown()
    return count / took


def peer(count: int) -> float:
    from apscheduler.executors.pool import ThreadPoolExecutor
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.interval import IntervalTrigger
    from django.utils import timezone
    from django_apscheduler.jobstores import DjangoJobStore
    from django_apscheduler.models import DjangoJobExecution

    from tests.probe.jobs import add

    scheduler = BackgroundScheduler(executors={"default": ThreadPoolExecutor(WORKERS)})
    scheduler.add_jobstore(DjangoJobStore())
    scheduler.start(paused=True)
    now = timezone.now()
    for number in range(count):
        scheduler.add_job(
            add,
            IntervalTrigger(hours=1, start_date=now + timedelta(hours=1)),
            id=f"job-{number}",
            args=[1],
            next_run_time=now,
            misfire_grace_time=None,
        )
    began = time.perf_counter()
    scheduler.resume()
    while DjangoJobExecution.objects.filter(status="Executed").count() < count:
        time.sleep(POLL_SECONDS)
    took = time.perf_counter() - began
    scheduler.shutdown(wait=False)
    return count / took


if __name__ == "__main__":
    django.setup()
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    print(f"{(ours if sys.argv[1] == 'ours' else peer)(int(sys.argv[2])):.1f}")
