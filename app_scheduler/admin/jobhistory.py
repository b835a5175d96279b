"""How a job has gone, for its page: its strip, its charts, its latest executions and its open failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from django.utils.formats import number_format
from django.utils.timezone import now as utc_now
from django.utils.translation import gettext, ngettext

from app_scheduler import services
from app_scheduler.admin.charts import DayChart, RunChart, day_chart, run_chart
from app_scheduler.admin.columns import Moment, Pill, duration_words, execution_url, moment, share_words, status_pill
from app_scheduler.admin.failure_rows import failure_url
from app_scheduler.admin.strips import RunWords, StripView, run_words, strip_view, ticks_words
from app_scheduler.models import FailureGroup, JobDay
from app_scheduler.services import Run

#: Executions and open failures that a job's page shows; all of them have pages of their own.
LATEST = 10
MAX_FAULTS = 5


@dataclass(frozen=True, slots=True)
class LatestRun:
    """A row of the latest executions."""

    id: int
    url: str
    pill: Pill
    when: Moment | None
    took: str
    origin: str
    ticks: str
    says: str


@dataclass(frozen=True, slots=True)
class OpenFault:
    """Failures of a job that are one fault, which nobody has acknowledged."""

    says: str
    place: str
    count: str
    first: Moment | None
    last: Moment | None
    url: str


@dataclass(frozen=True, slots=True)
class JobHistory:
    """All that a job's page tells of its past."""

    strip: StripView | None
    runs: RunChart | None
    days: DayChart | None
    latest: list[LatestRun]
    #: How it went, in words, over its latest executions and over its latest days.
    lately: str
    longer: str


def job_history(job_id: str, name: str, zone: tzinfo, *, may_view: bool, charts: bool = True) -> JobHistory:
    """Return a job's past, in two queries; without its days and its charts in one."""
    now = utc_now()
    runs, days = services.runs_of(job_id), services.days_of(job_id) if charts else []
    words = run_words(now)
    outcome = services.outcome_of(runs)
    return JobHistory(
        strip=strip_view(services.strip_of(runs), job_id, name, zone, words, may_view=may_view),
        runs=run_chart(runs, outcome, zone, words, links=may_view) if charts else None,
        days=day_chart(days, now.date()),
        latest=[_latest(run, zone, now, words) for run in runs[:LATEST]],
        lately=_lately(runs),
        longer=_longer(days, now.date()),
    )


def _latest(run: Run, zone: tzinfo, now: datetime, words: RunWords) -> LatestRun:
    return LatestRun(
        id=run.execution_id,
        url=execution_url(run.execution_id),
        pill=status_pill(run.status),
        when=moment(run.due, zone=zone, now=now),
        took=words.took(run) or duration_words(None),
        origin=words.origin(run) or gettext("schedule"),
        ticks=ticks_words(run.ticks) if run.ticks > 1 else "",
        says=run.says,
    )


def _lately(runs: Sequence[Run]) -> str:
    """Return “The last 200 executions: 98.0 % ok, half of them within 0.9 s, 95 of 100 within 2.1 s.”"""
    outcome = services.outcome_of(runs)
    number = len(runs)
    parts = []
    if outcome.success is not None:
        parts.append(gettext("%(rate)s ok") % {"rate": share_words(outcome.success)})
    half, most = outcome.within(0.5), outcome.within(0.95)
    if half is not None and most is not None:
        parts.append(gettext("half of them within %(length)s") % {"length": duration_words(half)})
        parts.append(gettext("95 of 100 within %(length)s") % {"length": duration_words(most)})
    if not parts:
        return ""
    text = ngettext("The last execution: %(words)s.", "The last %(number)s executions: %(words)s.", number)
    return text % {"number": number_format(number), "words": ", ".join(parts)}


def _longer(days: Sequence[JobDay], today: date) -> str:
    """Return “The last 30 days: 99.2 % ok of 1,240.”"""
    outcome = services.outcome_of_days(days)
    if outcome.success is None:
        return ""
    number = (today - days[0].day).days + 1
    text = ngettext(
        "Today: %(rate)s ok of %(promised)s.", "The last %(number)s days: %(rate)s ok of %(promised)s.", number
    )
    promised = number_format(outcome.promised, force_grouping=True)
    return text % {"number": number_format(number), "rate": share_words(outcome.success), "promised": promised}


def open_faults(job_id: str, zone: tzinfo) -> list[OpenFault]:
    """Return a job's failures that nobody has acknowledged, the latest first. One query."""
    now = utc_now()
    groups = FailureGroup.objects.filter(job_id=job_id, open_count__gt=0).order_by("-last_seen")[:MAX_FAULTS]
    return [_fault(group, zone, now) for group in groups]


def _fault(group: FailureGroup, zone: tzinfo, now: datetime) -> OpenFault:
    number: Any = group.open_count
    count = ngettext("%(number)s open", "%(number)s open", number)
    return OpenFault(
        says=group.exception or status_pill(group.status).label,
        place=group.place,
        count=count % {"number": number_format(number, force_grouping=True)},
        first=moment(group.opened_at, zone=zone, now=now),
        last=moment(group.last_seen, zone=zone, now=now),
        url=failure_url("change", group.pk),
    )
