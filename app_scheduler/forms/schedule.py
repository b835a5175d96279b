"""The schedule of a job as inputs: cards for its type, the fields of each type, and the whole of it in one line.

The line and the fields say the same. ``expression_was`` is what the line said when the page was made, so a line that
differs from it was typed by somebody: then the line counts, unless the fields were changed too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import triggers
from app_scheduler.documents import Document
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec
from app_scheduler.signature.widgets import NativeDateTimeInput
from app_scheduler.triggers.cronfields import effective_fields, given_fields
from app_scheduler.triggers.documents import canonical
from app_scheduler.triggers.values import default_zone_name

from .base import ConsoleForm
from .inputs import Lines, count, line, zone_names

#: The types of triggers as cards: (type, name, example).
TRIGGER_CARDS = (
    ("interval", _("Every …"), _("an interval")),
    ("cron", _("At times"), _("days and hours")),
    ("date", _("Once"), _("a moment")),
    ("calendar", _("Calendar"), _("every 2 months")),
    ("any", _("Any of"), _("several together")),
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
#: These, and what the line said when the page was made.
SCHEDULE_FIELDS = (*TRIGGER_FIELDS, "expression_was")
#: Where a message about the whole trigger is shown.
TRIGGER_MAIN = {
    "interval": "interval_hours",
    "cron": "cron_expression",
    "date": "date_run_date",
    "calendar": "calendar_months",
    "any": "any_expressions",
    "expression": "expression",
}
#: How many schedules “any of” shows room for.
ROWS = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One of several schedules: its text, and what it means or what is wrong with it."""

    number: int
    value: str
    sentence: str = ""
    errors: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"id_any_expressions_{self.number}"


