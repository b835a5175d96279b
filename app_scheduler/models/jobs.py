"""Jobs: the definition of each, and which of the code's are not wanted."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob

from app_scheduler.querysets import JobSpecQuerySet


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
    queue = models.CharField(
        max_length=64, blank=True, default="", help_text="Of an executor that has several, such as Celery's."
    )
    priority = models.SmallIntegerField(default=0, help_text="What waits for a slot starts by it, the highest first.")
    concurrency_group = models.CharField(
        max_length=64, blank=True, default="", help_text="Jobs of one group share its slots, on all hosts together."
    )
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


class ConcurrencyGroup(models.Model):
    """A name that jobs share, and how many executions of all of them may run at once. Without a row it is one."""

    name = models.CharField(max_length=64, primary_key=True)
    slots = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = _("concurrency group")
        verbose_name_plural = _("concurrency groups")

    def __str__(self) -> str:
        return self.name


class DismissedDefault(models.Model):
    """A job that the code schedules by default and that somebody deleted: it is not to come back by itself."""

    job_id = models.CharField(max_length=255, primary_key=True)
    dismissed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    dismissed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.job_id
