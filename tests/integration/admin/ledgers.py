"""Makers of a ledger as the engine leaves it behind: executions with all that their verdicts are counted in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django_apscheduler.models import DjangoJobExecution

from app_scheduler.engine.verdicts import WITHOUT_RUN, Verdict, fingerprint_of, note
from app_scheduler.models import Status
from tests.integration.admin.histories import make_execution


def settle(
    job_id: str,
    status: Status,
    due: datetime,
    *,
    took: float = 0.5,
    late: float = 0.02,
    ticks: int = 1,
    exception: str = "",
    **detail: Any,
) -> DjangoJobExecution:
    """Give a tick its verdict, which comes ``took`` seconds after its start, or at the tick where nothing ran."""
    ran = status not in WITHOUT_RUN
    fingerprint = fingerprint_of(status, exception[:8])
    execution = make_execution(
        *(job_id, status),
        due=due,
        late=late,
        took=took if ran else 0,
        exception=exception or None,
        tick_count=ticks,
        fingerprint=fingerprint,
        **detail,
    )
    started = due + timedelta(seconds=late) if ran else None
    note(
        [
            Verdict(
                *(job_id, status, execution.pk, (started or due) + timedelta(seconds=took if ran else 0)),
                ticks=ticks,
                due=due if ran else None,
                started_at=started,
                fingerprint=fingerprint,
                exception=exception,
            )
        ]
    )
    return execution