class ScheduleForm(ConsoleForm):
    """When a job is due. All inputs are text until ``triggers`` has read them."""

    trigger_type = forms.CharField(label=_("Type of schedule"), required=False)
    expression = line(
        _("In one line"),
        _("A crontab line, “every 1h 30m”, “at 2026-12-01 12:00” or what the fields below say; several with “|”."),
        placeholder="0 3 * * mon-fri",
        spellcheck="false",
        autocapitalize="none",
        autocomplete="off",
    )
    expression_was = forms.CharField(required=False, widget=forms.HiddenInput)
    interval_weeks = count(_("weeks"), placeholder="0")
    interval_days = count(_("days"), placeholder="0")
    interval_hours = count(_("hours"), placeholder="0")
    interval_minutes = count(_("minutes"), placeholder="0")
    interval_seconds = count(_("seconds"), placeholder="0")
    cron_minute = line(_("minute"), _("0-59, */15"))
    cron_hour = line(_("hour"), _("0-23, 9-17"))
    cron_day_of_week = line(_("day of week"), _("mon-fri, sun"))
    cron_day = line(_("day of month"), _("1-31, last, 1st mon"))
    cron_month = line(_("month"), _("1-12, jan-mar"))
    cron_second = line(_("second"), _("0-59, */10"))
    cron_week = line(_("week of year"), _("1-53, */2"))
    cron_year = line(_("year"), _("2027, 2027-2029"))
    cron_expression = line(
        _("or a crontab line"),
        _("Instead of the fields: minute, hour, day, month and weekday as crontab means them."),
        size=30,
        placeholder="*/15 9-17 * * mon-fri",
        spellcheck="false",
    )
    run_past_at_once = forms.BooleanField(label=_("If this moment has passed, run at once"), required=False)
    date_run_date = forms.CharField(
        label=_("when"), required=False, widget=NativeDateTimeInput, help_text=_("In the time zone below.")
    )
    calendar_years = count(_("years"), placeholder="0")
    calendar_months = count(_("months"), placeholder="0")
    calendar_weeks = count(_("weeks"), placeholder="0")
    calendar_days = count(_("days"), placeholder="0")
    calendar_hour = count(_("at hour"), _("0-23"), placeholder="0")
    calendar_minute = count(_("minute"), _("0-59"), placeholder="0")
    calendar_second = count(_("second"), _("0-59"), placeholder="0")
    any_expressions = forms.CharField(label=_("Schedules"), required=False, widget=Lines)
    trigger_timezone = line(
        _("time zone"), _("For example Europe/Paris."), list="jc-zones", autocomplete="off", spellcheck="false"
    )
    trigger_start_date = line(_("from"), _("2026-12-31, or with 18:00."))
    trigger_end_date = line(_("until"), _("2027-12-31, or with 18:00."))
    trigger_jitter = count(_("jitter, seconds"), _("Delays each run by up to this."))

    #: The inputs of a cron schedule, in the order of the page.
    CRON = ("minute", "hour", "day_of_week", "day", "month", "second", "week", "year")

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        spec: JobSpec | None = None,
        typed: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the form of a new job or of ``spec``.

        ``data`` is checked. ``typed`` is shown again as it is, unchecked: for buttons that only show something.
        """
        self.spec = spec
        super().__init__(data, initial=dict(initial or {}))
        if typed is not None:
            for name, field in self.fields.items():
                self.initial[name] = field.widget.value_from_datadict(typed, {}, name)
        self.fields["trigger_type"].widget = forms.RadioSelect(choices=[card[:2] for card in TRIGGER_CARDS])
        self.fields["trigger_timezone"].widget.attrs["placeholder"] = default_zone_name()
        self.fields["trigger_start_date"].widget.attrs["placeholder"] = gettext("now")
        self.fields["trigger_end_date"].widget.attrs["placeholder"] = gettext("no end")
        self.fields["trigger_jitter"].widget.attrs["placeholder"] = "0"
        for name, acts in self.acting_fields().items():
            self.fields[f"cron_{name}"].widget.attrs["placeholder"] = acts

    # --- reading --------------------------------------------------------------------------------------------------

    @property
    def schedule(self) -> Mapping[str, str]:
        """What the inputs of the schedule hold, as text."""
        return {name: str(self[name].value() or "") for name in SCHEDULE_FIELDS}

    def kind(self) -> str:
        """Return the chosen type, whatever it is."""
        return str(self["trigger_type"].value() or "")

    def acting_fields(self) -> dict[str, str]:
        """Return what each field of a cron schedule that is left empty amounts to; nothing where that is unsettled."""
        given = self.schedule
        if given["cron_expression"].strip() or given["trigger_type"] != "cron":
            return {}
        fields = {"type": "cron", **{name: given[f"cron_{name}"] for name in self.CRON}}
        try:
            document = canonical(fields)
        except InvalidInput:
            return {}
        return {name: text for name, text in effective_fields(given_fields(document)).items() if name not in document}

    # --- faults ---------------------------------------------------------------------------------------------------

    def field_for(self, path: str) -> str | None:
        place, _dot, rest = path.partition(".")
        if place != "trigger":
            return path if path in self.fields else None
        if line_was_typed(self.schedule):
            return "expression"
        kind = self.kind()
        if kind in ("any", "expression") or not rest:
            return TRIGGER_MAIN.get(kind, "trigger_type")
        shared = f"trigger_{rest}"
        name = shared if shared in TRIGGER_FIELDS else f"{kind}_{rest}"
        return name if name in self.fields else TRIGGER_MAIN.get(kind, "trigger_type")

    def show_faults(self, faults: Mapping[str, Sequence[str]]) -> None:
        """Show what is wrong beside the inputs of a form that is only shown, not sent to be saved."""
        self.full_clean()
        self.cleaned_data: dict[str, Any] = {}
        for name, messages in faults.items():
            for message in messages:
                self.add_error(name if name in self.fields else None, message)

    # --- for templates --------------------------------------------------------------------------------------------

    @property
    def cards(self) -> list[dict[str, Any]]:
        chosen = self._shown_kind()
        return [
            {"value": value, "name": name, "example": example, "chosen": value == chosen}
            for value, name, example in TRIGGER_CARDS
        ]

    def _shown_kind(self) -> str:
        """Return the type whose inputs are shown: that of a line which was typed, where it can be read."""
        if line_was_typed(self.schedule):
            with suppress(InvalidInput):
                return str(trigger_from(self.schedule)["type"])
        return self.kind()

    @property
    def rows(self) -> list[Row]:
        """Return the schedules of “any of”, with room for some where there are none."""
        lines = lines_of(str(self["any_expressions"].value() or ""))
        return [self._row(number, text) for number, text in enumerate(lines, 1)]

    @property
    def has_bad_rows(self) -> bool:
        return any(row.errors for row in self.rows)

    def _row(self, number: int, text: str) -> Row:
        if not text:
            return Row(number, text)
        stored = self.spec.trigger if self.spec else None
        known = stored.get("triggers", ()) if isinstance(stored, dict) else ()
        try:
            document = triggers.parse_expression(text)
            if document not in known:
                triggers.normalise(text)
        except InvalidInput as error:
            return Row(number, text, errors=tuple(error.lines()))
        return Row(number, text, sentence=triggers.describe(document))

    @property
    def zones(self) -> Sequence[str]:
        return zone_names()

    def bound_fields(self, names: Iterable[str]) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    @property
    def interval_fields(self) -> list[forms.BoundField]:
        return self.bound_fields(triggers.FORM_FIELDS["interval"])

    @property
    def cron_fields(self) -> list[forms.BoundField]:
        return self.bound_fields(f"cron_{name}" for name in self.CRON)

    @property
    def calendar_fields(self) -> list[forms.BoundField]:
        return self.bound_fields(triggers.FORM_FIELDS["calendar"])


def lines_of(text: str) -> list[str]:
    """Return the schedules of “any of”, one for each input that is shown: at least ``ROWS``, and some may be empty."""
    lines = [line.strip() for line in text.replace("\r", "").split("\n")]
    return [*lines, *[""] * (ROWS - len(lines))]


def schedule_data(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs of the schedule in what was posted, as text; what was not posted is left out."""
    fields = ScheduleForm.base_fields
    found = {name: fields[name].widget.value_from_datadict(data, {}, name) for name in SCHEDULE_FIELDS}
    return {name: str(value) for name, value in found.items() if value is not None}


