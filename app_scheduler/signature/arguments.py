"""A call's arguments against the parameters that take them: checked, converted, and given by position or by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

from django.utils.translation import gettext, ngettext

from app_scheduler.exceptions import InvalidInput
from app_scheduler.signature.parameters import Kind, Parameter
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
from app_scheduler.signature.secrecy import MASK, has_mask, looks_secret
from app_scheduler.signature.values import JSON, ValueType

Arguments = tuple[list[Json], dict[str, Json]]


class _Slot(NamedTuple):
    """One given argument: its path in the document, its value, and the parameter (or ``*args``' item) that takes it."""

    path: str
    name: str
    type: ValueType
    value: Any
    is_secret: bool


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a function takes. ``parameters`` leaves out ``*args`` and ``**kwargs``, whose names are apart.

    Arguments travel as ``(args, kwargs)``: a list and a dict of JSON values. Errors are `InvalidInput` with the paths
    "args", "args.0", "kwargs" and "kwargs.days".
    """

    parameters: tuple[Parameter, ...]
    var_positional: str | None = None
    var_keyword: str | None = None
    item_type: ValueType = JSON
    option_type: ValueType = JSON
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
