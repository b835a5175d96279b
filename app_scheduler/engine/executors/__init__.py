"""Where executions run. Each kind is a module of its own; a job names one by the alias that settings give it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app_scheduler.conf import console_settings
from app_scheduler.engine.executors.base import ConsoleExecutor
from app_scheduler.engine.executors.threads import ThreadsExecutor

__all__ = ["ConsoleExecutor", "ThreadsExecutor", "create_executors"]


def create_executors() -> dict[str, ConsoleExecutor]:
    """Return a fresh executor for each alias in the settings."""
    return {alias: _create(alias, options) for alias, options in console_settings.executors.items()}


def _create(alias: str, options: Mapping[str, Any]) -> ConsoleExecutor:
    kind = options.get("type", "threads")
    if kind != "threads":
        raise ValueError(
            f"APP_SCHEDULER_EXECUTORS[{alias!r}] has the unknown type {kind!r}. The known type is 'threads'."
        )
    return ThreadsExecutor(int(options.get("max_workers", console_settings.max_workers)))
