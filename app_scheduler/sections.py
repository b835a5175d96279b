"""One section for all of the console on the admin's index, though its models are those of two apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as _AdminSite
else:
    _AdminSite = object

#: The apps whose models stand together, the one that gives its address to the section first.
APPS = ("django_apscheduler", "app_scheduler")
#: Their models, in the order of the section; any other comes after them.
ORDER = (
    "DjangoJob",
    "DjangoJobExecution",
    "FailureGroup",
    "BlackoutWindow",
    "ConcurrencyGroup",
    "SchedulerInstance",
)


class OneSection(_AdminSite):
    """For an ``AdminSite``: all that the console has, in one section of its index and of its sidebar.

    A site that has an ``AdminSite`` of its own puts this before it; without it the console has two sections. Addresses
    and permissions stay those of the apps. It is no part of ``app_scheduler.admin``, which needs the site to be there.
    """

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        if app_label is not None and app_label not in APPS:
            return super().get_app_list(request, app_label)
        # The page of either app shows the whole section.
        labels = [None] if app_label is None else APPS
        found = [section for label in labels for section in super(OneSection, self).get_app_list(request, label)]
        ours = sorted(
            (each for each in found if each["app_label"] in APPS), key=lambda each: APPS.index(each["app_label"])
        )
        if not ours:
            return found
        models = sorted((model for each in ours for model in each["models"]), key=_place)
        section = {**ours[0], "models": models}
        return [section if each is ours[0] else each for each in found if each is ours[0] or each not in ours]


def _place(model: dict[str, Any]) -> int:
    name = model["object_name"]
    return ORDER.index(name) if name in ORDER else len(ORDER)
