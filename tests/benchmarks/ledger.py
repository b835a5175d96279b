"""A past for the jobs that are stored: executions by the million, made by the database itself."""

from __future__ import annotations

import hashlib
import importlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.models import ExecutionDetail, FailureGroup, HourTally, JobDay, JobSpec

PAST = timedelta(days=30)
#: The faults that there are; each job has its own.
FAULTS = 40
TRACEBACK = (
    'Traceback (most recent call last):\n  File "games.py", line 4, in deal\n    raise ValueError\nValueError: no'
)


def make(executions: int) -> int:
    """Give each job that is stored its share of ``executions``, evenly over ``PAST``; return how many there are.

    Of a hundred, 96 ran, 2 failed, one was missed and one skipped, the same each time. Whatever ends with a verdict
    is counted as the engine would have done.
    """
    jobs = DjangoJob.objects.count()
    each = max(1, executions // max(1, jobs))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_executions(), {"each": each, "step": PAST.total_seconds() / each, "now": _now()})
        cursor.execute(_details())
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    _count()
    return jobs * each


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _name(model: Any) -> str:
    return str(connection.ops.quote_name(model._meta.db_table))


def _moment(seconds: str) -> str:
    """Return the SQL of a moment, of seconds since the epoch."""
    if connection.vendor == "postgresql":
        return f"to_timestamp({seconds})"
    return f"strftime('%%Y-%%m-%%d %%H:%%M:%%f000', {seconds}, 'unixepoch')"


def _executions() -> str:
    # A number below 100 that looks like chance: of job and turn.
    chance = "((j.n * 7919 + k.n * 104729 + (j.n * k.n) %% 89) %% 100)"
    run_time = "(CAST(%(now)s AS float) - k.n * CAST(%(step)s AS float) + j.n * 0.013)"
    ran = f"{chance} < 98"
    took = f"(0.05 + {chance} * 0.02)"
    if connection.vendor == "postgresql":
        turns = "generate_series(1, %(each)s) AS k(n)"
    else:
        turns = (
            "(WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < %(each)s) SELECT n FROM t) AS k"
        )
    return f"""
        INSERT INTO {_name(DjangoJobExecution)} (job_id, status, run_time, duration, finished, exception, traceback)
        SELECT j.id,
            CASE WHEN {chance} < 96 THEN 'Executed' WHEN {chance} < 98 THEN 'Error!'
                WHEN {chance} = 98 THEN 'Missed!' ELSE 'Skipped' END,
            {_moment(run_time)},
            CASE WHEN {ran} THEN {took} END,
            {run_time} + CASE WHEN {ran} THEN {took} ELSE 0 END,
            CASE WHEN {chance} IN (96, 97) THEN 'ValueError: no' END,
            CASE WHEN {chance} IN (96, 97) THEN '{TRACEBACK}' END
        FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM {_name(DjangoJob)}) AS j
        CROSS JOIN {turns}
        ORDER BY k.n DESC, j.n
    """


def _details() -> str:
    faults = ", ".join(
        f"({number}, '{hashlib.sha256(str(number).encode()).hexdigest()[:32]}')" for number in range(FAULTS)
    )
    finished = _moment("e.finished")
    ran = "e.status IN ('Executed', 'Error!')"
    field_names = [str(field.column) for field in ExecutionDetail._meta.concrete_fields]
    values = {
        "execution_id": "e.id",
        "origin": "'schedule'",
        "attempt": "1",
        "priority": "0",
        "queued_at": "e.run_time",
        "started_at": f"CASE WHEN {ran} THEN e.run_time END",
        "finished_at": finished,
        "tick_count": "1",
        "function": "'tests.benchmarks.jobs.note'",
        "fingerprint": "CASE WHEN e.status = 'Error!' THEN f.fingerprint ELSE '' END",
        "reason": "CASE WHEN e.status = 'Missed!' THEN 'Nobody led.' ELSE '' END",
    }
    nullable = {str(field.column) for field in ExecutionDetail._meta.concrete_fields if field.null}
    columns = [name for name in field_names if name in values or name not in nullable]
    selected = ", ".join(values.get(name, "''") for name in columns)
    targets = ", ".join(str(connection.ops.quote_name(name)) for name in columns)
    faults = f"(SELECT column1 AS n, column2 AS fingerprint FROM (VALUES {faults}) AS given) AS f"
    return f"""
        INSERT INTO {_name(ExecutionDetail)} ({targets}) SELECT {selected}
        FROM {_name(DjangoJobExecution)} AS e JOIN {faults} ON f.n = length(e.job_id) * 7 %% {FAULTS}
    """.replace("%%", "%")


def _count() -> None:
    """Write the sums and the groups, as the migration does, and each job's last outcome."""
    for model in (JobDay, HourTally, FailureGroup):
        model.objects.all().delete()
    migration = importlib.import_module("app_scheduler.migrations.0009_count_what_there_is")

    # Of a schema editor, the migration asks for nothing but its connection.
    migration.count(apps, SimpleNamespace(connection=connection))
    last = (
        f"(SELECT e.id FROM {_name(DjangoJobExecution)} AS e WHERE e.job_id = s.job_id ORDER BY run_time DESC LIMIT 1)"
    )
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {_name(JobSpec)} AS s SET last_execution_id = {last}")
        cursor.execute(
            f"UPDATE {_name(JobSpec)} AS s SET last_status = e.status, last_finished_at = d.finished_at "
            f"FROM {_name(DjangoJobExecution)} AS e JOIN {_name(ExecutionDetail)} AS d ON d.execution_id = e.id "
            "WHERE e.id = s.last_execution_id"
        )
