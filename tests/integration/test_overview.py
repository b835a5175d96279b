"""The figures of the overview, held against a naive recount of the executions, and what they cost."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.engine.tallies import hour_of
from app_scheduler.models import (
    FAILURES,
    ExecutionDetail,
    FailureGroup,
    HourTally,
    JobDay,
    JobSpec,
    JobState,
    SchedulerInstance,
    SchedulerLease,
    Status,
)
from app_scheduler.services import Actor, overview
from app_scheduler.services.overview import now as causes
from app_scheduler.services.overview import timelines
from app_scheduler.services.overview.hours import HOURS
from tests.integration.admin.histories import make_execution, make_job
from tests.integration.admin.ledgers import settle

pytestmark = pytest.mark.django_db
VERDICTS = (Status.EXECUTED, Status.ERROR, Status.TIMED_OUT, Status.MISSED, Status.MAX_INSTANCES, Status.SKIPPED)


def ledger(seed: int, now: datetime, jobs: int = 3, rows: int = 120) -> None:
    """Fill two days with verdicts of all kinds."""
    dice = random.Random(seed)
    for number in range(jobs):
        make_job(f"job{number}", name=f"Job {number}", trigger="every 1h")
    for number in range(rows):
        status = dice.choice(VERDICTS)
        several = dice.randint(1, 9) if status in (Status.MISSED, Status.SKIPPED) else 1
        settle(
            *(f"job{number % jobs}", status, now - timedelta(seconds=dice.randint(60, 172_000), microseconds=number)),
            took=dice.choice([0.01, 0.5, 3.0, 40.0]),
            late=dice.choice([0.001, 0.02, 2.0]),
            ticks=several,
            exception="ValueError: no" if status == Status.ERROR else "",
        )


@pytest.mark.parametrize("seed", range(3))
def test_the_hours_agree_with_a_naive_recount(seed: int) -> None:
    now = timezone.now()
    ledger(seed, now)
    found = overview.hours_until(now)
    assert len(found.hours) == HOURS
    expected = {hour: [0, 0, 0, 0] for hour, _ in found.hours}
    lates = []
    for execution in DjangoJobExecution.objects.select_related("detail"):
        detail = execution.detail
        hour = hour_of(detail.finished_at)
        if hour not in expected:
            continue
        if execution.status == Status.EXECUTED:
            expected[hour][0] += 1
        elif execution.status in FAILURES:
            expected[hour][1] += 1
        else:
            expected[hour][2 if execution.status in (Status.MISSED, Status.MAX_INSTANCES) else 3] += detail.tick_count
        if detail.started_at:
            lates.append((detail.started_at - execution.run_time).total_seconds())
    for hour, each in found.hours:
        assert [each.executed, each.failed, each.missed, each.skipped] == expected[hour], hour
    executed, failed, missed, _ = (sum(column) for column in zip(*expected.values(), strict=True))
    assert (found.total.runs, found.total.missed) == (executed + failed, missed)
    assert found.total.share == executed / (executed + failed)
    assert found.late.p95 is not None
    rank = sorted(lates)[-(-95 * len(lates) // 100) - 1]
    assert found.late.p95.total_seconds() == pytest.approx(rank, rel=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_the_marks_of_a_job_stand_for_all_that_its_ledger_has(seed: int) -> None:
    now = timezone.now()
    ledger(seed, now)
    found = overview.timeline(now)
    assert {row.job_id for row in found.rows} == {"job0", "job1", "job2"}
    for row in found.rows:
        assert row.since is None
        counts: dict[str, int] = {}
        for mark in row.marks:
            assert found.start <= mark.start <= found.end
            for look, number in mark.counts.items():
                if look != "due":
                    counts[look] = counts.get(look, 0) + number
        naive: dict[str, int] = {}
        for execution in DjangoJobExecution.objects.filter(job_id=row.job_id, run_time__gte=found.start):
            look = overview.LOOKS[execution.status]
            naive[look] = naive.get(look, 0) + 1
        assert counts == naive


def test_what_is_ahead_is_what_the_schedule_says() -> None:
    make_job("hourly", trigger="0 * * * *")
    make_job("dense", trigger="every 10s")
    make_job("sleeps", trigger="0 * * * *")
    services.pause_job("sleeps", Actor())
    now = timezone.now()
    rows = {row.job_id: row for row in overview.timeline(now).rows}
    due = {job_id: sum(mark.counts.get("due", 0) for mark in row.marks) for job_id, row in rows.items()}
    schedule = services.upcoming_ticks(JobSpec.objects.get(pk="hourly"), count=30)
    assert due["hourly"] == sum(1 for tick in schedule if now <= tick < now + timedelta(days=1))
    assert due["dense"] == 8640
    assert due.get("sleeps", 0) == 0
    assert rows["dense"].is_merged
    assert not rows["hourly"].is_merged
    singles = [mark.start for mark in rows["hourly"].marks]
    assert singles == sorted(tick for tick in schedule if tick < now + timedelta(days=1))


def test_a_row_that_cannot_be_read_whole_says_from_when_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "ROW_REACH", 5)
    make_job("dense", trigger="every 1h")
    now = timezone.now()
    made = [settle("dense", Status.EXECUTED, now - timedelta(minutes=number)) for number in range(1, 11)]
    (row,) = overview.timeline(now).rows
    assert row.since == made[4].run_time
    assert sum(mark.counts.get("ok", 0) for mark in row.marks) == 5


def test_a_missed_span_is_one_mark_as_long_as_it_lasted() -> None:
    make_job("gap", trigger="every 1h")
    now = timezone.now()
    first, last = now - timedelta(hours=6), now - timedelta(hours=2)
    execution = settle("gap", Status.MISSED, last, ticks=17, first_tick=first)
    (row,) = overview.timeline(now).rows
    (mark,) = [mark for mark in row.marks if "due" not in mark.counts]
    assert (mark.start, mark.end, mark.counts, mark.execution_id) == (first, last, {"missed": 17}, execution.pk)


def test_a_run_that_goes_on_grows_until_now() -> None:
    make_job("long", trigger="every 1h")
    now = timezone.now()
    execution = make_execution("long", Status.STARTED, due=now - timedelta(hours=30))
    (row,) = overview.timeline(now).rows
    (mark,) = [mark for mark in row.marks if mark.look == "running"]
    assert (mark.end, mark.execution_id) == (now, execution.pk)


def test_jobs_without_a_row_share_one_by_their_function() -> None:
    now = timezone.now()
    for number in range(15):
        make_job(f"job{number:02}", trigger="0 3 * * *")
    settle("job14", Status.EXECUTED, now - timedelta(minutes=5))
    settle("job13", Status.ERROR, now - timedelta(minutes=5))
    found = overview.timeline(now)
    shown = {row.job_id for row in found.rows}
    assert len(shown) == 12
    assert {"job13", "job14"} <= shown | {"job13"}
    (group,) = found.groups
    assert (group.function, group.jobs) == ("tests.probe.jobs.add", 3)
    assert sum(mark.counts.get("due", 0) for mark in group.marks) in (3, 6)


def test_many_others_tell_their_next_tick_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timelines, "MAX_AHEAD", 2)
    for number in range(15):
        make_job(f"job{number:02}", trigger="every 1h")
    (group,) = overview.timeline(timezone.now()).groups
    assert group.is_next_only
    assert sum(mark.counts["due"] for mark in group.marks) == 3


# --- failures and missed ticks ----------------------------------------------------------------------------------------


def test_open_failures_leave_out_what_is_snoozed_or_acknowledged() -> None:
    now = timezone.now()
    make_job("a")
    make_job("b")
    for minutes in (600, 20, 10):
        settle("a", Status.ERROR, now - timedelta(minutes=minutes), exception="ValueError: no")
    settle("b", Status.ERROR, now - timedelta(minutes=5), exception="KeyError: 'x'")
    found = overview.open_failures(now, now - timedelta(hours=1))
    assert (found.failures, found.groups, found.new) == (4, 2, 3)
    FailureGroup.objects.filter(job_id="b").update(snoozed_until=now + timedelta(hours=1))
    ExecutionDetail.objects.filter(execution__job="a", finished_at__gt=now - timedelta(minutes=15)).update(
        acknowledged_at=now
    )
    FailureGroup.objects.filter(job_id="a").update(open_count=2)
    found = overview.open_failures(now, now - timedelta(hours=1))
    assert (found.failures, found.groups, found.new) == (2, 1, 1)
    assert overview.open_failures(now).new is None
    FailureGroup.objects.filter(job_id="b").update(snoozed_until=now - timedelta(hours=1))
    assert overview.open_failures(now).groups == 2


def test_the_main_reason_weighs_each_row_by_its_ticks() -> None:
    now = timezone.now()
    make_job("a")
    for minutes in (30, 20, 10):
        settle("a", Status.MAX_INSTANCES, now - timedelta(minutes=minutes))
    down = settle(
        *("a", Status.MISSED, now - timedelta(minutes=5)),
        ticks=12,
        reason="These 12 ticks since 2026-11-23 02:10:00 were more than the misfire grace time of 300 s late: "
        "no scheduler was running from 2026-11-23 02:10:00 to 2026-11-23 02:13:00.",
    )
    found = overview.why_missed(now, now - timedelta(days=1))
    assert found is not None
    assert (found.why.cause, found.execution_id) == (causes.DOWN, down.pk)
    assert found.why.since is not None
    assert found.why.since.isoformat() == "2026-11-23T02:10:00+11:00"


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("It was more than its misfire grace time of 300 s late.", causes.LATE),
        ("It was paused by ada from 2026-11-23 02:10:00 to 2026-11-23 02:13:00: series.", causes.JOB_PAUSED),
        ("These 3 ticks from A to B passed while it was broken: its function is gone", causes.JOB_BROKEN),
        ("It had not run when the job was changed at 2026-11-23 02:10:00.", causes.CHANGED),
        (
            "It was late: all scheduling was paused by ada from 2026-11-23 02:10:00 to 2026-11-23 02:13:00: x.",
            causes.PAUSED,
        ),
        ("", causes.LATE),
    ],
)
def test_reasons_of_the_engine_are_known_by_their_cause(reason: str, cause: str) -> None:
    assert causes.why_of(reason).cause == cause


def test_the_engines_own_words_are_understood() -> None:
    from app_scheduler.engine.gaps import Outage, Pause

    now = timezone.now().replace(microsecond=0)
    since, until = now - timedelta(minutes=3), now
    for gap, cause in ((Outage(since, until), causes.DOWN), (Pause(since, until, "ada", "why"), causes.PAUSED)):
        found = causes.why_of(f"It was late: {gap}.")
        assert (found.cause, found.since, found.until) == (cause, since, until)


# --- what needs a look ------------------------------------------------------------------------------------------------


def test_a_failing_job_says_since_when_and_how_often() -> None:
    now = timezone.now()
    make_job("digest", name="Digest")
    settle("digest", Status.ERROR, now - timedelta(hours=9), exception="ValueError: before")
    settle("digest", Status.EXECUTED, now - timedelta(hours=8))
    first = settle("digest", Status.ERROR, now - timedelta(hours=7), exception="ValueError: a")
    settle("digest", Status.MISSED, now - timedelta(hours=6))
    settle("digest", Status.TIMED_OUT, now - timedelta(hours=5))
    last = settle("digest", Status.ERROR, now - timedelta(hours=4), exception="SMTPServerDisconnected: gone")
    found = overview.concerns(now)
    (failing,) = found.failing
    assert (failing.since, failing.in_a_row, failing.more) == (first.run_time, 3, False)
    assert (failing.execution_id, failing.exception) == (last.pk, "SMTPServerDisconnected: gone")
    assert found.failing_count == 1
    assert found.job_ids == ["digest"]


def test_a_missed_tick_does_not_mend_a_failing_job() -> None:
    now = timezone.now()
    for job_id in ("digest", "mended"):
        make_job(job_id)
        settle(job_id, Status.ERROR, now - timedelta(hours=4), exception="ValueError: no")
    settle("mended", Status.EXECUTED, now - timedelta(hours=3))
    for job_id in ("digest", "mended"):
        settle(job_id, Status.MISSED, now - timedelta(hours=2))
    found = overview.concerns(now)
    assert [(each.job_id, each.in_a_row) for each in found.failing] == [("digest", 1)]
    assert found.failing_count == 1


def test_the_first_runs_are_seen_at_once_and_sums_are_remembered_with_many_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = timezone.now()
    make_job("first")
    assert overview.concerns(now).slowest == []
    days("first", now, d0=(1, 0, 2.0, 2.0))
    assert [each.job_id for each in overview.concerns(now).slowest] == ["first"]

    monkeypatch.setattr(import_module("app_scheduler.services.overview.concerns"), "MANY", 0)
    overview.concerns(now)
    make_job("second")
    days("second", now, d0=(1, 0, 3.0, 3.0))
    assert [each.job_id for each in overview.concerns(now).slowest] == ["first"]


def test_broken_jobs_come_with_their_reason() -> None:
    make_job("gone", name="Gone")
    JobSpec.objects.update(state=JobState.BROKEN, state_reason="Its function is gone.")
    found = overview.concerns(timezone.now())
    assert [(each.job_id, each.reason) for each in found.broken] == [("gone", "Its function is gone.")]


def days(job_id: str, now: datetime, **by_age: tuple[int, int, float, float]) -> None:
    """Add sums of days: each is ``d<age>`` = (executed, failed, seconds, longest)."""
    for name, (executed, failed, seconds, longest) in by_age.items():
        day = (now - timedelta(days=int(name[1:]))).date()
        JobDay.objects.create(
            job_id=job_id, day=day, executed=executed, failed=failed, seconds=seconds, longest=longest
        )


def test_slower_jobs_are_compared_with_the_week_before() -> None:
    now = timezone.now()
    for job_id in ("slower", "same", "barely", "new", "rare"):
        make_job(job_id)
    days("slower", now, d0=(10, 0, 2400, 300), d3=(10, 0, 480, 60))
    days("same", now, d0=(10, 0, 480, 60), d3=(10, 0, 480, 60))
    days("barely", now, d0=(10, 0, 0.4, 0.1), d3=(10, 0, 0.1, 0.1))
    days("new", now, d0=(10, 0, 2400, 300))
    days("rare", now, d0=(2, 0, 2400, 300), d3=(10, 0, 480, 60))
    (found,) = overview.concerns(now).slower
    assert (found.job_id, found.before, found.recent) == ("slower", 48.0, 240.0)


def test_the_least_reliable_and_the_slowest_are_of_seven_days() -> None:
    now = timezone.now()
    for job_id in ("half", "most", "never", "before"):
        make_job(job_id)
    days("half", now, d0=(5, 5, 10, 3), d1=(5, 5, 10, 2))
    days("most", now, d6=(9, 1, 900, 200))
    days("never", now, d2=(10, 0, 1, 1))
    days("before", now, d7=(0, 10, 9000, 9000))
    found = overview.concerns(now)
    assert [(each.job_id, each.runs, each.failed) for each in found.unreliable] == [("half", 20, 10), ("most", 10, 1)]
    assert [(each.job_id, each.mean, each.longest) for each in found.slowest] == [
        ("most", 100.0, 200.0),
        ("half", 2.0, 3.0),
        ("never", 0.1, 1.0),
    ]


def test_a_job_is_too_slow_if_its_p95_exceeds_the_least_distance_of_its_ticks() -> None:
    now = timezone.now()
    for job_id, took in (("slow", 700.0), ("quick", 100.0)):
        make_job(job_id, trigger="every 10m")
        for number in range(1, 90):
            settle(job_id, Status.EXECUTED, now - timedelta(minutes=15 * number), took=took)
    found = overview.concerns(now)
    assert [(each.job_id, each.p95, each.interval) for each in found.crowded] == [
        ("slow", timedelta(seconds=700), timedelta(minutes=10))
    ]


# --- running, due, kept, alive ----------------------------------------------------------------------------------------


def test_what_runs_and_what_waits_longest_comes_first() -> None:
    now = timezone.now()
    make_job("a", name="Ada’s")
    for minutes in (5, 90, 10, 20):
        make_execution("a", Status.STARTED, due=now - timedelta(minutes=minutes))
    waits = make_execution("a", Status.QUEUED, due=now - timedelta(minutes=3))
    make_execution("a", Status.QUEUED, due=now - timedelta(minutes=1))
    found = overview.running_longest()
    assert [round((now - run.started_at).total_seconds() / 60) for run in found] == [90, 20, 10]
    assert found[0].name == "Ada’s"
    assert overview.oldest_waiting(now) == waits.run_time


def test_the_next_tick_is_one_that_will_run() -> None:
    now = timezone.now()
    make_job("first", trigger="every 10m")
    make_job("second", name="Second", trigger="every 30m")
    make_job("later", trigger="every 3h")
    assert overview.due_soon(now).job_id == "first"
    services.skip_next("first", Actor())
    found = overview.due_soon(now)
    assert (found.jobs, found.job_id, found.name) == (2, "second", "Second")


def test_what_is_kept_and_what_goes_when() -> None:
    now = timezone.now()
    make_job("digest")
    assert overview.retention().oldest is None
    old = settle("digest", Status.EXECUTED, now - timedelta(days=9))
    settle("digest", Status.EXECUTED, now - timedelta(days=1))
    make_job("prune", function=causes.PRUNER, args=[], kwargs={"days": 14}, trigger="0 3 * * *")
    found = overview.retention()
    assert found.oldest == old.run_time
    assert found.about >= 1
    assert (found.job_id, found.days, found.keep_per_job) == ("prune", 14, 1000)
    assert found.at == DjangoJob.objects.get(pk="prune").next_run_time


def test_the_pulse_agrees_with_the_status() -> None:
    now = timezone.now()
    assert not overview.pulse().alive
    lease = SchedulerLease(holder="i", expires_at=now + timedelta(minutes=1), alive_at=now)
    lease.save()
    assert not overview.pulse().alive
    instance = SchedulerInstance.objects.create(
        id="i", host="web-2", pid=4711, role="leader", started_at=now, heartbeat=now
    )
    for change in ({}, {"heartbeat": now - timedelta(hours=1)}):
        if change:
            SchedulerInstance.objects.filter(pk=instance.pk).update(**change)
        found, status = overview.pulse(), services.status()
        expected = (False, lease.alive_at) if change else (True, None)
        assert (found.alive, found.down_since) == (status.alive, status.down_since) == expected
    services.pause_all(Actor(), reason="Off season")
    found = overview.pulse()
    assert (found.paused, found.pause_reason) == (True, "Off season")


# --- what it costs ----------------------------------------------------------------------------------------------------


def everything(now: datetime) -> int:
    with CaptureQueriesContext(connection) as captured:
        overview.hours_until(now)
        overview.why_missed(now, now - timedelta(days=1))
        overview.open_failures(now, now - timedelta(hours=8))
        overview.running_longest()
        overview.oldest_waiting(now)
        overview.due_soon(now)
        overview.retention()
        overview.timeline(now, overview.concerns(now).job_ids)
    return len(captured)


def many(now: datetime, jobs: int, executions: int) -> None:
    trigger: dict[str, Any] = {"type": "interval", "hours": 1}
    names = [f"many{number}" for number in range(jobs)]
    DjangoJob.objects.bulk_create([DjangoJob(id=name, next_run_time=now, job_state=b"") for name in names])
    JobSpec.objects.bulk_create(
        [
            JobSpec(
                job_id=name,
                name=name,
                function="tests.probe.jobs.add",
                trigger=trigger,
                trigger_type="interval",
                anchor=now,
                last_status=Status.ERROR if number % 3 else Status.EXECUTED,
                state=JobState.BROKEN if number % 7 == 1 else JobState.SCHEDULED,
            )
            for number, name in enumerate(names)
        ]
    )
    made = DjangoJobExecution.objects.bulk_create(
        [
            DjangoJobExecution(
                job_id=names[number % jobs],
                status=(Status.EXECUTED, Status.ERROR, Status.MISSED)[number % 3],
                run_time=now - timedelta(seconds=number * 20),
                duration=1,
            )
            for number in range(executions)
        ]
    )
    ExecutionDetail.objects.bulk_create(
        [ExecutionDetail(execution=execution, queued_at=execution.run_time) for execution in made]
    )
    JobDay.objects.bulk_create(
        [
            JobDay(job_id=name, day=(now - timedelta(days=day)).date(), executed=10, failed=5, missed=2, seconds=day)
            for name in names
            for day in range(5)
        ]
    )
    HourTally.objects.create(hour=hour_of(now), measure="verdict", bucket=Status.EXECUTED, count=5)


def test_queries_do_not_grow_with_jobs_or_executions() -> None:
    now = timezone.now()
    many(now, 30, 300)
    few = everything(now)
    DjangoJob.objects.all().delete()
    HourTally.objects.all().delete()
    many(now, 3000, 9000)
    # With so many, the next tick of each is asked for instead of which function each has.
    assert everything(now) <= few <= 45
