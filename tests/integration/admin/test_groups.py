"""The admin of concurrency groups."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import services
from app_scheduler.models import ConcurrencyGroup, ExecutionDetail, Status
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import client_of, make_job, person, superuser, text_of

pytestmark = pytest.mark.django_db

LIST = "/admin/app_scheduler/concurrencygroup/"


def test_a_group_is_added_and_its_slots_are_changed() -> None:
    client = client_of(superuser())
    assert client.post(f"{LIST}add/", {"name": " Data Base ", "slots": "2"}).status_code == 302
    group = ConcurrencyGroup.objects.get()
    assert (group.name, group.slots) == ("data base", 2)
    page = f"{LIST}data base/change/"
    assert client.get(page).status_code == 200
    assert client.post(page, {"name": "another", "slots": "5"}).status_code == 302
    assert list(ConcurrencyGroup.objects.values_list("name", "slots")) == [("data base", 5)]
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "slots", "said"),
    [
        ("a/b", "1", "is not the name of a group"),
        ("none", "1", "stands for a job without a group"),
        ("DATABASE", "1", "already exists"),
        ("other", "0", "greater than or equal to 1"),
        ("other", "9" * 30, "less than or equal to 10000"),
        ("other", "many", "whole number"),
    ],
)
def test_what_is_no_group_is_refused_beside_its_field(name: str, slots: str, said: str) -> None:
    ConcurrencyGroup.objects.create(name="database")
    response = client_of(superuser()).post(f"{LIST}add/", {"name": name, "slots": slots})
    assert response.status_code == 200
    assert said in text_of(response)
    assert ConcurrencyGroup.objects.count() == 1


def test_the_list_counts_the_jobs_of_each_group() -> None:
    ConcurrencyGroup.objects.create(name="database", slots=3)
    ConcurrencyGroup.objects.create(name="idle")
    for name in ("one", "two"):
        make_job(name, concurrency_group="database")
    client = client_of(superuser())
    words = text_of(client.get(LIST))
    assert "database Slots: 3 Jobs: 2 Running now: 0 Waiting now: 0" in words
    assert "idle Slots: 1 Jobs: 0" in words


def test_nothing_that_is_asked_for_fails_the_site() -> None:
    client = client_of(superuser())
    for address in (f"{LIST}?q=%00", f"{LIST}?name=%00", f"{LIST}x_00y/change/", f"{LIST}?o=99"):
        assert client.get(address).status_code in (200, 302)


def test_only_who_may_change_groups_changes_them() -> None:
    ConcurrencyGroup.objects.create(name="database")
    assert client_of(person("jobs", "view_djangojob")).get(LIST).status_code == 403
    viewer = client_of(person("viewer", "view_concurrencygroup"))
    assert viewer.get(LIST).status_code == 200
    assert viewer.post(f"{LIST}database/change/", {"slots": "9"}).status_code == 403
    assert viewer.post(f"{LIST}add/", {"name": "x", "slots": "9"}).status_code == 403
    assert ConcurrencyGroup.objects.get().slots == 1


def test_the_list_tells_what_runs_and_what_waits() -> None:
    ConcurrencyGroup.objects.create(name="database")
    for name in ("one", "two", "three"):
        make_job(name, concurrency_group="database")
    queued = services.run_now(["one", "two", "three"], Actor())
    DjangoJobExecution.objects.filter(pk=queued[0]).update(status=Status.STARTED)
    now = timezone.now()
    ExecutionDetail.objects.filter(pk=queued[0]).update(started_at=now, available_at=None)
    ExecutionDetail.objects.filter(pk=queued[1]).update(sent_at=now, available_at=None)
    client = client_of(superuser())
    assert "database Slots: 1 Jobs: 3 Running now: 2 Waiting now: 1" in text_of(client.get(LIST))
    assert "Waiting now: 1" in text_of(client.get(f"{LIST}database/change/"))


def test_groups_that_jobs_name_are_shown_with_their_one_slot() -> None:
    ConcurrencyGroup.objects.create(name="database")
    for name, group in (("one", "mail"), ("two", "mail"), ("three", "database")):
        make_job(name, concurrency_group=group)
    client = client_of(superuser())
    response = client.get(LIST)
    assert [each.name for each in response.context["without_slots"]] == ["mail"]
    assert "mail Give it more 1 2 0 0" in text_of(response)
    assert "add/?name=mail" in response.content.decode()
    assert 'value="mail"' in client.get(f"{LIST}add/?name=mail").content.decode()
    assert client.get(LIST, {"q": "data"}).context["without_slots"] == []


def test_who_deletes_a_group_that_jobs_name_is_told_what_holds_from_then_on() -> None:
    ConcurrencyGroup.objects.create(name="database", slots=3)
    make_job("one", concurrency_group="database")
    client = client_of(superuser())
    response = client.post(f"{LIST}database/delete/", {"post": "yes"}, follow=True)
    assert "1 group is still named by jobs" in text_of(response)
    assert not ConcurrencyGroup.objects.exists()
    about = LogEntry.objects.filter(content_type__model="concurrencygroup")
    assert [entry.action_flag for entry in about] == [DELETION]


def test_the_history_has_the_slots_before_and_after() -> None:
    client = client_of(superuser())
    client.post(f"{LIST}add/", {"name": "database", "slots": "2"})
    client.post(f"{LIST}database/change/", {"slots": "5"})
    (change,) = json.loads(LogEntry.objects.latest("pk").change_message)
    assert (change["before"], change["after"]) == ({"slots": 2}, {"slots": 5})
    assert client.get(f"{LIST}database/history/").status_code == 200


def test_the_form_of_a_job_leads_to_its_group() -> None:
    make_job("one", concurrency_group="data base")
    address = "/admin/django_apscheduler/djangojob/one/change/"
    assert f"{LIST}?q=data%20base" in client_of(superuser()).get(address).content.decode()
    other = client_of(person("jobs", "view_djangojob", "change_djangojob"))
    assert LIST not in other.get(address).content.decode()


def test_the_list_takes_as_many_queries_however_long() -> None:
    client = client_of(superuser())
    counts = []
    for number in (1, 30):
        for each in range(number):
            ConcurrencyGroup.objects.create(name=f"set-{number}-{each}")
            make_job(f"job-{number}-{each}", concurrency_group=f"named-{number}-{each}")
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 16


def test_a_group_that_somebody_deleted_meanwhile_is_no_fault_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    ConcurrencyGroup.objects.create(name="database")
    change = services.change_group

    def late(name: str, *given: Any) -> Any:
        ConcurrencyGroup.objects.all().delete()
        return change(name, *given)

    monkeypatch.setattr(services, "change_group", late)
    response = client_of(superuser()).post(f"{LIST}database/change/", {"slots": "5"}, follow=True)
    assert "There is no concurrency group “database”" in text_of(response)
