"""The forms of the console: a job, its arguments, and the small ones that ask why.

No rule lives here. A form gathers what was typed, lets ``documents`` and ``triggers`` check it, and puts each of their
messages beside the field that its path names. Whatever was typed is shown again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.apps import apps
from django.utils import timezone
from django.utils.text import Truncator, slugify
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import documents, services, triggers
from app_scheduler.conf import console_settings
from app_scheduler.documents import Document
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec, JobState
from app_scheduler.registry import RegisteredFunction, registry
from app_scheduler.services import MAX_REASON, Actor, Explanation
from app_scheduler.signature.fields import NativeDateTimeInput
from app_scheduler.triggers.values import default_zone_name, moment_text

#: The types of triggers as cards: (type, name, example).
TRIGGER_CARDS = (
    ("interval", _("Every …"), _("an interval")),
    ("cron", _("At times"), _("days and hours")),
    ("date", _("Once"), _("a moment")),
    ("calendar", _("Calendar"), _("every 2 months")),
    ("any", _("Any of"), _("several together")),
    ("expression", _("Expression"), _("one line")),
)
#: The shared fields that each type reads; the page hides the others, and what is hidden does not count.
SHARED_FIELDS: Mapping[str, tuple[str, ...]] = {
    "interval": triggers.FORM_FIELDS["shared"],
    "cron": triggers.FORM_FIELDS["shared"],
    "date": ("trigger_timezone",),
    "calendar": triggers.FORM_FIELDS["shared"],
    "any": (),
    "expression": (),
}
TRIGGER_FIELDS = tuple(name for names in triggers.FORM_FIELDS.values() for name in names)
#: Where a message about the whole trigger is shown.
TRIGGER_MAIN = {
    "interval": "interval_hours",
    "cron": "cron_expression",
    "date": "date_run_date",
    "calendar": "calendar_months",
    "any": "any_expressions",
    "expression": "expression",
}
#: Schedules to start from: (key, name, expression).
PICKS = (
    ("weekdays", _("weekdays at 09:00"), "cron day_of_week=mon-fri hour=9 minute=0"),
    ("daily", _("daily at 03:00"), "cron hour=3 minute=0"),
    ("month-end", _("last day of the month"), "cron day=last hour=18 minute=0"),
    ("office", _("every 15 min in office hours"), "cron day_of_week=mon-fri hour=9-16 minute=*/15"),
)
#: The prefix of the arguments' inputs: their names are the function's own, and may be any.
ARGUMENTS = "arg"


def pick_data(key: str) -> dict[str, str] | None:
    """Return the form data of a schedule to start from, or None."""
    expression = next((text for name, _label, text in PICKS if name == key), None)
    return triggers.to_form_data(triggers.parse_expression(expression)) if expression else None


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return all time zones that have a place in their name, and UTC."""
    return ("UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("SystemV/")))


class ConsoleForm(forms.Form):
    """A form whose errors come from below, by path."""

    # A mark, not the browser's own check: its messages know less, and it would hold back the buttons that only show.
    use_required_attribute = False

    def field_for(self, path: str) -> str | None:
        """Return the name of the field that a path is about, or None."""
        return path if path in self.fields else None

    def report(self, error: InvalidInput) -> None:
        """Show each message beside its field; one about no field of this form at the top, with its path."""
        for path, messages in error.errors.items():
            name = self.field_for(path)
            for message in messages:
                self.add_error(name, message if name or not path else f"{path}: {message}")


class ReasonForm(ConsoleForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=MAX_REASON,
        widget=forms.TextInput({"size": 60}),
        help_text=_("Kept in the history, for whoever wonders."),
    )


class PauseForm(ReasonForm):
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=NativeDateTimeInput,
        help_text=_("Resumes by itself then. Empty: until somebody resumes it."),
    )

    def values(self) -> dict[str, Any]:
        return {"reason": self.cleaned_data["reason"], "until": self.cleaned_data["until"]}


class LocalMomentField(forms.CharField):
    """A date and time as it was typed: without an offset it stays naive, as it is meant in a job's zone."""

    widget = NativeDateTimeInput

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            return datetime.fromisoformat(moment_text(text))
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None