def line_was_typed(given: Mapping[str, Any]) -> bool:
    """Say whether the line at the top is another than the page came with."""
    text, was = (str(given.get(name) or "").strip() for name in ("expression", "expression_was"))
    return bool(text) and text != was and given.get("trigger_type") != "expression"


def trigger_from(data: Mapping[str, Any], *, allow_past: bool = True) -> Document:
    """Return the trigger that a form says. Raises ``InvalidInput`` by the names of the form's fields.

    A moment that has passed is let through here: the document's check knows whether it was so before.
    """
    given = schedule_data(data)
    if not line_was_typed(given):
        return _from_fields(given, allow_past)
    line = {"trigger_type": "expression", "expression": given["expression"]}
    written = triggers.from_form_data(line, allow_past=allow_past)
    try:
        chosen = _from_fields(given, allow_past)
    except InvalidInput:
        return written
    if triggers.format_expression(chosen) == given.get("expression_was", "").strip() or chosen == written:
        return written
    raise InvalidInput(
        {
            "expression": gettext(
                "This line and the fields below were both changed, and they differ. Press “Fill in” to take the line, "
                "or empty it to take the fields."
            )
        }
    )


def _from_fields(given: Mapping[str, str], allow_past: bool) -> Document:
    kind = given.get("trigger_type", "")
    applicable = {*triggers.FORM_FIELDS.get(kind, ()), *SHARED_FIELDS.get(kind, ()), "trigger_type"}
    return triggers.from_form_data(
        {name: given.get(name, "") for name in TRIGGER_FIELDS if name in applicable}, allow_past=allow_past
    )


def data_of(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the form data of a trigger, with the line that says it. Raises ``InvalidInput`` for a bad document."""
    text = triggers.format_expression(document)
    return {**triggers.to_form_data(document), "expression": text, "expression_was": text}
