"""The claim: what is decided for the ticks of a due job, and that no tick is claimed twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.engine.claim import claim
from app_scheduler.engine.due import upcoming
from app_scheduler.engine.gaps import Outage
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.models import ExecutionDetail, JobSpec, JobState, Status
from tests.integration.engine.conftest import START, MakeJob, next_run_time


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def only_execution() -> tuple[DjangoJobExecution, ExecutionDetail]:
    execution = DjangoJobExecution.objects.select_related("detail").get()
    return execution, execution.detail


def test_a_due_tick_is_queued_and_the_next_one_stands(make_job: MakeJob) -> None:
    make_job()
    assert claim(START + seconds(1.2)).jobs == 1
    execution, detail = only_execution()
    assert (execution.status, execution.run_time) == (Status.QUEUED, START + seconds(1))
    assert detail.available_at == START + seconds(1)
    assert next_run_time() == START + seconds(2)


def test_nothing_is_claimed_before_its_tick(make_job: MakeJob) -> None:
    make_job()
    assert claim(START + seconds(0.9)).jobs == 0
    assert not DjangoJobExecution.objects.exists()


def test_a_claim_that_another_process_won_changes_nothing(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job()
    seen = upcoming(START + seconds(1), 10)
    assert claim(START + seconds(1)).jobs == 1
    # The loser read the same rows before the winner's commit.
    monkeypatch.setattr("app_scheduler.engine.claim.upcoming", lambda now, limit: seen)
    assert claim(START + seconds(1.1)).jobs == 0
    assert DjangoJobExecution.objects.count() == 1
    assert next_run_time() == START + seconds(2)


def test_late_ticks_run_once_where_the_job_coalesces(make_job: MakeJob) -> None:
    make_job()
    claim(START + seconds(5.5))
    execution, detail = only_execution()
    assert execution.run_time == START + seconds(5)
    assert (detail.tick_count, detail.first_tick) == (5, START + seconds(1))
    assert "5 ticks" in detail.reason
    assert next_run_time() == START + seconds(6)


def test_late_ticks_each_run_where_it_does_not(make_job: MakeJob) -> None:
    make_job(coalesce=False)
    claim(START + seconds(3.5))
    assert [execution.run_time for execution in DjangoJobExecution.objects.order_by("run_time")] == [
        START + seconds(number) for number in (1, 2, 3)
    ]
    assert next_run_time() == START + seconds(4)


def test_a_pass_queues_a_bounded_number_and_the_next_goes_on(make_job: MakeJob) -> None:
    make_job(coalesce=False, misfire_grace_time=None)
    now = START + seconds(250)
    counts = []
    while claim(now).jobs:
        counts.append(DjangoJobExecution.objects.count())
    assert counts == [100, 200, 250]
    assert next_run_time() == START + seconds(251)


def test_a_month_of_missed_ticks_is_one_row(make_job: MakeJob) -> None:
    make_job(coalesce=False, misfire_grace_time=10, trigger={"type": "interval", "seconds": 60})
    up = START + timedelta(days=30)
    claim(up + seconds(30), gaps=[Outage(START, up)])
    execution, detail = only_execution()
    assert execution.status == Status.MISSED
    assert detail.tick_count == 30 * 24 * 60
    assert detail.first_tick == START + seconds(60)
    assert "no scheduler was running from" in detail.reason
    assert detail.available_at is None
    assert detail.finished_at == up + seconds(30)
    assert next_run_time() == up + seconds(60)


def test_a_coalescing_job_within_its_grace_time_runs_for_all_its_missed_ticks(make_job: MakeJob) -> None:
    make_job(misfire_grace_time=10)
    claim(START + seconds(100))
    execution, detail = only_execution()
    assert (execution.status, detail.tick_count) == (Status.QUEUED, 100)


def test_a_tick_beyond_its_grace_time_is_missed_with_the_reason(make_job: MakeJob) -> None:
    make_job(trigger="every 1h", misfire_grace_time=60)
    claim(START + seconds(3600 + 61))
    execution, detail = only_execution()
    assert execution.status == Status.MISSED
    assert "misfire grace time of 60 s" in detail.reason
    assert JobSpec.objects.get().last_status == Status.MISSED


def test_a_one_off_job_is_finished_not_deleted(make_job: MakeJob) -> None:
    make_job(trigger={"type": "date", "run_date": "2026-11-23T13:00:00+00:00"})
    claim(START + seconds(3601))
    spec = JobSpec.objects.get()
    assert spec.state == JobState.FINISHED
    assert next_run_time() is None
    assert DjangoJobExecution.objects.get().status == Status.QUEUED


def test_jitter_delays_the_run_and_never_the_schedule(make_job: MakeJob) -> None:
    make_job(trigger={"type": "interval", "minutes": 1, "jitter": 30})
    claim(START + seconds(60))
    execution, detail = only_execution()
    assert execution.run_time == START + seconds(60)
    assert detail.available_at is not None
    assert START + seconds(60) <= detail.available_at <= START + seconds(90)
    assert next_run_time() == START + seconds(120)


def test_a_job_whose_function_is_gone_is_kept_and_says_why(make_job: MakeJob) -> None:
    make_job()
    JobSpec.objects.update(function="tests.probe.jobs.renamed")
    claim(START + seconds(1))
    spec = JobSpec.objects.get()
    assert spec.state == JobState.BROKEN
    assert "not a registered function" in spec.state_reason
    assert only_execution()[0].status == Status.MISSED


def test_one_job_that_cannot_be_worked_out_does_not_hold_up_the_others(make_job: MakeJob) -> None:
    make_job(id="sound")
    make_job(id="spoilt")
    JobSpec.objects.filter(job_id="spoilt").update(trigger={"type": "nonsense"})
    assert claim(START + seconds(1)).jobs == 2
    assert dict(DjangoJobExecution.objects.values_list("job_id", "status")) == {"sound": "Queued", "spoilt": "Missed!"}


def test_a_tick_that_has_its_execution_already_gets_no_second(make_job: MakeJob) -> None:
    make_job(id="other")
    make_job()
    insert([Entry("tick", START + seconds(1), START)])
    assert claim(START + seconds(1)).jobs == 1
    assert DjangoJobExecution.objects.filter(job_id="tick").count() == 1
    assert DjangoJobExecution.objects.filter(job_id="other").count() == 1
    assert next_run_time("tick") == START + seconds(2)


def test_a_schedule_changed_between_reading_and_claiming_decides_the_next_tick(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(trigger="every 1m")
    seen = upcoming(START + seconds(60), 10)
    JobSpec.objects.update(trigger={"type": "interval", "hours": 1}, revision=2)
    with monkeypatch.context() as patch:
        patch.setattr("app_scheduler.engine.claim.upcoming", lambda now, limit: seen)
        stale = claim(START + seconds(60))
    assert (stale.jobs, stale.more) == (0, True)
    assert claim(START + seconds(60)).jobs == 1
    assert next_run_time() == START + timedelta(hours=1)


def test_a_claim_of_many_jobs_is_a_handful_of_statements(
    make_job: MakeJob, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    for number in range(200):
        make_job(id=f"job-{number}")
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        assert claim(START + seconds(1)).jobs == 200
    assert DjangoJob.objects.filter(next_run_time=START + seconds(2)).count() == 200


def test_jobs_without_a_definition_keep_none_that_has_one_from_its_tick(make_job: MakeJob) -> None:
    """As an old process that still runs plain django-apscheduler adds them, more than one look takes."""
    rows = [DjangoJob(id=f"old-{number}", next_run_time=START, job_state=b"") for number in range(30)]
    DjangoJob.objects.bulk_create(rows)
    make_job()
    assert claim(START + seconds(1)).jobs == 1
    assert DjangoJobExecution.objects.get().job_id == "tick"
