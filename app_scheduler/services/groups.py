"""Concurrency groups: names that jobs share, and how many executions of all of them may run at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext

from app_scheduler import documents, scheduler
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import GroupNotFound, InvalidInput
from app_scheduler.models import ConcurrencyGroup, ExecutionDetail, JobSpec
from app_scheduler.services.audit import MAX_REASON, Actor, log_about, with_reason
from app_scheduler.services.skips import too_long

#: Names that a form suggests.
MAX_NAMES = 100
MAX_SLOTS = 10_000
FIELDS = ("name", "slots")
READ_ONLY = frozenset({"is_set", "jobs", "running", "waiting"})


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is now. ``is_set`` says whether it has slots of its own, and not the one that any name has.

    ``jobs`` is how many name it, ``running`` how many executions hold a slot, those with a broker included, and
    ``waiting`` how many are available and queued.
    """

    name: str
    slots: int
    is_set: bool
    jobs: int
    running: int
    waiting: int


def group_names() -> list[str]:
    """Return the groups that have a number of slots of their own or are named by a job, at most ``MAX_NAMES``."""
    used = JobSpec.objects.exclude(concurrency_group="").order_by().values_list("concurrency_group", flat=True)
    return list(used.union(ConcurrencyGroup.objects.order_by().values_list("name"))[:MAX_NAMES])


def holders_of(group: str) -> tuple[int, list[int]]:
    """Return how many slots a group has, and as many of the executions that hold them: the oldest first."""
    slots = ConcurrencyGroup.objects.filter(name=group).values_list("slots", flat=True).first() or 1
    running = ExecutionDetail.objects.running().filter(execution__job__spec__concurrency_group=group)
    return slots, list(running.order_by("started_at", "pk").values_list("pk", flat=True)[:slots])


def known_groups(*, without_slots: bool = False) -> QuerySet[Any]:
    """Return the names of all groups in their order, or of those alone that jobs name and nobody has given slots."""
    set_names = ConcurrencyGroup.objects.order_by().values_list("name", flat=True)
    used = JobSpec.objects.exclude(concurrency_group="").order_by().values_list("concurrency_group", flat=True)
    if without_slots:
        return used.exclude(concurrency_group__in=set_names).distinct().order_by("concurrency_group")
    return set_names.union(used).order_by("name")


def groups_named(names: Sequence[str]) -> list[Group]:
    """Return groups as they are now, in the order of ``names``. Three queries, however many there are."""
    slots = dict(ConcurrencyGroup.objects.filter(name__in=names).values_list("name", "slots"))
    named = JobSpec.objects.filter(concurrency_group__in=names).order_by().values("concurrency_group")
    jobs = dict(named.annotate(number=Count("pk")).values_list("concurrency_group", "number"))
    # Each part has a partial index, and together they leave out all that has its verdict.
    holds = Q(started_at__isnull=False, finished_at__isnull=True) | Q(sent_at__isnull=False)
    waits = Q(available_at__isnull=False, available_at__lte=utc_now())
    live = ExecutionDetail.objects.filter(holds | waits, execution__job__spec__concurrency_group__in=names).order_by()
    counted = live.values("execution__job__spec__concurrency_group").annotate(
        running=Count("pk", filter=holds), waiting=Count("pk", filter=waits)
    )
    now = {row["execution__job__spec__concurrency_group"]: row for row in counted}
    return [
        Group(
            name,
            slots.get(name, 1),
            name in slots,
            jobs.get(name, 0),
            now[name]["running"] if name in now else 0,
            now[name]["waiting"] if name in now else 0,
        )
        for name in names
    ]


def get_group(name: str) -> Group:
    """Return a group that has slots of its own or that a job names. Raises ``GroupNotFound``."""
    (group,) = groups_named([name])
    if not group.is_set and not group.jobs:
        raise GroupNotFound(name)
    return group


