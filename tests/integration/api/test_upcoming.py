"""/api/upcoming/: the jobs that are due in a period."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from app_scheduler import services
from app_scheduler.services import Actor

from .conftest import JobMaker

DAY = {"since": "2027-03-01", "until": "2027-03-01"}


def due(client: APIClient, **asked: Any) -> list[tuple[str, int, list[str]]]:
    answer = client.get("/api/upcoming/", {**DAY, **asked})
    assert answer.status_code == 200, answer.json()
    return [(row["job"], row["ticks"], row["upcoming"]) for row in answer.json()["results"]]


def test_jobs_come_by_their_first_tick_with_how_often(client: APIClient, make_job: JobMaker) -> None:
    make_job(id="night", trigger="30 3 * * *")
    make_job(id="minutes", trigger="* * * * *")
    make_job(id="other-day", trigger="0 0 2 3 *")
    assert due(client) == [
        ("minutes", 1440, [f"2027-03-01T00:0{minute}:00+11:00" for minute in range(4)]),
        ("night", 1, ["2027-03-01T03:30:00+11:00"]),
    ]


def test_it_is_narrowed_by_function_and_tag_and_leaves_out_what_is_held(client: APIClient, make_job: JobMaker) -> None:
    make_job(id="one", trigger="0 3 * * *", tags=["mail"])
    make_job(id="two", trigger="0 4 * * *", function="tests.probe.jobs.fail", kwargs={})
    make_job(id="three", trigger="0 5 * * *")
    services.pause_jobs(["three"], Actor())
    assert [job for job, _, _ in due(client)] == ["one", "two"]
    assert [job for job, _, _ in due(client, tag="mail")] == ["one"]
    assert [job for job, _, _ in due(client, function="tests.probe.jobs.fail")] == ["two"]


def test_it_comes_in_pages_with_a_constant_number_of_queries(client: APIClient, make_job: JobMaker) -> None:
    counts = []
    for number in range(5):
        make_job(id=f"job-{number}", trigger="0 3 * * *")
        if number in (1, 4):
            with CaptureQueriesContext(connection) as queries:
                due(client)
            counts.append(len(queries))
    assert counts[0] == counts[1]
    second = client.get("/api/upcoming/", {**DAY, "page_size": "2", "page": "2"}).json()
    assert second["count"] == 5
    assert [row["job"] for row in second["results"]] == ["job-2", "job-3"]
    assert "page=3" in second["next"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"since": "x"}, "since"),
        ({"until": "2027-02-01"}, "until"),
        ({"since": "2027-01-01", "until": "2027-03-01"}, "until"),
        ({"since": "9999-12-31"}, "since"),
        ({"since": "9998-12-31T23:59:59Z"}, "since"),
        ({"since": "1900-01-01"}, "since"),
    ],
    ids=str,
)
def test_a_period_that_makes_no_sense_is_refused(client: APIClient, asked: dict[str, str], field: str) -> None:
    answer = client.get("/api/upcoming/", {**DAY, **asked})
    assert answer.status_code == 400
    assert field in answer.json()
