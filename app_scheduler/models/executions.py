"""Executions: what each is made of beyond its verdict."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.querysets import ExecutionDetailQuerySet


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
#: Those after which a job's own retries come. An interrupted run may be half done: it has a setting of its own.
RETRIED = (Status.ERROR, Status.TIMED_OUT)


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
    priority = models.SmallIntegerField(default=0)
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was handed to a broker; it is still queued until a worker begins it."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    instance = models.CharField(max_length=128, blank=True, default="")
    worker = models.CharField(max_length=64, blank=True, default="")
    cancel_asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When somebody asked that it be stopped while it ran."
    )
    cancel_asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    cancel_reason = models.TextField(blank=True, default="")
    progress_done = models.BigIntegerField(null=True, blank=True)
    progress_total = models.BigIntegerField(null=True, blank=True)
    progress_message = models.CharField(max_length=255, blank=True, default="")
    progress_at = models.DateTimeField(null=True, blank=True)
    progress_rate = models.FloatField(
        null=True, blank=True, help_text="How fast it went of late, in steps a second, as far as that is known."
    )
    log = models.TextField(blank=True, default="")
    result = models.TextField(blank=True, default="")
    tick_count = models.PositiveIntegerField(default=1)
    first_tick = models.DateTimeField(
        null=True,
        blank=True,
        help_text="The first of the ticks that a row of several stands for; run_time is the last.",
    )
    reason = models.TextField(blank=True, default="")
    fingerprint = models.CharField(
        max_length=64, blank=True, default="", help_text="Of a failure: what makes it the same fault as another."
    )
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
            # In the order in which the queue is read, so that a long one is not sorted at each look.
            models.Index(
                fields=("-priority", "available_at", "execution"),
                name="jc_order",
                condition=Q(available_at__isnull=False),
            ),
            models.Index(
                "instance", name="jc_running", condition=Q(started_at__isnull=False, finished_at__isnull=True)
            ),
            models.Index(
                "instance",
                name="jc_cancel",
                condition=Q(cancel_asked_at__isnull=False, finished_at__isnull=True),
            ),
            models.Index("sent_at", name="jc_sent", condition=Q(sent_at__isnull=False)),
            models.Index("fingerprint", name="jc_fault", condition=Q(fingerprint__gt="")),
            models.Index("finished_at", name="jc_failed", condition=Q(fingerprint__gt="")),
        )

    def __str__(self) -> str:
        return f"execution {self.execution_id}"
