"""The form fields that a signature makes, and what a submitted form means."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest
from django import forms
from django.utils import timezone

from app_scheduler.exceptions import InvalidInput
from app_scheduler.signature import signature_of

LONG = "a long text " * 10


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def report(
    game_id: int,
    name: str = "weekly",
    ratio: float = 0.5,
    price: Decimal = Decimal("9.95"),
    colour: Colour = Colour.RED,
    mode: Literal["a", "b"] | None = None,
    urgent: bool = False,
    notify: bool = True,
    archive: bool | None = None,
    since: date | None = None,
    at: datetime | None = None,
    daily: time = time(14, 30),
    each: timedelta = timedelta(minutes=90),
    key: uuid.UUID | None = None,
    path: Path | None = None,
    text: str = LONG,
    days: list[int] = [1, 2],  # noqa: B006
    data: Any = None,
    *recipients: str,
    token: str | None = None,
    **options: int,
) -> None:
    """Write a report.

    Args:
        game_id: The <game>.
        each: How long.
        recipients: Who gets it.
    """


FIELDS = signature_of(report).form_fields()


def fields_of(func: Callable[..., Any]) -> dict[str, forms.Field]:
    return signature_of(func).form_fields()


def submitted(func: Callable[..., Any], keep: Any = None, **data: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments that a form with this data stores."""
    form = form_of(func, data)
    assert form.is_valid(), form.errors
    return signature_of(func).from_form(form.cleaned_data, keep)


def errors_of(func: Callable[..., Any], **data: Any) -> dict[str, list[str]]:
    return {name: [str(message) for message in messages] for name, messages in form_of(func, data).errors.items()}


def form_of(func: Callable[..., Any], data: dict[str, Any] | None, **kwargs: Any) -> forms.Form:
    form: forms.Form = type("ArgumentsForm", (forms.Form,), dict(fields_of(func)))(data, **kwargs)
    return form


