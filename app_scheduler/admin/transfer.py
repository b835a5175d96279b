"""Import and export in the jobs' admin: upload, look, confirm; and files of the list or of chosen rows.

django-import-export leads through the pages. What it does not do is done here: it takes a temporary file's name from
a hidden field and so reads and deletes whatever lies beside it, answers a broken file with an exception's name, reports
success where rows failed, and asks no permission that it was not told of.
"""
# mypy: disable-error-code="no-untyped-call"
# django-import-export has no types.

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core import signing
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from import_export.admin import ImportExportMixin
from import_export.forms import ConfirmImportForm, ExportForm, ImportForm
from import_export.signals import post_export, post_import
from import_export.tmp_storages import TempFolderStorage

from app_scheduler.conf import console_settings
from app_scheduler.exceptions import InvalidInput
from app_scheduler.resources import JobResource, JobResult, JobRowResult
from app_scheduler.transfer import FORMATS, JobFormat, JobRows, format_of_name
from app_scheduler.transfer.table import COLUMNS

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = object

logger = logging.getLogger(__name__)

#: Rows of each kind that the preview shows; the others are counted. A page of 20,000 rows helps nobody.
SHOWN_ROWS = 100
#: How long a preview can be confirmed, and an upload that nobody confirmed is kept.
KEPT_SECONDS = 24 * 60 * 60

LABELS = {
    "csv": _("CSV: one row a job, for spreadsheets"),
    "xlsx": _("XLSX: one row a job, for Excel and LibreOffice"),
    "json": _("JSON: whole jobs, for programs"),
    "yaml": _("YAML: whole jobs, for reading and version control"),
}
TOO_OLD = _("This preview is too old, or it is not yours. Upload the file again.")
GONE = _("The uploaded file is no longer here: it has been imported already, or it was too old. Upload it again.")


class UploadFolder(TempFolderStorage):
    """Uploads between preview and confirmation, as files that only this process's user may read.

    Those that nobody confirmed are removed when the next one comes: django-import-export keeps them for ever.
    """

    PREFIX = "jobs-import-"

    def save(self, data: bytes) -> None:
        self._prune()
        descriptor, path = tempfile.mkstemp(prefix=self.PREFIX)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        self.name = os.path.basename(path)

    def _prune(self) -> None:
        for path in Path(tempfile.gettempdir()).glob(f"{self.PREFIX}*"):
            # Somebody else's, or gone by now: either way not ours to remove.
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                    path.unlink()


class JobImportForm(ImportForm):
    """The upload. ``format`` may stay automatic: the file's name tells it."""

    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        self.formats = formats
        field = self.fields["import_file"]
        field.label = _("File")
        field.help_text = _("CSV, XLSX, JSON or YAML; at most %(rows)s jobs and %(size)s.") % {
            "rows": f"{console_settings.import_max_rows:,}",
            "size": filesizeformat(console_settings.import_max_bytes),
        }
        field.widget.attrs = {"accept": ",".join(suffix for format in formats for suffix in format.suffixes)}
        field.error_messages["empty"] = _("The file is empty. Choose one that holds jobs, for example an export.")
        field.error_messages["required"] = _("Choose a file.")
        chosen: Any = self.fields["format"]
        chosen.required = False
        chosen.choices = [("", _("Automatic: by the file’s name")), *_choices(formats)]
        chosen.widget.attrs = {}

    @property
    def media(self) -> forms.Media:
        # Without the script that guesses the format in the browser: the server does.
        return forms.Media()

    def clean_import_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["import_file"]
        limit = console_settings.import_max_bytes
        size = file.size or 0
        if size > limit:
            raise forms.ValidationError(
                _("This file has %(size)s; at most %(limit)s can be imported at once. Split it into several files."),
                params={"size": filesizeformat(size), "limit": filesizeformat(limit)},
            )
        return file

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        file = cleaned.get("import_file")
        if file is not None and not cleaned.get("format") and "format" not in self.errors:
            try:
                cleaned["format"] = str(self.formats.index(format_of_name(file.name or "")))
            except InvalidInput as error:
                self.add_error("format", str(error))
        return cleaned


