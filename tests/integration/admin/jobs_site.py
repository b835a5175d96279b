"""What the tests of the jobs' admin share: people with permissions, jobs, addresses and a reader of pages."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from app_scheduler import services
from app_scheduler.models import JobOrigin, JobSpec
from app_scheduler.services import Actor

LIST = "/admin/django_apscheduler/djangojob/"
VIEWER = ("view_djangojob",)
OPERATOR = ("view_djangojob", "run_job", "pause_job")
EDITOR = ("view_djangojob", "add_djangojob", "change_djangojob")


def person(name: str, *permissions: str, staff: bool = True) -> User:
    user = User.objects.create_user(name, is_staff=staff)
    found = Permission.objects.filter(codename__in=permissions)
    assert len(found) == len(set(permissions)), f"one of {permissions} is missing"
    user.user_permissions.set(found)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def superuser() -> User:
    return User.objects.create_superuser("root")


def make_job(job_id: str = "sum", user: Any = None, **values: Any) -> JobSpec:
    document = {"id": job_id, "function": "tests.probe.jobs.add", "kwargs": {"a": 1}, "trigger": "every 1h", **values}
    return services.create_job(document, Actor(user, JobOrigin.STAFF))


def url_of(job_id: str, page: str = "change") -> str:
    return reverse(f"admin:django_apscheduler_djangojob_{page}", args=[quote(job_id)])


def text_of(response: Any) -> str:
    """Return a page's words, without its tags and with single blanks."""
    page = re.sub(r"<(script|style|svg).*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def rows_of(response: Any) -> list[str]:
    """Return the names of the jobs in the list, in its order."""
    return [unescape(name) for name in re.findall(r'<a class="jc-name"[^>]*>([^<]*)</a>', response.content.decode())]


def messages_of(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def form_data(client: Client, url: str, **changes: Any) -> dict[str, str]:
    """Return what a browser would send for the form at ``url`` as it is, with ``changes``."""
    form = client.get(url).context["form"]
    data: dict[str, str] = {}
    for part in (form, form.arguments):
        for bound in part or ():
            value = bound.value()
            name = bound.html_name
            if bound.widget_type in ("checkbox", "argumentcheckbox"):
                if value:
                    data[name] = "on"
                if value is not None and bound.widget_type == "argumentcheckbox":
                    data[f"{name}-given"] = "1"
            elif value is not None:
                data[name] = str(value)
    if form.function_name:
        data["arg-for"] = form.function_name
    data.update({name.replace("arg_", "arg-", 1): str(value) for name, value in changes.items() if value is not None})
    for name in [name.replace("arg_", "arg-", 1) for name, value in changes.items() if value is None]:
        data.pop(name, None)
    return data
