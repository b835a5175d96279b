"""System checks: each misconfiguration with its hint."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from app_scheduler.conf import SETTINGS, console_settings
from app_scheduler.engine.executors.kinds import misconfigurations
from app_scheduler.registry import registry

PREFIX = "APP_SCHEDULER_"


@register("app_scheduler")
def check_installed_apps(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E001: django-apscheduler holds the tables of jobs and executions."""
    if apps.is_installed("django_apscheduler"):
        return []
    return [
        Error(
            "“django_apscheduler” is not installed.",
            hint="Add it to INSTALLED_APPS: it holds the tables of jobs and executions.",
            id="app_scheduler.E001",
        )
    ]


@register("app_scheduler")
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E002, E003, E004, W001: the console's settings have values that it can work with."""
    found: list[CheckMessage] = []
    if not settings.USE_TZ:
        found.append(
            Error(
                "USE_TZ is off.",
                hint="Set USE_TZ = True: the console stores and compares all times in UTC.",
                id="app_scheduler.E002",
            )
        )
    for name, value, least in (
        ("LEASE_SECONDS", console_settings.lease_seconds, 1),
        ("MAX_WORKERS", console_settings.max_workers, 1),
    ):
        if value < least:
            found.append(
                Error(f"{PREFIX}{name} is {value}.", hint=f"Set it to {least} or more.", id="app_scheduler.E003")
            )
    found += [Error(fault.message, hint=fault.hint, id="app_scheduler.E004") for fault in misconfigurations()]
    known = {PREFIX + name for name in SETTINGS}
    for name in sorted(set(dir(settings)) - known):
        if name.startswith(PREFIX):
            found.append(
                Warning(
                    f"There is no setting {name}.",
                    hint=f"The settings are {', '.join(sorted(known))}.",
                    id="app_scheduler.W001",
                )
            )
    return found


@register("app_scheduler")
def check_celery(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E006: an executor of the type “celery” has a broker to send to. Without one, Celery is not even looked for."""
    found: list[CheckMessage] = []
    for alias, options in console_settings.executors.items():
        if not isinstance(options, Mapping) or options.get("type") != "celery" or find_spec("celery") is None:
            continue
        if fault := _fault_of_celery(options.get("app")):
            hint = (
                "Set “app” to the dotted name of the site's Celery application, such as “site.celery:app”, and its"
                " broker_url to a broker that its workers reach."
            )
            message = f"{PREFIX}EXECUTORS[{alias!r}] cannot send: {fault}"
            found.append(Error(message, hint=hint, id="app_scheduler.E006"))
    return found


def _fault_of_celery(app_name: str | None) -> str:
    """Return what keeps the executor from its broker, as far as the settings say; "" if nothing does."""
    from app_scheduler.engine.executors.celery import celery_app, create_connection

    try:
        app = celery_app(app_name)
        if not app.conf.broker_url:
            return f"the application {app_name or app.main!r} has no broker_url."
        create_connection(app)
    except Exception as error:  # Whatever importing the site's module raises, or a transport that is not installed.
        return f"{type(error).__name__}: {error}"
    return ""


@register("app_scheduler")
def check_jobs_modules(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """W002: every ``jobs.py`` can be imported; the jobs of one that cannot are broken until it can."""
    registry.discover()
    return [
        Warning(
            f"{module} cannot be imported: {message}",
            hint="Mend the module; until then its functions cannot run and their jobs are marked broken.",
            id="app_scheduler.W002",
        )
        for module, message in sorted(registry.import_errors.items())
    ]


@register(Tags.database)
def check_database(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E005: claims need ``UPDATE … FROM … RETURNING``."""
    engine = connections["default"].vendor
    if engine == "postgresql":
        return []
    if engine == "sqlite" and sqlite3.sqlite_version_info >= (3, 35):
        return []
    return [
        Error(
            f"The scheduler cannot claim its ticks on {engine}.",
            hint="Use PostgreSQL, or SQLite 3.35 or newer.",
            id="app_scheduler.E005",
        )
    ]
