"""Concurrency groups."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from app_scheduler.api.schema.shapes.base import Shown, shown, whole
from app_scheduler.services.groups import MAX_SLOTS


def _slots() -> Any:
    return serializers.IntegerField(
        min_value=1,
        max_value=MAX_SLOTS,
        default=1,
        help_text="How many executions of all jobs of the group may run at once, on all hosts together.",
    )


class GroupDocument(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """A concurrency group. What is read-only in an answer is ignored."""

    name = serializers.CharField(max_length=64, help_text="What jobs name in `concurrency_group`, in small letters.")
    slots = _slots()


class GroupChange(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """A concurrency group that exists: its name may be sent back, and stays."""

    name = serializers.CharField(max_length=64, required=False, help_text="As it is.")
    slots = _slots()


class Group(Shown):
    """Jobs that share slots by the group's name."""

    is_set = serializers.BooleanField(help_text="Whether it has slots of its own; else jobs name it, and it has one.")
    jobs = whole("How many jobs name it.")
    running = whole("How many executions hold a slot now, those with a broker included.")
    waiting = whole("How many executions are queued and could start now.")

    def get_fields(self) -> Any:
        return {**shown(GroupDocument().get_fields()), **super().get_fields()}
