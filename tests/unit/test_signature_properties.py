"""What holds for every type and every value: checking is idempotent, what it accepts binds, forms change nothing."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pytest
from django import forms
from django.db.models import TextChoices
from django.http import QueryDict
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app_scheduler.exceptions import InvalidInput
from app_scheduler.signature import signature_of
from app_scheduler.signature.durations import duration_in_words, iso_duration, parse_duration

#: EXAMPLES=1000 searches for longer.
quick = settings(max_examples=int(os.environ.get("EXAMPLES", "20")))


class Colour(Enum):
    RED = "red"
    BLUE = "BLUE"
    EMPTY = ""
    QUOTED = '""'


class Swapped(Enum):
    """Each one's value is the other's name."""

    A = "B"
    B = "A"


class Level(IntEnum):
    LOW = 1
    HIGH = 10


class Mixed(Enum):
    ONE = 1
    TEXT = "1"


class Opaque(Enum):
    POINT = (1, 2)
    NOTHING = None


class Size(TextChoices):
    SMALL = "s", "Rather small"
    LARGE = "l", "Rather large"


TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "decimal": Decimal,
    "bool": bool,
    "date": date,
    "datetime": datetime,
    "time": time,
    "timedelta": timedelta,
    "uuid": uuid.UUID,
    "path": Path,
    "pure_path": PurePosixPath,
    "colour": Colour,
    "swapped": Swapped,
    "level": Level,
    "mixed": Mixed,
    "opaque": Opaque,
    "size": Size,
    "literal": Literal["a", "b", 1, True, "1", "true", ""],
    "any": Any,
    "list": list[int],
    "bare_list": list,
    "texts": list[str],
    "tuple": tuple[int, ...],
    "pair": tuple[int, str],
    "set": set[int],
    "set_of_any": set,
    "frozen": frozenset[Decimal],
    "dict": dict[str, float],
    "dict_by_int": dict[int, date],
    "bare_dict": dict,
    "nested": dict[str, list[int | None]],
    "number": int | float,
    "float_first": float | int,
    "int_or_text": int | str,
    "date_or_text": date | str,
    "ints_or_texts": list[int] | list[str],
    "secretive": dict[str, dict[str, str]],
    "union_set": set[int | float | str | bool],
}

finite = st.floats(allow_nan=False, allow_infinity=False)
storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
texts = st.one_of(
    storable,
    st.sampled_from(
        [
            *(
                "",
                " ",
                '""',
                '"',
                '""""',
                "5",
                "-5",
                "+05",
                " 7 ",
                "1.50",
                "1e3",
                "true",
                "No",
                "null",
                "red",
                "A",
                "a",
            ),
            *("1", "2026-01-31", "20260131", "2026-01-31T12:00", "2026-01-31T12:00:00.5Z", "2026-04-05T02:30:00+10:00"),
            *(
                "2026-10-04T02:30",
                "2026-04-05T02:30",
                "0001-01-01T00:00",
                "9999-12-31T23:59:59",
                "12:30",
                "12:30:15.25",
            ),
            *(
                "1h 30m",
                "PT1H",
                "-5m",
                "90",
                "01:30:00",
                "P1W",
                "1.5s",
                "6f9619ff-8b86-4011-b42d-00c04fc964ff",
                "/x//y/",
            ),
            *("line\nline", "tab\t", "«ünï»", "<b>", "0E+10", "-0", "1E-7", "••••••", "token"),
        ]
    ),
    st.datetimes(timezones=st.none() | st.timezones()).map(datetime.isoformat),
    st.times().map(time.isoformat),
    st.timedeltas().map(iso_duration),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.uuids().map(str),
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), finite, texts)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def function_with(hint: Any, default: Any = ...) -> Callable[..., Any]:
    """Return a function with one parameter, ``value``, of the type ``hint``."""
    if default is ...:

        def function(value):  # type: ignore[no-untyped-def]
            return value

    else:

        def function(value=default):  # type: ignore[no-untyped-def,misc]
            return value

    function.__annotations__ = {"value": hint}
    return function


def accepted(hint: Any, value: Any, default: Any = ...) -> tuple[list[Any], dict[str, Any]] | None:
    try:
        return signature_of(function_with(hint, default)).clean([], {"value": value})
    except InvalidInput:
        return None


