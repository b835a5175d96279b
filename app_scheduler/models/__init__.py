"""What the console keeps beside django-apscheduler's two tables.

``DjangoJob`` and ``DjangoJobExecution`` stay as they are shipped. ``JobSpec`` is *the* definition of a job and
``ExecutionDetail`` the rest of an execution's record; both share the primary key of the row that they complete.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob, DjangoJobExecution

from app_scheduler.querysets import ExecutionDetailQuerySet, JobSpecQuerySet


class JobState(models.TextChoices):
    """What a job is doing: waiting for its next tick, held back, done for good, or unable to run."""

    SCHEDULED = "scheduled", _("Scheduled")
    PAUSED = "paused", _("Paused")
    FINISHED = "finished", _("Finished")
    BROKEN = "broken", _("Broken")


class JobOrigin(models.TextChoices):
    """Which door a job came through."""

    CODE = "code", _("code")
    STAFF = "staff", _("staff")
    IMPORT = "import", _("import")
    API = "api", _("API")


class ExecutionOrigin(models.TextChoices):
    """Why an execution exists."""

    SCHEDULE = "schedule", _("schedule")
    MANUAL = "manual", _("run now")
    RETRY = "retry", _("retry")
    BACKFILL = "backfill", _("backfill")


class Status(models.TextChoices):
    """The value of ``DjangoJobExecution.status``: the first two are on the way, all others are verdicts."""

    QUEUED = "Queued", _("Queued")
    STARTED = DjangoJobExecution.SENT, _("Running")
    EXECUTED = DjangoJobExecution.SUCCESS, _("Executed")
    ERROR = DjangoJobExecution.ERROR, _("Error")
    MISSED = DjangoJobExecution.MISSED, _("Missed")
    MAX_INSTANCES = DjangoJobExecution.MAX_INSTANCES, _("Max instances")
    INTERRUPTED = "Interrupted!", _("Interrupted")
    TIMED_OUT = "Timed out!", _("Timed out")
    CANCELLED = "Cancelled", _("Cancelled")
    SKIPPED = "Skipped", _("Skipped")


#: Verdicts that count as failures on pages and in the failure digest.
FAILURES = (Status.ERROR, Status.INTERRUPTED, Status.TIMED_OUT)


class InstanceRole(models.TextChoices):
    LEADER = "leader", _("leader")
    STANDBY = "standby", _("standby")


class JobSpec(models.Model):
    """The definition of a job; its ``DjangoJob`` row carries only the id and the next tick."""

    job = models.OneToOneField(DjangoJob, models.CASCADE, primary_key=True, related_name="spec")
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True, default="")
    tags = models.JSONField(default=list, blank=True)
    function = models.CharField(max_length=255, db_index=True)
    trigger = models.JSONField()
    trigger_type = models.CharField(max_length=16, editable=False, help_text="Kept from the trigger, for filters.")
    anchor = models.DateTimeField(help_text="When the trigger was set: the phase of an interval without a start date.")
    args = models.JSONField(default=list, blank=True, encoder=DjangoJSONEncoder)
    kwargs = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    executor = models.CharField(max_length=64, default="default")
    coalesce = models.BooleanField(default=True)
    max_instances = models.PositiveIntegerField(default=1)
    misfire_grace_time = models.PositiveIntegerField(null=True, blank=True, default=300)
    timeout = models.PositiveIntegerField(null=True, blank=True)
    max_retries = models.PositiveIntegerField(default=0)
    retry_backoff = models.PositiveIntegerField(default=30)
    rerun_if_interrupted = models.BooleanField(default=False)

    state = models.CharField(max_length=16, choices=JobState.choices, default=JobState.SCHEDULED, db_index=True)
    state_reason = models.TextField(blank=True, default="")
    origin = models.CharField(max_length=16, choices=JobOrigin.choices, default=JobOrigin.STAFF)
    code_document = models.JSONField(
        null=True, blank=True, editable=False, help_text="What the code asked for last; the base of a three-way merge."
    )
    code_before = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="By field, what the code asked for before it asked for something else than staff had chosen.",
    )
    paused_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    held_from = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="While a job is paused or broken: ticks from this moment on have no verdict yet.",
    )
    skip_tick = models.DateTimeField(null=True, blank=True, help_text="The tick that is not to run, as somebody asked.")
    skip_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    skip_reason = models.TextField(blank=True, default="")

    last_status = models.CharField(max_length=50, blank=True, default="", db_index=True)
    last_execution_id = models.BigIntegerField(null=True, blank=True)
    last_finished_at = models.DateTimeField(null=True, blank=True)

    revision = models.PositiveIntegerField(default=1, help_text="Grows with each change; a stale form is refused.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = JobSpecQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        permissions = (
            ("run_job", "Can run jobs now and retry executions"),
            ("pause_job", "Can pause and resume jobs"),
        )

    def __str__(self) -> str:
        return self.name or str(self.job_id)

    @property
    def words(self) -> list[str]:
        """The tags; none where the row holds something else."""
        return [tag for tag in self.tags if isinstance(tag, str)] if isinstance(self.tags, list) else []


class ExecutionDetail(models.Model):
    """What an execution is made of beyond its verdict; while ``available_at`` is set, the row is in the queue."""

    execution = models.OneToOneField(DjangoJobExecution, models.CASCADE, primary_key=True, related_name="detail")
    origin = models.CharField(max_length=16, choices=ExecutionOrigin.choices, default=ExecutionOrigin.SCHEDULE)
    # Indexes that nothing asks for would be written for each execution.
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    args = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    kwargs = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    function = models.CharField(max_length=255, blank=True, default="")
    attempt = models.PositiveIntegerField(default=1)
    retry_of = models.ForeignKey(
        DjangoJobExecution, models.SET_NULL, null=True, blank=True, related_name="retries", db_index=True
    )
    available_at = models.DateTimeField(null=True, blank=True)
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    instance = models.CharField(max_length=128, blank=True, default="")
    worker = models.CharField(max_length=64, blank=True, default="")
    progress_done = models.BigIntegerField(null=True, blank=True)
    progress_total = models.BigIntegerField(null=True, blank=True)
    progress_message = models.CharField(max_length=255, blank=True, default="")
    log = models.TextField(blank=True, default="")
    result = models.TextField(blank=True, default="")
    tick_count = models.PositiveIntegerField(default=1)
    first_tick = models.DateTimeField(
        null=True,
        blank=True,
        help_text="The first of the ticks that a row of several stands for; run_time is the last.",
    )
    reason = models.TextField(blank=True, default="")
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_note = models.TextField(blank=True, default="")

    objects = ExecutionDetailQuerySet.as_manager()

    class Meta:
        verbose_name = _("execution detail")
        indexes = (
            # The queue and what runs now are small however many executions are kept, and so are their indexes.
            models.Index("available_at", name="jc_queue", condition=Q(available_at__isnull=False)),
            models.Index(
                "instance", name="jc_running", condition=Q(started_at__isnull=False, finished_at__isnull=True)
            ),
            models.Index("fingerprint", name="jc_fault", condition=Q(fingerprint__gt="")),
        )

    def __str__(self) -> str:
        return f"execution {self.execution_id}"


class SchedulerInstance(models.Model):
    """One process with a scheduler in it. Its row goes when it stops, or when its heartbeat does."""

    id = models.CharField(max_length=128, primary_key=True)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    role = models.CharField(max_length=16, choices=InstanceRole.choices, default=InstanceRole.STANDBY)
    started_at = models.DateTimeField()
    heartbeat = models.DateTimeField()
    slots = models.PositiveIntegerField(default=0)
    busy = models.PositiveIntegerField(default=0)
    version = models.CharField(max_length=64, blank=True, default="")
    last_error = models.TextField(blank=True, default="")
    bell = models.PositiveIntegerField(null=True, blank=True, help_text="Where it can be woken: its port, on SQLite.")

    def __str__(self) -> str:
        return f"{self.host}, process {self.pid}"


class SchedulerLease(models.Model):
    """The one row that says who leads, and whether all scheduling is paused."""

    SINGLETON = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SINGLETON)
    holder = models.CharField(max_length=128, blank=True, default="")
    token = models.BigIntegerField(default=0, help_text="Fencing token: grows with each change of leader.")
    expires_at = models.DateTimeField()
    led_since = models.DateTimeField(null=True, blank=True)
    alive_at = models.DateTimeField(null=True, blank=True, help_text="The last moment that some leader was alive.")
    down_since = models.DateTimeField(
        null=True, blank=True, help_text="When the leadership before this one was last seen alive."
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    pause_reason = models.TextField(blank=True, default="")
    last_paused_at = models.DateTimeField(null=True, blank=True, help_text="When the last pause that is over began.")
    last_paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    last_pause_reason = models.TextField(blank=True, default="")
    last_resumed_at = models.DateTimeField(null=True, blank=True, help_text="When the last pause of everything ended.")
    blackouts = models.CharField(
        max_length=32,
        blank=True,
        default="",
        help_text="Another text after each change of the blackout windows; empty while there are none.",
    )

    def __str__(self) -> str:
        return self.holder or "nobody leads"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.id = self.SINGLETON
        super().save(*args, **kwargs)


class BlackoutWindow(models.Model):
    """A span of time in which ticks do not run: of all jobs, or of those with one of its tags.

    Its bounds are what the clock on the wall shows in its zone, as ``2027-03-26T00:00:00``: the first moment in it and
    the first after it. A yearly one comes back at the same dates until ``last_year``, the year of its last beginning.
    """

    name = models.CharField(_("name"), max_length=100)
    begins = models.CharField(_("begins"), max_length=19)
    ends = models.CharField(_("ends"), max_length=19)
    timezone = models.CharField(_("time zone"), max_length=64)
    yearly = models.BooleanField(_("every year"), default=False)
    last_year = models.PositiveSmallIntegerField(_("last year"), null=True, blank=True)
    tags = models.JSONField(_("tags"), default=list, blank=True)
    reason = models.TextField(_("reason"), blank=True, default="")
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("set by")
    )
    over_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        db_index=True,
        help_text="When it is over for good; kept from its bounds.",
    )
    revision = models.PositiveIntegerField(default=1, help_text="Grows with each change; a stale form is refused.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("blackout window")
        verbose_name_plural = _("blackout windows")

    def __str__(self) -> str:
        return self.name


class DismissedDefault(models.Model):
    """A job that the code schedules by default and that somebody deleted: it is not to come back by itself."""

    job_id = models.CharField(max_length=255, primary_key=True)
    dismissed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    dismissed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.job_id
