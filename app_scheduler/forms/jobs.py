"""The form of a job: what, when, and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import documents, services
from app_scheduler.documents import Document
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec, JobState
from app_scheduler.registry import registry
from app_scheduler.services import MAX_REASON, Actor

from .arguments import ARGUMENTS, ArgumentsForm, stored_arguments
from .executors import executor_choices, executors_help, queues_help
from .filling import PICKS
from .functions import function_choices
from .inputs import count, line
from .schedule import ScheduleForm, data_of, trigger_from


class JobForm(ScheduleForm):
    """A job: what, when, and with which options. All inputs are text until ``documents`` has read them."""

    function = forms.CharField(label=_("Function"), required=False)
    name = line(_("Name"), size=50)
    id = line(_("Id"), size=50, spellcheck="false", autocapitalize="none")
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea({"rows": 2, "cols": 60})
    )
    tags = line(_("Tags"), size=50)

    executor = forms.CharField(label=_("Executor"), required=False)
    queue = line(_("Queue"), size=20, spellcheck="false", autocapitalize="none")
    priority = count(
        _("Priority"),
        _("Of what waits for a slot, the highest number starts first: from -100 to 100, usually 0."),
    )
    concurrency_group = line(
        _("Concurrency group"),
        _(
            "Jobs of one group share its slots, on all hosts together, as for one database job at a time. A new name "
            "has one slot."
        ),
        size=20,
        list="jc-groups",
        autocomplete="off",
    )
    max_instances = count(
        _("At once"), _("How many executions of this job may run at the same time. A tick beyond that is not run.")
    )
    coalesce = forms.BooleanField(
        label=_("Catch up once"),
        required=False,
        help_text=_("After ticks that could not be run in time, run once instead of once for each of them."),
    )
    misfire_grace_time = count(
        _("Grace for late starts"),
        _("A tick that cannot start within this time is recorded as missed. Empty: it is started however late it is."),
    )
    timeout = count(
        _("Timeout"),
        _(
            "A run that takes longer gets the verdict “timed out”; what else becomes of it depends on the executor. "
            "Empty: it may take as long as it likes."
        ),
    )
    max_retries = count(_("Retries"), _("How many times a run is tried again that failed or timed out."))
    retry_backoff = count(
        _("First retry after"),
        _("The wait doubles with each further retry, up to a day, and up to a quarter is added at random."),
    )
    rerun_if_interrupted = forms.BooleanField(
        label=_("Run again if interrupted"),
        required=False,
        help_text=_("Only for functions that may safely begin twice: a crash can come after half the work."),
    )
    paused = forms.BooleanField(label=_("Paused"), required=False)

    reason = forms.CharField(
        label=_("Why"),
        required=False,
        max_length=MAX_REASON,
        widget=forms.TextInput({"size": 50}),
        help_text=_("A note for the history, if you like."),
    )
    revision = forms.CharField(required=False, widget=forms.HiddenInput)

    #: Inputs by section, in the order of the page.
    NAMES = ("name", "id", "description", "tags")
    OPTIONS = (
        "executor",
        "queue",
        "priority",
        "concurrency_group",
        "max_instances",
        "coalesce",
        "misfire_grace_time",
        "timeout",
        "max_retries",
        "retry_backoff",
        "rerun_if_interrupted",
        "paused",
    )

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        spec: JobSpec | None = None,
        may_pause: bool = True,
        typed: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the form of a new job or of ``spec``.

        ``data`` is checked. ``typed`` is shown again as it is, unchecked: for buttons that only show something.
        """
        self.base = documents.of(spec) if spec else None
        self.document: Document = {}
        first = initial_of(spec) if spec else initial_of_new()
        super().__init__(data, spec=spec, typed=typed, initial={**first, **(initial or {})})
        self._prepare_fields(may_pause)
        name = str((data if data is not None else self.initial).get("function") or "").strip()
        self.function_name = name
        self.registered = registry.find(name) if name else None
        self.arguments: ArgumentsForm | None = None
        if self.registered is not None:
            keep = (spec.args, spec.kwargs) if spec else None
            shown = typed if typed is not None and f"{ARGUMENTS}-for" in typed else None
            fresh = spec is not None and spec.function != name
            self.arguments = ArgumentsForm(self.registered, data, keep=keep, fresh=fresh, typed=shown)

    def _prepare_fields(self, may_pause: bool) -> None:
        known = self.spec.function if self.spec else ""
        self.fields["function"].widget = forms.Select(choices=function_choices(known))
        self.fields["executor"].widget = forms.Select(choices=executor_choices(self.spec.executor if self.spec else ""))
        self.fields["executor"].help_text = executors_help()
        self.fields["queue"].help_text = queues_help()
        self.fields["id"].help_text = _("Empty: made from the name. It cannot be changed later.")
        self.fields["tags"].help_text = _("Separated by commas.")
        for name in ("misfire_grace_time", "timeout", "retry_backoff"):
            self.fields[name].type_label = gettext("seconds")  # type: ignore[attr-defined]  # for the template
        if self.spec is None:
            self.fields["paused"].help_text = _("Wait with the first tick until somebody resumes it.")
            return
        del self.fields["id"]
        if not may_pause or self.spec.state not in (JobState.SCHEDULED, JobState.PAUSED):
            del self.fields["paused"]
        else:
            self.fields["paused"].help_text = _("Hold back its ticks until somebody resumes it.")

    # --- checking -------------------------------------------------------------------------------------------------

    def report(self, error: InvalidInput) -> None:
        about_arguments = {}
        others = {}
        for path, messages in error.errors.items():
            is_argument = path.partition(".")[0] in ("args", "kwargs")
            if is_argument and self.arguments is not None and self.arguments.field_for(path):
                about_arguments[path] = messages
            else:
                others[path] = messages
        if about_arguments and self.arguments is not None:
            self.arguments.errors  # noqa: B018  # so that what is added here is not cleaned away
            self.arguments.report(InvalidInput(about_arguments))
        super().report(InvalidInput(others))

    def is_valid(self) -> bool:
        return super().is_valid() and not (self.arguments is not None and self.arguments.errors)

    def clean(self) -> dict[str, Any]:
        """Find every fault at once: those of the arguments, of the schedule, and of all the rest."""
        cleaned = self.cleaned_data
        data: dict[str, Any] = {"function": self.function_name}
        for name in (*self.NAMES, *self.OPTIONS):
            if name in self.fields and name in cleaned:
                data[name] = cleaned[name]
        ignored = []
        if self.arguments is not None and self.arguments.is_valid():
            data |= {"args": self.arguments.args, "kwargs": self.arguments.kwargs}
        else:
            ignored += ["args", "kwargs"]
        try:
            data["trigger"] = trigger_from(self.data)
        except InvalidInput as error:
            ignored.append("trigger")
            for name, messages in error.errors.items():
                for message in messages:
                    self.add_error(name if name in self.fields else "trigger_type", message)
        now = timezone.now()
        checked = services.with_past_at_once(data, now) if cleaned.get("run_past_at_once") else data
        try:
            # Only the faults matter: the service cleans again, in the moment of writing.
            documents.clean(checked, base=self.base, now=now)
        except InvalidInput as error:
            told = {p: m for p, m in error.errors.items() if p.partition(".")[0] not in ignored}
            if told:
                self.report(InvalidInput(told))
        self.document = data
        return cleaned

    # --- writing --------------------------------------------------------------------------------------------------

    def save(self, actor: Actor) -> JobSpec | None:
        """Create or change the job; on a refusal return None, with its messages in the form."""
        data = dict(self.document)
        reason = self.cleaned_data.get("reason", "")
        at_once = bool(self.cleaned_data.get("run_past_at_once"))
        try:
            if self.spec is None or self.base is None:
                return services.create_job(data, actor, reason=reason, run_past_at_once=at_once)
            if data.get("paused") == self.base["paused"]:
                data.pop("paused")
            revision = self.cleaned_data.get("revision", "")
            expected = int(revision) if revision.isdecimal() and len(revision) < 19 else -1
            return services.change_job(
                self.spec.job_id,
                data,
                actor,
                expected_revision=expected,
                reason=reason,
                run_past_at_once=at_once,
            )
        except InvalidInput as error:
            self.is_stale = "revision" in error.errors
            self.report(error)
            return None

    is_stale = False

    # --- for templates --------------------------------------------------------------------------------------------

    @property
    def name_fields(self) -> list[forms.BoundField]:
        return self.bound_fields(self.NAMES)

    @property
    def option_fields(self) -> list[forms.BoundField]:
        return self.bound_fields(self.OPTIONS)

    @property
    def groups(self) -> list[str]:
        """Return the concurrency groups that are known by name."""
        return services.group_names()

    @property
    def picks(self) -> list[tuple[str, Any]]:
        """Return the schedules to start from, as (key, name)."""
        return [(key, name) for key, name, _text in PICKS]

    @property
    def suggested_name(self) -> str:
        """Return the name that the job gets where none is given."""
        return documents.readable_name(self.function_name) if self.registered else ""

    @property
    def suggested_id(self) -> str:
        return slugify(self.suggested_name)

    @property
    def stored_arguments(self) -> str:
        """Return the arguments of a job whose function is gone, as JSON, with its secrets masked."""
        return stored_arguments(self.spec) if self.spec else ""

    @property
    def error_count(self) -> int:
        return len(self.errors) + (len(self.arguments.errors) if self.arguments is not None else 0)


def initial_of(spec: JobSpec) -> dict[str, Any]:
    """Return what the form of a stored job shows."""
    initial: dict[str, Any] = {name: getattr(spec, name) for name in ("function", "name", "description")}
    initial |= {name: getattr(spec, name) for name in JobForm.OPTIONS if name != "paused"}
    initial |= {
        "tags": ", ".join(spec.words),
        "paused": spec.state == JobState.PAUSED,
        "revision": str(spec.revision),
    }
    try:
        initial |= data_of(spec.trigger)
    except InvalidInput:
        # What cannot be read has no fields: whoever repairs it chooses anew.
        initial["trigger_type"] = ""
    return initial


def initial_of_new() -> dict[str, Any]:
    defaults = documents.defaults()
    return {**{name: defaults[name] for name in JobForm.OPTIONS}, "trigger_type": "cron"}
