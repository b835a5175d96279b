"""How the environment becomes settings, and what is said where it cannot."""

from __future__ import annotations

from pathlib import Path

import django
import pytest

from poker_backend import environment
from poker_backend.environment import SettingsError

BASE_DIR = Path("/srv/site")


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SECRET_KEY", "TIME_ZONE", "EMAIL_URL", "EMAIL_HOST", "CONN_MAX_AGE"):
        monkeypatch.delenv(name, raising=False)


def test_sqlite_in_the_project_is_the_default_database() -> None:
    config = environment.database(BASE_DIR)
    assert config["ENGINE"] == "django.db.backends.sqlite3"
    assert config["NAME"] == "/srv/site/db.sqlite3"
    assert config["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert config["OPTIONS"]["timeout"] >= 20
    assert "journal_mode=WAL" in config["OPTIONS"]["init_command"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:///jobs.sqlite3", "/srv/site/jobs.sqlite3"),
        ("sqlite:////data/jobs.sqlite3", "/data/jobs.sqlite3"),
        ("sqlite:////data/my%20jobs.sqlite3", "/data/my jobs.sqlite3"),
        ("sqlite://:memory:", ":memory:"),
    ],
)
def test_a_sqlite_url_names_a_file_and_gets_the_same_options(
    monkeypatch: pytest.MonkeyPatch, url: str, name: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    config = environment.database(BASE_DIR)
    assert config["NAME"] == name
    assert config["OPTIONS"] == environment.SQLITE_OPTIONS


def test_a_sqlite_url_may_change_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///jobs.sqlite3?timeout=60")
    assert environment.database(BASE_DIR)["OPTIONS"] == {**environment.SQLITE_OPTIONS, "timeout": 60}


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgresql://me@/jobs?host=/run/PostgreSQL", "/run/PostgreSQL", ""),
        ("postgresql://me@/jobs?host=%2Frun%2FPostgreSQL&port=5433", "/run/PostgreSQL", "5433"),
        ("postgres://me@%2Frun%2FPostgreSQL/jobs", "/run/PostgreSQL", ""),
        ("postgres://me@db.example.com:5433/jobs", "db.example.com", 5433),
    ],
)
def test_a_postgresql_url_may_name_a_host_or_a_socket_directory(
    monkeypatch: pytest.MonkeyPatch, url: str, host: str, port: str | int
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    config = environment.database(BASE_DIR)
    assert config["ENGINE"] == "django.db.backends.postgresql"
    assert (config["USER"], config["NAME"], config["HOST"], config["PORT"]) == ("me", "jobs", host, port)
    assert config["OPTIONS"] == {}
    assert config["CONN_MAX_AGE"] == 60
    assert config["CONN_HEALTH_CHECKS"] is True


def test_libpq_options_and_escaped_passwords_reach_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:p%40ss%2Fword@db/jobs?sslmode=verify-full&connect_timeout=5")
    config = environment.database(BASE_DIR)
    assert config["PASSWORD"] == "p@ss/word"
    assert config["OPTIONS"] == {"sslmode": "verify-full", "connect_timeout": 5}


@pytest.mark.parametrize(
    ("url", "fix"),
    [
        ("mysql://me:hidden@db/jobs", "Use sqlite:///"),
        ("/data/db.sqlite3", "Use sqlite:///"),
        ("postgresql://me:hidden@db", "names no database"),
        ("postgresql://me:hid[den@db/jobs", "percent-encoded"),
        ("postgresql://me:hidden@db:port/jobs", "percent-encoded"),
    ],
)
def test_an_unusable_database_url_is_refused_without_showing_its_password(
    monkeypatch: pytest.MonkeyPatch, url: str, fix: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match=fix) as caught:
        environment.database(BASE_DIR)
    assert "hid" not in str(caught.value)


def test_a_secret_key_is_required_outside_debug() -> None:
    with pytest.raises(SettingsError, match=r"SECRET_KEY is not set.*For development set DEBUG=1"):
        environment.secret_key(debug=False)


def test_debug_has_a_key_that_says_what_it_is() -> None:
    assert environment.secret_key(debug=True).startswith("django-insecure-")


def test_a_variable_may_be_given_as_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))
    assert environment.secret_key(debug=False) == "from a file"


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(SettingsError, match="SECRET_KEY_FILE must be a readable file"):
        environment.secret_key(debug=False)


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("on", True), ("0", False), ("False", False), ("", True)])
def test_a_flag_is_read_and_an_empty_one_counts_as_not_set(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("A_FLAG", value)
    assert environment.flag("A_FLAG", True) is expected


def test_a_flag_that_is_neither_on_nor_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_FLAG", "maybe")
    with pytest.raises(SettingsError, match=r'"A_FLAG".*Set it to 1 or 0'):
        environment.flag("A_FLAG", False)


@pytest.mark.parametrize("value", ["0", "-3", "ten", "1.5"])
def test_a_number_out_of_range_is_refused_with_the_range(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("A_NUMBER", value)
    with pytest.raises(SettingsError, match="whole number of at least 1, or leave it out for 10"):
        environment.number("A_NUMBER", 10, minimum=1)


@pytest.mark.parametrize("name", ["Sydney", "Australia", "../etc/passwd", "AEST+10"])
def test_what_is_not_a_time_zone_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TIME_ZONE", name)
    with pytest.raises(SettingsError, match="IANA name such as Australia/Sydney"):
        environment.time_zone()


def test_sydney_is_the_default_time_zone() -> None:
    assert environment.time_zone() == "Australia/Sydney"


@pytest.mark.parametrize(
    ("hosts", "expected"), [(["localhost", "127.0.0.1"], True), (["localhost", "example.com"], False), (["*"], False)]
)
def test_a_site_with_loopback_names_only_serves_only_this_machine(hosts: list[str], expected: bool) -> None:
    assert environment.serves_only_this_machine(hosts) is expected


@pytest.mark.parametrize("given", ["X-Forwarded-Proto", "HTTP_X_FORWARDED_PROTO"])
def test_a_proxy_header_is_given_by_its_own_name_or_djangos(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("SECURE_PROXY_SSL_HEADER", given)
    assert environment.proxy_header() == ("HTTP_X_FORWARDED_PROTO", "https")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("SHUTDOWN_SECONDS", "2.5", 2.5),
        ("BACKUP_DIR", "/data/backups", "/data/backups"),
        ("JOB_DEFAULTS", '{"coalesce": false}', {"coalesce": False}),
        ("ALLOWED_COMMANDS", "check, clearsessions", ["check", "clearsessions"]),
        ("ALLOWED_COMMANDS", '["check"]', ["check"]),
    ],
)
def test_every_variable_of_the_console_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: object
) -> None:
    monkeypatch.setenv(f"APP_SCHEDULER_{name}", value)
    assert environment.console_settings()[f"APP_SCHEDULER_{name}"] == expected


