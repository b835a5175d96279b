"""The ways out for jobs that cannot run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import documents, services
from app_scheduler.conf import console_settings
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec
from app_scheduler.registry import RegisteredFunction, registry
from app_scheduler.services import Actor

from .arguments import ARGUMENTS, ArgumentsForm, about_arguments, stored_arguments
from .base import ReasonForm
from .functions import function_choices


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
                made.show_faults(about_arguments(fault))
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
        about = about_arguments(error)
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


class RepointForm(ReasonForm):
    """Which function many jobs are to call."""

    function = forms.CharField(label=_("Function"), required=False)

    def __init__(self, data: Mapping[str, Any] | None, guesses: Sequence[RegisteredFunction]) -> None:
        super().__init__(data, initial={"function": guesses[0].name if guesses else ""})
        self.order_fields(["function", "reason"])
        self.fields["function"].widget = forms.Select(choices=function_choices(guesses=guesses))
