"""What the code asks, on the pages: what staff changed and the way back, and jobs of the code that were deleted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from app_scheduler import scheduler, services
from app_scheduler.engine.queue import utc_now
from app_scheduler.models import DismissedDefault, JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import (
    EDITOR,
    LIST,
    OPERATOR,
    VIEWER,
    client_of,
    make_job,
    messages_of,
    person,
    rows_of,
    superuser,
    text_of,
    url_of,
)

pytestmark = pytest.mark.django_db


def spec_of(job_id: str = "sum") -> JobSpec:
    return services.get_job(job_id)


def nightly(days: int = 30, token: str = "") -> None:
    """Stand in for a function with a schedule of its own."""


@pytest.fixture
def code() -> Iterator[None]:
    before = {function.name: function for function in registry.all()}
    registry.register(nightly, trigger="every 1h", kwargs={"days": 30, "token": "first"})
    scheduler.add_default(scheduler.defaults()["nightly"], utc_now())
    yield
    registry._functions.clear()
    registry._functions.update(before)


def test_a_job_as_the_code_has_it_shows_nothing_of_it(client: Client, code: None) -> None:
    assert "Changed from code" not in text_of(client.get(url_of("nightly")))
    assert "changed from code" not in text_of(client.get(LIST))
    assert rows_of(client.get(LIST, {"state": "changed"})) == []


def test_what_staff_changed_is_shown_field_by_field_and_goes_back(client: Client, code: None) -> None:
    make_job("other")
    changed = {"trigger": "every 6h", "max_retries": 2, "kwargs": {"days": 30, "token": "hush-hush"}}
    services.change_job("nightly", changed, Actor())
    page = client.get(url_of("nightly"))
    words = text_of(page)
    assert "Changed from code" in words
    assert "Schedule every 1h every 6h Revert" in words
    assert "Retries 0 2 Revert" in words
    assert "Another secret." in words
    assert "hush-hush" not in page.content.decode()
    listed = client.get(LIST, {"state": "changed"})
    assert rows_of(listed) == ["Nightly"]
    assert "Not as the code asks: arguments, schedule, retries" in listed.content.decode()

    response = client.post(url_of("nightly", "revert"), {"field": "trigger"}, follow=True)
    assert "partly as the code asks again" in " ".join(messages_of(response))
    assert spec_of("nightly").trigger == {"type": "interval", "hours": 1}
    assert spec_of("nightly").max_retries == 2
    revision = str(spec_of("nightly").revision)
    client.post(url_of("nightly", "revert"), {"_all": "1", "revision": revision})
    assert (spec_of("nightly").max_retries, spec_of("nightly").kwargs["token"]) == (0, "first")
    assert "Reverted to the code's" in text_of(client.get(url_of("nightly")))


def test_what_the_code_now_asks_is_offered_and_not_forced(client: Client, code: None) -> None:
    services.change_job("nightly", {"trigger": "every 6h"}, Actor())
    registry.register(nightly, trigger="every 2h", kwargs={"days": 30, "token": "first"})
    scheduler._schedule_defaults()
    words = text_of(client.get(url_of("nightly")))
    assert "Schedule every 2h The code now asks for this; it was every 1h. every 6h Take it" in words
    services.skip_next("nightly", Actor())
    response = client.post(url_of("nightly", "revert"), {"field": "trigger"}, follow=True)
    assert "is forgotten: its schedule is another now." in messages_of(response)[0]
    spec = spec_of("nightly")
    assert (spec.trigger, spec.code_before) == ({"type": "interval", "hours": 2}, {})


def test_a_revert_that_cannot_be_is_said(client: Client, code: None) -> None:
    for sent, said in (
        ({"_all": "1"}, "nothing to revert"),
        ({"_all": "1", "revision": "77"}, "nothing to revert"),
    ):
        response = client.post(url_of("nightly", "revert"), sent, follow=True)
        assert said in " ".join(messages_of(response))
    services.change_job("nightly", {"max_retries": 2}, Actor())
    response = client.post(url_of("nightly", "revert"), {"_all": "1", "revision": "77"}, follow=True)
    assert "Somebody changed this job" in " ".join(messages_of(response))
    assert spec_of("nightly").max_retries == 2
    assert client.get(url_of("nightly", "revert")).status_code == 405


def test_a_deleted_job_of_the_code_is_brought_back(client: Client, code: None) -> None:
    address = f"{LIST}deleted-by-hand/"
    assert "None was deleted." in text_of(client.get(address))
    services.delete_jobs(["nightly"], Actor(person("ada")))
    DismissedDefault.objects.create(job_id="from elsewhere")
    assert "2 jobs of the code were deleted" in text_of(client.get(LIST))
    words = text_of(client.get(address))
    assert "Nightly" in words
    assert "Every hour" in words
    assert "ada" in words
    assert "known at the next start" in words
    response = client.post(address, {"job": "nightly"}, follow=True)
    assert "is back." in " ".join(messages_of(response))
    assert spec_of("nightly").state == JobState.SCHEDULED
    response = client.post(address, {"job": "from elsewhere"}, follow=True)
    assert "comes back when the code next asks for it" in " ".join(messages_of(response))
    assert response.redirect_chain == [(LIST, 302)]
    response = client.post(address, {"job": "nothing\x00"}, follow=True)
    assert "It was not brought back." in " ".join(messages_of(response))


@pytest.mark.parametrize(("permissions", "allowed"), [(EDITOR, True), (OPERATOR, False)])
def test_each_way_needs_its_own_permission(code: None, permissions: tuple[str, ...], allowed: bool) -> None:
    services.change_job("nightly", {"max_retries": 2}, Actor())
    DismissedDefault.objects.create(job_id="x")
    client = client_of(person("pat", *permissions))
    for address in (url_of("nightly", "revert"), f"{LIST}deleted-by-hand/"):
        assert (client.post(address, {"_all": "1", "job": "x"}).status_code != 403) is allowed
    assert (spec_of("nightly").max_retries == 0) is allowed
    assert DismissedDefault.objects.exists() is not allowed


def test_a_viewer_sees_what_was_changed_and_no_button(code: None) -> None:
    services.change_job("nightly", {"max_retries": 2}, Actor())
    viewer = client_of(person("vera", *VIEWER))
    changed = viewer.get(url_of("nightly"))
    assert "Retries 0 2" in text_of(changed)
    assert "Revert" not in text_of(changed)
    assert viewer.get(f"{LIST}deleted-by-hand/").status_code == 200


def test_each_way_needs_the_csrf_token(code: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(superuser())
    for address in (url_of("nightly", "revert"), f"{LIST}deleted-by-hand/"):
        assert strict.post(address, {"_all": "1"}).status_code == 403
