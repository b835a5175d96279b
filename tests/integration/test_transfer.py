"""Import and export against the tables: planned first, all or nothing, in bulk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_apscheduler.models import DjangoJob
from tablib.core import Dataset

from app_scheduler import services
from app_scheduler.models import JobOrigin, JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.resources import JobResource, JobResult
from app_scheduler.services import Actor
from app_scheduler.signature import secrecy
from app_scheduler.transfer import FORMATS, FORMATS_BY_NAME, JobFormat

pytestmark = pytest.mark.django_db

TRIGGERS = [
    "every 1h 30m from 2026-01-31 12:00 jitter 30s",
    "0 3 * * 1-5 in Australia/Sydney",
    "@daily",
    "cron hour=3 day=1st mon,last fri in America/New_York until 2031-12-31",
    "at 2031-12-01 12:00 in Australia/Lord_Howe",
    "calendar months=2 hour=9",
    "every 3h | 30 4 * * sun",
]
ACTOR = Actor()


def call(url: str, password: str = "", headers: Any = None) -> None:
    """Stand for a function with a secret."""


@pytest.fixture
def secretive() -> Iterator[str]:
    name = registry.register(call).name
    yield name
    del registry._functions[name]


def create(job_id: str, trigger: Any = "every 1h", **values: Any) -> JobSpec:
    values = {"function": "tests.probe.jobs.add", "args": [1], **values}
    return services.create_job({"id": job_id, "trigger": trigger, **values}, ACTOR)


def imported(format: str, text: str | bytes, **options: Any) -> JobResult:
    data = text.encode() if isinstance(text, str) else text
    return JobResource().import_data(FORMATS_BY_NAME[format]().create_dataset(data), **options)


def exported(format: type[JobFormat]) -> bytes:
    return format().export_data(JobResource().export())


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_an_export_changes_nothing_when_it_is_imported(format: type[JobFormat], secretive: str) -> None:
    for number, trigger in enumerate(TRIGGERS):
        create(f"job-{number}", trigger, tags=["a b", "c"], misfire_grace_time=None, timeout=5, coalesce=False)
    create("=text", name="=1+1", description="-a,\n'b", args=[], kwargs={"a": 1}, paused=True)
    create("secret", function=secretive, args=["u"], kwargs={"password": "p", "headers": {"api_key": "k", "x": 1}})
    # What has ended, and what has lost its function, is exported as well.
    create("ended", "at 2031-01-01 00:00")
    JobSpec.objects.filter(job_id="ended").update(
        trigger={"type": "date", "run_date": "2001-01-01T00:00:00"}, state=JobState.FINISHED
    )
    create("broken")
    JobSpec.objects.filter(job_id="broken").update(function="gone.jobs.gone", state=JobState.BROKEN)
    revisions = dict(JobSpec.objects.values_list("job_id", "revision"))

    result = imported(format.name, exported(format))

    assert list(result.lines()) == []
    assert result.changes_nothing
    assert len(result.unchanged) == len(revisions)
    assert dict(JobSpec.objects.values_list("job_id", "revision")) == revisions


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_an_export_makes_the_same_jobs_elsewhere(format: type[JobFormat]) -> None:
    for number, trigger in enumerate(TRIGGERS):
        create(f"job-{number}", trigger, tags=["a"], misfire_grace_time=None, paused=number == 0)
    before, data = JobResource().export().dict, exported(format)
    DjangoJob.objects.all().delete()

    result = imported(format.name, data)

    assert (len(result.new), list(result.lines())) == (len(TRIGGERS), [])
    assert JobResource().export().dict == before
    assert set(JobSpec.objects.values_list("origin", flat=True)) == {JobOrigin.IMPORT}


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_secrets_leave_masked_and_a_mask_keeps_what_is_stored(format: type[JobFormat], secretive: str) -> None:
    create("a", function=secretive, args=["u"], kwargs={"password": "hunter2", "headers": {"token": "t0p"}})
    data = exported(format)
    for secret in ("hunter2", "t0p"):
        assert secret.encode() not in b"".join(_unzipped(data))
    mask = secrecy.MASK
    row = json.dumps([{"id": "a", "name": "New name", "kwargs": {"password": mask, "headers": {"token": mask}}}])
    result = imported("json", row)
    assert [change.field for change in result.changed[0].changes] == ["name"]
    assert JobSpec.objects.get().kwargs == {"password": "hunter2", "headers": {"token": "t0p"}}


def _unzipped(data: bytes) -> list[bytes]:
    import io
    import zipfile

    if not data.startswith(b"PK"):
        return [data]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def test_a_changed_secret_is_named_but_not_shown(secretive: str) -> None:
    create("a", function=secretive, args=["u"], kwargs={"password": "old-one"})
    result = imported("json", '[{"id": "a", "kwargs": {"password": "new-one"}}]', dry_run=True)
    (change,) = result.changed[0].changes
    assert change.is_secret
    assert "one" not in change.before + change.after


def test_a_mask_with_nothing_behind_it_is_refused(secretive: str) -> None:
    text = json.dumps(
        [{"id": "a", "function": secretive, "args": ["u"], "kwargs": {"password": "••••••"}, "trigger": "@daily"}]
    )
    result = imported("json", text)
    assert "kwargs.password" in result.invalid[0].messages
    assert not JobSpec.objects.exists()


def test_a_dry_run_writes_nothing() -> None:
    create("old")
    text = "id,name,function,args,schedule\nold,Other,,,\nnew,New,tests.probe.jobs.add,[1],every 2h\n"
    result = imported("csv", text, dry_run=True)
    assert (len(result.new), len(result.changed)) == (1, 1)
    assert result.summary() == "1 new, 1 changed"
    assert list(JobSpec.objects.values_list("job_id", "name")) == [("old", "Add")]


def test_one_bad_row_stops_all_and_each_fault_is_named_as_the_file_names_it() -> None:
    text = (
        "id,schedule,function,args,kwargs,max_retries\n"
        "good,every 1h,tests.probe.jobs.add,[1],,\n"
        "bad,every 1x,tests.probe.jobs.ad,,,999\n"
        "\n"
        "worse,every 1h,tests.probe.jobs.add,[1,,\n"
        "good,every 2h,tests.probe.jobs.add,[1],,\n"
        "short,every 2h\n"
    )
    result = imported("csv", text)
    said = list(result.lines())
    assert not JobSpec.objects.exists()
    assert [row.number for row in result.invalid] == [3, 5, 6, 7]
    assert any(line.startswith("row 3, max_retries: Give a whole number from 0 to 100") for line in said)
    assert any(line.startswith("row 3, function: “tests.probe.jobs.ad” is not a registered function") for line in said)
    assert any(line.startswith("row 3, schedule: ") for line in said)
    assert sum(line.startswith("row 5") for line in said) == 1, "what could not be read is not missing besides"
    assert "row 6, id: Row 2 has the same id. Give each job an id of its own." in said
    assert any(line.startswith("row 7: This row has 2 cells") for line in said)


def test_what_a_file_leaves_out_stays() -> None:
    create("a", "every 2h", name="Mine", tags=["x"], timeout=9, kwargs={"b": 3})
    imported("csv", "id,name,tags,timeout\na,Yours,,none\n")
    spec = JobSpec.objects.get()
    assert (spec.name, spec.tags, spec.timeout, spec.kwargs) == ("Yours", ["x"], None, {"b": 3})
    assert spec.trigger == {"type": "interval", "hours": 2}


def test_before_and_after_are_shown_as_people_read_them() -> None:
    create("a", "every 2h", timeout=9)
    result = imported("csv", "id,schedule,timeout,paused,tags\na,0 3 * * 1,none,true,b\n", dry_run=True)
    assert [(c.field, c.before, c.after) for c in result.changed[0].changes] == [
        ("tags", "", "b"),
        ("schedule", "every 2h", "0 3 * * 1"),
        ("timeout", "9", "none"),
        ("paused", "no", "yes"),
    ]


def test_pausing_needs_its_own_permission() -> None:
    create("a")
    create("b", paused=True)
    text = '[{"id": "a", "paused": true}, {"id": "b", "paused": false}, {"id": "c", "paused": false}]'
    result = imported("json", text, may_pause=False)
    assert [list(row.messages) for row in result.invalid][:2] == [["paused"], ["paused"]]
    assert "Can pause and resume jobs" in result.invalid[0].messages["paused"][0]
    imported("json", '[{"id": "a", "paused": true}, {"id": "b", "paused": false}]')
    assert dict(JobSpec.objects.values_list("job_id", "state")) == {"a": "paused", "b": "scheduled"}


def test_an_import_leaves_an_audit_entry_for_each_job_that_it_wrote() -> None:
    user = User.objects.create_user("ada")
    create("same")
    create("changed")
    text = "id,name,function,args,schedule\nsame,Add,,,\nchanged,X,,,\nnew,New,tests.probe.jobs.add,[1],@daily\n"
    imported("csv", text, user=user, reason="Import")
    assert sorted(LogEntry.objects.values_list("object_id", "user_id")) == [("changed", user.pk), ("new", user.pk)]


def test_a_plain_dataset_is_understood() -> None:
    dataset = Dataset(headers=["id", "function", "args", "schedule"])
    dataset.append(["a", "tests.probe.jobs.add", [1], "every 1h"])
    result = JobResource().import_data(dataset)
    assert [row.number for row in result.new] == [2]
    exported_again = JobResource().export()
    assert JobResource().import_data(exported_again, dry_run=True).changes_nothing


def test_a_job_changed_between_planning_and_writing_stops_all(monkeypatch: pytest.MonkeyPatch) -> None:
    create("a")
    plan = services.plan_import

    def plan_and_lose_the_race(*args: Any, **kwargs: Any) -> Any:
        planned = plan(*args, **kwargs)
        services.change_job("a", {"name": "Theirs"}, ACTOR)
        return planned

    monkeypatch.setattr(services, "plan_import", plan_and_lose_the_race)
    result = imported("csv", "id,name,function,args,schedule\na,Mine,,,\nb,B,tests.probe.jobs.add,[1],@daily\n")
    assert "Somebody changed a meanwhile" in str(result.base_errors[0].error)
    assert list(JobSpec.objects.values_list("job_id", "name")) == [("a", "Theirs")]


@pytest.mark.parametrize("text", ['[{"id": "a\\u0000"}]', '[{"id": "\\ud800"}]', '[{"id": ["x"]}]', "[[1]]", "[null]"])
def test_ids_that_no_database_can_be_asked_about_are_refused(text: str) -> None:
    assert imported("json", text).invalid


def test_an_id_with_blanks_around_it_is_the_job_that_exists() -> None:
    create("a")
    assert len(imported("json", '[{"id": " a ", "name": "B"}]').changed) == 1


def test_statements_do_not_grow_with_each_row() -> None:
    def file(count: int, name: str) -> str:
        rows = [
            {"id": f"j{n}", "name": name, "function": "tests.probe.jobs.add", "args": [n], "trigger": "@daily"}
            for n in range(count)
        ]
        return json.dumps(rows)

    user = User.objects.create_user("ada")
    counts = []
    for count in (20, 200):
        with CaptureQueriesContext(connection) as queries:
            imported("json", file(count, f"Name {count}"), user=user)
        counts.append(len(queries))
    assert counts[1] < counts[0] + 60, counts
