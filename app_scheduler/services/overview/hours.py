"""What the hours of the last day add up to: outcomes, lateness and durations. Two queries over the hourly sums."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Sum

from app_scheduler.engine.tallies import hour_of, percentile
from app_scheduler.models import FAILURES, HourTally, Measure, Status

HOUR = timedelta(hours=1)
#: Whole hours of the clock, the one that goes on among them: their sums are exact, those of parts of hours not kept.
HOURS = 24

_EXECUTED, _FAILED, _MISSED, _SKIPPED = "executed", "failed", "missed", "skipped"
_KIND = {
    Status.EXECUTED.value: _EXECUTED,
    **dict.fromkeys([status.value for status in FAILURES], _FAILED),
    Status.MISSED.value: _MISSED,
    Status.MAX_INSTANCES.value: _MISSED,
    Status.SKIPPED.value: _SKIPPED,
    Status.CANCELLED.value: _SKIPPED,
}


@dataclass(slots=True)
class Outcomes:
    """Runs that were executed or failed, and ticks that were missed or skipped: a missed row counts all it is for."""

    executed: int = 0
    failed: int = 0
    missed: int = 0
    skipped: int = 0

    @property
    def runs(self) -> int:
        return self.executed + self.failed

    @property
    def total(self) -> int:
        return self.executed + self.failed + self.missed + self.skipped

    @property
    def share(self) -> float | None:
        """The share of the runs that succeeded, 0 to 1; None without runs."""
        return self.executed / self.runs if self.runs else None

    def add(self, kind: str, count: int) -> None:
        setattr(self, kind, getattr(self, kind) + count)


@dataclass(frozen=True, slots=True)
class Lengths:
    """Percentiles of lengths of time; None where there were none. Right within a tenth."""

    p50: timedelta | None = None
    p95: timedelta | None = None
    p99: timedelta | None = None


@dataclass(slots=True)
class Hours:
    """The last day: ``hours`` has each hour from ``since`` on, oldest first; times are UTC."""

    since: datetime
    hours: list[tuple[datetime, Outcomes]]
    total: Outcomes = field(default_factory=Outcomes)
    late: Lengths = field(default_factory=Lengths)
    took: Lengths = field(default_factory=Lengths)


def first_hour(now: datetime) -> datetime:
    """Return the beginning of the first of the last day's hours."""
    return hour_of(now) - (HOURS - 1) * HOUR


def hours_until(now: datetime) -> Hours:
    """Return the outcomes of the last ``HOURS`` hours of the clock, that of ``now``, in UTC, being the last."""
    since = first_hour(now)
    day = HourTally.objects.filter(hour__gte=since, hour__lte=now)
    by_hour: defaultdict[datetime, Outcomes] = defaultdict(Outcomes)
    found = Hours(since, [])
    for hour, bucket, count in day.filter(measure=Measure.VERDICT).values_list("hour", "bucket", "count"):
        # The verdict of another version counts for nothing that we have a word for.
        if kind := _KIND.get(bucket):
            by_hour[hour].add(kind, count)
            found.total.add(kind, count)
    found.hours = [(since + number * HOUR, by_hour[since + number * HOUR]) for number in range(HOURS)]
    counts: dict[str, Counter[str]] = {Measure.LATE.value: Counter(), Measure.TOOK.value: Counter()}
    sums = day.filter(measure__in=list(counts)).values_list("measure", "bucket").annotate(Sum("count"))
    for measure, bucket, count in sums:
        counts[measure][bucket] = count
    found.late, found.took = (_lengths(counts[measure]) for measure in (Measure.LATE.value, Measure.TOOK.value))
    return found


def _lengths(counts: Counter[str]) -> Lengths:
    return Lengths(*(percentile(counts, share) for share in (0.5, 0.95, 0.99)))