class ExplainForm(ConsoleForm):
    """The question why a job did not run at a moment. It only asks, so its data comes with the address."""

    at = LocalMomentField(
        label=_("Date and time"),
        widget=NativeDateTimeInput({"step": "60"}),
        error_messages={"required": _("Give the date and time that you wonder about.")},
    )

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        # The page has a larger form, with names and ids of its own.
        super().__init__(data, auto_id="jc-why-%s")

    def explanation(self, job_id: str) -> Explanation | None:
        """Return the answer, or None where the question has to be put better."""
        if not self.is_valid():
            return None
        try:
            return services.explain(job_id, self.cleaned_data["at"])
        except InvalidInput as error:
            self.report(error)
            return None


class PauseAllForm(ConsoleForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        max_length=MAX_REASON,
        widget=forms.TextInput({"size": 60}),
        help_text=_("Shown above every list until somebody resumes everything."),
    )


class ArgumentsForm(ConsoleForm):
    """The arguments of one function, typed from its signature.

    ``keep`` is the stored ``(args, kwargs)``: they are shown, and a secret that is left empty keeps what is stored.
    ``fresh`` says that they are another function's: what they do not name starts with this one's defaults.
    """

    def __init__(
        self,
        function: RegisteredFunction,
        data: Mapping[str, Any] | None = None,
        *,
        keep: tuple[Any, Any] | None = None,
        fresh: bool = False,
        typed: Mapping[str, Any] | None = None,
    ) -> None:
        self.function, self.keep = function, keep
        self.args: list[Any] = []
        self.kwargs: dict[str, Any] = {}
        initial = function.signature.form_initial(*keep) if keep else {}
        if fresh:
            initial = {name: value for name, value in initial.items() if value is not None}
        super().__init__(data, prefix=ARGUMENTS, initial=initial)
        self.fields.update(function.signature.form_fields())
        labels = {parameter.name: parameter.type_label for parameter in function.signature.parameters}
        for name, field in self.fields.items():
            field.type_label = labels.get(name, "")  # type: ignore[attr-defined]  # for the template
            if isinstance(field.widget, forms.NumberInput) and field.initial is not None:
                # Seen where the argument is left out of a stored job, as in the other inputs.
                field.widget.attrs["placeholder"] = str(field.initial)
            if field.initial == '""' and not field.required:
                field.initial = ""  # left out, it is the empty text all the same
            if typed is not None:
                value = field.widget.value_from_datadict(typed, {}, self.add_prefix(name))
                if value is not None:
                    self.initial[name] = value

    def field_for(self, path: str) -> str | None:
        return self.function.signature.field_name(path)

    def clean(self) -> dict[str, Any]:
        """Work out ``args`` and ``kwargs``. What a field refused itself is not said a second time."""
        cleaned = self.cleaned_data
        if not self.errors:
            try:
                self.args, self.kwargs = self.function.signature.from_form(cleaned, self.keep)
            except InvalidInput as error:
                self.report(error)
        return cleaned

    def show_faults(self, error: InvalidInput) -> None:
        """Show what is wrong with the stored arguments beside the inputs of a form that nobody has sent yet."""
        self.full_clean()
        self.cleaned_data: dict[str, Any] = {}
        self.report(error)

    @property
    def lost_secrets(self) -> list[str]:
        """Return the labels of secrets that were typed and are not sent back to the page."""
        if not self.is_bound:
            return []
        return [
            str(bound.label)
            for bound in self
            if isinstance(bound.field.widget, forms.PasswordInput) and bound.data not in (None, "")
        ]


def _line(label: Any = "", *, size: int = 0, **attrs: Any) -> forms.CharField:
    """Return an input of one line, whose content is checked below."""
    return forms.CharField(
        label=label, required=False, widget=forms.TextInput({**({"size": size} if size else {}), **attrs})
    )


def _count(label: Any, help_text: Any = "", **attrs: Any) -> forms.CharField:
    widget = forms.TextInput({"inputmode": "numeric", "size": 8, "class": "vIntegerField", **attrs})
    return forms.CharField(label=label, required=False, widget=widget, help_text=help_text)


