"""/api/blackouts/ and skipping a job's next tick."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from app_scheduler.models import BlackoutWindow

from .conftest import OPERATOR, VIEWER, ClientMaker, JobMaker
from .test_schema import check

BODY = {
    "name": "Easter series",
    "begins": "2127-03-26T00:00:00",
    "ends": "2127-03-30T00:00:00",
    "timezone": "Australia/Sydney",
    "tags": ["maintenance"],
    "reason": "No clean-ups",
}
ONE, ALL = "/api/blackouts/{id}/", "/api/blackouts/"


def created(client: APIClient, **body: Any) -> dict[str, Any]:
    response = client.post(ALL, {**BODY, **body}, format="json")
    assert response.status_code == 201, response.json()
    return check(response, "post", ALL)


def test_a_window_is_set_read_changed_and_taken_away(client: APIClient) -> None:
    made = created(client)
    assert {name: made[name] for name in BODY} == BODY
    assert (made["set_by"], made["is_on"], made["next_begin"]) == ("ana", False, "2127-03-26T00:00:00+11:00")
    address = f"{ALL}{made['id']}/"
    assert check(client.get(address), "get", ONE) == made
    changed = check(client.patch(address, {"ends": "2127-03-31"}, format="json"), "patch", ONE)
    assert (changed["ends"], changed["tags"], changed["revision"]) == ("2127-04-01T00:00:00", ["maintenance"], 2)
    assert check(client.put(address, changed, format="json"), "put", ONE)["revision"] == 2
    replaced = check(client.put(address, {k: BODY[k] for k in ("name", "begins", "ends")}, format="json"), "put", ONE)
    assert (replaced["tags"], replaced["reason"]) == ([], "")
    listed = check(client.get(ALL), "get", ALL)
    assert (listed["count"], listed["results"]) == (1, [replaced])
    check(client.delete(f"{address}?reason=Rained+off"), "delete", ONE)
    check(client.get(address), "get", ONE)
    assert client.get(address).status_code == 404


def test_it_answers_with_its_address(client: APIClient) -> None:
    response = client.post(ALL, BODY, format="json")
    assert response["Location"] == f"http://testserver{ALL}{response.json()['id']}/"
    assert client.get("/api/").json()["blackouts"] == f"http://testserver{ALL}"


def test_a_stale_change_is_a_conflict(client: APIClient) -> None:
    address = f"{ALL}{created(client)['id']}/"
    assert client.patch(address, {"name": "Mine", "revision": 1}, format="json").status_code == 200
    stale = client.patch(address, {"name": "Theirs", "revision": 1}, format="json")
    assert stale.status_code == 409
    check(stale, "patch", ONE)
    assert client.patch(address, {"revision": "x"}, format="json").status_code == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"begins": "soon"}, "begins"),
        ({"ends": "2127-03-01"}, "ends"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"nonsense": 1}, "nonsense"),
        ({"last_year": 2130}, "last_year"),
        ({"tags": [1]}, "tags"),
        ({"name": None}, "name"),
        ({"name": {"a": 1}}, "name"),
        ({"begins": ["2127"]}, "begins"),
        ({"yearly": []}, "yearly"),
    ],
)
def test_what_is_wrong_is_said_by_field(client: APIClient, body: dict[str, Any], field: str) -> None:
    response = client.post(ALL, {**BODY, **body}, format="json")
    assert response.status_code == 400
    assert list(response.json()) == [field]
    check(response, "post", ALL)


@pytest.mark.parametrize("pk", ["0", "x", "99999999999999999999", "%00"])
def test_what_is_not_there_is_not_found(client: APIClient, pk: str) -> None:
    assert client.get(f"{ALL}{pk}/").status_code == 404


def test_the_list_can_leave_out_what_is_over(client: APIClient) -> None:
    coming = created(client)["id"]
    past = created(client, name="Over")["id"]
    BlackoutWindow.objects.filter(pk=past).update(
        begins="2020-01-01T00:00:00", ends="2020-01-02T00:00:00", over_at=timezone.now() - timedelta(days=1)
    )
    ids = {
        over: [row["id"] for row in client.get(f"{ALL}?over={over}").json()["results"]] for over in ("true", "false")
    }
    assert ids == {"true": [past], "false": [coming]}
    assert len(client.get(ALL).json()["results"]) == 2
    assert client.get(f"{ALL}?over=perhaps").status_code == 400


def test_the_list_takes_as_many_queries_however_long(client: APIClient) -> None:
    counts = []
    for number in (10, 9_990):
        rows = [
            BlackoutWindow(
                name=f"w{each}",
                begins="2020-01-01T00:00:00",
                ends="2020-01-02T00:00:00",
                timezone="UTC",
                over_at=timezone.now() - timedelta(days=1),
            )
            for each in range(number)
        ]
        BlackoutWindow.objects.bulk_create(rows, batch_size=500)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(ALL).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 3


def test_each_act_needs_its_own_permission(client_with: ClientMaker, client: APIClient) -> None:
    address = f"{ALL}{created(client)['id']}/"
    needs = {"get": "view", "post": "add", "put": "change", "patch": "change", "delete": "delete"}
    for method, act in needs.items():
        target = ALL if method == "post" else address
        others = [f"app_scheduler.{each}_blackoutwindow" for each in ("view", "add", "change", "delete") if each != act]
        body = None if method in ("get", "delete") else BODY
        refused = getattr(client_with(*OPERATOR, *others), method)(target, body, format="json")
        assert refused.status_code == 403, method
        assert f"app_scheduler.{act}_blackoutwindow" in refused.json()["detail"]
        allowed = getattr(client_with(f"app_scheduler.{act}_blackoutwindow"), method)(target, body, format="json")
        assert allowed.status_code < 300, (method, allowed.json())
    assert APIClient().get(ALL).status_code == 401


class TestSkips:
    def test_the_next_tick_is_skipped_and_taken_back(self, client: APIClient, make_job: JobMaker) -> None:
        tick = make_job().job.next_run_time
        assert tick is not None
        path = "/api/jobs/{id}/skip-next/"
        skipped = check(client.post("/api/jobs/adder/skip-next/", {"reason": "Moves"}, format="json"), "post", path)
        upcoming = check(client.get("/api/jobs/adder/upcoming/?count=2"), "get", "/api/jobs/{id}/upcoming/")
        assert [skipped["skip_tick"], skipped["runs_next"]] == upcoming["upcoming"]
        assert (skipped["skip_by"], skipped["skip_reason"]) == ("ana", "Moves")
        assert skipped["next_run_time"] == skipped["skip_tick"]
        assert upcoming["excepted"] == [
            {
                "tick": skipped["skip_tick"],
                "kind": "skip",
                "blackout": None,
                "name": "",
                "by": "ana",
                "reason": "Moves",
            }
        ]
        back = check(client.post("/api/jobs/adder/unskip/"), "post", "/api/jobs/{id}/unskip/")
        assert (back["skip_tick"], back["skip_by"], back["skip_reason"]) == (None, None, "")
        assert back["runs_next"] == back["next_run_time"]

    def test_a_job_that_skips_a_tick_can_be_sent_back_as_it_is(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()
        body = client.post("/api/jobs/adder/skip-next/").json()
        assert client.put("/api/jobs/adder/", body, format="json").json()["skip_tick"] == body["skip_tick"]

    def test_a_paused_job_is_refused_with_what_to_do(self, client: APIClient, make_job: JobMaker) -> None:
        make_job(paused=True)
        response = client.post("/api/jobs/adder/skip-next/")
        assert response.status_code == 400
        assert "Resume it first" in response.json()["non_field_errors"][0]
        check(response, "post", "/api/jobs/{id}/skip-next/")

    def test_it_needs_the_permission_to_pause(self, client_with: ClientMaker, make_job: JobMaker) -> None:
        make_job()
        for verb in ("skip-next", "unskip"):
            refused = client_with(*VIEWER).post(f"/api/jobs/adder/{verb}/")
            assert refused.status_code == 403
            assert "app_scheduler.pause_job" in refused.json()["detail"]
            assert client_with("app_scheduler.pause_job").post(f"/api/jobs/adder/{verb}/").status_code == 200
            assert client_with(*OPERATOR).post(f"/api/jobs/gone/{verb}/").status_code == 404
            assert client_with(*OPERATOR).get(f"/api/jobs/adder/{verb}/").status_code == 405

    def test_a_pause_until_the_past_is_refused_at_its_field(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()
        response = client.post("/api/jobs/adder/pause/", {"until": "2020-01-01"}, format="json")
        assert response.status_code == 400
        assert list(response.json()) == ["until"]


def test_a_job_says_when_it_runs_in_spite_of_a_blackout(client: APIClient, make_job: JobMaker) -> None:
    make_job()
    now = timezone.now()
    window = created(client, begins=now.isoformat(), ends=(now + timedelta(minutes=90)).isoformat(), tags=[])
    (job,) = client.get("/api/jobs/").json()["results"]
    upcoming = client.get("/api/jobs/adder/upcoming/?count=3").json()
    assert [job["next_run_time"], job["runs_next"]] == upcoming["upcoming"][:2]
    (excepted,) = upcoming["excepted"]
    assert (excepted["kind"], excepted["blackout"], excepted["name"]) == ("blackout", window["id"], "Easter series")
    assert window["is_on"]


def test_exports_and_documents_know_nothing_of_it(client: APIClient, make_job: JobMaker) -> None:
    """A window is of the site's calendar, and a skip of one tick: neither travels with a job."""
    from app_scheduler import documents, services

    make_job()
    before = documents.of(services.get_job("adder"))
    created(client, tags=[])
    client.post("/api/jobs/adder/skip-next/")
    assert documents.of(services.get_job("adder")) == before
