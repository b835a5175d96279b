"""The doorbell: how a process tells the others that there is something to do, without waiting for their sleep to end.

It is a courtesy only. A ring that is lost costs at most the loop's longest sleep, one second.
PostgreSQL carries it with NOTIFY. SQLite's processes share a host, so there a datagram on the loopback interface
does; each instance's port stands in its row.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import connection

from app_scheduler.models import SchedulerInstance

logger = logging.getLogger(__name__)

CHANNEL = "app_scheduler"
LOOPBACK = "127.0.0.1"


class Doorbell:
    """Calls ``on_ring`` from a thread of its own when any process rings."""

    def __init__(self, on_ring: Callable[[], None]) -> None:
        self._on_ring = on_ring
        self._closed = threading.Event()
        self._work: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    def listen(self) -> None:
        """Begin to listen, once."""
        if self._work is not None:
            return
        # One for each time, or a thread that has not seen yet that it was closed would go on.
        self._closed = threading.Event()
        if connection.vendor == "postgresql":
            work = partial(self._listen_to_notify, self._closed, connection.get_connection_params())
        else:
            self._socket = self._socket or _bound_socket()
            work = partial(self._listen_to_datagrams, self._closed, self._socket)
        self._start(work)
        self._work = work

    @property
    def alive(self) -> bool:
        """Tell whether it listens, or is not asked to."""
        thread = self._thread
        return self._work is None or self._closed.is_set() or (thread is not None and thread.is_alive())

    def revive(self) -> None:
        """Listen again, at the same port, where the thread has ended."""
        if self._work is not None:
            self._start(self._work)

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, name="doorbell", daemon=True)
        thread.start()
        self._thread = thread

    @property
    def port(self) -> int | None:
        """The port of this process's bell, where it has one."""
        bell = self._socket
        return bell.getsockname()[1] if bell is not None else None

    def ring(self) -> None:
        """Wake all instances. Called after a commit, outside any transaction; never raises."""
        try:
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"NOTIFY {CHANNEL}")
                return
            ports = SchedulerInstance.objects.exclude(bell=None).values_list("bell", flat=True)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bell:
                for port in ports:
                    if port != self.port:
                        bell.sendto(b"!", (LOOPBACK, port))
        except Exception:
            logger.debug("The doorbell did not ring", exc_info=True)

    def close(self) -> None:
        self._closed.set()
        self._work = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _listen_to_datagrams(self, closed: threading.Event, bell: socket.socket) -> None:
        while not closed.is_set():
            try:
                bell.recv(16)
            except TimeoutError:
                continue
            except OSError:  # It was closed, perhaps before this thread began.
                if closed.wait(1):
                    return
                continue
            self._on_ring()

    def _listen_to_notify(self, closed: threading.Event, parameters: dict[str, Any]) -> None:
        import psycopg

        options = {name: value for name, value in parameters.items() if name not in {"context", "cursor_factory"}}
        while not closed.is_set():
            try:
                with psycopg.connect(**options, autocommit=True) as listener:
                    listener.execute(f"LISTEN {CHANNEL}")
                    while not closed.is_set():
                        for _ in listener.notifies(timeout=1, stop_after=1):
                            self._on_ring()
            except Exception:
                logger.debug("The doorbell is away; the loop still looks each second", exc_info=True)
                closed.wait(1)


def _bound_socket() -> socket.socket:
    bell = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bell.settimeout(1)
    bell.bind((LOOPBACK, 0))
    return bell
