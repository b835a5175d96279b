"""What this process is: one that serves and so may lead, one that will fork such processes, or a client."""

from __future__ import annotations

import os
import sys
from enum import Enum
from types import FrameType
from typing import Any

from django.conf import settings

#: Where Django hands a server its application. A process whose ``django.setup()`` is called from there is a server.
SERVER_ENTRY_POINTS = frozenset({"django.core.wsgi", "django.core.asgi"})

#: Whether this is a child that runs executions. Its arguments are those of its server, as ``multiprocessing`` has it.
is_child = False


class ProcessKind(Enum):
    SERVER = "server"
    PREFORK = "prefork"
    CLIENT = "client"


def kind_of_process() -> ProcessKind:
    """Tell what this process is. To be called from ``AppConfig.ready()``, since it looks at who called ``setup()``.

    No list of servers is kept: gunicorn, uvicorn, granian, mod_wsgi and the like all load ``wsgi.py`` or ``asgi.py``,
    and ``migrate``, ``shell``, the tests and a Celery worker do not. ``runserver`` is the exception, known by name.
    """
    if is_child:
        return ProcessKind.CLIENT
    if _is_runserver():
        return ProcessKind.SERVER
    modules = set(_calling_modules())
    if not modules & (SERVER_ENTRY_POINTS | _site_entry_points()):
        return ProcessKind.CLIENT
    return ProcessKind.PREFORK if _will_fork(modules) else ProcessKind.SERVER


def _is_runserver() -> bool:
    """Tell whether this is the process of ``runserver`` that serves: its autoreloader's parent never does."""
    if "runserver" not in sys.argv[1:2]:
        return False
    return os.environ.get("RUN_MAIN") == "true" or "--noreload" in sys.argv


def _site_entry_points() -> set[str]:
    paths = (getattr(settings, "WSGI_APPLICATION", None), getattr(settings, "ASGI_APPLICATION", None))
    return {path.rpartition(".")[0] for path in paths if path}


def _calling_modules() -> list[str]:
    modules = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        modules.append(str(frame.f_globals.get("__name__", "")))
        frame = frame.f_back
    return modules


def _will_fork(modules: set[str]) -> bool:
    """Tell whether this server process has loaded the site only to fork its workers from it.

    Threads and database connections do not survive a fork, so the scheduler must start after it. Under
    ``gunicorn --preload`` the arbiter loads the site with no worker on the stack; a worker of plain gunicorn was
    forked by the arbiter and so has both there. uWSGI says who its master is.
    """
    uwsgi: Any = sys.modules.get("uwsgi")
    if uwsgi is not None:
        return bool(uwsgi.masterpid()) and uwsgi.worker_id() == 0
    by_gunicorn = any(name.startswith("gunicorn.") for name in modules)
    return by_gunicorn and not any(name.startswith("gunicorn.workers") for name in modules)
