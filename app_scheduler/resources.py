"""Import and export of jobs, for the admin and for the commands.

django-import-export gives the frame (resources, results, formats, the pages' flow); the work is done in bulk by
``services``: its own row-by-row import checks, compares and saves each row with statements of their own.
"""

# mypy: disable-error-code="no-untyped-call"
# django-import-export and tablib have no types.

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from import_export import fields, resources
from import_export.results import Error, Result, RowResult
from tablib.core import Dataset

from app_scheduler import documents, services, triggers
from app_scheduler.documents import FIELDS, Document
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobOrigin, JobSpec
from app_scheduler.services import Actor, PlannedRow, RowAction
from app_scheduler.transfer import JobRows, SourceRow
from app_scheduler.transfer.table import json_text, read_table

_IMPORT_TYPES = {
    RowAction.NEW: RowResult.IMPORT_TYPE_NEW,
    RowAction.CHANGED: RowResult.IMPORT_TYPE_UPDATE,
    RowAction.SAME: RowResult.IMPORT_TYPE_SKIP,
}
MAY_NOT_PAUSE = _(
    "This would pause or resume the job, and you may not: that needs the permission “Can pause and resume jobs”. "
    "Leave the field out, or ask somebody who may."
)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What one field of a job is and will be, as people read it; secrets are masked."""

    field: str
    before: str
    after: str
    #: What is masked looks the same before and after.
    is_secret: bool = False


class JobRowResult(RowResult):
    """One row: what it would do, or its errors by field, named as the file names them."""

    def __init__(self, source: SourceRow, plan: PlannedRow) -> None:
        super().__init__()
        self.source = source
        self.plan = plan
        self.number = source.number
        self.messages = _named_as_in_file(source, plan.errors)
        document = plan.document or (source.document if isinstance(source.document, Mapping) else {})
        self.object_id = str(document.get("id") or "")[:255]
        self.object_repr = str(document.get("name") or "")[:200]
        if self.messages:
            self.import_type = RowResult.IMPORT_TYPE_INVALID
            self.validation_error = ValidationError(
                {field or "__all__": messages for field, messages in self.messages.items()}
            )
        elif plan.action is not None:
            self.import_type = _IMPORT_TYPES[plan.action]

    @property
    def changes(self) -> list[FieldChange]:
        """The fields that a changed row changes."""
        before, after = self.plan.before, self.plan.document
        if before is None or after is None:
            return []
        shown_before, shown_after = documents.shown(before), documents.shown(after)
        return [
            FieldChange(
                self.source.renamed.get(name, name),
                shown_value(name, shown_before[name]),
                shown_value(name, shown_after[name]),
                is_secret=shown_before[name] == shown_after[name],
            )
            for name in FIELDS
            if before[name] != after[name]
        ]

    @property
    def schedule(self) -> str:
        """When the job will run, in words."""
        return triggers.describe(self.plan.document["trigger"]) if self.plan.document else ""

    @property
    def function(self) -> str:
        return str(self.plan.document["function"]) if self.plan.document else ""

    def lines(self) -> Iterator[str]:
        """Yield one line per error."""
        for field, messages in self.messages.items():
            for message in messages:
                values = {"number": self.number, "field": field, "message": message}
                if field:
                    yield gettext("row %(number)s, %(field)s: %(message)s") % values
                else:
                    yield gettext("row %(number)s: %(message)s") % values


class JobResult(Result):
    """What an import would do or did, row by row."""

    rows: list[JobRowResult]

    def add(self, row: JobRowResult) -> None:
        self.append_row_result(row)
        self.increment_row_result_total(row)
        if row.validation_error is not None:
            self.append_invalid_row(row.number, {"id": row.object_id, "name": row.object_repr}, row.validation_error)

    def _of_type(self, import_type: str) -> list[JobRowResult]:
        return [row for row in self.rows if row.import_type == import_type]

    @cached_property
    def new(self) -> list[JobRowResult]:
        return self._of_type(RowResult.IMPORT_TYPE_NEW)

    @cached_property
    def changed(self) -> list[JobRowResult]:
        return self._of_type(RowResult.IMPORT_TYPE_UPDATE)

    @cached_property
    def unchanged(self) -> list[JobRowResult]:
        return self._of_type(RowResult.IMPORT_TYPE_SKIP)

    @cached_property
    def invalid(self) -> list[JobRowResult]:
        return self._of_type(RowResult.IMPORT_TYPE_INVALID)

    @property
    def changes_nothing(self) -> bool:
        return not (self.new or self.changed or self.invalid or self.base_errors)

    @property
    def has_faults(self) -> bool:
        """Whether nothing may be, or was, written."""
        return bool(self.base_errors or self.invalid_rows)

    def lines(self) -> Iterator[str]:
        """Yield one line per error."""
        for error in self.base_errors:
            yield str(error.error)
        for row in self.invalid:
            yield from row.lines()

    def summary(self) -> str:
        """Return “3 new, 1 changed, 20 unchanged”, leaving out what there is none of."""
        parts = (
            (ngettext("%(count)s new", "%(count)s new", len(self.new)), self.new),
            (ngettext("%(count)s changed", "%(count)s changed", len(self.changed)), self.changed),
            (ngettext("%(count)s unchanged", "%(count)s unchanged", len(self.unchanged)), self.unchanged),
            (ngettext("%(count)s with errors", "%(count)s with errors", len(self.invalid)), self.invalid),
        )
        return ", ".join(text % {"count": f"{len(rows):,}"} for text, rows in parts if rows) or gettext("no jobs")


class JobResource(resources.Resource):
    """Jobs as documents. Datasets hold the fields of a document as they are; the formats know how to write them."""

    vars().update({name: fields.Field(attribute=name, column_name=name) for name in FIELDS})

    class Meta:
        import_id_fields = ("id",)
        # What is written, services write, in a transaction of their own.
        use_transactions = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    @classmethod
    def get_display_name(cls) -> str:
        return gettext("Jobs")

    @classmethod
    def get_result_class(cls) -> type[JobResult]:
        return JobResult

    def get_queryset(self) -> QuerySet[JobSpec]:
        return JobSpec.objects.order_by("job_id")

    def export(self, queryset: Any = None, **kwargs: Any) -> Dataset:
        """Return jobs as a dataset, secrets masked: all, or those of a queryset of ``DjangoJob`` or ``JobSpec``."""
        dataset = Dataset(headers=list(FIELDS), title="jobs")
        for document in self.export_documents(queryset):
            dataset.append([document[name] for name in FIELDS])
        return dataset

    def export_documents(self, queryset: Any = None) -> Iterator[Document]:
        specs = self.get_queryset()
        if queryset is not None:
            specs = specs.filter(job_id__in=queryset.order_by().values("pk"))
        for spec in specs.iterator(chunk_size=2000):
            yield documents.shown(documents.of(spec))

    def import_data(
        self,
        dataset: JobRows | Dataset,
        dry_run: bool = False,
        raise_errors: bool = False,
        *args: Any,
        user: Any = None,
        may_pause: bool = True,
        reason: str = "Import",
        **kwargs: Any,
    ) -> JobResult:
        """Plan an import and, unless it is a dry run or any row is at fault, carry it out, all or nothing.

        ``user`` is named in the audit trail; ``may_pause`` says whether they may pause and resume jobs.
        """
        sources = dataset if isinstance(dataset, JobRows) else rows_of(dataset)
        result = self.get_result_class()()
        result.diff_headers = list(FIELDS)
        result.total_rows = len(sources)
        planned = plan(sources.rows, may_pause=may_pause)
        for source, planned_row in zip(sources, planned, strict=True):
            result.add(JobRowResult(source, planned_row))
        if dry_run or result.has_faults:
            if raise_errors and result.has_faults:
                raise InvalidInput({"": list(result.lines())})
            return result
        try:
            services.carry_out_import(planned, Actor(user, JobOrigin.IMPORT), reason=reason)
        except InvalidInput as error:
            if raise_errors:
                raise
            result.append_base_error(Error(error))
        return result


def rows_of(dataset: Dataset) -> JobRows:
    """Return the rows of a plain dataset, whose headers name the columns."""
    table = [dataset.headers or [], *(list(dataset[index]) for index in range(len(dataset)))]
    return read_table(enumerate(table, start=1))


def plan(sources: Sequence[SourceRow], *, may_pause: bool = True) -> list[PlannedRow]:
    """Plan rows, each with the faults that reading it found and those that checking it finds."""
    planned = services.plan_import([row.document for row in sources], numbers=[row.number for row in sources])
    for source, planned_row in zip(sources, planned, strict=True):
        if source.faults:
            planned_row.errors = _all_faults(source, planned_row.errors)
        elif not may_pause and planned_row.change is not None and planned_row.change.pause is not None:
            planned_row.errors = {"paused": [str(MAY_NOT_PAUSE)]}
    return planned


def _all_faults(source: SourceRow, found: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Add what checking found to what reading found; a field that could not be read is not missing besides."""
    roots = {"trigger" if field == "schedule" else field for field in source.faults}
    if roots & {"args", "kwargs"}:
        roots |= {"args", "kwargs"}
    if "" in roots:
        return source.faults
    return source.faults | {path: text for path, text in found.items() if path.partition(".")[0] not in roots}


def _named_as_in_file(source: SourceRow, errors: Mapping[str, list[str]]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for path, messages in errors.items():
        root, dot, rest = path.partition(".")
        named.setdefault(source.renamed.get(root, root) + dot + rest, []).extend(messages)
    return named


def shown_value(field: str, value: Any) -> str:
    """Return a field's value as people read it."""
    if field == "trigger":
        try:
            return triggers.format_expression(value)
        except InvalidInput:
            return json_text(value)
    if field == "tags":
        return ", ".join(value)
    if value is None:
        return gettext("none")
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return value if isinstance(value, str) else json_text(value)


def export_bytes(format_name: str, queryset: Any = None) -> bytes:
    """Return a file of jobs. Raises ``InvalidInput`` where the format cannot hold one of them."""
    from app_scheduler.transfer import FORMATS_BY_NAME

    exported: Iterable[Document] = JobResource().export_documents(queryset)
    return FORMATS_BY_NAME[format_name]().write(exported)
