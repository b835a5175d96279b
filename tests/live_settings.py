"""The site's own settings for the real processes that tests start, with the probe app, and logins that cost no time."""

from __future__ import annotations

from poker_backend.settings import *  # noqa: F403
from poker_backend.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.probe"]

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
