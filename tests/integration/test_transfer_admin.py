"""The pages of import and export: upload, look, confirm; and files of the list."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import path
from django_apscheduler.models import DjangoJob
from pytest_django import Settings

from app_scheduler import services
from app_scheduler.admin.transfer import SHOWN_ROWS, TransferMixin, UploadFolder
from app_scheduler.models import JobSpec
from app_scheduler.services import Actor
from app_scheduler.transfer import FORMATS

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class ScratchAdmin(TransferMixin, admin.ModelAdmin):
    list_display = ["id"]
    list_filter = ["spec__state"]
    search_fields = ["id"]


site = admin.AdminSite(name="admin")
site.register(DjangoJob, ScratchAdmin)
urlpatterns = [path("admin/", site.urls)]

LIST = "/admin/django_apscheduler/djangojob/"
IMPORT, PROCESS, EXPORT = f"{LIST}import/", f"{LIST}process_import/", f"{LIST}export/"
CSV_FORMAT, XLSX_FORMAT, JSON_FORMAT, YAML_FORMAT = "0", "1", "2", "3"
NEW = "id,schedule,function,args\nnew,every 1h,tests.probe.jobs.add,[1]\n"


@pytest.fixture(autouse=True)
def uploads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Keep uploads apart, to see which are left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path


def user_with(*permissions: str) -> User:
    user = User.objects.create_user("ada", is_staff=True)
    names = [name.split(".") for name in permissions]
    for app, codename in names:
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def client_of(user: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


@pytest.fixture
def boss() -> Client:
    return client_of(User.objects.create_superuser("boss"))


@pytest.fixture
def importer() -> Client:
    permissions = [f"django_apscheduler.{act}_djangojob" for act in ("view", "add", "change")]
    return client_of(user_with(*permissions))


def create(job_id: str, **values: Any) -> JobSpec:
    given = {"function": "tests.probe.jobs.add", "args": [1], "trigger": "every 1h", **values}
    return services.create_job({"id": job_id, **given}, Actor())


def upload(client: Client, content: str | bytes, name: str = "jobs.csv", format: str = "") -> Any:
    data = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile(name, data)
    return client.post(IMPORT, {"import_file": file, "format": format, "resource": "0"})


def text_of(response: Any) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def hidden_fields(response: Any) -> dict[str, str]:
    form = re.search(r'<form[^>]*id="confirm-form".*?</form>', response.content.decode(), re.DOTALL)
    assert form, "there is nothing to confirm"
    pairs = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form[0])
    return {name: unescape(value) for name, value in pairs}


def confirm(client: Client, preview: Any) -> Any:
    return client.post(PROCESS, hidden_fields(preview), follow=True)


def errors_beside(response: Any, field: str) -> str:
    assert response.status_code == 200
    return " ".join(response.context["form"].errors.get(field, []))


# --- import -------------------------------------------------------------------------------------------------------


def test_a_file_is_previewed_confirmed_and_written(boss: Client, uploads: Path) -> None:
    create("old", name="Old")
    preview = upload(boss, NEW.replace("args", "args,name").replace("[1]", "[1],") + "old,,,,Renamed\n")
    said = text_of(preview)
    assert "Nothing has been written yet" in said
    assert "1 new" in said and "1 changed" in said
    assert "every hour" in said.lower()
    assert "name Old Renamed" in said
    assert JobSpec.objects.count() == 1

    done = confirm(boss, preview)

    assert "Imported: 1 new, 1 changed." in text_of(done)
    assert set(JobSpec.objects.values_list("job_id", "name")) == {("new", "Add"), ("old", "Renamed")}
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize("number", range(4), ids=[format.name for format in FORMATS])
def test_every_format_comes_back_unchanged(boss: Client, number: int) -> None:
    create("a", name="=1+1", tags=["x"])
    name = FORMATS[number].name
    file = boss.post(EXPORT, {"format": str(number), "resource": "0"})
    assert re.search(rf'filename="jobs-\d{{4}}-\d\d-\d\d\.{name}"', file["Content-Disposition"])
    for chosen in ("", str(number)):
        preview = upload(boss, file.content, f"jobs.{name}", chosen)
        assert "Nothing changes" in text_of(preview)
        assert "confirm-form" not in preview.content.decode()


def test_the_live_scheduler_hears_of_it_once_it_is_committed(
    boss: Client, django_capture_on_commit_callbacks: Any
) -> None:
    preview = upload(boss, NEW)
    with django_capture_on_commit_callbacks() as callbacks:
        confirm(boss, preview)
    assert callbacks
    assert DjangoJob.objects.get().next_run_time is not None


def test_bad_rows_are_named_and_nothing_can_be_confirmed(boss: Client, uploads: Path) -> None:
    response = upload(boss, NEW + "bad,every 1h,tests.probe.jobs.gone,\n")
    said = text_of(response)
    assert "Nothing was imported" in said
    assert "1 row has errors. Correct it in the file and upload it again" in said
    assert "3 bad function “tests.probe.jobs.gone” is not a registered function" in said
    assert "confirm-form" not in response.content.decode()
    assert list(uploads.iterdir()) == []
    assert not JobSpec.objects.exists()


def test_thousands_of_rows_are_counted_and_some_of_them_shown(boss: Client) -> None:
    rows = [{"id": f"j{n}", "function": "tests.probe.jobs.add", "trigger": "@daily", "args": [n]} for n in range(300)]
    response = upload(boss, json.dumps(rows), "jobs.json")
    said = text_of(response)
    assert "300 new" in said
    assert f"and {300 - SHOWN_ROWS} more" in said


def test_what_a_file_says_is_shown_as_text_and_never_as_markup(boss: Client) -> None:
    rows = [{"id": "<b>1", "name": "<script>alert(1)</script>", "function": "<i>", "trigger": "<u>"}]
    content = upload(boss, json.dumps(rows), "jobs.json").content.decode()
    assert "<script>alert" not in content and "<u>" not in content and "<b>1" not in content


@pytest.mark.parametrize(
    ("content", "name", "format", "field", "message"),
    [
        (b"", "a.csv", "", "import_file", "The file is empty"),
        (b"   ", "a.csv", "", "import_file", "The file is empty"),
        (NEW.encode(), "jobs", "", "format", "The file's name does not say its format. Choose one"),
        (NEW.encode(), "jobs.xls", "", "format", "Save the sheet as .xlsx"),
        (b"PK\x03\x04x", "a.csv", "", "import_file", "This is an Excel workbook or another ZIP file, not text"),
        (NEW.encode(), "a.csv", XLSX_FORMAT, "import_file", "This is not an Excel workbook"),
        (NEW.encode(), "a.csv", JSON_FORMAT, "import_file", "This is not JSON"),
        (NEW.encode(), "a.csv", YAML_FORMAT, "import_file", "This is not a list of jobs"),
        (b"id,n\xe4me\n", "a.csv", "", "import_file", "Save it as UTF-8"),
        (b"[1,", "a.json", "", "import_file", "It stops being JSON"),
        (b"a: &a [*a]", "a.yaml", "", "import_file", "alias"),
        (b"naem,id\n1,2", "a.csv", "", "import_file", "Did you mean “name”?"),
        (NEW.encode(), "a.csv", "17", "format", "Select a valid choice"),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_beside_its_field(
    boss: Client, uploads: Path, content: bytes, name: str, format: str, field: str, message: str
) -> None:
    assert message in errors_beside(upload(boss, content, name, format), field)
    assert list(uploads.iterdir()) == []


def test_a_file_that_is_too_large_is_not_even_read(boss: Client, settings: Settings, uploads: Path) -> None:
    settings.APP_SCHEDULER_IMPORT_MAX_BYTES = 1024 * 1024
    response = upload(boss, b"x" * 3 * 1024 * 1024)
    assert "This file has 3.0\xa0MB; at most 1.0\xa0MB can be imported" in errors_beside(response, "import_file")
    assert list(uploads.glob("jobs-import-*")) == []


def test_too_many_rows_are_refused(boss: Client, settings: Settings) -> None:
    settings.APP_SCHEDULER_IMPORT_MAX_ROWS = 2
    assert "more than 2 rows" in errors_beside(upload(boss, "id\n1\n2\n3\n"), "import_file")


def test_an_empty_form_asks_for_a_file(boss: Client) -> None:
    assert "Choose a file" in errors_beside(boss.post(IMPORT, {"format": "", "resource": "0"}), "import_file")
    assert boss.post(IMPORT).status_code == 302
    assert boss.get(IMPORT).status_code == 200


# --- confirming ---------------------------------------------------------------------------------------------------


def test_a_job_changed_since_the_preview_is_planned_anew(boss: Client) -> None:
    create("a", name="Old")
    preview = upload(boss, "id,name\na,Mine\n")
    services.change_job("a", {"description": "Theirs"}, Actor())
    confirm(boss, preview)
    spec = JobSpec.objects.get()
    assert (spec.name, spec.description) == ("Mine", "Theirs")


def test_a_file_that_became_wrong_since_the_preview_writes_nothing(boss: Client) -> None:
    create("a")
    preview = upload(boss, "id,name\na,Mine\n")
    services.delete_jobs(["a"], Actor())
    said = text_of(confirm(boss, preview))
    assert "Nothing was imported" in said
    assert not JobSpec.objects.exists()


def test_an_import_is_confirmed_once(boss: Client) -> None:
    preview = upload(boss, NEW)
    confirm(boss, preview)
    assert "The uploaded file is no longer here" in text_of(confirm(boss, preview))


@pytest.mark.parametrize(
    "changed",
    [{"import_file_name": "secret.txt"}, {"import_file_name": ""}, {"format": "99"}, {"format": "x"}],
)
def test_only_what_was_previewed_can_be_confirmed(boss: Client, uploads: Path, changed: dict[str, str]) -> None:
    other = uploads / "secret.txt"
    other.write_text(NEW)
    fields = {**hidden_fields(upload(boss, NEW)), **changed}
    response = boss.post(PROCESS, fields, follow=True)
    assert "Upload the file again" in text_of(response)
    assert other.exists()
    assert not JobSpec.objects.exists()


def test_nobody_confirms_somebody_elses_preview(boss: Client, importer: Client) -> None:
    assert "it is not yours" in text_of(confirm(importer, upload(boss, NEW)))
    assert not JobSpec.objects.exists()


def test_uploads_that_nobody_confirmed_are_removed(uploads: Path) -> None:
    import os

    old, young = uploads / "jobs-import-old", uploads / "jobs-import-young"
    for file in (old, young):
        file.write_bytes(b"x")
    os.utime(old, (0, 0))
    storage = UploadFolder(read_mode="rb")
    storage.save(b"data")
    assert (old.exists(), young.exists(), storage.read()) == (False, True, b"data")
    assert Path(storage.get_full_path()).stat().st_mode & 0o077 == 0


# --- permissions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("acts", [("view",), ("view", "add"), ("view", "change")], ids="+".join)
def test_import_needs_the_permissions_to_add_and_to_change(acts: tuple[str, ...]) -> None:
    client = client_of(user_with(*(f"django_apscheduler.{act}_djangojob" for act in acts)))
    assert client.get(IMPORT).status_code == 403
    assert upload(client, NEW).status_code == 403
    assert client.post(PROCESS, {}).status_code == 403
    assert "import_link" not in client.get(LIST).content.decode()
    assert not JobSpec.objects.exists()


def test_export_needs_the_permission_to_view() -> None:
    create("a")
    client = client_of(user_with("django_apscheduler.add_djangojob"))
    assert client.get(EXPORT).status_code == 403
    assert client.post(EXPORT, {"format": CSV_FORMAT, "resource": "0"}).status_code == 403


def test_pausing_by_a_file_needs_the_permission_to_pause(importer: Client) -> None:
    create("a")
    said = text_of(upload(importer, "id,paused\na,true\n"))
    assert "2 a paused This would pause or resume the job, and you may not" in said
    User.objects.get(username="ada").user_permissions.add(Permission.objects.get(codename="pause_job"))
    confirm(importer, upload(importer, "id,paused\na,true\n"))
    assert JobSpec.objects.get().state == "paused"


def test_writing_takes_a_post_with_a_token(importer: Client) -> None:
    assert importer.get(PROCESS).status_code == 405
    strict = client_of(User.objects.get(username="ada"), enforce_csrf_checks=True)
    assert upload(strict, NEW).status_code == 403
    assert strict.post(PROCESS, {}).status_code == 403
    assert strict.post(EXPORT, {"format": CSV_FORMAT}).status_code == 403


def test_strangers_are_sent_to_the_login() -> None:
    for url in (IMPORT, PROCESS, EXPORT):
        assert Client().post(url).status_code == 302


# --- export -------------------------------------------------------------------------------------------------------


def ids_in(response: Any) -> list[str]:
    return [job["id"] for job in json.loads(response.content)]


def test_the_list_is_exported_as_it_is_filtered(boss: Client) -> None:
    create("apple")
    create("banana", paused=True)
    create("avocado")
    page = boss.get(f"{LIST}?q=a&spec__state__exact=scheduled").content.decode()
    link = re.search(r'href="([^"]*/export/[^"]*)"', page)
    assert link
    form = boss.get(unescape(link[1]))
    assert "2 jobs will be in the file" in text_of(form)
    assert ids_in(boss.post(form.context["export_url"], {"format": JSON_FORMAT, "resource": "0"})) == [
        "apple",
        "avocado",
    ]


def test_a_filter_that_does_not_exist_leads_back(boss: Client) -> None:
    response = boss.get(f"{EXPORT}?next_run_time__gte=never")
    assert response.status_code == 302


def select(client: Client, ids: list[str], url: str = LIST, **fields: Any) -> Any:
    return client.post(url, {"action": "export_selected", "_selected_action": ids, **fields})


def test_chosen_rows_are_exported(boss: Client) -> None:
    for job_id in ("a", "b", 'c"<', "d"):
        create(job_id)
    page = select(boss, ["b", 'c"<'])
    assert "2 jobs will be in the file" in text_of(page)
    fields = {"format": JSON_FORMAT, "resource": "0", "export_items": page.context["form"]["export_items"].value()}
    assert ids_in(boss.post(page.context["export_url"], fields)) == ["b", 'c"<']


def test_all_rows_of_a_filtered_list_are_exported_without_naming_each(boss: Client) -> None:
    for job_id in ("apple", "banana", "avocado"):
        create(job_id)
    page = select(boss, ["apple"], f"{LIST}?q=av", select_across="1")
    assert "1 job will be in the file" in text_of(page)
    assert ids_in(boss.post(page.context["export_url"], {"format": JSON_FORMAT, "resource": "0"})) == ["avocado"]


@pytest.mark.parametrize("items", ["x", "{}", "[1]", "[" * 100_000, '["\\u0000"]'])
def test_chosen_rows_that_were_tampered_with_are_refused(boss: Client, items: str) -> None:
    create("a")
    fields = {"format": JSON_FORMAT, "resource": "0", "export_items": items}
    response = boss.post(EXPORT, fields)
    assert "cannot be read" in errors_beside(response, "export_items")


def test_a_workbook_that_cannot_hold_a_job_says_so(boss: Client) -> None:
    create("a", function="tests.probe.jobs.mark", args=["/x", "y" * 40_000])
    response = boss.post(EXPORT, {"format": XLSX_FORMAT, "resource": "0"})
    assert "Export as JSON, YAML or CSV" in errors_beside(response, "format")


def test_the_pages_have_no_inline_scripts(boss: Client) -> None:
    for page in (boss.get(IMPORT), boss.get(EXPORT), upload(boss, NEW)):
        content = page.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)", content)
        assert "onclick" not in content and "onchange" not in content
        assert "app_scheduler/transfer.css" in content
