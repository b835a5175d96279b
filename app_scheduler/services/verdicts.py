"""The verdicts as sentences quote them: the words that the ledger has, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from app_scheduler.models import Status

_WORDS = {
    Status.EXECUTED.value: _("Executed"),
    Status.ERROR.value: _("Error!"),
    Status.MISSED.value: _("Missed!"),
    Status.MAX_INSTANCES.value: _("Max instances!"),
    Status.INTERRUPTED.value: _("Interrupted!"),
    Status.TIMED_OUT.value: _("Timed out!"),
    Status.CANCELLED.value: _("Cancelled"),
    Status.SKIPPED.value: _("Skipped"),
}


def verdict_in_words(status: str) -> str:
    """Return the verdict of an execution in words; a status that is none, or is unknown, as it is stored."""
    return str(_WORDS.get(status, status))
