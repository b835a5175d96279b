"""What the code asks of its jobs and what staff made of it: the differences, the way back, and what was deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE
from django.db import IntegrityError, transaction
from django.utils.translation import gettext
from django_apscheduler.models import DjangoJob

from app_scheduler import documents, scheduler
from app_scheduler.documents import ARGUMENTS, SPEC_FIELDS, Document
from app_scheduler.engine.queue import utc_now
from app_scheduler.exceptions import InvalidInput, JobExists
from app_scheduler.models import DismissedDefault, JobSpec
from app_scheduler.registry import registry
from app_scheduler.services.audit import Actor, diff, log_about, log_jobs, with_reason
from app_scheduler.services.jobs import change_job, get_job


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """One field in which a job is not what the code asks for. Secrets are masked."""

    field: str
    code: Any
    job: Any
    #: What the code asked for before it changed its mind, where nobody has answered that yet.
    code_before: Any = None
    #: Whether the code asks for something new, which staff's choice kept out.
    is_new: bool = False

    @property
    def is_masked(self) -> bool:
        """Whether the difference is in a secret, so that both sides look the same."""
        return documents.is_same(self.code, self.job)


@dataclass(frozen=True, slots=True)
class DeletedDefault:
    """A job that the code asks for and somebody deleted. ``document`` is None where only the next start knows it."""

    job_id: str
    deleted_by: Any
    deleted_at: datetime
    document: Document | None


def changed_fields(spec: JobSpec) -> list[str]:
    """Return the fields that are not as the code asks; none for a job that is not the code's.

    A job whose function the code gave up is staff's alone.
    """
    code = spec.code_document
    if not isinstance(code, dict) or registry.find(str(code.get("function"))) is None:
        return []
    stored = documents.of(spec)
    return [field for field in SPEC_FIELDS if field in code and not documents.is_same(code[field], stored[field])]


def code_differences(spec: JobSpec) -> list[CodeDifference]:
    """Return each field in which a job is not what the code asks for, in the order of a document."""
    changed = changed_fields(spec)
    asked: Document = spec.code_document or {}
    if not changed:
        return []
    code, job = documents.shown(asked), documents.shown(documents.of(spec))
    before = documents.shown({**asked, **spec.code_before})
    return [
        CodeDifference(
            field,
            code[field],
            job[field],
            code_before=before[field] if field in spec.code_before else None,
            is_new=field in spec.code_before,
        )
        for field in changed
    ]


def changed_from_code() -> list[str]:
    """Return the ids of the jobs of the code that staff changed. The code asks for few, however many there are."""
    jobs = JobSpec.objects.filter(code_document__isnull=False).order_by("job_id")
    return [spec.job_id for spec in jobs.iterator(chunk_size=1000) if changed_fields(spec)]


def revert_to_code(
    job_id: str,
    actor: Actor,
    *,
    fields: Iterable[str] | None = None,
    expected_revision: int | None = None,
    reason: str = "",
) -> JobSpec:
    """Make a job what the code asks for again: in these fields, or in all. Whether it is paused stays.

    Its arguments go back together. Raises ``JobNotFound``, and ``InvalidInput`` where there is nothing to revert.
    """
    spec = get_job(job_id)
    changed = changed_fields(spec)
    asked: Document = spec.code_document or {}
    wanted = changed if fields is None else list(fields)
    for field in wanted:
        if field not in SPEC_FIELDS:
            raise InvalidInput(
                {
                    "fields": gettext("“%(field)s” cannot be reverted. Use %(names)s.")
                    % {"field": str(field)[:60], "names": ", ".join(SPEC_FIELDS)}
                }
            )
    if not changed:
        raise InvalidInput(
            gettext("This job is what the code asks for, or the code asks for none. There is nothing to revert.")
        )
    if not set(ARGUMENTS).isdisjoint(wanted):
        wanted = [*wanted, *ARGUMENTS]
    data = {field: asked[field] for field in dict.fromkeys(wanted) if field in changed}
    if not data:
        names = ", ".join(changed)
        raise InvalidInput(
            {"fields": gettext("These fields are as the code asks already. Changed are: %(names)s.") % {"names": names}}
        )
    return change_job(
        job_id,
        data,
        actor,
        expected_revision=expected_revision,
        reason=with_reason("Reverted to the code's", reason),
    )


def deleted_defaults() -> list[DeletedDefault]:
    """Return the jobs of the code that were deleted, the latest first."""
    asked = scheduler.defaults()
    rows = DismissedDefault.objects.select_related("dismissed_by").order_by("-dismissed_at", "job_id")
    return [
        DeletedDefault(
            row.job_id, row.dismissed_by, row.dismissed_at, _readable({**documents.defaults(), **asked[row.job_id]})
        )
        if row.job_id in asked
        else DeletedDefault(row.job_id, row.dismissed_by, row.dismissed_at, None)
        for row in rows
    ]


def _readable(given: Document) -> Document | None:
    try:
        return documents.shown(documents.clean(given))
    except InvalidInput:
        return None


def count_deleted_defaults() -> int:
    """Return how many jobs of the code were deleted."""
    return DismissedDefault.objects.count()


def bring_back(job_id: str, actor: Actor, *, reason: str = "") -> JobSpec | None:
    """Let a job of the code that somebody deleted come back, as the code asks for it now.

    Returns the job, or None where this process does not know what the code asks: then the next start makes it.
    Raises ``InvalidInput`` where it was not deleted, or where the code asks for what cannot be, and ``JobExists``.
    """
    given = scheduler.defaults().get(job_id)
    try:
        with transaction.atomic():
            dismissed, _ = DismissedDefault.objects.filter(job_id=job_id).delete()
            if not dismissed:
                raise InvalidInput(
                    gettext("No job of the code “%(job_id)s” was deleted. Load the list again.")
                    % {"job_id": job_id[:255]}
                )
            if given is None:
                text = with_reason("Comes back when the code next asks for it", reason)
                log_about(DjangoJob, [(job_id, job_id, CHANGE, text)], actor)
                return None
            spec = scheduler.add_default({**documents.defaults(), **given}, utc_now())
            message = diff(None, documents.of(spec), with_reason("Brought back", reason))
            log_jobs([(spec, ADDITION, message)], actor)
    except IntegrityError:
        raise JobExists(job_id) from None
    return get_job(job_id)