class JobForm(ConsoleForm):
    """A job: what, when, and with which options. All inputs are text until ``documents`` has read them."""

    function = forms.CharField(label=_("Function"), required=False)
    name = _line(_("Name"), size=50)
    id = _line(_("Id"), size=50, spellcheck="false", autocapitalize="none")
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea({"rows": 2, "cols": 60})
    )
    tags = _line(_("Tags"), size=50)

    trigger_type = forms.CharField(label=_("Type of schedule"), required=False)
    interval_weeks = _count(_("weeks"), placeholder="0")
    interval_days = _count(_("days"), placeholder="0")
    interval_hours = _count(_("hours"), placeholder="0")
    interval_minutes = _count(_("minutes"), placeholder="0")
    interval_seconds = _count(_("seconds"), placeholder="0")
    cron_minute = _line(_("minute"))
    cron_hour = _line(_("hour"))
    cron_day_of_week = _line(_("day of week"))
    cron_day = _line(_("day of month"))
    cron_month = _line(_("month"))
    cron_second = _line(_("second"))
    cron_week = _line(_("week of year"))
    cron_year = _line(_("year"))
    cron_expression = _line(_("or a crontab line"), size=30, placeholder="*/15 9-17 * * mon-fri", spellcheck="false")
    date_run_date = forms.CharField(label=_("when"), required=False, widget=NativeDateTimeInput)
    run_past_at_once = forms.BooleanField(label=_("If this moment has passed, run at once"), required=False)
    calendar_years = _count(_("years"), placeholder="0")
    calendar_months = _count(_("months"), placeholder="0")
    calendar_weeks = _count(_("weeks"), placeholder="0")
    calendar_days = _count(_("days"), placeholder="0")
    calendar_hour = _count(_("at hour"), placeholder="0")
    calendar_minute = _count(_("minute"), placeholder="0")
    calendar_second = _count(_("second"), placeholder="0")
    any_expressions = forms.CharField(
        label=_("One schedule on each line"),
        required=False,
        widget=forms.Textarea(
            {"rows": 4, "cols": 50, "spellcheck": "false", "placeholder": "0 9 * * mon-fri\nevery 3h"}
        ),
    )
    expression = _line(_("Schedule expression"), size=60, placeholder="0 3 * * mon-fri", spellcheck="false")
    trigger_timezone = _line(_("time zone"), list="jc-zones", autocomplete="off", spellcheck="false")
    trigger_start_date = _line(_("from"))
    trigger_end_date = _line(_("until"))
    trigger_jitter = _count(_("jitter, seconds"))

    executor = forms.CharField(label=_("Executor"), required=False, help_text=_("Where the function runs."))
    max_instances = _count(
        _("At once"), _("How many executions of this job may run at the same time. A tick beyond that is not run.")
    )
    coalesce = forms.BooleanField(
        label=_("Catch up once"),
        required=False,
        help_text=_("After ticks that could not be run in time, run once instead of once for each of them."),
    )
    misfire_grace_time = _count(
        _("Grace for late starts"),
        _("A tick that cannot start within this time is recorded as missed. Empty: it is started however late it is."),
    )
    timeout = _count(
        _("Timeout"),
        _("A run that takes longer gets the verdict “timed out”. Empty: it may take as long as it likes."),
    )
    max_retries = _count(_("Retries"), _("How many times a failed run is tried again."))
    retry_backoff = _count(_("First retry after"), _("The wait doubles with each further retry."))
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
    CRON = ("minute", "hour", "day_of_week", "day", "month", "second", "week", "year")
    OPTIONS = (
        "executor",
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
        self.spec = spec
        self.base = documents.of(spec) if spec else None
        self.document: Document = {}
        super().__init__(data, initial={**(initial_of(spec) if spec else initial_of_new()), **(initial or {})})
        if typed is not None:
            for name, field in self.fields.items():
                self.initial[name] = field.widget.value_from_datadict(typed, {}, name)
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
        self.fields["trigger_type"].widget = forms.RadioSelect(choices=[card[:2] for card in TRIGGER_CARDS])
        names = list(console_settings.executors)
        if self.spec and self.spec.executor not in names:
            names.append(self.spec.executor)
        self.fields["executor"].widget = forms.Select(choices=[(name, name) for name in names])
        self.fields["id"].help_text = _("Empty: made from the name. It cannot be changed later.")
        self.fields["tags"].help_text = _("Separated by commas.")
        self.fields["trigger_timezone"].widget.attrs["placeholder"] = default_zone_name()
        self.fields["trigger_start_date"].widget.attrs["placeholder"] = gettext("now")
        self.fields["trigger_end_date"].widget.attrs["placeholder"] = gettext("no end")
        self.fields["trigger_jitter"].widget.attrs["placeholder"] = "0"
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

    def field_for(self, path: str) -> str | None:
        place, _dot, rest = path.partition(".")
        if place != "trigger":
            return path if path in self.fields else None
        kind = self._kind()
        if kind in ("any", "expression") or not rest:
            return TRIGGER_MAIN.get(kind, "trigger_type")
        shared = f"trigger_{rest}"
        name = shared if shared in TRIGGER_FIELDS else f"{kind}_{rest}"
        return name if name in self.fields else TRIGGER_MAIN.get(kind, "trigger_type")

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

    def _kind(self) -> str:
        kind = self.data.get("trigger_type") if self.is_bound else self.initial.get("trigger_type")
        return str(kind or "")

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
            expected = int(revision) if revision.isdecimal() else -1
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
    def cards(self) -> list[dict[str, Any]]:
        chosen = self._kind()
        return [
            {"value": value, "name": name, "example": example, "chosen": value == chosen}
            for value, name, example in TRIGGER_CARDS
        ]

    @property
    def picks(self) -> list[dict[str, Any]]:
        return [{"key": key, "name": name, "data": pick_data(key)} for key, name, _text in PICKS]

    @property
    def zones(self) -> Sequence[str]:
        return zone_names()

    def _bound_fields(self, names: Iterable[str]) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    @property
    def name_fields(self) -> list[forms.BoundField]:
        return self._bound_fields(self.NAMES)

    @property
    def interval_fields(self) -> list[forms.BoundField]:
        return self._bound_fields(triggers.FORM_FIELDS["interval"])

    @property
    def cron_fields(self) -> list[forms.BoundField]:
        return self._bound_fields(f"cron_{name}" for name in self.CRON)

    @property
    def calendar_fields(self) -> list[forms.BoundField]:
        return self._bound_fields(triggers.FORM_FIELDS["calendar"])

    @property
    def option_fields(self) -> list[forms.BoundField]:
        return self._bound_fields(self.OPTIONS)

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


class RepairForm(ReasonForm):
    """The ways out for one job that cannot run: another function, its arguments, another executor, or none of these.

    Only what is at fault is asked. A schedule that cannot be read is corrected in the form of the job.
    """

    function = forms.CharField(label=_("Function"), required=False)
    executor = forms.CharField(label=_("Executor"), required=False)
    revision = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, spec: JobSpec, data: Mapping[str, Any] | None = None) -> None:
        self.spec = spec
        self.fault = documents.fault_of(spec)
        places = {path.partition(".")[0] for path in self.fault.errors} if self.fault else set()
        self.is_schedule_at_fault = "trigger" in places
        guesses = services.guesses_for(spec) if "function" in places else []
        guess = guesses[0].name if guesses else ""
        initial = {"function": guess if "function" in places else spec.function, "revision": str(spec.revision)}
        super().__init__(data, initial=initial, auto_id="repair_%s")
        self.order_fields(["function", "executor", "reason", "revision"])
        if places.isdisjoint({"function", *documents.ARGUMENTS}):
            del self.fields["function"]
        else:
            self.fields["function"].widget = forms.Select(choices=function_choices(guesses=guesses))
        if "executor" in places:
            names = list(console_settings.executors)
            self.fields["executor"].widget = forms.Select(choices=[(name, name) for name in names])
        else:
            del self.fields["executor"]
        self.arguments = self._arguments_form(data)

    def _arguments_form(self, data: Mapping[str, Any] | None) -> ArgumentsForm | None:
        """Return the arguments to correct: those that were sent, or those that are stored where they are at fault."""
        name = str((data if data is not None else self.initial).get("function") or "")
        registered = registry.find(name) if "function" in self.fields and name else None
        if registered is None:
            return None
        sent = data if data is not None and data.get(f"{ARGUMENTS}-for") == name else None
        made = ArgumentsForm(registered, sent, keep=(self.spec.args, self.spec.kwargs))
        made.auto_id = "repair_%s"
        if sent is None:
            fault = None if data is not None or registered.name != self.spec.function else self.fault
            if fault is None:
                # With the arguments that it has; they are shown where they do not fit.
                self.shows_arguments = False
            else:
                made.show_faults(_about_arguments(fault))
        return made

    shows_arguments = True

    @property
    def label(self) -> str:
        """The words of the button."""
        if "function" in self.fields:
            same = self.arguments is not None and self.arguments.function.name == self.spec.function
            return gettext("Save and schedule it again") if same else gettext("Point it at this function")
        return gettext("Use this executor") if "executor" in self.fields else gettext("Schedule it again")

    @property
    def stored_arguments(self) -> str:
        return stored_arguments(self.spec)

    def is_valid(self) -> bool:
        sent = self.arguments is not None and self.arguments.is_bound
        return super().is_valid() and not (sent and self.arguments is not None and self.arguments.errors)

    def report(self, error: InvalidInput) -> None:
        if self.arguments is None:
            return super().report(error)
        about = _about_arguments(error)
        if about.errors:
            self.shows_arguments = True
            if self.arguments.is_bound:
                self.arguments.report(about)
            else:
                self.arguments.show_faults(about)
        super().report(InvalidInput({path: said for path, said in error.errors.items() if path not in about.errors}))

    def save(self, actor: Actor) -> JobSpec | None:
        """Repair the job; on a refusal return None, with its messages in the form. Raises ``JobNotFound``."""
        asked = ("function", "executor")
        data: dict[str, Any] = {name: self.cleaned_data[name] for name in asked if name in self.fields}
        if self.arguments is not None and self.arguments.is_bound:
            data |= {"args": self.arguments.args, "kwargs": self.arguments.kwargs}
        revision = self.cleaned_data["revision"]
        try:
            return services.repair_job(
                self.spec.job_id,
                data,
                actor,
                expected_revision=int(revision) if revision.isdecimal() else None,
                reason=self.cleaned_data["reason"],
            )
        except InvalidInput as error:
            self.report(error)
            return None


