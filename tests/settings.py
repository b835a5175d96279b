"""The site's settings for tests: a database of the run's own, a fast password hash, a scheduler that does not start.

TEST_DATABASE chooses the database: sqlite (the default; a file, so that threads share it) or postgres (a real server,
which starts here).
"""

from __future__ import annotations

import os

from tests.run_directory import reserve_run_directory

TEST_DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
if TEST_DATABASE not in {"sqlite", "postgres"}:
    raise ValueError(f"TEST_DATABASE is {TEST_DATABASE!r}. Set it to sqlite or postgres.")


def _database_url() -> str:
    if TEST_DATABASE == "sqlite":
        return f"sqlite:///{reserve_run_directory() / 'development.sqlite3'}"
    from tests import postgres

    return postgres.url()


# Nothing of the developer's own configuration may change a test's outcome.
for _name in ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "TIME_ZONE", "LANGUAGE_CODE", "USE_TZ", "CELERY_BROKER_URL"):
    os.environ.pop(_name, None)
for _name in [name for name in os.environ if name.startswith(("APP_SCHEDULER_", "SECURE_", "EMAIL_"))]:
    del os.environ[_name]
os.environ |= {
    "DEBUG": "1",
    "SECRET_KEY": "tests-only",
    "DATABASE_URL": _database_url(),
    "APP_SCHEDULER_AUTOSTART": "0",
}

from poker_backend.settings import *  # noqa: E402, F403
from poker_backend.settings import DATABASES, INSTALLED_APPS  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.probe"]

if TEST_DATABASE == "sqlite":
    # A file: threads cannot share a database in memory. Each xdist worker adds its name to it.
    DATABASES["default"]["TEST"] = {"NAME": str(reserve_run_directory() / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"
else:
    DATABASES["default"]["TEST"] = {"NAME": "test_poker_backend"}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
