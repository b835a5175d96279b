"""The one door for everything that a person or a client does with jobs and executions.

The admin, the API, the import and the commands parse, check permission, call one function here, and report. No rule
lives in a door, and nothing here sees a request. Each act goes through this process's live scheduler and leaves a
``LogEntry`` with who, what and why.
"""

from app_scheduler.services.audit import MAX_REASON, Actor
from app_scheduler.services.calendar import Calendar, Entry, due_in, due_jobs
from app_scheduler.services.code_defaults import (
    CodeDifference,
    DeletedDefault,
    bring_back,
    changed_fields,
    changed_from_code,
    code_differences,
    count_deleted_defaults,
    deleted_defaults,
    revert_to_code,
)
from app_scheduler.services.executions import (
    acknowledge_execution,
    acknowledge_executions,
    cancel_execution,
    get_execution,
    retry_execution,
    run_now,
)
from app_scheduler.services.explanations import Explanation, explain
from app_scheduler.services.imports import PlannedRow, RowAction, carry_out_import, plan_import
from app_scheduler.services.jobs import (
    MAX_PREVIEW,
    PlannedChange,
    change_job,
    create_job,
    delete_job,
    delete_jobs,
    get_job,
    pause_job,
    pause_jobs,
    plan_change,
    resume_job,
    resume_jobs,
    upcoming_ticks,
    with_past_at_once,
)
from app_scheduler.services.previews import Difference, Preview, preview
from app_scheduler.services.repairs import (
    MissingCause,
    RepointPlan,
    guesses_for,
    missing_causes,
    plan_repoint,
    repair_job,
    repoint_jobs,
)
from app_scheduler.services.scheduling import SchedulerStatus, pause_all, resume_all, status

__all__ = [
    "MAX_PREVIEW",
    "MAX_REASON",
    "Actor",
    "Calendar",
    "CodeDifference",
    "DeletedDefault",
    "Difference",
    "Entry",
    "Explanation",
    "MissingCause",
    "PlannedChange",
    "PlannedRow",
    "Preview",
    "RepointPlan",
    "RowAction",
    "SchedulerStatus",
    "acknowledge_execution",
    "acknowledge_executions",
    "bring_back",
    "cancel_execution",
    "carry_out_import",
    "change_job",
    "changed_fields",
    "changed_from_code",
    "code_differences",
    "count_deleted_defaults",
    "create_job",
    "delete_job",
    "delete_jobs",
    "deleted_defaults",
    "due_in",
    "due_jobs",
    "explain",
    "get_execution",
    "get_job",
    "guesses_for",
    "missing_causes",
    "pause_all",
    "pause_job",
    "pause_jobs",
    "plan_change",
    "plan_import",
    "plan_repoint",
    "preview",
    "repair_job",
    "repoint_jobs",
    "resume_all",
    "resume_job",
    "resume_jobs",
    "retry_execution",
    "revert_to_code",
    "run_now",
    "status",
    "upcoming_ticks",
    "with_past_at_once",
]
