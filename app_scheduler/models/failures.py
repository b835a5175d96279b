"""Failures that are one fault: what the inbox shows a line for, however often it came."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob


class FailureGroup(models.Model):
    """The failures of one job with one fingerprint, kept in the transactions that give the verdicts.

    It is open while ``open_count``, the failures that nobody has acknowledged, is above 0. Its numbers outlive the
    executions that retention deletes.
    """

    # No constraint: a verdict must not wait for whoever deletes its job, nor that person for it.
    job = models.ForeignKey(DjangoJob, models.CASCADE, related_name="failures", db_constraint=False, db_index=False)
    fingerprint = models.CharField(max_length=64)
    status = models.CharField(max_length=50, help_text="The verdict: an error, interrupted or timed out.")
    exception = models.CharField(max_length=1000, blank=True, default="", help_text="Of the last: type and message.")
    place = models.CharField(max_length=255, blank=True, default="", help_text="The frame of our own code, in words.")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    count = models.PositiveBigIntegerField(default=0)
    last_execution_id = models.BigIntegerField()
    open_count = models.PositiveBigIntegerField(default=0)
    opened_at = models.DateTimeField(help_text="The first failure since somebody acknowledged those before it.")
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_note = models.TextField(blank=True, default="")
    snoozed_until = models.DateTimeField(null=True, blank=True)
    snoozed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    snooze_note = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = _("failure")
        verbose_name_plural = _("failures")
        constraints = (models.UniqueConstraint(fields=("job", "fingerprint"), name="jc_failure_group"),)
        indexes = (models.Index("last_seen", name="jc_open_failure", condition=Q(open_count__gt=0)),)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.job_id}: {self.exception or self.status}"
