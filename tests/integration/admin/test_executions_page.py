"""The page of one execution: the sentence, the steps, the fault, the log, what it ran with, and odd data."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.admin.execution_facts import Facts
from app_scheduler.admin.execution_page import Page
from app_scheduler.models import ConcurrencyGroup, ExecutionDetail, ExecutionOrigin, JobSpec, Status
from tests.integration.admin.histories import (
    TRACEBACK,
    make_execution,
    make_job,
    make_strange_execution,
    make_strange_job,
    page_url,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def page_of(client: Client, execution: DjangoJobExecution) -> str:
    response = client.get(page_url(execution))
    assert response.status_code == 200
    return str(response.content.decode())


def text_of(markup: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", markup)))


def section(markup: str, name: str) -> str:
    """Return the text of one card, by its heading."""
    cards = re.findall(r'<section class="jc-card.*?</section>', markup, re.DOTALL)
    found = [text_of(card) for card in cards if f"<span>{name}</span>" in card]
    assert found, f"there is no card {name}"
    return found[0]


def story(status: str, **values: Any) -> str:
    """Return the sentence of an execution that was due ten seconds ago."""
    execution = make_execution(status=status, due=NOW - timedelta(seconds=10), **values)
    return Page(whole(execution), NOW).sentence


def whole(execution: DjangoJobExecution) -> DjangoJobExecution:
    rows: Any = DjangoJobExecution.objects.select_related("job__spec", "detail")
    return rows.get(pk=execution.pk)


# --- the sentence -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "values", "sentence"),
    [
        (Status.EXECUTED, {}, "Ran for 2.31 s, 12 ms late, attempt 1 of 3."),
        (Status.EXECUTED, {"late": 0, "took": 0.0002}, "Ran for < 1 ms, on time, attempt 1 of 3."),
        (Status.ERROR, {"attempt": 1}, "Failed after 2.31 s, attempt 1 of 3."),
        (Status.ERROR, {"attempt": 3}, "Failed after 2.31 s, attempt 3 of 3. It was the last attempt."),
        (Status.ERROR, {"attempt": 7}, "Failed after 2.31 s, attempt 7."),
        (Status.MISSED, {"reason": "The scheduler was down."}, "Missed: the scheduler was down."),
        (Status.MISSED, {}, "Missed."),
        (Status.MISSED, {"tick_count": 604_801, "reason": "Down"}, "Missed 604,801 ticks: down."),
        (Status.MAX_INSTANCES, {"reason": "One was running."}, "Did not start: one was running."),
        (Status.SKIPPED, {"tick_count": 12, "reason": "DST ends."}, "Skipped 12 ticks: DST ends."),
        (Status.TIMED_OUT, {"reason": "It took too long."}, "Ran too long: 2.31 s, attempt 1 of 3. It took too long."),
        (Status.INTERRUPTED, {"reason": "Gone"}, "Interrupted after 2.31 s, attempt 1 of 3. Gone."),
        (Status.CANCELLED, {"reason": "Cancelled by ada."}, "Cancelled by ada."),
        (Status.CANCELLED, {}, "Cancelled before it started."),
        (Status.STARTED, {"late": 7}, "Running for 3.00 s on web-2, process 4711, attempt 1 of 3."),
        (
            Status.QUEUED,
            {"available_at": NOW - timedelta(seconds=3)},
            "Queued: waits for its turn since 20:59:57, for 3.00 s now.",
        ),
        (Status.QUEUED, {"available_at": NOW + timedelta(seconds=41)}, "Queued: starts in 41 s."),
        ("Exploded", {}, "It has the status “Exploded”, which this console does not know."),
    ],
)
def test_the_first_sentence_says_what_happened(status: str, values: dict[str, Any], sentence: str) -> None:
    make_job(max_retries=2)
    assert story(status, **values) == sentence


def test_a_queued_one_says_what_it_waits_for() -> None:
    make_job()
    running = make_execution(status=Status.STARTED, due=NOW - timedelta(minutes=1))
    make_job("other")
    make_execution("other", status=Status.STARTED)
    busy = f"At most 1 run of this job at a time, and execution {running.pk} is still running."
    assert story(Status.QUEUED).endswith(f"for 10 s now. {busy}")
    JobSpec.objects.update(max_instances=2)
    queued = DjangoJobExecution.objects.get(status=Status.QUEUED)
    assert Page(whole(queued), NOW).sentence.endswith("for 10 s now.")


def test_a_queued_one_says_which_group_it_waits_for() -> None:
    make_job(concurrency_group="database")
    make_job("other", concurrency_group="database")
    holder = make_execution("other", status=Status.STARTED)
    queued = make_execution(status=Status.QUEUED, due=NOW - timedelta(seconds=10))
    words = f"The group “database” has 1 slot, and execution {holder.pk} holds it."
    assert Page(whole(queued), NOW).sentence.endswith(words)
    ConcurrencyGroup.objects.create(name="database", slots=2)
    assert "database" not in Page(whole(queued), NOW).sentence


def test_what_was_sent_says_that_no_worker_has_begun_it() -> None:
    make_job()
    queued = make_execution(status=Status.QUEUED, due=NOW - timedelta(seconds=10))
    ExecutionDetail.objects.filter(pk=queued.pk).update(available_at=None, sent_at=NOW - timedelta(seconds=3))
    assert re.search(r"sent to the workers at \d\d:\d\d:\d\d; for 3.00 s none", Page(whole(queued), NOW).sentence)


def test_without_retries_attempts_are_not_spoken_of() -> None:
    make_job()
    assert story(Status.ERROR) == "Failed after 2.31 s."


@pytest.mark.parametrize(
    ("status", "values", "then"),
    [
        (Status.QUEUED, {"available_at": NOW + timedelta(seconds=41)}, "The next attempt starts in 41 s."),
        (Status.QUEUED, {"available_at": NOW}, "The next attempt waits for its turn."),
        (Status.STARTED, {}, "The next attempt is running."),
        (Status.EXECUTED, {}, "The next attempt succeeded."),
        (Status.ERROR, {}, "The next attempt failed too."),
        (Status.CANCELLED, {}, "The next attempt was cancelled."),
        (Status.MISSED, {}, "The next attempt did not run."),
    ],
)
def test_after_a_failure_it_says_what_comes_next(status: str, values: dict[str, Any], then: str) -> None:
    make_job(max_retries=2)
    first = make_execution(status=Status.ERROR, due=NOW - timedelta(minutes=1))
    origin = ExecutionOrigin.RETRY
    make_execution(status=status, due=NOW, origin=origin, retry_of=first, attempt=2, **values)
    assert Page(whole(first), NOW).sentence == f"Failed after 2.31 s, attempt 1 of 3. {then}"


# --- the steps ----------------------------------------------------------------------------------------------------


def steps_of(execution: DjangoJobExecution) -> list[tuple[str, str, str]]:
    return [(step.name, step.look, step.gap or step.clock or step.note) for step in Page(whole(execution), NOW).steps]


def test_a_run_has_four_steps_with_their_gaps() -> None:
    make_job()
    due = datetime(2026, 11, 23, 8, tzinfo=ZoneInfo("Australia/Sydney"))
    assert steps_of(make_execution(status=Status.ERROR, due=due)) == [
        ("Due", "done", "08:00:00.000"),
        ("Queued", "done", "+ 4 ms"),
        ("Started", "done", "+ 8 ms"),
        ("Failed", "fail", "+ 2.31 s"),
    ]


def test_the_step_that_it_is_at_is_marked() -> None:
    make_job()
    queued = make_execution(status=Status.QUEUED, due=NOW - timedelta(seconds=2))
    assert [look for _, look, _ in steps_of(queued)] == ["done", "now", "todo", "todo"]
    running = make_execution(status=Status.STARTED, due=NOW - timedelta(seconds=1), late=0.5)
    assert steps_of(running)[2:] == [("Started", "now", "+ 496 ms"), ("Finished", "todo", "runs for 500 ms")]


def test_a_missed_tick_never_started() -> None:
    make_job()
    due = NOW - timedelta(minutes=1)
    missed = make_execution(status=Status.MISSED, due=due, queued_at=NOW, finished_at=NOW)
    assert steps_of(missed)[1:] == [
        ("Queued", "never", "never"),
        ("Started", "never", "never"),
        ("Missed", "missed", "+ 1 min 00 s"),
    ]


def test_a_retry_is_queued_before_it_is_due() -> None:
    make_job()
    retry = make_execution(status=Status.QUEUED, due=NOW + timedelta(seconds=30), queued_at=NOW)
    assert [(name, look) for name, look, _ in steps_of(retry)] == [
        ("Queued", "now"),
        ("Due", "todo"),
        ("Started", "todo"),
        ("Finished", "todo"),
    ]


def test_steps_of_plain_django_apscheduler_are_two() -> None:
    make_strange_job()
    execution = make_strange_execution(run_time=NOW, finished=NOW.timestamp() + 1.5)
    assert [(name, gap) for name, _, gap in steps_of(execution)] == [("Due", "21:00:00.000"), ("Finished", "+ 1.50 s")]


# --- the fault ----------------------------------------------------------------------------------------------------


def test_the_fault_shows_our_frames_and_folds_the_librarys(viewer: Client) -> None:
    make_job()
    execution = make_execution(status=Status.ERROR, exception="SMTPServerDisconnected: closed", traceback=TRACEBACK)
    markup = page_of(viewer, execution)
    assert '<h2 id="jc-fault"><span>SMTPServerDisconnected: closed</span>' in markup
    assert "<details open><summary>/srv/elsewhere/games/mail.py, line 88, in deliver</summary>" in markup
    assert "<mark><i>88</i>smtp.send_message(message)</mark>" in markup
    assert "<details><summary>1 frame of the standard library (smtplib)</summary>" in markup
    assert TRACEBACK in html.unescape(markup), "the text as it was written"


def test_failures_like_it_are_counted_and_linked(viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    make_job()
    for minute in range(3):
        execution = make_execution(
            status=Status.ERROR, fingerprint="f" * 32, exception="x", due=NOW - timedelta(minutes=minute)
        )
    link = f'?detail__fingerprint={"f" * 32}">3 like this</a>'  # no group is kept
    assert link in page_of(viewer, execution)
    monkeypatch.setattr("app_scheduler.admin.execution_page.MAX_ALIKE", 2)
    assert "more than 2 like this" in page_of(viewer, execution)


def test_one_of_its_kind_is_not_counted(viewer: Client) -> None:
    make_job()
    assert "like this" not in page_of(viewer, make_execution(status=Status.ERROR, fingerprint="f", exception="x"))


def test_a_message_without_a_traceback_is_shown(viewer: Client) -> None:
    make_job()
    markup = page_of(viewer, make_execution(status=Status.ERROR, exception="<b>only</b> a message"))
    assert "&lt;b&gt;only&lt;/b&gt; a message" in markup


# --- the log ------------------------------------------------------------------------------------------------------


def test_log_lines_have_their_level_and_the_jobs_own_time(viewer: Client) -> None:
    make_job()
    log = (
        "2026-11-23T10:14:45.521Z INFO     games: <starts>\n2026-11-23T10:14:45.522Z WARNING  games: slow\n"
        "2026-11-23T10:14:45.523Z PRINT    said\n… 3 lines left out …\n2026-11-23T10:14:45.524Z ERROR    games: no\n"
        "    second line"
    )
    markup = page_of(viewer, make_execution(log=log))
    text = section(markup, "Log")
    assert "6 lines" in text
    assert "All 5 Warnings and errors 2 Errors 1 Printed 1" in text
    assert "21:14:45.521 INFO <starts>" in text
    assert '<li class="w e"><time datetime="2026-11-23T10:14:45.524000+00:00"' in markup
    assert '<li class="gap"><span>… 3 lines left out …</span></li>' in markup
    assert "no\nsecond line</span>" in markup


def test_a_long_entry_is_folded_below_its_first_line(viewer: Client) -> None:
    make_job()
    log = "2026-11-23T10:14:45.521Z ERROR    games: giving up" + "".join(f"\n    line {n}" for n in range(20))
    markup = page_of(viewer, make_execution(log=log))
    assert "<span>giving up<details><summary>20 more lines</summary>line 0\nline 1\n" in markup


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.EXECUTED, "It printed and logged nothing."),
        (Status.QUEUED, "It has not started yet."),
        (Status.STARTED, "What it writes is shown here every few seconds."),
        (Status.MISSED, "It did not start, so it wrote nothing."),
        (Status.INTERRUPTED, "Its process ended before the log could be kept."),
    ],
)
def test_where_there_is_no_log_the_page_says_why(viewer: Client, status: str, words: str) -> None:
    make_job()
    assert words in section(page_of(viewer, make_execution(status=status)), "Log")


# --- what it ran with, and how it came about ----------------------------------------------------------------------


def test_arguments_are_shown_by_name(viewer: Client) -> None:
    make_job()
    execution = make_execution(args=[3], kwargs={"b": "<4>"}, function="tests.probe.jobs.add")
    assert 'Function tests.probe.jobs.add a 3 b "<4>"' in section(page_of(viewer, execution), "Run with")


def test_arguments_that_the_run_did_not_keep_are_the_jobs(viewer: Client) -> None:
    make_job(args=[7])
    markup = page_of(viewer, make_execution(status=Status.QUEUED, args=None, kwargs=None))
    assert "a 7" in section(markup, "To run with")


@pytest.mark.parametrize("function", ["tests.probe.jobs.add", "games.jobs.gone", ""])
def test_secrets_are_masked_whatever_has_become_of_the_function(viewer: Client, function: str) -> None:
    make_job()
    kwargs = {"smtp_password": "hunter2", "options": {"api_key": "hunter2", "port": 25}}
    markup = page_of(viewer, make_execution(args=[], kwargs=kwargs, function=function))
    assert "hunter2" not in markup
    assert "••••••" in markup
    assert "25" in section(markup, "Run with")


def test_a_function_that_is_gone_is_said_to_be(viewer: Client) -> None:
    make_job()
    markup = page_of(viewer, make_execution(function="games.jobs.gone", args=[1, 2], kwargs={}))
    assert "games.jobs.gone not registered any more argument 1 1 argument 2 2" in section(markup, "Run with")


def test_who_asked_is_said(viewer: Client) -> None:
    make_job()
    ada = User.objects.create_user("ada")
    first = make_execution(status=Status.ERROR)
    expected: dict[str, dict[str, Any]] = {
        "Asked by the schedule At 08:00, Monday through Friday": {},
        "Asked by ada run now": {"origin": ExecutionOrigin.MANUAL, "requested_by": ada},
        "Asked by a program run now": {"origin": ExecutionOrigin.MANUAL},
        f"Asked by the job’s own retries a retry of #{first.pk}": {"origin": ExecutionOrigin.RETRY, "retry_of": first},
        f"Asked by ada a retry of #{first.pk}": {
            "origin": ExecutionOrigin.RETRY,
            "retry_of": first,
            "requested_by": ada,
        },
    }
    for minutes, (words, values) in enumerate(expected.items(), 10):
        execution = make_execution(due=NOW - timedelta(minutes=minutes), **values)
        assert words in section(page_of(viewer, execution), "How it came about"), words


def test_the_chain_of_attempts_is_linked_both_ways(viewer: Client) -> None:
    make_job(max_retries=4)
    chain: list[DjangoJobExecution] = []
    for number in range(5):
        chain.append(
            make_execution(
                status=Status.ERROR,
                due=NOW + timedelta(minutes=number),
                attempt=number + 1,
                retry_of=chain[-1] if chain else None,
                origin=ExecutionOrigin.RETRY if chain else ExecutionOrigin.SCHEDULE,
            )
        )
    page = Page(whole(chain[2]), NOW)
    assert [attempt.url for attempt in page.attempts.earlier] == [page_url(each) for each in chain[:2]]
    assert [attempt.url for attempt in page.attempts.later] == [page_url(each) for each in chain[3:]]
    assert page.attempts.earlier[0].words == "Mon 23 Nov 21:00, failed after 2.31 s, attempt 1 of 5"
    text = section(page_of(viewer, chain[2]), "How it came about")
    assert "Earlier attempts" in text
    assert "Later attempts" in text


def test_the_first_of_many_attempts_is_linked_and_each_says_which_it_is(viewer: Client) -> None:
    make_job(max_retries=20)
    chain: list[DjangoJobExecution] = []
    for number in range(13):
        chain.append(
            make_execution(
                status=Status.ERROR,
                due=NOW + timedelta(minutes=number),
                attempt=number + 1,
                retry_of=chain[-1] if chain else None,
                reason=f"Attempt {number + 1} of 21." if chain else "",
            )
        )
    page = Page(whole(chain[-1]), NOW)
    assert page.attempts.first_url == page_url(chain[0])
    assert page.attempts.earlier[-1].words.endswith("attempt 12 of 21")
    assert "Open the first attempt" in section(page_of(viewer, chain[-1]), "How it came about")
    assert Page(whole(chain[10]), NOW).attempts.first_url == ""


def test_attempts_that_go_round_in_a_circle_end(viewer: Client) -> None:
    make_job()
    first = make_execution(status=Status.ERROR)
    second = make_execution(status=Status.ERROR, due=timezone.now(), retry_of=first)
    ExecutionDetail.objects.filter(execution=first).update(retry_of=second)
    page_of(viewer, first)
    assert [attempt.url for attempt in Page(whole(first), NOW).attempts.earlier] == [page_url(second)]


def test_a_long_chain_of_attempts_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    make_job()
    first = make_execution(status=Status.ERROR)
    for number in range(20):
        make_execution(due=NOW - timedelta(hours=number), retry_of=first)
    assert len(Page(whole(first), NOW).attempts.later) == 10


def test_the_runs_before_and_after_are_those_of_the_same_job() -> None:
    make_job()
    make_job("other")
    made = [make_execution(due=NOW + timedelta(minutes=minute)) for minute in (0, 10, 20)]
    make_execution("other", due=NOW + timedelta(minutes=9))
    make_execution("other", due=NOW + timedelta(minutes=11))
    middle = Page(whole(made[1]), NOW).neighbours
    assert (middle.previous, middle.following) == (page_url(made[0]), page_url(made[2]))
    assert Page(whole(made[0]), NOW).neighbours.previous == ""
    assert Page(whole(made[0]), NOW).neighbours.following == page_url(made[1]), "the nearest"
    assert Page(whole(made[2]), NOW).neighbours.previous == page_url(made[1]), "the nearest"
    assert Page(whole(made[2]), NOW).neighbours.following == ""


def test_result_progress_and_process_are_shown(viewer: Client) -> None:
    make_job()
    execution = make_execution(
        result='{"sent": "<3>"}', progress_done=40, progress_total=100, progress_message="hand 40", worker="thread 3"
    )
    markup = page_of(viewer, execution)
    assert '{"sent": "<3>"}' in section(markup, "Result")
    text = section(markup, "How it came about")
    assert "Process web-2, process 4711 thread 3" in text
    assert "Got as far as 40 of 100 hand 40" in text


def test_a_running_one_has_a_progress_bar_and_can_be_reloaded(viewer: Client) -> None:
    make_job()
    markup = page_of(viewer, make_execution(status=Status.STARTED, progress_done=61, progress_total=100))
    assert '<progress max="100" value="61">' in markup
    assert ">Reload</a>" in markup


def test_a_queued_one_says_where_nothing_is_alive_to_start_it(viewer: Client) -> None:
    make_job()
    assert "no scheduler has run yet" in page_of(viewer, make_execution(status=Status.QUEUED))


def test_an_acknowledged_failure_says_by_whom(viewer: Client) -> None:
    make_job()
    ada = User.objects.create_user("ada")
    execution = make_execution(
        status=Status.ERROR, acknowledged_by=ada, acknowledged_at=NOW, acknowledged_note="Known: the mail server."
    )
    text = section(page_of(viewer, execution), "How it came about")
    assert "Seen by ada" in text
    assert "Known: the mail server." in text


# --- whatever is stored -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [*Status, "Exploded <i>", ""])
def test_every_status_has_a_page(viewer: Client, status: str) -> None:
    make_job()
    page_of(viewer, make_execution(status=status))


@pytest.mark.parametrize("status", [*Status, "Exploded"])
def test_every_status_of_plain_django_apscheduler_has_a_page(viewer: Client, status: str) -> None:
    make_strange_job()
    execution = make_strange_execution(status=status, duration=None, finished=None, traceback=TRACEBACK)
    assert "strange" in page_of(viewer, execution)


@pytest.mark.parametrize("status", [*Status, "Exploded"])
def test_a_detail_without_anything_in_it_has_a_page(viewer: Client, status: str) -> None:
    make_strange_job()
    execution = make_strange_execution(status=status, duration=None, finished=None)
    ExecutionDetail.objects.create(execution=execution, queued_at=timezone.now())
    page_of(viewer, execution)


@pytest.mark.parametrize(
    "values",
    [
        {"trigger": {"type": "cron", "hour": "99"}},
        {"trigger": None},
        {"trigger": []},
        {"trigger": {"type": "interval", "minutes": 5, "timezone": "Mars/Olympus"}},
        {"function": "games.jobs.gone"},
        {"function": "", "args": None, "kwargs": None, "name": ""},
        {"args": {"a": 1}, "kwargs": [1]},
        {"args": "text", "kwargs": 7},
    ],
)
def test_a_broken_definition_has_a_page(viewer: Client, values: dict[str, Any]) -> None:
    make_job()
    stored = {name: [] if value is None and name != "kwargs" else value for name, value in values.items()}
    stored = {name: {} if value is None else value for name, value in stored.items()}
    JobSpec.objects.update(**stored)
    for minutes, status in enumerate(Status):
        due = NOW - timedelta(minutes=minutes)
        page_of(viewer, make_execution(status=status, due=due, args=stored.get("args"), kwargs=stored.get("kwargs")))
    assert viewer.get("/admin/django_apscheduler/djangojobexecution/").status_code == 200


def test_odd_texts_and_numbers_have_a_page(viewer: Client) -> None:
    make_job()
    execution = make_execution(
        status=Status.ERROR,
        exception="\n\n",
        traceback='  File "", line 99999999999\n\n\n',
        log="\n\n    x",
        result=" ",
        reason="x" * 5000,
        instance="?",
        worker="w",
        attempt=2_000_000_000,
        tick_count=0,
        progress_done=-5,
        progress_total=-1,
        args=[[[[{}]]]],
        kwargs={"": None},
        finished_at=NOW - timedelta(days=3650),
    )
    page_of(viewer, execution)


def test_a_finish_that_is_no_moment_has_a_page(viewer: Client) -> None:
    make_strange_job()
    page_of(viewer, make_strange_execution(finished="9999999999999"))


def test_a_job_that_lost_its_definition_has_a_page(viewer: Client) -> None:
    make_job()
    execution = make_execution()
    JobSpec.objects.all().delete()
    assert DjangoJob.objects.exists()
    page_of(viewer, execution)


@pytest.mark.parametrize("pk", ["999999", "99999999999999999999999", "none", "-1", "1_2F"])
def test_an_execution_that_is_not_there_leads_back_with_a_message(viewer: Client, pk: str) -> None:
    response = viewer.get(f"/admin/django_apscheduler/djangojobexecution/{pk}/change/", follow=True)
    assert response.redirect_chain
    assert any("exist" in str(message) for message in response.context["messages"])


def test_the_page_costs_the_same_whatever_the_history_holds(viewer: Client) -> None:
    make_job()
    execution = make_execution(status=Status.ERROR, fingerprint="f", exception="x", traceback=TRACEBACK)
    page_of(viewer, execution)

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            page_of(viewer, execution)
        return len(captured)

    before = cost()
    for number in range(30):
        make_execution(status=Status.ERROR, fingerprint="f", due=NOW - timedelta(hours=number + 1))
    assert cost() == before <= 16


def test_the_page_has_no_inline_scripts_and_one_first_heading(viewer: Client) -> None:
    make_job()
    execution = make_execution(status=Status.ERROR, exception="x", traceback=TRACEBACK, log="x", result="1")
    markup = page_of(viewer, execution)
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>\s*\S", markup)
    assert " style=" not in markup[markup.index('id="content"') :]
    assert re.findall(r"<h([1-6])", markup[markup.index('id="content"') :]) == ["1", "2", "2", "2", "2", "2", "2"]


def test_facts_know_attempts_beyond_those_that_the_job_makes_by_itself() -> None:
    make_job(max_retries=1)
    assert Facts(whole(make_execution(attempt=2)), NOW).attempt_words == "attempt 2 of 2"
    assert Facts(whole(make_execution(attempt=3, due=NOW)), NOW).attempt_words == "attempt 3"
