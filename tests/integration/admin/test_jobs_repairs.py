"""The ways out on the pages: a broken job, jobs of a renamed module, and one-off jobs that have run."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.engine.claim import claim
from app_scheduler.engine.queue import utc_now
from app_scheduler.models import JobSpec, JobState
from tests.integration.admin.jobs_site import (
    EDITOR,
    LIST,
    OPERATOR,
    VIEWER,
    client_of,
    form_data,
    make_job,
    messages_of,
    person,
    rows_of,
    superuser,
    text_of,
    url_of,
)

pytestmark = pytest.mark.django_db

GONE = "old.jobs.add"
ADD = "tests.probe.jobs.add"


def broken(job_id: str = "sum", function: str = GONE, **values: Any) -> None:
    make_job(job_id)
    JobSpec.objects.filter(job_id=job_id).update(
        state=JobState.BROKEN, state_reason="It is gone.", function=function, **values
    )
    DjangoJob.objects.filter(id=job_id).update(next_run_time=None)


def spec_of(job_id: str = "sum") -> JobSpec:
    return services.get_job(job_id)


# --- a broken job -------------------------------------------------------------------------------------------------


def test_the_page_of_a_broken_job_says_why_and_offers_the_best_guess(client: Client) -> None:
    broken()
    page = client.get(url_of("sum"))
    assert "It is gone." in text_of(page)
    html = page.content.decode()
    assert f'action="{url_of("sum", "repair")}"' in html
    ways = html[html.index("jc-ways-title") :]
    assert re.search(rf'<optgroup label="Best guesses">\s*<option value="{ADD}" selected>', ways)
    assert "Point it at this function" in text_of(page)
    assert f'<a class="jc-btn danger" href="{url_of("sum", "delete")}">' in ways


def test_it_is_pointed_at_another_function_and_runs_again(client: Client) -> None:
    broken()
    response = client.post(url_of("sum", "repair"), {"function": ADD, "reason": "Renamed"}, follow=True)
    assert response.redirect_chain == [(url_of("sum"), 302)]
    assert "Add is scheduled again. Next run in " in re.sub(r"<[^>]*>", "", " ".join(messages_of(response)))
    assert (spec_of().function, spec_of().state) == (ADD, JobState.SCHEDULED)
    assert "Renamed" in LogEntry.objects.latest("pk").change_message
    assert "Ways out" not in text_of(client.get(url_of("sum")))


def test_arguments_that_do_not_fit_are_said_beside_their_fields_and_corrected_there(client: Client) -> None:
    broken(kwargs={"a": "many", "colour": "red", "token": "hush"})
    page = client.post(url_of("sum", "repair"), {"function": ADD})
    assert page.status_code == 200
    html = page.content.decode()
    assert "“many” is not a whole number" in html
    assert re.search(r'<div class="form-row errors field-a">\s*<ul class="errorlist"', html)
    assert "kwargs.colour: The function has no argument “colour”" in text_of(page)
    assert "hush" not in html
    assert spec_of().state == JobState.BROKEN
    again = client.post(url_of("sum", "repair"), {"function": ADD, "arg-for": ADD, "arg-a": "x"})
    assert "Enter a whole number" in text_of(again) or "whole number" in text_of(again)
    assert 'value="x"' in again.content.decode(), "what was typed is shown again"
    client.post(url_of("sum", "repair"), {"function": ADD, "arg-for": ADD, "arg-a": "5"})
    assert (spec_of().kwargs, spec_of().state) == ({"a": 5}, JobState.SCHEDULED)


def test_stored_arguments_that_no_longer_fit_are_corrected_on_the_page(client: Client) -> None:
    broken(function=ADD, kwargs={"a": 1, "colour": "red"})
    page = client.get(url_of("sum"))
    assert "Save and schedule it again" in text_of(page)
    assert "kwargs.colour" in text_of(page)
    client.post(url_of("sum", "repair"), {"function": ADD, "arg-for": ADD, "arg-a": "1"})
    assert spec_of().state == JobState.SCHEDULED


def test_an_executor_that_is_gone_is_replaced(client: Client) -> None:
    broken(function=ADD, executor="steam")
    page = client.get(url_of("sum"))
    assert "Use this executor" in text_of(page)
    assert 'id="repair_function"' not in page.content.decode(), "only what is at fault is asked"
    client.post(url_of("sum", "repair"), {"executor": "default"})
    assert (spec_of().executor, spec_of().state) == ("default", JobState.SCHEDULED)


def test_a_job_whose_cause_is_gone_is_scheduled_again(client: Client) -> None:
    broken(function=ADD)
    page = client.get(url_of("sum"))
    assert "What was missing is there again." in text_of(page)
    assert "Schedule it again" in text_of(page)
    client.post(url_of("sum", "repair"), {})
    assert spec_of().state == JobState.SCHEDULED
    assert "Scheduled again" in text_of(client.get(url_of("sum")))


def test_a_schedule_that_cannot_be_read_leads_to_the_form(client: Client) -> None:
    broken(function=ADD, trigger={"type": "nonsense"})
    words = text_of(client.get(url_of("sum")))
    assert "Its schedule cannot be read. Correct it in the form of the job" in words
    assert "Schedule it again" not in words
    assert client.post(url_of("sum", "repair"), {}).status_code == 200
    assert spec_of().state == JobState.BROKEN


def test_a_repair_that_is_refused_says_so(client: Client) -> None:
    broken()
    for sent, said in (
        ({"function": ""}, "Choose the function"),
        ({"function": "tests.probe.jobs.nothing"}, "is not a registered function"),
        ({"function": ADD, "revision": "77"}, "Somebody changed this job while you had it open"),
        ({"function": ADD, "reason": "x" * 1001}, "at most 1000 characters"),
    ):
        page = client.post(url_of("sum", "repair"), sent)
        assert page.status_code == 200
        assert said in text_of(page)
        assert "Nothing was changed." in text_of(page)
    assert spec_of().state == JobState.BROKEN


def test_a_repair_of_what_runs_or_is_gone_leads_away(client: Client) -> None:
    make_job()
    response = client.post(url_of("sum", "repair"), {"function": ADD}, follow=True)
    assert "not broken any more" in " ".join(messages_of(response))
    response = client.get(url_of("nothing", "repair"), follow=True)
    assert "There is no job" in " ".join(messages_of(response))


def test_a_job_that_no_tick_has_marked_yet_is_said_to_be_unable_to_run(client: Client) -> None:
    make_job()
    JobSpec.objects.update(function=GONE)
    words = text_of(client.get(LIST))
    assert "1 job calls old.jobs.add , which is not registered here." in words
    assert "Its function is not registered here." in words
    assert "It cannot run any more:" in text_of(client.get(url_of("sum")))
    client.post(url_of("sum", "repair"), {"function": ADD})
    assert "Jobs that cannot run" not in text_of(client.get(LIST))
    JobSpec.objects.update(executor="steam")
    words = text_of(client.get(LIST))
    assert "1 job uses the executor steam , which is not configured here." in words
    assert "Its executor “steam” is not configured here." in words


# --- a renamed module ---------------------------------------------------------------------------------------------


def repoint(client: Client, ids: list[str], **sent: str) -> Any:
    return client.post(LIST, {"action": "repoint_selected", "_selected_action": ids, **sent})


def test_many_jobs_are_previewed_and_then_pointed_at_another_function(client: Client) -> None:
    for number in range(3):
        broken(f"job-{number}")
    ids = [f"job-{number}" for number in range(3)]
    page = repoint(client, ids)
    assert f"3 jobs fit {ADD} and will call it." in text_of(page)
    assert f'name="_confirmed" value="{ADD}"' in page.content.decode()
    assert set(JobSpec.objects.values_list("function", flat=True)) == {GONE}, "a preview changes nothing"
    done = repoint(client, ids, function=ADD, _confirmed=ADD, reason="Renamed")
    assert done.status_code == 302
    assert set(JobSpec.objects.values_list("function", "state")) == {(ADD, "scheduled")}
    assert LogEntry.objects.filter(change_message__contains="Renamed").count() == 3


def test_what_is_confirmed_is_what_was_seen(client: Client) -> None:
    broken()
    JobSpec.objects.update(kwargs={})
    page = repoint(client, ["sum"], function="tests.probe.jobs.chatter", _confirmed=ADD)
    assert "fits tests.probe.jobs.chatter and will call it" in text_of(page)
    assert spec_of().function == GONE


def test_those_that_do_not_fit_are_named_and_hold_the_others_back(client: Client) -> None:
    broken("fits")
    broken("misfit", kwargs={"a": 1, "colour": "red"})
    page = repoint(client, ["fits", "misfit"], function=ADD, _confirmed=ADD)
    words = text_of(page)
    assert "1 job does not fit" in words
    assert "kwargs.colour: The function has no argument “colour”" in words
    assert 'name="_confirmed"' not in page.content.decode()
    assert set(JobSpec.objects.values_list("function", flat=True)) == {GONE}


def test_a_choice_is_asked_for_where_nothing_can_be_guessed(client: Client) -> None:
    make_job()
    assert "Choose the function that 1 job is to call." in text_of(repoint(client, ["sum"]))
    page = repoint(client, ["sum"], function="", _preview="1")
    assert "Choose the function that these jobs are to call." in text_of(page)
    assert "is not a registered function" in text_of(repoint(client, ["sum"], function="os.system", _preview="1"))
    assert "calls it already" in text_of(repoint(client, ["sum"], function=ADD, _preview="1"))


def test_all_jobs_of_a_filter_are_pointed_at_another_function(client: Client) -> None:
    for number in range(60):
        broken(f"job-{number:02}")
    make_job("other")
    sent = {"action": "repoint_selected", "_selected_action": ["job-00"], "select_across": "1"}
    assert "60 jobs fit" in text_of(client.post(f"{LIST}?function={GONE}", sent))
    with CaptureQueriesContext(connection) as statements:
        client.post(f"{LIST}?function={GONE}", {**sent, "function": ADD, "_confirmed": ADD})
    assert len(statements) < 40
    assert JobSpec.objects.filter(function=ADD, state=JobState.SCHEDULED).count() == 61


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("door", "sent", "permissions", "allowed"),
    [
        ("repair", {"function": ADD}, EDITOR, True),
        ("repair", {"function": ADD}, OPERATOR, False),
        ("list", {"action": "repoint_selected", "_selected_action": ["sum"]}, EDITOR, True),
        ("list", {"action": "repoint_selected", "_selected_action": ["sum"]}, OPERATOR, False),
    ],
)
def test_each_way_needs_its_own_permission(
    door: str, sent: dict[str, Any], permissions: tuple[str, ...], allowed: bool
) -> None:
    broken()
    address = LIST if door == "list" else url_of("sum", door)
    response = client_of(person("pat", *permissions)).post(address, sent)
    assert (response.status_code != 403) is allowed
    if not allowed:
        assert spec_of().state == JobState.BROKEN


def test_a_viewer_sees_what_is_wrong_and_no_button() -> None:
    broken()
    viewer = client_of(person("vera", *VIEWER))
    page = viewer.get(url_of("sum"))
    assert "It is gone." in text_of(page)
    assert "Ways out" not in text_of(page)
    assert viewer.get(url_of("sum", "repair")).status_code == 403


def test_a_repair_needs_the_csrf_token() -> None:
    broken()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(superuser())
    assert strict.post(url_of("sum", "repair"), {"function": ADD}).status_code == 403


# --- one-off jobs -------------------------------------------------------------------------------------------------


def test_a_one_off_job_that_has_run_stays_and_runs_again_at_another_moment(client: Client) -> None:
    make_job(trigger="at 2999-01-01 12:00")
    moment = utc_now() - timedelta(seconds=5)
    JobSpec.objects.update(trigger={"type": "date", "run_date": moment.isoformat()})
    DjangoJob.objects.update(next_run_time=moment)
    claim(utc_now())
    assert spec_of().state == JobState.FINISHED
    page = client.get(url_of("sum"))
    assert "Give it another moment or schedule below, and it runs again." in text_of(page)
    assert rows_of(client.get(LIST, {"state": "finished"})) == ["Add"]
    data = form_data(client, url_of("sum"), date_run_date="2998-05-01T09:00")
    assert client.post(url_of("sum"), {**data, "_save": "1"}).status_code == 302
    spec = spec_of()
    assert spec.state == JobState.SCHEDULED
    assert spec.job.next_run_time is not None
    assert spec.job.next_run_time.year == 2998
    assert DjangoJobExecution.objects.filter(job_id="sum").count() == 1, "its history stays"