def test_an_email_url_says_server_login_and_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMAIL_URL", "smtp+tls://me%40example.com:secret@mail.example.com")
    settings = environment.mail(debug=False)
    if django.VERSION >= (6, 1):
        options = settings["MAILERS"]["default"]["OPTIONS"]
        found = options["host"], options["port"], options["username"], options["use_tls"], options["use_ssl"]
    else:
        names = ("HOST", "PORT", "HOST_USER", "USE_TLS", "USE_SSL")
        found = tuple(settings[f"EMAIL_{name}"] for name in names)
    assert found == ("mail.example.com", 587, "me@example.com", True, False)


@pytest.mark.parametrize("url", ["mail.example.com", "smtp://", "smtp://host:port", "smtp://[host"])
def test_an_email_url_that_names_no_server_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("EMAIL_URL", url)
    with pytest.raises(SettingsError, match="Use smtp://"):
        environment.mail(debug=False)


def test_mail_is_printed_in_debug() -> None:
    assert "console.EmailBackend" in str(environment.mail(debug=True))


@pytest.mark.parametrize("version", ["1.10", "20261123", "null", "v2.3.1"])
def test_a_release_is_text_even_where_it_reads_as_a_number(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("APP_SCHEDULER_RELEASE", version)
    assert environment.console_settings()["APP_SCHEDULER_RELEASE"] == version
