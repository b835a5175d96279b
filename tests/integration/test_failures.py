"""Failures as groups: acknowledged, snoozed, opened again, retried; numbers and executions agree all the while."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Min
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_scheduler import services
from app_scheduler.exceptions import ConsoleError, FailureNotFound, InvalidInput
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, FailureGroup, JobOrigin, JobSpec, Release, Status
from app_scheduler.services import Actor, FailureState, failure_facts, failures
from tests.integration.failing import ago, fail, group_of, make_job, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor(db: None) -> Actor:
    return Actor(User.objects.create_user("ada"), JobOrigin.STAFF)


def said_of(model: type[Any], object_id: object) -> list[str]:
    content_type = ContentType.objects.get_for_model(model)
    entries = LogEntry.objects.filter(content_type=content_type, object_id=str(object_id)).order_by("pk")
    return list(entries.values_list("change_message", flat=True))


def state(job_id: str = "digest", fault: str = "f") -> FailureState:
    return services.state_of(group_of(job_id, fault), timezone.now())


def assert_true_to_the_executions() -> None:
    """Hold the groups' numbers against the executions."""
    rows = (
        ExecutionDetail.objects.filter(fingerprint__gt="", acknowledged_at__isnull=True)
        .values_list("execution__job_id", "fingerprint")
        .annotate(Count("pk"), Min("finished_at"))
        .order_by()
    )
    expected = {(job_id, fault): (number, since) for job_id, fault, number, since in rows}
    found = {
        (group.job_id, group.fingerprint): (group.open_count, group.opened_at)
        for group in FailureGroup.objects.filter(open_count__gt=0)
    }
    assert found == expected
    for group in FailureGroup.objects.filter(open_count=0):
        assert group.acknowledged_at is not None
        assert group.snoozed_until is None


# --- acknowledge, snooze, open again ------------------------------------------------------------------------------


def test_a_group_is_acknowledged_with_all_its_executions(actor: Actor) -> None:
    make_job()
    first, second, other = fail(), fail(at=ago(minutes=5)), fail(fault="g")
    assert services.acknowledge_failures([group_of().pk], actor, note="The provider was down") == 1
    group = group_of()
    assert (group.open_count, group.acknowledged_by, group.acknowledged_note) == (
        0,
        actor.user,
        "The provider was down",
    )
    for pk in (first, second):
        detail = ExecutionDetail.objects.get(pk=pk)
        assert detail.acknowledged_by == actor.user
        assert (detail.acknowledged_at, detail.acknowledged_note) == (group.acknowledged_at, "The provider was down")
    assert ExecutionDetail.objects.get(pk=other).acknowledged_at is None
    assert said_of(FailureGroup, group.pk) == ["Acknowledged, 2 failures: The provider was down"]
    assert (state(), state(fault="g")) == (FailureState.ACKNOWLEDGED, FailureState.OPEN)
    assert services.acknowledge_failures([group.pk], actor) == 0


def test_acknowledging_takes_the_same_statements_for_one_execution_and_for_many(actor: Actor) -> None:
    make_job()
    ContentType.objects.get_for_model(FailureGroup)
    used = []
    for number in (1, 30):
        for second in range(number):
            fail(at=ago(hours=1, seconds=second))
        with CaptureQueriesContext(connection) as queries:
            services.acknowledge_failures([group_of().pk], actor)
        used.append(len(queries))
    assert used[0] == used[1]


def test_the_same_fault_of_another_job_stays_open(actor: Actor) -> None:
    for job_id in ("a", "b"):
        make_job(job_id)
        fail(job_id)
    services.acknowledge_failures([group_of("a").pk], actor)
    assert (group_of("a").open_count, group_of("b").open_count) == (0, 1)
    assert ExecutionDetail.objects.get(execution__job="b").acknowledged_at is None


def test_executions_that_are_acknowledged_leave_their_group_one_by_one(actor: Actor) -> None:
    make_job()
    first, second, third = (fail(at=ago(hours=hours)) for hours in (3, 2, 1))
    services.acknowledge_execution(first, actor, note="seen")
    group = group_of()
    assert (group.open_count, group.acknowledged_at) == (2, None)
    assert group.opened_at == ExecutionDetail.objects.get(pk=second).finished_at
    assert services.acknowledge_executions([first, second, third], actor, note="all of it") == 2
    group = group_of()
    assert (group.open_count, group.acknowledged_by, group.acknowledged_note) == (0, actor.user, "all of it")
    assert ExecutionDetail.objects.get(pk=first).acknowledged_note == "seen"