def posted(form: forms.Form) -> QueryDict:
    """Return what a browser would send for a form that nobody touched.

    It reads the widgets as rendered, so that what an input cannot hold is lost here as it would be in a browser.
    """
    data = QueryDict(mutable=True)
    for bound in form:
        several_lines = "<textarea" in bound.field.widget.render(bound.html_name, bound.value())
        context = bound.field.widget.get_context(bound.html_name, bound.value(), {})["widget"]
        shown = context["value"]
        if isinstance(bound.field.widget, forms.CheckboxInput):
            if bound.value():
                data[bound.html_name] = "on"
            if bound.value() is not None:
                data[f"{bound.html_name}-given"] = "1"
        elif isinstance(bound.field.widget, forms.Select):
            data[bound.html_name] = shown[0] if shown else ""
        else:
            text = "" if shown is None else str(shown)
            if context.get("type") in {"date", "time", "datetime-local"}:
                # Browsers blank what their picker cannot say.
                reader = {"date": date, "time": time, "datetime-local": datetime}[context["type"]]
                if text:
                    assert reader.fromisoformat(text).isoformat()[:19] == text  # type: ignore[attr-defined]
            data[bound.html_name] = text.replace("\n", "\r\n" if several_lines else "")
    return data


def form_of(fields: Mapping[str, forms.Field], data: Any = None, **kwargs: Any) -> forms.Form:
    form: forms.Form = type("ArgumentsForm", (forms.Form,), dict(fields))(data, prefix="arg", **kwargs)
    return form


