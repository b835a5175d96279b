"""Where executions run. Each kind is a module of its own; a job names one by the alias that settings give it."""

from __future__ import annotations

from app_scheduler.conf import console_settings
from app_scheduler.engine.executors.base import Abilities, ConsoleExecutor, SendingExecutor
from app_scheduler.engine.executors.kinds import abilities_of, create
from app_scheduler.engine.executors.threads import ThreadsExecutor

__all__ = ["Abilities", "ConsoleExecutor", "SendingExecutor", "ThreadsExecutor", "abilities_of", "create_executors"]


def create_executors() -> dict[str, ConsoleExecutor]:
    """Return a fresh executor for each alias in the settings. Raises ``ValueError`` where they are wrong."""
    return {alias: create(alias, options) for alias, options in console_settings.executors.items()}
