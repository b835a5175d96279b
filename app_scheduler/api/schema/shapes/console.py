"""Functions, previews of triggers, what is due, and the scheduler as a whole."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from app_scheduler.api import bodies
from app_scheduler.api.schema.components import ComponentField
from app_scheduler.api.schema.shapes.base import Shown, moment, whole
from app_scheduler.services import NAMED_RUNS


class Choice(Shown):
    value = serializers.JSONField()
    label = serializers.CharField()  # type: ignore[assignment]  # declared fields are taken out of the class


class Parameter(Shown):
    name = serializers.CharField()
    kind = serializers.CharField(help_text="How it may be given: by position, by name, or both.")
    type = serializers.CharField(help_text="In words.")
    schema = ComponentField("JsonSchema")
    help = serializers.CharField()
    choices = Choice(many=True)
    secret = serializers.BooleanField()

    def get_fields(self) -> Any:
        fields = super().get_fields()
        # An attribute of this name would say something to the framework; so would a default.
        fields["required"] = serializers.BooleanField(read_only=True)
        fields["default"] = serializers.JSONField(
            required=False, help_text="Missing where there is none that JSON can say."
        )
        return fields


class Function(Shown):
    """A function that may be scheduled."""

    name = serializers.CharField(help_text="Its dotted name, as in a job's document.")
    summary = serializers.CharField()
    description = serializers.CharField()
    app = serializers.CharField(help_text="The label of its app.")
    is_async = serializers.BooleanField()
    parameters = Parameter(many=True)
    var_positional = Parameter(allow_null=True)
    var_keyword = Parameter(allow_null=True)


class Preview(Shown):
    """What a trigger means."""

    trigger = ComponentField("Trigger")
    description = serializers.CharField(help_text="A sentence.")
    expression = serializers.CharField(help_text="The trigger as one line.")
    upcoming = serializers.ListField(child=serializers.DateTimeField(), help_text="Its next ticks, with their offsets.")
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What to know before it is saved.")


class PreviewRequest(bodies.PreviewBody):
    trigger = ComponentField("TriggerRequest")  # type: ignore[assignment]  # the same field, described


class DueJob(Shown):
    """A job that is due in a period."""

    job = serializers.CharField(help_text="Its id.")
    name = serializers.CharField()
    function = serializers.CharField()
    ticks = whole("How often it is due in the period.", 1)
    upcoming = serializers.ListField(child=serializers.DateTimeField(), help_text="The first few of these ticks.")


class Instance(Shown):
    """One process with a scheduler in it."""

    id = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    role = ComponentField("InstanceRole")
    started_at = moment("When it started.", null=False)
    heartbeat = moment("When it last said that it lives.", null=False)
    slots = whole("How many executions it can run at a time.")
    busy = whole("How many it runs.")
    version = serializers.CharField()
    last_error = serializers.CharField()


class RunHere(Shown):
    """A run that goes on."""

    execution = serializers.IntegerField(help_text="The id of the execution.")
    job = serializers.CharField(help_text="The id of its job.")
    started_at = moment("When it started.", null=False)


class InstanceWithRuns(Instance):
    """An instance, what it does and what it runs."""

    state = ComponentField("InstanceState")
    heartbeat_age = serializers.FloatField(help_text="Seconds since it said that it lives.")
    queues = serializers.ListField(
        child=serializers.CharField(), help_text="Of a worker: the queues that it takes executions from."
    )
    draining_since = moment("Since when it takes nothing new, as somebody asked.")
    running = whole("How many executions it runs, from the table of executions.")
    runs = RunHere(many=True, help_text=f"Those that began first, at most {NAMED_RUNS}.")


class Scheduler(Shown):
    """Whether anything is alive, who leads and what waits."""

    alive = serializers.BooleanField(help_text="Whether some process leads: ticks are claimed.")
    paused = serializers.BooleanField(help_text="Whether all scheduling is paused.")
    paused_at = moment("When it was paused.")
    paused_by = serializers.CharField()
    pause_reason = serializers.CharField()
    leader = Instance(allow_null=True)
    standbys = Instance(many=True)
    heartbeat_age = serializers.FloatField(allow_null=True, help_text="Seconds since the leader said that it lives.")
    led_since = moment("Since when it leads.")
    down_since = moment("Where nothing is alive: since when.")
    slots = whole("How many executions the leader and the workers can run at a time.")
    busy = whole("How many executions run.")
    queued = whole("How many executions wait and may start.")
    due = whole("How many jobs are due and not yet claimed.")
    next_run_time = moment("The next tick of any job.")
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="How many jobs there are in each state.")
    instances = InstanceWithRuns(many=True, help_text="All of them, those that drain and those that are gone as well.")
