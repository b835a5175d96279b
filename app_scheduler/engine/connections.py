"""The connections of the engine's own threads: how they are set up, and how to let one go."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper

from app_scheduler.conf import console_settings

logger = logging.getLogger(__name__)

#: The part of the lease for which a transaction of the engine may stand still before PostgreSQL ends it.
PART_OF_LEASE = 0.5
#: The engine finds each row by a key. In tables that grow from empty within a minute, or were never analysed,
#: PostgreSQL would rather hash or read them whole.
BY_KEY = ("enable_hashjoin = off", "enable_mergejoin = off", "enable_seqscan = off", "jit = off")
#: A statement that comes as often as this is prepared when it comes again.
PREPARE_AFTER = 1

_thread = threading.local()


def set_up_connection() -> None:
    """Have this thread's connections set up for the engine's statements. SQLite needs nothing of it.

    PostgreSQL finds rows by their keys, prepares the statements that come back each second, and ends a transaction
    that stands still, and with it its locks: a process that is stalled or cut off in the middle of one would else hold
    up whoever leads after it, for as long as the server takes it to be there.
    """
    _thread.is_engine = True


def _is_engine() -> bool:
    return getattr(_thread, "is_engine", False)


def _on_connect(sender: Any, connection: Any, **kwargs: Any) -> None:
    if connection.vendor == "postgresql" and _is_engine():
        milliseconds = max(1, int(console_settings.lease_seconds * PART_OF_LEASE * 1000))
        options = (f"idle_in_transaction_session_timeout = {milliseconds}", *BY_KEY)
        with connection.cursor() as cursor:
            cursor.execute("; ".join(f"SET {option}" for option in options))
        if not _is_pooled(connection):
            connection.connection.prepare_threshold = PREPARE_AFTER


connection_created.connect(_on_connect, dispatch_uid="app_scheduler_set_up_connection")


def engine_cursor() -> CursorWrapper:
    """Return a cursor of this thread's connection which, in the engine's threads, has PostgreSQL prepare statements.

    To parse and plan a statement takes the server about as long as to carry it out for one tick. A pool that hands out
    a server's connection for each transaction loses what was prepared; Django's setting for such a pool is heeded.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql" or not _is_engine() or _is_pooled(connection):
        return connection.cursor()
    import psycopg  # Here, for it is not installed where PostgreSQL is not used.

    connection.ensure_connection()
    # Django's own cursors put the parameters into the text, of which nothing can be prepared.
    cursor: Any = psycopg.Cursor(connection.connection)
    return connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)


def _is_pooled(connection: BaseDatabaseWrapper) -> bool:
    return bool(connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"))


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
