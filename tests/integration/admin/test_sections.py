"""The console on the admin's index: one section, its models in their order, for who may see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.test import RequestFactory
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.models import BlackoutWindow
from app_scheduler.sections import OneSection
from tests.integration.admin.jobs_site import client_of, person, superuser, text_of

pytestmark = pytest.mark.django_db

INDEX = "/admin/"
JOBS, EXECUTIONS = "/admin/django_apscheduler/djangojob/", "/admin/django_apscheduler/djangojobexecution/"
FAILURES, WINDOWS = "/admin/app_scheduler/failuregroup/", "/admin/app_scheduler/blackoutwindow/"
GROUPS, INSTANCES = "/admin/app_scheduler/concurrencygroup/", "/admin/app_scheduler/schedulerinstance/"
SECTIONS = ("/admin/django_apscheduler/", "/admin/app_scheduler/")


def addresses(section: Any) -> list[str]:
    return [model["admin_url"] for model in section["models"]]


def console_of(sections: list[Any]) -> list[Any]:
    return [each for each in sections if each["app_label"] in ("django_apscheduler", "app_scheduler")]


def test_the_models_of_the_console_stand_together_and_jobs_come_first() -> None:
    client = client_of(superuser())
    response = client.get(INDEX)
    (section,) = console_of(response.context["app_list"])
    assert (section["name"], section["app_url"]) == ("Scheduler", SECTIONS[0])
    assert addresses(section) == [JOBS, EXECUTIONS, FAILURES, WINDOWS, GROUPS, INSTANCES]
    assert [each["app_label"] for each in response.context["app_list"]].count("auth") == 1
    (sidebar,) = console_of(response.context["available_apps"])
    assert addresses(sidebar) == [JOBS, EXECUTIONS, FAILURES, WINDOWS, GROUPS, INSTANCES]
    for address in addresses(section):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("address", SECTIONS)
def test_the_page_of_either_app_shows_the_section(address: str) -> None:
    response = client_of(superuser()).get(address)
    (section,) = response.context["app_list"]
    assert addresses(section) == [JOBS, EXECUTIONS, FAILURES, WINDOWS, GROUPS, INSTANCES]
    assert "Scheduler administration" in text_of(response)


def test_it_shows_no_more_than_one_may_see() -> None:
    windows = client_of(person("windows", "view_blackoutwindow"))
    (section,) = console_of(windows.get(INDEX).context["app_list"])
    assert (section["app_url"], addresses(section)) == (SECTIONS[1], [WINDOWS])
    assert windows.get(SECTIONS[1]).status_code == 200
    jobs = client_of(person("jobs", "view_djangojob"))
    (section,) = console_of(jobs.get(INDEX).context["app_list"])
    assert addresses(section) == [JOBS]
    nobody = client_of(person("nobody"))
    assert console_of(nobody.get(INDEX).context["app_list"]) == []
    for address in SECTIONS:
        assert nobody.get(address).status_code == 404


def test_the_section_of_another_app_is_as_it_is() -> None:
    response = client_of(superuser()).get("/admin/auth/")
    (section,) = response.context["app_list"]
    assert section["app_label"] == "auth"


@pytest.mark.parametrize(("bases", "sections"), [((admin.AdminSite,), 2), ((OneSection, admin.AdminSite), 1)])
def test_a_site_with_an_admin_of_its_own_has_the_console_too(
    rf: RequestFactory, bases: tuple[type, ...], sections: int
) -> None:
    site: admin.AdminSite = type("OwnSite", bases, {})(name="admin")
    for model in (DjangoJob, DjangoJobExecution, BlackoutWindow):
        site.register(model, type(admin.site._registry[model]))
    request = rf.get(INDEX)
    request.user = superuser()
    assert len(console_of(site.get_app_list(request))) == sections
    assert len(console_of(site.get_app_list(request, "app_scheduler"))) == 1


def test_the_way_back_from_a_window_leads_to_the_section() -> None:
    assert "Home Scheduler Blackout windows" in text_of(client_of(superuser()).get(f"{WINDOWS}add/"))
