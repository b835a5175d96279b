"""The functions that may be scheduled: ``@job`` registers them, discovery imports each app's ``jobs`` module."""

from __future__ import annotations

import copy
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from types import FunctionType, MappingProxyType
from typing import Any, TypedDict, TypeVar, Unpack, overload

from django.apps import apps
from django.core.exceptions import AppRegistryNotReady
from django.utils.module_loading import module_has_submodule
from django.utils.translation import gettext

from app_scheduler.exceptions import InvalidInput, UnknownFunction
from app_scheduler.signature import FunctionSignature, signature_of

logger = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

#: The module of an app in which its functions are looked for.
JOBS_MODULE = "jobs"


class JobOptions(TypedDict, total=False):
    """What ``@job`` takes: the fields of a job's document, without its function."""

    id: str
    name: str
    description: str
    tags: list[str]
    trigger: str | Mapping[str, Any]
    args: list[Any]
    kwargs: dict[str, Any]
    executor: str
    queue: str
    priority: int
    concurrency_group: str
    coalesce: bool
    max_instances: int
    misfire_grace_time: int | None
    timeout: int | None
    max_retries: int
    retry_backoff: int
    rerun_if_interrupted: bool
    paused: bool


OPTIONS = tuple(JobOptions.__annotations__)


@dataclass(frozen=True, slots=True)
class RegisteredFunction:
    """A function that may be scheduled. ``name`` is dotted; ``options`` are as given to ``@job``, unchecked."""

    name: str
    func: Callable[..., Any]
    options: Mapping[str, Any]

    # Options hold lists and dicts, so the generated hash would fail.
    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def signature(self) -> FunctionSignature:
        """What the function takes (cached)."""
        return signature_of(self.func)

    @property
    def summary(self) -> str:
        """The first paragraph of the docstring, on one line."""
        return self.signature.summary

    @property
    def description(self) -> str:
        """The docstring below its summary, without the parameters."""
        return self.signature.description

    @property
    def is_async(self) -> bool:
        """Whether the function is a coroutine function, which has to be awaited."""
        return inspect.iscoroutinefunction(self.func)

    @property
    def app_label(self) -> str:
        """The label of the installed app that the function's module belongs to, or "" if none does."""
        try:
            config = apps.get_containing_app_config(self.func.__module__)
        except AppRegistryNotReady:
            return ""
        return config.label if config else ""

    @property
    def has_schedule(self) -> bool:
        """Whether the code asks for a job of its own: a trigger was given."""
        return self.options.get("trigger") is not None

    def default_document(self) -> dict[str, Any]:
        """Return the document of the job that the code asks for: id, name, function and the options given.

        Its values are unchecked. Raise ValueError where the code asks for none.
        """
        if not self.has_schedule:
            raise ValueError(f'{self.name} has no trigger. Give one: @job(trigger="every 1h").')
        short = self.func.__name__
        words = short.strip("_").replace("_", " ")
        document: dict[str, Any] = {
            "id": short.strip("_").replace("_", "-"),
            "name": words[:1].upper() + words[1:],
            "description": self.summary,
            "function": self.name,
            **copy.deepcopy(dict(self.options)),
        }
        try:
            args, kwargs = self.signature.to_json(document.get("args", []), document.get("kwargs", {}))
        except (InvalidInput, TypeError, ValueError):
            return document  # whoever checks the document says what is wrong, and where
        if "args" in document:
            document["args"] = args
        if "kwargs" in document:
            document["kwargs"] = kwargs
        return document


