"""Queue, priority and concurrency group: in documents, in files of older versions, and in the words of the form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from app_scheduler import documents, resources, services
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import ConcurrencyGroup, JobSpec
from app_scheduler.services import Actor
from app_scheduler.transfer import FORMATS_BY_NAME

pytestmark = pytest.mark.django_db

LIMITS = ("queue", "priority", "concurrency_group")


def create(**document: Any) -> JobSpec:
    given = {"id": "limited", "function": "tests.probe.jobs.add", "args": [1], "trigger": "every 1h", **document}
    return services.create_job(given, Actor())


def limits_of(job_id: str = "limited") -> tuple[str, int, str]:
    spec = JobSpec.objects.get(job_id=job_id)
    return spec.queue, spec.priority, spec.concurrency_group


def test_a_document_without_them_is_valid_and_takes_the_usual_ones() -> None:
    create()
    assert limits_of() == ("", 0, "")


@pytest.mark.parametrize("empty", [None, "", "none"])
def test_nothing_and_none_take_them_away(empty: str | None) -> None:
    create(queue="mail", concurrency_group="database")
    services.change_job("limited", {"queue": empty, "concurrency_group": empty}, Actor())
    assert limits_of() == ("", 0, "")


@pytest.mark.parametrize("name", ["x" * 65, "a\nb", "a/b", 7, ["a"], "\ud800", "\x00"])
@pytest.mark.parametrize("field", ["queue", "concurrency_group"])
def test_what_is_no_name_is_refused_beside_its_field(field: str, name: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        create(**{field: name})
    assert list(caught.value.errors) == [field]


@pytest.mark.parametrize("format_name", sorted(FORMATS_BY_NAME))
def test_they_come_back_from_a_file_and_so_does_that_there_are_none(format_name: str) -> None:
    create(queue="Mail.Bulk", priority=-7, concurrency_group="The Database")
    create(id="plain")
    data = resources.export_bytes(format_name)
    services.change_job("limited", dict.fromkeys(LIMITS, ""), Actor())
    services.change_job("plain", {"queue": "mail", "priority": 3, "concurrency_group": "web"}, Actor())
    resources.JobResource().import_data(FORMATS_BY_NAME[format_name]().create_dataset(data), raise_errors=True)
    assert limits_of() == ("Mail.Bulk", -7, "the database")
    assert limits_of("plain") == ("", 0, "")


@pytest.mark.parametrize("format_name", ["json", "yaml"])
def test_a_file_of_an_older_version_leaves_them_as_they_are(format_name: str) -> None:
    spec = create(priority=5, concurrency_group="database")
    older = {name: value for name, value in documents.of(spec).items() if name not in LIMITS}
    rows = FORMATS_BY_NAME[format_name]().create_dataset(json.dumps([older]).encode())  # JSON is YAML, too.
    resources.JobResource().import_data(rows, raise_errors=True)
    assert limits_of() == ("", 5, "database")


def test_the_form_says_what_each_executor_can_do_and_suggests_groups(client: Client, settings: Any) -> None:
    settings.APP_SCHEDULER_EXECUTORS = {"slow": {"type": "threads", "max_workers": 1}}
    ConcurrencyGroup.objects.create(name="web", slots=3)
    create(concurrency_group="database")
    client.force_login(User.objects.create_superuser("ada"))
    page = client.get(reverse("admin:django_apscheduler_djangojob_add")).content.decode()
    for name in ("default", "slow"):
        assert f"<li><strong>{name}</strong>: A run is told of its timeout and of a cancel" in page
    assert "none of those configured here has any" in page
    assert all(f'<option value="{name}"></option>' in page for name in ("web", "database"))
