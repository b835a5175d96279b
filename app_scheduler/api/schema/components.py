"""What serializers cannot say: triggers, enumerations and errors, as named components of the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import ResolvedComponent
from rest_framework import serializers

from app_scheduler.api.errors import WHOLE_BODY
from app_scheduler.api.fields import MomentField
from app_scheduler.engine.windows import Kind
from app_scheduler.models import ExecutionOrigin, InstanceRole, JobOrigin, JobState, Status
from app_scheduler.services import FailureState, InstanceState
from app_scheduler.triggers import KINDS
from app_scheduler.triggers.documents import CALENDAR_UNITS, CLOCK, INTERVAL_UNITS, MAX_JITTER, MAX_TRIGGERS

Schema = dict[str, Any]

_ZONE = {"type": "string", "description": "IANA name; the site's own where left out.", "example": "Australia/Sydney"}
_BOUND = {
    "type": "string",
    "description": "ISO 8601: a date, or a date and time, in the trigger's zone unless it has an offset.",
    "example": "2027-01-31T12:00:00",
}
_DAY = {"type": "string", "format": "date"}
_JITTER = {
    "type": "integer",
    "minimum": 0,
    "maximum": MAX_JITTER,
    "description": "Delays each run by up to so many seconds, at random; it never moves the schedule.",
}
_CRON_FIELDS = ("year", "month", "day", "week", "day_of_week", "hour", "minute", "second")


def _trigger(kind: str, properties: Mapping[str, Schema], description: str, required: Sequence[str] = ()) -> Schema:
    return {
        "type": "object",
        "description": description,
        "required": ["type", *required],
        "properties": {"type": {"type": "string", "enum": [kind]}, **properties},
        "additionalProperties": False,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_SINGLE = ("IntervalTrigger", "CronTrigger", "DateTrigger", "CalendarTrigger")
_ALL = (*_SINGLE, "AnyTrigger")
_COUNT = {"type": "integer", "minimum": 0}

COMPONENTS: dict[str, Schema] = {
    "IntervalTrigger": _trigger(
        "interval",
        {
            **dict.fromkeys(INTERVAL_UNITS, _COUNT),
            "start_date": _BOUND,
            "end_date": _BOUND,
            "timezone": _ZONE,
            "jitter": _JITTER,
        },
        "Again and again after the same time; at least one unit is above 0.",
    ),
    "CronTrigger": _trigger(
        "cron",
        {
            "expression": {
                "type": "string",
                "description": "A crontab line, as crontab(5) means it, in place of the fields.",
                "example": "0 3 * * mon-fri",
            },
            **{
                name: {
                    "oneOf": [{"type": "string"}, {"type": "integer"}],
                    "description": "As APScheduler's CronTrigger has it; answers have text.",
                }
                for name in _CRON_FIELDS
            },
            "start_date": _BOUND,
            "end_date": _BOUND,
            "timezone": _ZONE,
            "jitter": _JITTER,
        },
        "When the wall clock matches: a crontab line, or fields that all have to match.",
    ),
    "DateTrigger": _trigger("date", {"run_date": _BOUND, "timezone": _ZONE}, "Once.", ["run_date"]),
    "CalendarTrigger": _trigger(
        "calendar",
        {
            **dict.fromkeys(CALENDAR_UNITS, _COUNT),
            **{unit: {"type": "integer", "minimum": 0, "maximum": 23 if unit == "hour" else 59} for unit in CLOCK},
            "start_date": _DAY,
            "end_date": _DAY,
            "timezone": _ZONE,
            "jitter": _JITTER,
        },
        "Every so many years, months, weeks and days, at a time of day.",
    ),
    "AnyTrigger": _trigger(
        "any",
        {
            "triggers": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_TRIGGERS,
                "items": {"oneOf": [*map(_ref, _SINGLE), _ref("ScheduleExpression")]},
            }
        },
        "Whenever one of several does. Answers have documents only.",
        ["triggers"],
    ),
    "ScheduleExpression": {
        "type": "string",
        "description": "A trigger as one line: `0 3 * * 1-5`, `cron hour=3 day_of_week=mon-fri`, `every 1h 30m`, "
        "`at 2026-12-01 12:00`, several of them joined by ` | `, each with an optional `in Australia/Sydney`.",
        "example": "0 3 * * mon-fri in Australia/Sydney",
    },
    "Trigger": {
        "oneOf": [*map(_ref, _ALL)],
        "discriminator": {
            "propertyName": "type",
            "mapping": {kind: _ref(name)["$ref"] for kind, name in zip(KINDS, _ALL, strict=True)},
        },
    },
    "TriggerRequest": {"oneOf": [*map(_ref, _ALL), _ref("ScheduleExpression")]},
    "JobState": {"type": "string", "enum": JobState.values},
    "JobOrigin": {"type": "string", "enum": JobOrigin.values, "description": "The door that the job came through."},
    "Status": {
        "type": "string",
        "enum": Status.values,
        "description": "The first two are on the way, all others are verdicts.",
    },
    "ExecutionOrigin": {"type": "string", "enum": ExecutionOrigin.values, "description": "Why the execution exists."},
    "FailureState": {
        "type": "string",
        "enum": [state.value for state in FailureState],
        "description": "What a failure waits for: somebody to look, a moment at which it comes back, or nothing.",
    },
    "ExceptionKind": {
        "type": "string",
        "enum": [kind.value for kind in Kind],
        "description": "What keeps a tick from running.",
    },
    "InstanceRole": {"type": "string", "enum": InstanceRole.values},
    "InstanceState": {
        "type": "string",
        "enum": [each.value for each in InstanceState],
        "description": "`drained`: it drains and has ended what it ran. `gone`: its heartbeat has stopped.",
    },
    "Errors": {
        "type": "object",
        "description": "Messages by the path of what they are about, such as `trigger.hour`, `kwargs.days` or `since`; "
        f"`{WHOLE_BODY}` is the request as a whole.",
        "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "JsonSchema": {"type": "object", "description": "JSON Schema.", "additionalProperties": True},
}
_NEEDS = {
    "Trigger": _ALL,
    "TriggerRequest": (*_ALL, "ScheduleExpression"),
    "AnyTrigger": (*_SINGLE, "ScheduleExpression"),
}


def _register(auto_schema: Any, name: str) -> Schema:
    # A copy: the generator takes enumerations out of what it is given, and the next schema would lack them.
    component: Any = ResolvedComponent(  # type: ignore[no-untyped-call]  # has no types
        name, ResolvedComponent.SCHEMA, deepcopy(COMPONENTS[name]), object=f"console.{name}"
    )
    if component not in auto_schema.registry:
        auto_schema.registry.register(component)
        for other in _NEEDS.get(name, ()):
            _register(auto_schema, other)
    reference: Schema = component.ref
    return reference


class ComponentField(serializers.Field):  # type: ignore[type-arg]  # generic in its stubs only
    """A field whose schema is one of ``COMPONENTS``."""

    def __init__(self, component: str, request: str | None = None, **options: Any) -> None:
        self.component, self.request = component, request or component
        super().__init__(**options)


class _ComponentFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # has no types
    target_class = ComponentField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Schema:
        return _register(auto_schema, self.target.request if direction == "request" else self.target.component)


class _MomentFieldSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # has no types
    target_class = MomentField

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Schema:
        return {"type": "string", "description": "ISO 8601.", "example": "2026-12-01T12:00:00+11:00"}


class Errors(serializers.Serializer):  # type: ignore[type-arg]  # generic in its stubs only
    """Messages by path."""


class _ErrorsSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # has no types
    target_class = Errors

    def map_serializer(self, auto_schema: Any, direction: str) -> Schema:
        return deepcopy(COMPONENTS["Errors"])
