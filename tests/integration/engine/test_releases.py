"""Releases: a row where another version of the code starts, and none otherwise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from app_scheduler.engine.lease import ensure_lease
from app_scheduler.engine.releases import note_release
from app_scheduler.engine.scheduler import ConsoleScheduler
from app_scheduler.maintenance import history
from app_scheduler.models import Release
from tests.integration.engine.conftest import START
from tests.live import wait_until


def started(settings: Any, *versions: str) -> list[str]:
    ensure_lease()
    for number, version in enumerate(versions):
        settings.APP_SCHEDULER_RELEASE = version
        note_release(START + timedelta(hours=number))
    return list(Release.objects.order_by("started_at").values_list("version", flat=True))


@pytest.mark.django_db
def test_a_release_is_noted_where_it_differs_from_the_last(settings: Any) -> None:
    assert started(settings, "1.0", "1.0", "1.1", " 1.1 ", "1.0") == ["1.0", "1.1", "1.0"]


@pytest.mark.django_db
def test_a_site_that_does_not_say_its_release_has_none(settings: Any) -> None:
    with CaptureQueriesContext(connection) as queries:
        note_release(START)
    assert not queries.captured_queries
    assert not Release.objects.exists()


@pytest.mark.django_db
def test_a_long_version_is_cut(settings: Any) -> None:
    assert started(settings, "v" * 300, "v" * 300) == ["v" * 100]


@pytest.mark.django_db
def test_old_releases_go_with_the_sums_but_for_the_last(settings: Any) -> None:
    started(settings, "1.0", "1.1")
    history._delete_sums(START + timedelta(days=400))
    assert list(Release.objects.values_list("version", flat=True)) == ["1.1"]


def test_a_process_that_serves_notes_its_release(transactional_db: None, quick: None, settings: Any) -> None:
    settings.APP_SCHEDULER_RELEASE = "2026.11"
    scheduler = ConsoleScheduler()
    scheduler.start()
    try:
        wait_until(lambda: Release.objects.filter(version="2026.11").exists(), what="the release")
    finally:
        scheduler.shutdown()
