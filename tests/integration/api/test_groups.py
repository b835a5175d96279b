"""/api/groups/."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from app_scheduler.models import ConcurrencyGroup, JobSpec

from .conftest import ClientMaker, JobMaker
from .test_schema import check

ALL, ONE = "/api/groups/", "/api/groups/{name}/"


def test_a_group_is_added_read_changed_and_taken_away(client: APIClient) -> None:
    response = client.post(ALL, {"name": "Data Base", "slots": 2}, format="json")
    made = check(response, "post", ALL)
    assert made == {"name": "data base", "slots": 2, "is_set": True, "jobs": 0, "running": 0, "waiting": 0}
    address = response["Location"]
    assert address == "http://testserver/api/groups/data%20base/"
    assert check(client.get(address), "get", ONE) == made
    assert check(client.patch(address, {"slots": 3}, format="json"), "patch", ONE)["slots"] == 3
    assert check(client.put(address, made, format="json"), "put", ONE) == made
    assert check(client.put(address, {}, format="json"), "put", ONE)["slots"] == 1
    assert check(client.get(ALL), "get", ALL)["count"] == 1
    check(client.delete(f"{address}?reason=gone"), "delete", ONE)
    assert client.get(address).status_code == 404
    assert client.delete(address).status_code == 404
    assert LogEntry.objects.count() == 5


def test_a_group_that_jobs_name_is_listed_with_its_one_slot(client: APIClient, make_job: JobMaker) -> None:
    make_job("named")
    JobSpec.objects.update(concurrency_group="mail")
    (listed,) = check(client.get(ALL), "get", ALL)["results"]
    assert listed == {"name": "mail", "slots": 1, "is_set": False, "jobs": 1, "running": 0, "waiting": 0}
    assert client.get(f"{ALL}mail/").json() == listed
    assert client.patch(f"{ALL}mail/", {"slots": 2}, format="json").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a/b"}, "name"),
        ({"name": "none"}, "name"),
        ({}, "name"),
        ({"name": ["x"]}, "name"),
        ({"name": "taken"}, "name"),
        ({"name": "x", "slots": 0}, "slots"),
        ({"name": "x", "slots": 10_001}, "slots"),
        ({"name": "x", "slots": None}, "slots"),
        ({"name": "x", "slots": "many"}, "slots"),
        ({"name": "x", "slot": 1}, "slot"),
    ],
)
def test_what_is_wrong_is_said_by_field(client: APIClient, body: dict[str, Any], field: str) -> None:
    ConcurrencyGroup.objects.create(name="taken")
    response = client.post(ALL, body, format="json")
    assert response.status_code == 400
    assert list(response.json()) == [field]
    check(response, "post", ALL)


def test_a_group_keeps_its_name(client: APIClient) -> None:
    ConcurrencyGroup.objects.create(name="mail")
    response = client.patch(f"{ALL}mail/", {"name": "post"}, format="json")
    assert list(response.json()) == ["name"]
    assert client.get(f"{ALL}%00/").status_code == 404


def test_each_act_needs_its_permission(client_with: ClientMaker) -> None:
    ConcurrencyGroup.objects.create(name="mail")
    acts: dict[str, Any] = {
        "view": lambda who: who.get(ALL),
        "add": lambda who: who.post(ALL, {"name": "new"}, format="json"),
        "change": lambda who: who.patch(f"{ALL}mail/", {"slots": 2}, format="json"),
        "delete": lambda who: who.delete(f"{ALL}mail/"),
    }
    for allowed in acts:
        who = client_with(f"app_scheduler.{allowed}_concurrencygroup")
        refused = [name for name, act in acts.items() if name != allowed and act(who).status_code != 403]
        assert refused == []
    for allowed, act in acts.items():
        assert act(client_with(f"app_scheduler.{allowed}_concurrencygroup")).status_code < 300


def test_the_list_takes_as_many_queries_however_long(client: APIClient, make_job: JobMaker) -> None:
    counts = []
    for number in (1, 40):
        ConcurrencyGroup.objects.bulk_create([ConcurrencyGroup(name=f"g{number}-{each}") for each in range(number)])
        with CaptureQueriesContext(connection) as queries:
            client.get(ALL)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 6
