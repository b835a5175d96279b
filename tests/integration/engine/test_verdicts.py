"""The sums and the groups of failures: always what the ledger adds up to, whoever gave the verdicts."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, transaction
from django_apscheduler.models import DjangoJob
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_scheduler.engine.queue import Entry, insert, settle
from app_scheduler.engine.recorder import record
from app_scheduler.engine.runner import Outcome, Run
from app_scheduler.engine.tallies import bucket_of
from app_scheduler.models import FAILURES, ExecutionDetail, FailureGroup, HourTally, JobDay, Measure, Status
from tests.integration.engine.conftest import START, MakeJob

counting = importlib.import_module("app_scheduler.migrations.0009_count_what_there_is")

WITHOUT_RUN = st.sampled_from([Status.MISSED, Status.MAX_INSTANCES, Status.SKIPPED])
OF_A_RUN = st.sampled_from([Status.EXECUTED, *FAILURES])
JOBS = st.sampled_from(["a", "b"])
#: (how, job, verdict, hours from START, ticks, fault)
GIVEN = st.lists(
    st.one_of(
        st.tuples(st.just("at once"), JOBS, WITHOUT_RUN, st.integers(0, 40), st.integers(1, 600), st.just("")),
        st.tuples(st.just("settled"), JOBS, WITHOUT_RUN, st.integers(0, 40), st.integers(1, 9), st.just("")),
        st.tuples(
            st.just("settled"), JOBS, st.sampled_from([Status.CANCELLED, *FAILURES]), st.integers(0, 40), st.just(1),
            st.just(""),
        ),
        st.tuples(st.just("run"), JOBS, OF_A_RUN, st.integers(0, 40), st.integers(1, 9), st.sampled_from(["x", "y"])),
    ),
    max_size=25,
)  # fmt: skip


def give(verdicts: Sequence[tuple[Any, ...]]) -> None:
    """Give verdicts by the engine's three ways; the runs' all in one transaction."""
    outcomes = []
    for number, (how, job_id, status, hours, ticks, fault) in enumerate(verdicts):
        moment = START + timedelta(hours=hours, milliseconds=number)
        entry = Entry(job_id, moment, moment, tick_count=ticks, first_tick=moment if ticks > 1 else None)
        if how == "at once":
            entry.status = status
            insert([entry])
            continue
        if how == "run":
            entry.status = Status.STARTED
        (pk,) = insert([entry])
        if how == "settled":
            settle([(pk, job_id, status, "as said")], moment + timedelta(seconds=1))
            continue
        run = Run(pk, job_id, "tests.probe.jobs.add", [1], {}, moment)
        began, ended = moment + timedelta(milliseconds=40), moment + timedelta(seconds=number)
        failed = status == Status.ERROR
        outcomes.append(
            Outcome(
                run, status, min(began, ended), ended,
                fingerprint=fault if failed else "", exception=f"{fault}: {number}" if failed else None,
            )
        )  # fmt: skip
    record(outcomes)


def rows() -> dict[str, Any]:
    """Return the sums and the groups, but for what the ledger does not say: lengths by size, and places in the code."""
    days = ["job_id", "day", "executed", "failed", "missed", "skipped", "seconds", "longest"]
    groups = ["job_id", "fingerprint", "status", "first_seen", "last_seen", "count", "open_count", "opened_at"]
    return {
        "days": [
            (*row, round(seconds, 2), round(longest, 2))
            for *row, seconds, longest in JobDay.objects.order_by("job_id", "day").values_list(*days)
        ],
        "hours": list(
            HourTally.objects.filter(measure=Measure.VERDICT)
            .order_by("hour", "bucket")
            .values_list("hour", "bucket", "count")
        ),
        "groups": list(FailureGroup.objects.order_by("job_id", "fingerprint").values_list(*groups)),
    }


def recount() -> dict[str, Any]:
    """Return what the migration makes of the ledger, from nothing."""
    for model in (JobDay, HourTally, FailureGroup):
        model.objects.all().delete()
    with connection.schema_editor(atomic=False) if connection.vendor == "postgresql" else Editor() as editor:
        counting.count(apps, editor)
    return rows()


class Editor:
    """What the migration asks of a schema editor, which SQLite gives to no transaction."""

    connection = connection

    def __enter__(self) -> Editor:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


@given(GIVEN)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sums_are_what_the_ledger_adds_up_to(make_job: MakeJob, verdicts: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        for job_id in ("a", "b"):
            make_job(id=job_id)
        give(verdicts)
        kept = rows()
        assert kept == recount()
        transaction.set_rollback(True)


def outcome(job_id: str, status: Status, at: datetime, **given: Any) -> Outcome:
    (pk,) = insert([Entry(job_id, at, at, status=Status.STARTED)])
    run = Run(pk, job_id, "tests.probe.jobs.add", [1], {}, at, by_schedule=given.pop("by_schedule", True))
    return Outcome(run, status, at + timedelta(milliseconds=40), at + timedelta(seconds=2), **given)


def failed(job_id: str, at: datetime, text: str = "ValueError: no", fault: str = "f") -> Outcome:
    return outcome(job_id, Status.ERROR, at, fingerprint=fault, exception=text, place="games.py, line 4, in deal")


def test_lengths_are_counted_by_size(make_job: MakeJob) -> None:
    make_job()
    record([outcome("tick", Status.EXECUTED, START), outcome("tick", Status.EXECUTED, START + timedelta(minutes=1))])
    sizes = HourTally.objects.exclude(measure=Measure.VERDICT).values_list("measure", "bucket", "count")
    assert set(sizes) == {
        (Measure.LATE, bucket_of(timedelta(milliseconds=40)), 2),
        (Measure.TOOK, bucket_of(timedelta(milliseconds=1960)), 2),
    }


def test_a_run_that_somebody_asked_for_is_never_late(make_job: MakeJob) -> None:
    make_job()
    record([outcome("tick", Status.EXECUTED, START, by_schedule=False)])
    assert not HourTally.objects.filter(measure=Measure.LATE).exists()


def test_a_group_tells_of_its_last_failure_and_counts_all(make_job: MakeJob) -> None:
    make_job()
    later = START + timedelta(minutes=5)
    record([failed("tick", later, "ValueError: second"), failed("tick", START, "ValueError: first")])
    (group,) = FailureGroup.objects.all()
    assert (group.exception, group.place) == ("ValueError: second", "games.py, line 4, in deal")
    assert (group.first_seen, group.last_seen) == (START + timedelta(seconds=2), later + timedelta(seconds=2))
    assert (group.count, group.open_count) == (2, 2)
    assert group.last_execution_id == ExecutionDetail.objects.get(execution__run_time=later).pk


def test_a_group_that_somebody_acknowledged_opens_again_with_the_next_failure(make_job: MakeJob) -> None:
    make_job()
    record([failed("tick", START)])
    FailureGroup.objects.update(open_count=0, acknowledged_note="known")
    again = START + timedelta(hours=3)
    record([failed("tick", again)])
    record([failed("tick", again + timedelta(hours=1))])
    (group,) = FailureGroup.objects.all()
    assert (group.count, group.open_count, group.acknowledged_note) == (3, 2, "known")
    assert (group.first_seen, group.opened_at) == (START + timedelta(seconds=2), again + timedelta(seconds=2))


def test_jobs_and_faults_have_groups_of_their_own(make_job: MakeJob) -> None:
    for job_id in ("a", "b"):
        make_job(id=job_id)
    record([failed("a", START), failed("b", START), failed("a", START + timedelta(seconds=9), fault="g")])
    assert set(FailureGroup.objects.values_list("job_id", "fingerprint")) == {("a", "f"), ("b", "f"), ("a", "g")}


def test_each_failure_has_a_fingerprint(make_job: MakeJob) -> None:
    make_job()
    (pk,) = insert([Entry("tick", START, START, status=Status.STARTED)])
    settle([(pk, "tick", Status.INTERRUPTED, "gone")], START, seen=Status.STARTED)
    record([outcome("tick", Status.TIMED_OUT, START + timedelta(seconds=1))])
    prints = list(ExecutionDetail.objects.values_list("fingerprint", flat=True))
    assert all(prints) and len(set(prints)) == 2
    assert set(FailureGroup.objects.values_list("fingerprint", flat=True)) == set(prints)


def test_a_verdict_of_a_job_that_goes_stops_nobody(make_job: MakeJob) -> None:
    make_job()
    record([failed("tick", START)])
    DjangoJob.objects.all().delete()
    assert not FailureGroup.objects.exists() and not JobDay.objects.exists()


@pytest.mark.parametrize("ticks", [1, 7])
def test_a_tick_that_never_ran_counts_as_many_as_its_row_stands_for(make_job: MakeJob, ticks: int) -> None:
    make_job()
    insert([Entry("tick", START, START, status=Status.MISSED, tick_count=ticks)])
    assert JobDay.objects.get().missed == ticks
    assert HourTally.objects.get().count == ticks
    assert HourTally.objects.get().hour == START.replace(minute=0).astimezone(UTC)
