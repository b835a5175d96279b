"""A process of a site that has plain django-apscheduler and nothing of the console, for ``test_upgrade``.

``python -m tests.processes.plain_site migrate|add PATH|run SECONDS|list`` with ``DATABASE_URL``: makes its
tables, adds its jobs without running them, runs what is due until it is killed, says which jobs there are.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta

import django
from django.conf import settings

from poker_backend import environment
from tests.live import BASE_DIR

#: Far enough that none of them is due while a test runs.
FAR = timedelta(days=3)
#: The one that runs, its name, and how often.
TICKER, TICKER_SECONDS = "ticker", 1


def add(path: str) -> None:
    """Add one job of each kind, by their functions' names as a site's code would."""
    from apscheduler.schedulers.background import BackgroundScheduler
    from apscheduler.triggers.combining import OrTrigger
    from apscheduler.triggers.cron import CronTrigger
    from apscheduler.triggers.interval import IntervalTrigger
    from django_apscheduler.jobstores import DjangoJobStore

    plain = BackgroundScheduler(timezone="Europe/Berlin")
    plain.add_jobstore(DjangoJobStore())
    plain.start(paused=True)
    mark = "tests.probe.plain:mark"
    daily = CronTrigger(hour=3, minute=30, timezone=UTC)
    plain.add_job(mark, "interval", seconds=TICKER_SECONDS, id=TICKER, args=[path], misfire_grace_time=60)
    plain.add_job(mark, "interval", hours=5, id="interval", kwargs={"path": path, "text": "é"}, max_instances=3)
    plain.add_job(mark, daily, id="cron", args=[path], misfire_grace_time=600, name="Nightly")
    plain.add_job(mark, "date", run_date=datetime.now(UTC) + FAR, id="date", args=[path])
    plain.add_job(mark, OrTrigger([IntervalTrigger(hours=3), daily]), id="either", args=[path])
    plain.add_job("tests.probe.plain:unmarked", "interval", hours=1, id="unmarked")
    plain.add_job(mark, "interval", hours=1, id="paused", args=[path])
    plain.pause_job("paused")
    plain.shutdown()


def run(seconds: float) -> None:
    """Run what is due, and leave as a process that is killed does."""
    from apscheduler.schedulers.background import BackgroundScheduler
    from django_apscheduler.jobstores import DjangoJobStore

    plain = BackgroundScheduler(timezone="Europe/Berlin")
    plain.add_jobstore(DjangoJobStore())
    plain.start()
    time.sleep(seconds)
    os._exit(0)


def show() -> None:
    """Print each job's id with its function and its next tick, and the answer of the list of executions."""
    from django_apscheduler.admin import DjangoJobExecutionAdmin
    from django_apscheduler.jobstores import DjangoJobStore
    from django_apscheduler.models import DjangoJobExecution

    class Scheduler:
        timezone = UTC

    store = DjangoJobStore()
    store._scheduler = Scheduler()
    jobs = {job.id: [job.func_ref, job.next_run_time and job.next_run_time.timestamp()] for job in store.get_all_jobs()}
    # Its list fails at a status that it does not know.
    page = DjangoJobExecutionAdmin(DjangoJobExecution, None)  # type: ignore[arg-type]  # no site is asked
    shown = [page.html_status(execution) for execution in DjangoJobExecution.objects.all()]
    print(json.dumps({"jobs": jobs, "executions": len(shown)}))


def main(act: str, *arguments: str) -> None:
    settings.configure(
        DATABASES={"default": environment.database(BASE_DIR)},
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.admin",
            "django_apscheduler",
        ],
        USE_TZ=True,
        TIME_ZONE="Europe/Berlin",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="tests-only",
    )
    django.setup()
    if act == "migrate":
        from django.core.management import call_command

        call_command("migrate", "django_apscheduler", verbosity=0)
    elif act == "add":
        add(*arguments)
    elif act == "run":
        run(float(arguments[0]))
    else:
        show()


if __name__ == "__main__":
    main(*sys.argv[1:])