def stored_arguments(spec: JobSpec) -> str:
    """Return the arguments of a job as JSON, with its secrets masked."""
    args, kwargs = documents.shown_arguments(spec.function, spec.args, spec.kwargs)
    return json.dumps({"args": args, "kwargs": kwargs}, ensure_ascii=False, indent=2, default=str)


def _about_arguments(error: InvalidInput) -> InvalidInput:
    """Return the part of an error that is about arguments."""
    paths = [path for path in error.errors if path.partition(".")[0] in documents.ARGUMENTS]
    return InvalidInput({path: error.errors[path] for path in paths})


class RepointForm(ReasonForm):
    """Which function many jobs are to call."""

    function = forms.CharField(label=_("Function"), required=False)

    def __init__(self, data: Mapping[str, Any] | None, guesses: Sequence[RegisteredFunction]) -> None:
        super().__init__(data, initial={"function": guesses[0].name if guesses else ""})
        self.order_fields(["function", "reason"])
        self.fields["function"].widget = forms.Select(choices=function_choices(guesses=guesses))


def trigger_from(data: Mapping[str, Any], *, allow_past: bool = True) -> Document:
    """Return the trigger that a form says. Raises ``InvalidInput`` by the names of the form's fields.

    A moment that has passed is let through here: the document's check knows whether it was so before.
    """
    kind = str(data.get("trigger_type") or "")
    applicable = {*triggers.FORM_FIELDS.get(kind, ()), *SHARED_FIELDS.get(kind, ()), "trigger_type"}
    given = {name: str(data.get(name) or "") for name in TRIGGER_FIELDS if name in applicable}
    return triggers.from_form_data(given, allow_past=allow_past)


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
        initial |= triggers.to_form_data(spec.trigger)
    except InvalidInput:
        initial["trigger_type"] = "expression"
    return initial