class Registry:
    """The functions that may be scheduled, by dotted name. Reading discovers them first, once the apps are ready.

    ``import_errors`` maps each ``jobs`` module that could not be imported to the reason.
    """

    def __init__(self) -> None:
        self.import_errors: dict[str, str] = {}
        self._functions: dict[str, RegisteredFunction] = {}
        self._discovered = False
        self._discovering = False
        # Re-entrant: a jobs module may itself ask for functions while it is being imported.
        self._lock = threading.RLock()

    @overload
    def job(self, func: F, /) -> F: ...

    @overload
    def job(self, /, **options: Unpack[JobOptions]) -> Callable[[F], F]: ...

    def job(self, func: Any = None, /, **options: Any) -> Any:
        """Register a function, bare or with the defaults of its jobs. Returns the function itself, unchanged.

        Raise TypeError for what cannot be scheduled and for an option that does not exist.
        """
        if func is None:
            _check_options(options)

            def decorate(decorated: F) -> F:
                self.register(decorated, **options)
                return decorated

            return decorate
        self.register(func, **options)
        return func

    def register(self, func: Callable[..., Any], **options: Any) -> RegisteredFunction:
        """Register ``func`` and return its entry. Registering it again, as a reload does, replaces the entry."""
        _check_function(func)
        _check_options(options)
        registered = RegisteredFunction(_name_of(func), func, MappingProxyType(dict(options)))
        self._functions[registered.name] = registered
        return registered

    def get(self, name: str) -> RegisteredFunction:
        """Return the function of a dotted name, or of APScheduler's "module:qualname". Raise `UnknownFunction`."""
        if found := self.find(name):
            return found
        error = UnknownFunction(name, self._suggestions(name))
        dotted = name.replace(":", ".")
        for module, reason in self.import_errors.items():
            if dotted.startswith(f"{module}."):
                error.errors["function"].append(
                    gettext("%(module)s could not be imported: %(reason)s. Correct it and restart.")
                    % {"module": module, "reason": reason}
                )
        raise error

    def find(self, name: str) -> RegisteredFunction | None:
        """Return the function of a name as `get` takes it, or None."""
        self.discover()
        return self._functions.get(name) or self._functions.get(name.replace(":", ".", 1))

    def for_callable(self, func: object) -> RegisteredFunction | None:
        """Return the entry of a callable, or None. A function from before its module's reload is still found."""
        if not isinstance(func, FunctionType):
            return None
        return self.find(_name_of(func))

    def all(self) -> list[RegisteredFunction]:
        """Return all functions, by name."""
        self.discover()
        return [function for _, function in sorted(self._functions.copy().items())]

    def names(self) -> list[str]:
        """Return the dotted names of all functions, sorted."""
        return [function.name for function in self.all()]

    def scheduled(self) -> list[RegisteredFunction]:
        """Return the functions for which the code asks for a job, by name."""
        return [function for function in self.all() if function.has_schedule]

    def discover(self) -> None:
        """Import the ``jobs`` module of every installed app, once. Does nothing while the apps are loading.

        A module that fails is logged and noted in ``import_errors``, and the functions that it had registered until
        then are dropped, as the names that they use may be missing: one app's mistake must not take the site down.
        """
        if self._discovered or not apps.ready:
            return
        with self._lock:
            if self._discovered or self._discovering:
                return
            self._discovering = True
            try:
                for config in apps.get_app_configs():
                    if config.module is not None and module_has_submodule(config.module, JOBS_MODULE):
                        self._import(f"{config.name}.{JOBS_MODULE}")
                self._discovered = True
            finally:
                self._discovering = False

    def _import(self, module: str) -> None:
        try:
            import_module(module)
        except (Exception, SystemExit) as error:
            logger.exception("%s could not be imported, so its functions cannot run", module)
            self.import_errors[module] = f"{type(error).__name__}: {error}".rstrip(": ")
            for name, registered in list(self._functions.items()):
                if registered.func.__module__ == module:
                    del self._functions[name]

    def similar_to(self, name: str) -> list[RegisteredFunction]:
        """Return up to three functions that a name may mean: the same function elsewhere first, then the nearest."""
        return [self._functions[known] for known in self._suggestions(name)]

    def _suggestions(self, name: str) -> list[str]:
        dotted = name.replace(":", ".")
        names = self.names()
        last = dotted.rpartition(".")[2]
        moved = [known for known in names if known.rpartition(".")[2] == last]
        by_last: dict[str, list[str]] = {}
        for known in names:
            by_last.setdefault(known.rpartition(".")[2], []).append(known)
        near = get_close_matches(dotted, names, n=3, cutoff=0.7)
        alike = [known for short in get_close_matches(last, by_last, n=3, cutoff=0.7) for known in by_last[short]]
        return list(dict.fromkeys([*moved, *near, *alike]))[:3]


def _name_of(func: Callable[..., Any]) -> str:
    return f"{func.__module__}.{func.__qualname__}"


def _check_function(func: object) -> None:
    """Raise TypeError for anything but a plain function that other processes can find under its name."""
    if isinstance(func, str):
        raise TypeError(f"@job takes options by name. Write @job(trigger={func!r}) for a schedule, or @job(name=…).")
    if isinstance(func, (staticmethod, classmethod)) or inspect.ismethod(func):
        raise TypeError("@job cannot register a method. Move it out of its class, to the top of the module.")
    if inspect.isclass(func) or not isinstance(func, FunctionType):
        raise TypeError(f"@job takes a plain function, not {func!r}. Wrap what it should call in a def.")
    name = _name_of(func)
    if func.__name__ == "<lambda>":
        raise TypeError(f"@job cannot register a lambda ({name}): it has no name to be found by. Use def.")
    if "<locals>" in func.__qualname__:
        raise TypeError(
            f"@job cannot register {name}: it is made inside another function, so no other process can find it. Move "
            "it to the top of the module; a decorator below @job has to use functools.wraps."
        )
    if "." in func.__qualname__:
        raise TypeError(f"@job cannot register the method {name}. Move it out of its class, to the top of the module.")
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise TypeError(f"@job cannot register {name}: calling a generator function runs nothing. Do not use yield.")


def _check_options(options: Mapping[str, Any]) -> None:
    for option in options:
        if option not in OPTIONS:
            near = get_close_matches(option, OPTIONS, n=1)
            hint = f" Did you mean “{near[0]}”?" if near else ""
            raise TypeError(f"@job has no option “{option}”.{hint} Its options are: {', '.join(OPTIONS)}.")


registry = Registry()
job = registry.job
