"""What the forms of the console share, and the small ones that ask why, until when or at what moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.exceptions import InvalidInput
from app_scheduler.services import MAX_REASON, Explanation
from app_scheduler.signature.widgets import NativeDateTimeInput
from app_scheduler.triggers.values import moment_text


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