class JobConfirmForm(ConfirmImportForm):
    """The confirmation. The upload's name is signed for the user who saw the preview."""

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        self.signer = signing.TimestampSigner(salt=f"app_scheduler.import.{user.pk}")
        super().__init__(*args, **kwargs)

    def clean_import_file_name(self) -> str:
        try:
            name: str = self.signer.unsign(self.cleaned_data["import_file_name"], max_age=KEPT_SECONDS)
        except signing.BadSignature:
            raise forms.ValidationError(str(TOO_OLD)) from None
        return os.path.basename(name)

    def clean_format(self) -> str:
        chosen = str(self.cleaned_data["format"])
        if chosen not in {str(index) for index in range(len(FORMATS))}:
            raise forms.ValidationError(str(TOO_OLD))
        return chosen


class JobExportForm(ExportForm):
    """The format, and the chosen jobs as one JSON list: one field each would be more than a form may have."""

    export_items: Any = forms.CharField(widget=forms.HiddenInput(), required=False)

    def __init__(self, formats: Any, resources: Any, **kwargs: Any) -> None:
        super().__init__(formats, resources, **kwargs)
        field: Any = self.fields["format"]
        field.widget = forms.RadioSelect()
        field.choices = _choices(formats)
        field.initial = "0"
        field.error_messages["required"] = _("Choose a format.")

    def clean_export_items(self) -> list[str]:
        try:
            items = json.loads(self.cleaned_data["export_items"] or "[]")
        except (ValueError, RecursionError):
            items = None
        if not isinstance(items, list) or not all(isinstance(item, str) and "\0" not in item for item in items):
            raise forms.ValidationError(_("The chosen jobs cannot be read. Go back to the list and choose them again."))
        return items


def _choices(formats: Any) -> list[tuple[str, Any]]:
    return [(str(index), LABELS.get(format.name, format.name)) for index, format in enumerate(formats)]


