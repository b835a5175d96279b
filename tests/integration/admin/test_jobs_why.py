"""The question on a job's page why it did not run at some moment, and its answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.admin.columns import execution_url
from app_scheduler.models import JobSpec
from tests.integration.admin import histories
from tests.integration.admin.jobs_site import EDITOR, client_of, form_data, make_job, person, superuser, text_of, url_of

pytestmark = pytest.mark.django_db

READER = ("view_djangojob", "view_djangojobexecution")
TICK = datetime(2026, 11, 20, 3, tzinfo=ZoneInfo("Asia/Kathmandu"))


@pytest.fixture
def ran() -> DjangoJobExecution:
    make_job(trigger="0 * * * * in Asia/Kathmandu")
    JobSpec.objects.update(created_at=TICK - timedelta(days=9), anchor=TICK - timedelta(days=9))
    return histories.make_execution("sum", due=TICK)


def ask(client: Client, at: str, **more: str) -> Any:
    return client.get(url_of("sum"), {"at": at, **more})


@pytest.mark.parametrize("permissions", [READER, (*EDITOR, "view_djangojobexecution")], ids=["reader", "editor"])
def test_it_answers_with_a_link_to_the_execution(ran: DjangoJobExecution, permissions: tuple[str, ...]) -> None:
    response = ask(client_of(person("p", *permissions)), "2026-11-20T03:00")
    assert response.status_code == 200
    words = f"It ran: execution {ran.pk} started at 03:00:00 (Asia/Kathmandu), 0.01 s after the tick"
    assert words in text_of(response)
    answer = response.content.decode().split('class="jc-answer"')[1].split("</p>")[0]
    assert execution_url(ran.pk) in answer
    assert 'value="2026-11-20T03:00"' in response.content.decode()


def test_who_may_not_see_executions_gets_no_link(ran: DjangoJobExecution) -> None:
    page = ask(client_of(person("p", "view_djangojob")), "2026-11-20T03:00").content.decode()
    assert "It ran: execution" in page
    assert "Open execution" not in page


def test_who_may_not_see_jobs_gets_nothing(ran: DjangoJobExecution) -> None:
    assert ask(client_of(person("p", "view_djangojobexecution")), "2026-11-20T03:00").status_code == 403


def test_without_a_question_there_is_no_answer(ran: DjangoJobExecution) -> None:
    page = client_of(superuser()).get(url_of("sum")).content.decode()
    assert "Why did it not run at …?" in page
    assert "jc-answer" not in page
    box = page.split('id="jc-why"')[1].split("</section>")[0]
    assert "errorlist" not in box
    assert 'type="datetime-local"' in box
    assert 'for="jc-why-at"' in box
    assert 'method="get"' in box
    assert "in Asia/Kathmandu" in box


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("", "Give the date and time that you wonder about."),
        ("yesterday", "“yesterday” is not a date and time. Write it as 2026-12-01 12:00"),
        ("2026-02-30T03:00", "does not exist"),
        ("9999-12-31T23:59", "Give a moment between the years 1900 and 9998."),
        ("\x00", "is not"),
    ],
)
def test_what_cannot_be_read_is_said_beside_the_input(ran: DjangoJobExecution, at: str, message: str) -> None:
    response = ask(client_of(superuser()), at)
    assert response.status_code == 200
    box = response.content.decode().split('id="jc-why"')[1].split("</section>")[0]
    assert 'class="errorlist"' in box
    assert "jc-answer" not in box
    assert message in text_of(response) or "Null characters are not allowed." in box


def test_an_answer_is_never_taken_for_markup(ran: DjangoJobExecution) -> None:
    DjangoJobExecution.objects.update(status="Error!", exception="<script>alert(1)</script>")
    page = ask(client_of(superuser()), "2026-11-20T03:00").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_the_filters_of_the_list_are_kept(ran: DjangoJobExecution) -> None:
    page = ask(client_of(superuser()), "2026-11-20T03:00", _changelist_filters='q="x').content.decode()
    assert '<input type="hidden" name="_changelist_filters" value="q=&quot;x">' in page


def test_a_question_does_not_stand_in_the_way_of_a_change(ran: DjangoJobExecution) -> None:
    client = client_of(superuser())
    address = f"{url_of('sum')}?at=2026-11-20T03:00"
    client.post(address, {**form_data(client, url_of("sum")), "name": "Renamed", "_save": "1"})
    assert JobSpec.objects.get().name == "Renamed"


def test_a_pause_is_named(ran: DjangoJobExecution) -> None:
    anna = User.objects.create_user("anna")
    JobSpec.objects.update(
        state="paused", state_reason="Moving house", paused_by=anna, paused_at=TICK, held_from=TICK + timedelta(hours=1)
    )
    words = text_of(ask(client_of(superuser()), "2026-11-20T05:00"))
    assert "The job is paused by anna since 2026-11-20 03:00:00 (Asia/Kathmandu): Moving house." in words
