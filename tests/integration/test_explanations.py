"""“Why did it not run at …?”: each cause, in the words that people read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import documents, services
from app_scheduler.engine import jobstore
from app_scheduler.engine.lease import ensure_lease
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.models import ExecutionDetail, JobSpec, JobState, SchedulerLease, Status
from app_scheduler.services import Actor, explain

pytestmark = pytest.mark.django_db

#: The site's zone in tests.
SYDNEY = ZoneInfo("Australia/Sydney")
#: The day that is asked about, an ordinary one.
NIGHT = datetime(2026, 11, 20, tzinfo=SYDNEY)
NOW = NIGHT + timedelta(hours=12, minutes=30)


def at(hour: int, minute: int = 0, second: float = 0) -> datetime:
    return NIGHT + timedelta(hours=hour, minutes=minute, seconds=second)


#: The first tick of an hourly job that is still to come.
NEXT = at(13)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app_scheduler.services.explanations.utc_now", lambda: NOW.astimezone(UTC))


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def leader() -> None:
    """Somebody leads, and has all the time."""
    ensure_lease()
    SchedulerLease.objects.update(holder="web-1-4711-abcdef", expires_at=datetime(2999, 1, 1, tzinfo=UTC))


@pytest.fixture
def hourly(leader: None) -> JobSpec:
    return make_job()


def make_job(trigger: Any = "0 * * * *", *, created: datetime | None = None, following: Any = NEXT) -> JobSpec:
    """Store a job that was made a month ago and whose ticks are claimed up to now."""
    created = created or NIGHT - timedelta(days=30)
    document = documents.clean(
        {"id": "sum", "function": "tests.probe.jobs.add", "args": [1], "trigger": trigger}, now=created
    )
    jobstore.insert_jobs([(documents.new_spec(document, origin="staff", anchor=created), following)])
    JobSpec.objects.update(created_at=created)
    return JobSpec.objects.get()


def record(run_time: datetime, status: Status = Status.EXECUTED, *, late: float | None = 0.02, **values: Any) -> int:
    """Store an execution as the engine leaves it; without ``late`` it never started."""
    exception = values.pop("exception", None)
    (pk,) = insert([Entry("sum", run_time, run_time, Status.QUEUED, **values)])
    is_over = status not in (Status.QUEUED, Status.STARTED)
    DjangoJobExecution.objects.filter(pk=pk).update(status=status, exception=exception)
    ExecutionDetail.objects.filter(pk=pk).update(
        available_at=run_time if status == Status.QUEUED else None,
        started_at=None if late is None else run_time + timedelta(seconds=late),
        finished_at=run_time + timedelta(seconds=5) if is_over else None,
        instance="web-1-4711-abcdef" if late is not None else "",
    )
    return pk


def sentence(moment: datetime) -> str:
    return explain("sum", moment).sentence


# --- an execution is there ----------------------------------------------------------------------------------------


def test_it_ran(hourly: JobSpec) -> None:
    pk = record(at(3))
    answer = explain("sum", at(3))
    assert answer.sentence == f"It ran: execution {pk} started at 03:00:00, 0.02 s after the tick, and ended Executed."
    assert (answer.tick, answer.execution_id, answer.verdict) == (at(3), pk, Status.EXECUTED)
    assert answer.tick is not None
    assert str(answer.tick.tzinfo) == "Australia/Sydney"


def test_it_ran_and_failed(hourly: JobSpec) -> None:
    pk = record(at(3), Status.ERROR, late=75, exception="ValueError: no such game.\nMore")
    assert sentence(at(3)) == (
        f"It ran: execution {pk} started at 03:01:15, 0:01:15 after the tick, and ended Error!: "
        "ValueError: no such game."
    )


def test_a_long_exception_is_cut(hourly: JobSpec) -> None:
    record(at(3), Status.ERROR, exception="x" * 900)
    assert len(sentence(at(3))) < 300


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Status.MISSED, "It was more than its misfire grace time of 300 s late: no scheduler was running from A to B."),
        (Status.MAX_INSTANCES, "1 execution of this job was running when this tick was due."),
        (Status.CANCELLED, "Cancelled by anna: not today."),
        (Status.SKIPPED, "Skipped by anna."),
    ],
)
def test_it_has_a_verdict_without_a_run(hourly: JobSpec, status: Status, reason: str) -> None:
    pk = record(at(3), status, late=None, reason=reason)
    answer = explain("sum", at(3))
    assert answer.sentence == f"It did not run: execution {pk} ended {status.value}: {reason}"
    assert answer.verdict == status


def test_it_was_interrupted(hourly: JobSpec) -> None:
    pk = record(at(3), Status.INTERRUPTED, reason="The process 4711 on web-1 that ran it is gone.")
    assert sentence(at(3)) == (
        f"It ran: execution {pk} started at 03:00:00, 0.02 s after the tick, and ended Interrupted!: "
        "The process 4711 on web-1 that ran it is gone."
    )


def test_it_waits_in_the_queue(hourly: JobSpec) -> None:
    pk = record(at(12), Status.QUEUED, late=None)
    answer = explain("sum", at(12))
    assert answer.sentence == f"It has not started yet: execution {pk} has been in the queue since 12:00:00."
    assert answer.verdict is None


def test_it_waits_in_the_queue_and_nobody_leads(hourly: JobSpec) -> None:
    SchedulerLease.objects.update(expires_at=datetime(2026, 1, 1, tzinfo=UTC), alive_at=at(11, 59, 58))
    pk = record(at(12), Status.QUEUED, late=None)
    assert sentence(at(12)) == (
        f"It has not started yet: execution {pk} has been in the queue since 12:00:00, "
        "and no scheduler is running since 2026-11-20 11:59:58."
    )


def test_it_is_put_off(hourly: JobSpec) -> None:
    pk = record(at(12), Status.QUEUED, late=None)
    ExecutionDetail.objects.update(available_at=at(12, 45))
    assert sentence(at(12)) == f"It has not started yet: execution {pk} is put off until 12:45:00."


def test_it_is_running(hourly: JobSpec) -> None:
    pk = record(at(12), Status.STARTED)
    assert sentence(at(12)) == (
        f"It is running: execution {pk} started at 12:00:00, 0.02 s after the tick on process 4711 on web-1."
    )


def test_what_plain_django_apscheduler_recorded_counts(hourly: JobSpec) -> None:
    execution = DjangoJobExecution.objects.create(job_id="sum", run_time=at(3), status=Status.EXECUTED)
    assert sentence(at(3)) == f"It ran: execution {execution.pk} ended Executed."


def test_one_run_for_several_ticks_answers_for_each(hourly: JobSpec) -> None:
    pk = record(at(6), tick_count=4, first_tick=at(3), reason="Runs once for 4 ticks since 03:00.")
    answer = explain("sum", at(4))
    assert answer.sentence == (
        f"It ran once: execution {pk} for 4 ticks from 03:00 to 06:00 started at 06:00:00, "
        "0.02 s after the last of them, and ended Executed."
    )
    assert (answer.tick, answer.execution_id) == (at(4), pk)
    for hour in (3, 6):
        assert explain("sum", at(hour)).execution_id == pk
    for hour in (2, 7):
        assert explain("sum", at(hour)).execution_id is None


def test_a_moment_between_the_ticks_of_a_row_is_no_tick(hourly: JobSpec) -> None:
    record(at(6), tick_count=4, first_tick=at(3))
    answer = explain("sum", at(4, 10))
    assert answer.sentence == "Its schedule has no tick at 04:10; the ones around it are 04:00 and 05:00."
    assert answer.execution_id is None


def test_a_row_without_its_first_tick_is_counted_back(hourly: JobSpec) -> None:
    pk = record(at(6), Status.MISSED, late=None, tick_count=4, reason="These 4 ticks were missed.")
    assert explain("sum", at(3)).execution_id == pk
    assert explain("sum", at(2)).execution_id is None


def test_a_row_of_an_older_schedule_answers_for_its_time(hourly: JobSpec) -> None:
    pk = record(at(6), Status.MISSED, late=None, tick_count=13, first_tick=at(3), reason="These 13 ticks.")
    JobSpec.objects.update(anchor=at(8))
    answer = explain("sum", at(4, 10))
    assert answer.sentence == f"It did not run: execution {pk} ended Missed!: These 13 ticks."
    assert (answer.execution_id, answer.tick) == (pk, None)


def test_a_run_by_hand_is_no_tick_of_the_schedule(hourly: JobSpec) -> None:
    (pk,) = services.run_now(["sum"], Actor())
    DjangoJobExecution.objects.filter(pk=pk).update(run_time=at(3, 10, 20))
    assert explain("sum", at(3, 10)).execution_id is None
    executed = record(at(4))
    assert explain("sum", at(4)).execution_id == executed


def test_a_minute_means_the_whole_of_it_and_a_second_only_itself(leader: None) -> None:
    make_job({"type": "cron", "minute": "*", "second": "30"}, following=at(12, 30, 30))
    pk = record(at(3, 0, 30))
    assert explain("sum", at(3)).execution_id == pk
    assert explain("sum", at(3, 0, 30.4)).execution_id == pk
    assert explain("sum", at(3, 0, 29)).execution_id is None
    assert sentence(at(3, 0, 29)) == (
        "Its schedule has no tick at 03:00:29; the ones around it are 02:59:30 and 03:00:30."
    )


# --- the schedule -------------------------------------------------------------------------------------------------


def test_there_is_no_tick(hourly: JobSpec) -> None:
    answer = explain("sum", at(3, 10))
    assert answer.sentence == "Its schedule has no tick at 03:10; the ones around it are 03:00 and 04:00."
    assert (answer.tick, answer.execution_id, answer.verdict) == (None, None, None)


def test_ticks_of_other_days_have_their_date(leader: None) -> None:
    make_job("0 3 * * mon", following=at(75))
    assert sentence(at(3)) == (
        "Its schedule has no tick at 03:00; the ones around it are 2026-11-16 03:00 and 2026-11-23 03:00."
    )


def test_a_schedule_that_has_ended_says_so(leader: None) -> None:
    make_job({"type": "date", "run_date": "2026-11-19T08:00:00"}, following=None)
    JobSpec.objects.update(state=JobState.FINISHED)
    assert sentence(at(3)) == (
        "Its schedule has no tick at 03:00; its last one was 2026-11-19 08:00 and the job is finished."
    )


def test_before_the_first_tick(leader: None) -> None:
    make_job({"type": "date", "run_date": "2026-12-19T08:00:00"}, following=at(999))
    assert sentence(at(3)) == "Its schedule has no tick at 03:00; its first one is 2026-12-19 08:00."


def test_a_naive_moment_is_meant_in_the_zone_of_the_job(leader: None) -> None:
    make_job({"type": "cron", "hour": "3", "timezone": "Europe/Berlin"})
    berlin = ZoneInfo("Europe/Berlin")
    pk = record(datetime(2026, 11, 19, 3, tzinfo=berlin))
    answer = explain("sum", datetime(2026, 11, 19, 3))
    assert answer.execution_id == pk
    assert "started at 03:00:00 (Europe/Berlin)" in answer.sentence
    assert explain("sum", datetime(2026, 11, 19, 13, tzinfo=SYDNEY)).execution_id == pk


def test_a_time_that_clocks_skip_means_the_end_of_the_gap(leader: None) -> None:
    make_job("30 2 * * *", created=datetime(2026, 1, 1, tzinfo=UTC))
    answer = explain("sum", datetime(2026, 10, 4, 2, 30))
    assert answer.tick == datetime(2026, 10, 4, 3, tzinfo=SYDNEY)


# --- the job ------------------------------------------------------------------------------------------------------


def test_there_is_no_job() -> None:
    with pytest.raises(JobNotFound):
        explain("sum", at(3))


@pytest.mark.parametrize("year", [1, 1899, 9999])
def test_years_that_nothing_reaches_are_refused(hourly: JobSpec, year: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        explain("sum", datetime(year, 1, 1))
    assert list(refused.value.errors) == ["at"]


def test_it_did_not_exist_yet(leader: None, anna: User) -> None:
    services.create_job(
        {"id": "sum", "function": "tests.probe.jobs.add", "args": [1], "trigger": "0 * * * *"}, Actor(anna)
    )
    JobSpec.objects.update(created_at=at(8, 15), anchor=at(8, 15))
    assert sentence(at(3)) == "The job did not exist yet: it was created at 2026-11-20 08:15:00 by anna."


def test_its_schedule_was_another(hourly: JobSpec, anna: User) -> None:
    services.change_job("sum", {"trigger": "every 2h"}, Actor(anna), reason="Too often")
    services.change_job("sum", {"trigger": "every 3h"}, Actor())
    LogEntry.objects.update(action_time=at(8))
    JobSpec.objects.update(anchor=at(9))
    assert sentence(at(3)) == (
        "Its schedule was another then: anna changed its trigger at 2026-11-20 08:00:00 (Too often); until then it was "
        "“Every hour”, and no record is left of a tick at 03:00."
    )


def test_its_schedule_was_another_and_nobody_knows_which(hourly: JobSpec) -> None:
    JobSpec.objects.update(anchor=at(9))
    assert sentence(at(3)) == (
        "The schedule of that time is not known: its trigger was last changed at 2026-11-20 09:00:00."
    )


def test_its_schedule_cannot_be_worked_out(hourly: JobSpec) -> None:
    JobSpec.objects.update(trigger={"type": "moon"}, state=JobState.BROKEN, state_reason="No such type.")
    assert sentence(at(3)) == "Its schedule cannot be worked out, so it has no ticks: No such type."


def test_it_is_paused(hourly: JobSpec, anna: User) -> None:
    jobstore.pause_jobs(["sum"], by=anna, reason="The mail server moves", until=None, now=at(1, 30))
    JobSpec.objects.update(held_from=at(2))
    words = "The job is paused by anna since 2026-11-20 01:30:00: The mail server moves."
    answer = explain("sum", at(3))
    assert (answer.sentence, answer.tick) == (words, at(3))
    assert sentence(at(20)) == words
    assert sentence(at(1)) != words


def test_it_is_paused_till_before_the_tick(hourly: JobSpec) -> None:
    jobstore.pause_jobs(["sum"], by=None, reason="", until=at(18), now=at(1, 30))
    JobSpec.objects.update(held_from=at(2))
    assert sentence(at(20)) == "This tick is still to come: the job is paused only until 2026-11-20 18:00:00."
    assert sentence(at(16)) == "The job is paused since 2026-11-20 01:30:00."


def test_it_is_broken(hourly: JobSpec) -> None:
    JobSpec.objects.update(state=JobState.BROKEN, state_reason="Its function is gone.", held_from=at(2))
    assert sentence(at(3)) == "The job is broken since 2026-11-20 02:00:00: Its function is gone."


def test_it_is_still_to_come(hourly: JobSpec) -> None:
    assert sentence(at(20)) == "This tick is still to come."


def test_it_is_to_come_and_nobody_leads(hourly: JobSpec) -> None:
    SchedulerLease.objects.update(holder="", alive_at=at(12))
    assert sentence(at(20)) == ("This tick is still to come, but no scheduler is running since 2026-11-20 12:00:00.")


def test_it_is_passed_over(hourly: JobSpec) -> None:
    DjangoJob.objects.update(next_run_time=at(24))
    assert sentence(at(20)) == "It will not run then: its next run was set to 2026-11-21 00:00:00."


def test_it_has_finished_before_its_schedule(hourly: JobSpec) -> None:
    DjangoJob.objects.update(next_run_time=None)
    JobSpec.objects.update(state=JobState.FINISHED, state_reason="Its schedule has come to its end.")
    assert sentence(at(20)) == "It will not run then: the job is finished: Its schedule has come to its end."


# --- the scheduler ------------------------------------------------------------------------------------------------


def test_all_scheduling_is_paused(hourly: JobSpec, anna: User) -> None:
    DjangoJob.objects.update(next_run_time=at(11))
    SchedulerLease.objects.update(paused_at=at(10, 30), paused_by=anna, pause_reason="Deploy")
    assert sentence(at(12)) == (
        "This tick is due and waits: all scheduling is paused by anna since 2026-11-20 10:30:00: Deploy."
    )
    assert sentence(at(20)) == (
        "This tick is still to come, but all scheduling is paused by anna since 2026-11-20 10:30:00: Deploy."
    )


def test_nobody_leads(hourly: JobSpec) -> None:
    DjangoJob.objects.update(next_run_time=at(11))
    SchedulerLease.objects.update(expires_at=datetime(2026, 1, 1, tzinfo=UTC), alive_at=at(10, 30))
    assert sentence(at(11)) == "This tick is due and waits: no scheduler is running since 2026-11-20 10:30:00."


def test_nobody_ever_led() -> None:
    make_job(following=at(11))
    assert sentence(at(11)) == "This tick is due and waits: no scheduler has been running yet."


def test_it_is_about_to_be_claimed(hourly: JobSpec) -> None:
    DjangoJob.objects.update(next_run_time=at(12))
    assert sentence(at(12)) == "This tick is due and about to be claimed."


# --- nothing is there ---------------------------------------------------------------------------------------------


def test_its_record_was_deleted(hourly: JobSpec) -> None:
    record(at(6))
    answer = explain("sum", at(3))
    assert answer.sentence == (
        "No record of that time is left: the oldest execution of this job that is kept is of 2026-11-20 06:00:00."
    )
    assert answer.tick == at(3)


def test_all_records_of_its_time_were_deleted(hourly: JobSpec) -> None:
    document = documents.clean({"id": "other", "function": "tests.probe.jobs.add", "args": [1], "trigger": "every 1h"})
    jobstore.insert_jobs([(documents.new_spec(document, origin="staff", anchor=NIGHT), at(13))])
    insert([Entry("other", at(5), at(5))])
    assert "the oldest execution of any job that is kept is of 2026-11-20 05:00:00" in sentence(at(3))
    assert "this should not happen" in sentence(at(6))


def test_silence_is_called_by_its_name(hourly: JobSpec) -> None:
    record(at(1))
    answer = explain("sum", at(3))
    assert answer.sentence == "No record explains the tick at 03:00: this should not happen."
    assert (answer.tick, answer.execution_id) == (at(3), None)


# --- how much it costs --------------------------------------------------------------------------------------------


def test_a_few_queries_answer(hourly: JobSpec) -> None:
    for hour in range(5):
        record(at(hour))
    explain("sum", at(3))  # the content type is kept from here on
    for moment in (at(3), at(3, 10), at(7), at(20), at(-24 * 40)):
        with CaptureQueriesContext(connection) as queries:
            explain("sum", moment)
        assert len(queries) <= 4


def test_the_record_is_found_by_index(hourly: JobSpec) -> None:
    with CaptureQueriesContext(connection) as queries:
        explain("sum", at(3))
    (statement,) = [query["sql"] for query in queries if '"run_time" >= ' in query["sql"]]
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        if on_postgresql:
            # Of a few rows, tables are quicker read whole, and sorted.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {'' if on_postgresql else 'QUERY PLAN'} {statement}")
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert ("unique_job_executions" if on_postgresql else "(job_id=? AND run_time>?)") in plan
