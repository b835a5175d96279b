"""What the console keeps beside django-apscheduler's two tables.

``DjangoJob`` and ``DjangoJobExecution`` stay as they are shipped. ``JobSpec`` is *the* definition of a job and
``ExecutionDetail`` the rest of an execution's record; both share the primary key of the row that they complete.
"""

from app_scheduler.models.blackouts import BlackoutWindow
from app_scheduler.models.executions import FAILURES, RETRIED, ExecutionDetail, ExecutionOrigin, Status
from app_scheduler.models.failures import FailureGroup
from app_scheduler.models.jobs import ConcurrencyGroup, DismissedDefault, JobOrigin, JobSpec, JobState
from app_scheduler.models.releases import Release
from app_scheduler.models.rollups import HourTally, JobDay, Measure
from app_scheduler.models.scheduler import InstanceRole, SchedulerInstance, SchedulerLease

__all__ = [
    "FAILURES",
    "RETRIED",
    "BlackoutWindow",
    "ConcurrencyGroup",
    "DismissedDefault",
    "ExecutionDetail",
    "ExecutionOrigin",
    "FailureGroup",
    "HourTally",
    "InstanceRole",
    "JobDay",
    "JobOrigin",
    "JobSpec",
    "JobState",
    "Measure",
    "Release",
    "SchedulerInstance",
    "SchedulerLease",
    "Status",
]
