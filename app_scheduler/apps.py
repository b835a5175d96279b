"""Wires the console into Django: checks, and the live scheduler in processes that serve."""

from __future__ import annotations

import atexit
import os
import signal
import threading
from types import FrameType
from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AppSchedulerConfig(AppConfig):
    name = "app_scheduler"
    verbose_name = _("Scheduler")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Start the live scheduler where this process serves. Makes no query: the loop waits for Django and tables."""
        from app_scheduler import checks  # noqa: F401  # registers the system checks
        from app_scheduler.conf import console_settings
        from app_scheduler.engine.process import ProcessKind, kind_of_process

        if not console_settings.autostart:
            os.register_at_fork(after_in_child=_forget_parent)
            return
        kind = kind_of_process()
        os.register_at_fork(after_in_child=_serve if kind is ProcessKind.PREFORK else _forget_parent)
        if kind is ProcessKind.SERVER:
            _serve()


def _serve() -> None:
    from app_scheduler.engine.scheduler import get_scheduler

    scheduler = get_scheduler()
    scheduler.after_fork()
    scheduler.start()
    atexit.register(_stop)
    _stop_on_sigterm()


def _forget_parent() -> None:
    """Make a forked child a client: a job that uses multiprocessing must not bring forth a second scheduler."""
    from app_scheduler.engine import scheduler

    scheduler.forget_parent()


def _stop() -> None:
    from app_scheduler.engine.scheduler import get_scheduler

    scheduler = get_scheduler()
    if scheduler.serving:
        scheduler.shutdown()


def _stop_on_sigterm() -> None:
    """Hand the lease over as soon as SIGTERM comes, also under servers that end without running ``atexit``.

    runserver without its reloader dies of the default action, and uvicorn raises the signal again after its own
    shutdown. What was installed before is called as before.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    previous = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: FrameType | None) -> Any:
        from app_scheduler.engine.scheduler import get_scheduler

        get_scheduler().begin_shutdown()
        if callable(previous):
            return previous(number, frame)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, handle)
