"""Who may do what, and how they say who they are."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from app_scheduler import documents
from app_scheduler.models import JobSpec

from .conftest import EDITOR, OPERATOR, VIEWER, ClientMaker, ExecutionMaker, JobMaker, make_user

DOCUMENT = {"id": "new", "function": "tests.probe.jobs.add", "kwargs": {"a": 1}, "trigger": "every 1h"}
VIEW, WRITE, OPERATE, SEEN = "view", "write", "operate", "acknowledge"
#: (method, address, body, what it takes)
REQUESTS: list[tuple[str, str, Any, str]] = [
    ("get", "jobs/", None, VIEW),
    ("post", "jobs/", DOCUMENT, WRITE),
    ("get", "jobs/adder/", None, VIEW),
    ("put", "jobs/adder/", {**DOCUMENT, "id": "adder"}, WRITE),
    ("patch", "jobs/adder/", {"name": "x"}, WRITE),
    ("delete", "jobs/adder/", None, WRITE),
    ("get", "jobs/adder/upcoming/", None, VIEW),
    ("get", "jobs/adder/explain/?at=2026-11-20", None, VIEW),
    ("get", "jobs/adder/code/", None, VIEW),
    ("post", "jobs/adder/revert/", None, WRITE),
    ("post", "jobs/adder/run/", None, OPERATE),
    ("post", "jobs/adder/pause/", None, OPERATE),
    ("post", "jobs/adder/resume/", None, OPERATE),
    ("get", "executions/", None, VIEW),
    ("get", "executions/{execution}/", None, VIEW),
    ("post", "executions/{execution}/retry/", None, OPERATE),
    ("post", "executions/{queued}/cancel/", None, OPERATE),
    ("post", "executions/{execution}/acknowledge/", None, SEEN),
    ("get", "functions/", None, VIEW),
    ("post", "triggers/preview/", {"trigger": "every 1h"}, VIEW),
    ("get", "scheduler/", None, VIEW),
    ("post", "scheduler/pause/", None, OPERATE),
    ("post", "scheduler/resume/", None, OPERATE),
]
ALLOWED = {
    "nobody": set(),
    "viewer": {VIEW},
    "operator": {VIEW, OPERATE},
    "editor": {VIEW, WRITE},
    "full": {VIEW, OPERATE, WRITE, SEEN},
}
PERMISSIONS = {
    "nobody": (),
    "viewer": VIEWER,
    "operator": OPERATOR,
    "editor": EDITOR,
    "full": (*OPERATOR, *EDITOR, "django_apscheduler.change_djangojobexecution"),
}


@pytest.fixture
def addresses(make_job: JobMaker, make_execution: ExecutionMaker) -> dict[str, int]:
    job = make_job()
    JobSpec.objects.update(code_document={**documents.of(job), "name": "As the code has it"})
    return {
        "execution": make_execution(status="Error!").pk,
        "queued": make_execution(status="Queued", available_at="2026-01-01T00:00:00Z", finished_at=None).pk,
    }


def ids(value: Any) -> str:
    return value.replace("/", " ").strip() if isinstance(value, str) else ""


@pytest.mark.parametrize(("method", "address", "body", "needs"), REQUESTS, ids=ids)
@pytest.mark.parametrize("who", ALLOWED)
def test_each_may_do_what_their_permissions_say(
    client_with: ClientMaker, addresses: dict[str, int], who: str, method: str, address: str, body: Any, needs: str
) -> None:
    response = getattr(client_with(*PERMISSIONS[who]), method)(f"/api/{address.format(**addresses)}", body)

    if needs in ALLOWED[who]:
        assert response.status_code in {200, 201, 202, 204}, response.content
    else:
        assert response.status_code == 403
        assert "You need the permission" in response.json()["detail"]


@pytest.mark.parametrize(("method", "address", "body", "needs"), REQUESTS, ids=ids)
def test_a_stranger_is_asked_who_they_are(
    addresses: dict[str, int], method: str, address: str, body: Any, needs: str
) -> None:
    response = getattr(APIClient(), method)(f"/api/{address.format(**addresses)}", body)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Token"
    assert "detail" in response.json()


def test_without_permission_nobody_learns_what_exists(client_with: ClientMaker, make_job: JobMaker) -> None:
    make_job()
    client = client_with()

    assert client.get("/api/jobs/adder/").status_code == client.get("/api/jobs/nobody/").status_code == 403


@pytest.mark.django_db
class TestToken:
    def test_it_says_who_asks(self, make_job: JobMaker) -> None:
        make_job()
        token = Token.objects.create(user=make_user("robot", OPERATOR))
        client = APIClient(enforce_csrf_checks=True, headers={"authorization": f"Token {token.key}"})

        assert client.get("/api/jobs/").status_code == 200
        assert client.post("/api/jobs/adder/run/").json()["requested_by"] == "robot"

    @pytest.mark.parametrize("header", ["Token", "Token nonsense", "Token a b", "Token é", "Basic YTpi", "Bearer x"])
    def test_a_wrong_one_is_refused(self, header: str) -> None:
        response = APIClient(headers={"authorization": header}).get("/api/jobs/")

        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Token"

    def test_a_user_who_left_is_refused(self) -> None:
        token = Token.objects.create(user=make_user("gone", VIEWER, is_active=False))

        assert APIClient(headers={"authorization": f"Token {token.key}"}).get("/api/jobs/").status_code == 401


@pytest.mark.django_db
class TestSession:
    @pytest.fixture
    def browser(self) -> APIClient:
        make_user("ben", OPERATOR)
        client = APIClient(enforce_csrf_checks=True)
        assert client.login(username="ben", password="secret")
        return client

    def test_it_reads(self, browser: APIClient) -> None:
        assert browser.get("/api/jobs/").status_code == 200

    def test_it_writes_with_the_csrf_token_only(self, browser: APIClient, make_job: JobMaker) -> None:
        make_job()

        refused = browser.post("/api/jobs/adder/pause/", {"reason": "x"})
        assert refused.status_code == 403
        assert "CSRF" in refused.json()["detail"]

        browser.get("/api/docs/")
        token = browser.cookies["csrftoken"].value
        accepted = browser.post("/api/jobs/adder/pause/", {"reason": "x"}, headers={"x-csrftoken": token})
        assert accepted.status_code == 200


def test_a_superuser_needs_no_permissions(client: APIClient) -> None:
    assert get_user_model().objects.get().user_permissions.count() == 0
    assert client.get("/api/scheduler/").status_code == 200
