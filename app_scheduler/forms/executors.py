"""The executors that a job may choose, each with what it can do with a run that has begun."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from app_scheduler.conf import console_settings
from app_scheduler.engine.executors import abilities_of
from app_scheduler.engine.executors.base import Abilities


def executor_choices(known: str = "") -> list[tuple[str, str]]:
    """Return the executors that settings name, and ``known``, the job's own, also where it is not configured."""
    names = list(console_settings.executors)
    return [(name, name) for name in (*names, *([known] if known and known not in names else []))]


def executors_help() -> SafeString:
    """Return what each executor can do, as help beside the choice."""
    rows = (
        (name, " ".join(sentences(abilities)))
        for name in console_settings.executors
        if (abilities := abilities_of(name)) is not None
    )
    each = format_html_join("", "<li><strong>{}</strong>: {}</li>", rows)
    return format_html('{}<ul class="jc-abilities">{}</ul>', gettext("Where the function runs."), each)


def queues_help() -> str:
    """Return which executors a queue is for."""
    names = [name for name in console_settings.executors if (found := abilities_of(name)) and found.has_queues]
    if not names:
        return gettext("For an executor that has queues; none of those configured here has any.")
    return gettext("Of the executors that have several: %(names)s. Empty: the executor's own.") % {
        "names": ", ".join(names)
    }


def sentences(abilities: Abilities) -> Iterator[str]:
    """Yield what an executor can do, one sentence for each matter."""
    if abilities.ends_at_timeout and abilities.ends_when_cancelled:
        yield gettext("A run ends at its timeout and when it is cancelled, whatever it does.")
    elif abilities.ends_at_timeout:
        yield gettext("A run ends at its timeout, whatever it does; of a cancel it is told.")
    elif abilities.ends_when_cancelled:
        yield gettext("A run ends when it is cancelled, whatever it does; of its timeout it is told.")
    else:
        yield gettext("A run is told of its timeout and of a cancel, and ends when its function looks.")
    if abilities.survives_crashes:
        yield gettext("A crash of the interpreter ends that run and nothing else.")
    else:
        yield gettext("A crash of the interpreter ends all that runs in the same process.")
    if abilities.has_queues:
        yield gettext("It has queues.")
