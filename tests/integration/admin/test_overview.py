"""The overview as staff read it: its page, the admin's index, the banner on every page, and who may see them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.template import engines
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone

from app_scheduler import services
from app_scheduler.admin import lastlook
from app_scheduler.models import HourTally, SchedulerInstance, SchedulerLease, Status
from app_scheduler.services import Actor, overview
from tests.integration.admin.histories import make_execution
from tests.integration.admin.jobs_site import LIST, client_of, make_job, person, text_of
from tests.integration.admin.ledgers import settle

pytestmark = pytest.mark.django_db
PAGE = f"{LIST}overview/"
INDEX = "/admin/"
USERS = "/admin/auth/user/"
OUTAGE = "no scheduler was running from 2026-11-23 02:10:00 to 2026-11-23 02:13:00"


@pytest.fixture
def alive(db: None) -> None:
    """Let some scheduler be alive."""
    now = timezone.now()
    SchedulerLease(holder="i", expires_at=now + timedelta(minutes=1), alive_at=now, led_since=now).save()
    SchedulerInstance.objects.create(id="i", host="web-2", pid=4711, role="leader", started_at=now, heartbeat=now)


def words_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return text_of(response)


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_answers_the_questions_of_the_morning(client: Client, alive: None) -> None:
    now = timezone.now()
    make_job("digest", name="Failure digest", trigger="every 1h")
    make_job("remind", name="Remind players", trigger="every 2h")
    settle("remind", Status.EXECUTED, now - timedelta(minutes=50))
    settle(
        *("remind", Status.MISSED, now - timedelta(minutes=40)),
        ticks=12,
        first_tick=now - timedelta(minutes=43),
        reason=f"They were late: {OUTAGE}.",
    )
    failed = settle("digest", Status.ERROR, now - timedelta(minutes=30), exception="SMTPServerDisconnected: gone")
    runs = make_execution("remind", Status.STARTED, due=now - timedelta(minutes=10))
    response = client.get(PAGE)
    words, page = text_of(response), response.content.decode()
    for expected in (
        "web-2, process 4711 leads",
        "1 failure open in 1 group",
        "12 ticks missed in 24 h scheduler down",
        "1 running now longest: Remind players , 10 min",
        "1 job due in the next hour next: Failure digest",
        "50.0 % succeeded in 24 h 2 runs p99 late",
        "once: SMTPServerDisconnected: gone",
        "Failing",
        "24 hours back, 24 hours ahead",
        "Slowest in 7 days",
        "Least reliable in 7 days",
        "Nothing deletes old ones",
    ):
        assert expected in words, expected
    for execution in (failed, runs):
        assert f"/djangojobexecution/{execution.pk}/change/" in page
    assert re.search(r'class="missed" style="--x:[\d.]+;--w:[\d.]+" title="[^"]*12 missed"', page)


def test_the_marks_of_a_busy_half_hour_lead_to_the_executions_that_they_count(client: Client) -> None:
    now = timezone.now()
    make_job("busy", trigger="every 1m")
    make_job("other", trigger="every 1m")
    begin = (now - timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    for minute in (1, 2, 29):
        settle("busy", Status.EXECUTED, begin + timedelta(minutes=minute))
        settle("other", Status.EXECUTED, begin + timedelta(minutes=minute))
    settle("busy", Status.ERROR, begin + timedelta(minutes=3), exception="ValueError: no")
    settle("busy", Status.EXECUTED, begin + timedelta(minutes=31))
    page = client.get(PAGE).content.decode()
    found = re.search(r'<a href="([^"]*)" class="fail mixed"[^>]*title="[^"]*3 executed, 1 failed"', page)
    assert found
    listed = client.get(found[1].replace("&amp;", "&"))
    assert listed.status_code == 200
    assert listed.context["cl"].result_count == 4


def test_a_missed_tick_leads_to_why_it_was_missed(client: Client) -> None:
    make_job("remind", trigger="every 1h")
    missed = settle("remind", Status.MISSED, timezone.now() - timedelta(minutes=5), reason=f"It is late: {OUTAGE}.")
    page = client.get(PAGE).content.decode()
    found = re.search(r'<a href="([^"]*)">scheduler down [^<]* to 02:13</a>', page)
    assert found
    assert found[1].endswith(f"/{missed.pk}/change/")
    assert OUTAGE in text_of(client.get(found[1]))
    listed = client.get("/admin/django_apscheduler/djangojobexecution/?status=Missed%21")
    assert 'href="/admin/django_apscheduler/djangojobexecution/?status=Missed%21"' in page
    assert listed.context["cl"].result_count == 1


def test_without_jobs_the_page_says_what_to_do(client: Client) -> None:
    words = words_of(client, PAGE)
    assert "There are no jobs yet. Add the first one" in words
    assert "Nothing has ended in the last 24 hours." in words
    assert "nothing has run yet" in words
    assert "No execution yet." in words


def test_a_healthy_site_is_told_so(client: Client, alive: None) -> None:
    make_job()
    settle("sum", Status.EXECUTED, timezone.now() - timedelta(minutes=5))
    words = words_of(client, PAGE)
    assert "No job fails, none is broken, and none has become slower." in words
    assert "100 % succeeded" in words
    assert "0 failures open" in words


def test_the_chart_says_every_value_as_text(client: Client) -> None:
    make_job()
    for minutes in (1, 2, 3):
        settle("sum", Status.ERROR if minutes == 3 else Status.EXECUTED, timezone.now() - timedelta(seconds=minutes))
    page = client.get(PAGE).content.decode()
    assert re.search(r'<svg [^>]*role="img" aria-labelledby="jc-hours-title jc-hours-desc">', page)
    assert "2 executed, 1 failed, 0 missed, 0 skipped." in page
    assert page.count('<th scope="row">') >= 24


def test_the_list_of_jobs_leads_to_the_overview(client: Client) -> None:
    assert f'href="{PAGE}"' in client.get(LIST).content.decode()


# --- who may see it ---------------------------------------------------------------------------------------------------


def test_the_page_is_for_those_who_may_view_jobs(db: None) -> None:
    assert client_of(person("ada", "view_djangojob")).get(PAGE).status_code == 200
    assert client_of(person("bob", "view_user")).get(PAGE).status_code == 403
    assert client_of(person("eve", "view_djangojob", staff=False)).get(PAGE).status_code == 302
    assert Client().get(PAGE).status_code == 302


def test_who_may_not_view_executions_gets_no_links_to_them(db: None) -> None:
    make_job()
    settle("sum", Status.ERROR, timezone.now() - timedelta(minutes=5), exception="ValueError: no")
    page = client_of(person("ada", "view_djangojob")).get(PAGE).content.decode()
    assert "djangojobexecution" not in page
    assert "1 failed" in page


def test_nothing_is_posted_to_it(client: Client) -> None:
    assert client.post(PAGE).status_code == 405


# --- the last look ----------------------------------------------------------------------------------------------------


def look(client: Client, at: datetime) -> datetime | None:
    request: Any = RequestFactory().get(PAGE)
    request.session = client.session
    found = lastlook.last_look(request, at)
    request.session.save()
    return found


def test_what_is_new_stays_new_until_its_reader_has_left(client: Client) -> None:
    evening = timezone.now() - timedelta(days=1)
    assert look(client, evening) is None
    assert look(client, evening + timedelta(minutes=20)) is None
    left, morning = evening + timedelta(minutes=40), evening + timedelta(hours=14)
    assert look(client, left) is None
    # Loading it again, and going on with it for longer than one is away, keeps what was new.
    for minutes in (0, 0.1, 5, 25, 50, 75):
        assert look(client, morning + timedelta(minutes=minutes)) == left
    assert look(client, morning + timedelta(hours=5)) == morning + timedelta(minutes=75)


def test_a_session_that_holds_something_else_is_a_first_look(client: Client) -> None:
    for kept in ("x", {"seen": 1}, {"seen": "yesterday"}, {"seen": "2999-01-01T00:00:00+00:00", "before": None}):
        session = client.session
        session[lastlook.KEY] = kept
        session.save()
        assert look(client, timezone.now()) is None


def test_new_failures_are_told_to_who_comes_back(client: Client) -> None:
    now = timezone.now()
    make_job()
    settle("sum", Status.ERROR, now - timedelta(hours=9), exception="ValueError: no")
    assert "since you last looked" not in words_of(client, PAGE)
    session = client.session
    session[lastlook.KEY] = {"seen": (now - timedelta(hours=8)).isoformat(), "before": None}
    session.save()
    settle("sum", Status.ERROR, now - timedelta(minutes=9), exception="ValueError: no")
    for _ in range(2):
        assert "2 failures open in 1 group 1 new since you last looked" in words_of(client, INDEX)


# --- the index --------------------------------------------------------------------------------------------------------


def test_the_index_carries_the_numbers_for_those_who_may_view_jobs(client: Client, alive: None) -> None:
    make_job(name="Sum")
    settle("sum", Status.ERROR, timezone.now() - timedelta(minutes=5), exception="ValueError: no")
    response = client.get(INDEX)
    words = text_of(response)
    assert "1 failure open in 1 group" in words
    assert "Needs a look Sum failed at" in words
    assert "web-2, process 4711 leads" in words
    assert f'href="{PAGE}"' in response.content.decode()
    assert "Recent actions" in words
    assert "failure open" not in words_of(client_of(person("bob", "view_user")), INDEX)


def test_the_page_of_the_scheduler_has_it_too_and_those_of_other_apps_do_not(client: Client) -> None:
    assert "failures open" in words_of(client, "/admin/django_apscheduler/")
    assert "failures open" not in words_of(client, "/admin/auth/")


def test_a_fault_of_the_database_is_one_line_of_the_index(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM a_table_that_is_not_there")

    monkeypatch.setattr(overview, "hours_until", fail)
    words = words_of(client, INDEX)
    assert "The scheduler’s figures cannot be read from the database now" in words
    assert "Recent actions" in words


class OwnSite(AdminSite):
    index_template = "own_index.html"


own_site = OwnSite(name="own")
urlpatterns = [path("own/", own_site.urls)]
OWN_INDEX = """{% extends "admin/base_site.html" %}{% load scheduler_console %}
{% block content %}{% scheduler_overview %}own index{% endblock %}"""


def test_a_site_with_an_admin_of_its_own_keeps_its_index(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.template.loaders.locmem import Loader

    engine = engines["django"].engine  # type: ignore[attr-defined]  # the backend of Django's own templates
    monkeypatch.setattr(
        engine, "template_loaders", [Loader(engine, {"own_index.html": OWN_INDEX}), *engine.template_loaders]
    )
    with override_settings(ROOT_URLCONF=__name__):
        client = client_of(root)
        response = client.get("/own/")
        # Nothing of the console's pages is in that site, so nothing of them is shown.
        assert "own index" in text_of(response)
        assert "failures open" not in text_of(response)


# --- the banner -------------------------------------------------------------------------------------------------------


def test_every_page_says_that_no_scheduler_is_alive(client: Client) -> None:
    assert "No scheduler is alive . Jobs are not started" in words_of(client, USERS)
    SchedulerLease(expires_at=timezone.now(), alive_at=timezone.now() - timedelta(hours=2)).save()
    assert re.search(r"No scheduler is alive since \w+ \d+ \w+ [\d:]+ \( 2 h ago \)", words_of(client, USERS))


def test_every_page_says_who_paused_everything_since_when_and_why(client: Client, alive: None) -> None:
    assert "jc-banner" not in client.get(USERS).content.decode()
    services.pause_all(Actor(person("ada")), reason="Off season")
    words = words_of(client, USERS)
    assert re.search(r"All scheduling is paused by ada since \w+ \d+ \w+ [\d:]+ \( [^)]* \): “Off season”\.", words)
    assert "No scheduler is alive" not in words


@pytest.mark.parametrize("url", [INDEX, PAGE, LIST, "/admin/django_apscheduler/djangojobexecution/"])
def test_pages_that_say_it_themselves_have_no_banner(client: Client, url: str) -> None:
    page = client.get(url).content.decode()
    assert "jc-banner" not in page
    assert "jc-live is-down" in page


def test_the_banner_is_for_staff_who_may_view_jobs(db: None) -> None:
    assert "jc-banner" not in client_of(person("bob", "view_user")).get(USERS).content.decode()
    assert "jc-banner" in client_of(person("ada", "view_user", "view_djangojob")).get(USERS).content.decode()
    assert "jc-banner" not in Client().get("/admin/login/").content.decode()


def test_a_fault_of_the_database_leaves_the_page_without_a_banner(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app_scheduler.templatetags import scheduler_console

    def fail() -> Any:
        raise DatabaseError("no such table")

    monkeypatch.setattr(scheduler_console, "pulse", fail)
    page = client.get(USERS)
    assert page.status_code == 200
    assert "jc-banner" not in page.content.decode()


def test_the_banner_costs_one_query(alive: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        overview.pulse()
    assert len(captured) == 1


def test_the_page_takes_as_many_queries_for_many_jobs_as_for_few(client: Client, alive: None) -> None:
    from tests.integration.test_overview import many

    now = timezone.now()
    counts = []
    for jobs in (20, 200):
        many(now, jobs, jobs * 4)
        for url in (INDEX, PAGE):
            client.get(url)
            cache.clear()
            with CaptureQueriesContext(connection) as captured:
                assert client.get(url).status_code == 200
            counts.append(len(captured))
        services.delete_jobs([f"many{number}" for number in range(jobs)], Actor())
        HourTally.objects.all().delete()
    index_few, page_few, index_many, page_many = counts
    assert index_few == index_many <= 45
    assert page_few == page_many <= 65
