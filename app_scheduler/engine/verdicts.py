"""What every verdict leaves behind beside its execution: a job's last outcome, the sums, and its failure's group.

All of it is written in the transaction that gives the verdict, so that no page is ever behind the ledger.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from app_scheduler.engine.sql import ADD, GREATER, LESSER, update_from_values, upsert_rows
from app_scheduler.engine.tallies import bucket_of, hour_of
from app_scheduler.models import FAILURES, FailureGroup, HourTally, JobDay, JobSpec, Measure, Status

#: Verdicts of ticks for which nothing ran: each counts as many as its row stands for.
WITHOUT_RUN = (Status.MISSED, Status.MAX_INSTANCES, Status.SKIPPED)
PLACE_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an execution ended, for all that is kept of it elsewhere. Times are UTC.

    ``ticks`` is for how many ticks the row stands, or by how many it has grown. ``due`` is the tick of a run that a
    schedule asked for, and ``started_at`` when a run began, if it did.
    """

    job_id: str
    status: Status
    execution_id: int
    finished_at: datetime
    ticks: int = 1
    due: datetime | None = None
    started_at: datetime | None = None
    fingerprint: str = ""
    exception: str = ""
    place: str = ""

    @property
    def weight(self) -> int:
        return self.ticks if self.status in WITHOUT_RUN else 1


def fingerprint_of(status: Status, fingerprint: str = "") -> str:
    """Return what a failure is grouped by: its exception's, or one for all with its verdict; "" for no failure."""
    if status not in FAILURES:
        return ""
    return fingerprint or hashlib.sha256(status.value.encode()).hexdigest()[:32]


def note(verdicts: Iterable[Verdict]) -> None:
    """Note ``verdicts`` wherever they are counted. The caller holds the transaction that gives them."""
    given = list(verdicts)
    if not given:
        return
    # Rows in the order of their keys, and what all processes write last: they wait for one another only briefly.
    _note_jobs(given)
    _note_days(given)
    _note_failures(given)
    _note_hours(given)


def _note_jobs(verdicts: Sequence[Verdict]) -> None:
    """Keep each job's last outcome on its spec, so that the list of jobs need not look through its history."""
    latest: dict[str, Verdict] = {}
    for verdict in verdicts:
        known = latest.get(verdict.job_id)
        if known is None or known.finished_at <= verdict.finished_at:
            latest[verdict.job_id] = verdict
    update_from_values(
        JobSpec,
        ["job"],
        ["last_status", "last_execution_id", "last_finished_at"],
        [(job_id, v.status.value, v.execution_id, v.finished_at) for job_id, v in sorted(latest.items())],
    )


def _note_days(verdicts: Sequence[Verdict]) -> None:
    sums: defaultdict[tuple[str, date], list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0.0, 0.0])
    for verdict in verdicts:
        row = sums[verdict.job_id, verdict.finished_at.date()]
        row[_DAY_COLUMN[verdict.status]] += verdict.weight
        if verdict.status == Status.EXECUTED and verdict.started_at is not None:
            seconds = max(0.0, (verdict.finished_at - verdict.started_at).total_seconds())
            row[4] += seconds
            row[5] = max(row[5], seconds)
    upsert_rows(JobDay, ("job", "day"), _DAY_CHANGE, [(*key, *row) for key, row in sorted(sums.items())])


_DAY_CHANGE = (
    *((name, ADD) for name in ("executed", "failed", "missed", "skipped", "seconds")),
    ("longest", GREATER),
)
_DAY_COLUMN = {
    Status.EXECUTED: 0,
    **dict.fromkeys(FAILURES, 1),
    Status.MISSED: 2,
    Status.MAX_INSTANCES: 2,
    Status.SKIPPED: 3,
    Status.CANCELLED: 3,
}


def _note_failures(verdicts: Sequence[Verdict]) -> None:
    groups: defaultdict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if fingerprint := fingerprint_of(verdict.status, verdict.fingerprint):
            groups[verdict.job_id, fingerprint].append(verdict)
    rows = []
    for key, group in sorted(groups.items()):
        group.sort(key=lambda verdict: (verdict.finished_at, verdict.execution_id))
        first, last, count = group[0], group[-1], len(group)
        rows.append(
            (
                *key,
                *(last.status.value, last.exception, last.place[:PLACE_LENGTH], last.finished_at, last.execution_id),
                *(first.finished_at, count, count, first.finished_at),
            )
        )
    upsert_rows(FailureGroup, ("job", "fingerprint"), _GROUP_CHANGE, rows)


#: Two processes may note their failures in another order than they came.
_LATEST = "CASE WHEN excluded.last_seen >= {row}.last_seen THEN {new} ELSE {old} END"
_GROUP_CHANGE = (
    *((name, _LATEST) for name in ("status", "exception", "place", "last_seen", "last_execution_id")),
    ("first_seen", LESSER),
    ("count", ADD),
    ("open_count", ADD),
    ("opened_at", "CASE WHEN {row}.open_count = 0 OR {new} < {old} THEN {new} ELSE {old} END"),
)


def _note_hours(verdicts: Sequence[Verdict]) -> None:
    # By members of the enumerations: to ask each of thousands for its value costs more than to count it.
    counts: Counter[tuple[datetime, Measure, str]] = Counter()
    for verdict in verdicts:
        status, finished, started = verdict.status, verdict.finished_at, verdict.started_at
        hour = hour_of(finished)
        counts[hour, Measure.VERDICT, status] += verdict.weight
        if started is None:
            continue
        if verdict.due is not None:
            counts[hour, Measure.LATE, bucket_of(started - verdict.due)] += 1
        if status is Status.EXECUTED:
            counts[hour, Measure.TOOK, bucket_of(finished - started)] += 1
    rows = sorted((hour, measure.value, str(bucket), count) for (hour, measure, bucket), count in counts.items())
    upsert_rows(HourTally, ("hour", "measure", "bucket"), (("count", ADD),), rows)
