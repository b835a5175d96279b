"""What a schedule means before it is saved: how often, beside which jobs, against what the job did until now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobOrigin, JobSpec, JobState, Status
from app_scheduler.services import Actor

pytestmark = pytest.mark.django_db

#: 12:00 on a Monday in Sydney.
NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)
FUNCTION = "tests.probe.jobs.chatter"


@pytest.fixture(autouse=True)
def at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def make_job(job_id: str, trigger: str, **values: object) -> JobSpec:
    document = {"id": job_id, "function": FUNCTION, "trigger": trigger, **values}
    return services.create_job(document, Actor(None, JobOrigin.STAFF))


def add_runs(spec: JobSpec, seconds: list[int], status: str = Status.EXECUTED) -> None:
    DjangoJobExecution.objects.bulk_create(
        DjangoJobExecution(
            job_id=spec.job_id,
            run_time=NOW - timedelta(hours=number + 1),
            status=status,
            duration=Decimal(length),
            finished=Decimal(0),
        )
        for number, length in enumerate(seconds)
    )


def test_what_the_clocks_do_to_an_interval_of_days_is_among_the_warnings() -> None:
    (warning,) = services.preview("every 1d from 2026-11-01 09:00").warnings
    assert warning.startswith("It fires every 24 hours: after the clocks change on 4 Apr 2027 03:00 in ")
    assert services.preview("cron hour=9").warnings == []


# --- other jobs at the same moment --------------------------------------------------------------------------------


def test_a_crowded_minute_is_said_with_one_that_is_free() -> None:
    for number in range(17):
        make_job(f"midnight-{number}", "0 0 * * *")
    make_job("near", "7 0 * * *")
    found = services.preview("0 0 * * mon-sun")
    assert found.collision is not None
    assert (found.collision.others, found.collision.expression) == (17, "6 0 * * mon-sun")
    assert found.warnings == ["17 other jobs start at 00:00 on Tue 24 Nov too. 00:06 is free."]
    assert found.collision.label == "Use 00:06"
    moved = services.preview(found.collision.expression)
    assert moved.collision is None
    assert moved.upcoming == [tick + timedelta(minutes=6) for tick in found.upcoming]


def test_a_step_is_moved_as_a_whole() -> None:
    make_job("quarters", "*/15 18-23 * * *")
    found = services.preview("cron minute=*/15 hour=18-23").collision
    assert found is not None
    assert (found.others, found.label) == (1, "Use minute 7-59/15")
    assert found.expression == "cron hour=18-23 minute=7-59/15"


def test_a_job_does_not_collide_with_itself_nor_with_one_that_is_paused() -> None:
    spec = make_job("alone", "0 3 * * *")
    make_job("paused", "0 3 * * *", paused=True)
    assert services.preview("0 3 * * *", spec=spec).collision is None
    assert services.preview("0 3 * * *").warnings == ["1 other job starts at 03:00 on Tue 24 Nov too. 03:07 is free."]


def test_an_hour_without_a_free_minute_is_only_said_to_be_crowded() -> None:
    for minute in range(60):
        make_job(f"at-{minute}", f"{minute} 3 * * *")
    found = services.preview("0 3 * * *").collision
    assert found is not None
    assert (found.free, found.expression, found.label) == (None, "", "")
    assert found.sentence == "1 other job starts at 03:00 on Tue 24 Nov too."


def test_it_costs_the_same_however_many_jobs_and_executions_there_are() -> None:
    spec = make_job("mine", "0 4 * * *")

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            services.preview("0 3 * * *", spec=spec)
        return len(seen)

    make_job("other", "0 3 * * *")
    few = queries()
    first = services.upcoming_ticks(JobSpec.objects.select_related("job").get(pk="other"), count=1)[0]
    DjangoJob.objects.bulk_create(
        DjangoJob(id=f"job-{number}", next_run_time=first + timedelta(seconds=number % 1800), job_state=b"")
        for number in range(3_000)
    )
    add_runs(spec, [1] * 500)
    assert queries() == few <= 4


# --- how long it usually takes ------------------------------------------------------------------------------------


def test_a_schedule_that_is_faster_than_its_runs_is_warned_of() -> None:
    spec = make_job("slow", "every 1h")
    add_runs(spec, [*range(1, 20), 40])
    (warning, *_others) = services.preview("every 15s", spec=spec).warnings
    assert warning == "Faster than it usually takes: p95 of its last 20 runs is 19 s, and ticks come 15 s apart."
    assert not any("usually" in each for each in services.preview("every 20s", spec=spec).warnings)
    spec.max_instances = 2
    assert not any("usually" in each for each in services.preview("every 15s", spec=spec).warnings)


def test_a_few_runs_and_runs_that_failed_are_not_usual() -> None:
    spec = make_job("new", "every 1h")
    add_runs(spec, [90] * 4)
    assert not any("usually" in each for each in services.preview("every 15s", spec=spec).warnings)
    failing = make_job("failing", "every 1h")
    add_runs(failing, [90] * 30, Status.ERROR)
    assert not any("usually" in each for each in services.preview("every 15s", spec=failing).warnings)


# --- against what it did until now --------------------------------------------------------------------------------


def clocks(ticks: list[datetime]) -> list[str]:
    return [f"{tick:%H:%M}" for tick in ticks]


def test_a_change_tells_what_the_job_did_and_which_ticks_are_other_ones() -> None:
    spec = make_job("evening", "*/10 18-23 * * *")
    found = services.preview("*/15 18-23 * * *", spec=spec, count=5)
    difference = found.difference
    assert difference is not None
    assert (difference.description, difference.rate) == ("Every 10 minutes, between 18:00 and 23:59", "36 runs a day")
    assert clocks(found.upcoming) == ["18:00", "18:15", "18:30", "18:45", "19:00"]
    assert clocks(difference.gone) == ["18:10", "18:20", "18:40", "18:50"]
    assert clocks(sorted(tick.astimezone(found.upcoming[0].tzinfo) for tick in difference.new)) == ["18:15", "18:45"]


def test_a_tick_that_both_have_far_ahead_is_not_new() -> None:
    spec = make_job("often", "*/10 * * * *")
    difference = services.preview("0 9 * * *", spec=spec).difference
    assert difference is not None
    assert not difference.new
    assert len(difference.gone) == 10


def test_the_stored_schedule_keeps_its_phase_and_differs_in_nothing() -> None:
    spec = make_job("phase", "every 7h")
    with time_machine.travel(NOW + timedelta(hours=2), tick=False):
        found = services.preview({"type": "interval", "hours": 7}, spec=spec)
        assert found.difference is None
        assert found.upcoming[0] == NOW + timedelta(hours=7)
        other = services.preview({"type": "interval", "hours": 8}, spec=spec)
        assert other.upcoming[0] == NOW + timedelta(hours=10), "a new schedule begins when it is saved"


def test_a_paused_job_loses_no_ticks_and_an_unreadable_schedule_is_no_error() -> None:
    spec = make_job("held", "every 1h", paused=True)
    difference = services.preview("every 2h", spec=spec).difference
    assert difference is not None
    assert (difference.gone, difference.new) == ([], frozenset())
    spec.trigger = {"type": "lunar"}
    assert services.preview("every 2h", spec=spec).difference is None


def test_a_past_date_is_refused_unless_it_is_what_the_job_has() -> None:
    past = {"type": "date", "run_date": "2020-01-01T12:00:00"}
    with pytest.raises(InvalidInput, match="past"):
        services.preview(past)
    spec = make_job("once", "at 2027-01-01 12:00")
    spec.trigger, spec.state = past, JobState.FINISHED
    assert services.preview(past, spec=spec).upcoming == []
