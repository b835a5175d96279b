"""The one door: every rule about acts on jobs and executions, whoever asks."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import documents, scheduler, services
from app_scheduler.engine.jobstore import Change
from app_scheduler.engine.queue import settle, utc_now
from app_scheduler.exceptions import InvalidInput, JobExists, JobNotFound
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobOrigin, JobSpec, JobState, Status
from app_scheduler.services import Actor, RowAction

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor() -> Actor:
    return Actor(User.objects.create_user("ada"), JobOrigin.STAFF)


def document(**values: Any) -> dict[str, Any]:
    return {"id": "sum", "function": "tests.probe.jobs.add", "args": [1], "trigger": "every 1h", **values}


def errors_of(data: dict[str, Any], actor: Actor) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        services.create_job(data, actor)
    assert not DjangoJob.objects.exists(), "nothing is half-written"
    return caught.value.errors


# --- create -------------------------------------------------------------------------------------------------------


def test_a_job_is_created_with_its_next_tick_and_an_audit_entry(actor: Actor) -> None:
    spec = services.create_job(document(tags=["Mail", "mail"]), actor)
    assert (spec.name, spec.state, spec.origin, spec.tags) == ("Add", JobState.SCHEDULED, JobOrigin.STAFF, ["mail"])
    assert spec.job.next_run_time is not None
    assert timedelta(minutes=59) < spec.job.next_run_time - timezone.now() <= timedelta(hours=1)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.action_flag) == (actor.user, "sum", ADDITION)
    assert json.loads(entry.change_message)[0]["after"]["trigger"] == {"type": "interval", "hours": 1}


def test_an_id_is_made_from_the_name_where_none_is_given(actor: Actor) -> None:
    ids = [services.create_job(document(id=None, name="Nightly sum"), actor).job_id for _ in range(3)]
    assert ids == ["nightly-sum", "nightly-sum-2", "nightly-sum-3"]


def test_an_id_that_is_taken_is_refused(actor: Actor) -> None:
    services.create_job(document(), actor)
    with pytest.raises(JobExists) as caught:
        services.create_job(document(), actor)
    assert "exists already" in caught.value.errors["id"][0]


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"function": "tests.probe.jobs.ad"}, "function", "Did you mean"),
        ({"function": "os.system"}, "function", "not a registered function"),
        ({"args": ["many"]}, "args.0", "whole number"),
        ({"args": [], "kwargs": {"a": 1, "c": 2}}, "kwargs.c", ""),
        ({"args": []}, "kwargs.a", "required"),
        ({"trigger": "61 * * * *"}, "trigger", "minute"),
        ({"trigger": {"type": "cron", "hour": "25"}}, "trigger.hour", "0 to 23"),
        ({"trigger": {"type": "cron", "month": "2", "day": "30"}}, "trigger.day", "never fires"),
        ({"trigger": {"type": "date", "run_date": "2020-01-01"}}, "trigger.run_date", ""),
        ({"trigger": None}, "trigger", "Say when"),
        ({"id": "a/b"}, "id", "slashes"),
        ({"id": "x" * 300}, "id", "255"),
        ({"max_instances": 0}, "max_instances", "1 to"),
        ({"misfire_grace_time": "soon"}, "misfire_grace_time", "whole number"),
        ({"executor": "moon"}, "executor", "default"),
        ({"tags": "a;b"}, "tags", "not a tag"),
        ({"coalesce": "maybe"}, "coalesce", "true or false"),
        ({"max_instance": 2}, "max_instance", "max_instances"),
        ({"name": "nul\x00"}, "name", "NUL"),
        ({"id": "half\ud800"}, "id", "surrogate"),
    ],
)
def test_bad_input_is_refused_where_it_is_and_says_the_fix(
    actor: Actor, change: dict[str, Any], path: str, words: str
) -> None:
    found = errors_of(document(**change), actor)
    assert words in " ".join(found[path])


def test_every_fault_is_named_at_once(actor: Actor) -> None:
    found = errors_of({"function": "nowhere", "trigger": "sometimes", "max_instances": -1, "tags": 5}, actor)
    assert set(found) >= {"function", "trigger", "max_instances", "tags"}


# --- change -------------------------------------------------------------------------------------------------------


def test_a_change_keeps_what_it_does_not_name(actor: Actor) -> None:
    services.create_job(document(max_instances=3, description="Adds"), actor)
    spec = services.change_job("sum", {"name": "Sum"}, actor)
    assert (spec.name, spec.max_instances, spec.description) == ("Sum", 3, "Adds")
    entry = LogEntry.objects.filter(action_flag=CHANGE).get()
    change = json.loads(entry.change_message)[0]
    assert (change["changed"], change["before"], change["after"]) == (
        {"fields": ["name"]},
        {"name": "Add"},
        {"name": "Sum"},
    )


def test_a_change_of_anything_but_the_trigger_moves_no_tick(actor: Actor) -> None:
    before = services.create_job(document(), actor).job.next_run_time
    assert services.change_job("sum", {"args": [5], "trigger": "every 60m"}, actor).job.next_run_time != before
    again = services.get_job("sum").job.next_run_time
    assert services.change_job("sum", {"args": [6], "trigger": "every 60m"}, actor).job.next_run_time == again


def test_replacing_takes_defaults_but_leaves_the_pause(actor: Actor) -> None:
    services.create_job(document(max_instances=3), actor)
    services.pause_job("sum", actor)
    spec = services.change_job("sum", document(), actor, partial=False)
    assert (spec.max_instances, spec.state, spec.job.next_run_time) == (1, JobState.PAUSED, None)


def test_a_change_from_one_to_true_is_a_change(actor: Actor) -> None:
    services.create_job(
        document(function="app_scheduler.jobs.run_command", args=[], kwargs={"command": "check"}), actor
    )
    spec = services.get_job("sum")
    spec.kwargs = {"command": "check", "args": [1]}
    assert documents.apply({**documents.of(spec), "kwargs": {"command": "check", "args": [True]}}, spec) == ["kwargs"]


def test_a_stale_change_is_refused_and_undoes_nothing(actor: Actor) -> None:
    seen = services.create_job(document(), actor).revision
    services.change_job("sum", {"max_instances": 4}, actor)
    with pytest.raises(InvalidInput) as caught:
        services.change_job("sum", {"name": "Mine"}, actor, expected_revision=seen)
    assert list(caught.value.errors) == ["revision"]
    assert services.get_job("sum").max_instances == 4


def test_two_changes_at_once_both_hold(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    services.create_job(document(), actor)
    real = services.plan_change

    def plan_while_another_saves(spec: JobSpec, data: dict[str, Any], **options: Any) -> services.PlannedChange:
        planned = real(spec, data, **options)
        monkeypatch.setattr("app_scheduler.services.jobs.plan_change", real)
        services.change_job("sum", {"max_instances": 9}, actor)
        return planned

    monkeypatch.setattr("app_scheduler.services.jobs.plan_change", plan_while_another_saves)
    services.change_job("sum", {"name": "Both"}, actor)
    spec = services.get_job("sum")
    assert (spec.name, spec.max_instances) == ("Both", 9)


def test_a_broken_job_is_mended_by_pointing_it_at_a_function(actor: Actor) -> None:
    services.create_job(document(), actor)
    JobSpec.objects.update(state=JobState.BROKEN, state_reason="gone", function="tests.probe.jobs.gone")
    DjangoJob.objects.update(next_run_time=None)
    with pytest.raises(InvalidInput):
        services.change_job("sum", {"name": "Still"}, actor)
    spec = services.change_job("sum", {"function": "tests.probe.jobs.add"}, actor)
    assert (spec.state, spec.state_reason) == (JobState.SCHEDULED, "")
    assert spec.job.next_run_time is not None


def test_a_finished_job_begins_anew_with_a_new_trigger(actor: Actor) -> None:
    services.create_job(document(), actor)
    JobSpec.objects.update(state=JobState.FINISHED)
    DjangoJob.objects.update(next_run_time=None)
    assert services.change_job("sum", {"trigger": "every 2h"}, actor).state == JobState.SCHEDULED


def test_a_job_that_is_not_there_is_not_found(actor: Actor) -> None:
    for act in (
        lambda: services.change_job("none", {}, actor),
        lambda: services.delete_job("none", actor),
        lambda: services.pause_job("none", actor),
        lambda: services.run_now(["none"], actor),
    ):
        with pytest.raises(JobNotFound, match="none"):
            act()


# --- pause, resume, delete ----------------------------------------------------------------------------------------


def test_pausing_holds_ticks_back_and_resuming_finds_the_next(actor: Actor) -> None:
    services.create_job(document(), actor)
    paused = services.pause_job("sum", actor, reason="Easter series")
    assert (paused.state, paused.state_reason, paused.paused_by) == (JobState.PAUSED, "Easter series", actor.user)
    assert paused.job.next_run_time is None
    resumed = services.resume_job("sum", actor)
    assert (resumed.state, resumed.state_reason, resumed.paused_by) == (JobState.SCHEDULED, "", None)
    assert resumed.job.next_run_time is not None
    messages = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))[1:]
    assert messages == ["Paused: Easter series", "Resumed"]


def test_a_schedule_that_ended_during_a_pause_is_finished_when_resumed(actor: Actor) -> None:
    services.create_job(document(trigger={"type": "date", "run_date": "2099-01-01"}), actor)
    services.pause_job("sum", actor)
    JobSpec.objects.update(trigger={"type": "date", "run_date": "2020-01-01T00:00:00"})
    services.resume_jobs(["sum"], actor)
    spec = services.get_job("sum")
    assert (spec.state, spec.job.next_run_time) == (JobState.FINISHED, None)


def test_bulk_acts_take_a_handful_of_statements(actor: Actor, django_assert_max_num_queries: Any) -> None:
    rows = [document(id=f"job-{number}") for number in range(300)]
    services.carry_out_import(services.plan_import(rows), actor)
    ids = [row["id"] for row in rows]
    with django_assert_max_num_queries(25):
        assert len(services.pause_jobs(ids, actor, reason="all")) == 300
    with django_assert_max_num_queries(25):
        assert len(services.resume_jobs(ids, actor)) == 300
    with django_assert_max_num_queries(40):
        assert len(services.run_now(ids, actor)) == 300
    with django_assert_max_num_queries(40):
        assert len(services.delete_jobs(ids, actor)) == 300
    assert not DjangoJobExecution.objects.exists()
    assert LogEntry.objects.filter(action_flag=DELETION).count() == 300


# --- executions ---------------------------------------------------------------------------------------------------


def test_run_now_queues_an_execution_and_moves_nothing(actor: Actor) -> None:
    before = services.create_job(document(), actor).job.next_run_time
    (pk,) = services.run_now(["sum"], actor, reason="test")
    execution = services.get_execution(pk)
    assert (execution.status, execution.detail.origin) == (Status.QUEUED, ExecutionOrigin.MANUAL)
    assert execution.detail.requested_by == actor.user
    assert services.get_job("sum").job.next_run_time == before


def test_run_now_with_other_arguments_checks_them(actor: Actor) -> None:
    services.create_job(document(), actor)
    (pk,) = services.run_now(["sum"], actor, kwargs={"b": "7"})
    assert services.get_execution(pk).detail.kwargs == {"b": 7}
    with pytest.raises(InvalidInput) as caught:
        services.run_now(["sum"], actor, kwargs={"b": "many"})
    assert list(caught.value.errors) == ["kwargs.b"]


def test_a_hundred_requests_at_one_moment_are_a_hundred_executions(actor: Actor) -> None:
    services.create_job(document(), actor)
    assert len({services.run_now(["sum"], actor)[0] for _ in range(100)}) == 100


def test_only_what_has_ended_can_be_retried_and_only_what_has_not_cancelled(actor: Actor) -> None:
    services.create_job(document(), actor)
    (pk,) = services.run_now(["sum"], actor, kwargs={"b": 4})
    with pytest.raises(InvalidInput, match="not ended"):
        services.retry_execution(pk, actor)
    services.cancel_execution(pk, actor, reason="no need")
    assert services.get_execution(pk).status == Status.CANCELLED
    with pytest.raises(InvalidInput, match="ended already"):
        services.cancel_execution(pk, actor)
    again = services.get_execution(services.retry_execution(pk, actor)).detail
    assert (again.attempt, again.retry_of_id, again.kwargs) == (2, pk, {"b": 4})


def test_acknowledging_counts_open_failures_once(actor: Actor) -> None:
    services.create_job(document(), actor)
    pks = services.run_now(["sum"], actor)
    settle([(pks[0], "sum", Status.ERROR, "")], utc_now())
    assert services.acknowledge_executions(pks, actor, note="seen") == 1
    assert services.acknowledge_executions(pks, actor) == 0
    assert ExecutionDetail.objects.get().acknowledged_note == "seen"


# --- import -------------------------------------------------------------------------------------------------------


def test_an_import_says_what_each_row_would_do_and_then_does_it(actor: Actor) -> None:
    services.create_job(document(id="same"), actor)
    services.create_job(document(id="other"), actor)
    rows = [document(id="new"), document(id="same"), {"id": "other", "max_instances": "4", "paused": "true"}]
    planned = services.plan_import(rows)
    assert [row.action for row in planned] == [RowAction.NEW, RowAction.SAME, RowAction.CHANGED]
    assert DjangoJob.objects.count() == 2
    counts = services.carry_out_import(planned, actor)
    assert counts == {RowAction.NEW: 1, RowAction.SAME: 1, RowAction.CHANGED: 1}
    other = services.get_job("other")
    assert (other.max_instances, other.state) == (4, JobState.PAUSED)


def test_one_bad_row_and_nothing_is_written(actor: Actor) -> None:
    planned = services.plan_import([document(id="good"), document(id="bad", trigger="x"), document(id="good")])
    assert [bool(row.errors) for row in planned] == [False, True, True]
    with pytest.raises(InvalidInput) as caught:
        services.carry_out_import(planned, actor)
    assert {path.split(".")[0] for path in caught.value.errors} == {"row 2", "row 3"}
    assert not DjangoJob.objects.exists()


def test_an_import_that_somebody_overtook_writes_nothing(actor: Actor) -> None:
    services.create_job(document(id="old"), actor)
    planned = services.plan_import([document(id="new"), {"id": "old", "name": "Mine"}])
    services.change_job("old", {"name": "Theirs"}, actor)
    with pytest.raises(InvalidInput, match="meanwhile"):
        services.carry_out_import(planned, actor)
    assert not DjangoJob.objects.filter(id="new").exists()


# --- the scheduler ------------------------------------------------------------------------------------------------


def test_the_status_of_a_site_that_never_ran(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(10):
        status = services.status()
    assert (status.alive, status.paused, status.leader, status.queued) == (False, False, None, 0)


def test_all_scheduling_can_be_paused_and_resumed(actor: Actor) -> None:
    assert services.pause_all(actor, reason="deploy")
    assert not services.pause_all(actor)
    status = services.status()
    assert (status.paused, status.paused_by, status.pause_reason) == (True, "ada", "deploy")
    assert services.resume_all(actor)
    assert not services.status().paused


def test_pausing_everything_and_acknowledging_leave_their_traces(actor: Actor) -> None:
    services.pause_all(actor, reason="deploy")
    services.resume_all(actor)
    services.create_job(document(), actor)
    (pk,) = services.run_now(["sum"], actor)
    settle([(pk, "sum", Status.ERROR, "")], utc_now())
    services.acknowledge_executions([pk], actor, note="seen")
    entries = LogEntry.objects.order_by("pk").values_list("object_repr", "change_message")
    assert [entry for entry in entries if not entry[1].startswith("[")] == [
        ("All scheduling", "Paused: deploy"),
        ("All scheduling", "Resumed"),
        ("Add", f"Run now, execution {pk}"),
        (f"sum, execution {pk}", "Acknowledged: seen"),
    ]


def test_a_pause_makes_an_open_form_stale(actor: Actor) -> None:
    seen = services.create_job(document(), actor).revision
    services.pause_job("sum", actor)
    with pytest.raises(InvalidInput) as caught:
        services.change_job("sum", {"paused": False}, actor, expected_revision=seen)
    assert list(caught.value.errors) == ["revision"]
    seen = services.get_job("sum").revision
    services.resume_job("sum", actor)
    assert services.get_job("sum").revision > seen


def test_arguments_of_the_wrong_shape_are_refused_and_nothing_is_lost(actor: Actor) -> None:
    services.create_job(document(), actor)
    for args in ("abc", {"a": 1}, 7):
        with pytest.raises(InvalidInput) as caught:
            services.change_job("sum", {"args": args}, actor)
        assert "args" in next(iter(caught.value.errors))
    assert services.get_job("sum").args == [1]


def test_a_preview_gives_words_ticks_and_warnings() -> None:
    preview = services.preview("0 9 * * mon-fri", count=3)
    assert "09:00" in preview.description
    assert [tick.strftime("%H:%M") for tick in preview.upcoming] == ["09:00"] * 3
    with pytest.raises(InvalidInput) as caught:
        services.preview({"type": "cron", "hour": "25"})
    assert list(caught.value.errors) == ["trigger.hour"]


def test_upcoming_ticks_begin_with_the_one_that_the_job_waits_for(actor: Actor) -> None:
    spec = services.create_job(document(), actor)
    ticks = services.upcoming_ticks(spec, count=3)
    assert ticks[0] == spec.job.next_run_time
    assert [later - earlier for earlier, later in pairwise(ticks)] == [timedelta(hours=1)] * 2


def test_a_change_saved_twice_from_one_reading_is_saved_once(actor: Actor) -> None:
    first, second = services.create_job(document(), actor), services.get_job("sum")
    first.name, second.name = "First", "Second"
    assert scheduler.save_changes([Change(first, ["name"])]) == {"sum"}
    assert scheduler.save_changes([Change(second, ["name"])]) == set()
    assert services.get_job("sum").name == "First"
