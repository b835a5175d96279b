"""Whatever is sent to a page of jobs or blackout windows, it says what is wrong: never an error of the server.

Each field gets each bad value alone, through the whole of Django and the view, which is where one goes wrong. To write
the page out costs three times that, so it is done once for the values that a page can show together.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.template.response import SimpleTemplateResponse
from django.test import Client
from django.utils import timezone

from app_scheduler import services
from app_scheduler.models import BlackoutWindow, JobSpec, JobState
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import (
    LIST,
    VIEWER,
    client_of,
    form_data,
    make_job,
    messages_of,
    person,
    text_of,
    url_of,
)

pytestmark = pytest.mark.django_db

WINDOWS = "/admin/app_scheduler/blackoutwindow/"
WINDOW = {"name": "Series", "begins": "2127-03-26T00:00", "ends": "2127-03-30T00:00", "timezone": "UTC"}
BAD = {
    "long": "x" * 10_000,
    "a NUL": "a\x00b",
    "lines": "a\r\nb\x1b",
    "a huge number": "9" * 5_000,
    "a surrogate": "\ud800".encode("utf-8", "surrogatepass"),
    "a year too late": "9999-12-31T23:59:59",
    "no such day": "2027-02-30T00:00",
}
#: Inputs of a schedule, of each type.
TYPED = [
    *("expression", "expression_was", "interval_hours", "cron_hour", "cron_expression", "date_run_date"),
    *("calendar_months", "any_expressions", "trigger_timezone", "trigger_start_date", "trigger_end_date"),
    *("trigger_jitter", "run_past_at_once"),
]
#: What the form of a job asks for beside its schedule.
OPTIONS = ["arg-a", "name", "id", "tags", "reason", "executor", "max_instances"]
BUTTONS = ["_save", "_preview", "_fill", "_pick", "_use", "_undo", "_remove", "_choose"]
KINDS = ["interval", "cron", "date", "calendar", "any", "expression"]
#: Of a window, what its preview takes as it is.
WORDS = ["name", "tags", "reason"]
ADDRESSES = ["view", "date", "hour", "state", "p", "q", "function", "tag"]
FILTERS = ["q", "state", "tag", "o", "p", "function"]


@contextmanager
def unwritten() -> Iterator[None]:
    """Let views answer with pages that are not written out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimpleTemplateResponse, "rendered_content", "")
        yield


def window() -> BlackoutWindow:
    return services.add_window(WINDOW, Actor(None))


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
class TestEachField:
    def test_of_a_new_job(self, client: Client, bad: Any) -> None:
        url = f"{LIST}add/?function=tests.probe.jobs.add"
        whole = form_data(client, url, arg_a="1", expression="every 1h")
        every = {**dict.fromkeys([*whole, *TYPED], bad), "function": "tests.probe.jobs.add"}
        with unwritten():
            for name in [*OPTIONS, "expression", "function"]:
                assert client.post(url, {**whole, name: bad}).status_code in (200, 302), name
            for button in BUTTONS:
                assert client.post(url, {**every, button: bad}).status_code in (200, 302), button
        assert client.post(url, {**every, "_save": bad}).status_code == 200
        assert client.post(url, {**whole, **dict.fromkeys(OPTIONS, bad), "_preview": bad}).status_code == 200
        assert client.post(url, {**whole, "function": bad}).status_code in (200, 302)

    def test_of_a_job(self, client: Client, bad: Any) -> None:
        make_job()
        whole = form_data(client, url_of("sum"))
        every = {**whole, **dict.fromkeys(TYPED, bad)}
        with unwritten():
            for kind in [*KINDS, bad]:
                data = {**every, "trigger_type": kind}
                assert client.post(url_of("sum"), data).status_code in (200, 302), kind
            assert client.post(url_of("sum"), {**whole, "revision": bad}).status_code in (200, 302)
        for kind in [*KINDS, bad]:
            assert client.post(f"{LIST}preview/", {**every, "trigger_type": kind}).status_code in (200, 400), kind
        assert client.post(url_of("sum"), {**every, "trigger_type": bad, "revision": bad}).status_code == 200

    def test_of_a_blackout_window(self, client: Client, bad: Any) -> None:
        row = window()
        whole = {**WINDOW, "yearly": "on", "revision": "1"}
        names = [*WINDOW, "tags", "reason", "last_year", "yearly", "revision"]
        for url in (f"{WINDOWS}add/", f"{WINDOWS}{row.pk}/change/"):
            with unwritten():
                for name in names:
                    for button in ({}, {"_preview": "1"}):
                        assert client.post(url, {**whole, name: bad, **button}).status_code in (200, 302), name
            assert client.post(url, dict.fromkeys(names, bad)).status_code == 200
            assert client.post(url, {**whole, **dict.fromkeys(WORDS, bad), "_preview": "1"}).status_code == 200
        assert client.post(f"{WINDOWS}{row.pk}/delete/", {"reason": bad}).status_code in (200, 302)

    def test_of_an_act(self, client: Client, bad: Any) -> None:
        for act in ("pause", "skip_next", "delete"):
            for name in ("reason", "until"):
                make_job(f"{act}-{name}")
                assert client.post(url_of(f"{act}-{name}", act), {name: bad}).status_code in (200, 302), (act, name)

    def test_of_an_action(self, client: Client, bad: Any) -> None:
        for action in ("pause_selected", "skip_selected", "unskip_selected"):
            make_job(action)
            for name in ("reason", "until", "select_across", "action", "index", ACTION_CHECKBOX_NAME):
                data = {"action": action, "_confirmed": "1", ACTION_CHECKBOX_NAME: action, name: bad}
                # An action that there is not is none that anybody may do.
                expected = (200, 302, 403 if name == "action" else 302)
                assert client.post(LIST, data).status_code in expected, (action, name)

    def test_of_an_address(self, client: Client, bad: Any) -> None:
        make_job()
        with unwritten():
            for name in ADDRESSES:
                assert client.get(f"{LIST}calendar/", {"date": "2031-12-31", name: bad}).status_code == 200, name
            for name in [*FILTERS, "at"]:
                for url in (LIST, WINDOWS):
                    assert client.get(url, {name: bad}).status_code in (200, 302), (name, url)
        assert client.get(f"{LIST}calendar/", dict.fromkeys(ADDRESSES, bad)).status_code == 200
        for url in (url_of("sum"), f"{LIST}add/", f"{WINDOWS}add/"):
            assert client.get(url, dict.fromkeys([*FILTERS, "at"], bad)).status_code == 200, url
        assert client.get(LIST, dict.fromkeys(FILTERS, bad)).status_code == 200


