"""The site's own settings, with the functions that the pictures show."""

from __future__ import annotations

from tests.live_settings import *  # noqa: F403
from tests.live_settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.pictures"]
