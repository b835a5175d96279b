"""Rows by the thousand in one JSON parameter: nothing may be lost, cut or mixed up on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.db import DataError, IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.engine import connections, sql
from app_scheduler.models import ExecutionDetail, JobSpec, Status
from tests.integration.engine.conftest import START, MakeJob

TEXTS = [
    "",
    "plain",
    'quotes " and \\ backslashes',
    "100 % sure {}",
    "Ünïcödé 🃏",
    "line\nbreak\ttab",
    "'; DROP TABLE x;--",
    "NULL",
]
MOMENTS = [
    START,
    START + timedelta(microseconds=1),
    datetime(2026, 4, 5, 2, 30, tzinfo=timezone(timedelta(hours=10, minutes=30))),
    datetime(1970, 1, 1, tzinfo=UTC),
]


@pytest.fixture(params=["of a request", "of the engine"], autouse=True)
def thread(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the test's thread be one or the other: the engine's bind the parameters in the server."""
    monkeypatch.setattr(connections._thread, "is_engine", request.param == "of the engine", raising=False)


def make_executions(count: int) -> list[int]:
    moments = [START + timedelta(seconds=number) for number in range(count)]
    rows = [("tick", moment, Status.QUEUED) for moment in moments]
    return sql.insert_rows(DjangoJobExecution, ["job", "run_time", "status"], rows, key=["job", "run_time"])


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_as_it_went(make_job: MakeJob, text: str) -> None:
    make_job()
    assert sql.update_from_values(JobSpec, ["job"], ["description"], [("tick", text)]) == {"tick"}
    assert JobSpec.objects.get().description == text


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_moment_comes_back_as_it_went_and_is_found_again(make_job: MakeJob, moment: datetime) -> None:
    make_job()
    sql.update_from_values(DjangoJob, ["id"], ["next_run_time"], [("tick", moment)])
    assert DjangoJob.objects.get().next_run_time == moment
    assert DjangoJob.objects.filter(next_run_time=moment).exists()
    moved = sql.update_from_values(DjangoJob, ["id", "next_run_time"], ["next_run_time"], [("tick", moment, None)])
    assert moved == {"tick"}
    assert DjangoJob.objects.get().next_run_time is None


def test_other_types_come_back_as_they_went(make_job: MakeJob) -> None:
    make_job()
    (pk,) = make_executions(1)
    sql.update_from_values(DjangoJobExecution, ["id"], ["duration"], [(pk, Decimal("123.45"))])
    sql.update_from_values(
        JobSpec,
        ["job"],
        ["coalesce", "max_instances", "misfire_grace_time", "kwargs", "last_execution_id"],
        [("tick", False, 7, None, {"a": [1, None, "ü"], "when": START}, 2**40)],
    )
    assert DjangoJobExecution.objects.get().duration == Decimal("123.45")
    spec = JobSpec.objects.get()
    assert (spec.coalesce, spec.max_instances, spec.misfire_grace_time) == (False, 7, None)
    assert spec.kwargs == {"a": [1, None, "ü"], "when": "2026-11-23T12:00:00Z"}
    assert spec.last_execution_id == 2**40


def test_only_rows_that_are_as_they_were_seen_change(make_job: MakeJob) -> None:
    make_job(id="a")
    make_job(id="b")
    rows = [("a", START + timedelta(seconds=1), START), ("b", START + timedelta(seconds=9), START)]
    assert sql.update_from_values(DjangoJob, ["id", "next_run_time"], ["next_run_time"], rows) == {"a"}


def test_a_guard_on_the_related_row_holds(make_job: MakeJob) -> None:
    make_job(id="a")
    make_job(id="b")
    JobSpec.objects.filter(job_id="b").update(revision=2)
    guard = sql.Guard(JobSpec, "job", ("revision",))
    rows = [(job_id, START, 1) for job_id in "ab"]
    assert sql.update_from_values(DjangoJob, ["id"], ["next_run_time"], rows, guard=guard) == {"a"}


def test_ids_come_back_in_the_order_of_the_rows_and_defaults_fill_the_rest(make_job: MakeJob) -> None:
    make_job()
    count = 2 * sql.BATCH + 1
    with CaptureQueriesContext(connection) as queries:
        ids = make_executions(count)
    assert len(queries) == 3
    found = dict(DjangoJobExecution.objects.values_list("pk", "run_time"))
    assert [found[pk] for pk in ids] == [START + timedelta(seconds=number) for number in range(count)]
    sql.insert_rows(ExecutionDetail, ["execution", "queued_at"], [(ids[0], START)])
    detail = ExecutionDetail.objects.get()
    assert (detail.attempt, detail.log, detail.args, detail.origin, detail.requested_by) == (
        1,
        "",
        None,
        "schedule",
        None,
    )


def test_a_duplicate_is_an_error_and_inserts_nothing(make_job: MakeJob) -> None:
    make_job()
    rows = [("tick", START, Status.QUEUED), ("tick", START, Status.QUEUED)]
    with pytest.raises(IntegrityError), sql.writing():
        sql.insert_rows(DjangoJobExecution, ["job", "run_time", "status"], rows, key=["job", "run_time"])
    assert not DjangoJobExecution.objects.exists()


@pytest.mark.postgres
def test_what_is_too_long_for_its_column_is_refused_and_not_cut(make_job: MakeJob) -> None:
    make_job()
    with pytest.raises(DataError), sql.writing():
        sql.update_from_values(JobSpec, ["job"], ["name"], [("tick", "x" * 300)])


def test_bytes_are_refused_before_anything_is_sent(make_job: MakeJob) -> None:
    make_job()
    with pytest.raises(TypeError, match="holds bytes"):
        sql.update_from_values(DjangoJob, ["id"], ["job_state"], [("tick", b"x")])


@pytest.mark.parametrize("values", [[], ["a", "b"], ["a'b", 'a"b', "%s", "ü"]])
def test_among_finds_text(make_job: MakeJob, values: list[str]) -> None:
    for value in [*values, "other"]:
        DjangoJob.objects.create(id=value, job_state=b"")
    found = DjangoJob.objects.filter(id__in=sql.among(values)).values_list("id", flat=True)
    assert sorted(found) == sorted(values)


def test_among_finds_numbers(make_job: MakeJob) -> None:
    make_job()
    ids = make_executions(5)
    found = DjangoJobExecution.objects.filter(pk__in=sql.among(ids[:3])).values_list("pk", flat=True)
    assert sorted(found) == ids[:3]
