"""The arguments of a function, as inputs that its signature gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django import forms

from app_scheduler import documents
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec
from app_scheduler.registry import RegisteredFunction

from .base import ConsoleForm

#: The prefix of the arguments' inputs: their names are the function's own, and may be any.
ARGUMENTS = "arg"


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


def stored_arguments(spec: JobSpec) -> str:
    """Return the arguments of a job as JSON, with its secrets masked."""
    args, kwargs = documents.shown_arguments(spec.function, spec.args, spec.kwargs)
    return json.dumps({"args": args, "kwargs": kwargs}, ensure_ascii=False, indent=2, default=str)


def about_arguments(error: InvalidInput) -> InvalidInput:
    """Return the part of an error that is about arguments."""
    paths = [path for path in error.errors if path.partition(".")[0] in documents.ARGUMENTS]
    return InvalidInput({path: error.errors[path] for path in paths})
