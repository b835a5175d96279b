"""Blackout windows and skipped ticks through the services: what is refused, noted, and said of ticks."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob

from app_scheduler import services
from app_scheduler.engine.claim import claim
from app_scheduler.exceptions import BlackoutNotFound, InvalidInput, JobNotFound
from app_scheduler.models import BlackoutWindow, ExecutionDetail, JobSpec, JobState, SchedulerLease, Status
from app_scheduler.services import Actor
from app_scheduler.services.windows import MAX_WINDOWS

pytestmark = pytest.mark.django_db

EASTER = {
    "name": "Easter series",
    "begins": "2127-03-26 00:00",
    "ends": "2127-03-30 00:00",
    "timezone": "Australia/Sydney",
    "reason": "No clean-ups",
}


@pytest.fixture
def anna() -> Actor:
    return Actor(User.objects.create_user("anna"))


def set_window(actor: Actor, hours: float = -1, lasts: float = 2, **values: Any) -> BlackoutWindow:
    """Set a window that begins so many hours from now."""
    begins = datetime.now(UTC) + timedelta(hours=hours)
    bounds = {"begins": begins.isoformat(), "ends": (begins + timedelta(hours=lasts)).isoformat()}
    return services.add_window({**EASTER, "timezone": "UTC", **bounds, **values}, actor)


def make_job(job_id: str = "sum", **values: Any) -> JobSpec:
    document = {"id": job_id, "function": "tests.probe.jobs.add", "kwargs": {"a": 1}, "trigger": "every 1h", **values}
    return services.create_job(document, Actor())


def refused(**values: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as error:
        services.add_window({**EASTER, **values}, Actor())
    assert not BlackoutWindow.objects.exists()
    return error.value.errors


class TestDocuments:
    def test_what_is_set_is_what_was_given(self, anna: Actor) -> None:
        row = services.add_window({**EASTER, "tags": "Maintenance, mail"}, anna)
        assert services.window_document(services.get_window(row.pk)) == {
            "name": "Easter series",
            "begins": "2127-03-26T00:00:00",
            "ends": "2127-03-30T00:00:00",
            "timezone": "Australia/Sydney",
            "yearly": False,
            "last_year": None,
            "tags": ["maintenance", "mail"],
            "reason": "No clean-ups",
        }
        assert row.over_at == datetime(2127, 3, 29, 13, tzinfo=UTC)
        assert (row.set_by, row.revision) == (anna.user, 1)
        assert SchedulerLease.objects.get().blackouts

    def test_a_date_is_the_whole_of_its_day(self) -> None:
        row = services.add_window({**EASTER, "begins": "2127-03-26", "ends": "2127-03-29"}, Actor())
        assert (row.begins, row.ends) == ("2127-03-26T00:00:00", "2127-03-30T00:00:00")

    def test_a_moment_with_an_offset_is_what_the_zones_clock_shows(self) -> None:
        row = services.add_window({**EASTER, "begins": "2127-03-25T13:00:00Z"}, Actor())
        assert row.begins == "2127-03-26T00:00:00"

    @pytest.mark.parametrize(
        ("values", "field", "says"),
        [
            ({"name": ""}, "name", "Give it a name"),
            ({"name": "x" * 101}, "name", "Shorten it"),
            ({"name": "two\nlines"}, "name", "one line"),
            ({"begins": ""}, "begins", "Give a date and time"),
            ({"begins": "soon"}, "begins", "not a date and time"),
            ({"begins": 7}, "begins", "not a date and time"),
            ({"ends": None}, "ends", "Give a date and time"),
            ({"ends": "2127-03-26 00:00"}, "ends", "Give an end after its beginning"),
            ({"ends": "9999-12-31"}, "ends", "between the years"),
            ({"timezone": "Sydney"}, "timezone", "Did you mean Australia/Sydney?"),
            ({"timezone": 5}, "timezone", "not a time zone"),
            ({"yearly": True, "ends": "2128-03-26 00:00"}, "ends", "shorter than a year"),
            ({"yearly": "perhaps"}, "yearly", "true or false"),
            ({"last_year": 2130}, "last_year", "every year"),
            ({"yearly": True, "last_year": 2126}, "last_year", "Give that year or a later one"),
            ({"yearly": True, "last_year": "x"}, "last_year", "from 1970 to 9997, or nothing (every year)"),
            ({"tags": ["!"]}, "tags", "is not a tag"),
            ({"tags": 7}, "tags", "list of words"),
            ({"reason": "x" * 1001}, "reason", "Shorten it"),
            ({"begin": "2127-03-26"}, "begin", "Did you mean “begins”?"),
            ({"begins": "2020-01-01", "ends": "2020-01-02"}, "ends", "over already"),
            (
                {"begins": "2020-01-01", "ends": "2020-01-02", "yearly": True, "last_year": 2021},
                "last_year",
                "over already",
            ),
            ({"begins": "2127-10-05 02:10", "ends": "2127-10-05 02:50"}, "ends", "clocks skip all of this time"),
        ],
    )
    def test_what_is_wrong_is_said_beside_its_field(self, values: dict[str, Any], field: str, says: str) -> None:
        errors = refused(**values)
        assert list(errors) == [field]
        assert says in errors[field][0]

    def test_no_more_than_can_be_looked_at_everywhere(self) -> None:
        rows = [BlackoutWindow(name="w", begins="2127-01-01T00:00:00", ends="2127-01-02T00:00:00", timezone="UTC")]
        BlackoutWindow.objects.bulk_create(rows * 0)
        for _ in range(MAX_WINDOWS):
            rows[0].pk = None
            rows[0].save(force_insert=True)
        with pytest.raises(InvalidInput, match="Delete one first"):
            services.add_window(EASTER, Actor())


class TestChanges:
    def test_each_act_leaves_who_what_and_why(self, anna: Actor) -> None:
        row = services.add_window(EASTER, anna)
        services.change_window(row.pk, {"ends": "2127-03-31"}, anna)
        services.delete_window(row.pk, anna, reason="Rained off")
        kind = ContentType.objects.get_for_model(BlackoutWindow)
        added, changed, deleted = LogEntry.objects.filter(content_type=kind, object_id=str(row.pk)).order_by("pk")
        assert [entry.action_flag for entry in (added, changed, deleted)] == [ADDITION, CHANGE, DELETION]
        assert json.loads(added.change_message)[0]["after"]["name"] == "Easter series"
        (detail,) = json.loads(changed.change_message)
        assert detail["before"] == {"ends": "2127-03-30T00:00:00"}
        assert detail["after"] == {"ends": "2127-04-01T00:00:00"}
        assert changed.get_change_message() == "Changed ends."
        assert deleted.change_message == "Deleted: Rained off"
        assert SchedulerLease.objects.get().blackouts == ""

    def test_what_is_left_out_stays_or_takes_its_default(self, anna: Actor) -> None:
        row = services.add_window({**EASTER, "tags": ["mail"]}, anna)
        assert services.change_window(row.pk, {"name": "Later"}, anna).tags == ["mail"]
        assert services.change_window(row.pk, EASTER, anna, partial=False).tags == []

    def test_a_change_that_changes_nothing_leaves_nothing(self, anna: Actor) -> None:
        row = services.add_window(EASTER, anna)
        word = SchedulerLease.objects.get().blackouts
        assert services.change_window(row.pk, EASTER, anna).revision == 1
        assert SchedulerLease.objects.get().blackouts == word

    def test_one_that_was_open_while_somebody_else_saved_is_refused(self, anna: Actor) -> None:
        row = services.add_window(EASTER, anna)
        services.change_window(row.pk, {"name": "Mine"}, anna, expected_revision=1)
        with pytest.raises(InvalidInput) as error:
            services.change_window(row.pk, {"name": "Theirs"}, anna, expected_revision=1)
        assert list(error.value.errors) == ["revision"]

    def test_one_that_is_over_can_be_renamed_and_not_moved_within_the_past(self, anna: Actor) -> None:
        row = services.add_window(EASTER, anna)
        past = {"begins": "2020-01-01T00:00:00", "ends": "2020-01-02T00:00:00"}
        BlackoutWindow.objects.update(**past, over_at=datetime(2020, 1, 2, tzinfo=UTC))
        assert services.change_window(row.pk, {"name": "Old"}, anna).name == "Old"
        with pytest.raises(InvalidInput, match="over already"):
            services.change_window(row.pk, {"ends": "2020-01-03"}, anna)

    def test_ending_a_window_early_lets_the_next_tick_run(self, anna: Actor) -> None:
        make_job(trigger="every 1h")
        row = set_window(anna)
        due = timezone.now() - timedelta(minutes=1)
        DjangoJob.objects.update(next_run_time=due)
        services.change_window(row.pk, {"ends": (due + timedelta(seconds=90)).isoformat()}, anna)
        claim(timezone.now())
        DjangoJob.objects.update(next_run_time=due + timedelta(seconds=100))
        claim(due + timedelta(seconds=120))
        statuses = ExecutionDetail.objects.order_by("execution__run_time").values_list("execution__status", flat=True)
        assert list(statuses) == [Status.SKIPPED, Status.QUEUED]

    def test_what_is_not_there_is_said(self) -> None:
        for act in (services.get_window, lambda pk: services.delete_window(pk, Actor())):
            with pytest.raises(BlackoutNotFound, match="There is no blackout window 77"):
                act(77)
        with pytest.raises(BlackoutNotFound):
            services.change_window(77, {}, Actor())


class TestEffect:
    def test_it_names_the_jobs_and_counts_their_ticks(self, anna: Actor) -> None:
        now = timezone.now()
        make_job("hourly", tags=["maintenance"])
        make_job("often", trigger="every 1m", tags=["maintenance", "mail"])
        make_job("once", trigger={"type": "date", "run_date": (now + timedelta(hours=30)).isoformat()}, tags=["mail"])
        make_job("other", tags=["other"])
        make_job("paused", tags=["mail"], paused=True)
        begins, ends = now + timedelta(hours=24), now + timedelta(hours=48)
        document = services.clean_window(
            {**EASTER, "begins": begins.isoformat(), "ends": ends.isoformat(), "tags": ["maintenance", "mail"]}
        )
        with CaptureQueriesContext(connection) as queries:
            effect = services.window_effect(document)
        assert len(queries) == 2
        assert effect is not None
        assert (effect.jobs, effect.looked_at, effect.is_exact) == (3, 3, True)
        found = {each.spec.job_id: (each.count, each.is_its_end) for each in effect.swallowed}
        assert found == {"often": (1440, False), "hourly": (24, False), "once": (1, True)}
        assert effect.ticks == 1465

    def test_it_looks_at_a_bounded_number_of_jobs_and_says_so(
        self, anna: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app_scheduler.services.windows.COUNTED_JOBS", 3)
        for number in range(5):
            make_job(f"job-{number}")
        effect = services.window_effect(services.window_document(set_window(anna)))
        assert effect is not None
        assert (effect.jobs, effect.looked_at, effect.is_exact) == (5, 3, False)

    def test_a_spoilt_job_does_not_spoil_it(self, anna: Actor) -> None:
        make_job()
        JobSpec.objects.update(trigger={"type": "nonsense"})
        effect = services.window_effect(services.window_document(set_window(anna)))
        assert effect is not None and effect.swallowed == []


class TestExceptedTicks:
    def test_each_tick_comes_with_what_swallows_it(self, anna: Actor) -> None:
        spec = make_job(tags=["maintenance"])
        set_window(anna, hours=1.5, lasts=2, tags=["maintenance"])
        ticks = services.upcoming_ticks(spec, count=5)
        services.skip_next("sum", anna)
        with CaptureQueriesContext(connection) as queries:
            found = services.excepted(ticks, services.get_job("sum"))
        assert len(queries) == 2  # the job and the windows
        assert [each.tick for each in found] == ticks
        assert [each.words for each in found] == [
            "skipped by anna",
            "blackout “Easter series”",
            "blackout “Easter series”",
            "",
            "",
        ]
        assert services.excepted([], spec) == []
        assert [bool(each.cause) for each in services.excepted(ticks, tags=["mail"])] == [False] * 5

    def test_a_pause_with_an_end_excepts_the_ticks_before_it(self, anna: Actor) -> None:
        spec = make_job()
        ticks = services.upcoming_ticks(spec, count=3)
        services.pause_job("sum", anna, until=ticks[1])
        found = services.excepted(ticks, services.get_job("sum"))
        assert [each.words for each in found] == ["paused by anna", "", ""]

    def test_many_jobs_are_told_with_one_query(self, anna: Actor) -> None:
        specs = [make_job(f"job-{number}") for number in range(5)]
        set_window(anna)
        now = timezone.now()
        with CaptureQueriesContext(connection) as queries:
            between = services.ScheduleExceptions.now(now).between(now, now + timedelta(hours=9))
            ticks = [between.of(spec).at(now + timedelta(minutes=30)) for spec in specs]
        assert len(queries) == 1
        assert [cause.name for cause in ticks if cause] == ["Easter series"] * 5

    def test_the_next_run_is_the_first_tick_that_runs(self, anna: Actor) -> None:
        spec = make_job()
        set_window(anna, hours=0.5, lasts=2)
        following = services.ScheduleExceptions.now().next_run(spec)
        assert following is not None and following.runs is not None
        assert following.runs - following.tick == timedelta(hours=2)
        services.skip_next("sum", anna)
        following = services.ScheduleExceptions.now().next_run(services.get_job("sum"))
        assert following is not None and following.runs is not None
        assert following.runs - following.tick == timedelta(hours=3)

    def test_a_schedule_whose_only_tick_is_swallowed_is_warned_about(self, anna: Actor) -> None:
        set_window(anna, hours=1, lasts=2)
        moment = (timezone.now() + timedelta(hours=2)).isoformat()
        planned = services.preview({"type": "date", "run_date": moment})
        assert planned.warnings[0].startswith(
            "It never runs: each of its ticks falls into a blackout (“Easter series”)"
        )
        assert not any("blackout" in warning for warning in services.preview("every 1m").warnings)


class TestSkips:
    def test_it_is_noted_and_taken_back(self, anna: Actor) -> None:
        spec = make_job()
        skipped = services.skip_next("sum", anna, reason="The feed moves")
        assert (skipped.skip_tick, skipped.skip_by, skipped.skip_reason) == (
            spec.job.next_run_time,
            anna.user,
            "The feed moves",
        )
        assert skipped.revision == spec.revision + 1
        assert services.unskip_next("sum", anna).skip_tick is None
        first, second = LogEntry.objects.filter(object_id="sum").order_by("pk")
        assert first.change_message.startswith("Skips the tick at ")
        assert first.change_message.endswith(": The feed moves")
        assert second.change_message.startswith("Does not skip the tick at ")

    def test_a_second_time_changes_nothing(self, anna: Actor) -> None:
        make_job()
        services.skip_next("sum", anna, reason="First")
        assert services.skip_next("sum", anna, reason="Second").skip_reason == "First"
        services.unskip_next("sum", anna)
        assert services.unskip_next("sum", anna).skip_tick is None
        assert LogEntry.objects.count() == 2

    @pytest.mark.parametrize(
        ("state", "says"),
        [
            (JobState.PAUSED, "Resume it first"),
            (JobState.FINISHED, "Give it another schedule"),
            (JobState.BROKEN, "Repair it first"),
        ],
    )
    def test_a_job_without_a_tick_is_refused_with_what_to_do(self, anna: Actor, state: JobState, says: str) -> None:
        make_job()
        JobSpec.objects.update(state=state)
        DjangoJob.objects.update(next_run_time=None)
        with pytest.raises(InvalidInput, match=says):
            services.skip_next("sum", anna)
        assert not LogEntry.objects.exists()

    def test_where_every_tick_is_in_a_blackout_there_is_none_to_skip(self, anna: Actor) -> None:
        moment = timezone.now() + timedelta(minutes=30)
        make_job(trigger={"type": "date", "run_date": moment.isoformat()})
        set_window(anna)
        with pytest.raises(InvalidInput, match="fall into blackout windows"):
            services.skip_next("sum", anna)

    def test_bad_reasons_and_ids_are_refused(self, anna: Actor) -> None:
        with pytest.raises(JobNotFound):
            services.skip_next("gone", anna)
        with pytest.raises(JobNotFound):
            services.unskip_next("gone", anna)
        with pytest.raises(InvalidInput) as error:
            services.skip_next_of(["sum"], anna, reason="x" * 1001)
        assert list(error.value.errors) == ["reason"]

    def test_a_change_of_the_schedule_forgets_it(self, anna: Actor) -> None:
        make_job()
        services.skip_next("sum", anna)
        assert services.change_job("sum", {"trigger": "every 2h"}, anna).skip_tick is None

    def test_other_changes_keep_it(self, anna: Actor) -> None:
        make_job()
        services.skip_next("sum", anna)
        assert services.change_job("sum", {"name": "Other"}, anna).skip_tick is not None


@pytest.mark.parametrize("is_paused", [False, True])
def test_the_preview_of_another_schedule_says_that_a_skip_is_forgotten(is_paused: bool) -> None:
    make_job()
    spec = services.skip_next("sum", Actor())
    if is_paused:
        spec = services.pause_job("sum", Actor())
    assert spec.skip_tick is not None
    found = services.preview("every 2h", spec=spec)
    assert found.difference is not None
    assert found.difference.forgotten == spec.skip_tick
    assert [words for words in found.warnings if "will be forgotten" in words]
    assert not [words for words in services.preview("every 1h", spec=spec).warnings if "forgotten" in words]


class TestExplanations:
    def test_a_swallowed_tick_names_the_window_and_who_set_it(self, anna: Actor) -> None:
        make_job()
        set_window(anna)
        due = timezone.now().replace(microsecond=0) - timedelta(minutes=1)
        DjangoJob.objects.update(next_run_time=due)
        claim(timezone.now())
        sentence = services.explain("sum", due).sentence
        assert "ended Skipped: It fell into the blackout “Easter series” from" in sentence
        assert "set by anna: No clean-ups." in sentence

    def test_so_does_one_that_is_to_come(self, anna: Actor) -> None:
        spec = make_job()
        set_window(anna, lasts=1.5)
        tick = spec.job.next_run_time
        assert tick is not None
        set_window(anna, hours=0.5, name="Later")
        found = services.explain("sum", tick)
        assert found.sentence.startswith("It will not run then: it falls into the blackout “Later” (from ")
        assert found.sentence.endswith("set by anna: No clean-ups.")

    def test_a_tick_that_is_to_be_skipped_names_who_asked(self, anna: Actor) -> None:
        spec = make_job()
        assert spec.job.next_run_time is not None
        services.skip_next("sum", anna, reason="The feed moves")
        found = services.explain("sum", spec.job.next_run_time)
        assert found.sentence == "It will not run then: anna asked to skip this tick: The feed moves."

    def test_a_tick_that_was_skipped_is_not_called_skipped_twice(self, anna: Actor) -> None:
        make_job()
        tick = services.skip_next("sum", anna, reason="The feed moves").job.next_run_time
        assert tick is not None
        claim(tick + timedelta(seconds=1))
        found = services.explain("sum", tick)
        said = f"It did not run: execution {found.execution_id} ended Skipped: "
        assert found.sentence == f"{said}Asked for by anna: The feed moves."

    def test_the_others_are_still_to_come(self, anna: Actor) -> None:
        spec = make_job()
        services.skip_next("sum", anna)
        assert spec.job.next_run_time is not None
        assert "still to come" in services.explain("sum", spec.job.next_run_time + timedelta(hours=1)).sentence


def test_what_a_person_asks_for_in_a_blackout_runs_with_a_note(anna: Actor) -> None:
    make_job()
    make_job("other", tags=["other"])
    row = set_window(anna, tags=["maintenance"])
    services.run_now(["other"], anna, reason="Now")
    services.change_window(row.pk, {"tags": []}, anna)
    services.run_now(["sum"], anna, reason="Now")
    reasons = dict(ExecutionDetail.objects.values_list("execution__job_id", "reason"))
    assert reasons["other"] == "Now"
    assert reasons["sum"].startswith("Now. Asked for during the blackout “Easter series”, which lasts until ")
    assert set(ExecutionDetail.objects.values_list("execution__status", flat=True)) == {Status.QUEUED}


def test_a_pause_until_the_past_is_refused(anna: Actor) -> None:
    make_job()
    with pytest.raises(InvalidInput, match="Give one in the future"):
        services.pause_job("sum", anna, until=timezone.now() - timedelta(seconds=1))
