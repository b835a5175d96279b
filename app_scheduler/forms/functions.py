"""The registered functions, as choices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django.apps import apps
from django.utils.text import Truncator
from django.utils.translation import gettext

from app_scheduler import documents
from app_scheduler.registry import RegisteredFunction, registry


def function_choices(known: str = "", guesses: Sequence[RegisteredFunction] = ()) -> list[Any]:
    """Return ``guesses``, then the functions by app, each with its summary, and ``known`` although it is gone."""

    def app_of(function: RegisteredFunction) -> str:
        return function.app_label

    choices: list[Any] = [("", gettext("Choose a function"))]
    if guesses:
        choices.append((gettext("Best guesses"), [(guess.name, _function_label(guess)) for guess in guesses]))
    for label, functions in groupby(sorted(registry.all(), key=lambda f: (app_of(f), f.name)), key=app_of):
        heading = str(apps.get_app_config(label).verbose_name) if label else gettext("Other")
        choices.append((heading, [(function.name, _function_label(function)) for function in functions]))
    if known and registry.find(known) is None:
        choices.append((gettext("Gone"), [(known, known)]))
    return choices


def _function_label(function: RegisteredFunction) -> str:
    summary = Truncator(function.summary).chars(60)
    return f"{function.name} — {summary}" if summary else function.name


def suggested_name(function_name: str) -> str:
    return documents.readable_name(function_name)
