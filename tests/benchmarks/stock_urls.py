"""The addresses of an admin with django-apscheduler's own pages, as that package ships them."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import path
from django_apscheduler.admin import DjangoJobAdmin, DjangoJobExecutionAdmin
from django_apscheduler.models import DjangoJob, DjangoJobExecution

site = AdminSite()
site.register(DjangoJob, DjangoJobAdmin)
site.register(DjangoJobExecution, DjangoJobExecutionAdmin)

urlpatterns = [path("admin/", site.urls)]
