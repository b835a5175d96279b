"""A function's signature: its parameters, and what their arguments look like as JSON, as Python values, in a form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils.translation import gettext, ngettext

from app_scheduler.exceptions import InvalidInput
from app_scheduler.signature.docstrings import docs_of
from app_scheduler.signature.hints import resolved_hints, type_of
from app_scheduler.signature.plain import (
    MAX_BYTES,
    Json,
    NotJson,
    Refused,
    check_text,
    listed,
    plain,
    quote,
    size_of,
    too_large,
)
from app_scheduler.signature.secrecy import MASK, has_mask, looks_secret, mask_keys, mask_secret, unmask
from app_scheduler.signature.values import (
    JSON,
    TEXT,
    BoolType,
    ChoiceType,
    DateTimeType,
    DateType,
    DictType,
    DurationType,
    JsonType,
    ListType,
    NullableType,
    TimeType,
    ValueType,
)

if TYPE_CHECKING:
    from django.forms import Field

Arguments = tuple[list[Json], dict[str, Json]]


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


#: The default of a parameter that has none, or one that JSON cannot say (an object, a function).
NO_DEFAULT: Any = _NoDefault()

#: Values of these types give nothing away, whatever the parameter is called (``reset_password: bool``).
_NEVER_SECRET = (BoolType, ChoiceType, DateType, DateTimeType, TimeType, DurationType)


class Kind(StrEnum):
    """How an argument may be given."""

    POSITIONAL_ONLY = "positional only"
    POSITIONAL_OR_KEYWORD = "positional or keyword"
    KEYWORD_ONLY = "keyword only"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``default`` is JSON, or `NO_DEFAULT`; ``help`` is what the docstring says about it."""

    name: str
    kind: Kind
    type: ValueType
    required: bool
    default: Json = NO_DEFAULT
    help: str = ""

    @property
    def has_default(self) -> bool:
        """Whether there is a default that JSON can say."""
        return self.default is not NO_DEFAULT

    @property
    def nullable(self) -> bool:
        """Whether None is a value of the parameter's declared type."""
        return isinstance(self.type, NullableType)

    @property
    def type_label(self) -> str:
        """The type in words: "whole number", "text", "list of dates", "JSON"."""
        return self.type.label

    @property
    def choices(self) -> tuple[tuple[Json, str], ...]:
        """The values that an Enum or a Literal allows, as (JSON, label); empty for all other types."""
        inner = self.type.inner if isinstance(self.type, NullableType) else self.type
        return (
            tuple((option.json, str(option.label)) for option in inner.options) if isinstance(inner, ChoiceType) else ()
        )

    @property
    def is_secret(self) -> bool:
        """Whether the name says that the value must not be shown."""
        inner = self.type.inner if isinstance(self.type, NullableType) else self.type
        return looks_secret(self.name) and not isinstance(inner, _NEVER_SECRET)


