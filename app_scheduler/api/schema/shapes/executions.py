"""Executions."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from app_scheduler.api.schema.components import ComponentField
from app_scheduler.api.schema.shapes.base import Shown, json_list, json_object, moment, whole


class Progress(Shown):
    """How far its run said that it was."""

    done = serializers.IntegerField(allow_null=True)
    total = serializers.IntegerField(allow_null=True, help_text="Null where it did not say of how much.")
    message = serializers.CharField()
    at = moment("When it said so.")
    rate = serializers.FloatField(
        allow_null=True,
        help_text="Steps a second, while it runs. Null where that is not known, and where it has told nothing for "
        "longer than its rate lets one expect.",
    )
    seconds_left = serializers.FloatField(
        allow_null=True,
        help_text="Seconds that it will take yet, at this rate; 0 where it is over that time. Null where nobody can "
        "tell.",
    )


class Acknowledgement(Shown):
    by = serializers.CharField(allow_null=True, help_text="A username.")
    at = moment("When.", null=False)
    note = serializers.CharField()


class CancelAsked(Shown):
    """That somebody has cancelled it while it ran."""

    by = serializers.CharField(allow_null=True, help_text="A username.")
    at = moment("When.", null=False)
    reason = serializers.CharField()


class Execution(Shown):
    """One tick or one request, and its verdict."""

    id = serializers.IntegerField()
    job = serializers.CharField(help_text="The id of its job.")
    status = ComponentField("Status")
    run_time = moment("The tick, or when it was asked for.", null=False)
    origin = ComponentField("ExecutionOrigin")
    attempt = whole("1 for the first.", 1)
    tick_count = whole("How many ticks it stands for.", 1)
    reason = serializers.CharField(help_text="Why it has this verdict, or why it was asked for.")
    queued_at = moment("When it was put into the queue.")
    available_at = moment("While it waits in the queue: when it may start.")
    started_at = moment("When it started.")
    finished_at = moment("When it ended.")
    duration = serializers.FloatField(allow_null=True, help_text="Seconds from its start to its end.")
    lateness = serializers.FloatField(allow_null=True, help_text="Seconds from its run time to its start.")
    instance = serializers.CharField(help_text="The process that ran it.")
    requested_by = serializers.CharField(allow_null=True, help_text="A username.")
    args = json_list("What it was called with; null until it starts with its job's own.", allow_null=True)
    kwargs = json_object("What it was called with; null until it starts with its job's own.", allow_null=True)
    attempts = whole("How many attempts its job makes by itself; null beyond them.", 1, allow_null=True)
    first_attempt = serializers.IntegerField(help_text="The first of its chain of attempts: its own id without others.")
    retried_by = serializers.ListField(
        child=serializers.IntegerField(), help_text="The executions that repeat this one, the oldest first."
    )
    retry_of = serializers.IntegerField(allow_null=True, help_text="The execution that this one repeats.")
    cancel_asked = CancelAsked(allow_null=True)
    progress = Progress(allow_null=True)
    acknowledged = Acknowledgement(allow_null=True)
    exception = serializers.CharField(allow_null=True)
    traceback = serializers.CharField(allow_null=True)
    log = serializers.CharField(help_text="What it printed and logged.")
    result = serializers.CharField(help_text="What the function returned, as JSON where it can be; empty for nothing.")


class PartOfExecution(Execution):
    """An execution, or those of its fields that `fields` names."""

    def get_fields(self) -> Any:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = False
        return fields


class QueuedExecution(Execution):
    """An execution that was put into the queue."""

    execution = serializers.IntegerField(help_text="Its id, once more.")
