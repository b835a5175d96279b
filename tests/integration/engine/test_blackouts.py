"""Blackout windows and skipped ticks in the claim: what it asks and writes, and that no tick gets lost or doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.engine import blackouts, jobstore, skipping
from app_scheduler.engine.claim import claim
from app_scheduler.engine.due import upcoming
from app_scheduler.engine.queue import Entry, insert
from app_scheduler.engine.windows import window_of
from app_scheduler.models import BlackoutWindow, ExecutionDetail, JobSpec, JobState, SchedulerLease, Status
from tests.integration.engine.conftest import START, MakeJob, Passes, next_run_time

pytestmark = pytest.mark.django_db

SetWindow = Callable[..., BlackoutWindow]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.fixture
def anna() -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def set_window(anna: User) -> SetWindow:
    """Return a maker of windows in UTC, in minutes from START."""

    def make(begin: float, end: float, name: str = "Easter series", **options: Any) -> BlackoutWindow:
        begins, ends = ((START + minutes(each)).replace(tzinfo=None).isoformat() for each in (begin, end))
        values = {"set_by": anna, "reason": "No clean-ups", **options}
        row = BlackoutWindow(name=name, begins=begins, ends=ends, timezone="UTC", **values)
        row.over_at = window_of(row).over_at()
        row.save()
        blackouts.note_change()
        return row

    return make


def rows(job_id: str = "tick") -> list[tuple[str, float, int]]:
    """Return status, last tick in minutes from START, and the number of ticks of each execution."""
    found = DjangoJobExecution.objects.filter(job_id=job_id).select_related("detail").order_by("run_time")
    return [(row.status, (row.run_time - START) / minutes(1), row.detail.tick_count) for row in found]


def test_the_ticks_of_a_blackout_share_one_row(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m", function="tests.probe.jobs.count", args=[])
    set_window(3, 6)
    for minute in range(1, 8):
        assert claim(START + minutes(minute)).jobs == 1
    assert rows() == [("Queued", 1, 1), ("Queued", 2, 1), ("Skipped", 5, 3), ("Queued", 6, 1), ("Queued", 7, 1)]
    detail = ExecutionDetail.objects.get(execution__status=Status.SKIPPED)
    assert detail.first_tick == START + minutes(3)
    assert detail.finished_at == START + minutes(5)
    assert detail.available_at is None
    assert detail.reason == (
        "These 3 ticks from 2026-11-23 23:03:00 to 2026-11-23 23:05:00 fell into the blackout “Easter series” "
        "from 2026-11-23 23:03:00 to 2026-11-23 23:06:00, set by anna: No clean-ups."
    )
    assert float(detail.execution.finished or 0) == (START + minutes(5)).timestamp()


def test_the_last_outcome_is_the_blackout_s(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m")
    set_window(0, 6)
    claim(START + minutes(1))
    claim(START + minutes(2))
    spec = JobSpec.objects.get()
    assert (spec.last_status, spec.last_finished_at) == (Status.SKIPPED, START + minutes(2))
    assert spec.last_execution_id == DjangoJobExecution.objects.get().pk


def test_a_run_by_hand_in_between_begins_another_row(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m")
    set_window(0, 6)
    claim(START + minutes(1))
    insert([Entry("tick", START + minutes(1.5), START + minutes(1.5), Status.EXECUTED)])
    claim(START + minutes(2))
    claim(START + minutes(3))
    assert rows() == [("Skipped", 1, 1), ("Executed", 1.5, 1), ("Skipped", 3, 2)]


def test_a_row_that_was_pruned_is_not_added_to(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m")
    set_window(0, 6)
    claim(START + minutes(1))
    DjangoJobExecution.objects.all().delete()
    claim(START + minutes(2))
    assert rows() == [("Skipped", 2, 1)]


def test_a_row_that_is_pruned_between_reading_and_writing_leaves_no_tick_silent(
    make_job: MakeJob, set_window: SetWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(trigger="every 1m")
    set_window(0, 6)
    claim(START + minutes(1))
    asked = blackouts.exceptions_for

    def prune(*args: Any) -> Any:
        found = asked(*args)
        DjangoJobExecution.objects.all().delete()
        return found

    monkeypatch.setattr("app_scheduler.engine.claim.exceptions_for", prune)
    claim(START + minutes(2))
    assert rows() == [("Skipped", 2, 1)]
    assert "It fell into the blackout" in ExecutionDetail.objects.get().reason


def test_a_tick_that_has_its_execution_is_not_told_again(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m")
    make_job(id="other", trigger="every 1m")
    set_window(0, 6)
    claim(START + minutes(1))
    insert([Entry("tick", START + minutes(2), START)])
    claim(START + minutes(2))
    assert rows() == [("Skipped", 1, 1), ("Queued", 2, 1)]
    assert rows("other") == [("Skipped", 2, 2)]
    assert next_run_time() == next_run_time("other") == START + minutes(3)


def test_a_window_that_is_taken_away_swallows_nothing_more(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m")
    row = set_window(0, 60)
    claim(START + minutes(1))
    row.delete()
    blackouts.note_change()
    assert SchedulerLease.objects.get().blackouts == ""
    claim(START + minutes(2))
    assert rows() == [("Skipped", 1, 1), ("Queued", 2, 1)]


def test_a_window_that_is_set_counts_from_the_next_claim_on(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m")
    set_window(100, 200)
    claim(START + minutes(1))
    set_window(0, 60, name="At once")
    claim(START + minutes(2))
    assert rows() == [("Queued", 1, 1), ("Skipped", 2, 1)]


def test_an_outage_through_a_blackout_is_accounted_for(make_job: MakeJob, set_window: SetWindow) -> None:
    """The window was over before anybody looked, and the process had other windows in mind."""
    make_job(trigger="every 1m", misfire_grace_time=60)
    make_job(id="early", trigger="every 1m")
    set_window(10, 20)
    DjangoJob.objects.filter(id="tick").update(next_run_time=None)
    claim(START + minutes(25))
    DjangoJob.objects.filter(id="tick").update(next_run_time=START + minutes(1))
    claim(START + minutes(40))
    assert rows() == [("Skipped", 9, 9), ("Skipped", 19, 10), ("Queued", 40, 21)]
    late, blackout = ExecutionDetail.objects.filter(execution__job="tick", execution__status="Skipped").order_by("pk")
    assert "The job runs once for all its late ticks, at 2026-11-23 23:40:00." in late.reason
    assert "Easter series" in blackout.reason


def test_a_window_for_tags_leaves_other_jobs_alone(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger="every 1m", tags=["maintenance"])
    make_job(id="other", trigger="every 1m", tags=["mail"])
    JobSpec.objects.filter(job_id="other").update(tags={"not": "a list"})
    set_window(0, 60, tags=["maintenance", "series"])
    claim(START + minutes(1))
    assert rows() == [("Skipped", 1, 1)]
    assert rows("other") == [("Queued", 1, 1)]


def test_a_one_off_job_in_a_blackout_is_finished_and_says_so(make_job: MakeJob, set_window: SetWindow) -> None:
    make_job(trigger={"type": "date", "run_date": "2026-11-23T13:00:00+00:00"})
    set_window(0, 120)
    claim(START + minutes(60))
    spec = JobSpec.objects.get()
    assert (spec.state, rows()) == (JobState.FINISHED, [("Skipped", 60, 1)])
    assert "Easter series" in spec.state_reason


def test_whose_user_is_deleted_stays_a_window(make_job: MakeJob, set_window: SetWindow, anna: User) -> None:
    make_job(trigger="every 1m")
    set_window(0, 60, reason="")
    anna.delete()
    blackouts.note_change()
    claim(START + minutes(1))
    assert ExecutionDetail.objects.get().reason == (
        "It fell into the blackout “Easter series” from 2026-11-23 23:00:00 to 2026-11-24 00:00:00."
    )


def test_two_leaders_add_a_tick_once(make_job: MakeJob, set_window: SetWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job(trigger="every 1m")
    set_window(0, 60)
    claim(START + minutes(1))
    seen = upcoming(START + minutes(2), 10)
    assert claim(START + minutes(2)).jobs == 1
    monkeypatch.setattr("app_scheduler.engine.claim.upcoming", lambda now, limit: seen)
    assert claim(START + minutes(2)).jobs == 0
    assert rows() == [("Skipped", 2, 2)]


def test_a_claim_that_dies_leaves_the_tick_to_the_next(
    make_job: MakeJob, set_window: SetWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(trigger="every 1m")
    set_window(0, 60)
    claim(START + minutes(1))

    def die(*args: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("app_scheduler.engine.claim.forget_skips", die)
        with pytest.raises(SystemExit):
            claim(START + minutes(2))
    assert rows() == [("Skipped", 1, 1)]
    assert next_run_time() == START + minutes(2)
    claim(START + minutes(2))
    assert rows() == [("Skipped", 2, 2)]


class TestStatements:
    def test_jobs_in_a_blackout_take_a_handful_however_many(self, make_job: MakeJob, set_window: SetWindow) -> None:
        counts = []
        set_window(0, 60)
        for minute, number in ((1, 30), (3, 130)):
            for each in range(number):
                make_job(id=f"job-{minute}-{each}", trigger="every 1m")
            claim(START + minutes(minute))
            with CaptureQueriesContext(connection) as queries:
                claim(START + minutes(minute + 1))
            counts.append(len(queries))
        assert counts[0] == counts[1]
        assert counts[1] <= 13, [query["sql"][:100] for query in queries]
        assert DjangoJobExecution.objects.count() == 160

    def test_a_pass_outside_of_all_windows_asks_nothing_more(
        self, make_passes: Callable[[], Passes], make_job: MakeJob, set_window: SetWindow
    ) -> None:
        passes = make_passes()
        passes.look()
        make_job(trigger="every 1h")
        counts = []
        for begin in (None, 100_000):
            if begin is not None:
                set_window(begin, begin + 60)
            for _ in range(2):
                DjangoJob.objects.update(next_run_time=timezone.now() - timedelta(seconds=0.01))
                _, statements = passes.look()
            counts.append(len(statements))
        assert counts[0] == counts[1]


class TestSkips:
    def skip(self, *ids: str, by: Any = None, now: datetime = START) -> dict[str, datetime]:
        return skipping.skip_next(ids or ("tick",), by=by, reason="Not today", now=now)

    def test_it_is_settled_and_forgotten_at_its_tick(self, make_job: MakeJob, anna: User) -> None:
        make_job(trigger="every 7m")
        assert self.skip(by=anna) == {"tick": START + minutes(7)}
        claim(START + minutes(7))
        claim(START + minutes(14))
        assert rows() == [("Skipped", 7, 1), ("Queued", 14, 1)]
        assert ExecutionDetail.objects.get(execution__status="Skipped").reason == "Asked for by anna: Not today."
        spec = JobSpec.objects.get()
        assert (spec.skip_tick, spec.skip_by, spec.skip_reason) == (None, None, "")

    def test_taken_back_it_runs(self, make_job: MakeJob) -> None:
        make_job(trigger="every 7m")
        self.skip()
        assert skipping.unskip_next(["tick"], now=START) == {"tick": START + minutes(7)}
        assert skipping.unskip_next(["tick"], now=START) == {}
        claim(START + minutes(7))
        assert rows() == [("Queued", 7, 1)]

    def test_a_second_time_changes_nothing(self, make_job: MakeJob) -> None:
        make_job(trigger="every 7m")
        self.skip()
        assert self.skip() == {}
        assert JobSpec.objects.get().skip_tick == START + minutes(7)

    def test_the_next_tick_is_the_next_that_would_run(self, make_job: MakeJob, set_window: SetWindow) -> None:
        make_job(trigger="every 7m")
        set_window(5, 15)
        assert self.skip() == {"tick": START + minutes(21)}
        for minute in (7, 14, 21, 28):
            claim(START + minutes(minute))
        assert rows() == [("Skipped", 14, 2), ("Skipped", 21, 1), ("Queued", 28, 1)]

    def test_another_schedule_has_nothing_to_skip(self, make_job: MakeJob) -> None:
        spec = make_job(trigger="every 7m")
        self.skip()
        spec.refresh_from_db()
        spec.trigger = {"type": "interval", "minutes": 7}
        jobstore.save_jobs([jobstore.Change(spec, ["trigger"], START + minutes(7))])
        assert JobSpec.objects.get().skip_tick is None

    def test_one_that_passes_during_a_pause_is_the_pause_s(self, make_job: MakeJob) -> None:
        make_job(trigger="every 7m")
        self.skip()
        jobstore.pause_jobs(["tick"], by=None, reason="", until=None, now=START + minutes(1))
        jobstore.resume_jobs(["tick"], now=START + minutes(8))
        assert skipping.skip_to_come(JobSpec.objects.select_related("job").get()) is None
        claim(START + minutes(14))
        assert rows() == [("Missed!", 7, 1), ("Queued", 14, 1)]
        assert JobSpec.objects.get().skip_tick is None

    def test_one_that_comes_after_a_pause_is_skipped(self, make_job: MakeJob) -> None:
        make_job(trigger="every 7m")
        self.skip()
        jobstore.pause_jobs(["tick"], by=None, reason="", until=None, now=START + minutes(1))
        jobstore.resume_jobs(["tick"], now=START + minutes(3))
        claim(START + minutes(7))
        assert rows() == [("Skipped", 7, 1)]

    def test_jobs_that_are_not_scheduled_are_left_out(self, make_job: MakeJob) -> None:
        make_job(id="paused", paused=True)
        make_job(id="spoilt")
        JobSpec.objects.filter(job_id="spoilt").update(trigger={"type": "nonsense"})
        make_job(id="gone")
        DjangoJob.objects.filter(id="gone").update(next_run_time=None)
        assert self.skip("paused", "spoilt", "gone", "never-there") == {}

    def test_a_claim_that_was_faster_is_noticed(self, make_job: MakeJob) -> None:
        make_job(trigger="every 7m")
        make_job(id="settled", trigger="every 7m")
        make_job(id="later", trigger="every 9m")
        ticks = self.skip("tick", "settled", "later")
        claim(START + minutes(7))
        # As PostgreSQL lets a claim that had read the job before: it goes on with what it knew.
        JobSpec.objects.filter(job_id="tick").update(skip_tick=ticks["tick"])
        assert skipping.overtaken(ticks, START + minutes(7)) == ["tick"]
        assert JobSpec.objects.get(job_id="tick").skip_tick is None
        assert JobSpec.objects.get(job_id="later").skip_tick == START + minutes(9)

    def test_thousands_take_as_many_statements_as_one(self, make_job: MakeJob) -> None:
        for number in range(200):
            make_job(id=f"job-{number}", trigger="every 7m")
        with CaptureQueriesContext(connection) as queries:
            assert len(self.skip(*(f"job-{number}" for number in range(200)))) == 200
        assert len(queries) <= 8


class TestPauseUntil:
    @pytest.mark.parametrize("late", [0, 1, 4])
    def test_the_tick_at_its_end_is_not_lost(self, make_job: MakeJob, late: int) -> None:
        """Somebody looks every few seconds: what comes at the end of a pause and just after runs, though late."""
        make_job(trigger="every 1m", coalesce=False)
        until = START + minutes(10)
        jobstore.pause_jobs(["tick"], by=None, reason="", until=until, now=START)
        jobstore.resume_jobs(["tick"], now=until + minutes(late))
        claim(until + minutes(late))
        expected = [("Queued", 10 + minute, 1) for minute in range(late + 1)]
        assert rows() == [("Missed!", 9, 9), *expected]

    def test_its_reason_ends_when_it_did(self, make_job: MakeJob) -> None:
        make_job(trigger="every 7m")
        jobstore.pause_jobs(["tick"], by=None, reason="", until=START + minutes(10), now=START)
        jobstore.resume_jobs(["tick"], now=START + minutes(60))
        assert ExecutionDetail.objects.get().reason == (
            "It was paused from 2026-11-23 23:00:00 to 2026-11-23 23:10:00."
        )

    def test_resumed_before_its_end_it_goes_on_from_now(self, make_job: MakeJob) -> None:
        make_job(trigger="every 1m")
        jobstore.pause_jobs(["tick"], by=None, reason="", until=START + minutes(10), now=START)
        jobstore.resume_jobs(["tick"], now=START + minutes(5))
        assert rows() == [("Missed!", 5, 5)]
        assert next_run_time() == START + minutes(6)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_the_word_is_not_lost_where_the_last_window_goes_while_another_comes(set_window: SetWindow) -> None:
    """Who deletes the last window waits for whoever sets one at that moment, and sees it."""
    row = set_window(0, 60)
    deleted, end = threading.Event(), threading.Event()

    def delete() -> None:
        try:
            with transaction.atomic():
                BlackoutWindow.objects.filter(pk=row.pk).delete()
                deleted.set()
                end.wait(5)
                blackouts.note_change()
        finally:
            connection.close()

    thread = threading.Thread(target=delete)
    thread.start()
    assert deleted.wait(5)
    set_window(100, 200)
    end.set()
    thread.join(10)
    assert BlackoutWindow.objects.count() == 1
    assert SchedulerLease.objects.get().blackouts != ""
