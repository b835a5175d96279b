"""The ASGI application, for a server process. Loading it starts the scheduler."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poker_backend.settings")

application = get_asgi_application()
