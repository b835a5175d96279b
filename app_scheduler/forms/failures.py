"""The forms of the failure inbox: what is said with an act, how long to put aside, how fast retries start."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler.forms.base import ConsoleForm
from app_scheduler.services import MAX_PER_MINUTE, MAX_REASON, PER_MINUTE
from app_scheduler.signature.widgets import NativeDateTimeInput

#: For how long failures are usually put aside, in hours; "" is until the moment that the form gives.
SPANS = (
    ("1", _("for 1 hour")),
    ("4", _("for 4 hours")),
    ("24", _("for 1 day")),
    ("72", _("for 3 days")),
    ("168", _("for 1 week")),
    ("", _("until the moment below")),
)


class NoteForm(ConsoleForm):
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=MAX_REASON,
        widget=forms.TextInput({"size": 60}),
        help_text=_("What was found out, or what is being done. Kept in the history."),
    )


class SnoozeForm(NoteForm):
    span = forms.ChoiceField(label=_("Put aside"), choices=SPANS, initial="24", required=False)
    until = forms.DateTimeField(
        label=_("Until"),
        required=False,
        widget=NativeDateTimeInput({"step": "60"}),
        help_text=_("Taken instead of the choice above, where it is given. The failure comes back by itself then."),
    )
    field_order = ("span", "until", "note")

    def clean(self) -> None:
        super().clean()
        if not self.cleaned_data.get("span") and not self.cleaned_data.get("until") and not self.errors:
            self.add_error("until", gettext("Give the moment, or choose for how long."))

    @property
    def moment(self) -> datetime:
        """When the failure is to come back; the form is valid."""
        until: datetime | None = self.cleaned_data["until"]
        return until or timezone.now() + timedelta(hours=int(self.cleaned_data["span"]))


class RetryForm(NoteForm):
    per_minute = forms.IntegerField(
        label=_("At most, a minute"),
        initial=PER_MINUTE,
        min_value=1,
        max_value=MAX_PER_MINUTE,
        widget=forms.NumberInput({"style": "width: 6em"}),
        help_text=_("The runs start one after another at this rate, so that what has just recovered is not overrun."),
        error_messages={
            "required": _("Give a whole number, such as 60."),
            "invalid": _("Give a whole number, such as 60."),
        },
    )
    field_order = ("per_minute", "note")
