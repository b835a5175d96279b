"""The small bodies of the verbs. A job's document is not among them: ``documents`` alone checks those."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext
from rest_framework import serializers

from app_scheduler.api.fields import MomentField, count_field
from app_scheduler.api.queries import FailureFilters, state_field
from app_scheduler.quoting import in_quotes
from app_scheduler.services import (
    MAX_PER_MINUTE,
    MAX_PREVIEW,
    MAX_REASON,
    MAX_SNOOZE,
    PER_MINUTE,
    FailureState,
)

MAX_SNOOZE_HOURS = MAX_SNOOZE // timedelta(hours=1)


def _reason() -> serializers.CharField:
    return serializers.CharField(
        max_length=MAX_REASON, allow_blank=True, default="", help_text="Why, for the audit trail and the page."
    )


class Body(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """A body whose fields all may be left out. A field that nobody knows is refused: it is a slip of the pen."""

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the checked fields. Raises ``ValidationError`` with a message per field."""
        body = cls(data=data)
        body.is_valid(raise_exception=True)
        checked: dict[str, Any] = body.validated_data
        return checked

    def to_internal_value(self, data: Any) -> Any:
        unknown = {}
        for name in data:
            if name not in self.fields:
                near = get_close_matches(name, self.fields, n=1)
                hint = (
                    gettext("Did you mean “%(name)s”?") % {"name": near[0]}
                    if near
                    else gettext("The fields are %(names)s.") % {"names": ", ".join(self.fields)}
                )
                unknown[name[:60]] = [gettext("There is no such field. %(hint)s") % {"hint": hint}]
        if unknown:
            raise serializers.ValidationError(unknown)
        return super().to_internal_value(data)


class ReasonBody(Body):
    reason = _reason()


class PauseBody(ReasonBody):
    until = MomentField(
        required=False, allow_null=True, default=None, help_text="When it resumes by itself. Never, where left out."
    )


class RevertBody(ReasonBody):
    # Declared fields are taken out of the class, so that the attribute of the same name stays what it is.
    fields = serializers.ListField(  # type: ignore[assignment]  # declared fields are taken out of the class
        child=serializers.CharField(max_length=64),
        required=False,
        allow_null=True,
        default=None,
        help_text="The fields to revert; all that were changed where it is left out. Arguments go back together.",
    )
    revision = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        help_text="As it was read. Where the job was changed since, the answer is 409 and nothing is changed.",
    )


class ArgumentsBody(ReasonBody):
    args = serializers.ListField(
        child=serializers.JSONField(allow_null=True),
        required=False,
        allow_null=True,
        default=None,
        help_text="Arguments by position for this run, in place of its own.",
    )
    kwargs = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        required=False,
        allow_null=True,
        default=None,
        help_text="Arguments by name for this run, in place of its own. A mask keeps the secret that is stored.",
    )


class PreviewBody(Body):
    # The trigger itself is checked where triggers are.
    trigger = serializers.JSONField(required=False, allow_null=True, default=None)
    count = count_field(MAX_PREVIEW, 10, help_text="How many moments to tell.")
    after = MomentField(required=False, allow_null=True, default=None, help_text="Now, where left out.")
    run_past_at_once = serializers.BooleanField(
        default=False, help_text="Take a date that has passed for this moment, instead of refusing it."
    )
    job = serializers.CharField(
        required=False,
        allow_null=True,
        default=None,
        help_text="The id of the job that is to get it: the warnings know its usual duration.",
    )


class NoteBody(Body):
    note = serializers.CharField(max_length=MAX_REASON, allow_blank=True, default="", help_text="What was found out.")


# --- failures -----------------------------------------------------------------------------------------------------


def in_hours(count: int) -> datetime:
    return timezone.now() + timedelta(hours=count)


class SnoozeBody(NoteBody):
    until = MomentField(required=False, allow_null=True, default=None, help_text="When it comes back by itself.")
    hours = count_field(MAX_SNOOZE_HOURS, None, allow_null=True, help_text="In so many hours, in place of a moment.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["until"] is None) is (attrs["hours"] is None):
            raise serializers.ValidationError({"until": gettext("Give either “until” or “hours”.")})
        return attrs

    @classmethod
    def moment_of(cls, checked: Mapping[str, Any]) -> datetime:
        """Return when the failure is to come back."""
        until: datetime | None = checked["until"]
        return until or in_hours(checked["hours"])


class RetryBody(ReasonBody):
    per_minute = count_field(
        MAX_PER_MINUTE, PER_MINUTE, help_text="The runs start one after another, so many a minute at most."
    )
    newest_only = serializers.BooleanField(
        default=False,
        help_text="Retry the last failure of each group alone, to see whether the fault is gone, and not all that are "
        "open.",
    )


class MatchingBody(FailureFilters, Body):
    """Filters in a body: the act is on all that match."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        names = list(FailureFilters().fields)
        if not any(name in self.initial_data for name in names):
            # An empty body would be a slip that acts on every failure there is.
            raise serializers.ValidationError(
                gettext("Say which failures are meant: give at least one of %(names)s.")
                % {"names": ", ".join(in_quotes(name) for name in names)}
            )
        checked: dict[str, Any] = super().validate(attrs)
        return checked


class AcknowledgeMatchingBody(MatchingBody, NoteBody):
    pass


class SnoozeMatchingBody(MatchingBody, NoteBody):
    # A moment to come would have the name of a filter.
    hours = count_field(MAX_SNOOZE_HOURS, serializers.empty, help_text="They come back in so many hours.")


class ReopenMatchingBody(MatchingBody, ReasonBody):
    state = state_field(FailureState.ACKNOWLEDGED)


class RetryMatchingBody(MatchingBody, RetryBody):
    pass
