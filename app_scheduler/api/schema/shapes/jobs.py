"""Jobs: their documents, what the code asks of them, and their ticks."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from app_scheduler import documents
from app_scheduler.api.schema.components import ComponentField
from app_scheduler.api.schema.shapes.base import Shown, json_list, json_object, moment, shown, whole
from app_scheduler.signature import MASK

_SECRETS = f"Secrets are shown as {MASK}; sent back so, they stay what they are."


def _document(*, change: bool = False) -> dict[str, Any]:
    """Return the fields of a job's document; a change may leave out its id."""
    given: dict[str, Any] = {"required": False}
    keeping = "A job keeps its id." if change else "Made from the name, where left out."
    return {
        "id": serializers.CharField(
            max_length=255,
            required=False,
            help_text=f"For example nightly-cleanup. {keeping}",
        ),
        "name": serializers.CharField(max_length=255, allow_blank=True, **given),
        "description": serializers.CharField(max_length=10_000, allow_blank=True, **given),
        "tags": serializers.ListField(child=serializers.CharField(max_length=50), max_length=20, **given),
        "function": serializers.CharField(max_length=255, help_text="The dotted name of a registered function."),
        "args": json_list(f"Arguments by position. {_SECRETS}", **given),
        "kwargs": json_object(f"Arguments by name. {_SECRETS}", **given),
        "trigger": ComponentField("Trigger", "TriggerRequest"),
        "executor": serializers.CharField(max_length=64, default="default"),
        "queue": serializers.CharField(
            max_length=64,
            allow_blank=True,
            help_text="The queue that takes it, of an executor that has several; empty for the executor's own.",
            **given,
        ),
        "priority": whole(
            "What waits for a slot starts by it, the highest first.",
            -documents.MAX_PRIORITY,
            max_value=documents.MAX_PRIORITY,
            **given,
        ),
        "concurrency_group": serializers.CharField(
            max_length=64,
            allow_blank=True,
            help_text="Jobs of one group share its slots, on all hosts together; one slot, where the group has no row.",
            **given,
        ),
        "coalesce": serializers.BooleanField(
            help_text="Whether ticks that were missed together become one run.", **given
        ),
        "max_instances": whole("How many executions may run at a time.", 1, max_value=10_000, **given),
        "misfire_grace_time": whole(
            "Seconds that a run may be late before it counts as missed; null is without a limit.",
            1,
            allow_null=True,
            **given,
        ),
        "timeout": whole(
            "Seconds after which a run counts as timed out; null is without a limit.", 1, allow_null=True, **given
        ),
        "max_retries": whole("How often a run that failed or timed out is tried again.", max_value=100, **given),
        "retry_backoff": whole(
            "Seconds before the first retry; doubled for each further one, up to a day, and up to a quarter more.",
            max_value=86_400,
            **given,
        ),
        "rerun_if_interrupted": serializers.BooleanField(
            help_text="Whether a run that was interrupted starts again: its effects are then at least once.", **given
        ),
        "paused": serializers.BooleanField(
            help_text="Whether its ticks are held back. To change it takes the permission to pause.", **given
        ),
    }


def _run_past_at_once() -> serializers.BooleanField:
    return serializers.BooleanField(
        required=False,
        help_text="Whether a date that has passed is to run at once, instead of being refused. It is not kept: what is "
        "stored is the moment at which the job then runs.",
    )


class NewJob(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """The document of a new job. What is read-only in an answer is ignored."""

    run_past_at_once = _run_past_at_once()
    replace_existing = serializers.BooleanField(
        default=False, help_text="Where the id is taken: change that job, as PUT does, rather than refuse."
    )
    revision = serializers.IntegerField(
        required=False, allow_null=True, help_text="With replace_existing: what PUT says of it."
    )

    def get_fields(self) -> Any:
        return {**_document(), **super().get_fields()}


class JobChange(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """The document of a job that exists. What is read-only in an answer is ignored."""

    run_past_at_once = _run_past_at_once()
    revision = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="As it was read. Where the job was changed since, the answer is 409 and nothing is changed.",
    )

    def get_fields(self) -> Any:
        return {**_document(change=True), **super().get_fields()}


class Job(Shown):
    """A job: its document, and what is known of it."""

    state = ComponentField("JobState")
    state_reason = serializers.CharField(help_text="Why it is paused, finished or broken.")
    next_run_time = moment("The tick that it waits for, in its own time zone.")
    runs_next = moment("The first tick that will run: in no blackout, and not to be skipped.")
    skip_tick = moment("The tick that is to be skipped.")
    skip_by = serializers.CharField(allow_null=True, help_text="Who asked to skip it: a username.")
    skip_reason = serializers.CharField(help_text="Why it is to be skipped.")
    schedule = serializers.CharField(help_text="Its trigger as a sentence.")
    expression = serializers.CharField(help_text="Its trigger as a schedule expression.")
    origin = ComponentField("JobOrigin")
    last_status = ComponentField("Status", allow_null=True)
    last_execution = serializers.IntegerField(allow_null=True, help_text="The id of the last execution.")
    last_finished_at = moment("When that ended.")
    paused_by = serializers.CharField(allow_null=True, help_text="A username.")
    paused_at = moment("When it was paused.")
    paused_until = moment("When it resumes by itself.")
    revision = serializers.IntegerField(help_text="Grows with each change.")
    created_at = moment("When it was created.", null=False)
    updated_at = moment("When it was last changed.", null=False)

    def get_fields(self) -> Any:
        return {**shown(_document()), **super().get_fields()}


class CodeChange(Shown):
    """A field in which a job is not what the code asks for."""

    field = serializers.CharField(help_text="The name of a field of the document.")
    code = serializers.JSONField(help_text="What the code asks for.", allow_null=True)
    job = serializers.JSONField(help_text="What the job has.", allow_null=True)
    code_before = serializers.JSONField(help_text="What the code asked for before, where is_new.", allow_null=True)
    is_new = serializers.BooleanField(
        help_text="Whether the code asks for something new, which the job's own value kept out."
    )


class Code(Shown):
    """What the code asks of a job."""

    job = serializers.CharField(help_text="The id of the job.")
    document = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        allow_null=True,
        help_text="The document that the code asks for; null for a job that is not the code's. Secrets are masked.",
    )
    changed = CodeChange(many=True, help_text="The fields that are not as the code asks.")


class ExceptedTick(Shown):
    """A tick that will not run, and why."""

    tick = moment("One of the upcoming ticks.", null=False)
    kind = ComponentField("ExceptionKind")
    blackout = serializers.IntegerField(allow_null=True, help_text="The id of the blackout window.")
    name = serializers.CharField(help_text="The name of the blackout window.")
    by = serializers.CharField(allow_null=True, help_text="Who set the window or asked to skip the tick: a username.")
    reason = serializers.CharField()


class Upcoming(Shown):
    job = serializers.CharField()
    upcoming = serializers.ListField(
        child=serializers.DateTimeField(), help_text="Its next ticks; none where it is not scheduled."
    )
    excepted = ExceptedTick(many=True, help_text="Those of them that will not run.")


class Explanation(Shown):
    """Why a job did or did not run at a moment."""

    job = serializers.CharField()
    sentence = serializers.CharField(help_text="The answer.")
    tick = moment("The tick that is meant; null where the schedule has none there or is not known.")
    execution = serializers.IntegerField(allow_null=True, help_text="The execution that stands for the tick.")
    verdict = serializers.CharField(allow_null=True, help_text="Its verdict; null while it has none.")
