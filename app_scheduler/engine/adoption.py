"""Adoption: rows that plain django-apscheduler made get a definition, once.

Its pickled ``job_state`` is the only place where such a job is described. It is read through an unpickler that knows
APScheduler's triggers, dates and time zones and nothing else, so that a hostile row can name a class but never load
it. What cannot be read is kept as a broken job that says why.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from django.db import transaction
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, triggers
from app_scheduler.engine.jobstore import anchor_of
from app_scheduler.engine.language import ledger_language
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobOrigin, JobSpec, JobState

logger = logging.getLogger(__name__)

#: What a stock ``job_state`` may name: modules of values only, nothing in them that does anything when it is called.
ADMITTED = {
    "apscheduler.triggers.interval": {"IntervalTrigger"},
    "apscheduler.triggers.cron": {"CronTrigger"},
    "apscheduler.triggers.date": {"DateTrigger"},
    "apscheduler.triggers.calendarinterval": {"CalendarIntervalTrigger"},
    "apscheduler.triggers.combining": {"OrTrigger", "AndTrigger"},
    "apscheduler.triggers.cron.fields": {
        "BaseField",
        "DayOfMonthField",
        "DayOfWeekField",
        "MonthField",
        "WeekField",
    },
    "apscheduler.triggers.cron.expressions": {
        "AllExpression",
        "LastDayOfMonthExpression",
        "MonthRangeExpression",
        "RangeExpression",
        "WeekdayPositionExpression",
        "WeekdayRangeExpression",
    },
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "zoneinfo": {"ZoneInfo", "ZoneInfo._unpickle"},
    "pytz": {"_UTC", "_p", "utc"},
}
#: Rows per pass: bounds the transaction of a site with many jobs.
BATCH = 500


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _make_of_zone
        if name not in ADMITTED.get(module, ()):
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not admitted")
        return super().find_class(module, name)


def _make_of_zone(owner: Any, name: str) -> Any:
    """Stand in for ``getattr``, which a pickled time zone asks for to find its own maker, and give it nothing else."""
    if owner is ZoneInfo and name == "_unpickle":
        return ZoneInfo._unpickle  # type: ignore[attr-defined]  # it has no public name
    raise pickle.UnpicklingError(f"it asks for the attribute {name}, which is not admitted")


def adopt(now: datetime) -> list[str]:
    """Give each job without a definition one, and return their ids."""
    adopted: list[str] = []
    while rows := list(DjangoJob.objects.filter(spec__isnull=True).order_by("id")[:BATCH]):
        with transaction.atomic():
            specs = [_spec_of(row, now) for row in rows]
            for spec, row in zip(specs, rows, strict=True):
                spec.held_from = None if spec.state == JobState.SCHEDULED else row.next_run_time or now
            JobSpec.objects.bulk_create(specs, ignore_conflicts=True)
            broken = [spec.job_id for spec in specs if spec.state == JobState.BROKEN]
            DjangoJob.objects.filter(id__in=broken).update(next_run_time=None)
        adopted += [row.pk for row in rows]
    return adopted


def _spec_of(row: DjangoJob, now: datetime) -> JobSpec:
    try:
        state = _Unpickler(io.BytesIO(bytes(row.job_state))).load()
        return _from_state(row, state, now)
    except Exception as error:
        logger.warning("Job %s cannot be adopted as it is: %s", row.pk, error)
        why = str(error).rstrip(".")
        return _unreadable(row, f"Plain django-apscheduler made this job, and it cannot be read: {why}.", now)


def _from_state(row: DjangoJob, state: Any, now: datetime) -> JobSpec:
    trigger = state["trigger"]
    if not isinstance(trigger, BaseTrigger):
        raise InvalidInput("it has no trigger")
    module, _, name = str(state["func"]).partition(":")
    function = f"{module}.{name}"
    given = {
        "function": function,
        "name": state["name"] if state["name"] != name else documents.readable_name(function),
        "args": list(state["args"]),
        "kwargs": dict(state["kwargs"]),
        "trigger": triggers.document_of(trigger),
        **{field: state[field] for field in ("executor", "coalesce", "max_instances", "misfire_grace_time")},
    }
    spec = JobSpec(
        job_id=row.pk,
        origin=JobOrigin.CODE,
        anchor=anchor_of(trigger, now),
        trigger_type=triggers.kind_of(given["trigger"]),
        state=JobState.SCHEDULED if row.next_run_time else JobState.PAUSED,
        **given,
    )
    try:
        # Its own trigger stands as its base: one that has ended is no reason to refuse the job.
        stored = {**documents.defaults(), **given, "id": row.pk}
        with ledger_language():
            documents.apply(documents.clean(stored, base=stored, now=now), spec)
    except InvalidInput as error:
        spec.state, spec.state_reason = JobState.BROKEN, " ".join(error.lines())
        json.dumps([spec.args, spec.kwargs])  # what JSON cannot say cannot be kept
    return spec


def _unreadable(row: DjangoJob, reason: str, now: datetime) -> JobSpec:
    moment = row.next_run_time or now
    return JobSpec(
        job_id=row.pk,
        name=row.pk,
        function="",
        trigger={"type": "date", "run_date": moment.isoformat(timespec="seconds")},
        trigger_type="date",
        anchor=now,
        origin=JobOrigin.CODE,
        state=JobState.BROKEN,
        state_reason=reason,
    )
