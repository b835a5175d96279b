"""The pages of instances: what each does and runs, draining one and letting it go on, and who may."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from app_scheduler.engine.lease import ensure_lease
from app_scheduler.models import ExecutionDetail, InstanceRole, JobSpec, SchedulerInstance, SchedulerLease, Status
from app_scheduler.services import MAX_REASON, NAMED_RUNS
from tests.integration.admin.histories import make_execution, make_job
from tests.integration.admin.jobs_site import client_of, messages_of, person, text_of
from tests.integration.admin.test_refresh import look

pytestmark = pytest.mark.django_db

LIST = "/admin/app_scheduler/schedulerinstance/"
VIEWER = ("view_schedulerinstance",)
CHANGER = ("view_schedulerinstance", "change_schedulerinstance")


def make_instance(id: str, role: InstanceRole = InstanceRole.STANDBY, **values: Any) -> SchedulerInstance:
    now = timezone.now()
    given = {"host": id, "pid": 4711, "started_at": now, "heartbeat": now, "slots": 10, "version": "1.2", **values}
    return SchedulerInstance.objects.create(id=id, role=role, **given)


def lead(id: str) -> None:
    ensure_lease()
    SchedulerLease.objects.update(holder=id, expires_at=timezone.now() + timedelta(minutes=1))


def make_runs(instance: str, count: int) -> list[int]:
    """Have an instance run ``count`` executions of the job “digest”, the first of which began first."""
    made = []
    for number in range(count):
        due = timezone.now() - timedelta(minutes=count - number)
        execution = make_execution(status=Status.STARTED, due=due)
        ExecutionDetail.objects.filter(pk=execution.pk).update(
            instance=instance, started_at=due, finished_at=None, available_at=None
        )
        made.append(int(execution.pk))
    return made


def page_of(id: str, page: str = "change") -> str:
    return f"{LIST}{id}/{page}/"


class TestList:
    def test_each_is_told_with_its_state_and_what_it_runs(self, client: Client) -> None:
        make_job()
        make_instance("web-1", InstanceRole.LEADER)
        make_instance("web-2", draining_since=timezone.now())
        make_instance("mill", InstanceRole.WORKER, queues="jobs,reports", slots=4)
        make_instance("lost", heartbeat=timezone.now() - timedelta(hours=1))
        lead("web-1")
        runs = make_runs("web-2", NAMED_RUNS + 2)

        response = client.get(LIST)

        text = text_of(response)
        for words in (
            "web-1, process 4711 1.2 · since",
            "Leads",
            "Draining since",
            "Works queues jobs, reports",
            "Gone",
            f"{NAMED_RUNS + 2} of 10",
            "0 of 4",
            "and 2 more",
        ):
            assert words in text
        page = response.content.decode()
        assert f"/djangojobexecution/{runs[0]}/change/" in page
        assert f"/djangojobexecution/{runs[-1]}/change/" not in page
        assert page_of("lost", "drain") not in page

    def test_the_bar_counts_the_slots_of_the_leader_and_the_workers(self, client: Client) -> None:
        make_instance("web-1", InstanceRole.LEADER)
        make_instance("web-2")
        make_instance("mill", InstanceRole.WORKER, queues="jobs", slots=4)
        make_instance("mill-2", InstanceRole.WORKER, queues="jobs", slots=6, draining_since=timezone.now())
        lead("web-1")
        assert "0 of 14 slots busy 0 waiting 1 on standby 1 worker 1 drains Instances" in text_of(client.get(LIST))

    def test_the_queries_do_not_grow_with_the_instances(self, client: Client) -> None:
        make_job()
        make_instance("web-1")
        client.get(LIST)
        with CaptureQueriesContext(connection) as few:
            client.get(LIST)
        for number in range(20):
            make_instance(f"mill-{number}", InstanceRole.WORKER, queues="jobs")
        make_runs("mill-3", 8)
        with CaptureQueriesContext(connection) as many:
            assert client.get(LIST).status_code == 200
        assert len(many) == len(few)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("q=mill", {"mill"}),
            ("role=worker", {"mill"}),
            ("role=draining", {"web-1"}),
            ("q=reports", {"mill"}),
            ("q=%00nothing", set()),
            ("role=unknown", set()),
        ],
    )
    def test_it_is_searched_and_filtered(self, client: Client, query: str, found: set[str]) -> None:
        make_instance("web-1", draining_since=timezone.now())
        make_instance("mill", InstanceRole.WORKER, queues="reports")
        page = client.get(f"{LIST}?{query}").content.decode()
        assert {id for id in ("web-1", "mill") if page_of(id) in page} == found
        assert ("No instance matches" in page) == (not found)

    def test_without_any_it_says_how_one_comes(self, client: Client) -> None:
        text = text_of(client.get(LIST))
        assert "No process runs jobs now" in text
        assert "manage.py runscheduler" in text

    def test_a_look_tells_what_changed_and_what_stopped(self, client: Client) -> None:
        make_instance("web-1")
        seen = client.get(LIST).context["cl"].arrivals.seen
        SchedulerInstance.objects.filter(id="web-1").update(draining_since=timezone.now())
        make_instance("web-2", started_at=timezone.now() + timedelta(seconds=1))
        text = look(client, LIST, ["web-1", "left-7", "x" * 300], seen=str(seen)).content.decode()
        assert '<tr id="jc-row-web-1" hx-swap-oob="true">' in text
        assert "Drained" in text
        assert '<tr id="jc-row-left-7" hx-swap-oob="true">' in text
        assert "Stopped" in text
        assert "1 new" in text

    def test_the_bar_and_the_overview_lead_to_it_for_who_may_see_it(self, client: Client) -> None:
        for url in ("/admin/django_apscheduler/djangojob/", "/admin/django_apscheduler/djangojob/overview/"):
            assert f'href="{LIST}"' in client.get(url).content.decode()
        other = client_of(person("other", "view_djangojob"))
        assert f'href="{LIST}"' not in other.get("/admin/django_apscheduler/djangojob/").content.decode()


class TestPage:
    def test_it_tells_what_is_known_and_what_people_did(self, client: Client) -> None:
        make_job()
        make_instance("mill", InstanceRole.WORKER, queues="jobs", slots=4)
        (run,) = make_runs("mill", 1)
        client.post(page_of("mill", "drain"), {"reason": "a new kernel"})
        response = client.get(page_of("mill"))
        text = text_of(response)
        for words in ("Draining", "1 of 4 slots busy", "Queues jobs", "Version 1.2", "a new kernel", "root"):
            assert words in text
        assert f"/djangojobexecution/{run}/change/" in response.content.decode()

    def test_a_look_brings_its_state_and_runs(self, client: Client) -> None:
        make_instance("web-1")
        text = look(client, page_of("web-1")).content.decode()
        assert 'id="jc-state" hx-swap-oob="true"' in text
        assert 'id="jc-running" hx-swap-oob="true"' in text
        assert look(client, page_of("web-2")).status_code == 404

    @pytest.mark.parametrize("page", ["change", "history", "drain", "resume"])
    def test_one_that_has_stopped_is_said_to_have(self, client: Client, page: str) -> None:
        response = client.get(page_of("web-9", page), follow=True)
        assert response.redirect_chain[0][0] == LIST
        assert any("web-9" in message for message in messages_of(response))

    def test_its_history_is_on_its_page(self, client: Client) -> None:
        make_instance("web-1")
        assert client.get(page_of("web-1", "history"))["Location"] == f"{page_of('web-1')}#jc-history"

    def test_runs_have_no_link_for_who_may_not_see_executions(self) -> None:
        make_job()
        make_instance("web-1")
        make_runs("web-1", 1)
        response = client_of(person("viewer", *VIEWER)).get(page_of("web-1"))
        assert (JobSpec.objects.get().name or "digest") in text_of(response)
        assert "djangojobexecution/" not in response.content.decode()


class TestDraining:
    def test_it_is_asked_first_and_what_would_be_missing_is_said(self, client: Client) -> None:
        make_instance("web-1", InstanceRole.LEADER)
        lead("web-1")
        assert "No other instance could lead" in text_of(client.get(page_of("web-1", "drain")))
        make_instance("web-2")
        assert "No other instance could lead" not in text_of(client.get(page_of("web-1", "drain")))
        make_instance("mill", InstanceRole.WORKER, queues="jobs,reports")
        make_instance("mill-2", InstanceRole.WORKER, queues="jobs")
        assert "No other worker serves the queue reports" in text_of(client.get(page_of("mill", "drain")))
        assert not SchedulerInstance.objects.filter(draining_since__isnull=False).exists()

    def test_it_drains_and_goes_on_and_both_are_logged(self, client: Client) -> None:
        make_instance("web-1")
        response = client.post(page_of("web-1", "drain"), {"reason": "a new kernel"}, follow=True)
        (message,) = messages_of(response)
        assert message.endswith("web-1, process 4711</a> drains: it takes nothing new and ends what it runs.")
        assert page_of("web-1", "resume") in response.content.decode()
        assert SchedulerInstance.objects.get().draining_since is not None
        response = client.post(page_of("web-1", "resume"), {"reason": ""}, follow=True)
        (message,) = messages_of(response)
        assert message.endswith("web-1, process 4711</a> goes on.")
        assert SchedulerInstance.objects.get().draining_since is None
        said = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
        assert ["Asked to drain" in said[0], "a new kernel" in said[0], "Let go on" in said[1]] == [True] * 3

    def test_a_reason_that_is_too_long_is_told_beside_the_field(self, client: Client) -> None:
        make_instance("web-1")
        response = client.post(page_of("web-1", "drain"), {"reason": "x" * (MAX_REASON + 1)})
        assert response.status_code == 200
        assert response.context["form"].errors["reason"]
        assert SchedulerInstance.objects.get().draining_since is None

    @pytest.mark.parametrize("page", ["drain", "resume"])
    def test_who_may_only_look_may_not(self, page: str) -> None:
        make_instance("web-1")
        viewer = client_of(person("viewer", *VIEWER))
        assert page_of("web-1", "drain") not in viewer.get(LIST).content.decode()
        assert viewer.get(page_of("web-1", page)).status_code == 403
        assert viewer.post(page_of("web-1", page), {}).status_code == 403

    def test_a_changer_may_and_needs_the_token(self) -> None:
        make_instance("web-1")
        user = person("changer", *CHANGER)
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(user)
        assert strict.post(page_of("web-1", "drain"), {"reason": ""}).status_code == 403
        assert client_of(user).post(page_of("web-1", "drain"), {"reason": ""}).status_code == 302

    def test_nothing_else_can_be_posted_added_or_deleted(self, client: Client) -> None:
        make_instance("web-1")
        assert client.post(LIST, {}).status_code == 403
        assert client.post(page_of("web-1"), {"host": "other"}).status_code == 403
        assert client.get(f"{LIST}add/").status_code == 403
        assert client.post(page_of("web-1", "delete"), {"post": "yes"}).status_code == 403
        assert SchedulerInstance.objects.get().host == "web-1"

    def test_nobody_else_may_see_any(self) -> None:
        make_instance("web-1")
        other = client_of(person("other", "view_djangojob"))
        for url in (LIST, page_of("web-1"), page_of("web-1", "history")):
            assert other.get(url).status_code == 403
