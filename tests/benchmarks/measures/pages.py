"""The admin's pages over a long past, by the test client: what the server takes, and how many queries it asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.models import FailureGroup, Status
from tests.benchmarks import ledger
from tests.benchmarks.results import Case, Outcome
from tests.benchmarks.sides import Ours, Side

LOOKS = 5
READER = "reader"


def measure(side: Side, case: Case) -> Outcome:
    """Measure each page five times, after a first look; ``case.count`` executions of the jobs that are stored."""
    side.become_client()
    made = ledger.make(case.count)
    figures = look_at_pages(is_ours=isinstance(side, Ours))
    return Outcome(figures, made, made)


def look_at_pages(*, is_ours: bool) -> dict[str, float]:
    """Return the milliseconds and the queries of each page, for a superuser."""
    client = Client()
    users = get_user_model().objects
    client.force_login(users.filter(username=READER).first() or users.create_superuser(READER))
    figures: dict[str, float] = {}
    # The test client asks as a site without TLS, and names of static files with a hash need a step not taken here.
    plain = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    theirs = {
        "ROOT_URLCONF": "tests.benchmarks.stock_urls",
        # Without the site's own templates, which are those of our pages.
        "TEMPLATES": [{**engine, "DIRS": []} for engine in settings.TEMPLATES],
    }
    common = {"ALLOWED_HOSTS": ["testserver"], "SECURE_SSL_REDIRECT": False, "STORAGES": plain}
    with override_settings(**common, **({} if is_ours else theirs)):
        for name, address in _pages(is_ours):
            _look(client, address)
            figures[f"{name}_ms"] = median(_look(client, address) for _ in range(LOOKS))
            with CaptureQueriesContext(connection) as queries:
                _look(client, address)
            figures[f"{name}_queries"] = len(queries)
    return figures


def _pages(is_ours: bool) -> Iterator[tuple[str, str]]:
    """Yield each page's name and address; what stock django-apscheduler has no page for is left out there."""
    jobs = reverse("admin:django_apscheduler_djangojob_changelist")
    executions = reverse("admin:django_apscheduler_djangojobexecution_changelist")
    yield "jobs", jobs
    yield "executions", executions
    if not is_ours:
        return
    job = DjangoJob.objects.order_by("-pk").values_list("pk", flat=True)[0]
    failed = DjangoJobExecution.objects.filter(status=Status.ERROR).order_by("-run_time")[0]
    yield "job", reverse("admin:django_apscheduler_djangojob_change", args=[job])
    yield "execution", reverse("admin:django_apscheduler_djangojobexecution_change", args=[failed.pk])
    yield "errors", f"{executions}?status={Status.ERROR.value}"
    yield "index", reverse("admin:index")
    yield "overview", reverse("admin:django_apscheduler_djangojob_overview")
    yield "failures", reverse("admin:app_scheduler_failuregroup_changelist")
    group = FailureGroup.objects.order_by("-last_seen")[0]
    yield "failure", reverse("admin:app_scheduler_failuregroup_change", args=[group.pk])


def _look(client: Client, address: str) -> float:
    """Return the milliseconds that a page took."""
    began = time.perf_counter()
    answer = client.get(address)
    elapsed = time.perf_counter() - began
    assert answer.status_code == 200, (address, answer.status_code)
    return elapsed * 1000
