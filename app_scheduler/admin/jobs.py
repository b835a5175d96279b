"""The admin of jobs."""

from __future__ import annotations

from django.contrib import admin
from django_apscheduler.models import DjangoJob

from app_scheduler.admin.joblist import JobList
from app_scheduler.admin.jobpages import JobPages
from app_scheduler.admin.overview import JobOverview
from app_scheduler.admin.transfer import TransferMixin


@admin.register(DjangoJob)
class JobAdmin(TransferMixin, JobOverview, JobPages, JobList):  # type: ignore[misc]  # import-export has no types
    """Jobs, which staff build, change, pause, run and delete here; every act goes through ``services``."""
