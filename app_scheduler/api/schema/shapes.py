"""What is sent and shown, as serializers.

They check nothing and show nothing: a job's document is checked by ``documents`` and shown by ``representations``.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from app_scheduler.api import bodies
from app_scheduler.api.schema.components import ComponentField
from app_scheduler.signature import MASK


class Shown(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """What an answer is made of: every field is there, and none may be sent."""

    def get_fields(self) -> Any:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only, field.required = True, False
        return fields


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a document as an answer has them."""
    for field in document.values():
        field.read_only, field.required = True, False
        field.default = serializers.empty
    return document


def _moment(text: str, *, null: bool = True) -> Any:
    return serializers.DateTimeField(help_text=f"{text} ISO 8601 with an offset.", allow_null=null)


def _json_list(text: str, **options: Any) -> Any:
    return serializers.ListField(child=serializers.JSONField(), help_text=text, **options)


def _json_object(text: str, **options: Any) -> Any:
    return serializers.DictField(child=serializers.JSONField(), help_text=text, **options)


def _whole(text: str, least: int = 0, **options: Any) -> Any:
    return serializers.IntegerField(min_value=least, help_text=text, **options)


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
        "args": _json_list(f"Arguments by position. {_SECRETS}", **given),
        "kwargs": _json_object(f"Arguments by name. {_SECRETS}", **given),
        "trigger": ComponentField("Trigger", "TriggerRequest"),
        "executor": serializers.CharField(max_length=64, default="default"),
        "coalesce": serializers.BooleanField(
            help_text="Whether ticks that were missed together become one run.", **given
        ),
        "max_instances": _whole("How many executions may run at a time.", 1, max_value=10_000, **given),
        "misfire_grace_time": _whole(
            "Seconds that a run may be late before it counts as missed; null is without a limit.",
            1,
            allow_null=True,
            **given,
        ),
        "timeout": _whole(
            "Seconds after which a run counts as timed out; null is without a limit.", 1, allow_null=True, **given
        ),
        "max_retries": _whole("How often a run that failed is tried again.", max_value=100, **given),
        "retry_backoff": _whole(
            "Seconds before the first retry; doubled for each further one.", max_value=86_400, **given
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
    next_run_time = _moment("The tick that it waits for, in its own time zone.")
    runs_next = _moment("The first tick that will run: in no blackout, and not to be skipped.")
    skip_tick = _moment("The tick that is to be skipped.")
    skip_by = serializers.CharField(allow_null=True, help_text="Who asked to skip it: a username.")
    skip_reason = serializers.CharField(help_text="Why it is to be skipped.")
    schedule = serializers.CharField(help_text="Its trigger as a sentence.")
    expression = serializers.CharField(help_text="Its trigger as a schedule expression.")
    origin = ComponentField("JobOrigin")
    last_status = ComponentField("Status", allow_null=True)
    last_execution = serializers.IntegerField(allow_null=True, help_text="The id of the last execution.")
    last_finished_at = _moment("When that ended.")
    paused_by = serializers.CharField(allow_null=True, help_text="A username.")
    paused_at = _moment("When it was paused.")
    paused_until = _moment("When it resumes by itself.")
    revision = serializers.IntegerField(help_text="Grows with each change.")
    created_at = _moment("When it was created.", null=False)
    updated_at = _moment("When it was last changed.", null=False)

    def get_fields(self) -> Any:
        return {**_shown(_document()), **super().get_fields()}


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


class Progress(Shown):
    done = serializers.IntegerField(allow_null=True)
    total = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()


class Acknowledgement(Shown):
    by = serializers.CharField(allow_null=True, help_text="A username.")
    at = _moment("When.", null=False)
    note = serializers.CharField()


class Execution(Shown):
    """One tick or one request, and its verdict."""

    id = serializers.IntegerField()
    job = serializers.CharField(help_text="The id of its job.")
    status = ComponentField("Status")
    run_time = _moment("The tick, or when it was asked for.", null=False)
    origin = ComponentField("ExecutionOrigin")
    attempt = _whole("1 for the first.", 1)
    tick_count = _whole("How many ticks it stands for.", 1)
    reason = serializers.CharField(help_text="Why it has this verdict, or why it was asked for.")
    queued_at = _moment("When it was put into the queue.")
    available_at = _moment("While it waits in the queue: when it may start.")
    started_at = _moment("When it started.")
    finished_at = _moment("When it ended.")
    duration = serializers.FloatField(allow_null=True, help_text="Seconds from its start to its end.")
    lateness = serializers.FloatField(allow_null=True, help_text="Seconds from its run time to its start.")
    instance = serializers.CharField(help_text="The process that ran it.")
    requested_by = serializers.CharField(allow_null=True, help_text="A username.")
    args = _json_list("What it was called with; null until it starts with its job's own.", allow_null=True)
    kwargs = _json_object("What it was called with; null until it starts with its job's own.", allow_null=True)
    retry_of = serializers.IntegerField(allow_null=True, help_text="The execution that this one repeats.")
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


class ExceptedTick(Shown):
    """A tick that will not run, and why."""

    tick = _moment("One of the upcoming ticks.", null=False)
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


class DueJob(Shown):
    """A job that is due in a period."""

    job = serializers.CharField(help_text="Its id.")
    name = serializers.CharField()
    function = serializers.CharField()
    ticks = _whole("How often it is due in the period.", 1)
    upcoming = serializers.ListField(child=serializers.DateTimeField(), help_text="The first few of these ticks.")


class Explanation(Shown):
    """Why a job did or did not run at a moment."""

    job = serializers.CharField()
    sentence = serializers.CharField(help_text="The answer.")
    tick = _moment("The tick that is meant; null where the schedule has none there or is not known.")
    execution = serializers.IntegerField(allow_null=True, help_text="The execution that stands for the tick.")
    verdict = serializers.CharField(allow_null=True, help_text="Its verdict; null while it has none.")


class PreviewRequest(bodies.PreviewBody):
    trigger = ComponentField("TriggerRequest")  # type: ignore[assignment]  # the same field, described


def _wall(text: str, example: str) -> Any:
    # What a clock shows: a date-time of the schema would have an offset.
    return serializers.CharField(help_text=f"{text} Such as {example}.")


class BlackoutDocument(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """A blackout window. What is read-only in an answer is ignored."""

    name = serializers.CharField(max_length=100, help_text="What the ledger calls it.")
    begins = _wall(
        "From when, as its zone's clock shows it; with an offset, that moment. A date is its midnight.",
        "2027-03-26T00:00:00",
    )
    ends = _wall("Until when, without that moment. A date is the whole of its day.", "2027-03-30T00:00:00")
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
    next_begin = _moment("When it began, where it is on, or begins next; null where it is over.")
    next_end = _moment("When it then ends.")
    revision = serializers.IntegerField(help_text="Grows with each change.")
    created_at = _moment("When it was set.", null=False)
    updated_at = _moment("When it was last changed.", null=False)

    def get_fields(self) -> Any:
        return {**_shown(BlackoutDocument().get_fields()), **super().get_fields()}


class Instance(Shown):
    """One process with a scheduler in it."""

    id = serializers.CharField()
    host = serializers.CharField()
    pid = serializers.IntegerField()
    role = ComponentField("InstanceRole")
    started_at = _moment("When it started.", null=False)
    heartbeat = _moment("When it last said that it lives.", null=False)
    slots = _whole("How many executions it can run at a time.")
    busy = _whole("How many it runs.")
    version = serializers.CharField()
    last_error = serializers.CharField()


class Scheduler(Shown):
    """Whether anything is alive, who leads and what waits."""

    alive = serializers.BooleanField(help_text="Whether some process leads: ticks are claimed.")
    paused = serializers.BooleanField(help_text="Whether all scheduling is paused.")
    paused_at = _moment("When it was paused.")
    paused_by = serializers.CharField()
    pause_reason = serializers.CharField()
    leader = Instance(allow_null=True)
    standbys = Instance(many=True)
    heartbeat_age = serializers.FloatField(allow_null=True, help_text="Seconds since the leader said that it lives.")
    led_since = _moment("Since when it leads.")
    down_since = _moment("Where nothing is alive: since when.")
    slots = _whole("How many executions the leader can run at a time.")
    busy = _whole("How many executions run.")
    queued = _whole("How many executions wait and may start.")
    due = _whole("How many jobs are due and not yet claimed.")
    next_run_time = _moment("The next tick of any job.")
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="How many jobs there are in each state.")


class Problem(Shown):
    """Why it cannot be done."""

    detail = serializers.CharField()
