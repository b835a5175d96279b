"""The connections of the engine's own threads: how long their transactions may stand still, and how to let one go."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.signals import connection_created

from app_scheduler.conf import console_settings

logger = logging.getLogger(__name__)

#: The part of the lease for which a transaction of the engine may stand still before PostgreSQL ends it.
PART_OF_LEASE = 0.5

_thread = threading.local()


def bound_transactions() -> None:
    """Have PostgreSQL end a transaction of this thread that stands still, and with it its locks.

    A process that is stalled or cut off in the middle of one would else hold up whoever leads after it, for as long as
    the server takes it to be there. SQLite has no such limit: its lock goes with the process.
    """
    _thread.bounded = True


def _on_connect(sender: Any, connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "postgresql" and getattr(_thread, "bounded", False):
        milliseconds = max(1, int(console_settings.lease_seconds * PART_OF_LEASE * 1000))
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_in_transaction_session_timeout = {milliseconds}")


connection_created.connect(_on_connect, dispatch_uid="app_scheduler_bound_transactions")


def drop_connection() -> None:
    """Let go of this thread's connection, whatever state an exception left it in; the next query makes a new one.

    ``close()`` alone is not enough: inside what it takes for a transaction it keeps the connection unusable.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    try:
        connection.in_atomic_block = False
        if connection.connection is not None:
            # SQLite keeps the lock of a closed connection as long as some traceback holds one of its cursors.
            with contextlib.suppress(Exception):
                connection.connection.rollback()
        connection.close()
    except Exception:
        logger.debug("A broken connection did not close", exc_info=True)
    del connections[DEFAULT_DB_ALIAS]
