"""Acts on jobs from the list and from a job's page, one by one and in bulk, and who may do which."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.engine.queue import Entry, enqueue
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, JobState, SchedulerLease
from tests.integration.admin.jobs_site import (
    EDITOR,
    LIST,
    OPERATOR,
    VIEWER,
    client_of,
    make_job,
    messages_of,
    person,
    text_of,
    url_of,
)

pytestmark = pytest.mark.django_db


def act(client: Client, action: str, *ids: str, **more: Any) -> Any:
    data = {"action": action, "_selected_action": ids, "index": "0", "select_across": "0", **more}
    return client.post(LIST, {key: value for key, value in data.items() if value is not None}, follow=True)


def confirm(client: Client, action: str, *ids: str, **more: Any) -> Any:
    return act(client, action, *ids, index=None, _confirmed="1", **more)


def state_of(job_id: str) -> str:
    return JobSpec.objects.get(job_id=job_id).state


@pytest.fixture
def four(root: User) -> None:
    """A scheduled, a paused, a finished and a broken job, and one that is not adopted."""
    for name, state in (("s", "scheduled"), ("p", "paused"), ("f", "finished"), ("b", "broken")):
        make_job(name, name=name.upper())
        JobSpec.objects.filter(job_id=name).update(state=state)
    DjangoJob.objects.create(id="old", job_state=b"")


ALL = ("s", "p", "f", "b", "old")


# --- many ---------------------------------------------------------------------------------------------------------


def test_run_now_queues_what_can_run_and_says_what_cannot(client: Client, root: User, four: None) -> None:
    page = act(client, "run_selected", *ALL)
    assert messages_of(page) == ["3 executions queued; 1 is broken: repair it first, 1 is not adopted yet."]
    queued = ExecutionDetail.objects.filter(origin=ExecutionOrigin.MANUAL, requested_by=root)
    assert sorted(queued.values_list("execution__job_id", flat=True)) == ["f", "p", "s"]
    assert sorted(str(entry.object_id) for entry in LogEntry.objects.all()) == ["f", "p", "s"], "one entry each"


def test_pause_asks_first_and_names_the_jobs(client: Client, four: None) -> None:
    page = act(client, "pause_selected", *ALL)
    words = text_of(page)
    assert "1 job will be paused" in words
    assert "1 was so already" in words
    assert "1 is finished and stays so" in words
    assert all(f'value="{name}"' in page.content.decode() for name in ALL)
    assert state_of("s") == JobState.SCHEDULED, "asking changes nothing"


def test_pause_takes_a_reason_and_an_end(client: Client, root: User, four: None) -> None:
    until = (timezone.localtime() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    page = confirm(client, "pause_selected", *ALL, reason="Audit", until=until)
    assert messages_of(page) == [
        "1 job paused; 1 was so already, 1 is finished and stays so, 1 is broken: repair it first, "
        "1 is not adopted yet."
    ]
    spec = JobSpec.objects.get(job_id="s")
    assert (spec.state, spec.state_reason, spec.paused_by) == (JobState.PAUSED, "Audit", root)
    assert spec.paused_until is not None
    assert timezone.localtime(spec.paused_until).strftime("%Y-%m-%dT%H:%M") == until
    assert LogEntry.objects.get().change_message.endswith(": Audit")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"until": "2001-01-01T00:00"}, "This moment has passed"),
        ({"until": "soon"}, "Enter a valid date/time"),
        ({"reason": "x" * 1001}, "at most 1000"),
    ],
)
def test_a_pause_that_cannot_be_is_refused_beside_its_field(
    client: Client, four: None, data: dict[str, str], words: str
) -> None:
    page = confirm(client, "pause_selected", "s", **data)
    assert words in text_of(page)
    assert state_of("s") == JobState.SCHEDULED
    for value in data.values():
        assert value in page.content.decode(), "what was typed is still there"


def test_resume_says_what_it_left_out(client: Client, four: None) -> None:
    assert messages_of(act(client, "resume_selected", *ALL)) == [
        "1 job resumed; 1 was so already, 1 is finished and stays so, 1 is broken: repair it first, "
        "1 is not adopted yet."
    ]
    assert state_of("p") == JobState.SCHEDULED


def test_delete_says_what_goes_with_it_and_then_deletes(client: Client, four: None) -> None:
    now = timezone.now()
    enqueue([Entry("s", now - timedelta(minutes=n), now) for n in range(3)])
    page = act(client, "delete_selected", *ALL)
    assert "5 jobs will be deleted" in text_of(page)
    assert "3 executions" in text_of(page)
    assert DjangoJob.objects.count() == 5
    page = confirm(client, "delete_selected", *ALL, reason="Gone with the wind")
    assert messages_of(page) == ["5 jobs deleted with their histories."]
    assert not DjangoJob.objects.exists()
    assert not DjangoJobExecution.objects.exists()
    assert LogEntry.objects.filter(object_id="s").get().change_message == "Deleted: Gone with the wind"


def test_nothing_selected_and_no_action_are_said(client: Client, four: None) -> None:
    assert "Items must be selected" in messages_of(act(client, "run_selected"))[0]
    assert "No action selected" in messages_of(act(client, "", "s"))[0]


def test_select_all_takes_every_job_of_the_filter_and_only_those(client: Client) -> None:
    for number in range(60):
        make_job(f"job-{number}", tags=["even" if number % 2 == 0 else "odd"])
    data = {"action": "pause_selected", "_selected_action": ["job-0"], "select_across": "1"}
    page = client.post(f"{LIST}?tag=even", {**data, "index": "0"})
    assert "30 jobs will be paused" in text_of(page)
    assert "and 10 more" in text_of(page)
    page = client.post(f"{LIST}?tag=even", {**data, "_confirmed": "1"}, follow=True)
    assert messages_of(page) == ["30 jobs paused."]
    assert page.request["QUERY_STRING"] == "tag=even"
    assert all(spec.tags == ["even"] for spec in JobSpec.objects.filter(state="paused"))


@pytest.mark.slow
def test_acts_on_two_thousand_jobs_take_a_handful_of_statements(client: Client) -> None:
    now = timezone.now()
    ids = [f"job-{number:05}" for number in range(2_000)]
    DjangoJob.objects.bulk_create([DjangoJob(id=pk, next_run_time=now, job_state=b"") for pk in ids])
    JobSpec.objects.bulk_create(
        [
            JobSpec(
                job_id=pk,
                name=pk,
                function="tests.probe.jobs.chatter",
                trigger={"type": "interval", "hours": 1},
                trigger_type="interval",
                anchor=now,
            )
            for pk in ids
        ]
    )
    for action, said in (
        ("run_selected", "2,000 executions queued."),
        ("pause_selected", "2,000 jobs paused."),
        ("resume_selected", "2,000 jobs resumed."),
        ("delete_selected", "2,000 jobs deleted with their histories."),
    ):
        data = {"action": action, "_selected_action": ids[:1], "select_across": "1", "_confirmed": "1"}
        with CaptureQueriesContext(connection) as queries:
            response = client.post(LIST, data)
        assert response.status_code == 302
        # What is inserted goes in batches, which SQLite keeps to about a hundred rows.
        assert len(queries) < 150, f"{action}: {len(queries)}"
        assert messages_of(client.get(LIST)) == [said]


# --- one ----------------------------------------------------------------------------------------------------------


def test_the_buttons_of_a_row_act_and_lead_back_to_the_list_as_it_was(client: Client) -> None:
    make_job("odd %41 é", name="Odd")
    page = client.get(LIST, {"q": "odd"}).content.decode()
    for verb, state in (("pause", "paused"), ("resume", "scheduled")):
        url = re.search(rf'formaction="([^"]*/{verb}/[^"]*)"', client.get(LIST, {"q": "odd"}).content.decode())
        assert url, page
        response = client.post(url[1].replace("&amp;", "&"))
        assert (response.status_code, response.headers["Location"]) == (302, f"{LIST}?q=odd")
        assert state_of("odd %41 é") == state
    url = re.search(r'formaction="([^"]*/run/[^"]*)"', page)
    assert url
    after = client.post(url[1].replace("&amp;", "&"), follow=True)
    execution = DjangoJobExecution.objects.get()
    assert f"/djangojobexecution/{execution.pk}/change/" in messages_of(after)[-1]
    assert [entry.object_id for entry in LogEntry.objects.all()] == ["odd %41 é"] * 3


def test_a_jobs_own_page_acts_and_leads_back_to_it(client: Client) -> None:
    make_job()
    response = client.post(url_of("sum", "run"))
    assert response.headers["Location"] == url_of("sum")
    assert client.get(url_of("sum", "pause")).status_code == 200
    assert state_of("sum") == JobState.SCHEDULED, "GET changes nothing"
    page = client.post(url_of("sum", "pause"), {"reason": "Tea"}, follow=True)
    assert "paused" in messages_of(page)[-1]
    assert "“Tea”" in text_of(page)
    assert client.post(url_of("sum", "resume")).headers["Location"] == url_of("sum")


def test_a_job_that_cannot_be_paused_or_run_says_why(client: Client) -> None:
    make_job()
    JobSpec.objects.update(state=JobState.BROKEN, function="games.jobs.gone")
    assert "not a registered function" in " ".join(messages_of(client.post(url_of("sum", "run"), follow=True)))
    assert "Only a scheduled job can be paused" in text_of(client.post(url_of("sum", "pause"), follow=True))
    assert "Only a paused job can be resumed" in messages_of(client.post(url_of("sum", "resume"), follow=True))[0]


@pytest.mark.parametrize("verb", ["run", "pause", "resume", "change", "delete", "history", "run_with"])
def test_a_job_that_is_gone_is_said_to_be_gone(client: Client, verb: str) -> None:
    for response in (client.get(url_of("gone", verb), follow=True), client.post(url_of("gone", verb), follow=True)):
        assert response.status_code in (200, 405)
        if response.status_code == 200:
            assert "There is no job" in " ".join(messages_of(response))


@pytest.mark.parametrize("verb", ["run", "resume"])
def test_get_never_acts(client: Client, verb: str) -> None:
    make_job()
    JobSpec.objects.update(state=JobState.PAUSED)
    assert client.get(url_of("sum", verb)).status_code == 405
    assert state_of("sum") == JobState.PAUSED
    assert not DjangoJobExecution.objects.exists()


def test_acts_need_the_csrf_token(root: User) -> None:
    make_job()
    client = Client(enforce_csrf_checks=True)
    client.force_login(root)
    for verb in ("run", "pause", "resume", "delete", "run_with", "change"):
        assert client.post(url_of("sum", verb)).status_code == 403
    for page in ("pause-everything/", "resume-everything/", "preview/", "arguments/", "add/", ""):
        assert client.post(LIST + page, {"action": "run_selected"}).status_code == 403


# --- run with other arguments -------------------------------------------------------------------------------------


def test_run_with_other_arguments_leaves_the_job_as_it_is(client: Client) -> None:
    make_job(kwargs={"a": 1, "b": 5})
    page = client.get(url_of("sum", "run_with"))
    assert 'value="5"' in page.content.decode()
    response = client.post(url_of("sum", "run_with"), {"arg-a": "40", "arg-b": "2", "reason": "once"})
    assert response.headers["Location"] == url_of("sum")
    detail = ExecutionDetail.objects.get()
    assert (detail.args, detail.kwargs, detail.reason) == ([], {"a": 40, "b": 2}, "once")
    assert JobSpec.objects.get().kwargs == {"a": 1, "b": 5}


def test_an_argument_that_does_not_fit_is_refused_beside_its_field(client: Client) -> None:
    make_job()
    page = client.post(url_of("sum", "run_with"), {"arg-a": "forty", "arg-b": "2"})
    assert "a" in page.context["form"].errors
    assert not DjangoJobExecution.objects.exists()


# --- everything ---------------------------------------------------------------------------------------------------


def test_everything_is_paused_with_a_reason_and_resumed(client: Client, root: User) -> None:
    make_job()
    assert "1 job is scheduled now" in text_of(client.get(f"{LIST}pause-everything/"))
    client.post(f"{LIST}pause-everything/", {"reason": "Migration"})
    lease = SchedulerLease.objects.get()
    assert (lease.paused_by, lease.pause_reason) == (root, "Migration")
    assert client.get(f"{LIST}resume-everything/").status_code == 200
    client.post(f"{LIST}resume-everything/")
    assert SchedulerLease.objects.get().paused_at is None


# --- who may ------------------------------------------------------------------------------------------------------

#: (address, method, data): who of viewer, operator, editor and root gets 403.
DOORS = [
    (LIST, "get", {}, ""),
    ("change", "get", {}, ""),
    ("history", "get", {}, ""),
    (f"{LIST}add/", "get", {}, "vo"),
    (f"{LIST}add/", "post", {}, "vo"),
    ("change", "post", {"_save": "1"}, "vo"),
    ("change", "post", {"_saverun": "1"}, "voe"),
    ("delete", "get", {}, "voe"),
    ("delete", "post", {}, "voe"),
    ("run", "post", {}, "ve"),
    ("run_with", "get", {}, "ve"),
    ("run_with", "post", {}, "ve"),
    ("pause", "get", {}, "ve"),
    ("pause", "post", {}, "ve"),
    ("resume", "post", {}, "ve"),
    (f"{LIST}pause-everything/", "get", {}, "ve"),
    (f"{LIST}pause-everything/", "post", {}, "ve"),
    (f"{LIST}resume-everything/", "post", {}, "ve"),
    (LIST, "post", {"action": "run_selected", "_selected_action": "sum", "index": "0"}, "ve"),
    (LIST, "post", {"action": "pause_selected", "_selected_action": "sum", "index": "0"}, "ve"),
    (LIST, "post", {"action": "resume_selected", "_selected_action": "sum", "index": "0"}, "ve"),
    (LIST, "post", {"action": "delete_selected", "_selected_action": "sum", "index": "0"}, "voe"),
    (f"{LIST}preview/", "post", {}, ""),
    (f"{LIST}arguments/", "post", {}, ""),
]


@pytest.mark.parametrize(("door", "method", "data", "refused"), DOORS)
def test_each_act_needs_its_own_permission(door: str, method: str, data: dict[str, str], refused: str) -> None:
    make_job()
    url = door if door.startswith("/") else url_of("sum", door)
    people = {"v": person("viewer", *VIEWER), "o": person("operator", *OPERATOR), "e": person("editor", *EDITOR)}
    for key, user in people.items():
        response = getattr(client_of(user), method)(url, data)
        assert (response.status_code == 403) == (key in refused), f"{user}: {response.status_code}"
    nobody = getattr(client_of(person("nobody")), method)(url, data)
    assert nobody.status_code == 403
    stranger = getattr(Client(), method)(url, data)
    assert stranger.status_code == 302
    assert "/admin/login/" in stranger.headers["Location"]
    outsider = getattr(client_of(person("outsider", *OPERATOR, staff=False)), method)(url, data)
    assert outsider.status_code == 302


def test_nothing_leads_to_executions_that_one_may_not_see() -> None:
    make_job()
    JobSpec.objects.update(last_status="Executed", last_execution_id=7, last_finished_at=timezone.now())
    client = client_of(person("operator", *OPERATOR))
    pages = [client.get(LIST), client.get(url_of("sum")), client.post(url_of("sum", "run"), follow=True)]
    assert not any("djangojobexecution" in page.content.decode() for page in pages)
    assert "execution" in messages_of(pages[-1])[0]


def test_run_and_pause_permissions_are_worth_nothing_without_seeing_jobs() -> None:
    make_job()
    client = client_of(person("blind", "run_job", "pause_job"))
    for verb in ("run", "pause", "resume"):
        assert client.post(url_of("sum", verb)).status_code == 403
    assert client.post(f"{LIST}pause-everything/").status_code == 403


def test_a_viewer_sees_everything_and_no_button_that_acts() -> None:
    make_job(kwargs={"a": 41}, description="Adds up", timeout=90)
    client = client_of(person("viewer", *VIEWER))
    for url in (LIST, url_of("sum")):
        page = client.get(url).content.decode()
        assert "formaction" not in page
        assert "Run now" not in page
        assert "/pause" not in page
        assert "/delete" not in page
        assert "/run" not in page
        assert "Add job" not in page
    words = text_of(client.get(url_of("sum")))
    for expected in ("tests.probe.jobs.add", "41", "Adds up", "Every hour", "90", "Latest executions"):
        assert expected in words


def test_an_operator_gets_the_buttons_and_not_the_form() -> None:
    make_job()
    page = client_of(person("operator", *OPERATOR)).get(url_of("sum")).content.decode()
    assert "Run now" in page
    assert "Pause…" in page
    assert 'id="job-form"' not in page
    page = client_of(person("editor", *EDITOR)).get(url_of("sum")).content.decode()
    assert 'id="job-form"' in page
    assert "Run now" not in page
    assert "_saverun" not in page
    assert 'name="paused"' not in page, "pausing by the form needs the permission to pause as well"
