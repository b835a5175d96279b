"""What may be done with executions, by whom, and what it leaves behind: retry, retry with changes, cancel, in bulk."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.admin import executions as admin_of_executions
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, Status
from tests.integration.admin.histories import (
    LIST,
    client_with,
    make_execution,
    make_job,
    make_strange_execution,
    make_strange_job,
    page_url,
)

pytestmark = pytest.mark.django_db

ACTS = ("retry", "retry-with", "cancel")
VIEW, RUN, DELETE = "view_djangojobexecution", "run_job", "delete_djangojobexecution"


@pytest.fixture
def runner() -> Client:
    return client_with(VIEW, RUN, name="ada")


def said(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def newest() -> ExecutionDetail:
    return ExecutionDetail.objects.select_related("execution", "requested_by").order_by("-execution_id")[0]


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("permissions", [(), (VIEW,), (RUN,), (VIEW, "change_djangojobexecution"), (VIEW, DELETE)])
def test_acts_need_the_permission_to_see_and_to_run(act: str, permissions: tuple[str, ...]) -> None:
    make_job()
    execution = make_execution(status=Status.QUEUED if act == "cancel" else Status.ERROR)
    client = client_with(*permissions)
    for response in (client.post(page_url(execution, act)), client.get(page_url(execution, act))):
        assert response.status_code == 403
    assert DjangoJobExecution.objects.get().status == execution.status
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("act", ACTS)
def test_strangers_are_asked_to_log_in(act: str) -> None:
    make_job()
    execution = make_execution(status=Status.ERROR)
    response = Client().post(page_url(execution, act))
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")
    assert DjangoJobExecution.objects.count() == 1


def test_the_list_and_the_page_need_the_permission_to_see() -> None:
    make_job()
    execution = make_execution()
    client = client_with(RUN)
    assert client.get(LIST).status_code == 403
    assert client.get(page_url(execution)).status_code == 403


def test_viewers_see_no_buttons() -> None:
    make_job()
    client = client_with(VIEW)
    for number, status in enumerate(Status):
        execution = make_execution(status=status, due=timezone.now() - timedelta(minutes=number))
        markup = client.get(page_url(execution)).content.decode()
        markup = markup[markup.index('id="content"') :]
        assert 'method="post"' not in markup, status
        assert "/retry" not in markup, status
        assert "/delete/" not in markup, status
    assert 'name="action"' not in client.get(LIST).content.decode()


@pytest.mark.parametrize("status", Status)
def test_runners_see_the_buttons_that_the_status_allows(runner: Client, status: Status) -> None:
    make_job()
    markup = runner.get(page_url(make_execution(status=status))).content.decode()
    on_the_way = status in (Status.QUEUED, Status.STARTED)
    assert ("/retry/" in markup) is not on_the_way
    assert ("/cancel/" in markup) is on_the_way
    assert (">Run again</button>" in markup) is (status == Status.EXECUTED)
    assert (">Retry</button>" in markup) is (not on_the_way and status != Status.EXECUTED)


def test_a_job_without_a_definition_has_no_buttons(runner: Client) -> None:
    make_strange_job()
    execution = make_strange_execution(status=Status.ERROR)
    assert "/retry/" not in runner.get(page_url(execution)).content.decode()
    for act in ("retry", "retry-with"):
        response = runner.post(page_url(execution, act))
        assert response["Location"] == page_url(execution)
        assert said(response)
    assert DjangoJobExecution.objects.count() == 1


def test_executions_can_be_neither_added_nor_changed() -> None:
    make_job()
    execution = make_execution()
    User.objects.create_superuser("root")
    client = Client()
    client.force_login(User.objects.get(username="root"))
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.post(page_url(execution), {"status": "Executed"}).status_code == 403
    assert "Add execution" not in client.get(LIST).content.decode()


def test_executions_are_deleted_with_the_permission_only() -> None:
    make_job()
    execution = make_execution()
    assert client_with(VIEW, RUN).post(page_url(execution, "delete"), {"post": "yes"}).status_code == 403
    deleter = client_with(VIEW, DELETE, name="deleter")
    assert f"{LIST}{execution.pk}/delete/" in deleter.get(page_url(execution)).content.decode()
    assert deleter.get(page_url(execution, "delete")).status_code == 200
    assert deleter.post(page_url(execution, "delete"), {"post": "yes"}).status_code == 302
    assert not DjangoJobExecution.objects.exists()
    assert not ExecutionDetail.objects.exists()


# --- retry --------------------------------------------------------------------------------------------------------


def test_a_retry_is_queued_with_the_same_arguments_and_shown(runner: Client) -> None:
    make_job(args=[1])
    execution = make_execution(status=Status.ERROR, args=[5], kwargs={"b": 6}, attempt=2)
    response = runner.post(page_url(execution, "retry"))
    retry = newest()
    assert response["Location"] == page_url(retry.execution_id)
    assert said(response) == ["Queued again, with the same arguments."]
    assert (retry.execution.status, retry.origin, retry.attempt) == (Status.QUEUED, ExecutionOrigin.RETRY, 3)
    assert (retry.args, retry.kwargs) == ([5], {"b": 6})
    assert (retry.retry_of_id, str(retry.requested_by)) == (execution.pk, "ada")
    assert LogEntry.objects.get().object_id == "digest"


def test_what_has_not_ended_is_not_retried(runner: Client) -> None:
    make_job()
    execution = make_execution(status=Status.STARTED)
    response = runner.post(page_url(execution, "retry"))
    assert response["Location"] == page_url(execution)
    assert said(response)[0].startswith("This execution has not ended yet.")
    assert DjangoJobExecution.objects.count() == 1


def test_a_function_that_is_gone_cannot_be_retried(runner: Client) -> None:
    make_job()
    execution = make_execution(status=Status.ERROR)
    JobSpec.objects.update(function="games.jobs.gone")
    assert "/retry/" not in runner.get(page_url(execution)).content.decode()
    for act in ("retry", "retry-with"):
        response = runner.post(page_url(execution, act))
        assert response["Location"] == page_url(execution)
        assert "games.jobs.gone" in said(response)[-1]
    assert DjangoJobExecution.objects.count() == 1


@pytest.mark.parametrize("act", ["retry", "cancel"])
def test_asked_for_by_get_nothing_happens(runner: Client, act: str) -> None:
    make_job()
    execution = make_execution(status=Status.QUEUED if act == "cancel" else Status.ERROR)
    assert runner.get(page_url(execution, act))["Location"] == page_url(execution)
    assert DjangoJobExecution.objects.get().status == execution.status


@pytest.mark.parametrize("act", ACTS)
def test_acts_on_an_execution_that_is_not_there_lead_back(runner: Client, act: str) -> None:
    response = runner.post(page_url(999_999, act))
    assert response.status_code == 302
    assert "exist" in said(response)[0]


def test_acts_are_protected_from_other_sites() -> None:
    make_job()
    execution = make_execution(status=Status.ERROR)
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    for act in ACTS:
        assert client.post(page_url(execution, act)).status_code == 403
    assert DjangoJobExecution.objects.count() == 1


# --- retry with changes -------------------------------------------------------------------------------------------


def test_the_form_has_the_arguments_that_it_ran_with(runner: Client) -> None:
    make_job(args=[1])
    execution = make_execution(status=Status.ERROR, args=[5], kwargs={"b": 6})
    response = runner.get(page_url(execution, "retry-with"))
    assert response.status_code == 200
    values = {field.name: field.value() for field in response.context["form"]}
    assert values == {"a": 5, "b": 6}


def test_a_retry_with_other_arguments_is_queued_and_says_why(runner: Client) -> None:
    make_job(args=[1])
    execution = make_execution(status=Status.EXECUTED, args=[5], kwargs={"b": 6})
    response = runner.post(page_url(execution, "retry-with"), {"arg-a": "7", "arg-b": "", "reason": "Other sum"})
    retry = newest()
    assert response["Location"] == page_url(retry.execution_id)
    assert (retry.args, retry.kwargs, retry.reason) == ([], {"a": 7}, "Other sum")
    assert "Other sum" in LogEntry.objects.get().change_message


def test_arguments_that_do_not_fit_are_refused_beside_their_field(runner: Client) -> None:
    make_job(args=[1])
    execution = make_execution(status=Status.ERROR, args=[5])
    response = runner.post(page_url(execution, "retry-with"), {"arg-a": "many", "arg-b": ""})
    assert response.status_code == 200
    assert response.context["form"].errors["a"]
    assert 'value="many"' in response.content.decode()
    assert DjangoJobExecution.objects.count() == 1


def test_a_reason_that_is_too_long_is_refused(runner: Client) -> None:
    make_job(args=[1])
    execution = make_execution(status=Status.ERROR, args=[5])
    response = runner.post(page_url(execution, "retry-with"), {"arg-a": "1", "reason": "x" * 1001})
    assert response.context["why"].errors["reason"]
    assert DjangoJobExecution.objects.count() == 1


def test_what_has_not_ended_has_no_form(runner: Client) -> None:
    make_job()
    execution = make_execution(status=Status.QUEUED)
    response = runner.get(page_url(execution, "retry-with"))
    assert response["Location"] == page_url(execution)
    assert said(response) == ["This execution has not ended yet."]


# --- cancel -------------------------------------------------------------------------------------------------------


def test_a_queued_execution_is_cancelled(runner: Client) -> None:
    make_job()
    execution = make_execution(status=Status.QUEUED)
    response = runner.post(page_url(execution, "cancel"))
    assert response["Location"] == page_url(execution)
    execution.refresh_from_db()
    assert execution.status == Status.CANCELLED
    assert ExecutionDetail.objects.queued().count() == 0
    assert "Cancelled by ada." in runner.get(page_url(execution)).content.decode()


def test_what_runs_is_told_to_end_and_its_page_says_so(runner: Client) -> None:
    make_job()
    execution = make_execution(status=Status.STARTED)
    assert page_url(execution, "cancel") in runner.get(page_url(execution)).content.decode()
    response = runner.post(page_url(execution, "cancel"))
    assert "ends when its function looks" in said(response)[0]
    execution.refresh_from_db()
    assert execution.status == Status.STARTED
    page = runner.get(page_url(execution)).content.decode()
    assert re.search(r"ada cancelled it \d+ s ago. It ends when its function looks.", page)
    assert page_url(execution, "cancel") not in page
    assert said(runner.post(page_url(execution, "cancel")))[0].startswith("This execution has been cancelled already")


def test_what_runs_in_a_process_is_said_to_be_ended(runner: Client) -> None:
    make_job(executor="processes")
    execution = make_execution(status=Status.STARTED)
    response = runner.post(page_url(execution, "cancel"))
    assert said(response) == ["Cancelled: it is ended within seconds."]
    assert "It is ended within seconds." in runner.get(page_url(execution)).content.decode()


# --- in bulk ------------------------------------------------------------------------------------------------------


def act_on(client: Client, action: str, *executions: DjangoJobExecution, **more: str) -> Any:
    data = {"action": action, "_selected_action": [str(execution.pk) for execution in executions], **more}
    return client.post(LIST, data)


def several(*statuses: str) -> list[DjangoJobExecution]:
    now = timezone.now()
    return [make_execution(status=each, due=now - timedelta(minutes=n)) for n, each in enumerate(statuses, 1)]


def test_several_are_retried_and_the_others_named(runner: Client) -> None:
    make_job()
    made = several(Status.ERROR, Status.QUEUED, Status.MISSED, Status.STARTED)
    response = act_on(runner, "retry_selected", *made)
    retried = ExecutionDetail.objects.filter(origin=ExecutionOrigin.RETRY).order_by("execution_id")
    assert [detail.retry_of_id for detail in retried] == [made[2].pk, made[0].pk], "the oldest first"
    messages = said(response)
    assert messages[0].startswith("2 were left as they are: This execution has not ended yet.")
    assert messages[1] == "2 executions are queued again."


def test_several_are_cancelled(runner: Client) -> None:
    make_job()
    made = several(Status.QUEUED, Status.QUEUED, Status.ERROR)
    response = act_on(runner, "cancel_selected", *made)
    assert DjangoJobExecution.objects.filter(status=Status.CANCELLED).count() == 2
    assert "2 executions are cancelled." in said(response)


def test_all_of_a_filtered_list_are_retried(runner: Client) -> None:
    make_job()
    made = several(Status.ERROR, Status.EXECUTED, Status.ERROR)
    data = {"action": "retry_selected", "_selected_action": [str(made[0].pk)], "select_across": "1"}
    runner.post(f"{LIST}?status=failures", data)
    retried = ExecutionDetail.objects.filter(origin=ExecutionOrigin.RETRY).values_list("retry_of_id", flat=True)
    assert set(retried) == {made[0].pk, made[2].pk}


def test_too_many_are_refused_as_a_whole(runner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_of_executions, "MAX_BULK", 2)
    make_job()
    made = several(Status.ERROR, Status.ERROR, Status.ERROR)
    response = act_on(runner, "retry_selected", *made)
    assert said(response)[0].startswith("Nothing was done: at most 2 executions at once.")
    assert DjangoJobExecution.objects.count() == 3


@pytest.mark.parametrize("action", ["retry_selected", "cancel_selected", "delete_selected"])
def test_actions_need_their_permission(action: str) -> None:
    make_job()
    made = several(Status.QUEUED, Status.ERROR)
    assert act_on(client_with(VIEW), action, *made).status_code == 403
    other = DELETE if action != "delete_selected" else RUN
    assert act_on(client_with(VIEW, other, name="other"), action, *made).status_code == 403
    assert list(DjangoJobExecution.objects.order_by("pk").values_list("status", flat=True)) == ["Queued", "Error!"]


def test_several_are_deleted_by_those_who_may() -> None:
    make_job()
    made = several(Status.ERROR, Status.EXECUTED)
    client = client_with(VIEW, DELETE)
    assert act_on(client, "delete_selected", *made).status_code == 200
    act_on(client, "delete_selected", *made, post="yes")
    assert not DjangoJobExecution.objects.exists()
