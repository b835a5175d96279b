"""Blackout windows."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from app_scheduler.api.schema.shapes.base import Shown, moment, shown


def wall(text: str, example: str) -> Any:
    # What a clock shows: a date-time of the schema would have an offset.
    return serializers.CharField(help_text=f"{text} Such as {example}.")


class BlackoutDocument(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """A blackout window. What is read-only in an answer is ignored."""

    name = serializers.CharField(max_length=100, help_text="What the ledger calls it.")
    begins = wall(
        "From when, as its zone's clock shows it; with an offset, that moment. A date is its midnight.",
        "2027-03-26T00:00:00",
    )
    ends = wall("Until when, without that moment. A date is the whole of its day.", "2027-03-30T00:00:00")
    timezone = serializers.CharField(
        max_length=64, required=False, help_text="IANA name; the site's own where left out."
    )
    yearly = serializers.BooleanField(default=False, help_text="Whether it comes back at the same dates every year.")
    last_year = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=1970,
        max_value=9997,
        help_text="The last year in which a yearly one begins; null is without an end.",
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=50),
        max_length=20,
        required=False,
        help_text="For jobs with one of these tags; empty is for all jobs.",
    )
    reason = serializers.CharField(
        max_length=1000, required=False, allow_blank=True, help_text="Told with each tick that it keeps from running."
    )


class BlackoutChange(BlackoutDocument):
    """A blackout window that exists. What is read-only in an answer is ignored."""

    revision = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="As it was read. Where it was changed since, the answer is 409 and nothing is changed.",
    )


class Blackout(Shown):
    """A span of time in which ticks do not run."""

    id = serializers.IntegerField()
    set_by = serializers.CharField(allow_null=True, help_text="Who set or last changed it: a username.")
    is_on = serializers.BooleanField(help_text="Whether it is on now.")
    next_begin = moment("When it began, where it is on, or begins next; null where it is over.")
    next_end = moment("When it then ends.")
    revision = serializers.IntegerField(help_text="Grows with each change.")
    created_at = moment("When it was set.", null=False)
    updated_at = moment("When it was last changed.", null=False)

    def get_fields(self) -> Any:
        return {**shown(BlackoutDocument().get_fields()), **super().get_fields()}
