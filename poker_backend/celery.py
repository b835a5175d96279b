"""The Celery application, for sites that set CELERY_BROKER_URL: ``celery -A poker_backend worker``."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poker_backend.settings")
if not settings.CELERY_BROKER_URL:
    raise ImproperlyConfigured(
        "CELERY_BROKER_URL is not set. Set it to the broker that the scheduler sends to, such as redis://host:6379/0."
    )

app = Celery("poker_backend")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
