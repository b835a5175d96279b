"""The operations on concurrency groups: what each needs, takes and answers."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from app_scheduler.api import queries
from app_scheduler.api.schema import examples
from app_scheduler.api.schema.answers import Operation, answers_of, created
from app_scheduler.api.schema.shapes import groups as shapes

_NAME = OpenApiParameter("name", OpenApiTypes.STR, OpenApiParameter.PATH, description="The name of a group.")
_SHOWN = examples.answered("A group", examples.GROUP)

list_groups: Operation = {
    "operation_id": "listGroups",
    "summary": "List concurrency groups",
    "description": "Needs `app_scheduler.view_concurrencygroup`. By name: those with slots of their own, and those "
    "that jobs name, which have one.",
    "tags": ["groups"],
    "responses": answers_of({200: shapes.Group(many=True)}, checked=True, found=True),
    "examples": [_SHOWN],
}
create_group: Operation = {
    "operation_id": "createGroup",
    "summary": "Give a concurrency group slots",
    "description": "Needs `app_scheduler.add_concurrencygroup`.",
    "tags": ["groups"],
    "parameters": [created(201, "the group")],
    "request": shapes.GroupDocument,
    "responses": answers_of({201: shapes.Group}, body=True),
    "examples": [
        examples.asked("Two at a time", examples.NEW_GROUP),
        examples.answered("A group", {**examples.GROUP, "jobs": 0, "running": 0, "waiting": 0}, 201),
    ],
}
read_group: Operation = {
    "operation_id": "readGroup",
    "summary": "Read a concurrency group",
    "description": "Needs `app_scheduler.view_concurrencygroup`. What comes back may be sent back with PUT as it is.",
    "tags": ["groups"],
    "parameters": [_NAME],
    "responses": answers_of({200: shapes.Group}, found=True),
    "examples": [_SHOWN],
}
replace_group: Operation = {
    "operation_id": "replaceGroup",
    "summary": "Replace a concurrency group",
    "description": "Needs `app_scheduler.change_concurrencygroup`. What runs already goes on, also beyond fewer slots.",
    "tags": ["groups"],
    "parameters": [_NAME],
    "request": shapes.GroupChange,
    "responses": answers_of({200: shapes.Group}, body=True, found=True),
    "examples": [examples.asked("Two at a time", examples.NEW_GROUP), _SHOWN],
}
change_group: Operation = {
    **replace_group,
    "operation_id": "changeGroup",
    "summary": "Change parts of a concurrency group",
    "description": "Needs `app_scheduler.change_concurrencygroup`. What is left out stays as it is.",
    "examples": [examples.asked("Two at a time", {"slots": 2}), _SHOWN],
}
delete_group: Operation = {
    "operation_id": "deleteGroup",
    "summary": "Take a concurrency group's slots away",
    "description": "Needs `app_scheduler.delete_concurrencygroup`. Jobs that name it share one slot from then on.",
    "tags": ["groups"],
    "parameters": [_NAME, queries.ReasonQuery],
    "responses": answers_of({204: OpenApiResponse(None, "It is deleted.")}, found=True, checked=True),
}
