"""Import and export as a person does them, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import expect_fits

LIST = "/admin/django_apscheduler/djangojob/"

GOOD = "id,name,schedule,function,args\nweekly-sum,Weekly sum,0 3 * * mon,tests.probe.jobs.add,[1]\n"
BAD = GOOD + "broken,Broken,every 1x,tests.probe.jobs.ad,[1]\n"


def upload(page: Page, file: Path) -> None:
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Preview").click()


@pytest.mark.parametrize("width", [1280, 360])
def test_a_file_is_corrected_previewed_and_imported(admin_page: Page, tmp_path: Path, width: int) -> None:
    page, file = admin_page, tmp_path / "jobs.csv"
    page.set_viewport_size({"width": width, "height": 800})
    job = f"weekly-sum-{width}"
    page.goto(LIST)
    page.get_by_role("link", name="Import", exact=True).click()
    expect(page.get_by_label("File")).to_be_visible()
    expect_fits(page)

    file.write_text(BAD.replace("weekly-sum", job))
    upload(page, file)
    expect(page.get_by_role("heading", name="Nothing was imported")).to_be_visible()
    expect(page.locator("#import-errors")).to_contain_text("“1x” is not a length of time")
    expect(page.get_by_role("button", name="Confirm import")).to_have_count(0)
    expect_fits(page)

    file.write_text(GOOD.replace("weekly-sum", job))
    upload(page, file)
    expect(page.get_by_role("heading", name="Nothing has been written yet")).to_be_visible()
    expect(page.locator("#import-new")).to_contain_text(job)
    expect_fits(page)
    page.get_by_role("button", name="Confirm import").click()
    expect(page.get_by_text("Imported: 1 new.")).to_be_visible()
    expect(page.locator("#result_list")).to_contain_text(job)

    file.write_text(GOOD.replace("weekly-sum", job).replace("Weekly sum", "Sum of the week"))
    page.goto(f"{LIST}import/")
    upload(page, file)
    row = page.locator("#import-changed tbody tr").first
    expect(row).to_contain_text("Weekly sum")
    expect(row).to_contain_text("Sum of the week")
    expect_fits(page)


def test_what_is_exported_can_be_imported_unchanged(admin_page: Page, tmp_path: Path) -> None:
    page = admin_page
    file = tmp_path / "one.csv"
    file.write_text(GOOD)
    page.goto(f"{LIST}import/")
    upload(page, file)
    if page.get_by_role("button", name="Confirm import").count():
        page.get_by_role("button", name="Confirm import").click()

    for label, suffix in (("CSV", "csv"), ("XLSX", "xlsx"), ("JSON", "json"), ("YAML", "yaml")):
        page.goto(LIST)
        page.get_by_role("link", name="Export", exact=True).click()
        page.get_by_role("radio", name=re.compile(f"^{label}")).check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        assert re.fullmatch(rf"jobs-\d{{4}}-\d\d-\d\d\.{suffix}", download.value.suggested_filename)
        saved = tmp_path / download.value.suggested_filename
        download.value.save_as(saved)
        page.goto(f"{LIST}import/")
        upload(page, saved)
        expect(page.get_by_role("heading", name="Nothing changes")).to_be_visible()


def test_chosen_jobs_are_exported(admin_page: Page, tmp_path: Path) -> None:
    page, file = admin_page, tmp_path / "jobs.csv"
    file.write_text(GOOD.replace("weekly-sum", "chosen"))
    page.goto(f"{LIST}import/")
    upload(page, file)
    page.get_by_role("button", name="Confirm import").click()
    page.locator("#result_list tbody tr", has_text="chosen").get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option("export_selected")
    page.get_by_role("button", name=re.compile("^(Go|Run|Run action)$")).first.click()
    expect(page.get_by_text("1 job will be in the file.")).to_be_visible()
    page.get_by_role("radio", name=re.compile("^JSON")).check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert '"id": "chosen"' in download.value.path().read_text()
