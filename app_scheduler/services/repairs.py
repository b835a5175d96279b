"""The ways out of a broken state: another function, another executor, or its schedule again; for one or for many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext

from app_scheduler import documents, scheduler
from app_scheduler.conf import console_settings
from app_scheduler.engine.sql import in_batches
from app_scheduler.exceptions import InvalidInput, JobNotFound
from app_scheduler.models import JobSpec, JobState
from app_scheduler.registry import RegisteredFunction, registry
from app_scheduler.services.audit import Actor, log_jobs
from app_scheduler.services.jobs import PlannedChange, change_job, change_message, get_job, plan_change


@dataclass(frozen=True, slots=True)
class MissingCause:
    """A function or an executor that jobs need and that this process does not have; ``jobs`` counts them."""

    function: str
    executor: str
    jobs: int


@dataclass(slots=True)
class RepointPlan:
    """What pointing jobs at another function would do: those that fit, and why the others do not."""

    function: RegisteredFunction
    fitting: list[PlannedChange] = field(default_factory=list)
    #: Each job that does not fit, with what is wrong by field.
    faulty: list[tuple[JobSpec, InvalidInput]] = field(default_factory=list)
    #: Jobs that call the function already and run: nothing is done to them.
    unchanged: list[JobSpec] = field(default_factory=list)


def missing_causes() -> list[MissingCause]:
    """Return the functions and executors that jobs need and that are gone here, most jobs first, in one query.

    ``function`` or ``executor`` is empty where it is not what is missing. Finished jobs need nothing.
    """
    known, executors = set(registry.names()), set(console_settings.executors)
    used = JobSpec.objects.exclude(state=JobState.FINISHED).order_by().values_list("function", "executor")
    counts: dict[tuple[str, str], int] = {}
    for function, executor, count in used.annotate(Count("pk")):
        if function not in known:
            counts[function, ""] = counts.get((function, ""), 0) + count
        if executor not in executors:
            counts["", executor] = counts.get(("", executor), 0) + count
    causes = [MissingCause(function, executor, count) for (function, executor), count in counts.items()]
    return sorted(causes, key=lambda cause: (-cause.jobs, cause.function, cause.executor))


def guesses_for(spec: JobSpec) -> list[RegisteredFunction]:
    """Return the functions that a job whose function is gone may mean, the likeliest first, at most five.

    First those of the same name elsewhere, then those of a similar name that take the stored arguments, then others
    of a similar name, then those that take the stored arguments by their names.
    """

    def distance(function: RegisteredFunction) -> tuple[bool, bool]:
        is_other = function.name.rpartition(".")[2] != spec.function.replace(":", ".").rpartition(".")[2]
        return is_other, not _takes(function, spec)

    similar = sorted(registry.similar_to(spec.function), key=distance)
    alike = [function for function in registry.all() if function not in similar and _takes_by_name(function, spec)]
    return [*similar, *alike][:5]


def _takes_by_name(function: RegisteredFunction, spec: JobSpec) -> bool:
    """Tell whether a function has a parameter for each of the stored names: to take no arguments is no likeness."""
    if not isinstance(spec.kwargs, Mapping) or not spec.kwargs:
        return False
    names = {parameter.name for parameter in function.signature.parameters}
    return names.issuperset(spec.kwargs) and _takes(function, spec)


def _takes(function: RegisteredFunction, spec: JobSpec) -> bool:
    try:
        function.signature.bind(spec.args, spec.kwargs)
    except InvalidInput:
        return False
    return True


def repair_job(
    job_id: str, data: Mapping[str, Any], actor: Actor, *, expected_revision: int | None = None, reason: str = ""
) -> JobSpec:
    """Change what a broken job lacks (``function``, ``args``, ``kwargs``, ``executor``) and schedule it again.

    With nothing in ``data`` it is scheduled again as it is, where its cause is gone. Raises ``JobNotFound``, and
    ``InvalidInput`` with whatever still keeps it from running.
    """
    spec = get_job(job_id)
    if spec.state != JobState.BROKEN and not documents.fault_of(spec):
        raise InvalidInput(gettext("This job is not broken any more. Load its page again."))
    return change_job(job_id, data, actor, expected_revision=expected_revision, reason=reason)


def plan_repoint(ids: Sequence[str], function: str) -> RepointPlan:
    """Check, without writing, which jobs another function fits with the arguments that they have.

    Raises ``InvalidInput`` for an unknown function, and ``JobNotFound`` for the first job that is gone.
    """
    plan = RepointPlan(registry.get(function))
    ids = list(dict.fromkeys(ids))
    for spec in _read(ids):
        name = spec.function
        if name == plan.function.name and spec.state != JobState.BROKEN:
            plan.unchanged.append(spec)
            continue
        try:
            plan.fitting.append(plan_change(spec, {"function": plan.function.name}))
        except InvalidInput as error:
            plan.faulty.append((spec, error))
    return plan


def _read(ids: Sequence[str]) -> Iterable[JobSpec]:
    found = {
        spec.job_id: spec
        for batch in in_batches(ids, 5000)
        for spec in JobSpec.objects.select_related("job").defer("job__job_state").filter(job_id__in=batch)
    }
    for job_id in ids:
        if job_id not in found:
            raise JobNotFound(job_id)
        yield found[job_id]


def repoint_jobs(ids: Sequence[str], function: str, actor: Actor, *, reason: str = "") -> list[str]:
    """Point jobs at another function, all or none; return the ids of those that changed. Broken ones run again.

    Each keeps its arguments. Raises ``JobNotFound``, and ``InvalidInput`` with each job that the function does not
    fit, or that somebody changed meanwhile.
    """
    plan = plan_repoint(ids, function)
    if plan.faulty:
        raise InvalidInput(
            {f"{spec.job_id}.{path}": texts for spec, error in plan.faulty for path, texts in error.errors.items()}
        )
    with transaction.atomic():
        saved = scheduler.save_changes([change.as_change() for change in plan.fitting])
        stale = sorted(change.spec.job_id for change in plan.fitting if change.spec.job_id not in saved)
        if stale:
            raise InvalidInput(
                gettext("Somebody changed %(names)s meanwhile. Nothing was changed; try again.")
                % {"names": ", ".join(stale[:5])}
            )
        log_jobs([(change.spec, CHANGE, change_message(change, reason)) for change in plan.fitting], actor)
    return [change.spec.job_id for change in plan.fitting]
