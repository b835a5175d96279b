"""The jobs that come with the console: how they are offered, and those that keep house."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import BaseCommand, CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from pytest_django import Settings

from app_scheduler import documents, jobs, registry
from app_scheduler.engine import runner
from app_scheduler.engine.queue import timestamp
from app_scheduler.maintenance import commands, history
from app_scheduler.maintenance.commands import CommandFailed, CommandRefused
from app_scheduler.models import ExecutionDetail, FailureGroup, HourTally, JobDay, JobSpec, Status

pytestmark = pytest.mark.django_db

NAMES = (
    *("delete_old_executions", "clear_expired_sessions", "email_failure_digest"),
    *("run_command", "check_url", "back_up_database"),
)


def run(function: str, *args: Any, **kwargs: Any) -> runner.Outcome:
    """Run a shipped job as the engine does: in another thread, as it ends what a run leaves open on its connection."""
    job = runner.Run(1, "a-job", f"app_scheduler.jobs.{function}", list(args), kwargs, datetime.now(UTC))
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(runner.execute, job).result()


# --- as they are offered --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_each_explains_itself_and_its_parameters(name: str) -> None:
    registered = registry.registry.get(f"app_scheduler.jobs.{name}")
    described = registered.signature.json_schema()
    assert registered.summary.endswith(".")
    assert all(parameter["help"] for parameter in described["parameters"])
    assert not any(parameter["schema"] == {} for parameter in described["parameters"]), "each has a type"
    assert set(registered.signature.form_fields()) == {parameter["name"] for parameter in described["parameters"]}


def test_two_have_a_schedule_of_their_own() -> None:
    now = datetime.now(UTC)
    found = {}
    for registered in registry.registry.scheduled():
        if registered.app_label == "app_scheduler":
            document = documents.clean(registered.default_document(), now=now)
            found[document["id"]] = document
            assert document["tags"] == ["maintenance"]
    assert sorted(found) == ["clear-expired-sessions", "delete-old-executions"]
    assert found["delete-old-executions"]["trigger"] == {"type": "cron", "expression": "0 3 * * *"}
    assert found["clear-expired-sessions"]["trigger"] == {"type": "cron", "expression": "*/5 * * * *"}


# --- delete_old_executions ------------------------------------------------------------------------------------------


def make_job(job_id: str = "a") -> str:
    DjangoJob.objects.create(id=job_id, job_state=b"")
    JobSpec.objects.create(
        job_id=job_id, name=job_id, function="tests.probe.jobs.add", trigger={}, anchor=timezone.now()
    )
    return job_id


def make_executions(
    job_id: str,
    days_ago: Sequence[float],
    status: Status = Status.EXECUTED,
    *,
    finished_days_ago: float | None = None,
    **detail: Any,
) -> list[int]:
    """Insert executions that were due so many days ago, and return their ids."""
    now = timezone.now()
    settled = status not in (Status.QUEUED, Status.STARTED)
    rows = []
    for number, days in enumerate(days_ago):
        ended = now - timedelta(days=days if finished_days_ago is None else finished_days_ago)
        rows.append(
            DjangoJobExecution(
                job_id=job_id,
                run_time=now - timedelta(days=days, microseconds=number),
                status=status.value,
                finished=timestamp(ended) if settled else None,
            )
        )
    ids = [row.pk for row in DjangoJobExecution.objects.bulk_create(rows)]
    ExecutionDetail.objects.bulk_create([ExecutionDetail(execution_id=pk, queued_at=now, **detail) for pk in ids])
    return ids


def remaining() -> set[int]:
    kept = set(DjangoJobExecution.objects.values_list("pk", flat=True))
    assert set(ExecutionDetail.objects.values_list("pk", flat=True)) == kept
    return kept


def test_what_ended_before_the_limit_goes() -> None:
    make_executions(make_job("a"), [31, 40])
    young = make_executions("a", [29, 1])
    other = make_executions(make_job("b"), [2])
    make_executions("b", [400])
    result = jobs.delete_old_executions(days=30)
    assert remaining() == {*young, *other}
    assert result == {"deleted": 3, "too_old": 3, "over_the_limit": 0, "transactions": 1}


@pytest.mark.parametrize("status", [Status.QUEUED, Status.STARTED])
def test_what_is_queued_or_runs_stays_however_old(status: Status) -> None:
    ids = make_executions(make_job(), [100] * 5, status)
    assert jobs.delete_old_executions(days=1, keep_per_job=1)["deleted"] == 0
    assert remaining() == set(ids)


@pytest.mark.parametrize("status", [status for status in Status if status not in (Status.QUEUED, Status.STARTED)])
def test_every_verdict_may_go(status: Status) -> None:
    make_executions(make_job(), [100], status)
    assert jobs.delete_old_executions()["deleted"] == 1


def test_sums_and_settled_failures_go_with_the_executions() -> None:
    make_job()
    now = timezone.now()
    for days, open_count in ((40, 0), (41, 2), (3, 0)):
        moment = now - timedelta(days=days)
        HourTally.objects.create(hour=moment, measure="verdict", bucket="Executed", count=1)
        JobDay.objects.create(job_id="a", day=moment.astimezone(UTC).date())
        FailureGroup.objects.create(
            job_id="a", fingerprint=str(days), first_seen=moment, last_seen=moment, opened_at=moment,
            last_execution_id=1, open_count=open_count,
        )  # fmt: skip
    history.delete_old_executions(30, 100, 100)
    assert HourTally.objects.count() == JobDay.objects.count() == 1
    assert set(FailureGroup.objects.values_list("fingerprint", flat=True)) == {"41", "3"}


def test_a_jobs_last_outcome_stays_however_old() -> None:
    ids = make_executions(make_job(), [100, 200, 300])
    JobSpec.objects.update(last_execution_id=ids[1])
    assert jobs.delete_old_executions(days=30, keep_per_job=1)["deleted"] == 2
    assert remaining() == {ids[1]}


def test_a_long_gap_or_a_backfill_that_ended_today_stays_though_it_was_due_long_ago() -> None:
    ids = make_executions(make_job(), [100, 90], Status.MISSED, finished_days_ago=0.1)
    assert jobs.delete_old_executions(days=30)["deleted"] == 0
    assert remaining() == set(ids)


def test_an_execution_from_before_the_console_goes_too() -> None:
    """Plain django-apscheduler keeps no detail, and sometimes no end."""
    make_job()
    old = timezone.now() - timedelta(days=50)
    DjangoJobExecution.objects.create(job_id="a", run_time=old, status="Executed")
    assert jobs.delete_old_executions()["deleted"] == 1
    assert remaining() == set()


def test_of_each_job_the_newest_stay() -> None:
    a = make_executions(make_job("a"), [n / 100 for n in range(10)])
    b = make_executions(make_job("b"), [n / 100 for n in range(4)])
    make_job("c")
    result = jobs.delete_old_executions(keep_per_job=4)
    assert remaining() == {*a[:4], *b}
    assert (result["too_old"], result["over_the_limit"]) == (0, 6)


def test_what_may_not_go_counts_among_the_newest_but_stays_beyond_them() -> None:
    make_job()
    queued = make_executions("a", [0, 0.1], Status.QUEUED)
    running = make_executions("a", [3], Status.STARTED)
    done = make_executions("a", [1, 2])
    jobs.delete_old_executions(keep_per_job=3)
    assert remaining() == {*queued, *running, done[0]}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10, 100])
def test_batches_of_any_size_delete_the_same(size: int) -> None:
    # Also many at one moment: a batch has to go on behind its last row, not behind its last moment.
    for job_id in "abcde":
        make_job(job_id)
    moment = timezone.now() - timedelta(days=50)
    DjangoJobExecution.objects.bulk_create(
        [DjangoJobExecution(job_id=job_id, run_time=moment, status="Executed") for job_id in "abcde"]
    )
    make_executions("a", [60, 61])
    stays = make_executions("b", [70], Status.STARTED)
    young = make_executions("c", [n / 100 for n in range(6)]) + make_executions("d", [n / 100 for n in range(5)])
    result = jobs.delete_old_executions(keep_per_job=2, batch_size=size)
    assert set(DjangoJobExecution.objects.values_list("pk", flat=True)) == {*stays, *young[:2], *young[6:8]}
    assert (result["too_old"], result["over_the_limit"]) == (7, 7)
    assert result["transactions"] == -(-7 // size) * 2


def test_batches_span_jobs_so_that_many_jobs_with_little_to_delete_cost_few_transactions() -> None:
    for number in range(20):
        make_executions(make_job(f"job-{number}"), [0.1, 0.2, 0.3])
    assert jobs.delete_old_executions(keep_per_job=1)["transactions"] == 1


def test_jobs_are_looked_through_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "JOBS_PER_PAGE", 2)
    for number in range(7):
        make_executions(make_job(f"job-{number}"), [0.1, 0.2])
    assert jobs.delete_old_executions(keep_per_job=1)["deleted"] == 7


def test_a_retry_outlives_the_execution_that_it_repeats() -> None:
    first = make_executions(make_job(), [50], Status.ERROR)
    retry = make_executions("a", [1], retry_of_id=first[0])
    jobs.delete_old_executions()
    assert remaining() == set(retry)
    assert ExecutionDetail.objects.get().retry_of_id is None
    connection.check_constraints()


def test_a_row_is_never_loaded_whole() -> None:
    make_executions(make_job(), [50, 51, 52], log="a long log")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        jobs.delete_old_executions()
    read = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert read
    assert not any("traceback" in sql or "log" in sql.replace("django_", "").split("FROM")[0] for sql in read)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"days": 0}, "days is 0. Give a whole number, between 1 and 36,500."),
        ({"days": -1}, "days is -1"),
        ({"days": 10**9}, "days is 1,000,000,000"),
        ({"keep_per_job": 0}, "keep_per_job is 0. Give a whole number, 1 or more."),
        ({"keep_per_job": -5}, "keep_per_job is -5"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 20_001}, "batch_size is 20,001. Give a whole number, between 1 and 20,000."),
    ],
)
def test_limits_that_would_delete_everything_or_nothing_are_refused(options: dict[str, int], message: str) -> None:
    ids = make_executions(make_job(), [50])
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        jobs.delete_old_executions(**options)
    assert remaining() == set(ids)


def test_the_largest_batch_fits_into_one_statement() -> None:
    make_executions(make_job(), [50])
    ids = list(DjangoJobExecution.objects.values_list("pk", flat=True))
    assert history._delete([*range(1 - history.MAX_BATCH_SIZE, 0), *ids]) == 1


def test_it_reads_only_what_may_go_and_finds_it_by_an_index() -> None:
    """The plans, not the time: millions of rows are too many for a test, and these are enough for an index to pay."""
    for number in range(30):
        make_executions(make_job(f"job-{number}"), [1 + day / 3 for day in range(100)])
    analyse()
    cutoff = timezone.now() - timedelta(days=30)
    with CaptureQueriesContext(connection) as queries:
        list(history._older_than(cutoff, 10))
        list(history._over_the_limit(10, 10))
    selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    old, limits = selects[0], next(sql for sql in selects if "too_many" in sql)
    assert "run_time" in plan_of(old)
    # On SQLite the unique constraint's index has no name of its own.
    postgres = connection.vendor == "postgresql"
    index = "Scan Backward using unique_job_executions" if postgres else "COVERING INDEX sqlite_autoindex"
    assert index in plan_of(limits)
    assert "TEMP B-TREE" not in plan_of(limits)


def analyse() -> None:
    """Give the planner the truth about the tables, rather than what it happens to remember of other tests."""
    with connection.cursor() as cursor:
        for model in (DjangoJob, DjangoJobExecution, ExecutionDetail):
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def plan_of(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN'} {sql}")
        return "\n".join(str(row) for row in cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_others_write_between_two_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    make_executions(make_job(), [50] * 6)
    held: list[bool] = []
    monkeypatch.setattr("time.sleep", lambda seconds: held.append(connection.in_atomic_block))
    assert jobs.delete_old_executions(batch_size=2)["transactions"] == 3
    assert held == [False] * 3


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_an_execution_that_somebody_is_about_to_retry_stays() -> None:
    pk, other = make_executions(make_job(), [50, 51])
    inserted, done = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def retry() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                make_executions("a", [0], Status.QUEUED, retry_of_id=pk, available_at=timezone.now())
                inserted.set()
                assert done.wait(20)
        except BaseException as error:
            failures.append(error)
        finally:
            inserted.set()
            connection.close()

    thread = threading.Thread(target=retry)
    thread.start()
    try:
        assert inserted.wait(20)
        assert jobs.delete_old_executions()["deleted"] == 1
    finally:
        done.set()
        thread.join()
    assert failures == []
    assert DjangoJobExecution.objects.filter(pk=pk).exists()
    assert not DjangoJobExecution.objects.filter(pk=other).exists()
    # Once nobody holds it, it goes, and the retry stays.
    assert jobs.delete_old_executions()["deleted"] == 1
    assert ExecutionDetail.objects.get().retry_of_id is None


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_retry_of_what_is_being_deleted_is_refused_and_the_deletion_holds() -> None:
    (pk,) = make_executions(make_job(), [50])
    raised: list[BaseException] = []

    def retry() -> None:
        try:
            make_executions("a", [0], Status.QUEUED, retry_of_id=pk)
        except BaseException as error:
            raised.append(error)
        finally:
            connection.close()

    with transaction.atomic():
        assert history._delete([pk]) == 1
        thread = threading.Thread(target=retry)
        thread.start()
        thread.join(0.5)  # it waits for this transaction's lock
        assert thread.is_alive()
    thread.join(20)
    assert [type(error) for error in raised] == [IntegrityError]


# --- clear_expired_sessions -----------------------------------------------------------------------------------------


def test_expired_sessions_go_and_the_others_stay() -> None:
    now = timezone.now()
    Session.objects.create(session_key="old", session_data="", expire_date=now - timedelta(seconds=1))
    Session.objects.create(session_key="new", session_data="", expire_date=now + timedelta(hours=1))
    assert jobs.clear_expired_sessions() == {"engine": "django.contrib.sessions.backends.db"}
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]


@pytest.mark.parametrize("engine", ["cache", "signed_cookies", "cached_db"])
def test_every_session_engine_will_do(settings: Settings, engine: str) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    assert jobs.clear_expired_sessions() == {"engine": settings.SESSION_ENGINE}


# --- run_command ----------------------------------------------------------------------------------------------------


class Command(BaseCommand):
    """A command with whatever behaviour a test needs."""

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("words", nargs="*")
        parser.add_argument("--number", type=int, default=0)

    def handle(self, *args: Any, **options: Any) -> str | None:
        return self.behave(self, options)

    @staticmethod
    def behave(command: BaseCommand, options: dict[str, Any]) -> str | None:
        return None


Behave = Callable[[Callable[[BaseCommand, dict[str, Any]], Any]], None]


@pytest.fixture
def behave(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behave]:
    """Allow a command named "probe", and return what sets its behaviour."""
    settings.APP_SCHEDULER_ALLOWED_COMMANDS = ["probe", "check"]
    monkeypatch.setattr(commands, "get_commands", lambda: {"probe": "tests.probe", "check": "django.core"})

    def call(name: str, *args: Any, **options: Any) -> Any:
        return call_command(Command() if name == "probe" else name, *args, **options)

    monkeypatch.setattr(commands, "call_command", call)

    def set_behaviour(function: Callable[[BaseCommand, dict[str, Any]], Any]) -> None:
        monkeypatch.setattr(Command, "behave", staticmethod(function))

    yield set_behaviour


def test_an_allowed_command_runs_and_its_output_is_in_the_log(behave: Behave) -> None:
    def speak(command: BaseCommand, options: dict[str, Any]) -> str:
        command.stdout.write(f"{options['words']} {options['number']}")
        command.stdout.write("half ", ending="")
        command.stdout.write("a line")
        command.stderr.write("a complaint")
        print("printed")
        return "returned"

    behave(speak)
    outcome = run("run_command", "probe", ["--number=3", "a", "$(id); `id` *"])
    assert outcome.status == Status.EXECUTED, outcome.traceback
    assert outcome.value == {
        "command": "probe",
        "lines": 4,
        "last_line": "returned",
        "seconds": outcome.value["seconds"],
    }
    lines = [line.split(" ", 1)[1] for line in outcome.log.splitlines()]
    assert any(line.startswith("INFO") and "['a', '$(id); `id` *'] 3" in line for line in lines)
    assert any(line.startswith("INFO") and line.endswith("half a line") for line in lines)
    assert any(line.startswith("WARNING") and line.endswith("a complaint") for line in lines)
    assert any("printed" in line for line in lines)


def test_a_real_command_runs(behave: Behave) -> None:
    result = jobs.run_command("check", ["--database=default"])
    assert "System check identified" in result["last_line"]


def test_any_other_command_is_refused_with_the_reason_and_the_list(behave: Behave) -> None:
    for command in ("flush", "check ", "", "probe; flush", "tests.probe", "../check"):
        with pytest.raises(CommandRefused, match=r"Allowed are: check, probe\. To allow it, add it to APP_SCHEDULER"):
            jobs.run_command(command)


def test_with_an_empty_list_no_command_runs(settings: Settings) -> None:
    settings.APP_SCHEDULER_ALLOWED_COMMANDS = []
    with pytest.raises(CommandRefused, match="Allowed are: none"):
        jobs.run_command("check")


def test_a_command_that_is_allowed_but_missing_is_refused(settings: Settings) -> None:
    settings.APP_SCHEDULER_ALLOWED_COMMANDS = ["no-such-command"]
    with pytest.raises(CommandRefused, match="no command 'no-such-command'"):
        jobs.run_command("no-such-command")


@pytest.mark.parametrize("args", [[1], [None], [True], [["a"]], [{"a": "b"}], ["a\x00b"], "--all"])
def test_arguments_that_are_not_text_are_refused(behave: Behave, args: Any) -> None:
    with pytest.raises(CommandRefused):
        jobs.run_command("probe", args)


@pytest.mark.parametrize("code", [None, 0])
def test_an_exit_with_status_0_is_success(behave: Behave, code: Any) -> None:
    behave(lambda command, options: sys.exit(code))
    assert run("run_command", "probe").status == Status.EXECUTED


@pytest.mark.parametrize(
    ("code", "message"),
    [(3, "probe ended with exit status 3. It said last: too bad"), ("no disk", "probe ended: no disk")],
)
def test_an_exit_with_another_status_is_an_error(behave: Behave, code: Any, message: str) -> None:
    def leave(command: BaseCommand, options: dict[str, Any]) -> None:
        command.stderr.write("too bad", ending="")
        sys.exit(code)

    behave(leave)
    outcome = run("run_command", "probe")
    assert (outcome.status, outcome.exception) == (Status.ERROR, f"CommandFailed: {message}")
    assert "too bad" in outcome.log
    with pytest.raises(CommandFailed):
        jobs.run_command("probe")


def test_a_commands_own_error_is_the_jobs_error(behave: Behave) -> None:
    def fail(command: BaseCommand, options: dict[str, Any]) -> None:
        raise CommandError("it cannot be done")

    behave(fail)
    assert run("run_command", "probe").exception == "CommandError: it cannot be done"
    assert str(run("run_command", "probe", ["--number=x"]).exception).startswith(
        "CommandError: Error: argument --number"
    )


def test_the_log_does_not_repeat_arguments_which_may_be_secrets(
    behave: Behave, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        jobs.run_command("probe", ["hunter22"])
    assert "hunter22" not in caplog.text


def test_a_line_without_an_end_does_not_fill_the_memory(behave: Behave) -> None:
    def chatter(command: BaseCommand, options: dict[str, Any]) -> None:
        for _ in range(100):
            command.stdout.write("x" * 1000, ending="")

    behave(chatter)
    assert jobs.run_command("probe")["lines"] >= 9
