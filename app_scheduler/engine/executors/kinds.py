"""The kinds of executors: their classes, their options in the settings, and what may be wrong with those."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from django.utils.module_loading import import_string

from app_scheduler.conf import console_settings
from app_scheduler.engine.executors.base import Abilities, ConsoleExecutor
from app_scheduler.models import JobSpec

SETTING = "APP_SCHEDULER_EXECUTORS"


@dataclass(frozen=True)
class Option:
    """An option of a kind: what it is called there, and what values it takes.

    ``needs`` completes “Set it to …”. Whole numbers and seconds have a ``minimum``.
    """

    argument: str
    type: type
    needs: str
    minimum: float = 0

    def takes(self, value: Any) -> bool:
        if self.type is bool or isinstance(value, bool):
            return self.type is bool and isinstance(value, bool)
        if self.type is str:
            return isinstance(value, str) and bool(value)
        wanted = (int, float) if self.type is float else int
        return isinstance(value, wanted) and value >= self.minimum


@dataclass(frozen=True)
class Kind:
    """A kind of executor: the dotted name of its class, which is imported only where it is configured."""

    path: str
    options: Mapping[str, Option]
    #: The module that it needs besides the site's requirements, and how to get it.
    requires: str = ""
    how_to_install: str = ""

    @property
    def executor(self) -> type[ConsoleExecutor]:
        found: type[ConsoleExecutor] = import_string(self.path)
        return found


_SLOTS = Option("slots", int, "a whole number of 1 or more", 1)

KINDS: Mapping[str, Kind] = {
    "threads": Kind("app_scheduler.engine.executors.threads.ThreadsExecutor", {"max_workers": _SLOTS}),
    "processes": Kind(
        "app_scheduler.engine.executors.processes.ProcessesExecutor",
        {
            "max_workers": _SLOTS,
            "max_runs_per_worker": Option("max_runs_per_worker", int, "a whole number, or to 0 for no limit"),
            "idle_seconds": Option("idle_seconds", float, "a number of seconds of 1 or more", 1),
            "warm_up": Option("warm_up", bool, "true or false"),
        },
        requires="pebble",
        how_to_install="Install it with the site's other requirements: pip install -r requirements.txt",
    ),
    "celery": Kind(
        "app_scheduler.engine.executors.celery.CeleryExecutor",
        {
            "app": Option("app", str, "the dotted name of the site's Celery application, such as “site.celery:app”"),
            "queue": Option("queue", str, "the name of a queue"),
            "max_in_flight": Option("max_in_flight", int, "a whole number of 1 or more", 1),
            "resend_seconds": Option("resend_seconds", float, "a number of seconds of 1 or more", 1),
        },
        requires="celery",
        how_to_install="Install it with what it needs: pip install -r requirements-celery.txt",
    ),
}


@dataclass(frozen=True)
class Misconfiguration:
    """What is wrong with an executor's settings, and the fix. ``alias`` is empty where it is about all of them."""

    alias: str
    message: str
    hint: str = field(default="")


def misconfigurations() -> Iterator[Misconfiguration]:
    """Yield what is wrong with the settings of executors."""
    if not isinstance(console_settings.configured_executors, Mapping):
        given = f"{SETTING} is {console_settings.configured_executors!r}."
        yield Misconfiguration("", given, 'Give executors by name, such as {"processes": {"type": "processes"}}.')
    for alias, options in console_settings.executors.items():
        yield from _misconfigurations_of(alias, options)


def _misconfigurations_of(alias: str, options: Any) -> Iterator[Misconfiguration]:
    where = f"{SETTING}[{alias!r}]"
    longest: int = JobSpec._meta.get_field("executor").max_length or 0
    if not isinstance(alias, str) or not alias or len(alias) > longest:
        yield Misconfiguration(alias, f"{where} has no usable name.", f"Give it a name of 1 to {longest} characters.")
        return
    if not isinstance(options, Mapping):
        yield Misconfiguration(
            alias, f"{where} is {options!r}.", 'Give its options by name, such as {"type": "threads"}.'
        )
        return
    name = options.get("type", "threads")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(f"“{each}”" for each in KINDS)
        yield Misconfiguration(alias, f"{where} has the unknown type {name!r}.", f"The known types are {known}.")
        return
    if kind.requires and find_spec(kind.requires) is None:
        message = f"{where} is of the type “{name}”, which needs the library “{kind.requires}”."
        yield Misconfiguration(alias, message, f"{kind.how_to_install}.")
    for option, value in options.items():
        if option == "type":
            continue
        if option not in kind.options:
            known = ", ".join(f"“{each}”" for each in kind.options)
            yield Misconfiguration(alias, f"{where} has the unknown option {option!r}.", f"This type takes {known}.")
        elif not kind.options[option].takes(value):
            message = f"{where} has {value!r} for “{option}”."
            yield Misconfiguration(alias, message, f"Set it to {kind.options[option].needs}.")


def create(alias: str, options: Any) -> ConsoleExecutor:
    """Return a fresh executor. Raises ``ValueError``, which says the fix."""
    for fault in _misconfigurations_of(alias, options):
        raise ValueError(f"{fault.message} {fault.hint}")
    name = options.get("type", "threads")
    kind = KINDS[name]
    given = {kind.options[option].argument: value for option, value in options.items() if option != "type"}
    if name == "threads":
        given.setdefault("slots", console_settings.max_workers)
    return kind.executor(**given)


def abilities_of(alias: str) -> Abilities | None:
    """Return what the executor of this name can do, or None where there is none that works. Makes none."""
    options = console_settings.executors.get(alias)
    if options is None or any(_misconfigurations_of(alias, options)):
        return None
    return KINDS[options.get("type", "threads")].executor.abilities
