"""Broken jobs at a start: noticed before their tick comes, kept, and scheduled again when their cause is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import documents
from app_scheduler.engine import jobstore, recovery
from app_scheduler.engine.lease import ensure_lease
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.models import JobSpec, JobState

from .conftest import START, MakeJob, next_run_time

GONE = "tests.probe.jobs.gone"


def test_a_job_whose_function_or_executor_is_gone_is_marked_before_its_tick(make_job: MakeJob) -> None:
    for job_id in ("sound", "no-function", "no-executor"):
        make_job(id=job_id, trigger="every 1h")
    JobSpec.objects.filter(job_id="no-function").update(function=GONE)
    JobSpec.objects.filter(job_id="no-executor").update(executor="steam")
    assert sorted(recovery.quarantine(START)) == ["no-executor", "no-function"]
    assert set(JobSpec.objects.filter(state=JobState.BROKEN).values_list("job_id", flat=True)) == {
        "no-executor",
        "no-function",
    }
    assert GONE in JobSpec.objects.get(job_id="no-function").state_reason
    assert "There is no executor “steam”" in JobSpec.objects.get(job_id="no-executor").state_reason
    assert next_run_time("no-function") is None
    assert next_run_time("sound") is not None
    assert recovery.quarantine(START) == [], "once"


def test_a_tick_that_has_come_is_left_to_the_claim_which_gives_it_a_verdict(make_job: MakeJob) -> None:
    make_job()
    JobSpec.objects.update(function=GONE)
    assert recovery.quarantine(START + timedelta(minutes=1)) == []
    assert JobSpec.objects.get().state == JobState.SCHEDULED


@pytest.mark.parametrize("state", [JobState.PAUSED, JobState.FINISHED])
def test_what_is_held_back_or_done_stays_so(make_job: MakeJob, state: JobState) -> None:
    make_job(trigger="every 1h")
    JobSpec.objects.update(function=GONE, state=state)
    DjangoJob.objects.update(next_run_time=None)
    assert recovery.quarantine(START) == []
    assert JobSpec.objects.get().state == state


def test_a_paused_job_that_cannot_run_is_broken_when_it_is_resumed(make_job: MakeJob) -> None:
    make_job(paused=True)
    JobSpec.objects.update(function=GONE)
    jobstore.resume_jobs(["tick"], now=START)
    spec = JobSpec.objects.get()
    assert (spec.state, next_run_time()) == (JobState.BROKEN, None)
    assert GONE in spec.state_reason


def test_it_is_scheduled_again_when_its_cause_is_gone_and_only_then(make_job: MakeJob) -> None:
    for job_id in ("back", "still"):
        make_job(id=job_id, trigger="every 1h")
    JobSpec.objects.update(function=GONE)
    recovery.quarantine(START)
    JobSpec.objects.filter(job_id="back").update(function="tests.probe.jobs.add")
    JobSpec.objects.filter(job_id="still").update(function="tests.probe.jobs.add", kwargs={"old": 1})
    later = START + timedelta(hours=5, minutes=30)
    assert recovery.heal(later) == ["back"]
    spec = JobSpec.objects.get(job_id="back")
    assert (spec.state, spec.state_reason) == (JobState.SCHEDULED, "")
    assert next_run_time("back") == START + timedelta(hours=6), "the phase is the one that it had"
    assert JobSpec.objects.get(job_id="still").state == JobState.BROKEN


def test_a_one_off_job_whose_moment_passed_while_it_was_broken_is_finished(make_job: MakeJob) -> None:
    make_job(trigger="at 2026-11-24 12:00 in UTC")
    JobSpec.objects.update(state=JobState.BROKEN)
    recovery.heal(START + timedelta(days=3))
    spec = JobSpec.objects.get()
    assert (spec.state, spec.state_reason) == (JobState.FINISHED, "Its schedule has come to its end.")


def test_two_thousand_jobs_of_a_renamed_module_take_a_handful_of_statements(
    make_job: MakeJob,
) -> None:
    spec = make_job(id="first", trigger="every 1h")
    clean = documents.of(spec)
    specs = [
        (documents.new_spec({**clean, "id": f"job-{number:04}"}, origin="staff", anchor=START), next_run_time("first"))
        for number in range(2000)
    ]
    jobstore.insert_jobs(specs)
    with CaptureQueriesContext(
        connection,
    ) as none_missing:
        assert recovery.quarantine(START) == []
    assert len(none_missing) == 1
    JobSpec.objects.update(function=GONE)
    with CaptureQueriesContext(connection) as marking:
        assert len(recovery.quarantine(START)) == 2001
    assert len(marking) < 25
    JobSpec.objects.update(function="tests.probe.jobs.add")
    with CaptureQueriesContext(connection) as healing:
        assert len(recovery.heal(START)) == 2001
    assert len(healing) < 25


def test_many_causes_at_once_are_all_found(make_job: MakeJob) -> None:
    """More pairs than one condition takes."""
    clean = documents.of(make_job(id="first", trigger="every 1h"))
    specs = []
    for number in range(450):
        spec = documents.new_spec({**clean, "id": f"job-{number}"}, origin="staff", anchor=START)
        spec.function = f"old.jobs.number_{number}"
        specs.append((spec, next_run_time("first")))
    jobstore.insert_jobs(specs)
    assert len(recovery.quarantine(START)) == 450


def test_the_leader_marks_them_as_it_begins_to_lead(make_job: MakeJob) -> None:
    make_job(trigger="at 2999-01-01 12:00")
    JobSpec.objects.update(function=GONE)
    ensure_lease()
    leader = ConsoleScheduler()
    leader._keep_lease()
    try:
        assert leader.leading
        assert JobSpec.objects.get().state == JobState.BROKEN
    finally:
        leader._lease.release()
    assert not DjangoJobExecution.objects.exists()
