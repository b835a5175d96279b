"""Which jobs fail, by one rule in all places, and the ways that lead from a failure to its group in the inbox."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from app_scheduler import services
from app_scheduler.models import FailureGroup, JobSpec, JobState, Status
from app_scheduler.services import overview
from tests.integration.admin.histories import client_with, make_job, page_url
from tests.integration.admin.ledgers import settle

pytestmark = pytest.mark.django_db

LIST = "/admin/django_apscheduler/djangojob/"
EXECUTIONS = "/admin/django_apscheduler/djangojobexecution/"
OK, FAILED, MISSED, SKIPPED, CANCELLED = Status.EXECUTED, Status.ERROR, Status.MISSED, Status.SKIPPED, Status.CANCELLED

#: What a job's last verdicts were, the latest last, and whether it fails.
CASES: dict[str, tuple[tuple[Status, ...], bool]] = {
    "well": ((OK,), False),
    "failed": ((OK, FAILED), True),
    "missed since": ((OK, FAILED, MISSED, MISSED), True),
    "skipped since": ((FAILED, SKIPPED), True),
    "cancelled since": ((FAILED, CANCELLED), True),
    "mended": ((FAILED, OK), False),
    "mended, then missed": ((FAILED, OK, MISSED), False),
    "missed only": ((MISSED,), False),
    "never ran": ((), False),
}


@pytest.fixture
def jobs() -> dict[str, bool]:
    """Make a job of each case; return which of them fail."""
    now = timezone.now()
    for job_id, (verdicts, _) in CASES.items():
        make_job(job_id, name=job_id)
        for hours, status in zip(range(len(verdicts), 0, -1), verdicts, strict=True):
            settle(job_id, status, now - timedelta(hours=hours), exception="ValueError: no" * (status == FAILED))
    return {job_id: fails for job_id, (_, fails) in CASES.items()}


def failing_ids(jobs: dict[str, bool]) -> set[str]:
    return {job_id for job_id, fails in jobs.items() if fails}


def test_the_overview_the_filter_the_number_and_the_rows_say_the_same(client: Client, jobs: dict[str, bool]) -> None:
    expected, now = failing_ids(jobs), timezone.now()
    found = overview.concerns(now)
    assert {each.job_id for each in found.failing} == expected
    assert found.failing_count == len(expected)
    assert set(JobSpec.objects.filter(services.failing_at(now)).values_list("pk", flat=True)) == expected
    assert services.failing_among(JobSpec.objects.all(), now) == expected
    page: Any = client.get(LIST)
    assert {job.pk for job in page.context["cl"].result_list if job.row.standing.look == "failing"} == expected
    assert page.context["summary"]["failing"] == len(expected)
    listed: Any = client.get(LIST, {"state": "failing"})
    assert {job.pk for job in listed.context["cl"].result_list} == expected
    for job_id, fails in jobs.items():
        one: Any = client.get(f"{LIST}{job_id.replace(' ', '%20')}/change/")
        assert (one.context["row"].standing.look == "failing") is fails, job_id


def test_what_somebody_settled_or_stopped_fails_no_more(jobs: dict[str, bool]) -> None:
    now = timezone.now()
    FailureGroup.objects.filter(job_id="missed since").update(open_count=0)
    FailureGroup.objects.filter(job_id="skipped since").update(last_seen=now - timedelta(days=8))
    JobSpec.objects.filter(pk="failed").update(state=JobState.PAUSED)
    expected = failing_ids(jobs) - {"missed since", "skipped since", "failed"}
    assert services.failing_among(JobSpec.objects.all(), now) == expected
    assert {each.job_id for each in overview.concerns(now).failing} == expected


def test_it_is_asked_once_however_many_jobs_there_are(jobs: dict[str, bool]) -> None:
    specs = list(JobSpec.objects.all())
    with CaptureQueriesContext(connection) as queries:
        services.failing_among(specs, timezone.now())
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        services.failing_among([spec for spec in specs if spec.pk in ("well", "failed")], timezone.now())
    assert len(queries) == 0, "the last outcome tells"


@pytest.mark.parametrize("url", [LIST, f"{LIST}failed/change/"])
def test_failing_leads_to_the_failures_of_the_job(client: Client, jobs: dict[str, bool], url: str) -> None:
    link = re.search(r'href="([^"]*)" aria-label="Failing: the failures of failed"', client.get(url).content.decode())
    assert link
    inbox: Any = client.get(unescape(link[1]))
    assert [group.job_id for group in inbox.context["cl"].result_list] == ["failed"]
    assert "the failures of" not in client_with("view_djangojob").get(url).content.decode()


def test_a_failure_leads_to_its_group_and_to_those_of_other_jobs(client: Client) -> None:
    for job_id in ("sum", "digest", "other"):
        make_job(job_id, name=job_id.title())
    now = timezone.now()
    mine = settle("sum", FAILED, now - timedelta(hours=1), exception="ValueError: 1")
    settle("sum", FAILED, now - timedelta(hours=2), exception="ValueError: 2")
    settle("digest", FAILED, now - timedelta(hours=1), exception="ValueError: 3")
    settle("other", FAILED, now - timedelta(hours=1), exception="KeyError: 4")
    group = FailureGroup.objects.get(job_id="sum")
    page: Any = client.get(page_url(mine))
    text = page.content.decode()
    assert f'href="/admin/app_scheduler/failuregroup/{group.pk}/change/">3 like this</a>' in text
    others = FailureGroup.objects.get(job_id="digest")
    assert [(link.url, link.label, number) for link, number in page.context["page"].fault.elsewhere] == [
        (f"/admin/app_scheduler/failuregroup/{others.pk}/change/", "Digest", 1)
    ]
    assert "The same elsewhere" in text
    FailureGroup.objects.filter(pk=others.pk).update(open_count=0)
    assert "The same elsewhere" not in client.get(page_url(mine)).content.decode()


def test_executions_are_found_by_their_function(client: Client) -> None:
    make_job("sum", function="tests.probe.jobs.add")
    make_job("talk", function="tests.probe.jobs.chatter", args=[])
    now = timezone.now()
    mine = settle("sum", OK, now - timedelta(hours=1))
    settle("talk", OK, now - timedelta(hours=1))
    page: Any = client.get(EXECUTIONS, {"function": "tests.probe.jobs.add"})
    assert [each.pk for each in page.context["cl"].result_list] == [mine.pk]
    assert '<option value="tests.probe.jobs.add" selected>' in page.content.decode()
    nothing: Any = client.get(EXECUTIONS, {"function": "no.such.function"})
    assert not nothing.context["cl"].result_list


def test_a_shared_row_of_the_timeline_leads_to_the_calendar_and_to_its_executions(client: Client) -> None:
    for number in range(20):
        make_job(f"shared-{number:02}", function="tests.probe.jobs.add", trigger={"type": "interval", "hours": 3})
    page: Any = client.get(f"{LIST}overview/")
    shared = [row for row in page.context["lanes"].rows if "other jobs" in row.hint]
    assert shared
    ahead = [point for point in shared[0].points if point.look == "due"]
    assert ahead
    for point in ahead:
        assert "/calendar/?date=" in point.url and "function=tests.probe.jobs.add" in point.url
    assert client.get(ahead[0].url).status_code == 200
