"""The site in operation: set up, served as in development and as in production, ended."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.live import PASSWORD, Site, wait_until

PRODUCTION = {"DEBUG": "0", "SECRET_KEY": "only-for-this-test", "ALLOWED_HOSTS": "127.0.0.1"}


def test_set_up_makes_a_superuser_with_a_password_that_it_prints_once(sqlite_site: Site) -> None:
    first = sqlite_site.start("-m", "poker_backend.bootstrap", env={"DJANGO_SUPERUSER_USERNAME": "mira"})
    assert first.wait() == 0
    assert "Created the superuser mira, password: " in first.output()

    second = sqlite_site.start("-m", "poker_backend.bootstrap", env={"DJANGO_SUPERUSER_USERNAME": "mira"})
    assert second.wait() == 0
    assert second.output() == ""


def test_set_up_gives_an_account_the_password_that_is_asked_for(sqlite_site: Site) -> None:
    before = sqlite_site.rows("SELECT password FROM auth_user WHERE username = 'admin'")
    for password, changed in ((PASSWORD, False), ("another", True), ("another", False)):
        run = sqlite_site.start("-m", "poker_backend.bootstrap", env={"DJANGO_SUPERUSER_PASSWORD": password})
        assert run.wait() == 0
        assert ("Set the password of admin" in run.output()) is changed
        assert password not in run.output().split()
    assert sqlite_site.rows("SELECT password FROM auth_user WHERE username = 'admin'") != before


@pytest.mark.parametrize("command", [["migrate"], ["runserver", "--noreload"]])
def test_a_site_that_is_not_configured_says_what_to_set(sqlite_site: Site, command: list[str]) -> None:
    done = sqlite_site.try_manage(*command, env={"DEBUG": "0", "SECRET_KEY": ""})
    assert done.returncode == 1
    assert "SECRET_KEY is not set. Set it to" in done.stderr
    assert "Traceback" not in done.stderr


def test_runserver_ends_at_sigterm_and_leaves_nothing_behind(site: Site) -> None:
    server = site.runserver()
    assert server.stop() == 0


def test_gunicorn_serves_static_files_in_debug_without_collecting_them(sqlite_site: Site) -> None:
    server = sqlite_site.gunicorn()
    assert server.request("GET", "/static/admin/css/base.css").status == 200


def test_gunicorn_serves_a_production_site(site: Site, tmp_path: Path) -> None:
    # Where collectstatic writes is not this test's to change: a settings module of its own says another place.
    (tmp_path / "production_probe.py").write_text(
        f"from tests.live_settings import *\nSTATIC_ROOT = {str(tmp_path / 'staticfiles')!r}\n"
    )
    env = {**PRODUCTION, "DJANGO_SETTINGS_MODULE": "production_probe", "PYTHONPATH": str(tmp_path)}
    site.manage("collectstatic", "--noinput", env=env)
    server = site.gunicorn(workers=2, env=env)

    login = server.request("GET", "/admin/login/").text
    start = login.index("/static/admin/css/base.")
    hashed = login[start : login.index('"', start)]
    assert hashed != "/static/admin/css/base.css"
    style = server.request("GET", hashed)
    assert style.status == 200
    assert "immutable" in style.headers["Cache-Control"]

    missing = server.request("GET", "/no/such/page/")
    assert missing.status == 404
    assert "There is nothing at this address" in missing.text
    assert server.stop() == 0


def test_a_public_production_site_redirects_to_https_and_trusts_the_named_proxy(sqlite_site: Site) -> None:
    script = (
        "import django, json; django.setup(); from django.conf import settings as s;"
        "print(json.dumps([s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SECURE_HSTS_SECONDS,"
        " s.SECURE_PROXY_SSL_HEADER]))"
    )
    public = {**PRODUCTION, "ALLOWED_HOSTS": "jobs.example.com", "SECURE_PROXY_SSL_HEADER": "X-Forwarded-Proto"}
    for env, expected in (
        (public, [True, True, True, 3600, ["HTTP_X_FORWARDED_PROTO", "https"]]),
        ({**public, "SECURE_SSL_REDIRECT": "0"}, [False, False, False, 0, ["HTTP_X_FORWARDED_PROTO", "https"]]),
        (PRODUCTION, [False, False, False, 0, None]),
    ):
        shown = sqlite_site.start("-c", script, env=env)
        assert shown.wait() == 0, shown
        assert json.loads(shown.output()) == expected


def test_a_killed_server_leaves_no_process_behind(sqlite_site: Site) -> None:
    server = sqlite_site.gunicorn(workers=2)
    workers = server.children()
    assert len(workers) >= 2
    server.kill()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), 30, "the workers' end")
