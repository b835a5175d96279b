"""The small cells of the admin's pages, beside what Django itself would write."""

from __future__ import annotations

from datetime import date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import override_settings
from django.urls import path, reverse, set_script_prefix
from django.utils import dateformat, translation
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler.admin.base import QuickCheckboxes
from app_scheduler.admin.columns import Link, Moment, Pill, day_words, execution_url, job_url

#: Addresses of a site that has its admin elsewhere.
urlpatterns = [path("intern/0/", admin.site.urls)]


@given(st.text(min_size=1), st.sampled_from(["change", "run", "history", "delete"]))
def test_a_job_s_address_is_the_one_that_django_finds(job_id: str, page: str) -> None:
    assert job_url(job_id, page) == reverse(f"admin:django_apscheduler_djangojob_{page}", args=[quote(job_id)])


def test_addresses_follow_the_site_s_prefix_and_its_admin_s_place() -> None:
    name = "admin:django_apscheduler_djangojobexecution_change"
    assert execution_url(7) == reverse(name, args=[7])
    set_script_prefix("/under/")
    try:
        assert execution_url(7) == reverse(name, args=[7])
    finally:
        set_script_prefix("/")
    with override_settings(ROOT_URLCONF=__name__):
        assert execution_url(70) == reverse(name, args=[70])
        assert execution_url(70).startswith("/intern/0/")


def test_cells_escape_what_they_show() -> None:
    assert (
        Pill("ok", "<b>", 'a "title"').render()
        == '<span class="jc-pill ok" title="a &quot;title&quot;">&lt;b&gt;</span>'
    )
    assert Pill("ok", "fine").render() == '<span class="jc-pill ok">fine</span>'
    assert Link("/x?a=1&b=2", "<b>").render() == '<a href="/x?a=1&amp;b=2">&lt;b&gt;</a>'
    seen = Moment("2026-11-23T09:00:00+11:00", "5 min ago", "Mon 23 Nov 09:00", "Monday <23>")
    assert f"{seen}" == '<time datetime="2026-11-23T09:00:00+11:00" title="Monday &lt;23&gt;">5 min ago</time>'


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_days_are_in_the_reader_s_language(language: str) -> None:
    day = date(2026, 3, 4)
    with translation.override(language):
        expected = dateformat.format(datetime(2026, 3, 4, 12), "l j F Y")
        assert day_words(day, "l j F Y", translation.get_language()) == expected


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_box_that_chooses_a_row_is_django_s(language: str) -> None:
    class Row(SimpleNamespace):
        def __str__(self) -> str:
            return "a <row> {}"

    row: Any = Row(pk='a"b')
    with translation.override(language):
        ours = QuickCheckboxes().action_checkbox(row)
        theirs = admin.ModelAdmin.action_checkbox(None, row)  # type: ignore[arg-type]  # it asks nothing of the admin
    assert ours == theirs
