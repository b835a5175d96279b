"""Fill the sums and the groups of failures from the executions that there are.

How late and how long runs were, by the hour, begins with this version: a page that shows it is right a day later.
"""

from __future__ import annotations

import hashlib
from datetime import UTC
from typing import Any

from django.db import migrations
from django.db.models import Count, F, Max, Min, Q, Sum
from django.db.models.functions import TruncDate, TruncHour

BATCH = 1000
FAILURES = ("Error!", "Interrupted!", "Timed out!")
WITHOUT_RUN = ("Missed!", "Max instances!", "Skipped")


def count(apps: Any, schema_editor: Any) -> None:
    alias = schema_editor.connection.alias
    executions = apps.get_model("django_apscheduler", "DjangoJobExecution").objects.using(alias)
    details = apps.get_model("app_scheduler", "ExecutionDetail").objects.using(alias)
    ended = executions.filter(detail__finished_at__isnull=False)
    for status in FAILURES:
        fingerprint = hashlib.sha256(status.encode()).hexdigest()[:32]
        details.filter(execution__status=status, fingerprint="").update(fingerprint=fingerprint)
    _count_days(apps.get_model("app_scheduler", "JobDay"), ended, alias)
    _count_hours(apps.get_model("app_scheduler", "HourTally"), ended, alias)
    _group_failures(apps.get_model("app_scheduler", "FailureGroup"), executions, ended, alias)


def _count_days(model: Any, ended: Any, alias: str) -> None:
    executed = Q(status="Executed")
    rows = (
        ended.annotate(day=TruncDate("detail__finished_at", tzinfo=UTC))
        .values("job_id", "day")
        .annotate(
            executed=Count("pk", filter=executed),
            failed=Count("pk", filter=Q(status__in=FAILURES)),
            missed=Sum("detail__tick_count", filter=Q(status__in=("Missed!", "Max instances!"))),
            skipped=Sum("detail__tick_count", filter=Q(status="Skipped")),
            cancelled=Count("pk", filter=Q(status="Cancelled")),
            seconds=Sum("duration", filter=executed),
            longest=Max("duration", filter=executed),
        )
        .order_by("job_id", "day")
    )
    model.objects.using(alias).bulk_create(
        (
            model(
                job_id=row["job_id"],
                day=row["day"],
                executed=row["executed"],
                failed=row["failed"],
                missed=row["missed"] or 0,
                skipped=(row["skipped"] or 0) + row["cancelled"],
                seconds=float(row["seconds"] or 0),
                longest=float(row["longest"] or 0),
            )
            for row in rows.iterator(BATCH)
        ),
        batch_size=BATCH,
    )


def _count_hours(model: Any, ended: Any, alias: str) -> None:
    rows = (
        ended.annotate(hour=TruncHour("detail__finished_at", tzinfo=UTC))
        .values("hour", "status")
        .annotate(runs=Count("pk"), ticks=Sum("detail__tick_count"))
        .order_by("hour", "status")
    )
    model.objects.using(alias).bulk_create(
        (
            model(
                hour=row["hour"],
                measure="verdict",
                bucket=row["status"],
                count=row["ticks" if row["status"] in WITHOUT_RUN else "runs"] or 0,
            )
            for row in rows.iterator(BATCH)
        ),
        batch_size=BATCH,
    )


def _group_failures(model: Any, executions: Any, ended: Any, alias: str) -> None:
    is_open = Q(detail__acknowledged_at__isnull=True)
    rows = (
        ended.filter(status__in=FAILURES)
        .values("job_id", fingerprint=F("detail__fingerprint"))
        .annotate(
            first_seen=Min("detail__finished_at"),
            last_seen=Max("detail__finished_at"),
            count=Count("pk"),
            open_count=Count("pk", filter=is_open),
            opened_at=Min("detail__finished_at", filter=is_open),
            acknowledged_at=Max("detail__acknowledged_at"),
            last_execution_id=Max("pk"),
        )
        .order_by("job_id", "fingerprint")
    )
    page = []
    for row in rows.iterator(BATCH):
        page.append(row)
        if len(page) == BATCH:
            _write_groups(model, executions, page, alias)
            page = []
    _write_groups(model, executions, page, alias)


def _write_groups(model: Any, executions: Any, page: list[dict[str, Any]], alias: str) -> None:
    last = executions.in_bulk([row["last_execution_id"] for row in page])
    model.objects.using(alias).bulk_create(
        model(
            **{**row, "opened_at": row["opened_at"] or row["last_seen"]},
            status=last[row["last_execution_id"]].status,
            exception=last[row["last_execution_id"]].exception or "",
        )
        for row in page
    )


class Migration(migrations.Migration):
    dependencies = [("app_scheduler", "0008_rollups_and_failures")]

    operations = [migrations.RunPython(count, migrations.RunPython.noop, elidable=True)]