class _Slot(NamedTuple):
    """One given argument: its path in the document, its value, and the parameter (or ``*args``' item) that takes it."""

    path: str
    name: str
    type: ValueType
    value: Any
    is_secret: bool


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """What a function takes. ``parameters`` leaves out ``*args`` and ``**kwargs``, whose names are apart.

    Arguments travel as ``(args, kwargs)``: a list and a dict of JSON values. Errors are `InvalidInput` with the paths
    "args", "args.0", "kwargs" and "kwargs.days".
    """

    parameters: tuple[Parameter, ...]
    var_positional: str | None = None
    var_keyword: str | None = None
    summary: str = ""
    description: str = ""
    item_type: ValueType = JSON
    option_type: ValueType = JSON
    parameter_help: Mapping[str, str] | None = None
    # Worked out once, as each run binds its arguments.
    _by_position: tuple[Parameter, ...] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, Parameter] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_position = tuple(parameter for parameter in self.parameters if parameter.kind is not Kind.KEYWORD_ONLY)
        by_name = {
            parameter.name: parameter for parameter in self.parameters if parameter.kind is not Kind.POSITIONAL_ONLY
        }
        object.__setattr__(self, "_by_position", by_position)
        object.__setattr__(self, "_by_name", by_name)

    # -- checking and converting ---------------------------------------------------------------------------------------

    def clean(self, args: Any, kwargs: Any) -> Arguments:
        """Return the arguments as canonical JSON, or raise `InvalidInput` with everything that is wrong.

        Python values that a parameter's type knows (a YAML file's dates, say) are accepted beside JSON.
        """
        cleaned = self._convert(args, kwargs, _cleaned)
        size = size_of(list(cleaned))
        if size > MAX_BYTES:
            larger = "kwargs" if size_of(cleaned[1]) >= size_of(cleaned[0]) else "args"
            raise InvalidInput({larger: [too_large(size)]})
        return cleaned

    def to_json(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """Return Python values, as a caller of the function would pass them, as canonical JSON.

        Raise `InvalidInput` as `clean` does, also for a value that JSON cannot say and whose parameter has no type that
        would bring it back.
        """
        return self.clean(list(args), dict(kwargs))

    def bind(self, args: Any, kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
        """Return the Python values to call the function with. Never fails for what `clean` returned.

        Raise `InvalidInput` where the arguments no longer fit the function.
        """
        return self._convert(args, kwargs, _bound)

    def _convert(self, args: Any, kwargs: Any, convert: Callable[[_Slot], Any]) -> tuple[list[Any], dict[str, Any]]:
        errors: dict[str, list[str]] = {}
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for slot in self._slots(args, kwargs, errors):
            try:
                value = convert(slot)
            except Refused as refusal:
                errors.setdefault(slot.path, []).append(str(refusal))
                continue
            if slot.path.startswith("args"):
                positional.append(value)
            else:
                named[slot.path.removeprefix("kwargs.")] = value
        if errors:
            raise InvalidInput(errors)
        return positional, named

    def _slots(self, args: Any, kwargs: Any, errors: dict[str, list[str]]) -> Iterator[_Slot]:
        """Yield each given argument with the parameter that takes it, and note in ``errors`` those that none takes."""
        if not isinstance(args, (list, tuple)):
            errors["args"] = [gettext("args must be a list, such as [1, 2]. Use [] for none.")]
        if not isinstance(kwargs, Mapping):
            errors["kwargs"] = [gettext('kwargs must be an object, such as {"days": 30}. Use {} for none.')]
        if errors:
            return
        by_position = self._by_position
        for index, value in enumerate(args):
            if index < len(by_position):
                parameter = by_position[index]
                yield _Slot(f"args.{index}", parameter.name, parameter.type, value, parameter.is_secret)
            elif self.var_positional:
                secret = looks_secret(self.var_positional)
                yield _Slot(f"args.{index}", self.var_positional, self.item_type, value, secret)
            else:
                errors["args"] = [self._too_many(len(args))]
                break
        given = {parameter.name for parameter in by_position[: len(args)]}
        yield from self._named_slots(kwargs, given, errors)
        self._note_missing(len(args), given, kwargs, errors)

    def _named_slots(self, kwargs: Mapping[Any, Any], given: set[str], errors: dict[str, list[str]]) -> Iterator[_Slot]:
        by_name = self._by_name
        for name, value in kwargs.items():
            if not isinstance(name, str):
                errors.setdefault("kwargs", []).append(
                    gettext("The name %(name)s of an argument is not text.") % {"name": quote(name)}
                )
            elif name in by_name:
                if name in given:
                    position = [parameter.name for parameter in self._by_position].index(name)
                    errors[f"kwargs.{name}"] = [
                        gettext("This argument is given twice, also as args.%(position)s. Remove one.")
                        % {"position": position}
                    ]
                else:
                    parameter = by_name[name]
                    yield _Slot(f"kwargs.{name}", name, parameter.type, value, parameter.is_secret)
            elif self.var_keyword:
                yield _Slot(f"kwargs.{name}", name, self.option_type, value, looks_secret(name))
            else:
                errors[f"kwargs.{quote(name)[1:-1]}"] = [self._unknown(name)]

    def _note_missing(
        self, count: int, given: set[str], kwargs: Mapping[Any, Any], errors: dict[str, list[str]]
    ) -> None:
        by_name = self._by_name
        for index, parameter in enumerate(self.parameters):
            if not parameter.required or parameter.name in given:
                continue
            if parameter.kind is Kind.POSITIONAL_ONLY:
                if "args" not in errors:
                    message = gettext(
                        "This argument, “%(name)s”, is required, and can be given by its position only."
                    ) % {"name": parameter.name}
                    errors[f"args.{index}"] = [message]
            elif parameter.name in by_name and parameter.name not in kwargs:
                errors[f"kwargs.{parameter.name}"] = [gettext("This argument is required.")]

    def _too_many(self, count: int) -> str:
        limit = len(self._by_position)
        if not self.parameters and not self.var_keyword:
            return gettext("The function takes no arguments. Leave args empty: [].")
        if not limit:
            return gettext("The function takes no arguments by position, not %(count)s. Use kwargs.") % {"count": count}
        text = ngettext(
            "The function takes at most %(limit)s argument by position, not %(count)s. By position it takes: "
            "%(names)s.",
            "The function takes at most %(limit)s arguments by position, not %(count)s. By position it takes: "
            "%(names)s.",
            limit,
        )
        return text % {"limit": limit, "count": count, "names": listed(p.name for p in self._by_position)}

    def _unknown(self, name: str) -> str:
        if any(parameter.name == name for parameter in self.parameters):
            return gettext("This argument can be given by its position only. Move it to args.")
        known = list(self._by_name)
        if not known:
            return gettext("The function has no argument %(name)s. It takes none by name.") % {"name": quote(name)}
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        values = {"name": quote(name), "near": near[0] if near else "", "names": listed(known, 30)}
        if near:
            text = gettext("The function has no argument %(name)s. Did you mean “%(near)s”? It takes: %(names)s.")
        else:
            text = gettext("The function has no argument %(name)s. It takes: %(names)s.")
        return text % values

    # -- arguments by parameter name -----------------------------------------------------------------------------------

    def keyword_style(self, args: Sequence[Json], kwargs: Mapping[str, Json]) -> Arguments:
        """Return the same call with its arguments by name wherever the function allows that.

        This is the style that forms store, and two documents that mean the same call compare equal in it.
        """
        values, rest, options = self._by_parameter(args, kwargs)
        return self._assembled(values, rest, options)

    def _by_parameter(self, args: Any, kwargs: Any) -> tuple[dict[str, Json], list[Json], dict[str, Json]]:
        """Return (values by parameter, surplus positional, surplus named) of stored arguments. Never fails."""
        positional = list(args) if isinstance(args, (list, tuple)) else []
        named = dict(kwargs) if isinstance(kwargs, Mapping) else {}
        names = [parameter.name for parameter in self._by_position]
        values = dict(zip(names, positional, strict=False))
        for name in self._by_name:
            if name in named:
                values.setdefault(name, named.pop(name))
        return values, positional[len(names) :], named

    def _assembled(self, values: Mapping[str, Json], rest: Sequence[Json], options: Mapping[str, Json]) -> Arguments:
        """Return the call for values by parameter. Raise `InvalidInput` for a gap that no default fills."""
        by_position = self._by_position
        count = max(
            [len(by_position)] * bool(rest)
            + [
                index + 1
                for index, parameter in enumerate(by_position)
                if parameter.kind is Kind.POSITIONAL_ONLY and parameter.name in values
            ],
            default=0,
        )
        args: list[Json] = []
        errors: dict[str, list[str]] = {}
        for index, parameter in enumerate(by_position[:count]):
            if parameter.name in values:
                args.append(values[parameter.name])
            elif parameter.has_default:
                args.append(deepcopy(parameter.default))
            else:
                errors[f"args.{index}"] = [
                    gettext("“%(name)s” must be given, as an argument after it is given by its position.")
                    % {"name": parameter.name}
                ]
        taken = {parameter.name for parameter in by_position[:count]}
        kwargs = {name: value for name, value in values.items() if name not in taken}
        for name, value in options.items():
            if name in self._by_name:
                errors[f"kwargs.{name}"] = [
                    gettext("“%(name)s” is an argument of its own. Give it there, and not in %(var_keyword)s.")
                    % {"name": name, "var_keyword": self.var_keyword}
                ]
            kwargs[name] = value
        if errors:
            raise InvalidInput(errors)
        return [*args, *rest], kwargs

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
        from app_scheduler.signature.fields import LEFT_OUT

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


def _cleaned(slot: _Slot) -> Json:
    if slot.path.startswith("kwargs."):
        check_text(slot.name)
    try:
        value = plain(slot.value)
    except NotJson as refusal:
        return _dumped(slot, refusal)
    if has_mask(value, secret=slot.is_secret):
        raise Refused(gettext("%(mask)s stands for a secret and is not one. Give the secret itself.") % {"mask": MASK})
    return slot.type.clean(value)


def _dumped(slot: _Slot, refusal: NotJson) -> Json:
    """Return the JSON for a value that is not JSON yet. A type that does not know it leaves the first refusal."""
    try:
        return plain(slot.type.clean(plain(slot.type.dump(slot.value))))
    except NotJson:
        raise refusal from None


def _bound(slot: _Slot) -> Any:
    return slot.type.parse(slot.type.clean(plain(slot.value)))


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
