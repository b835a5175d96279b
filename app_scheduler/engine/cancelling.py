"""Which of the executions that an instance runs somebody has cancelled meanwhile."""

from __future__ import annotations

from django.contrib.auth import get_user_model

from app_scheduler.models import ExecutionDetail


def asked_of(instance: str) -> dict[int, str]:
    """Return, by execution, why it is to end, in words for its verdict. One query by the index of those."""
    who = f"cancel_asked_by__{get_user_model().USERNAME_FIELD}"
    # All that the partial index asks for is said, or it would not be used.
    asked = ExecutionDetail.objects.filter(
        instance=instance, cancel_asked_at__isnull=False, finished_at__isnull=True, started_at__isnull=False
    )
    return {pk: cancelled_words(name, reason) for pk, name, reason in asked.values_list("pk", who, "cancel_reason")}


def cancelled_words(username: str | None, reason: str) -> str:
    """Return “Cancelled by ana while it ran: the feed is down.”"""
    words = f"Cancelled by {username or 'a program'} while it ran"
    return f"{words}: {reason.rstrip('.')}." if reason else f"{words}."
