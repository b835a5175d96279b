"""Read the site's configuration from the environment. What is wrong there is said at start, with its fix."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo

import dj_database_url
import django
from django.core.exceptions import ImproperlyConfigured
from environs import FileAwareEnv

#: Wait for another writer rather than fail, and take the write lock when a transaction begins: one that begins by
#: reading and then writes cannot wait, and fails at once with "database is locked".
SQLITE_OPTIONS = {
    "timeout": 30,
    "transaction_mode": "IMMEDIATE",
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        " PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16000; PRAGMA journal_size_limit=67108864"
    ),
}

#: libpq's names for what Django keeps beside OPTIONS.
LIBPQ_NAMES = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}

#: Variables of the console that hold comma-separated lists.
CONSOLE_LISTS = {"APP_SCHEDULER_ALLOWED_COMMANDS", "APP_SCHEDULER_ALLOWED_URL_HOSTS"}
#: Those that are text even where it reads as JSON: release 1.10 is not 1.1.
CONSOLE_TEXTS = {"APP_SCHEDULER_RELEASE"}

LOOPBACK_HOSTS = ("localhost", ".localhost", "127.0.0.1", "[::1]")

#: Any variable NAME may be given as NAME_FILE instead: the path of a file that holds the value.
_env = FileAwareEnv(strip_whitespace=True)


class SettingsError(ImproperlyConfigured):
    """The environment cannot configure the site; the message says what to set."""


def text(name: str, default: str = "") -> str:
    """Return a variable's text. One that is set but empty counts as not set."""
    return str(_read("str", name, "", "Give it a readable file, or leave it out.")) or default


def flag(name: str, default: bool) -> bool:
    return default if not text(name) else bool(_read("bool", name, default, "Set it to 1 or 0, or leave it out."))


def number(name: str, default: int, minimum: int = 0) -> int:
    fix = f"Set it to a whole number of at least {minimum}, or leave it out for {default}."
    value = default if not text(name) else int(_read("int", name, default, fix))
    if value < minimum:
        raise SettingsError(f"{name} is {value}. {fix}")
    return value


def names(name: str, default: Sequence[str] = ()) -> list[str]:
    """Return the comma-separated parts of a variable."""
    return [part.strip() for part in text(name).split(",") if part.strip()] or list(default)


def _read(kind: str, name: str, default: object, fix: str) -> Any:
    try:
        return getattr(_env, kind)(name, default)
    except ValueError as error:
        raise SettingsError(f"{str(error).rstrip('.')}. {fix}") from None


def secret_key(debug: bool) -> str:
    """Return SECRET_KEY. In DEBUG it may be left out: the key is then a public one, whose name says so."""
    key = text("SECRET_KEY")
    if not key and not debug:
        raise SettingsError(
            "SECRET_KEY is not set. Set it to a long random text that stays the same between restarts, for example"
            " the output of: python3 -c 'import secrets; print(secrets.token_urlsafe(50))'."
            " For development set DEBUG=1 instead."
        )
    return key or "django-insecure-public-key-for-development-only"


def time_zone() -> str:
    name = text("TIME_ZONE", "Australia/Sydney")
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # Not found, not a name, a folder such as "Australia".
        fix = "Use an IANA name such as Australia/Sydney or UTC."
        raise SettingsError(f"TIME_ZONE is {name!r}, not a time zone. {fix}") from None
    return name


