"""Failures in groups, and what came of acts on them."""

from __future__ import annotations

from rest_framework import serializers

from app_scheduler.api.schema.components import ComponentField
from app_scheduler.api.schema.shapes.base import Shown, moment, whole
from app_scheduler.api.schema.shapes.executions import Acknowledgement


class JobChangeBefore(Shown):
    """The last change of the job before a failure."""

    at = moment("When.", null=False)
    by = serializers.CharField(allow_null=True, help_text="A username.")


class ReleaseBefore(Shown):
    """The last release of the site's code before a failure."""

    at = moment("When an instance first started with it.", null=False)
    version = serializers.CharField()


class Snooze(Shown):
    """For how long a failure is put aside, and by whom."""

    by = serializers.CharField(allow_null=True, help_text="A username.")
    until = moment("When it comes back by itself.", null=False)
    note = serializers.CharField()


class Failure(Shown):
    """The failures of one job that are one fault."""

    id = serializers.IntegerField()
    job = serializers.CharField(help_text="The id of its job.")
    fingerprint = serializers.CharField(help_text="The same for each failure of this fault, in other jobs as well.")
    status = ComponentField("Status")
    exception = serializers.CharField(help_text="What the last one said; empty where it said nothing.")
    place = serializers.CharField(help_text="Where in our own code, in words; empty where that is not known.")
    state = ComponentField("FailureState")
    first_seen = moment("The first failure.", null=False)
    last_seen = moment("The last failure.", null=False)
    count = whole("How often it came.", 1)
    open_count = whole("How many of them nobody has acknowledged.")
    open_since = moment("The first of those; null where none is open.")
    last_execution = serializers.IntegerField(
        help_text="The id of the last execution that failed so. Retention may have deleted it."
    )
    recovered = serializers.BooleanField(
        help_text="Whether the job's last execution was a success, after the last failure. That closes nothing."
    )
    changed_before = JobChangeBefore(
        allow_null=True,
        help_text="The last change of the job in the week before the first open failure: the order, not the cause.",
    )
    released_before = ReleaseBefore(
        allow_null=True,
        help_text="The last release in the week before the first open failure: the order, not the cause.",
    )
    acknowledged = Acknowledgement(
        allow_null=True,
        help_text="The last acknowledgement. Where the state is open, the fault has come again since, and this is of "
        "what came before.",
    )
    snoozed = Snooze(allow_null=True, help_text="Null where it is not put aside now.")


class Matched(Shown):
    """What came of an act on all that match."""

    matching = whole("How many groups match.")
    changed = whole("How many of them the act has changed; the others were so already.")


class Refusal(Shown):
    reason = serializers.CharField()
    count = whole("How many executions were left out for it.", 1)


class Retried(Shown):
    """What came of retrying failures."""

    queued = serializers.ListField(
        child=serializers.IntegerField(), help_text="The ids of the new executions, in the order in which they start."
    )
    refused = Refusal(many=True, help_text="Why others cannot run.")
    more_left = serializers.BooleanField(
        help_text="Whether there are more than are queued at once: retry again for the rest."
    )


class MatchedRetried(Retried):
    """What came of retrying all failures that match."""

    matching = whole("How many groups match.")
