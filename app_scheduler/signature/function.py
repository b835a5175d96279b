"""A function's signature: its parameters, and what their arguments look like as JSON, as Python values, in a form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from app_scheduler.signature.arguments import Arguments, Parameters
from app_scheduler.signature.docstrings import docs_of
from app_scheduler.signature.hints import resolved_hints, type_of
from app_scheduler.signature.parameters import NO_DEFAULT, Kind, Parameter
from app_scheduler.signature.plain import Json, Refused, plain
from app_scheduler.signature.secrecy import looks_secret, mask_keys, mask_secret, unmask
from app_scheduler.signature.values import (
    JSON,
    TEXT,
    BoolType,
    DictType,
    JsonType,
    ListType,
    NullableType,
    ValueType,
)

if TYPE_CHECKING:
    from django.forms import Field


@dataclass(frozen=True, slots=True)
class FunctionSignature(Parameters):
    """What a function takes, with what its docstring says: for forms, for pages and logs, and described as JSON."""

    summary: str = ""
    description: str = ""
    parameter_help: Mapping[str, str] | None = None

    # -- forms ---------------------------------------------------------------------------------------------------------

    def _extras(self) -> tuple[Parameter | None, Parameter | None]:
        """Return ``*args`` and ``**kwargs`` as parameters that take a JSON list and a JSON object."""
        helps = self.parameter_help or {}

        def extra(name: str | None, value_type: ValueType) -> Parameter | None:
            if name is None:
                return None
            return Parameter(name, Kind.KEYWORD_ONLY, value_type, required=False, help=helps.get(name, ""))

        return (
            extra(self.var_positional, ListType(self.item_type)),
            extra(self.var_keyword, DictType(TEXT, self.option_type)),
        )

    def _arguments(self) -> list[Parameter]:
        return [*self.parameters, *(extra for extra in self._extras() if extra)]

    def form_fields(self) -> dict[str, Field]:
        """Return an unbound form field for each parameter, in order, with ``*args`` and ``**kwargs`` as JSON."""
        return dict(self._fields())

    def _fields(self) -> dict[str, Any]:
        from app_scheduler.signature.fields import field_for

        return {parameter.name: field_for(parameter) for parameter in self._arguments()}

    def form_initial(self, args: Any, kwargs: Any) -> dict[str, Any]:
        """Return initial values for `form_fields` from a stored job's arguments. Never fails.

        An argument that is left out is None here, so that its input is empty (the default shows as a placeholder) and
        saving the form leaves it out again. Secrets are None too. For a new job pass no initial values at all: the
        fields' own are the defaults.
        """
        fields = self._fields()
        initial: dict[str, Any] = dict.fromkeys(fields)
        for name, value in self._stored(args, kwargs).items():
            parameter = next(parameter for parameter in self._arguments() if parameter.name == name)
            explicit_null = value is None and not parameter.nullable and not isinstance(parameter.type, JsonType)
            if not parameter.is_secret and not explicit_null:
                initial[name] = _shown(fields[name], value, parameter)
        return initial

    def _stored(self, args: Any, kwargs: Any) -> dict[str, Json]:
        """Return stored arguments by form field."""
        values, rest, options = self._by_parameter(args, kwargs)
        if rest and self.var_positional:
            values[self.var_positional] = rest
        if options and self.var_keyword:
            values[self.var_keyword] = options
        return values

    def from_form(self, cleaned: Mapping[str, Any], keep: tuple[Any, Any] | None = None) -> Arguments:
        """Return canonical JSON arguments for the cleaned data of a form with `form_fields`.

        What is empty is left out, so that the function's default holds; None is passed for a required parameter that
        allows it. Arguments are given by name wherever possible. ``keep`` is the stored ``(args, kwargs)``: a secret
        that is empty, or still masked inside a JSON value, keeps what is stored there.

        Raise `InvalidInput` as `clean` does; `field_name` says which field a path belongs to.
        """
        from app_scheduler.signature.fieldtypes import LEFT_OUT

        fields = self._fields()
        stored = self._stored(*keep) if keep else {}
        values: dict[str, Json] = {}
        for parameter in self._arguments():
            name = parameter.name
            value = fields[name].read(cleaned.get(name))
            if value is LEFT_OUT:
                if parameter.is_secret and name in stored:
                    values[name] = stored[name]
                elif parameter.required and parameter.nullable:
                    values[name] = None
                elif parameter.required and isinstance(parameter.type, BoolType):
                    values[name] = False
            else:
                values[name] = unmask(value, stored.get(name))
        rest = values.pop(self.var_positional, None) if self.var_positional else None
        options = values.pop(self.var_keyword, None) if self.var_keyword else None
        return self.clean(*self._assembled(values, rest or [], options or {}))

    def field_name(self, path: str) -> str | None:
        """Return the form field that an error's path is about ("args.0", "kwargs.days"), or None for the form."""
        place, _, name = path.partition(".")
        if place == "args" and name.isdecimal():
            positions = self._by_position
            return positions[int(name)].name if int(name) < len(positions) else self.var_positional
        if place == "kwargs" and name:
            return name if name in self._by_name else self.var_keyword
        return None

    # -- secrets -------------------------------------------------------------------------------------------------------

    def masked(self, args: Any, kwargs: Any) -> Arguments:
        """Return copies in which secrets are replaced by a mask, for pages and logs. Never fails.

        Secret is what `Parameter.is_secret` says, and every key in ``**kwargs`` or in an object that looks secret.
        """
        positional = list(args) if isinstance(args, (list, tuple)) else []
        named = dict(kwargs) if isinstance(kwargs, Mapping) else {}
        return (
            [mask_secret(value) if self._secret_at(i) else mask_keys(value) for i, value in enumerate(positional)],
            {name: mask_secret(value) if self._secret(name) else mask_keys(value) for name, value in named.items()},
        )

    def unmasked(self, args: Any, kwargs: Any, stored_args: Any, stored_kwargs: Any) -> Arguments:
        """Return arguments in which each mask is replaced by what is stored at its place.

        For a document that was read masked and comes back edited. A mask with nothing behind it stays, and `clean`
        refuses it. Arguments may have moved between position and name.
        """
        positional = list(args) if isinstance(args, (list, tuple)) else []
        named = dict(kwargs) if isinstance(kwargs, Mapping) else {}
        values, rest, options = self._by_parameter(stored_args, stored_kwargs)
        names = [parameter.name for parameter in self._by_position]
        behind = [values.get(name) for name in names] + rest
        behind += [None] * len(positional)
        return (
            [unmask(value, behind[i], secret=self._secret_at(i)) for i, value in enumerate(positional)],
            {
                name: unmask(value, values.get(name, options.get(name)), secret=self._secret(name))
                for name, value in named.items()
            },
        )

    def _secret_at(self, index: int) -> bool:
        positions = self._by_position
        if index < len(positions):
            return positions[index].is_secret
        return looks_secret(self.var_positional or "")

    def _secret(self, name: object) -> bool:
        parameter = self._by_name.get(str(name))
        return parameter.is_secret if parameter else looks_secret(str(name))

    # -- description ---------------------------------------------------------------------------------------------------

    def json_schema(self) -> dict[str, Any]:
        """Return the signature as JSON: ``parameters`` (a list of objects), ``var_positional`` and ``var_keyword``.

        Each parameter has name, kind, type (in words), schema (JSON Schema), required, help, choices (value and label),
        secret, and default where JSON can say it and it is no secret.
        """
        rest, options = self._extras()
        return {
            "parameters": [_described(parameter) for parameter in self.parameters],
            "var_positional": _described(rest) if rest else None,
            "var_keyword": _described(options) if options else None,
        }