def add_group(data: Mapping[str, Any], actor: Actor) -> Group:
    """Give a group slots of its own. Raises ``InvalidInput`` with its messages by field."""
    name, slots = clean_group(data)
    try:
        with transaction.atomic():
            row = ConcurrencyGroup(name=name, slots=slots)
            row.save(force_insert=True)
            message = json.dumps([{"added": {}, "after": {"slots": slots}}])
            log_about(ConcurrencyGroup, [(name, name, ADDITION, message)], actor)
            scheduler.announce_queued()
    except IntegrityError:
        text = gettext("The group “%(name)s” has slots already. Change them there, or choose another name.")
        raise InvalidInput({"name": text % {"name": name}}) from None
    return get_group(name)


def change_group(name: str, data: Mapping[str, Any], actor: Actor, *, partial: bool = True) -> Group:
    """Change how many slots a group has; what runs already goes on. Its name stays, since its jobs have it.

    Raises ``GroupNotFound`` where nobody has given it slots, and ``InvalidInput`` with its messages by field.
    """
    with transaction.atomic():
        row = ConcurrencyGroup.objects.select_for_update().filter(name=name).first()
        if row is None:
            raise GroupNotFound(name)
        given, slots = clean_group({"name": name, **({"slots": row.slots} if partial else {}), **data})
        if given != name:
            text = gettext("A group keeps its name, since its jobs have it. Add a group and have the jobs name that.")
            raise InvalidInput({"name": text})
        if slots != row.slots:
            before, row.slots = row.slots, slots
            row.save(update_fields=["slots"])
            change = {"changed": {"fields": ["slots"]}, "before": {"slots": before}, "after": {"slots": slots}}
            log_about(ConcurrencyGroup, [(name, name, CHANGE, json.dumps([change]))], actor)
            scheduler.announce_queued()
    return get_group(name)


def delete_groups(names: Sequence[str], actor: Actor, *, reason: str = "") -> int:
    """Take the slots of groups away; return how many there were. Jobs that name them share one slot from then on."""
    if len(reason) > MAX_REASON:
        raise InvalidInput({"reason": too_long()})
    with transaction.atomic():
        found = list(ConcurrencyGroup.objects.select_for_update().filter(name__in=names).values_list("name", flat=True))
        ConcurrencyGroup.objects.filter(name__in=found).delete()
        message = with_reason("Deleted", reason)
        log_about(ConcurrencyGroup, [(name, name, DELETION, message) for name in found], actor)
        scheduler.announce_queued()
    return len(found)


def delete_group(name: str, actor: Actor, *, reason: str = "") -> None:
    """Take a group's slots away. Raises ``GroupNotFound``."""
    if not delete_groups([name], actor, reason=reason):
        raise GroupNotFound(name)


def clean_group(data: Mapping[str, Any]) -> tuple[str, int]:
    """Return a checked name and number of slots. Raises ``InvalidInput`` with its messages by field."""
    errors: dict[str, str | list[str]] = {}
    for key in data:
        if key not in FIELDS and key not in READ_ONLY:
            near = get_close_matches(str(key), FIELDS, n=1)
            hint = gettext("Did you mean “%(name)s”?") if near else gettext("The fields are %(names)s.")
            hint %= {"name": near[0] if near else "", "names": ", ".join(FIELDS)}
            errors[str(key)[:60]] = gettext("There is no such field. %(hint)s") % {"hint": hint}
    name, slots = "", 1
    try:
        name = documents.as_group(data.get("name"))
        if not name:
            errors["name"] = gettext("Give it a name; “none” stands for a job without a group.")
    except InvalidInput as error:
        errors.update(error.under("name").errors)
    try:
        slots = documents.as_number(1, MAX_SLOTS)(data.get("slots", 1)) or 1
    except InvalidInput as error:
        errors.update(error.under("slots").errors)
    except ValueError as error:
        errors["slots"] = str(error)
    if errors:
        raise InvalidInput(errors)
    return name, slots
