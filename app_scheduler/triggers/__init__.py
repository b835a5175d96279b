"""Triggers: one document, and everything that is made from it.

A trigger document (a JSON object) says when a job is due. Its evaluation, its APScheduler trigger, its sentence, its
schedule expression and its form data all derive from the same pure evaluation, so what a page says is what fires.
"""

from __future__ import annotations

from .apscheduler import ExactTrigger, document_of, stock_trigger, trigger_for
from .cautions import warnings_for
from .documents import KINDS, Document, kind_of
from .expressions import format_expression, parse_expression
from .forms import FORM_FIELDS, from_form_data, to_form_data
from .normalising import brought_forward, normalise
from .schedules import COUNT_LIMIT, Schedule, schedule_for, schedule_of_text, upcoming
from .words import describe

__all__ = [
    "COUNT_LIMIT",
    "FORM_FIELDS",
    "KINDS",
    "Document",
    "ExactTrigger",
    "Schedule",
    "brought_forward",
    "describe",
    "document_of",
    "format_expression",
    "from_form_data",
    "kind_of",
    "normalise",
    "parse_expression",
    "schedule_for",
    "schedule_of_text",
    "stock_trigger",
    "to_form_data",
    "trigger_for",
    "upcoming",
    "warnings_for",
]
