"""The site's own settings for the processes that are measured, with the app whose function they run."""

from __future__ import annotations

from tests.live_settings import *  # noqa: F403
from tests.live_settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.benchmarks"]
