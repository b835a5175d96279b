"""A console for scheduled jobs inside Django admin.

What an app needs of it::

    from app_scheduler import current_execution, job, scheduler

All three can be imported anywhere, also while Django still loads: models are touched only when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from app_scheduler.registry import job

if TYPE_CHECKING:
    from app_scheduler.engine.runner import CurrentExecution
    from app_scheduler.engine.scheduler import ConsoleScheduler

__all__ = ["current_execution", "job", "scheduler"]


class _LiveScheduler:
    """Stands for this process's scheduler, which is made when it is first used.

    Not Django's ``SimpleLazyObject``: that one is made as soon as somebody asks for its class, as Django does of
    every name in an app's ``apps`` module, before there are models.
    """

    def __getattr__(self, name: str) -> Any:
        from app_scheduler.engine.scheduler import get_scheduler

        return getattr(get_scheduler(), name)

    def __repr__(self) -> str:
        return "<app_scheduler.scheduler>"


#: This process's one scheduler, with APScheduler's API.
scheduler = cast("ConsoleScheduler", _LiveScheduler())


def current_execution() -> CurrentExecution:
    """Return the execution that runs in this thread; outside one, a stand-in that does nothing."""
    from app_scheduler.engine import runner

    return runner.current_execution()