def test_a_group_whose_other_executions_are_gone_is_closed_with_its_last(actor: Actor) -> None:
    make_job()
    gone, left = fail(at=ago(days=40)), fail()
    ExecutionDetail.objects.filter(pk=gone).delete()
    services.acknowledge_execution(left, actor)
    assert group_of().open_count == 0
    assert state() is FailureState.ACKNOWLEDGED


def test_a_failure_after_the_acknowledgement_opens_the_group_again(actor: Actor) -> None:
    make_job()
    fail()
    services.acknowledge_failures([group_of().pk], actor, note="known")
    again = fail(at=ago(seconds=1))
    group = group_of()
    assert (state(), group.open_count, group.acknowledged_note) == (FailureState.OPEN, 1, "known")
    assert group.opened_at == ExecutionDetail.objects.get(pk=again).finished_at


def test_a_snooze_ends_by_itself_and_counts_meanwhile(actor: Actor) -> None:
    make_job()
    fail()
    until = timezone.now() + timedelta(hours=2)
    assert services.snooze_failures([group_of().pk], actor, until=until, note="They know") == 1
    fail(at=ago(seconds=1))
    group = group_of()
    assert (state(), group.open_count, group.snoozed_by) == (FailureState.SNOOZED, 2, actor.user)
    assert services.state_of(group, until) is FailureState.OPEN
    assert list(services.failure_groups(FailureState.OPEN, until)) == [group]
    assert not services.failure_groups(FailureState.OPEN, timezone.now()).exists()
    assert said_of(FailureGroup, group.pk)[0].startswith("Snoozed until 20")


@pytest.mark.parametrize(("hours", "words"), [(-1, "has passed"), (24 * 400, "year at most")])
def test_a_snooze_needs_a_moment_to_come(actor: Actor, hours: int, words: str) -> None:
    make_job()
    fail()
    with pytest.raises(InvalidInput) as caught:
        services.snooze_failures([group_of().pk], actor, until=timezone.now() + timedelta(hours=hours))
    assert words in caught.value.errors["until"][0]
    assert group_of().snoozed_until is None


def test_what_the_last_acknowledgement_closed_can_be_opened_again(actor: Actor) -> None:
    make_job()
    long_known = fail(at=ago(days=2))
    services.acknowledge_failures([group_of().pk], actor, note="long known")
    latest = fail()
    services.acknowledge_failures([group_of().pk], actor, note="by mistake")
    assert services.reopen_failures([group_of().pk], actor, note="It was another one") == 1
    group = group_of()
    assert (group.open_count, group.acknowledged_at, group.acknowledged_note) == (1, None, "")
    assert ExecutionDetail.objects.get(pk=latest).acknowledged_at is None
    assert ExecutionDetail.objects.get(pk=long_known).acknowledged_note == "long known"
    assert said_of(FailureGroup, group.pk)[-1] == "Opened again: It was another one"


def test_a_snoozed_group_is_brought_back(actor: Actor) -> None:
    make_job()
    fail()
    services.snooze_failures([group_of().pk], actor, until=timezone.now() + timedelta(hours=2), note="later")
    assert services.reopen_failures([group_of().pk], actor) == 1
    assert state() is FailureState.OPEN
    assert (group_of().snooze_note, group_of().snoozed_by) == ("", None)
    assert services.reopen_failures([group_of().pk], actor) == 0


def test_nothing_is_opened_again_where_no_execution_is_left(actor: Actor) -> None:
    make_job()
    fail()
    services.acknowledge_failures([group_of().pk], actor)
    ExecutionDetail.objects.all().delete()
    assert services.reopen_failures([group_of().pk], actor) == 0
    assert group_of().open_count == 0


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["fail", "one", "group", "reopen", "snooze"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["f", "g"]),
        st.integers(0, 5),
    ),
    max_size=14,
)