class TransferMixin(ImportExportMixin, _ModelAdmin):
    """Gives the admin of jobs its import page, its export page and the action “export selected”.

    To be inherited before the ``ModelAdmin``. Import needs the permissions to add and to change jobs, and to pause them
    where a file pauses or resumes one; export needs the permission to view them.
    """

    # Declared, since django-import-export's None and ModelAdmin's class do not agree.
    model: Any
    resource_classes: Any = (JobResource,)
    import_template_name = "admin/app_scheduler/transfer/import.html"
    export_template_name = "admin/app_scheduler/transfer/export.html"
    import_export_change_list_template = "admin/app_scheduler/transfer/change_list.html"
    import_form_class: Any = JobImportForm
    confirm_form_class: Any = JobConfirmForm
    export_form_class: Any = JobExportForm
    # Services write their own audit trail.
    skip_admin_log: Any = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Here rather than in get_actions(), whose signature differs between Django's versions.
        if self.actions is not None:
            self.actions = [*self.actions, "export_selected"]

    # --- what is offered, and to whom -----------------------------------------------------------------------------

    def get_import_formats(self) -> list[type[JobFormat]]:
        return list(FORMATS)

    def get_export_formats(self) -> list[type[JobFormat]]:
        return list(FORMATS)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {}

    def get_export_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        return {}

    def choose_import_resource_class(self, form: Any, request: HttpRequest) -> type[JobResource]:
        return JobResource

    def choose_export_resource_class(self, form: Any, request: HttpRequest) -> type[JobResource]:
        return JobResource

    # --- import ---------------------------------------------------------------------------------------------------

    def get_tmp_storage_class(self) -> Any:
        """Return the storage of the site's settings; the one that is the default everywhere is made to tidy up."""
        chosen = super().get_tmp_storage_class()
        return UploadFolder if chosen is TempFolderStorage else chosen

    def get_import_data_kwargs(self, **kwargs: Any) -> dict[str, Any]:
        request = kwargs["request"]
        return {"may_pause": request.user.has_perm("app_scheduler.pause_job"), "reason": "Import"}

    def get_confirm_form_kwargs(self, request: HttpRequest, import_form: Any = None) -> dict[str, Any]:
        return {**super().get_confirm_form_kwargs(request, import_form), "user": request.user}

    def create_confirm_form(self, request: HttpRequest, import_form: Any = None) -> JobConfirmForm:
        form: JobConfirmForm = super().create_confirm_form(request, import_form)
        if import_form is not None:
            form.initial["import_file_name"] = form.signer.sign(form.initial["import_file_name"])
        return form

    def add_data_read_fail_error_to_form(self, form: Any, e: Exception) -> None:
        if isinstance(e, InvalidInput):
            for line in e.lines():
                form.add_error("import_file", line)
            return
        logger.error("An upload could not be read", exc_info=e)
        form.add_error("import_file", _("This file cannot be read. Check that it is what its format says."))

    def import_action(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the upload's form and, after an upload, what it would do. Nothing is written."""
        if request.method == "POST" and not request.POST and not request.FILES:
            # Without any field the form would not be bound, and say nothing.
            return HttpResponseRedirect(request.path)
        response: TemplateResponse = super().import_action(request, **kwargs)
        context: dict[str, Any] = response.context_data or {}
        result: JobResult | None = context.get("result")
        if result is not None and result.changes_nothing:
            context.pop("confirm_form", None)
        if "confirm_form" not in context:
            self._remove_upload(context["form"])
        context.update(self._import_page(result))
        return response

    def _import_page(self, result: JobResult | None) -> dict[str, Any]:
        return {
            "title": gettext("Import jobs"),
            "columns": COLUMNS,
            "result": result,
            "preview": Preview(result) if result is not None else None,
            "media": self.media,
        }

    def _remove_upload(self, form: Any) -> None:
        # Not its cleaned data: a field with an error has none.
        name = getattr(form.files.get("import_file"), "tmp_storage_name", None)
        if name:
            with contextlib.suppress(Exception):
                self._storage(name).remove()

    def _storage(self, name: str) -> Any:
        return self.get_tmp_storage_class()(name=name, read_mode="rb", **self.get_tmp_storage_class_kwargs())

    @method_decorator(require_POST)
    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Carry out what was confirmed, planned anew: all of it, or nothing."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = self.create_confirm_form(request)
        if not form.is_valid():
            return self._back_to_import(request, str(TOO_OLD))
        storage = self._storage(form.cleaned_data["import_file_name"])
        try:
            data = storage.read()
        except OSError:
            data = None
        if not data:
            return self._back_to_import(request, str(GONE))
        try:
            rows: JobRows = FORMATS[int(form.cleaned_data["format"])]().create_dataset(data)
        except InvalidInput as error:
            return self._back_to_import(request, str(error))
        result: JobResult = self.process_dataset(rows, form, request)
        with contextlib.suppress(OSError):
            storage.remove()
        if result.has_faults:
            return self._refused(request, result)
        return self.process_result(result, request)

    def _back_to_import(self, request: HttpRequest, message: str) -> HttpResponse:
        messages.error(request, message)
        return HttpResponseRedirect(reverse(self._url_name("import"), current_app=self.admin_site.name))

    def _url_name(self, page: str) -> str:
        return f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"

    def _refused(self, request: HttpRequest, result: JobResult) -> HttpResponse:
        """Show why a confirmed import was not carried out: somebody changed a job between the preview and now."""
        request.current_app = self.admin_site.name
        form = JobImportForm(self.get_import_formats(), self.get_import_resource_classes(request))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "form": form,
            **self._import_page(result),
        }
        return TemplateResponse(request, self.import_template_name, context)

    def process_result(self, result: JobResult, request: HttpRequest) -> HttpResponse:
        messages.success(request, gettext("Imported: %(summary)s.") % {"summary": result.summary()})
        post_import.send(sender=None, model=self.model)
        return HttpResponseRedirect(reverse(self._url_name("changelist"), current_app=self.admin_site.name))

    # --- export ---------------------------------------------------------------------------------------------------

    def export_action(self, request: HttpRequest) -> HttpResponse:
        """Show the export's form, or answer it with a file of the list as it is filtered, or of the chosen jobs."""
        if not self.has_export_permission(request):
            raise PermissionDenied
        try:
            queryset = self.get_export_queryset(request)
        except IncorrectLookupParameters:
            messages.error(request, gettext("The list cannot be filtered like this. Choose its filters again."))
            return HttpResponseRedirect(reverse(self._url_name("changelist"), current_app=self.admin_site.name))
        form = self._export_form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            chosen = form.cleaned_data["export_items"]
            if chosen:
                queryset = queryset.filter(pk__in=chosen)
            try:
                return self._do_file_export(FORMATS[int(form.cleaned_data["format"])](), request, queryset, form)
            except InvalidInput as error:
                form.add_error("format", str(error))
        return self._export_page(request, form)

    @admin.action(permissions=["export"], description=_("Export selected %(verbose_name_plural)s"))
    def export_selected(self, request: HttpRequest, queryset: Any) -> HttpResponse:
        """Ask for the format of a file of the chosen rows."""
        form = self._export_form(None)
        everything = request.POST.get("select_across") == "1"
        if not everything:
            form.initial["export_items"] = json.dumps([str(pk) for pk in queryset.values_list("pk", flat=True)])
        count = queryset.count() if everything else len(request.POST.getlist(ACTION_CHECKBOX_NAME))
        return self._export_page(request, form, count=count)

    def _export_form(self, data: Any) -> JobExportForm:
        return JobExportForm(self.get_export_formats(), self.get_export_resource_classes(None), data=data)

    def _export_page(self, request: HttpRequest, form: JobExportForm, *, count: int | None = None) -> HttpResponse:
        query = request.GET.urlencode()
        url = reverse(self._url_name("export"), current_app=self.admin_site.name)
        if count is None:
            chosen = form["export_items"].value()
            count = len(json.loads(chosen)) if chosen and not form.errors.get("export_items") else None
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Export jobs"),
            "opts": self.opts,
            "form": form,
            "export_url": f"{url}?{query}" if query else url,
            "count": count if count is not None else self._count_to_export(request),
        }
        return TemplateResponse(request, self.export_template_name, context)

    def _count_to_export(self, request: HttpRequest) -> int:
        try:
            return int(self.get_export_queryset(request).order_by().count())
        except SuspiciousOperation:
            return 0

    def get_export_filename(self, request: Any, queryset: Any, file_format: Any) -> str:  # type: ignore[override]
        return f"jobs-{timezone.localdate():%Y-%m-%d}.{file_format.get_extension()}"

    def _do_file_export(
        self, file_format: JobFormat, request: HttpRequest, queryset: Any, export_form: Any = None
    ) -> HttpResponse:
        data = file_format.write(JobResource().export_documents(queryset))
        name = self.get_export_filename(request, queryset, file_format)
        response = HttpResponse(data, content_type=file_format.get_content_type())
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        post_export.send(sender=None, model=self.model)
        return response