class Inputs(HTMLParser):
    """The form controls of a page: each one's tag and attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"input", "select", "textarea"}:
            self.found.append((tag, dict(attrs)))


def rendered(func: Callable[..., Any], name: str, stored: dict[str, Any]) -> tuple[str, dict[str, str | None]]:
    initial = signature_of(func).form_initial([], stored)
    return Inputs(str(form_of(func, None, initial=initial)[name])).found[0]


class TestFields:
    @pytest.mark.parametrize(
        ("name", "field", "widget"),
        [
            ("game_id", forms.IntegerField, forms.NumberInput),
            ("name", forms.CharField, forms.TextInput),
            ("ratio", forms.FloatField, forms.NumberInput),
            ("price", forms.DecimalField, forms.NumberInput),
            ("colour", forms.ChoiceField, forms.Select),
            ("mode", forms.ChoiceField, forms.Select),
            ("urgent", forms.BooleanField, forms.CheckboxInput),
            ("notify", forms.ChoiceField, forms.Select),
            ("archive", forms.ChoiceField, forms.Select),
            ("since", forms.DateField, forms.TextInput),
            ("at", forms.DateTimeField, forms.TextInput),
            ("daily", forms.TimeField, forms.TextInput),
            ("each", forms.CharField, forms.TextInput),
            ("key", forms.CharField, forms.TextInput),
            ("path", forms.CharField, forms.TextInput),
            ("text", forms.CharField, forms.Textarea),
            ("days", forms.CharField, forms.Textarea),
            ("data", forms.CharField, forms.Textarea),
            ("recipients", forms.CharField, forms.Textarea),
            ("token", forms.CharField, forms.PasswordInput),
            ("options", forms.CharField, forms.Textarea),
        ],
    )
    def test_each_type_has_its_field_and_widget(self, name: str, field: type, widget: type) -> None:
        assert isinstance(FIELDS[name], field)
        assert isinstance(FIELDS[name].widget, widget)

    def test_they_come_in_the_order_of_the_parameters(self) -> None:
        assert list(FIELDS)[:2] == ["game_id", "name"]
        assert list(FIELDS)[-3:] == ["token", "recipients", "options"]

    def test_only_what_has_no_default_is_required(self) -> None:
        assert [name for name, field in FIELDS.items() if field.required] == ["game_id"]

    def test_a_required_argument_that_may_be_none_may_be_empty(self) -> None:
        def function(since: date | None) -> None: ...

        assert not fields_of(function)["since"].required
        assert submitted(function, since="") == ([], {"since": None})

    def test_defaults_are_the_initial_values(self) -> None:
        shown = {name: field.initial for name, field in FIELDS.items() if field.initial is not None}
        assert shown == {
            "name": "weekly",
            "ratio": 0.5,
            "price": "9.95",
            "colour": "red",
            "urgent": False,
            "notify": "true",
            "daily": "14:30:00",
            "each": "1h 30m",
            "text": LONG,
            "days": "[1, 2]",
        }

    def test_help_comes_from_the_docstring_escaped_and_says_the_format(self) -> None:
        assert FIELDS["game_id"].help_text == "The &lt;game&gt;."
        assert FIELDS["each"].help_text == "How long. Such as 1h 30m. Leave empty for the default."
        assert FIELDS["recipients"].help_text == "Who gets it. List of texts, as JSON, such as [&quot;abc&quot;]. " + (
            "Leave empty for the default that the code sets."
        )

    def test_labels_are_the_names_in_words(self) -> None:
        assert FIELDS["game_id"].label == "Game id"

    @pytest.mark.parametrize(("name", "kind"), [("since", "date"), ("at", "datetime-local"), ("daily", "time")])
    def test_moments_have_the_browsers_own_pickers(self, name: str, kind: str) -> None:
        assert rendered(report, name, {})[1]["type"] == kind

    def test_the_fields_of_two_forms_are_apart(self) -> None:
        first, second = fields_of(report), fields_of(report)
        first["name"].widget.attrs["class"] = "x"
        assert "class" not in second["name"].widget.attrs


class TestShowing:
    def test_what_is_left_out_is_empty_with_the_default_behind_it(self) -> None:
        _, attrs = rendered(report, "each", {"game_id": 1})
        assert (attrs.get("value"), attrs["placeholder"]) == (None, "1h 30m")

    def test_positional_arguments_are_shown_at_their_names(self) -> None:
        def function(a: int, b: str = "x", *rest: int) -> None: ...

        assert signature_of(function).form_initial([1, "y", 5], {}) == {"a": 1, "b": "y", "rest": "[5]"}

    def test_a_moment_is_shown_as_local_time_where_that_says_the_same(self) -> None:
        with timezone.override("Australia/Sydney"):
            _, attrs = rendered(report, "at", {"at": "2026-01-31T12:00:00+11:00"})
        assert (attrs["type"], attrs["value"]) == ("datetime-local", "2026-01-31T12:00:00")

    @pytest.mark.parametrize(
        "moment",
        ["2026-01-31T12:00:00+00:00", "2026-04-05T02:30:00+10:00", "2026-01-31T12:00:00.000001+11:00"],
        ids=["another offset", "second pass of a repeated hour", "microseconds"],
    )
    def test_a_moment_that_the_picker_cannot_say_is_shown_as_text(self, moment: str) -> None:
        with timezone.override("Australia/Sydney"):
            _, attrs = rendered(report, "at", {"at": moment})
            assert (attrs["type"], attrs["value"]) == ("text", attrs["value"])
            assert submitted(report, game_id="1", at=attrs["value"])[1]["at"] == moment

    def test_text_with_line_breaks_gets_an_area(self) -> None:
        assert rendered(report, "name", {"name": "a\nb"})[0] == "textarea"
        assert rendered(report, "path", {"path": "a\nb"})[0] == "textarea"
        assert rendered(report, "name", {"name": "ab"})[0] == "input"

    def test_a_stored_secret_never_reaches_the_page(self) -> None:
        initial = signature_of(report).form_initial([], {"token": "t0p", "data": {"password": "t0p"}})
        assert "t0p" not in str(initial)
        assert "t0p" not in str(form_of(report, None, initial=initial))
        assert "t0p" not in str(form_of(report, {"token": "t0p"})["token"])

    def test_a_default_that_is_secret_never_reaches_the_page(self) -> None:
        def function(token: str = "t0p") -> None: ...

        assert "t0p" not in str(form_of(function, None))

    @pytest.mark.parametrize("args", [None, [], [1] * 40])
    @pytest.mark.parametrize("value", [None, [], {"a": 1}, "x", 1.5, True])
    def test_arguments_stored_for_another_signature_are_shown_somehow(self, args: Any, value: Any) -> None:
        stored = dict.fromkeys([*FIELDS, "unknown"], value)
        assert str(form_of(report, None, initial=signature_of(report).form_initial(args, stored)))


class TestSubmitting:
    def test_what_is_empty_is_left_out(self) -> None:
        data = {**dict.fromkeys(FIELDS, ""), "game_id": "7"}
        data.pop("urgent")
        assert submitted(report, **data) == ([], {"game_id": 7})

    @pytest.mark.parametrize(
        ("name", "text", "json"),
        [
            ("name", " a ", " a "),
            ("name", '""', ""),
            ("name", "a\r\nb", "a\nb"),
            ("ratio", "1.25", 1.25),
            ("price", "9.90", "9.90"),
            ("colour", "blue", "blue"),
            ("mode", "b", "b"),
            ("urgent", "on", True),
            ("notify", "false", False),
            ("archive", "true", True),
            ("since", "2026-01-31", "2026-01-31"),
            ("daily", "09:05", "09:05:00"),
            ("each", "2 h", "PT2H"),
            ("key", "ab" * 16, "abababab-abab-abab-abab-abababababab"),
            ("path", "/tmp/x y", "/tmp/x y"),
            ("days", "[3]", [3]),
            ("days", "[]", []),
            ("data", "null", None),
            ("data", '{"a": [1]}', {"a": [1]}),
            ("token", "new", "new"),
        ],
    )
    def test_each_field_gives_canonical_json(self, name: str, text: str, json: Any) -> None:
        assert submitted(report, **{"game_id": "7", name: text}) == ([], {"game_id": 7, name: json})

    def test_a_local_moment_is_stored_with_its_offset(self) -> None:
        with timezone.override("Australia/Sydney"):
            _, kwargs = submitted(report, game_id="7", at="2026-01-31T12:00")
        assert kwargs["at"] == "2026-01-31T12:00:00+11:00"

    def test_an_unchecked_box_of_a_required_argument_means_no(self) -> None:
        def function(force: bool) -> None: ...

        assert submitted(function) == ([], {"force": False})
        assert submitted(function, force="on") == ([], {"force": True})

    def test_an_unchecked_box_is_no_only_where_the_argument_was_given(self) -> None:
        def function(force: bool = False) -> None: ...

        assert submitted(function) == ([], {})
        assert submitted(function, **{"force-given": "1"}) == ([], {"force": False})
        assert "force-given" in str(form_of(function, None, initial={"force": True}))
        assert "force-given" not in str(form_of(function, None, initial={"force": None}))

    def test_nothing_can_be_chosen_where_it_differs_from_the_default(self) -> None:
        def function(colour: Colour | None = Colour.RED, count: int | None = 5) -> None: ...

        assert submitted(function, colour="null", count="null") == ([], {"colour": None, "count": None})
        assert submitted(function, colour="", count="") == ([], {})
        assert submitted(function, colour="blue", count="7") == ([], {"colour": "blue", "count": 7})

    def test_surplus_arguments_come_from_json(self) -> None:
        def function(a: int, b: int = 2, *rest: int, **options: int) -> None: ...

        assert submitted(function, a="1", rest="[5, 6]", options='{"x": 1}') == ([1, 2, 5, 6], {"x": 1})
        assert submitted(function, a="1", options="{}") == ([], {"a": 1})

    def test_a_positional_only_argument_holds_its_place(self) -> None:
        def function(a: int = 1, b: int = 2, /, c: int = 3) -> None: ...

        assert submitted(function, b="5", c="6") == ([1, 5], {"c": 6})
        assert submitted(function, a="5") == ([5], {})

    def test_a_place_whose_default_only_code_can_say_must_be_filled(self) -> None:
        def function(a: Any = object, b: int = 2, /) -> None: ...

        with pytest.raises(InvalidInput) as caught:
            submitted(function, b="5")
        assert list(caught.value.errors) == ["args.0"]

    def test_an_argument_is_not_hidden_in_the_surplus(self) -> None:
        def function(a: int = 1, **options: int) -> None: ...

        with pytest.raises(InvalidInput) as caught:
            submitted(function, options='{"a": 1}')
        assert caught.value.errors == {
            "kwargs.a": ["“a” is an argument of its own. Give it there, and not in options."]
        }

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("game_id", "", "This field is required."),
            ("game_id", "many", "“many” is not a whole number. Give one such as 5."),
            ("ratio", "nan", "“nan” is not a number. Give one such as 1.5."),
            ("each", "long", "“long” is not a duration. Give one such as 1h 30m, PT1H30M or 90 (seconds)."),
            ("since", "31.1.2026", "“31.1.2026” is not a date. Give one such as 2026-01-31."),
            ("days", "[1, 1.5]", "Item 2: “1.5” is not a whole number. Give one such as 5."),
            ("data", "[NaN]", "NaN is not a number that JSON can hold. Give a finite number."),
            ("data", '{"a": 1, "a": 2}', "The key “a” is given twice. Remove one."),
            ("data", "[" * 100_000, "The value is nested more than 50 levels deep. Flatten it."),
            ("data", "9" * 5000, "A whole number may have at most 4,300 digits."),
            ("name", "a\0b", "A NUL character cannot be stored. Remove it."),
            ("options", '{"x": "y"}', "Key “x”: “y” is not a whole number. Give one such as 5."),
        ],
    )
    def test_a_mistake_is_told_beside_its_field(self, name: str, text: str, message: str) -> None:
        assert errors_of(report, **{"game_id": "7", name: text})[name] == [message]

    def test_text_without_quotes_in_a_json_field_is_told_about_quotes(self) -> None:
        (message,) = errors_of(report, game_id="7", data="hello")["data"]
        assert message.startswith("“hello” is not JSON")
        assert 'Text needs double quotes, such as "abc"' in message

    def test_a_choice_that_does_not_exist_is_refused(self) -> None:
        assert "colour" in errors_of(report, game_id="7", colour="green")

    def test_the_values_together_are_checked_too(self) -> None:
        with pytest.raises(InvalidInput, match="64 KB"):
            submitted(report, game_id="7", name="x" * 40_000, text="y" * 40_000)


class TestSecrets:
    def test_an_empty_secret_keeps_what_is_stored(self) -> None:
        stored: Any = ([], {"game_id": 7, "token": "t0p"})
        assert submitted(report, stored, game_id="8", token="")[1] == {"game_id": 8, "token": "t0p"}
        assert submitted(report, stored, game_id="8", token="new")[1] == {"game_id": 8, "token": "new"}

    def test_a_required_secret_is_asked_for_only_where_none_is_stored(self) -> None:
        def function(password: str) -> None: ...

        assert submitted(function, ([], {"password": "x"}), password="") == ([], {"password": "x"})
        assert submitted(function, (["x"], {}), password="") == ([], {"password": "x"})
        with pytest.raises(InvalidInput) as caught:
            submitted(function, password="")
        assert caught.value.errors == {"kwargs.password": ["This argument is required."]}

    def test_secrets_inside_json_are_masked_and_kept(self) -> None:
        def function(headers: dict[str, str], pins: dict[str, int] | None = None) -> None: ...

        stored: Any = ([], {"headers": {"api_key": "t0p", "accept": "a"}, "pins": {"secret": 5}})
        initial = signature_of(function).form_initial(*stored)
        assert initial["headers"] == '{"api_key": "••••••", "accept": "a"}'
        assert submitted(function, stored, **initial) == stored
        edited = initial["headers"].replace('"a"', '"b"')
        assert submitted(function, stored, headers=edited)[1]["headers"] == {"api_key": "t0p", "accept": "b"}
        with pytest.raises(InvalidInput, match="Give the secret itself"):
            submitted(function, headers=edited)
