"""``manage.py schedulerstatus``: whether anything is alive, for people and for probes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from app_scheduler import services
from app_scheduler.management.base import ConsoleCommand
from app_scheduler.models import ExecutionDetail, JobSpec, JobState, SchedulerInstance, SchedulerLease
from app_scheduler.services import Instance, SchedulerStatus

NOT_ALIVE = 1
UNKNOWN = 2
HELP = """\
Say who leads, how fresh its heartbeat is, who stands by, what each process runs, and what is
due, queued and paused.

The exit status is 0 while a scheduler leads, 1 while none does, and 2 where that cannot be
told: the database is away, or its tables are missing. All scheduling paused by somebody is
alive; --json says so in "paused".
"""


class Command(ConsoleCommand):
    help = HELP
    # A probe asks often, and the scheduler's life does not hang on the site's other settings.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="as one JSON object, times as ISO 8601 in UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        as_json = options["json"]
        try:
            status, instances = services.status(), services.instances()
        except (DatabaseError, InterfaceError, ImproperlyConfigured) as error:
            message = _why_unknown(error)
            if as_json:
                self.stdout.write(json.dumps({"alive": None, "error": message}, ensure_ascii=False))
            raise CommandError(message, returncode=UNKNOWN) from None
        if as_json:
            self.stdout.write(
                json.dumps(as_document(status, instances), cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
            )
        else:
            for line in lines(status, instances):
                self.stdout.write(line)
        if not status.alive:
            raise CommandError(_what_now(status), returncode=NOT_ALIVE)


def _why_unknown(error: Exception) -> str:
    tables = {model._meta.db_table for model in (JobSpec, ExecutionDetail, SchedulerInstance, SchedulerLease)}
    try:
        missing = tables - set(connection.introspection.table_names())
    except Exception:
        reason = " ".join(str(error).split())
        return f"The database does not answer: {reason}"
    if missing:
        return f"The console's tables are missing ({', '.join(sorted(missing))}). Run `manage.py migrate`."
    return f"The database cannot be asked: {' '.join(str(error).split())}"


def _what_now(status: SchedulerStatus) -> str:
    if status.draining and not status.standbys:
        return "Every scheduler drains, so nobody leads. Let one go on, on the page of the instances, or start another."
    if status.standbys:
        return "No scheduler leads right now. One that stands by takes over within the lease."
    return "No scheduler is alive. Start the site's server, or `manage.py runscheduler`."


def as_document(status: SchedulerStatus, instances: Sequence[Instance]) -> dict[str, Any]:
    """Return the status as plain values."""
    return {
        "alive": status.alive,
        "leader": _instance(status.leader),
        "heartbeat_age": status.heartbeat_age,
        "led_since": status.led_since,
        "down_since": status.down_since,
        "standbys": [_instance(standby) for standby in status.standbys],
        "paused": status.paused,
        "paused_at": status.paused_at,
        "paused_by": status.paused_by,
        "pause_reason": status.pause_reason,
        "slots": status.slots,
        "busy": status.busy,
        "due": status.due,
        "queued": status.queued,
        "next_run_time": status.next_run_time,
        "jobs": status.jobs,
        "instances": [_instance_document(each) for each in instances],
    }


def _instance(instance: SchedulerInstance | None) -> dict[str, Any] | None:
    if instance is None:
        return None
    return {"id": instance.id, "host": instance.host, "pid": instance.pid, "heartbeat": instance.heartbeat}


def _instance_document(found: Instance) -> dict[str, Any]:
    return {
        "id": found.row.id,
        "host": found.row.host,
        "pid": found.row.pid,
        "role": found.row.role,
        "state": found.state.value,
        "version": found.row.version,
        "started_at": found.row.started_at,
        "heartbeat": found.row.heartbeat,
        "heartbeat_age": found.heartbeat_age,
        "slots": found.row.slots,
        "queues": services.queues_of(found.row),
        "draining_since": found.row.draining_since,
        "running": found.running,
        "runs": [{"execution": run.execution_id, "job": run.job_id} for run in found.runs],
    }


def lines(status: SchedulerStatus, instances: Sequence[Instance]) -> list[str]:
    """Return the status in words, one line each, and a line for each instance."""
    said = [_leader_line(status)]
    standbys = ", ".join(str(standby) for standby in status.standbys)
    said.append(f"standby    {standbys or 'none: nobody takes over when the leader ends'}")
    if status.paused:
        by = f" by {status.paused_by}" if status.paused_by else ""
        why = f": {status.pause_reason}" if status.pause_reason else ""
        said.append(f"paused     all scheduling, since {_moment(status.paused_at)}{by}{why}")
    said.append(f"due        {status.due:,}")
    said.append(f"queued     {status.queued:,}")
    said.append(f"running    {status.busy:,} of {status.slots:,}" if status.slots else f"running    {status.busy:,}")
    said.append(f"next tick  {_moment(status.next_run_time)}")
    counts = ", ".join(f"{status.jobs.get(state, 0):,} {state}" for state in JobState.values)
    said.append(f"jobs       {counts}")
    said.extend(_instance_line(each) for each in instances)
    return said


def _instance_line(found: Instance) -> str:
    row = found.row
    parts = [f"{found.state.value}", f"runs {found.running:,} of {row.slots:,}"]
    if found.runs:
        named = ", ".join(f"{run.job_id} ({run.execution_id})" for run in found.runs)
        parts[-1] += f": {named}" + (", …" if found.running > len(found.runs) else "")
    if row.queues:
        parts.append(f"queues {', '.join(services.queues_of(row))}")
    if row.draining_since is not None:
        parts.append(f"drains since {_moment(row.draining_since)}")
    parts.append(f"heartbeat {found.heartbeat_age:.1f} s ago")
    return f"instance   {row}, {', '.join(parts)}"


def _leader_line(status: SchedulerStatus) -> str:
    if status.leader is not None:
        age = f"{status.heartbeat_age:.1f} s ago" if status.heartbeat_age is not None else "unknown"
        return f"leader     {status.leader}, since {_moment(status.led_since)}, last heartbeat {age}"
    if status.down_since is not None:
        return f"leader     none, since {_moment(status.down_since)}"
    return "leader     none, and there never was one"


def _moment(moment: datetime | None) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else "none"
