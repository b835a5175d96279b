"""The console in Django's admin: django-apscheduler's two models, with admins of our own."""

from __future__ import annotations

import django_apscheduler.admin  # noqa: F401  # registers its own admins, which are replaced here
from django.apps import apps
from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from django_apscheduler.models import DjangoJob, DjangoJobExecution

admin.site.unregister((DjangoJob, DjangoJobExecution))

# What staff read on every page of the admin. Only what is in a model's own source goes into migrations, so none comes
# of this; a proxy model would have been one, with permissions and addresses of its own.
apps.get_app_config("django_apscheduler").verbose_name = _("Scheduler")
for _model, _singular, _plural in (
    (DjangoJob, _("job"), _("jobs")),
    (DjangoJobExecution, _("execution"), _("executions")),
):
    _model._meta.verbose_name, _model._meta.verbose_name_plural = _singular, _plural

from app_scheduler.admin import blackouts, executions, failures, groups, instances, jobs  # noqa: E402, F401  # they register themselves, after the stock ones went
