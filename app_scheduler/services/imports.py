"""Documents in bulk: plan an import without writing, then carry it out, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from app_scheduler import documents, scheduler
from app_scheduler.documents import Document
from app_scheduler.engine.jobstore import KEEP
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.sql import in_batches
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import (
    JobSpec,
)
from app_scheduler.services.audit import Actor, diff, log_jobs
from app_scheduler.services.jobs import PlannedChange, new_job, pause_or_resume, plan_change


class RowAction(Enum):
    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(slots=True)
class PlannedRow:
    """What one row of an import would do, or why it cannot."""

    number: int
    document: Document | None = None
    before: Document | None = None
    action: RowAction | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)
    change: PlannedChange | None = None


def plan_import(rows: Sequence[Mapping[str, Any]], *, numbers: Sequence[int] | None = None) -> list[PlannedRow]:
    """Check rows of documents without writing anything; every fault of every row is named.

    A row with a known id changes that job where it says something else; what it leaves out stays. ``numbers`` are the
    rows' numbers where people see others than 1, 2, 3.
    """
    known = _known_jobs(rows)
    seen: dict[str, int] = {}
    planned = []
    for number, row in zip(numbers or range(1, len(rows) + 1), rows, strict=True):
        plan = PlannedRow(number)
        planned.append(plan)
        try:
            _plan_row(plan, row, known)
        except InvalidInput as error:
            plan.errors = error.errors
            continue
        assert plan.document is not None
        first = seen.setdefault(plan.document["id"], number)
        if first != number:
            plan.errors = {
                "id": [gettext("Row %(first)s has the same id. Give each job an id of its own.") % {"first": first}]
            }
    return planned


def _known_jobs(rows: Sequence[Any]) -> dict[str, JobSpec]:
    ids = {str(row.get("id") or "").strip() for row in rows if isinstance(row, Mapping)}
    # No job has another; a database refuses to be asked about a NUL or half a character.
    possible = sorted(
        job_id for job_id in ids if 0 < len(job_id) <= 255 and "\0" not in job_id and job_id == _encodable(job_id)
    )
    return {
        spec.job_id: spec
        for batch in in_batches(possible, 5000)
        for spec in JobSpec.objects.select_related("job").filter(job_id__in=batch)
    }


def _encodable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode()


def _says_the_same(row: Mapping[str, Any], before: Document) -> bool:
    """Tell whether a row says what an export said: also of a job that is broken, which no check would let pass."""
    exported = documents.shown(before)
    said = [(value, exported.get(name, KEEP)) for name, value in row.items() if name not in documents.READ_ONLY]
    # In Python 1 equals true.
    return all(value == stored and type(value) is type(stored) for value, stored in said)


def _plan_row(plan: PlannedRow, row: Any, known: Mapping[str, JobSpec]) -> None:
    if not isinstance(row, Mapping):
        raise InvalidInput(gettext("A row is an object with the fields of a job."))
    spec = known.get(str(row.get("id") or "").strip())
    if spec is None:
        if row.get("id") in (None, ""):
            raise InvalidInput({"id": gettext("Give each job an id, for example “nightly-cleanup”.")})
        plan.document, plan.action = documents.clean(row), RowAction.NEW
        return
    before = documents.of(spec)
    if _says_the_same(row, before):
        plan.before, plan.document, plan.action = before, before, RowAction.SAME
        return
    plan.change = plan_change(spec, {**row, "id": spec.job_id})
    plan.before, plan.document = plan.change.before, plan.change.document
    has_change = plan.change.fields or plan.change.pause is not None
    plan.action = RowAction.CHANGED if has_change else RowAction.SAME


def carry_out_import(planned: Sequence[PlannedRow], actor: Actor, *, reason: str = "Import") -> dict[RowAction, int]:
    """Write a planned import, all or nothing; return how many rows did what. Raises ``InvalidInput``."""
    faulty = {f"row {plan.number}.{path}": messages for plan in planned for path, messages in plan.errors.items()}
    if faulty:
        raise InvalidInput(faulty)
    now = utc_now()
    new = [new_job(p.document, actor, now, reason) for p in planned if p.action == RowAction.NEW and p.document]
    changed = [plan.change for plan in planned if plan.action == RowAction.CHANGED and plan.change is not None]
    try:
        with transaction.atomic():
            scheduler.insert_jobs(new)
            saving = [change.as_change() for change in changed if change.fields]
            stale = {change.spec.job_id for change in saving} - scheduler.save_changes(saving)
            if stale:
                raise InvalidInput(
                    gettext("Somebody changed %(names)s meanwhile. Import again.")
                    % {"names": ", ".join(sorted(stale)[:5])}
                )
            logged = [(spec, ADDITION, diff(None, documents.of(spec), reason)) for spec, _ in new]
            logged += [(change.spec, CHANGE, diff(change.before, change.document, reason)) for change in changed]
            log_jobs(logged, actor)
            for pause in (True, False):
                ids = [change.spec.job_id for change in changed if change.pause is pause]
                pause_or_resume(ids, pause, actor, reason)
    except IntegrityError:
        raise InvalidInput(gettext("Somebody created one of these jobs meanwhile. Import again.")) from None
    counts = dict.fromkeys(RowAction, 0)
    for plan in planned:
        if plan.action is not None:
            counts[plan.action] += 1
    return counts