@pytest.mark.parametrize("job_id", ["gone", "a\x00b", "x" * 3_000, "../..", "%"])
def test_a_job_that_there_is_not(client: Client, job_id: str) -> None:
    for page in ("change", "skip_next", "unskip", "pause", "resume", "run", "delete", "history"):
        for send in (client.get, client.post):
            assert send(url_of(job_id, page)).status_code in (302, 404, 405), page


def test_a_finished_job_has_nothing_to_skip(client: Client) -> None:
    make_job()
    JobSpec.objects.update(state=JobState.FINISHED)
    for send in (client.get, client.post):
        response: Any = send(url_of("sum", "skip_next"), follow=True)
        assert "This job is finished: it has no tick to skip." in messages_of(response)[0]
    assert JobSpec.objects.get().skip_tick is None


def test_a_window_that_is_posted_twice_is_deleted_once(client: Client) -> None:
    row = window()
    client.post(f"{WINDOWS}{row.pk}/delete/", {"reason": ""})
    response = client.post(f"{WINDOWS}{row.pk}/delete/", {"reason": ""}, follow=True)
    assert response.status_code == 200
    assert "blackout window" in messages_of(response)[-1]


def test_a_skip_that_is_posted_twice_is_one_skip(client: Client) -> None:
    make_job()
    client.post(url_of("sum", "skip_next"), {"reason": "once"})
    tick, entries = JobSpec.objects.get().skip_tick, LogEntry.objects.count()
    assert tick is not None and tick > timezone.now()
    client.post(url_of("sum", "skip_next"), {"reason": "twice"})
    assert (JobSpec.objects.get().skip_tick, LogEntry.objects.count()) == (tick, entries)


def test_a_new_job_that_is_posted_twice_is_refused_with_the_reason(client: Client) -> None:
    url = f"{LIST}add/?function=tests.probe.jobs.add"
    data = form_data(client, url, arg_a="1", expression="every 1h", name="Twice", id="twice")
    assert client.post(url, data).status_code == 302
    response = client.post(url, data)
    assert response.context["form"].errors["id"]
    assert JobSpec.objects.count() == 1


def test_a_stale_job_is_refused_and_what_was_typed_stays(client: Client) -> None:
    make_job(name="Sum")
    stale = form_data(client, url_of("sum"), name="Mine")
    services.change_job("sum", {"name": "Theirs"}, Actor(None))
    response = client.post(url_of("sum"), stale)
    assert "Mine" in response.content.decode()
    assert "changed" in text_of(response)
    assert JobSpec.objects.get().name == "Theirs"


@pytest.mark.parametrize(
    "path",
    ["add/", "sum/change/", "sum/skip-next/", "sum/unskip/", "sum/pause/", "sum/resume/", "sum/delete/", "sum/run/"],
)
def test_who_may_only_look_posts_nothing(path: str) -> None:
    make_job()
    viewer = client_of(person("viewer", *VIEWER, "view_blackoutwindow"))
    assert viewer.post(f"{LIST}{path}", {"name": "Mine"}).status_code == 403
    row = window()
    for page in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
        assert viewer.post(f"{WINDOWS}{page}", WINDOW).status_code == 403
    assert Client(enforce_csrf_checks=True).post(f"{LIST}{path}").status_code == 403
