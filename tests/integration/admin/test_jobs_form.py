"""The form of a job: each kind of schedule, each error beside its field, nothing lost, nothing undone unseen."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle, permutations
from typing import Any, Literal

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler import services
from app_scheduler.engine.queue import Entry, enqueue
from app_scheduler.forms import PICKS, JobForm, pick_data
from app_scheduler.models import JobOrigin, JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import (
    EDITOR,
    LIST,
    client_of,
    form_data,
    make_job,
    messages_of,
    person,
    text_of,
    url_of,
)

pytestmark = pytest.mark.django_db

ADD = f"{LIST}add/"


def send(to: str, api_key: str, channel: Literal["push", "mail"] = "push", dry_run: bool = False, *rest: int) -> None:
    """Send something.

    Args:
        to: Who gets <it>.
        api_key: The key of the service.
        channel: Which way.
        dry_run: Only count.
    """


SEND = f"{__name__}.send"


@pytest.fixture
def secretive() -> Iterator[str]:
    registry.register(send)
    yield SEND
    registry._functions.pop(SEND)


def add(client: Client, **values: Any) -> Any:
    """Post the form for a new job, as it comes, with ``values``."""
    function = values.pop("function", "tests.probe.jobs.add")
    data = form_data(client, f"{ADD}?function={function}", **{"arg_a": 1, **values})
    return client.post(ADD, {**data, "function": function})


def errors_of(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200, response.headers.get("Location")
    form = response.context["form"]
    found = {name: list(messages) for name, messages in form.errors.items()}
    if form.arguments is not None:
        found |= {f"arg-{name}": list(messages) for name, messages in form.arguments.errors.items()}
    return found


# --- making jobs --------------------------------------------------------------------------------------------------

KINDS: list[tuple[dict[str, str], Any]] = [
    ({"trigger_type": "interval", "interval_hours": "1", "interval_minutes": "30"}, {"hours": 1, "minutes": 30}),
    (
        {"trigger_type": "cron", "cron_hour": "3", "cron_day_of_week": "MON-fri"},
        {"hour": "3", "day_of_week": "mon-fri"},
    ),
    ({"trigger_type": "cron", "cron_expression": "0 3 * * 1-5"}, {"expression": "0 3 * * 1-5"}),
    ({"trigger_type": "date", "date_run_date": "2999-12-01T12:00"}, {"run_date": "2999-12-01T12:00:00"}),
    ({"trigger_type": "calendar", "calendar_months": "2", "calendar_hour": "9"}, {"months": 2, "hour": 9}),
    (
        {"trigger_type": "any", "any_expressions": "every 3h\n0 12 * * sun"},
        {"triggers": [{"type": "interval", "hours": 3}, {"type": "cron", "expression": "0 12 * * sun"}]},
    ),
    (
        {"trigger_type": "cron", "cron_hour": "3", "trigger_timezone": "Europe/Paris", "trigger_jitter": "30"},
        {"hour": "3", "timezone": "Europe/Paris", "jitter": 30},
    ),
]


@pytest.mark.parametrize(("typed", "trigger"), KINDS)
def test_a_job_is_made_with_each_kind_of_schedule_and_its_form_says_the_same(
    client: Client, root: User, typed: dict[str, str], trigger: dict[str, Any]
) -> None:
    response = add(client, name="Nightly sum", tags="Mail, night", **typed)
    assert response.status_code == 302, errors_of(response)
    spec = JobSpec.objects.select_related("job").get()
    assert (spec.job_id, spec.name, spec.tags, spec.origin) == (
        "nightly-sum",
        "Nightly sum",
        ["mail", "night"],
        JobOrigin.STAFF,
    )
    assert spec.trigger == {"type": typed["trigger_type"], **trigger}
    assert spec.kwargs == {"a": 1, "b": 2}
    assert spec.job.next_run_time is not None
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag, entry.object_id) == (root, ADDITION, "nightly-sum")
    # Saved as it comes back, nothing changes and nothing is logged.
    url = url_of("nightly-sum")
    assert client.post(url, form_data(client, url)).status_code == 302
    assert JobSpec.objects.get().revision == spec.revision
    assert LogEntry.objects.count() == 1


def test_an_expression_becomes_the_schedule_that_it_means(client: Client) -> None:
    add(client, trigger_type="expression", expression="every 90m in Europe/Paris")
    assert JobSpec.objects.get().trigger["type"] == "interval"


def test_fields_of_other_kinds_are_kept_on_the_page_and_do_not_count(client: Client) -> None:
    response = add(
        client, trigger_type="any", any_expressions="every 3h", trigger_timezone="Nowhere/City", cron_hour="99"
    )
    assert response.status_code == 302, errors_of(response)


def test_all_options_are_stored(client: Client) -> None:
    add(
        client,
        id="my-id",
        description="Line 1\nLine 2",
        trigger_type="interval",
        interval_hours="1",
        queue="mail",
        priority="-5",
        concurrency_group="The Database",
        max_instances="3",
        coalesce=None,
        misfire_grace_time="",
        timeout="90",
        max_retries="2",
        retry_backoff="5",
        rerun_if_interrupted="on",
        paused="on",
        reason="as agreed",
    )
    spec = JobSpec.objects.get()
    assert (spec.job_id, spec.max_instances, spec.coalesce, spec.misfire_grace_time) == ("my-id", 3, False, None)
    assert (spec.queue, spec.priority, spec.concurrency_group) == ("mail", -5, "the database")
    assert (spec.timeout, spec.max_retries, spec.retry_backoff, spec.rerun_if_interrupted) == (90, 2, 5, True)
    assert (spec.state, spec.description) == (JobState.PAUSED, "Line 1\nLine 2")
    assert json.loads(LogEntry.objects.get().change_message)[0]["reason"] == "as agreed"


def test_without_a_name_and_an_id_both_come_from_the_function(client: Client) -> None:
    assert "placeholder" in client.get(f"{ADD}?function=tests.probe.jobs.add").content.decode()
    for expected in ("add", "add-2"):
        add(client, trigger_type="interval", interval_hours="1")
        assert JobSpec.objects.filter(job_id=expected, name="Add").exists()


@pytest.mark.parametrize(
    ("button", "target"), [("_save", LIST), ("_continue", "sum/change/"), ("_saverun", "sum/change/")]
)
def test_the_buttons_lead_where_they_say(client: Client, button: str, target: str) -> None:
    response = add(client, id="sum", trigger_type="interval", interval_hours="1", **{button: "1"})
    assert response.headers["Location"].endswith(target)
    assert DjangoJobExecution.objects.exists() == (button == "_saverun")


@pytest.mark.parametrize("job_id", ['q"uote', "per%cent", "ünï cøde", "a_5Fb", "a&b=c", "semi;colon", "tilde~+", "<b>"])
def test_odd_ids_work_everywhere(client: Client, job_id: str) -> None:
    response = add(client, id=job_id, trigger_type="interval", interval_hours="1", _continue="1")
    assert response.status_code == 302, errors_of(response)
    page = client.get(response.headers["Location"])
    assert page.context["spec"].job_id == job_id
    for view in ("history", "delete", "run_with", "pause"):
        assert client.get(url_of(job_id, view)).status_code == 200
    data = form_data(client, url_of(job_id), description="changed")
    assert client.post(url_of(job_id), data).status_code == 302
    assert JobSpec.objects.get().description == "changed"
    client.post(url_of(job_id, "delete"))
    assert not DjangoJob.objects.exists()


# --- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"trigger_type": "interval"}, "interval_hours", "at least 1 second"),
        ({"trigger_type": "interval", "interval_hours": "x"}, "interval_hours", "whole number"),
        ({"trigger_type": "interval", "interval_days": "-1"}, "interval_days", "out of range"),
        ({"trigger_type": "cron"}, "cron_expression", "at least one field"),
        ({"trigger_type": "cron", "cron_hour": "25"}, "cron_hour", "0 to 23"),
        ({"trigger_type": "cron", "cron_day_of_week": "mon#1"}, "cron_day_of_week", ""),
        ({"trigger_type": "cron", "cron_day": "30", "cron_month": "2"}, "cron_day", "never fires"),
        ({"trigger_type": "cron", "cron_expression": "61 * * * *"}, "cron_expression", "minute"),
        ({"trigger_type": "cron", "cron_expression": "0 3 * * *", "cron_hour": "3"}, "cron_expression", "not both"),
        ({"trigger_type": "cron", "cron_hour": "3", "trigger_timezone": "Mars/Base"}, "trigger_timezone", "time zone"),
        ({"trigger_type": "cron", "cron_hour": "3", "trigger_end_date": "2001-01-01"}, "trigger_end_date", ""),
        (
            {"trigger_type": "cron", "cron_hour": "3", "trigger_start_date": "soon"},
            "trigger_start_date",
            "date and time",
        ),
        ({"trigger_type": "cron", "cron_hour": "3", "trigger_jitter": "much"}, "trigger_jitter", "whole number"),
        ({"trigger_type": "date"}, "date_run_date", "Say when"),
        ({"trigger_type": "date", "date_run_date": "2001-01-01T00:00"}, "date_run_date", ""),
        ({"trigger_type": "calendar"}, "calendar_months", "at least 1 day"),
        ({"trigger_type": "calendar", "calendar_days": "1", "calendar_hour": "24"}, "calendar_hour", "out of range"),
        ({"trigger_type": "any"}, "any_expressions", "each line"),
        ({"trigger_type": "any", "any_expressions": "every 3h\nnonsense"}, "any_expressions", "Line 2"),
        ({"trigger_type": "expression", "expression": "when I say so"}, "expression", ""),
        ({"trigger_type": "lunar"}, "trigger_type", "not a type"),
        ({"trigger_type": None}, "trigger_type", "Choose"),
        ({"id": "a/b"}, "id", "slashes"),
        ({"id": "taken"}, "id", "exists already"),
        ({"tags": "ok, <b>"}, "tags", "not a tag"),
        ({"name": "x" * 256}, "name", "256 characters"),
        ({"executor": "moon"}, "executor", "no executor"),
        ({"queue": "two words"}, "queue", "not the name of a queue"),
        ({"priority": "101"}, "priority", "from -100 to 100"),
        ({"priority": "high"}, "priority", "whole number"),
        ({"concurrency_group": "a/b"}, "concurrency_group", "not the name of a group"),
        ({"max_instances": "0"}, "max_instances", "whole number"),
        ({"misfire_grace_time": "soon"}, "misfire_grace_time", "whole number"),
        ({"timeout": "-1"}, "timeout", "whole number"),
        ({"max_retries": ""}, "max_retries", "whole number"),
        ({"retry_backoff": "x"}, "retry_backoff", "whole number"),
        ({"arg_a": ""}, "arg-a", "required"),
        ({"arg_a": "many"}, "arg-a", "whole number"),
        ({"arg_b": "1.5"}, "arg-b", "whole number"),
        ({"reason": "x" * 1001}, "reason", "at most 1000"),
        ({"description": "nul\x00"}, "description", "Null characters"),
    ],
)
def test_each_error_is_beside_its_field_and_nothing_typed_is_lost(
    client: Client, values: dict[str, Any], field: str, words: str
) -> None:
    make_job("taken")
    typed = {"name": "Typed name", "arg_a": 1, "trigger_type": "interval", "interval_weeks": "3", **values}
    if typed["trigger_type"] == "interval" and values.get("trigger_type") == "interval":
        typed.pop("interval_weeks")
    response = add(client, **typed)
    errors = errors_of(response)
    assert words.lower() in " ".join(errors[field]).lower()
    page = response.content.decode()
    assert "Nothing was saved" in page
    for name, value in typed.items():
        if value and "\x00" not in str(value) and name not in ("trigger_type", "executor"):
            for line in str(value).splitlines():
                assert json.dumps(line)[1:-1].replace("<", "&lt;").replace(">", "&gt;") in page, name
    assert JobSpec.objects.count() == 1


def test_all_errors_are_shown_at_once(client: Client) -> None:
    response = add(client, arg_a="x", trigger_type="cron", cron_hour="25", tags="<", timeout="x", id="a/b")
    assert set(errors_of(response)) == {"arg-a", "cron_hour", "tags", "timeout", "id"}


def test_no_function_and_an_unknown_one_are_refused(client: Client) -> None:
    for name, words in (("", "Choose the function"), ("os.system", "not a registered function")):
        response = client.post(ADD, {"function": name, "trigger_type": "interval", "interval_hours": "1"})
        assert words in errors_of(response)["function"][0]


def test_errors_are_tied_to_their_inputs_for_screen_readers(client: Client) -> None:
    page = add(client, timeout="x", trigger_type="interval", interval_hours="1").content.decode()
    tag = re.search(r'<input[^>]*name="timeout"[^>]*>', page)
    assert tag
    assert 'aria-invalid="true"' in tag[0]
    described = re.search(r'aria-describedby="([^"]*)"', tag[0])
    assert described
    for identifier in described[1].split():
        assert f'id="{identifier}"' in page


@pytest.mark.parametrize("url", [ADD, "change", f"{LIST}preview/", f"{LIST}arguments/"])
def test_hostile_input_is_never_an_error_of_the_server(client: Client, url: str) -> None:
    make_job()
    url = url_of("sum") if url == "change" else url
    names = [*JobForm.base_fields, "arg-a", "arg-b", "_job", "_pick", "arg-for"]
    buttons = cycle(permutations([(), ("_choose",), ("_preview",), ("_pick",)]))
    for value in ("\x00", "💣" * 3000, "9" * 400, "[[[[", "../..", "-1e999", "0/0 * * * *", "<script>", " ", "%00"):
        # Each button with each type, over all values: a page takes its time.
        for kind, button in zip(("cron", "any", "interval", value), next(buttons), strict=True):
            data = {
                **dict.fromkeys(names, value),
                "trigger_type": kind,
                "function": "tests.probe.jobs.add",
                **{name: value if name == "_pick" else "1" for name in button},
            }
            assert client.post(url, data).status_code in (200, 302)
    assert client.post(url, {}).status_code == 200
    assert JobSpec.objects.get().revision == 1


# --- arguments and secrets ----------------------------------------------------------------------------------------


def test_arguments_are_typed_from_the_signature_with_help_from_the_docstring(client: Client, secretive: str) -> None:
    page = client.get(f"{ADD}?function={secretive}").content.decode()
    assert "Send something." in page
    assert "Who gets &lt;it&gt;." in page
    assert re.search(r'<input type="password" name="arg-api_key"', page)
    assert '<option value="mail">mail</option>' in page
    assert re.search(r'<input type="checkbox" name="arg-dry_run"', page)


def test_a_secret_is_never_shown_and_an_empty_one_keeps_what_is_stored(client: Client, secretive: str) -> None:
    add(
        client,
        function=secretive,
        arg_a=None,
        arg_to="ada",
        arg_api_key="hunter2",
        id="s",
        trigger_type="interval",
        interval_hours="1",
    )
    assert JobSpec.objects.get().kwargs["api_key"] == "hunter2"
    for view in ("change", "history", "run_with"):
        assert "hunter2" not in client.get(url_of("s", view)).content.decode()
    assert "hunter2" not in client_of(person("eve", "view_djangojob")).get(url_of("s")).content.decode()
    url = url_of("s")
    client.post(url, form_data(client, url, arg_to="bob"))
    assert JobSpec.objects.get().kwargs == {"to": "bob", "api_key": "hunter2", "channel": "push", "dry_run": False}
    client.post(url, form_data(client, url, arg_api_key="new"))
    assert JobSpec.objects.get().kwargs["api_key"] == "new"
    response = client.post(url, form_data(client, url, arg_api_key="typed-secret", timeout="x"))
    assert "typed-secret" not in response.content.decode()
    assert "Type Api key again" in text_of(response)
    assert "hunter2" not in " ".join(LogEntry.objects.values_list("change_message", flat=True))


def test_a_missing_secret_is_said_to_be_missing(client: Client, secretive: str) -> None:
    response = add(client, function=secretive, arg_a=None, arg_to="ada", trigger_type="interval", interval_hours="1")
    assert "required" in errors_of(response)["arg-api_key"][0]


# --- without scripts ----------------------------------------------------------------------------------------------


def test_choosing_a_function_shows_its_arguments_and_keeps_what_was_typed(client: Client) -> None:
    data = {
        "function": "tests.probe.jobs.mark",
        "name": "Typed",
        "trigger_type": "cron",
        "cron_hour": "77",
        "_choose": "1",
    }
    response = client.post(ADD, data)
    page = response.content.decode()
    assert 'name="arg-path"' in page
    assert 'value="Typed"' in page
    assert 'value="77"' in page
    assert "errorlist" not in page, "nothing is checked yet"
    # The same argument of another function keeps its value; the others start with their defaults.
    page = client.post(
        ADD, {**data, "function": "tests.probe.jobs.add", "arg-for": "tests.probe.jobs.mark", "arg-a": "7"}
    ).content.decode()
    assert re.search(r'name="arg-a" value="7"', page)
    assert re.search(r'name="arg-b" value="2"', page)
    assert not JobSpec.objects.exists()


def test_preview_shows_what_the_schedule_means_and_saves_nothing(client: Client) -> None:
    data = {"trigger_type": "cron", "cron_hour": "9", "trigger_timezone": "America/New_York", "_preview": "1"}
    response = client.post(ADD, data)
    assert "At 09:00" in text_of(response)
    assert response.content.decode().count("<time datetime") == 10
    assert not JobSpec.objects.exists()
    bad = client.post(ADD, {**data, "cron_hour": "99"})
    assert "Not a schedule yet" in text_of(bad)
    assert "Hour:" in text_of(bad)


@pytest.mark.parametrize("key", [key for key, _label, _text in PICKS])
def test_a_quick_pick_fills_the_schedule_and_keeps_the_rest(client: Client, key: str) -> None:
    typed = {
        "name": "Typed",
        "trigger_type": "interval",
        "interval_hours": "5",
        "trigger_timezone": "UTC",
        "_pick": key,
    }
    response = client.post(ADD, typed)
    shown = {bound.name: bound.value() for bound in response.context["form"]}
    for name, value in (pick_data(key) or {}).items():
        assert shown[name] == value
    assert (shown["name"], shown["interval_hours"] or "", shown["trigger_timezone"]) == ("Typed", "", "UTC")
    assert response.content.decode().count("<time datetime") == (1 if key == "tomorrow" else 10)


def test_the_first_button_of_the_form_saves(client: Client) -> None:
    page = client.get(ADD).content.decode()
    body = page[page.index('id="job-form"') :]
    first = re.search(r'<(?:input type="submit"|button type="submit")[^>]*>', body)
    assert first
    assert 'name="_save"' in first[0], "Enter presses it"


# --- the fragments ------------------------------------------------------------------------------------------------


def test_the_preview_says_what_changes_against_the_stored_job(client: Client) -> None:
    make_job(trigger="every 10m")
    data = {"_job": "sum", "trigger_type": "interval", "interval_minutes": "15"}
    page = client.post(f"{LIST}preview/", data)
    assert "Every 15 minutes" in text_of(page)
    assert "Until now: Every 10 minutes" in text_of(page)
    same = client.post(f"{LIST}preview/", {**data, "interval_minutes": "10"})
    assert "Until now" not in text_of(same)
    spec = JobSpec.objects.select_related("job").get()
    first = services.upcoming_ticks(spec, count=1)[0]
    assert first.isoformat() in same.content.decode(), "the stored phase is what fires"


def test_the_preview_names_other_jobs_at_the_same_moment_and_more_ticks(client: Client) -> None:
    make_job("one", trigger="0 3 * * *")
    make_job("two", trigger="0 3 * * *")
    data = {"trigger_type": "cron", "cron_hour": "3"}
    page = client.post(f"{LIST}preview/", data)
    assert "2 other jobs start at 03:00" in text_of(page)
    assert page.content.decode().count("<time") == 10
    assert client.post(f"{LIST}preview/", {**data, "_more": "1"}).content.decode().count("<time") == 50


def test_fragments_are_for_those_who_may_see_jobs_and_are_posted(client: Client) -> None:
    nobody = client_of(person("nobody"))
    for page in ("preview/", "arguments/"):
        assert client.get(LIST + page).status_code == 405
        assert nobody.post(LIST + page).status_code == 403


def test_the_arguments_fragment_shows_the_stored_values_of_a_job(client: Client) -> None:
    make_job(kwargs={"a": 41, "b": 1})
    page = client.post(f"{LIST}arguments/", {"_job": "sum", "function": "tests.probe.jobs.add"}).content.decode()
    assert 'value="41"' in page
    assert "no arguments" in client.post(f"{LIST}arguments/", {"function": "tests.probe.jobs.chatter"}).content.decode()


# --- changing jobs ------------------------------------------------------------------------------------------------


def test_a_change_is_logged_once_with_before_and_after(client: Client, root: User) -> None:
    make_job(trigger="every 1h")
    url = url_of("sum")
    response = client.post(url, form_data(client, url, interval_hours="2", timeout="60", reason="too often"))
    assert response.headers["Location"] == LIST
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag) == (root, CHANGE)
    page = client.get(url_of("sum", "history"))
    words = text_of(page)
    for expected in ("root", "Changed schedule, timeout", "“too often”", "every 1h", "every 2h", "60"):
        assert expected in words
    assert "Every 2 hours (every 2h)" in text_of(client.get(url)), "and on the job's own page"


def test_the_history_names_each_argument_that_changed(client: Client, root: User) -> None:
    make_job(kwargs={"a": 1, "b": 2})
    for kwargs in ({"a": 7, "b": 2}, {"a": 7}):
        services.change_job("sum", {"kwargs": kwargs}, Actor(root))
    words = text_of(client.get(url_of("sum", "history")))
    assert "argument a 1 7" in words
    assert "argument b 2 –" in words
    assert '"a"' not in words


def test_a_stale_form_is_refused_with_what_to_do_and_loses_nothing(client: Client) -> None:
    make_job()
    url = url_of("sum")
    data = form_data(client, url, description="mine")
    services.change_job("sum", {"description": "theirs"}, Actor(person("ada"), JobOrigin.STAFF))
    response = client.post(url, data)
    words = text_of(response)
    assert "Somebody saved this job while you had it open: ada." in words
    assert "mine" in response.content.decode()
    assert JobSpec.objects.get().description == "theirs"
    again = client.post(url, {**data, "revision": response.context["form"]["revision"].value()})
    assert again.status_code == 200, "pressing save again must not overwrite either"
    for revision in ("", "x", "999"):
        assert client.post(url, {**data, "revision": revision}).status_code == 200
    assert JobSpec.objects.get().description == "theirs"


def test_a_one_off_job_that_has_run_can_be_saved_without_a_new_date(client: Client) -> None:
    make_job(trigger="at 2999-01-01 12:00")
    past = {"type": "date", "run_date": "2020-01-01T12:00:00"}
    JobSpec.objects.update(trigger=past, state=JobState.FINISHED)
    url = url_of("sum")
    page = client.get(url)
    assert "It does not fire again." in text_of(page)
    response = client.post(url, form_data(client, url, description="done"))
    assert response.status_code == 302, errors_of(response)
    assert (JobSpec.objects.get().trigger, JobSpec.objects.get().state) == (past, JobState.FINISHED)


def test_pausing_by_the_form_needs_the_permission_and_only_a_change_counts(client: Client) -> None:
    make_job()
    url = url_of("sum")
    editor = client_of(person("editor", *EDITOR))
    editor.post(url, {**form_data(editor, url), "paused": "on"})
    assert JobSpec.objects.get().state == JobState.SCHEDULED
    client.post(url, form_data(client, url, paused="on"))
    assert JobSpec.objects.get().state == JobState.PAUSED
    editor.post(url, form_data(editor, url, description="x"))
    assert JobSpec.objects.get().state == JobState.PAUSED, "a form without the box does not resume"
    client.post(url, form_data(client, url, paused=None))
    assert JobSpec.objects.get().state == JobState.SCHEDULED


def test_a_broken_job_is_repaired_by_choosing_another_function(client: Client) -> None:
    make_job(kwargs={"a": 41})
    JobSpec.objects.update(state=JobState.BROKEN, function="games.jobs.gone", state_reason="It is gone.")
    url = url_of("sum")
    page = client.get(url)
    assert "is not registered any more" in text_of(page)
    assert '"a": 41' in text_of(page), "its arguments are kept and shown"
    assert '<option value="games.jobs.gone" selected>' in page.content.decode()
    refused = client.post(url, form_data(client, url))
    assert "not a registered function" in errors_of(refused)["function"][0]
    chosen = client.post(url, {**form_data(client, url), "function": "tests.probe.jobs.add", "_choose": "1"})
    assert re.search(r'name="arg-a" value="41"', chosen.content.decode()), "and become the new one's"
    data = {**form_data(client, url), "function": "tests.probe.jobs.add", "arg-a": "41", "arg-b": "2"}
    assert client.post(url, data).status_code == 302
    assert JobSpec.objects.get().state == JobState.SCHEDULED


def test_a_trigger_that_cannot_be_read_does_not_lock_the_form(client: Client) -> None:
    make_job()
    JobSpec.objects.update(trigger={"type": "lunar"}, state=JobState.BROKEN)
    for url in (LIST, url_of("sum"), url_of("sum", "history")):
        assert client.get(url).status_code == 200
    url = url_of("sum")
    response = client.post(url, form_data(client, url, trigger_type="interval", interval_hours="1"))
    assert response.status_code == 302, errors_of(response)


def test_a_jobs_page_shows_its_latest_executions_and_acts(client: Client) -> None:
    make_job()
    now = timezone.now()
    enqueue([Entry("sum", now - timedelta(minutes=n), now) for n in range(12)])
    page = client.get(url_of("sum"))
    assert page.content.decode().count("djangojobexecution/") >= 10
    assert len(page.context["history"].latest) == 10
    assert "It never ran." not in text_of(page)


def test_delete_asks_says_what_goes_and_is_logged_once(client: Client, root: User) -> None:
    make_job()
    now = timezone.now()
    enqueue([Entry("sum", now, now)])
    page = client.get(url_of("sum", "delete"))
    assert "1 execution" in text_of(page)
    assert DjangoJob.objects.exists()
    response = client.post(url_of("sum", "delete"), {"reason": "no use"}, follow=True)
    assert "deleted" in messages_of(response)[0]
    assert not DjangoJob.objects.exists()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag, entry.change_message) == (root, DELETION, "Deleted: no use")


def test_pages_hold_no_script_of_their_own(client: Client) -> None:
    make_job()
    for url in (
        LIST,
        ADD,
        url_of("sum"),
        url_of("sum", "history"),
        url_of("sum", "delete"),
        f"{LIST}pause-everything/",
    ):
        page = client.get(url).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", page), url
        assert not re.search(r"\son[a-z]+=", page), url
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page), url


def test_headings_are_in_order_and_inputs_have_labels(client: Client) -> None:
    make_job()
    for url in (LIST, ADD, url_of("sum"), url_of("sum", "run_with"), url_of("sum", "pause")):
        page = client.get(url).content.decode()
        main = page[page.index('id="content"') :]
        levels = [int(level) for level in re.findall(r"<h([1-6])", main)]
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), (url, levels)
        for tag in re.findall(r"<(?:input|select|textarea)\b[^>]*>", main):
            if re.search(r'type="(hidden|submit|radio)"', tag) or "action-select" in tag or 'name="action"' in tag:
                continue
            identifier = re.search(r'\bid="([^"]*)"', tag)
            labelled = "aria-label" in tag or (identifier and f'for="{identifier[1]}"' in main)
            assert labelled, (url, tag)
