"""Sums over executions, kept in the transactions that give the verdicts: no page adds up millions of rows.

Both count what was promised. A run is one, however many ticks it stands for; a row of ticks that did not run (missed,
skipped, too many at once) is as many as it stands for.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob


class Measure(models.TextChoices):
    """What an hour is counted by: verdicts, or how late runs began and how long they took, by size."""

    VERDICT = "verdict", _("verdict")
    LATE = "late", _("lateness")
    TOOK = "took", _("duration")


class HourTally(models.Model):
    """How many verdicts of an hour, of all jobs, fall into one bucket.

    ``hour`` is its beginning, UTC. A verdict's bucket is its status; that of a length is the number that
    ``engine.tallies.bucket_of`` gives it, as text.
    """

    hour = models.DateTimeField()
    measure = models.CharField(max_length=8, choices=Measure.choices)
    bucket = models.CharField(max_length=50)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("hour", "measure", "bucket"), name="jc_hour_tally"),)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} {self.measure} {self.bucket}: {self.count}"


class JobDay(models.Model):
    """How the runs and ticks of one job ended on one day, UTC, by the moment of their verdict."""

    # No constraint: a verdict must not wait for whoever deletes its job, nor that person for it.
    job = models.ForeignKey(DjangoJob, models.CASCADE, related_name="days", db_constraint=False, db_index=False)
    day = models.DateField(db_index=True)
    executed = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    missed = models.PositiveBigIntegerField(default=0, help_text="Missed, or too many at once.")
    skipped = models.PositiveBigIntegerField(default=0, help_text="Skipped or cancelled, as somebody asked.")
    seconds = models.FloatField(default=0, help_text="How long the executed ones took, together.")
    longest = models.FloatField(default=0, help_text="How long the longest of them took.")

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("job", "day"), name="jc_job_day"),)

    def __str__(self) -> str:
        return f"{self.job_id}, {self.day}"