def database(base_dir: Path) -> dict[str, Any]:
    """Return Django's settings of the database that DATABASE_URL names, by default SQLite in ``base_dir``."""
    url = text("DATABASE_URL")
    if not url:
        return _sqlite({"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}, base_dir)
    # The URL may hold a password, so no more of it than its scheme is ever shown.
    try:
        parts = urlsplit(url)
        if parts.scheme not in {"sqlite", "postgres", "postgresql", "pgsql"}:
            raise SettingsError(
                f"DATABASE_URL begins with {parts.scheme!r}. Use sqlite:///file.sqlite3,"
                " postgresql://user:password@host/name or postgresql://user@/name?host=/socket/directory."
            )
        config = dict(dj_database_url.parse(url))
    except ValueError:
        fix = "A character such as @, / or [ in a name or a password is percent-encoded: %40, %2F, %5B."
        raise SettingsError(f"DATABASE_URL is not a URL. {fix}") from None
    return _sqlite(config, base_dir) if parts.scheme == "sqlite" else _postgresql(config, parts)


def _sqlite(config: dict[str, Any], base_dir: Path) -> dict[str, Any]:
    if config["NAME"] != ":memory:":
        # A relative path would name another file in each working directory.
        config["NAME"] = str(base_dir / config["NAME"])
    return _persistent({**config, "OPTIONS": {**SQLITE_OPTIONS, **config.get("OPTIONS", {})}})


def _postgresql(config: dict[str, Any], parts: SplitResult) -> dict[str, Any]:
    options = dict(config.get("OPTIONS", {}))
    for libpq_name, name in LIBPQ_NAMES.items():
        if libpq_name in options:
            config[name] = str(options.pop(libpq_name))
    if config["HOST"].startswith("/"):
        # A socket directory given percent-encoded in the host's place, which URL parsers turn into lower case.
        encoded = parts.netloc.rpartition("@")[2]
        if "/" in unquote(encoded):
            config["HOST"] = unquote(encoded.partition(":")[0])
    if not config["NAME"]:
        raise SettingsError("DATABASE_URL names no database. Write postgresql://user:password@host/name.")
    return _persistent({**config, "OPTIONS": options})


def _persistent(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "CONN_MAX_AGE": number("CONN_MAX_AGE", 60), "CONN_HEALTH_CHECKS": True}


def serves_only_this_machine(hosts: Sequence[str]) -> bool:
    return all(host in LOOPBACK_HOSTS for host in hosts)


def proxy_header() -> tuple[str, str] | None:
    """Return Django's form of SECURE_PROXY_SSL_HEADER, for example X-Forwarded-Proto."""
    name = text("SECURE_PROXY_SSL_HEADER")
    return (f"HTTP_{name.upper().replace('-', '_').removeprefix('HTTP_')}", "https") if name else None


def console_settings() -> dict[str, Any]:
    """Return every APP_SCHEDULER_* variable as a setting: a list, JSON where it reads as JSON, or else its text."""
    return {
        name: _console_setting(name, value)
        for name, value in os.environ.items()
        if name.startswith("APP_SCHEDULER_") and value
    }


def _console_setting(name: str, value: str) -> Any:
    if name in CONSOLE_TEXTS:
        return value
    return names(name) if name in CONSOLE_LISTS and not value.startswith("[") else _json_or_text(value)


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def mail(debug: bool) -> dict[str, Any]:
    """Return the mail settings of the running Django: ``MAILERS`` from 6.1 on, ``EMAIL_*`` before.

    EMAIL_URL says it in one line: smtp://user:password@host:25, smtp+tls://…:587, smtps://…:465, file:///directory,
    console: or dummy:. Without it the EMAIL_* variables are read.
    """
    backend, options = _mail_from_url() if text("EMAIL_URL") else _mail_from_parts(debug)
    if django.VERSION >= (6, 1):
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    setting_names = {"username": "HOST_USER", "password": "HOST_PASSWORD"}
    return {
        "EMAIL_BACKEND": backend,
        **{f"EMAIL_{setting_names.get(name, name.upper())}": value for name, value in options.items()},
    }


def _mail_from_url() -> tuple[str, dict[str, Any]]:
    ports = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
    try:
        parts = urlsplit(text("EMAIL_URL"))
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme in {"console", "dummy"}:
        return _mail_backend(parts.scheme), {}
    if parts.scheme == "file":
        return _mail_backend("filebased"), {"file_path": unquote(parts.path)}
    if parts.scheme not in ports or not parts.hostname:
        raise SettingsError(
            "EMAIL_URL cannot be read. Use smtp://user:password@host:25, smtp+tls://user:password@host:587,"
            " smtps://user:password@host:465, file:///directory, console: or dummy:."
        )
    return _mail_backend("smtp"), {
        "host": parts.hostname,
        "port": port or ports[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_tls": parts.scheme == "smtp+tls",
        "use_ssl": parts.scheme == "smtps",
        "timeout": number("EMAIL_TIMEOUT", 10, minimum=1),
    }


def _mail_from_parts(debug: bool) -> tuple[str, dict[str, Any]]:
    host = text("EMAIL_HOST")
    if debug and not host:
        return text("EMAIL_BACKEND", _mail_backend("console")), {}
    return text("EMAIL_BACKEND", _mail_backend("smtp")), {
        "host": host or "localhost",
        "port": number("EMAIL_PORT", 25, minimum=1),
        "username": text("EMAIL_HOST_USER"),
        "password": text("EMAIL_HOST_PASSWORD"),
        "use_tls": flag("EMAIL_USE_TLS", False),
        "use_ssl": flag("EMAIL_USE_SSL", False),
        "timeout": number("EMAIL_TIMEOUT", 10, minimum=1),
    }


def _mail_backend(name: str) -> str:
    return f"django.core.mail.backends.{name}.EmailBackend"