def _described(parameter: Parameter) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "kind": str(parameter.kind),
        "type": parameter.type_label,
        "schema": parameter.type.schema(),
        "required": parameter.required,
        "help": parameter.help,
        "choices": [{"value": value, "label": label} for value, label in parameter.choices],
        "secret": parameter.is_secret,
    }
    if parameter.has_default:
        described["default"] = mask_secret(parameter.default) if parameter.is_secret else deepcopy(parameter.default)
    return described


def _shown(field: Any, value: Json, parameter: Parameter) -> Any:
    if value is None and parameter.nullable:
        # Only where None differs from an empty input is there something to show for it.
        return field.show(None) if field.read(field.to_python(field.show(None))) is None else None
    try:
        return field.show(value)
    except Exception:  # stored for another signature: show it as it is, and let the check say what is wrong
        return str(value)


_KINDS: dict[Any, Kind] = {
    inspect.Parameter.POSITIONAL_ONLY: Kind.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: Kind.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY: Kind.KEYWORD_ONLY,
}


@lru_cache(maxsize=4096)
def signature_of(func: Callable[..., Any]) -> FunctionSignature:
    """Return the function's signature. Never fails for a plain function, whatever its annotations and docstring are."""
    hints, docs = resolved_hints(func), docs_of(func)
    parameters: list[Parameter] = []
    extras: dict[Any, tuple[str, ValueType]] = {}
    for parameter in inspect.signature(func).parameters.values():
        value_type = type_of(hints.get(parameter.name, Any))
        if parameter.kind in _KINDS:
            parameters.append(_parameter(parameter, value_type, docs.parameters.get(parameter.name, "")))
        else:
            extras[parameter.kind] = (parameter.name, value_type)
    rest, item_type = extras.get(inspect.Parameter.VAR_POSITIONAL, (None, JSON))
    options, option_type = extras.get(inspect.Parameter.VAR_KEYWORD, (None, JSON))
    return FunctionSignature(
        parameters=tuple(parameters),
        var_positional=rest,
        var_keyword=options,
        summary=docs.summary,
        description=docs.description,
        item_type=item_type,
        option_type=option_type,
        parameter_help=docs.parameters,
    )


def _parameter(parameter: inspect.Parameter, value_type: ValueType, text: str) -> Parameter:
    kind = _KINDS[parameter.kind]
    if parameter.default is inspect.Parameter.empty:
        return Parameter(parameter.name, kind, value_type, required=True, help=text)
    if parameter.default is None and not isinstance(value_type, (NullableType, JsonType)):
        value_type = NullableType(value_type)  # ``days: int = None`` says Optional without the word
    default = _json_default(value_type, parameter.default)
    return Parameter(parameter.name, kind, value_type, required=False, default=default, help=text)


def _json_default(value_type: ValueType, default: Any) -> Json:
    try:
        return value_type.clean(plain(value_type.dump(default)))
    except Refused:
        return NO_DEFAULT
