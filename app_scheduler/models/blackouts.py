"""Blackout windows."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


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