class Preview:
    """An import's result for the page: some rows of each kind, and how many there are."""

    def __init__(self, result: JobResult) -> None:
        self.result = result
        self.errors = Part(result.invalid)
        self.changed = Part(result.changed)
        self.new = Part(result.new)
        self.unchanged = Part(result.unchanged)

    @property
    def failures(self) -> list[str]:
        """What went wrong with the import as a whole."""
        return [str(error.error) for error in self.result.base_errors]

    @property
    def heading(self) -> str:
        if self.result.has_faults:
            return gettext("Nothing was imported")
        if self.result.changes_nothing:
            return gettext("Nothing changes")
        return gettext("Nothing has been written yet")

    @property
    def advice(self) -> str:
        count = len(self.result.invalid)
        if count:
            return ngettext(
                "%(count)s row has errors. Correct it in the file and upload it again: an import is carried out as a "
                "whole, or not at all.",
                "%(count)s rows have errors. Correct them in the file and upload it again: an import is carried out as "
                "a whole, or not at all.",
                count,
            ) % {"count": f"{count:,}"}
        if self.result.base_errors:
            return gettext("Upload the file again to see what it would do now.")
        if self.result.changes_nothing:
            return gettext("All jobs of the file are already as it says.")
        return gettext("This is what the file would do. Confirm it, or leave the page and nothing happens.")


class Part:
    """The first rows of one kind."""

    def __init__(self, rows: list[JobRowResult]) -> None:
        self.count = len(rows)
        self.rows = rows[:SHOWN_ROWS]
        self.more = max(0, self.count - SHOWN_ROWS)
