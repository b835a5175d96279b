"""The site around the console: its addresses, its error pages, the admin's name."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

pytestmark = pytest.mark.django_db


def _broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a secret of the server's")


urlpatterns = [path("broken/", _broken)]


def test_the_front_door_leads_to_the_admin(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 302
    assert response["Location"] == "/admin/"


def test_the_admin_bears_the_sites_name(client: Client) -> None:
    assert "Poker backend" in client.get("/admin/login/").content.decode()


def test_an_unknown_address_gets_a_page_that_helps(client: Client) -> None:
    response = client.get("/no/such/page/")
    assert response.status_code == 404
    assert "There is nothing at this address" in response.content.decode()


@override_settings(ROOT_URLCONF=__name__)
def test_an_error_of_the_server_gets_a_page_that_tells_nothing_of_it() -> None:
    response = Client(raise_request_exception=False).get("/broken/")
    assert response.status_code == 500
    assert "Something went wrong" in response.content.decode()
    assert "secret" not in response.content.decode()


def test_pages_may_not_be_framed(client: Client) -> None:
    assert client.get("/admin/login/")["X-Frame-Options"] == "DENY"
