"""Makes the site's admin the one that every app registers its models with."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminConfig(DjangoAdminConfig):
    default_site = "poker_backend.admin.AdminSite"
