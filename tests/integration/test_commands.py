"""The commands: the same import and export without pages, and the state of the scheduler in words."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution
from pytest_django import Settings

from app_scheduler import services
from app_scheduler.models import (
    ExecutionDetail,
    InstanceRole,
    JobOrigin,
    JobSpec,
    SchedulerInstance,
    SchedulerLease,
    Status,
)
from app_scheduler.services import Actor
from app_scheduler.transfer import FORMATS_BY_NAME

pytestmark = pytest.mark.django_db

GOOD = [{"id": "a", "function": "tests.probe.jobs.add", "args": [1], "trigger": "every 2h"}]


def run(*arguments: Any) -> str:
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def refusal(*arguments: Any) -> str:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert caught.value.returncode
    return str(caught.value)


@pytest.fixture
def job() -> JobSpec:
    return services.create_job({**GOOD[0], "name": "Ä"}, Actor())


# --- exportjobs and importjobs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS_BY_NAME)
def test_what_is_exported_is_imported_without_a_change(job: JobSpec, tmp_path: Path, name: str) -> None:
    file = tmp_path / f"jobs.{name}"
    run("exportjobs", file)
    assert run("importjobs", file) == "unchanged  a\nImported: 1 unchanged\n"


def test_jobs_are_exported_to_standard_output_as_json(job: JobSpec) -> None:
    assert [document["id"] for document in json.loads(run("exportjobs"))] == ["a"]


def test_a_program_gets_csv_without_the_mark_for_excel(job: JobSpec, tmp_path: Path) -> None:
    assert run("exportjobs", "--format", "csv").startswith("id,name,")
    run("exportjobs", tmp_path / "jobs.csv")
    assert (tmp_path / "jobs.csv").read_bytes().startswith(b"\xef\xbb\xbfid")


def test_no_workbook_is_written_to_a_terminal(job: JobSpec) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with pytest.raises(CommandError, match="Name a file"):
        call_command("exportjobs", "--format", "xlsx", stdout=Terminal())
    assert "cannot be written as text" in refusal("exportjobs", "--format", "xlsx")


def test_a_file_that_cannot_be_written_is_one_line(job: JobSpec, tmp_path: Path) -> None:
    assert refusal("exportjobs", tmp_path / "no" / "jobs.json").endswith(
        "cannot be written: No such file or directory."
    )
    assert refusal("exportjobs", tmp_path, "--format", "json").endswith("cannot be written: Is a directory.")
    assert "does not say a format. Add --format" in refusal("exportjobs", tmp_path / "jobs")


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(content: Any, name: str = "jobs.json") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_a_plan_is_printed_and_carried_out(job: JobSpec, file: Callable[..., Path]) -> None:
    path = file([{"id": "a", "trigger": "every 3h"}, {**GOOD[0], "id": "b"}])
    plan = "new        b  (every 2 hours)\nchanged    a\n             trigger: every 2h → every 3h\n"
    assert run("importjobs", path, "--dry-run").lower() == f"{plan}dry run, nothing written: 1 new, 1 changed\n"
    assert JobSpec.objects.count() == 1
    assert run("importjobs", path).endswith("Imported: 1 new, 1 changed\n")
    assert dict(JobSpec.objects.values_list("job_id", "origin")) == {"a": JobOrigin.STAFF, "b": JobOrigin.IMPORT}


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for data, options in ((json.dumps(GOOD), ()), ("- {id: a, name: B}", ("--format", "yaml"))):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data.encode())))
        run("importjobs", "-", *options)
    assert JobSpec.objects.get().name == "B"


def test_the_history_names_whom_the_command_names(file: Callable[..., Path]) -> None:
    user = User.objects.create_user("ada")
    run("importjobs", file(GOOD), "--user", "ada")
    assert LogEntry.objects.get().user == user
    assert "There is no user “eve”" in refusal("importjobs", file(GOOD), "--user", "eve")


def test_one_bad_row_stops_all_with_one_line_for_each_fault(file: Callable[..., Path]) -> None:
    said = refusal("importjobs", file([*GOOD, {"id": "b", "function": "os.system", "trigger": "never"}])).splitlines()
    assert len(said) == 3
    assert said[0].startswith("row 2, function: “os.system” is not a registered function")
    assert said[1].startswith("row 2, trigger: “never” is not a schedule")
    assert said[2].startswith("Nothing was imported from ")
    assert not JobSpec.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.json", "The file is empty"),
        (b"{", "a.json", "It stops being JSON in line 1"),
        (b"\x00\x01\xff", "a.csv", "Line 1 contains NUL characters"),
        (b"\x7fELF\x02", "a.yaml", "This is a program, not text"),
        (b"x", "a.xlsx", "This is not an Excel workbook"),
        (b"x", "a", "The file's name does not say its format"),
        (b"x" * 3000, "a.json", "more than 2,000 bytes"),
    ],
)
def test_bad_files_are_one_line(
    file: Callable[..., Path], settings: Settings, content: bytes, name: str, message: str
) -> None:
    settings.APP_SCHEDULER_IMPORT_MAX_BYTES = 2000
    said = refusal("importjobs", file(content, name))
    assert message in said and "\n" not in said


def test_what_is_no_readable_file_is_one_line(tmp_path: Path) -> None:
    assert refusal("importjobs", tmp_path / "no.json").endswith("cannot be read: No such file or directory.")
    assert refusal("importjobs", tmp_path, "--format", "csv").endswith("cannot be read: Is a directory.")
    assert "cannot be read" in refusal("importjobs", "a\0b.json")
    secret = tmp_path / "secret.json"
    secret.write_text("[]")
    secret.chmod(0)
    if os.geteuid():  # root may read everything
        assert refusal("importjobs", secret).endswith("cannot be read: Permission denied.")


# --- schedulerstatus ----------------------------------------------------------------------------------------------


@pytest.fixture
def leader() -> SchedulerInstance:
    now = timezone.now()
    SchedulerLease.objects.update_or_create(
        id=1, defaults={"holder": "one", "expires_at": now + timedelta(seconds=60), "led_since": now, "alive_at": now}
    )
    SchedulerInstance.objects.create(
        id="two", host="b", pid=2, role=InstanceRole.STANDBY, started_at=now, heartbeat=now
    )
    return SchedulerInstance.objects.create(
        id="one", host="a", pid=1, role=InstanceRole.LEADER, started_at=now, heartbeat=now, slots=4
    )


def test_a_living_scheduler_is_told_in_words(leader: SchedulerInstance, job: JobSpec) -> None:
    services.pause_all(Actor(), reason="move")
    said = run("schedulerstatus")
    assert "leader     a, process 1, since " in said and "last heartbeat 0." in said
    assert "standby    b, process 2" in said
    assert "paused     all scheduling, since " in said and ": move" in said
    assert "running    0 of 4" in said
    assert "1 scheduled, 0 paused, 0 finished, 0 broken" in said
    assert "instance   a, process 1, leads, runs 0 of 4, heartbeat 0." in said
    assert "instance   b, process 2, standby, runs 0 of 0, heartbeat 0." in said


def test_what_each_instance_runs_and_that_one_drains_is_told(leader: SchedulerInstance, job: JobSpec) -> None:
    (pk,) = services.run_now([job.job_id], Actor())
    DjangoJobExecution.objects.filter(pk=pk).update(status=Status.STARTED)
    ExecutionDetail.objects.filter(pk=pk).update(available_at=None, started_at=timezone.now(), instance="two")
    services.drain_instance("two", Actor())
    said = run("schedulerstatus")
    assert f"b, process 2, draining, runs 1 of 0: {job.job_id} ({pk}), drains since " in said
    assert "standby    none" in said, "one that drains does not take over"
    found = {each["id"]: each for each in json.loads(run("schedulerstatus", "--json"))["instances"]}
    assert (found["two"]["state"], found["two"]["runs"]) == ("draining", [{"execution": pk, "job": job.job_id}])


def test_why_nobody_leads_is_told_where_all_drain(leader: SchedulerInstance) -> None:
    SchedulerLease.objects.update(holder="")
    for id in ("one", "two"):
        services.drain_instance(id, Actor())
    with pytest.raises(CommandError, match="Every scheduler drains"):
        run("schedulerstatus")


def test_a_living_scheduler_is_told_as_json(leader: SchedulerInstance) -> None:
    said = json.loads(run("schedulerstatus", "--json"))
    assert (said["alive"], said["leader"]["id"], [s["id"] for s in said["standbys"]]) == (True, "one", ["two"])
    assert said["heartbeat_age"] < 5
    assert (said["paused"], said["due"], said["queued"], said["next_run_time"]) == (False, 0, 0, None)


def test_nothing_alive_is_a_failure() -> None:
    out = io.StringIO()
    with pytest.raises(CommandError, match="No scheduler is alive") as caught:
        call_command("schedulerstatus", stdout=out)
    assert caught.value.returncode == 1
    assert out.getvalue().startswith("leader     none")
    with pytest.raises(CommandError):
        call_command("schedulerstatus", "--json", stdout=(out := io.StringIO()))
    assert json.loads(out.getvalue())["alive"] is False


def test_a_database_that_is_away_cannot_be_told_from_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: Any) -> Any:
        raise OperationalError("connection refused\n\tIs the server running?")

    monkeypatch.setattr(services, "status", away)
    monkeypatch.setattr(connection.introspection, "table_names", away)
    out = io.StringIO()
    with pytest.raises(
        CommandError, match=r"^The database does not answer: connection refused Is the server"
    ) as caught:
        call_command("schedulerstatus", "--json", stdout=out)
    assert caught.value.returncode == 2
    assert json.loads(out.getvalue())["alive"] is None


@pytest.mark.parametrize("command", ["exportjobs", "importjobs", "runscheduler", "schedulerstatus"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command(command, "--help")
    said = capsys.readouterr().out
    assert "\n\n" in said and len(said) > 500
