"""The latest ticks and runs of jobs: held against a naive recount, whatever the ledger holds, and read by the index."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from hypothesis import given, settings
from hypothesis import strategies as st

from app_scheduler import services
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobDay, Status
from app_scheduler.services.runs import BARS, LOOK_BACK, WIDEST, strip_statement
from tests.integration.admin.histories import fill, make_job

pytestmark = pytest.mark.django_db

#: (status, ticks, milliseconds, origin); without an origin it is a row of plain django-apscheduler.
Row = tuple[str, int, int, str | None]
BASE = datetime(2026, 3, 1, tzinfo=UTC)
RAN = (Status.EXECUTED, Status.ERROR, Status.INTERRUPTED, Status.TIMED_OUT)
LEFT_OUT = (Status.MISSED, Status.MAX_INSTANCES, Status.SKIPPED)

rows = st.tuples(
    st.sampled_from([status.value for status in Status]),
    st.one_of(st.just(1), st.integers(1, 700)),
    # django-apscheduler keeps hundredths of a second.
    st.integers(0, 9_000).map(lambda hundredths: hundredths * 10),
    st.sampled_from(
        [ExecutionOrigin.SCHEDULE.value] * 6 + [ExecutionOrigin.MANUAL.value, ExecutionOrigin.RETRY.value, None]
    ),
)


def write(job_id: str, ledger: Sequence[Row]) -> list[int]:
    """Write a ledger, the oldest first, a minute apart; return the ids of its executions."""
    DjangoJob.objects.get_or_create(id=job_id, defaults={"job_state": b""})
    made = DjangoJobExecution.objects.bulk_create(
        [
            DjangoJobExecution(
                job_id=job_id,
                status=status,
                run_time=BASE + timedelta(minutes=number),
                duration=Decimal(took) / 1000 if status in RAN else None,
            )
            for number, (status, _, took, _) in enumerate(ledger)
        ]
    )
    details = []
    for execution, (status, ticks, took, origin) in zip(made, ledger, strict=True):
        if origin is None:
            continue
        ran = status in RAN
        details.append(
            ExecutionDetail(
                execution=execution,
                origin=origin,
                queued_at=execution.run_time,
                tick_count=ticks,
                started_at=execution.run_time if ran else None,
                finished_at=execution.run_time + timedelta(milliseconds=took) if ran else None,
            )
        )
    ExecutionDetail.objects.bulk_create(details)
    return [execution.pk for execution in made]


def recount(ids: Sequence[int], ledger: Sequence[Row]) -> dict[str, Any]:
    """Count what a strip has to show, one row after another, from the latest."""
    shown: list[int] = []
    room = BARS
    sums = {"executed": 0, "failed": 0, "missed": 0, "skipped": 0}
    lengths = []
    for pk, (status, ticks, took, origin) in list(zip(ids, ledger, strict=True))[::-1][:LOOK_BACK]:
        if origin not in ("schedule", None):
            continue
        weight = ticks if status in LEFT_OUT and origin else 1
        if min(weight, WIDEST) > room:
            break
        room -= min(weight, WIDEST)
        shown.insert(0, pk)
        if status == Status.EXECUTED:
            sums["executed"] += 1
            lengths.append(took / 1000)
        elif status in RAN:
            sums["failed"] += 1
        elif status in (Status.MISSED, Status.MAX_INSTANCES):
            sums["missed"] += weight
        elif status in (Status.SKIPPED, Status.CANCELLED):
            sums["skipped"] += weight
    lengths.sort()
    promised = sums["executed"] + sums["failed"] + sums["missed"]
    return {
        "ids": shown,
        **sums,
        "success": sums["executed"] / promised if promised else None,
        "usual": lengths[(len(lengths) - 1) // 2] if lengths else None,
    }


@settings(max_examples=40)
@given(ledgers=st.lists(st.lists(rows, max_size=70), min_size=1, max_size=4))
def test_a_strip_is_what_a_recount_of_the_ledger_says(ledgers: list[list[Row]]) -> None:
    with transaction.atomic():
        written = {f"job-{number}": (write(f"job-{number}", ledger), ledger) for number, ledger in enumerate(ledgers)}
        found = services.strips_of([*written, "no such job"])
        for job_id, (ids, ledger) in written.items():
            expected = recount(ids, ledger)
            strip = found.get(job_id, services.strip_of([]))
            outcome = strip.outcome
            assert [run.execution_id for run in strip.runs] == expected["ids"]
            for name in ("executed", "failed", "missed", "skipped"):
                assert getattr(outcome, name) == expected[name], name
            assert outcome.success == expected["success"]
            assert outcome.usual == pytest.approx(expected["usual"])
            # A job's own page reads all of its executions and has to come to the same.
            assert services.strip_of(services.runs_of(job_id)) == strip
        transaction.set_rollback(True)


def test_runs_by_hand_and_retries_are_no_ticks_but_are_charted() -> None:
    write("job", [("Executed", 1, 5, "schedule"), ("Error!", 1, 5, "manual"), ("Error!", 1, 5, "retry")])
    strip = services.strips_of(["job"])["job"]
    assert [run.status for run in strip.runs] == ["Executed"]
    assert strip.outcome.success == 1
    assert [run.origin for run in services.runs_of("job")] == ["retry", "manual", "schedule"]


def test_what_is_on_its_way_or_was_not_wanted_says_nothing_about_success() -> None:
    ledger: list[Row] = [
        (status, 1, 5, "schedule") for status in ("Queued", "Skipped", "Cancelled", "Started execution")
    ]
    write("job", ledger)
    strip = services.strips_of(["job"])["job"]
    assert len(strip.runs) == 4
    assert strip.outcome.success is None
    assert strip.outcome.usual is None


def test_what_runs_has_the_length_that_it_has_so_far() -> None:
    (pk,) = write("job", [("Started execution", 1, 0, "schedule")])
    ExecutionDetail.objects.filter(pk=pk).update(started_at=datetime.now(UTC) - timedelta(hours=1))
    (run,) = services.strips_of(["job"])["job"].runs
    assert run.seconds == pytest.approx(3600, abs=60)


def test_a_long_gap_is_one_row_of_few_bars_that_counts_whole() -> None:
    write("job", [*[("Executed", 1, 5, "schedule")] * 50, ("Missed!", 600_000, 0, "schedule")])
    strip = services.strips_of(["job"])["job"]
    assert [run.bars for run in strip.runs] == [*[1] * (BARS - WIDEST), WIDEST]
    assert strip.outcome.missed == 600_000
    assert strip.ticks == 600_000 + BARS - WIDEST


def test_the_nearest_rank_is_a_length_that_a_run_had() -> None:
    outcome = services.Outcome(lengths=tuple(float(number) for number in range(1, 21)))
    assert (outcome.within(0.5), outcome.within(0.95), outcome.within(1)) == (10, 19, 20)
    assert services.Outcome(lengths=(7.0,)).within(0.95) == 7
    assert services.Outcome().usual is None


def test_days_are_summed_as_they_are_kept() -> None:
    make_job("job")
    today = datetime.now(UTC).date()
    for ago, numbers in ((0, (3, 1, 0, 5)), (2, (10, 0, 6, 0)), (400, (99, 0, 0, 0))):
        names = dict(zip(("executed", "failed", "missed", "skipped"), numbers, strict=True))
        JobDay.objects.create(job_id="job", day=today - timedelta(days=ago), **names)
    days = services.days_of("job")
    assert [(today - day.day).days for day in days] == [2, 0]
    outcome = services.outcome_of_days(days)
    assert (outcome.executed, outcome.failed, outcome.missed, outcome.skipped) == (13, 1, 6, 5)
    assert outcome.success == 13 / 20


def test_many_jobs_are_one_query() -> None:
    for number in range(12):
        write(f"job-{number}", [("Executed", 1, 5, "schedule")] * 3)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(services.strips_of([f"job-{number}" for number in range(12)])) == 12
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert services.strips_of([]) == {}
    assert not len(queries)


def test_only_the_index_leads_to_a_jobs_executions() -> None:
    """As few rows are read as are shown, however many there are."""
    for number in range(3):
        make_job(f"job-{number}")
        fill(f"job-{number}", 1500)
    parameters = [json.dumps(["job-0", "job-2"]), "schedule"]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN (ANALYZE, FORMAT JSON) "
        cursor.execute(explain + strip_statement(), parameters)
        plan = cursor.fetchall()
    if connection.vendor == "sqlite":
        steps = [str(row[-1]) for row in plan]
        assert not [step for step in steps if "SCAN django_apscheduler" in step or "TEMP B-TREE" in step], steps
        assert [step for step in steps if "COVERING INDEX" in step and "job_id=? AND run_time>?" in step], steps
        return
    document = plan[0][0] if not isinstance(plan[0][0], str) else json.loads(plan[0][0])
    scans = [node for node in _nodes(document[0]["Plan"]) if "Relation Name" in node]
    assert {node["Node Type"] for node in scans} == {"Index Scan"}, scans
    assert max(node["Actual Rows"] for node in scans) <= BARS


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(inner for child in node.get("Plans", ()) for inner in _nodes(child))]
