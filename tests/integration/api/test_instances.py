"""/api/scheduler/: the instances, what each runs, and having one drain."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from app_scheduler.engine.lease import ensure_lease
from app_scheduler.models import ExecutionDetail, InstanceRole, SchedulerInstance, SchedulerLease, Status
from app_scheduler.services import NAMED_RUNS

from .conftest import ClientMaker, ExecutionMaker, JobMaker
from .test_schema import check

DRAIN = "/api/scheduler/instances/{id}/drain/"
RESUME = "/api/scheduler/instances/{id}/resume/"


def make_instance(id: str, role: InstanceRole = InstanceRole.STANDBY, **values: object) -> SchedulerInstance:
    now = timezone.now()
    given = {"host": "web-1", "pid": 1, "started_at": now, "heartbeat": now, "slots": 10, **values}
    return SchedulerInstance.objects.create(id=id, role=role, **given)


def lead(id: str) -> None:
    ensure_lease()
    SchedulerLease.objects.update(holder=id, expires_at=timezone.now() + timedelta(minutes=1))


def make_runs(make_execution: ExecutionMaker, instance: str, count: int) -> list[int]:
    """Have an instance run ``count`` executions, the first of which began first."""
    made = []
    for number in range(count):
        # At one moment, a job has one execution.
        due = timezone.now() - timedelta(minutes=count - number)
        execution = make_execution(status=Status.STARTED, run_time=due)
        ExecutionDetail.objects.filter(pk=execution.pk).update(
            instance=instance, started_at=due, finished_at=None, available_at=None
        )
        made.append(int(execution.pk))
    return made


def test_each_instance_is_told_with_what_it_runs(
    client: APIClient, make_job: JobMaker, make_execution: ExecutionMaker
) -> None:
    make_job()
    make_instance("one", InstanceRole.LEADER)
    make_instance("two", draining_since=timezone.now())
    make_instance("three", InstanceRole.WORKER, queues="jobs, reports")
    make_instance("four", heartbeat=timezone.now() - timedelta(hours=1))
    lead("one")
    runs = make_runs(make_execution, "two", NAMED_RUNS + 2)

    told = check(client.get("/api/scheduler/"), "get", "/api/scheduler/")

    found = {each["id"]: each for each in told["instances"]}
    assert {id: each["state"] for id, each in found.items()} == {
        "one": "leads",
        "two": "draining",
        "three": "works",
        "four": "gone",
    }
    assert found["two"]["running"] == NAMED_RUNS + 2
    assert [run["execution"] for run in found["two"]["runs"]] == runs[:NAMED_RUNS]
    assert {run["job"] for run in found["two"]["runs"]} == {"adder"}
    assert found["one"]["runs"] == []
    assert found["three"]["queues"] == ["jobs", "reports"]
    assert told["standbys"] == [], "one that drains does not take over"


@pytest.mark.parametrize("count", [3, 200])
def test_it_takes_the_same_queries_for_any_number_of_instances(
    client: APIClient, make_job: JobMaker, make_execution: ExecutionMaker, count: int
) -> None:
    make_job()
    for number in range(count):
        make_instance(f"instance-{number}")
    make_runs(make_execution, "instance-1", 3)
    with CaptureQueriesContext(connection) as queries:
        client.get("/api/scheduler/")
    assert len(queries) <= 10, [query["sql"] for query in queries]


def test_an_instance_drains_and_goes_on(client: APIClient) -> None:
    make_instance("one", host="web.example.com")
    drained = check(
        client.post(DRAIN.format(id="one"), {"reason": "A new release"}),
        "post",
        "/api/scheduler/instances/{id}/drain/",
    )
    assert drained["state"] == "drained", "it runs nothing"
    since = SchedulerInstance.objects.get().draining_since
    assert since is not None

    assert client.post(DRAIN.format(id="one"), {"reason": "Again"}).status_code == 200
    assert SchedulerInstance.objects.get().draining_since == since, "it drains since then"

    resumed = check(client.post(RESUME.format(id="one")), "post", "/api/scheduler/instances/{id}/resume/")
    assert (resumed["state"], resumed["draining_since"]) == ("standby", None)
    entries = LogEntry.objects.order_by("pk").values_list(
        "object_id", "object_repr", "change_message", "user__username"
    )
    assert list(entries) == [
        ("one", "web.example.com, process 1", "Asked to drain: A new release", "ana"),
        ("one", "web.example.com, process 1", "Let go on", "ana"),
    ]


@pytest.mark.parametrize("address", [DRAIN, RESUME])
def test_an_instance_that_is_not_there_is_404(client: APIClient, address: str) -> None:
    for id in ("nobody", "a%00b", "x" * 400):
        answer = client.post(address.format(id=id))
        assert answer.status_code == 404, id
        assert "has stopped" in answer.json()["detail"]


@pytest.mark.parametrize("address", [DRAIN, RESUME])
def test_it_needs_its_own_permission(client_with: ClientMaker, address: str) -> None:
    make_instance("one")
    before = SchedulerInstance.objects.get()
    stranger = client_with("django_apscheduler.view_djangojob", "app_scheduler.pause_job")
    answer = stranger.post(address.format(id="one"))
    assert answer.status_code == 403
    assert "app_scheduler.change_schedulerinstance" in answer.json()["detail"]
    assert SchedulerInstance.objects.get().draining_since == before.draining_since
    assert client_with("app_scheduler.change_schedulerinstance").post(address.format(id="one")).status_code == 200


def test_a_reason_that_is_too_long_is_told_beside_it(client: APIClient) -> None:
    make_instance("one")
    answer = client.post(DRAIN.format(id="one"), {"reason": "x" * 2000})
    assert answer.status_code == 400
    assert list(answer.json()) == ["reason"]
    assert SchedulerInstance.objects.get().draining_since is None
