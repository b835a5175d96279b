"""The site's admin: Django's own, with all of the job console in one section."""

from __future__ import annotations

from django.contrib import admin

from app_scheduler.sections import OneSection


class AdminSite(OneSection, admin.AdminSite):
    pass
