"""/api/functions/, /api/triggers/preview/ and /api/scheduler/."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from app_scheduler.engine.lease import ensure_lease
from app_scheduler.models import SchedulerInstance, SchedulerLease
from app_scheduler.registry import registry
from tests.effort import calls_of

from .conftest import JobMaker


class TestFunctions:
    def test_each_tells_what_it_takes(self, client: APIClient) -> None:
        page = client.get("/api/functions/").json()

        assert list(page) == ["count", "next", "previous", "results"]
        (add,) = [function for function in page["results"] if function["name"] == "tests.probe.jobs.add"]
        assert (add["summary"], add["app"], add["is_async"]) == ("Add two numbers.", "probe", False)
        assert [(p["name"], p["required"], p["schema"]) for p in add["parameters"]] == [
            ("a", True, {"type": "integer"}),
            ("b", False, {"type": "integer"}),
        ]
        assert add["parameters"][1]["default"] == 2

    def test_it_is_searched_and_comes_in_pages(self, client: APIClient) -> None:
        assert client.get("/api/functions/", {"search": "PROBE.JOBS.ADD"}).json()["count"] == 1
        first = client.get("/api/functions/?page_size=2&search=tests.probe").json()
        second = client.get(first["next"]).json()
        assert len(first["results"]) == 2
        assert first["results"] != second["results"]
        assert first["count"] == len([name for name in registry.names() if name.startswith("tests.probe")])


class TestPreview:
    ADDRESS = "/api/triggers/preview/"

    def test_an_expression(self, client: APIClient) -> None:
        body = {"trigger": "0 3 * * mon-fri in Australia/Sydney", "count": 3, "after": "2026-10-02T12:00:00+10:00"}

        response = client.post(self.ADDRESS, body)

        assert response.status_code == 200
        assert response.json() == {
            "trigger": {"type": "cron", "expression": "0 3 * * mon-fri", "timezone": "Australia/Sydney"},
            "description": response.json()["description"],
            "expression": "0 3 * * mon-fri in Australia/Sydney",
            # Daylight saving begins on the 4th.
            "upcoming": ["2026-10-05T03:00:00+11:00", "2026-10-06T03:00:00+11:00", "2026-10-07T03:00:00+11:00"],
            "warnings": response.json()["warnings"],
        }
        assert response.json()["description"]

    def test_a_document(self, client: APIClient) -> None:
        shown = client.post(self.ADDRESS, {"trigger": {"type": "interval", "hours": 6, "timezone": "UTC"}}).json()

        ticks = [datetime.fromisoformat(tick) for tick in shown["upcoming"]]
        assert len(ticks) == 10
        assert ticks[1] - ticks[0] == timedelta(hours=6)
        assert all(tick.endswith("+00:00") for tick in shown["upcoming"])

    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"trigger"}),
            ({"trigger": None}, {"trigger"}),
            ({"trigger": 5}, {"trigger"}),
            ({"trigger": []}, {"trigger"}),
            ({"trigger": "every now and then"}, {"trigger"}),
            ({"trigger": {"type": "cron", "hour": 25, "minute": "x"}}, {"trigger.hour", "trigger.minute"}),
            ({"trigger": {"type": "lunar"}}, {"trigger.type"}),
            ({"trigger": {"type": "any", "triggers": [{"type": "date"}]}}, {"trigger.triggers.0.run_date"}),
            ({"trigger": {"type": "date", "run_date": "2020-01-01"}}, {"trigger.run_date"}),
            ({"trigger": "every 1h", "count": 0}, {"count"}),
            ({"trigger": "every 1h", "count": 1001}, {"count"}),
            ({"trigger": "every 1h", "count": "many"}, {"count"}),
            ({"trigger": "every 1h", "count": 10**400}, {"count"}),
            ({"trigger": "every 1h", "after": "soon"}, {"after"}),
            ({"trigger": "every 1h", "contu": 5}, {"contu"}),
            ({"trigger": "every 1h", "job": "nobody"}, {"job"}),
        ],
    )
    def test_what_is_wrong_is_named(self, client: APIClient, body: Any, fields: set[str]) -> None:
        response = client.post(self.ADDRESS, body)

        assert response.status_code == 400
        assert set(response.json()) == fields

    def test_it_warns_of_other_jobs_and_for_a_job_not_of_itself(self, client: APIClient, make_job: JobMaker) -> None:
        make_job("sum", trigger="0 3 * * *")
        warnings = client.post(self.ADDRESS, {"trigger": "0 3 * * *"}).json()["warnings"]
        assert "03:07 is free" in warnings[0]
        assert not client.post(self.ADDRESS, {"trigger": "0 3 * * *", "job": "sum"}).json()["warnings"]

    def test_it_is_quick(self, client: APIClient) -> None:
        body = {"trigger": "0 3 * * mon-fri | every 90m | calendar months=2 hour=9"}
        client.post(self.ADDRESS, body)
        answer, calls = calls_of(lambda: client.post(self.ADDRESS, body))
        assert answer.status_code == 200
        # Some 20 ms; `make bench BENCH=preview` measures it.
        assert calls < 100_000


class TestScheduler:
    def test_nothing_is_alive(self, client: APIClient) -> None:
        shown = client.get("/api/scheduler/").json()

        assert (shown["alive"], shown["leader"], shown["standbys"], shown["heartbeat_age"]) == (False, None, [], None)
        assert shown["jobs"] == {"scheduled": 0, "paused": 0, "finished": 0, "broken": 0}

    def test_who_leads_and_what_waits(self, client: APIClient, make_job: JobMaker) -> None:
        make_job()
        client.post("/api/jobs/adder/run/")
        now = timezone.now()
        for name, role in (("one", "leader"), ("two", "standby")):
            SchedulerInstance.objects.create(id=name, host="host", pid=1, role=role, started_at=now, heartbeat=now)
        ensure_lease()
        SchedulerLease.objects.update(holder="one", expires_at=now + timedelta(minutes=1), led_since=now)

        shown = client.get("/api/scheduler/").json()

        assert shown["alive"] is True
        assert shown["leader"]["id"] == "one"
        assert [standby["id"] for standby in shown["standbys"]] == ["two"]
        assert (shown["queued"], shown["jobs"]["scheduled"]) == (1, 1)
        assert datetime.fromisoformat(shown["next_run_time"]) > datetime.now(UTC)

    def test_pause_and_resume(self, client: APIClient) -> None:
        paused = client.post("/api/scheduler/pause/", {"reason": "Migration"})

        assert paused.status_code == 200
        assert (paused.json()["paused"], paused.json()["pause_reason"]) == (True, "Migration")
        assert paused.json()["paused_by"] == "ana"
        assert client.post("/api/scheduler/pause/").json()["pause_reason"] == "Migration"

        assert client.post("/api/scheduler/resume/").json()["paused"] is False
        assert client.post("/api/scheduler/resume/").status_code == 200
