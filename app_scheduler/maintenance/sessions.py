"""Expired sessions."""

from __future__ import annotations

import logging
from importlib import import_module

from django.conf import settings

logger = logging.getLogger(__name__)


def clear_expired_sessions() -> str:
    """Have the site's session engine clear what has expired, as ``clearsessions`` does; return the engine's name.

    Engines whose store forgets by itself, such as the cache's and the signed cookies', do nothing.
    """
    engine: str = settings.SESSION_ENGINE
    import_module(engine).SessionStore.clear_expired()
    logger.info("Cleared expired sessions of %s", engine)
    return engine
