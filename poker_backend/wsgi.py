"""The WSGI application, for a server process. Loading it starts the scheduler."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poker_backend.settings")

application = get_wsgi_application()