def initial_of_new() -> dict[str, Any]:
    defaults = documents.defaults()
    return {**{name: defaults[name] for name in JobForm.OPTIONS}, "trigger_type": "cron"}


def function_choices(known: str = "", guesses: Sequence[RegisteredFunction] = ()) -> list[Any]:
    """Return ``guesses``, then the functions by app, each with its summary, and ``known`` although it is gone."""

    def app_of(function: RegisteredFunction) -> str:
        return function.app_label

    choices: list[Any] = [("", gettext("Choose a function"))]
    if guesses:
        choices.append((gettext("Best guesses"), [(guess.name, _function_label(guess)) for guess in guesses]))
    for label, functions in groupby(sorted(registry.all(), key=lambda f: (app_of(f), f.name)), key=app_of):
        heading = str(apps.get_app_config(label).verbose_name) if label else gettext("Other")
        choices.append((heading, [(function.name, _function_label(function)) for function in functions]))
    if known and registry.find(known) is None:
        choices.append((gettext("Gone"), [(known, known)]))
    return choices


def _function_label(function: RegisteredFunction) -> str:
    summary = Truncator(function.summary).chars(60)
    return f"{function.name} — {summary}" if summary else function.name


def suggested_name(function_name: str) -> str:
    return documents.readable_name(function_name)
