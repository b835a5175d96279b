"""The pages of blackout windows, and what the jobs' pages say of ticks that do not run."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from app_scheduler import services
from app_scheduler.models import BlackoutWindow, JobSpec, JobState
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import (
    LIST,
    OPERATOR,
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
ADD = f"{WINDOWS}add/"
DATA = {
    "name": "Easter series",
    "begins": "2127-03-26T00:00",
    "ends": "2127-03-30T00:00",
    "timezone": "Australia/Sydney",
    "last_year": "",
    "tags": "maintenance",
    "reason": "No clean-ups",
}


def set_window(user: User | None = None, hours: float = -1, lasts: float = 2, **values: Any) -> BlackoutWindow:
    begins = timezone.now() + timedelta(hours=hours)
    bounds = {"begins": begins.isoformat(), "ends": (begins + timedelta(hours=lasts)).isoformat()}
    return services.add_window({"name": "Easter series", "timezone": "UTC", **bounds, **values}, Actor(user))


def change_url(row: BlackoutWindow, page: str = "change") -> str:
    return f"{WINDOWS}{row.pk}/{page}/"


class TestWindows:
    def test_one_is_added_changed_and_deleted(self, client: Client) -> None:
        response = client.post(ADD, {**DATA, "_save": "1"}, follow=True)
        assert messages_of(response)[0].endswith("was added: Wed 26 Mar 2127 00:00 to Sun 30 Mar 2127 00:00.")
        row = BlackoutWindow.objects.get()
        assert (row.tags, row.reason, str(row.set_by)) == (["maintenance"], "No clean-ups", "root")
        words = text_of(client.get(WINDOWS))
        for expected in ("Easter series", "maintenance", "To come", "No clean-ups, set by root"):
            assert expected in words
        data = {**DATA, "yearly": "on", "last_year": "2130", "revision": "1", "_continue": "1"}
        assert client.post(change_url(row), data)["Location"] == change_url(row)
        assert "every year up to 2130" in text_of(client.get(WINDOWS))
        assert "Changed every year, last year" in text_of(client.get(change_url(row, "history")))
        client.post(change_url(row, "delete"), {"reason": "Rained off"})
        assert not BlackoutWindow.objects.exists()
        assert "every job runs by its schedule" in text_of(client.get(WINDOWS))

    @pytest.mark.parametrize(
        ("changes", "field", "says"),
        [
            ({"name": ""}, "name", "Give it a name"),
            ({"ends": "2127-03-01T00:00"}, "ends", "Give an end after its beginning"),
            ({"timezone": "Sydney"}, "timezone", "Did you mean Australia/Sydney?"),
            ({"last_year": "x", "yearly": "on"}, "last_year", "whole number"),
            ({"tags": "!"}, "tags", "is not a tag"),
            ({"begins": "\x00"}, "begins", "Null characters are not allowed"),
        ],
    )
    def test_errors_stand_beside_their_fields(
        self, client: Client, changes: dict[str, str], field: str, says: str
    ) -> None:
        response = client.post(ADD, {**DATA, **changes})
        assert response.status_code == 200
        assert says in response.context["form"].errors[field][0]
        page = response.content.decode()
        assert f'aria-describedby="id_{field}_error' in page or f'id="id_{field}_error"' in page
        assert "Nothing was saved" in page
        assert not BlackoutWindow.objects.exists()

    def test_a_preview_says_which_jobs_lose_how_many_ticks_and_saves_nothing(self, client: Client) -> None:
        make_job(tags=["maintenance"], name="Hourly <b>")
        moment = timezone.now() + timedelta(hours=2)
        make_job("once", tags=["maintenance"], trigger={"type": "date", "run_date": moment.isoformat()})
        begins, ends = (timezone.localtime(moment + timedelta(hours=each)) for each in (-1, 23))
        data = {**DATA, **{k: v.strftime("%Y-%m-%dT%H:%M") for k, v in (("begins", begins), ("ends", ends))}}
        response = client.post(ADD, {**data, "_preview": "1"})
        words = text_of(response)
        assert re.search(r"2[56] ticks do not run ?, of 2 jobs\.", words)
        assert "Hourly <b>" in words
        assert "No tick is left after it: the job will be finished." in words
        assert not BlackoutWindow.objects.exists()
        assert 'value="Easter series"' in response.content.decode()

    def test_what_a_saved_window_does_is_no_longer_a_guess(self, client: Client, root: User) -> None:
        page = change_url(set_window(root))
        form = client.get(page)
        assert "What this does" in text_of(form)
        fields = form.context["form"]
        data = {name: fields[name].value() or "" for name in fields.fields if name != "yearly"}
        assert "What this does" in text_of(client.post(page, {**data, "_preview": "1"}))
        changed = text_of(client.post(page, {**data, "tags": "mail", "_preview": "1"}))
        assert "What this would do" in changed and "What this does" not in changed
        assert "What this would do" in text_of(client.post(ADD, {**DATA, "_preview": "1"}))

    def test_one_is_deleted_in_the_singular(self, client: Client, root: User) -> None:
        rows = [set_window(root, name=name) for name in ("w0", "w1")]
        ids = [str(row.pk) for row in rows]
        asked = [
            text_of(client.get(change_url(rows[0], "delete"))),
            text_of(client.post(WINDOWS, {"action": "delete_selected", ACTION_CHECKBOX_NAME: ids[:1]})),
        ]
        assert all("This window will be deleted." in words and "windows will" not in words for words in asked)
        both = text_of(client.post(WINDOWS, {"action": "delete_selected", ACTION_CHECKBOX_NAME: ids}))
        assert "These windows will be deleted." in both

    def test_an_empty_list_says_what_a_window_is_and_leads_to_the_first(self, client: Client, root: User) -> None:
        viewer = client_of(person("viewer", "view_blackoutwindow"))
        for each, may_add in ((client, True), (viewer, False)):
            page = each.get(WINDOWS)
            assert "A blackout window is a span of time" in text_of(page)
            assert ("Add the first one" in text_of(page)) == may_add
        set_window(root)
        assert "A blackout window is" not in text_of(client.get(WINDOWS))
        searched = text_of(client.get(WINDOWS, {"q": "nothing"}))
        assert "No window matches." in searched and "A blackout window is" not in searched

    def test_a_stale_form_is_refused(self, client: Client, root: User) -> None:
        row = set_window(root)
        services.change_window(row.pk, {"name": "Mine"}, Actor(root))
        form = client.get(change_url(row)).context["form"]
        data = {name: form[name].value() or "" for name in form.fields if name != "yearly"}
        response = client.post(change_url(row), {**data, "revision": "1", "name": "Theirs"})
        assert "Somebody changed this window" in text_of(response)
        assert BlackoutWindow.objects.get().name == "Mine"

    def test_many_are_deleted_with_a_reason_after_a_question(self, client: Client, root: User) -> None:
        ids = [str(set_window(root, name=f"w{number}").pk) for number in range(3)]
        chosen = {"action": "delete_selected", ACTION_CHECKBOX_NAME: ids[:2]}
        asked = client.post(WINDOWS, chosen)
        assert "w0" in text_of(asked) and BlackoutWindow.objects.count() == 3
        done = client.post(WINDOWS, {**chosen, "_confirmed": "1", "reason": "Rained off"}, follow=True)
        assert messages_of(done) == ["2 windows deleted."]
        assert [row.name for row in BlackoutWindow.objects.all()] == ["w2"]

    @pytest.mark.parametrize("page", ["change", "delete", "history"])
    @pytest.mark.parametrize("pk", ["77", "x", "9" * 30])
    def test_what_is_gone_leads_back_to_the_list(self, client: Client, page: str, pk: str) -> None:
        response = client.get(f"{WINDOWS}{pk}/{page}/", follow=True)
        assert "There is no blackout window" in messages_of(response)[0]

    def test_each_page_needs_its_permission(self, root: User) -> None:
        row = set_window(root)
        viewer = client_of(person("viewer", "view_blackoutwindow"))
        words = text_of(viewer.get(change_url(row)))
        assert "Easter series" in words and "Save" not in words
        for address in (ADD, change_url(row), change_url(row, "delete")):
            assert viewer.post(address, DATA).status_code == 403
        stranger = client_of(person("stranger", *OPERATOR))
        for address in (WINDOWS, ADD, change_url(row), change_url(row, "history"), change_url(row, "delete")):
            assert stranger.get(address).status_code == 403
        assert Client(enforce_csrf_checks=True).post(ADD, DATA).status_code in (302, 403)
        assert BlackoutWindow.objects.get().revision == 1

    def test_the_list_takes_as_many_queries_however_long(self, client: Client) -> None:
        counts = []
        for number in (10, 9_990):
            rows = [
                BlackoutWindow(
                    name=f"w{each}", begins="2020-01-01T00:00:00", ends="2020-01-02T00:00:00", timezone="UTC"
                )
                for each in range(number)
            ]
            for row in rows:
                row.over_at = timezone.now() - timedelta(days=1)
            BlackoutWindow.objects.bulk_create(rows, batch_size=500)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(WINDOWS).status_code == 200
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 6


class TestJobs:
    def test_the_list_says_until_when_and_when_it_runs_next(self, client: Client, root: User) -> None:
        make_job(tags=["maintenance"])
        make_job("other", tags=["other"])
        set_window(root, tags=["maintenance"])
        response = client.get(LIST)
        words = text_of(response)
        assert "Blackout “Easter series” until" in words
        assert "jobs tagged maintenance do not run by their schedule." in words
        assert words.count("In the blackout “Easter series” until") == 1
        spec = services.get_job("sum")
        following = services.ScheduleExceptions.now().next_run(spec)
        assert following is not None and following.runs is not None
        assert f'datetime="{timezone.localtime(following.runs).isoformat(timespec="seconds")}"' in (
            response.content.decode()
        )

    def test_a_window_to_come_is_told_where_it_swallows_the_next_tick(self, client: Client, root: User) -> None:
        make_job()
        set_window(root, hours=0.5, lasts=2)
        assert "falls into the blackout “Easter series”." in text_of(client.get(LIST))
        assert "falls into the blackout “Easter series”." in text_of(client.get(url_of("sum")))

    def test_a_one_off_job_that_will_not_run_says_so(self, client: Client, root: User) -> None:
        moment = timezone.now() + timedelta(minutes=30)
        make_job(trigger={"type": "date", "run_date": moment.isoformat()})
        set_window(root)
        assert "No tick that would run is left." in text_of(client.get(LIST))
        words = text_of(client.get(url_of("sum")))
        assert "It never runs: each of its ticks falls into a blackout" in words
        assert "does not run: blackout “Easter series”" in words

    def test_the_preview_of_a_schedule_marks_the_ticks_that_will_not_run(self, client: Client, root: User) -> None:
        set_window(root, hours=1.5, lasts=1, tags=["maintenance"])
        add = "/admin/django_apscheduler/djangojob/"
        data = {"trigger_type": "expression", "expression": "every 1h", "tags": "maintenance"}
        words = text_of(client.post(f"{add}preview/", data))
        assert words.count("does not run: blackout “Easter series”") == 1
        assert "does not run" not in text_of(client.post(f"{add}preview/", {**data, "tags": "mail"}))
        assert "does not run" not in text_of(client.post(f"{add}preview/", {**data, "tags": "!"}))

    def test_run_now_runs_and_says_that_a_blackout_is_on(self, client: Client, root: User) -> None:
        make_job()
        set_window(root)
        (said,) = messages_of(client.post(url_of("sum", "run"), follow=True))
        assert "runs now" in said
        assert "The blackout “Easter series” is on until" in said

    def test_saving_says_when_it_really_runs_next(self, client: Client, root: User) -> None:
        make_job()
        set_window(root, hours=-1, lasts=3.5)
        (said,) = messages_of(client.post(url_of("sum"), form_data(client, url_of("sum")), follow=True))
        assert "Next run in 2 h" in said or "Next run in 3 h" in said

    def test_the_list_takes_no_more_queries_for_windows_and_skips(self, client: Client, root: User) -> None:
        counts = []
        for number in range(2):
            for each in range(10):
                make_job(f"job-{number}-{each}")
                services.skip_next(f"job-{number}-{each}", Actor(root))
                set_window(root, name=f"w{number}{each}")
            with CaptureQueriesContext(connection) as queries:
                client.get(LIST)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 19


class TestSkips:
    def test_it_asks_says_what_follows_and_skips(self, client: Client) -> None:
        spec = make_job()
        page = text_of(client.get(url_of("sum", "skip_next")))
        assert "will not run at" in page and "It goes on as its schedule says" in page
        assert services.get_job("sum").skip_tick is None
        done = client.post(url_of("sum", "skip_next"), {"reason": "The feed moves"}, follow=True)
        assert "skips the tick at" in messages_of(done)[0]
        words = text_of(done)
        assert "as root asked. “The feed moves”" in words
        assert "Do not skip it" in words and "Skip the next tick" not in words
        assert services.get_job("sum").skip_tick == spec.job.next_run_time
        assert "Skips the tick at" in text_of(client.get(LIST))
        back = client.post(url_of("sum", "unskip"), follow=True)
        assert "skips nothing now." in messages_of(back)[0]
        assert "had nothing to skip." in messages_of(client.post(url_of("sum", "unskip"), follow=True))[0]

    def test_the_only_tick_is_warned_about(self, client: Client) -> None:
        make_job(trigger="at 2199-01-01 00:00")
        assert "the job will be finished without that run" in text_of(client.get(url_of("sum", "skip_next")))

    @pytest.mark.parametrize("method", ["get", "post"])
    def test_a_paused_job_is_refused_with_what_to_do(self, client: Client, method: str) -> None:
        make_job(paused=True)
        response = getattr(client, method)(url_of("sum", "skip_next"), follow=True)
        assert "Resume it first" in messages_of(response)[0]

    def test_another_schedule_says_that_the_skip_is_forgotten(self, client: Client, root: User) -> None:
        make_job()
        services.skip_next("sum", Actor(root))
        assert "forgotten" not in text_of(client.get(url_of("sum")))
        same = client.post(url_of("sum"), form_data(client, url_of("sum"), name="Sum"), follow=True)
        assert "forgotten" not in messages_of(same)[0]
        data = form_data(client, url_of("sum"), expression="every 2h")
        shown = text_of(client.post(url_of("sum"), {**data, "_preview": "1"}))
        assert re.search(r"The skip of the tick at \d+ \w+ \d{4} [\d:]+ will be forgotten", shown)
        saved = messages_of(client.post(url_of("sum"), data, follow=True))[0]
        assert re.search(r"The skip of the tick at \w+ \d+ \w+ [\d:]+ is forgotten: its schedule is another", saved)
        again = form_data(client, url_of("sum"), expression="every 3h")
        assert "forgotten" not in messages_of(client.post(url_of("sum"), again, follow=True))[0]

    def test_a_second_time_says_that_it_does_already(self, client: Client, root: User) -> None:
        make_job()
        services.skip_next("sum", Actor(root))
        assert "already" in messages_of(client.get(url_of("sum", "skip_next"), follow=True))[0]

    def test_many_skip_their_next_tick_after_a_question(self, client: Client) -> None:
        make_job("a")
        make_job("b")
        make_job("paused", paused=True)
        make_job("finished")
        JobSpec.objects.filter(job_id="finished").update(state=JobState.FINISHED)
        chosen = {"action": "skip_selected", ACTION_CHECKBOX_NAME: ["a", "b", "paused", "finished"]}
        asked = text_of(client.post(LIST, chosen))
        assert "2 jobs will skip their next tick" in asked
        assert "Left out: 1 is paused, 1 is finished and stays so." in asked
        assert not JobSpec.objects.filter(skip_tick__isnull=False).exists()
        done = client.post(LIST, {**chosen, "_confirmed": "1", "reason": "Moves"}, follow=True)
        assert messages_of(done) == ["2 jobs skip their next tick; 1 is paused, 1 is finished and stays so."]
        again = client.post(LIST, {**chosen, "_confirmed": "1"}, follow=True)
        assert "2 skip one already or have none left" in messages_of(again)[0]
        back = client.post(LIST, {**chosen, "action": "unskip_selected"}, follow=True)
        assert messages_of(back) == ["2 jobs run at their next tick again; 2 had none to skip."]

    def test_it_needs_the_permission_to_pause_and_a_post(self, client: Client) -> None:
        make_job()
        viewer = client_of(person("viewer", *VIEWER))
        for page in ("skip_next", "unskip"):
            assert viewer.post(url_of("sum", page)).status_code == 403
        assert client.get(url_of("sum", "unskip")).status_code == 405
        operator = client_of(person("operator", *OPERATOR))
        assert operator.post(url_of("sum", "skip_next"), {"reason": ""}).status_code == 302
        assert services.get_job("sum").skip_tick is not None
        assert viewer.post(LIST, {"action": "skip_selected", ACTION_CHECKBOX_NAME: ["sum"]}).status_code == 403

    @pytest.mark.parametrize("page", ["skip_next", "unskip"])
    def test_a_job_that_is_gone_is_said(self, client: Client, page: str) -> None:
        assert "There is no job" in messages_of(client.post(url_of("gone", page), follow=True))[0]