@given(ACTS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_groups_and_executions_agree_whatever_is_done(actor: Actor, acts: list[tuple[Any, ...]]) -> None:
    with transaction.atomic():
        for job_id in ("a", "b"):
            make_job(job_id)
        start = ago(days=1)
        for number, (act, job_id, fault, which) in enumerate(acts):
            groups = list(FailureGroup.objects.filter(job_id=job_id, fingerprint=fault).values_list("pk", flat=True))
            if act == "fail":
                fail(job_id, start + timedelta(minutes=number), fault=fault)
            elif act == "one":
                found = (
                    ExecutionDetail.objects.filter(execution__job=job_id).order_by("pk").values_list("pk", flat=True)
                )
                services.acknowledge_executions(list(found[which : which + 2]), actor)
            elif act == "group":
                services.acknowledge_failures(groups, actor)
            elif act == "reopen":
                services.reopen_failures(groups, actor)
            else:
                services.snooze_failures(groups, actor, until=timezone.now() + timedelta(hours=1))
            assert_true_to_the_executions()
        transaction.set_rollback(True)


def test_many_groups_are_acknowledged_in_several_transactions(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "BATCH", 2)
    make_job()
    for fault in "abcde":
        fail(fault=fault)
    ids = list(FailureGroup.objects.values_list("pk", flat=True))
    assert services.acknowledge_failures(ids, actor) == 5
    assert not FailureGroup.objects.filter(open_count__gt=0).exists()


def test_groups_are_counted_by_state_and_old_acknowledged_ones_are_left_out(actor: Actor) -> None:
    make_job()
    for fault in "abcd":
        fail(fault=fault)
    services.acknowledge_failures([group_of(fault=fault).pk for fault in "ab"], actor)
    services.snooze_failures([group_of(fault="c").pk], actor, until=timezone.now() + timedelta(hours=1))
    FailureGroup.objects.filter(fingerprint="a").update(acknowledged_at=ago(days=31))
    now = timezone.now()
    assert services.count_failures(now) == {
        FailureState.OPEN: 1,
        FailureState.SNOOZED: 1,
        FailureState.ACKNOWLEDGED: 1,
    }
    assert set(services.failure_groups(None, now).values_list("fingerprint", flat=True)) == set("bcd")
    with pytest.raises(FailureNotFound):
        services.get_failure(0)


# --- retry --------------------------------------------------------------------------------------------------------


def retries() -> list[ExecutionDetail]:
    return list(ExecutionDetail.objects.filter(origin=ExecutionOrigin.RETRY).order_by("available_at"))


def test_retries_are_spread_keep_their_arguments_and_are_noted(actor: Actor) -> None:
    make_job(args=[7])
    failed = [fail(at=ago(hours=hours)) for hours in (3, 2, 1)]
    retried = services.retry_failures([group_of().pk], actor, per_minute=6, note="The provider is back")
    made = retries()
    assert retried.queued == [detail.pk for detail in made]
    assert [detail.retry_of_id for detail in made] == failed
    moments = [detail.available_at for detail in made if detail.available_at is not None]
    assert [(after - before).total_seconds() for before, after in pairwise(moments)] == [10.0, 10.0]
    for detail in made:
        assert (detail.args, detail.kwargs, detail.attempt) == ([1], {"b": 5}, 2)
        assert (detail.requested_by, detail.reason) == (actor.user, "The provider is back")
        assert detail.execution.status == Status.QUEUED
    assert said_of(FailureGroup, group_of().pk) == ["Retried 3 failures, 6 a minute: The provider is back"]
    assert said_of(DjangoJob, "digest") == ["Retried 3 failures, 6 a minute: The provider is back"]


def test_what_was_tried_again_is_not_run_twice(actor: Actor) -> None:
    make_job()
    fail()
    ids = [group_of().pk]
    assert services.count_retryable(ids) == 1
    (new_id,) = services.retry_failures(ids, actor).queued
    assert services.count_retryable(ids) == 0
    assert services.retry_failures(ids, actor).queued == []
    services.cancel_execution(new_id, actor)
    assert services.count_retryable(ids) == 1


def test_of_a_chain_of_attempts_only_the_last_is_retried(actor: Actor) -> None:
    make_job()
    first, second = fail(at=ago(hours=2)), fail()
    ExecutionDetail.objects.filter(pk=second).update(retry_of=first)
    services.retry_failures([group_of().pk], actor)
    assert [detail.retry_of_id for detail in retries()] == [second]


def test_acknowledged_failures_are_not_retried(actor: Actor) -> None:
    make_job()
    seen, _ = fail(at=ago(hours=2)), fail()
    services.acknowledge_execution(seen, actor)
    assert len(services.retry_failures([group_of().pk], actor).queued) == 1


def test_a_retry_of_many_is_bounded_and_takes_the_oldest_first(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "MAX_RETRIES", 2)
    make_job()
    oldest, older, _ = (fail(at=ago(hours=hours)) for hours in (3, 2, 1))
    retried = services.retry_failures([group_of().pk], actor)
    assert retried.is_cut
    assert [detail.retry_of_id for detail in retries()] == [oldest, older]
    assert not services.retry_failures([group_of().pk], actor).is_cut
    assert len(retries()) == 3


def test_the_last_failure_of_each_group_is_retried_alone_and_once(actor: Actor) -> None:
    make_job()
    fail(at=ago(hours=2))
    last, other = fail(), fail(fault="g")
    ids = [group_of().pk, group_of(fault="g").pk]
    assert len(services.retry_failures(ids, actor, newest_only=True).queued) == 2
    assert {detail.retry_of_id for detail in retries()} == {last, other}
    assert services.retry_failures(ids, actor, newest_only=True).queued == []


def test_the_last_failure_is_not_retried_where_somebody_has_acknowledged_it(actor: Actor) -> None:
    make_job()
    fail(at=ago(hours=2))
    services.acknowledge_execution(fail(), actor)
    assert services.retry_failures([group_of().pk], actor, newest_only=True).queued == []


@pytest.mark.parametrize("newest_only", [False, True])
def test_groups_that_are_gone_are_no_error(actor: Actor, newest_only: bool) -> None:
    make_job()
    fail()
    gone = group_of()
    gone_id = gone.pk
    gone.delete()
    retried = services.retry_failures([gone_id], actor, newest_only=newest_only)
    assert (retried.queued, retried.is_cut) == ([], False)


def test_what_cannot_run_is_left_out_with_the_reason(actor: Actor) -> None:
    for job_id in ("gone", "strict", "fine"):
        make_job(job_id)
        fail(job_id)
    JobSpec.objects.filter(job_id="gone").update(function="tests.probe.jobs.nowhere")
    ExecutionDetail.objects.filter(execution__job="strict").update(args=["no number"])
    retried = services.retry_failures(list(FailureGroup.objects.values_list("pk", flat=True)), actor)
    assert [detail.execution.job_id for detail in retries()] == ["fine"]
    assert sum(retried.refused.values()) == 2
    assert any("not a registered function" in reason for reason in retried.refused)


@pytest.mark.parametrize("per_minute", [0, -1, 6001])
def test_a_rate_that_is_none_is_refused(actor: Actor, per_minute: int) -> None:
    make_job()
    fail()
    with pytest.raises(InvalidInput) as caught:
        services.retry_failures([group_of().pk], actor, per_minute=per_minute)
    assert "per_minute" in caught.value.errors
    assert not retries()


def test_a_retry_that_succeeds_closes_nothing(actor: Actor) -> None:
    make_job()
    fail()
    assert not services.has_recovered(services.get_failure(group_of().pk))
    run("digest", ago(minutes=1))
    group = services.get_failure(group_of().pk)
    assert services.has_recovered(group)
    assert state() is FailureState.OPEN


def test_nothing_is_asked_of_no_groups(actor: Actor) -> None:
    assert services.retry_failures([], actor).queued == []
    assert services.count_retryable([]) == 0
    assert services.acknowledge_failures([], actor) == services.reopen_failures([], actor) == 0
    assert services.acknowledge_executions([], actor) == 0


def test_a_job_that_is_deleted_meanwhile_is_said(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job()
    fail()

    def deleted(*_: object) -> None:
        raise IntegrityError

    monkeypatch.setattr(failures, "enqueue", deleted)
    with pytest.raises(ConsoleError, match="deleted meanwhile"):
        services.retry_failures([group_of().pk], actor)


# --- two at once --------------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_verdict_during_an_acknowledgement_is_counted_after_it(actor: Actor) -> None:
    make_job()
    fail()
    pk = group_of().pk
    held, go_on = threading.Event(), threading.Event()

    def acknowledge() -> None:
        try:
            with transaction.atomic():
                services.acknowledge_failures([pk], actor)
                held.set()
                assert go_on.wait(20)
        finally:
            connection.close()

    def verdict() -> None:
        try:
            fail(at=ago(seconds=1))
        finally:
            connection.close()

    threads = [threading.Thread(target=acknowledge), threading.Thread(target=verdict)]
    threads[0].start()
    assert held.wait(20)
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert group_of().open_count == 1
    assert_true_to_the_executions()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_people_who_retry_at_once_queue_each_failure_once(actor: Actor) -> None:
    make_job()
    for minutes in range(1, 6):
        fail(at=ago(minutes=minutes))
    barrier = threading.Barrier(2, timeout=20)

    def retry() -> None:
        try:
            barrier.wait()
            services.retry_failures([group_of().pk], actor)
        finally:
            connection.close()

    threads = [threading.Thread(target=retry) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(retries()) == 5


# --- what the inbox tells -----------------------------------------------------------------------------------------


def counts(*groups: FailureGroup) -> list[list[int]]:
    found = services.counts_by_age(groups, timezone.now())
    return [[each.count for each in found[group.pk]] for group in groups]


def test_open_failures_are_counted_by_age(actor: Actor) -> None:
    for job_id in ("a", "b"):
        make_job(job_id)
    for span in ({"minutes": 5}, {"hours": 2}, {"hours": 20}, {"days": 2}, {"days": 6}, {"days": 9}):
        fail("a", ago(**span))
    seen = fail("a", ago(minutes=6))
    services.acknowledge_execution(seen, actor)
    fail("b", ago(days=2, hours=1))
    assert counts(group_of("a"), group_of("b")) == [[1, 2, 3, 4, 5], [0, 0, 0, 1, 1]]
    assert services.counts_by_age([], timezone.now()) == {}


def test_beyond_what_is_counted_a_count_says_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_facts, "COUNTED", 2)
    make_job()
    for span in ({"minutes": 5}, {"minutes": 6}, {"hours": 5}, {"days": 5}):
        fail(at=ago(**span))
    found = services.counts_by_age([group_of()], timezone.now())[group_of().pk]
    assert [(each.count, each.is_exact) for each in found] == [(2, True), (2, True), (3, False), (3, False), (3, False)]


def changed(job_id: str, actor: Actor, at: datetime) -> None:
    spec = services.get_job(job_id)
    services.change_job(job_id, {"description": f"At {at}", "max_retries": spec.max_retries}, actor)
    LogEntry.objects.filter(pk=LogEntry.objects.latest("pk").pk).update(action_time=at)


def test_the_change_before_the_first_open_failure_is_named(actor: Actor) -> None:
    for job_id in ("a", "b", "c"):
        make_job(job_id)
        fail(job_id, ago(hours=5))
    changed("a", actor, ago(hours=9))
    changed("a", actor, ago(hours=7))
    changed("a", actor, ago(hours=2))
    changed("b", actor, ago(days=9))
    services.run_now(["c"], actor)
    LogEntry.objects.filter(pk=LogEntry.objects.latest("pk").pk).update(action_time=ago(hours=6))
    found = services.came_before([group_of(job_id) for job_id in ("a", "b", "c")])
    change = found[group_of("a").pk].change
    assert change is not None
    assert change.name == "ada"
    assert abs(change.at - ago(hours=7)) < timedelta(minutes=1)
    assert found[group_of("b").pk].change is None, "long before is no news"
    assert found[group_of("c").pk].change is None, "a run by hand changes nothing"


def test_the_release_before_the_first_open_failure_is_named() -> None:
    make_job()
    for version, hours in (("1.9", 60), ("1.10", 6), ("1.11", 1)):
        Release.objects.create(version=version, started_at=ago(hours=hours))
    fail(at=ago(hours=5))
    release = services.came_before([group_of()])[group_of().pk].release
    assert release is not None and release.name == "1.10"
    assert services.came_before([]) == {}


@pytest.mark.parametrize("number", [2, 12])
def test_what_a_page_of_groups_tells_takes_the_same_queries_for_few_and_for_many(number: int) -> None:
    make_job()
    for fault in range(number):
        fail(fault=str(fault))
    groups = list(FailureGroup.objects.all())
    ContentType.objects.get_for_model(DjangoJob)
    with CaptureQueriesContext(connection) as queries:
        services.counts_by_age(groups, timezone.now())
        services.came_before(groups)
    assert len(queries) == 4
    assert DjangoJobExecution.objects.count() == number