def saved_untouched(hint: Any, default: Any, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the kwargs after a form that shows ``stored`` was saved as it came."""
    signature = signature_of(function_with(hint, default))
    initial = signature.form_initial([], stored)
    form = form_of(signature.form_fields(), posted(form_of(signature.form_fields(), initial=initial)), initial=initial)
    assert form.is_valid(), form.errors
    assert not form.has_changed()
    args, kwargs = signature.from_form(form.cleaned_data, keep=([], stored))
    assert args == []
    return kwargs


def same_json(left: Any, right: Any) -> bool:
    return json.dumps(left) == json.dumps(right)


def written_back(hint: Any, bound: tuple[list[Any], dict[str, Any]]) -> Any:
    return signature_of(function_with(hint)).to_json(*bound)


def optional(hint: Any) -> Any:
    return hint if hint is Any else hint | None


def python_values(hint: Any) -> st.SearchStrategy[Any]:
    """Return Python values of a type, as a caller would pass them to the function."""
    if hint is Any or hint in (list, dict, set):
        inner = scalars if hint is set else values
        made = {list: st.lists(inner, max_size=3), dict: st.dictionaries(storable, inner, max_size=3)}
        return {**made, set: st.sets(inner, max_size=4)}.get(hint, values)
    return st.from_type(hint)


st.register_type_strategy(Path, texts.filter(bool).map(Path))
st.register_type_strategy(PurePosixPath, texts.filter(bool).map(PurePosixPath))


@pytest.mark.parametrize("hint", TYPES.values(), ids=TYPES)
class TestEveryType:
    @quick
    @given(value=values)
    def test_whatever_is_sent_is_refused_in_words_or_accepted_for_good(self, hint: Any, value: Any) -> None:
        signature = signature_of(function_with(hint))
        signature.form_initial([], {"value": value})
        try:
            cleaned = signature.clean([], {"value": value})
        except InvalidInput as error:
            assert list(error.errors) == ["kwargs.value"]
            assert all(message.endswith(".") for message in error.errors["kwargs.value"])
            return
        assert same_json(signature.clean(*cleaned), cleaned)
        bound = signature.bind(*cleaned)
        assert repr(signature.bind([], {"value": value})) == repr(bound)
        assert same_json(written_back(hint, bound), cleaned)

    @quick
    @given(data=st.data())
    def test_what_code_passes_comes_back_and_no_form_changes_it(self, hint: Any, data: st.DataObject) -> None:
        value = data.draw(python_values(hint))
        signature = signature_of(function_with(hint))
        try:
            cleaned = signature.to_json([], {"value": value})
        except InvalidInput:
            return
        assert same_json(signature.clean(*cleaned), cleaned)
        if hint not in (datetime, set) and "union" not in repr(hint):
            assert signature.bind(*cleaned)[1]["value"] == value
        if "\\r" in json.dumps(cleaned):
            return  # forms send line feeds
        assert same_json(saved_untouched(hint, ..., cleaned[1]), cleaned[1])
        if cleaned[1]["value"] is not None:
            assert same_json(saved_untouched(optional(hint), None, cleaned[1]), cleaned[1])

    def test_an_argument_that_is_left_out_stays_left_out(self, hint: Any) -> None:
        assert saved_untouched(hint, object(), {}) == {}


DEFAULTS: list[tuple[Any, Any]] = [
    (str, "hello"),
    (str, ""),
    (str | None, "hello"),
    (int, 5),
    (int | None, 5),
    (bool, True),
    (bool, False),
    (bool | None, None),
    (bool | None, True),
    (date, date(2026, 1, 31)),
    (datetime, datetime(2026, 1, 31, 12)),
    (timedelta | None, timedelta(hours=1)),
    (Colour, Colour.RED),
    (Colour | None, Colour.RED),
    (Literal["a", None], "a"),
    (list[int], [1]),
    (list[int] | None, [1]),
    (dict, {}),
    (Any, 3),
]


@pytest.mark.parametrize(("hint", "default"), DEFAULTS, ids=repr)
@quick
@given(value=values, given_at_all=st.booleans())
@example(value=None, given_at_all=True)
@example(value="", given_at_all=True)
@example(value=False, given_at_all=True)
def test_a_default_never_replaces_what_is_stored(hint: Any, default: Any, value: Any, given_at_all: bool) -> None:
    if not given_at_all:
        assert saved_untouched(hint, default, {}) == {}
        return
    cleaned = accepted(hint, value, default)
    if cleaned is not None and "\\r" not in json.dumps(cleaned):
        saved = saved_untouched(hint, default, cleaned[1])
        if cleaned[1] == {"value": None} and default is None:
            assert saved in ({}, {"value": None})
        else:
            assert same_json(saved, cleaned[1])


@quick
@given(duration=st.timedeltas())
@example(duration=timedelta.min)
@example(duration=timedelta.max)
def test_durations_are_exact_in_both_notations(duration: timedelta) -> None:
    assert parse_duration(iso_duration(duration)) == duration
    assert parse_duration(duration_in_words(duration)) == duration


def several(a: int, /, b: str = "b", c: int = 3, *rest: int, d: bool = False, e: date, **options: float) -> None:
    """Take a bit of everything."""


@quick
@given(
    args=st.lists(st.integers(-5, 5), max_size=5),
    kwargs=st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", "f", "rest"]), scalars, max_size=6),
)
def test_arguments_keep_their_meaning_in_keyword_style_and_in_a_form(args: list[Any], kwargs: dict[str, Any]) -> None:
    signature = signature_of(several)
    args[1:2] = [str(value) for value in args[1:2]]
    try:
        cleaned = signature.clean(args, {"e": "2026-01-31", **kwargs})
    except InvalidInput:
        return
    if "\\r" in json.dumps(cleaned):
        return
    canonical = signature.keyword_style(*cleaned)
    assert signature.clean(*canonical) == canonical
    assert signature.keyword_style(*canonical) == canonical
    assert called(*signature.bind(*canonical)) == called(*signature.bind(*cleaned))
    initial = signature.form_initial(*cleaned)
    form = form_of(signature.form_fields(), posted(form_of(signature.form_fields(), initial=initial)), initial=initial)
    assert form.is_valid(), form.errors
    assert same_json(signature.from_form(form.cleaned_data), canonical)


def called(args: list[Any], kwargs: dict[str, Any]) -> Any:
    import inspect

    bound = inspect.signature(several).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


@quick
@given(value=values)
def test_masking_and_unmasking_give_back_what_was_there(value: Any) -> None:
    def function(token: str = "", data: Any = None, **options: Any) -> None: ...

    signature = signature_of(function)
    try:
        cleaned = signature.clean([], {"data": value, "token": "t", "api_key": value})
    except InvalidInput:
        return
    masked = signature.masked(*cleaned)
    assert masked[1]["token"] == "••••••"
    assert signature.unmasked(*masked, *cleaned) == cleaned
