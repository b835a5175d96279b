"""The forms of the console: a job, its schedule, its arguments, and the small ones that ask why.

No rule lives here. A form gathers what was typed, lets ``documents`` and ``triggers`` check it, and puts each of their
messages beside the field that its path names. Whatever was typed is shown again.
"""

from .arguments import ARGUMENTS, ArgumentsForm, stored_arguments
from .base import ConsoleForm, ExplainForm, LocalMomentField, PauseAllForm, PauseForm, ReasonForm
from .failures import NoteForm, RetryForm, SnoozeForm
from .filling import FILLS, PICKS, Filled, agree, fill, pick_data
from .functions import function_choices, suggested_name
from .inputs import zone_names
from .jobs import JobForm, initial_of, initial_of_new
from .repairs import RepairForm, RepointForm
from .schedule import (
    SCHEDULE_FIELDS,
    SHARED_FIELDS,
    TRIGGER_CARDS,
    TRIGGER_FIELDS,
    TRIGGER_MAIN,
    ScheduleForm,
    data_of,
    trigger_from,
)

__all__ = [
    "ARGUMENTS",
    "FILLS",
    "PICKS",
    "SCHEDULE_FIELDS",
    "SHARED_FIELDS",
    "TRIGGER_CARDS",
    "TRIGGER_FIELDS",
    "TRIGGER_MAIN",
    "ArgumentsForm",
    "ConsoleForm",
    "ExplainForm",
    "Filled",
    "JobForm",
    "LocalMomentField",
    "NoteForm",
    "PauseAllForm",
    "PauseForm",
    "ReasonForm",
    "RepairForm",
    "RepointForm",
    "RetryForm",
    "ScheduleForm",
    "SnoozeForm",
    "agree",
    "data_of",
    "fill",
    "function_choices",
    "initial_of",
    "initial_of_new",
    "pick_data",
    "stored_arguments",
    "suggested_name",
    "trigger_from",
    "zone_names",
]
