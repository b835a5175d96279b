"""The main pages in each language that has a catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.translation import gettext, override, pgettext, to_language

from app_scheduler import documents, services
from app_scheduler.models import JobSpec, JobState
from app_scheduler.services import Actor
from tests.integration.admin.jobs_site import LIST, client_of, form_data, make_job, superuser, text_of, url_of

pytestmark = pytest.mark.django_db

LOCALES = sorted(path.name for folder in settings.LOCALE_PATHS for path in Path(folder).glob("*") if path.is_dir())
LANGUAGES = ["en", *map(to_language, LOCALES)]
PAGES = (
    LIST,
    f"{LIST}add/",
    f"{LIST}calendar/",
    "/admin/django_apscheduler/djangojobexecution/",
    "/admin/app_scheduler/blackoutwindow/",
    "/admin/app_scheduler/blackoutwindow/add/",
)


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(language: str) -> Client:
    client = client_of(superuser())
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = language
    return client


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_shown_in_the_language_that_the_browser_asks_for(client: Client, language: str, page: str) -> None:
    make_job()
    services.run_now(["sum"], Actor())
    response = client.get(page)
    assert response.status_code == 200
    assert response.headers["Content-Language"] == language


def test_a_form_is_refused_in_the_language_that_the_browser_asks_for(client: Client, language: str) -> None:
    make_job()
    response = client.post(url_of("sum"), form_data(client, url_of("sum"), max_retries="many"))
    assert response.status_code == 200
    with override(language):
        wanted = gettext("Give a whole number from %(least)s to %(most)s.") % {"least": 0, "most": 100}
    assert response.context["form"].errors["max_retries"] == [wanted]
    assert wanted in text_of(response)


def test_the_api_refuses_in_the_language_that_is_asked_for(client: Client, language: str) -> None:
    response = client.get("/api/jobs/nothing/")
    with override(language):
        wanted = gettext("There is no job with the id “%(id)s”. It may have been deleted.") % {"id": "nothing"}
    assert (response.status_code, response.json()) == (404, {"detail": wanted})


def test_a_fault_is_told_in_the_language_of_whoever_asks(client: Client, language: str) -> None:
    spec = make_job()
    JobSpec.objects.filter(job_id="sum").update(kwargs={"a": "many"})
    spec.refresh_from_db()
    with override("en"):
        english = documents.fault_of(spec)
    with override(language):
        quoted = gettext("“%(text)s”") % {"text": "many"}
        refusal = gettext("%(value)s is not a whole number. Give one such as %(example)s.")
        fault = documents.fault_of(spec)
    assert english is not None
    assert fault is not None
    assert fault.errors == {"kwargs.a": [refusal % {"value": quoted, "example": "5"}]}


def test_what_the_engine_writes_down_is_english(language: str) -> None:
    make_job()
    JobSpec.objects.filter(job_id="sum").update(kwargs={"a": "many"}, held_from=None)
    pause = Actor()
    with override(language):
        services.pause_job("sum", pause)
        services.resume_job("sum", pause)
    spec = services.get_job("sum")
    assert spec.state == JobState.BROKEN
    assert spec.state_reason == "kwargs.a: “many” is not a whole number. Give one such as 5."


def test_a_word_with_two_meanings_is_two_messages(client: Client, language: str) -> None:
    make_job()
    (execution,) = services.run_now(["sum"], Actor())
    calendar = client.get(f"{LIST}calendar/")
    page = client.get(f"/admin/django_apscheduler/djangojobexecution/{execution}/change/")
    asked = client.get(url_of("sum", "pause"))
    with override(language):
        assert f'aria-label="{pgettext("day, week or month", "View")}"' in calendar.content.decode()
        assert f">{pgettext('execution', 'Cancel')}</button>" in page.content.decode()
        assert f">{pgettext('leave the page', 'Cancel')}</a>" in asked.content.decode()


def test_the_words_with_two_meanings_differ_in_german() -> None:
    with override("de"):
        assert pgettext("day, week or month", "View") != gettext("View"), "the admin's own is a verb"
        assert pgettext("leave the page", "Cancel") != pgettext("execution", "Cancel")
        assert pgettext("page of a list", "Before") != pgettext("change", "Before")


def test_what_is_quoted_stands_in_the_quotation_marks_of_the_language(client: Client, language: str) -> None:
    marks = {"de": "„…“", "fr": "«\xa0…\xa0»"}.get(language, "“…”")
    quoted = marks.replace("…", "{}").format
    # The text of a page has each run of spaces as one.
    shown = marks.replace("\xa0", " ").replace("…", "{}").format
    make_job()
    services.pause_job("sum", Actor(), reason="The feed moves")
    assert shown("The feed moves") in text_of(client.get(LIST))
    assert shown("The feed moves") in text_of(client.get(url_of("sum")))
    bad = {
        "function": "tests.probe.jobs.add",
        "kwargs": {"a": "many"},
        "trigger": {"type": "interval", "hours": "soon"},
    }
    answer = client.post("/api/jobs/", bad, "application/json").json()
    assert quoted("many") in answer["kwargs.a"][0]
    assert quoted("soon") in answer["trigger.hours"][0]
    services.resume_job("sum", Actor())
    services.skip_next("sum", Actor(), reason="Not today")
    assert shown("Not today") in text_of(client.get(LIST))
