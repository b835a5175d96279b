"""Releases: which version of the site's code has run, and since when."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Release(models.Model):
    """An instance started with another version of the code than the one that started before it."""

    version = models.CharField(max_length=100)
    started_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        default_permissions = ()

    def __str__(self) -> str:
        return self.version
