"""What a function's signature says, and how arguments are checked against it."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, Optional, TypeVar

import pytest
from django.utils import timezone

from app_scheduler.exceptions import InvalidInput
from app_scheduler.signature import MASK, NO_DEFAULT, FunctionSignature, Kind, signature_of

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]

GameId = NewType("GameId", int)
Bounded = TypeVar("Bounded", bound=float)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 10


class Opaque(Enum):
    POINT = (1, 2)
    LINE = (3, 4)


def clean_up(game_id: int, days: int = 30, *, dry_run: bool = False) -> None:
    """Delete what is old.

    Looks at every table.

    Args:
        game_id: The game,
            by number.
        days: How many days to keep.
    """


def errors_of(func: Callable[..., Any], args: Any = (), kwargs: Any = None) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        signature_of(func).clean(list(args) if isinstance(args, tuple) else args, {} if kwargs is None else kwargs)
    return caught.value.errors


def one(hint: Any, default: Any = ...) -> FunctionSignature:
    """Return the signature of a function with one parameter, ``value``."""

    def function(value: Any) -> None: ...

    function.__annotations__ = {"value": hint}
    function.__defaults__ = None if default is ... else (default,)
    return signature_of(function)


def cleaned(hint: Any, value: Any) -> Any:
    return one(hint).clean([], {"value": value})[1]["value"]


def bound(hint: Any, value: Any) -> Any:
    return one(hint).bind([], {"value": value})[1]["value"]


def refusal(hint: Any, value: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        one(hint).clean([], {"value": value})
    (messages,) = caught.value.errors.values()
    assert list(caught.value.errors) == ["kwargs.value"]
    return "; ".join(messages)


class TestDescription:
    def test_it_describes_each_parameter_with_its_type_default_and_help(self) -> None:
        game_id, days, dry_run = signature_of(clean_up).parameters
        assert (game_id.name, game_id.kind, game_id.required) == ("game_id", Kind.POSITIONAL_OR_KEYWORD, True)
        assert (game_id.type_label, game_id.default) == ("whole number", NO_DEFAULT)
        assert game_id.help == "The game, by number."
        assert (days.required, days.default, days.help) == (False, 30, "How many days to keep.")
        assert (dry_run.kind, dry_run.type_label, dry_run.default) == (Kind.KEYWORD_ONLY, "yes or no", False)

    def test_it_takes_summary_and_description_from_the_docstring(self) -> None:
        signature = signature_of(clean_up)
        assert (signature.summary, signature.description) == ("Delete what is old.", "Looks at every table.")

    def test_a_function_without_a_docstring_has_none(self) -> None:
        def function(x: int) -> None: ...

        assert (signature_of(function).summary, signature_of(function).parameters[0].help) == ("", "")

    def test_a_summary_that_was_wrapped_is_one_line(self) -> None:
        def function() -> None:
            """Do a thing that takes
            many words to say.

            More.
            """

        assert signature_of(function).summary == "Do a thing that takes many words to say."
        assert signature_of(function).description == "More."

    @pytest.mark.parametrize(
        "docstring",
        [
            "Do it.\n\nArgs:\n    x: The x.\n    *rest (int): The rest.",
            "Do it.\n\nParameters\n----------\nx : int\n    The x.\n*rest : int\n    The rest.",
            "Do it.\n\n:param x: The x.\n:param rest: The rest.",
            "Do it.\n\n@param x: The x.\n@param rest: The rest.",
        ],
        ids=["google", "numpy", "rest", "epydoc"],
    )
    def test_it_reads_the_usual_styles_of_docstrings(self, docstring: str) -> None:
        def function(x: int, *rest: int) -> None: ...

        function.__doc__ = docstring
        signature = signature_of(function)
        assert signature.summary == "Do it."
        assert signature.parameters[0].help == "The x."
        assert "The rest." in signature.form_fields()["rest"].help_text

    def test_args_and_kwargs_are_named_apart(self) -> None:
        def function(a: int, /, *rest: int, **options: str) -> None: ...

        signature = signature_of(function)
        assert [parameter.name for parameter in signature.parameters] == ["a"]
        assert (signature.var_positional, signature.var_keyword) == ("rest", "options")

    @pytest.mark.parametrize(
        ("hint", "label"),
        [
            (int, "whole number"),
            (float, "number"),
            (str, "text"),
            (bool, "yes or no"),
            (Decimal, "decimal number"),
            (date, "date"),
            (datetime, "date and time"),
            (time, "time of day"),
            (timedelta, "duration"),
            (uuid.UUID, "UUID"),
            (Path, "file path"),
            (Colour, "one of red, blue"),
            (Level, "one of 1, 10"),
            (Opaque, "one of POINT, LINE"),
            (Literal["a", "b"], "one of a, b"),
            (list[int], "list of whole numbers"),
            (list, "list of JSON values"),
            (set[date], "list of dates"),
            (tuple[str, ...], "list of texts"),
            (Sequence[int], "list of whole numbers"),
            (list[list[int]], "list of lists of whole numbers"),
            (dict[str, Decimal], "object of decimal numbers"),
            (dict, "object of JSON values"),
            (int | None, "whole number"),
            (Optional[int], "whole number"),  # noqa: UP045
            (int | str, "whole number or text"),
            (Annotated[int, "days"], "whole number"),
            (GameId, "whole number"),
            (Bounded, "number"),
            (Any, "JSON"),
            (object, "JSON"),
            (Callable[[], None], "JSON"),
            (int | Any, "JSON"),
            (type, "JSON"),
            (bytes, "JSON"),
            ("Missing", "JSON"),
            ("not python", "JSON"),
        ],
    )
    def test_types_are_named_in_words(self, hint: Any, label: str) -> None:
        assert one(hint).parameters[0].type_label == label

    def test_a_hint_that_cannot_be_resolved_does_not_spoil_the_others(self) -> None:
        def function(user: Missing, days: int, since: date) -> None: ...

        labels = [parameter.type_label for parameter in signature_of(function).parameters]
        assert labels == ["JSON", "whole number", "date"]

    def test_a_parameter_without_an_annotation_takes_any_json(self) -> None:
        def function(x, y=5):  # type: ignore[no-untyped-def]
            """Do."""

        assert signature_of(function).clean([], {"x": {"a": [1, None]}}) == ([], {"x": {"a": [1, None]}})

    def test_a_default_of_none_allows_none(self) -> None:
        assert one(int, None).clean([], {"value": None}) == ([], {"value": None})

    def test_a_wrapped_function_has_the_signature_of_what_it_wraps(self) -> None:
        @functools.wraps(clean_up)
        def wrapper(*args: Any, **kwargs: Any) -> None: ...

        assert signature_of(wrapper).parameters == signature_of(clean_up).parameters

    @pytest.mark.parametrize(
        ("hint", "default", "json"),
        [
            (date, date(2026, 1, 31), "2026-01-31"),
            (Colour, Colour.RED, "red"),
            (timedelta, timedelta(minutes=90), "PT1H30M"),
            (set[int], {2, 1}, [1, 2]),
            (tuple[int, ...], (1, 2), [1, 2]),
            (Any, object, NO_DEFAULT),
            (int, "auto", NO_DEFAULT),
            (float, float("inf"), NO_DEFAULT),
        ],
    )
    def test_a_default_is_json_or_is_not_said(self, hint: Any, default: Any, json: Any) -> None:
        parameter = one(hint, default).parameters[0]
        assert (parameter.required, parameter.default) == (False, json)

    def test_the_listing_for_clients_is_json(self) -> None:
        def function(colour: Colour, token: str = "hidden", *rest: int) -> None:
            """Do.

            :param colour: Which.
            """

        listing = signature_of(function).json_schema()
        assert listing["parameters"][0] == {
            "name": "colour",
            "kind": "positional or keyword",
            "type": "one of red, blue",
            "schema": {"enum": ["red", "blue"]},
            "required": True,
            "help": "Which.",
            "choices": [{"value": "red", "label": "red"}, {"value": "blue", "label": "blue"}],
            "secret": False,
        }
        assert listing["parameters"][1]["default"] == MASK
        assert listing["var_positional"]["type"] == "list of whole numbers"
        assert listing["var_keyword"] is None


class TestArguments:
    def test_good_arguments_come_back_canonical_in_their_places(self) -> None:
        assert signature_of(clean_up).clean(["7"], {"days": 5.0}) == ([7], {"days": 5})

    def test_a_wrong_value_is_refused_with_an_example(self) -> None:
        errors = errors_of(clean_up, (), {"game_id": 1, "days": "many"})
        assert errors == {"kwargs.days": ["“many” is not a whole number. Give one such as 5."]}

    def test_a_missing_argument_is_required(self) -> None:
        assert errors_of(clean_up) == {"kwargs.game_id": ["This argument is required."]}

    def test_a_missing_positional_only_argument_is_asked_for_by_its_position(self) -> None:
        def function(a: int, /) -> None: ...

        assert errors_of(function) == {
            "args.0": ["This argument, “a”, is required, and can be given by its position only."]
        }

    def test_an_unknown_argument_is_refused_with_the_nearest_and_all_names(self) -> None:
        (message,) = errors_of(clean_up, (1,), {"dayz": 3})["kwargs.dayz"]
        assert message == (
            "The function has no argument “dayz”. Did you mean “days”? It takes: game_id, days, dry_run."
        )

    def test_too_many_positional_arguments_are_refused(self) -> None:
        (message,) = errors_of(clean_up, (1, 2, 3))["args"]
        assert message == (
            "The function takes at most 2 arguments by position, not 3. By position it takes: game_id, days."
        )

    def test_a_function_without_parameters_says_so(self) -> None:
        def function() -> None: ...

        assert errors_of(function, (1,)) == {"args": ["The function takes no arguments. Leave args empty: []."]}

    def test_an_argument_given_twice_is_refused(self) -> None:
        assert errors_of(clean_up, (1,), {"game_id": 1}) == {
            "kwargs.game_id": ["This argument is given twice, also as args.0. Remove one."]
        }

    def test_a_positional_only_argument_cannot_be_named(self) -> None:
        def function(a: int = 1, /) -> None: ...

        assert errors_of(function, (), {"a": 1}) == {
            "kwargs.a": ["This argument can be given by its position only. Move it to args."]
        }

    def test_a_positional_only_name_is_free_for_the_surplus(self) -> None:
        def function(a: int, /, **options: str) -> None: ...

        assert signature_of(function).clean([1], {"a": "x"}) == ([1], {"a": "x"})

    def test_surplus_arguments_are_checked_against_their_annotation(self) -> None:
        def function(*numbers: int, **words: str) -> None: ...

        assert signature_of(function).clean(["1", 2], {"x": "y"}) == ([1, 2], {"x": "y"})
        assert set(errors_of(function, (1, "x"), {"x": 1, "y": "y"})) == {"args.1", "kwargs.x"}

    @pytest.mark.parametrize("args", [None, "abc", {"a": 1}, 5])
    def test_args_must_be_a_list(self, args: Any) -> None:
        assert errors_of(clean_up, args, {})["args"] == ["args must be a list, such as [1, 2]. Use [] for none."]

    @pytest.mark.parametrize("kwargs", [[], "abc", 5, False])
    def test_kwargs_must_be_an_object(self, kwargs: Any) -> None:
        (message,) = errors_of(clean_up, (), kwargs)["kwargs"]
        assert message.startswith("kwargs must be an object")

    def test_every_fault_is_told_at_once(self) -> None:
        assert set(errors_of(clean_up, (), {"days": "x", "nights": 1})) == {
            "kwargs.days",
            "kwargs.nights",
            "kwargs.game_id",
        }

    def test_names_that_are_not_text_are_refused(self) -> None:
        assert list(errors_of(clean_up, (1,), {5: 1})) == ["kwargs"]

    def test_a_name_that_a_database_cannot_store_is_refused(self) -> None:
        def function(**options: Any) -> None: ...

        (message,) = errors_of(function, (), {"a\0": 1}).values()
        assert "NUL" in message[0]

    def test_the_input_is_left_alone_and_not_shared(self) -> None:
        given = {"value": {"a": [1]}}
        result = one(Any).clean([], given)[1]
        result["value"]["a"].append(2)
        assert given == {"value": {"a": [1]}}

    def test_what_a_function_does_to_its_arguments_does_not_reach_what_is_stored(self) -> None:
        stored = {"value": {"a": [1]}}
        one(Any).bind([], stored)[1]["value"]["a"].append(2)
        assert stored == {"value": {"a": [1]}}

    def test_binding_arguments_that_no_longer_fit_says_why(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            signature_of(clean_up).bind([], {"game": 7})
        assert set(caught.value.errors) == {"kwargs.game", "kwargs.game_id"}


class TestLimits:
    def test_arguments_over_64_kb_are_refused_with_their_size(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            one(Any).clean([], {"value": "é" * 33_000})
        ((path, (message,)),) = caught.value.errors.items()
        assert path == "kwargs"
        assert "64.5 KB" in message
        assert "more than the 64 KB" in message

    def test_arguments_just_below_64_kb_are_accepted(self) -> None:
        assert one(str).clean([], {"value": "x" * 65_000})

    def test_far_too_much_is_refused_before_it_is_copied(self) -> None:
        shared: list[Any] = [1]
        for _ in range(45):
            shared = [shared, shared]
        assert "64 KB" in refusal(Any, shared)

    def test_50_levels_are_accepted_and_51_are_not(self) -> None:
        def nested(levels: int) -> list[Any]:
            value: list[Any] = []
            for _ in range(levels - 1):
                value = [value]
            return value

        assert cleaned(Any, nested(50)) == nested(50)
        assert "50 levels" in refusal(Any, nested(51))
        assert "50 levels" in refusal(Any, nested(100_000))
        assert "50 levels" in refusal(list[int], nested(100_000))

    def test_an_object_that_holds_itself_is_refused(self) -> None:
        loop: list[Any] = []
        loop.append(loop)
        assert "50 levels" in refusal(Any, loop)
        loop.insert(0, date(2026, 1, 1))
        assert refusal(list[list[date]], loop)

    @pytest.mark.parametrize("hint", [Any, float, Decimal, int, dict, int | float])
    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_what_json_has_no_number_for_is_refused(self, hint: Any, value: float) -> None:
        assert "finite" in refusal(hint, value)

    @pytest.mark.parametrize("hint", [float, Decimal, int])
    @pytest.mark.parametrize("value", ["nan", "Infinity", "1_000", "٣", "", "0x10", "1 2"])
    def test_text_that_python_would_take_for_a_number_is_refused(self, hint: Any, value: str) -> None:
        assert "is not a" in refusal(hint, value)

    def test_whole_numbers_may_be_long_but_no_longer_than_python_reads_back(self) -> None:
        assert cleaned(int, 2**64) == 2**64
        assert cleaned(int, "-" + "9" * 4300) == -int("9" * 4300)
        assert "4,300" in refusal(int, "9" * 4301)
        assert "4,300" in refusal(int, 10**4300)
        assert "4,300" in refusal(Any, [10**4300])
        assert "4,300" in refusal(Decimal, "1e5000")

    @pytest.mark.parametrize("hint", [str, Any, list[str], Path, dict[str, Any]])
    def test_text_with_nul_or_half_a_character_is_refused(self, hint: Any) -> None:
        for text in ("a\0b", "a\ud800b"):
            value: Any = {list[str]: [text], dict[str, Any]: {text: 1}}.get(hint, text)
            assert "Remove it" in refusal(hint, value) or "surrogate" in refusal(hint, value)


class TestTypes:
    @pytest.mark.parametrize(
        ("hint", "value", "json", "python"),
        [
            (int, "5", 5, 5),
            (int, " -5 ", -5, -5),
            (float, 5, 5.0, 5.0),
            (float, "1e3", 1000.0, 1000.0),
            (Decimal, "9.90", "9.90", Decimal("9.90")),
            (Decimal, 0.1, "0.1", Decimal("0.1")),
            (Decimal, 7, "7", Decimal(7)),
            (bool, "yes", True, True),
            (bool, "0", False, False),
            (date, "2026-01-31", "2026-01-31", date(2026, 1, 31)),
            (time, "14:30", "14:30:00", time(14, 30)),
            (Decimal, "0e-9999", "0", Decimal(0)),
            (time, "14:30:00.25", "14:30:00.250000", time(14, 30, 0, 250_000)),
            (timedelta, "1h 30m", "PT1H30M", timedelta(minutes=90)),
            (timedelta, 90, "PT1M30S", timedelta(seconds=90)),
            (timedelta, 0.1, "PT0.1S", timedelta(milliseconds=100)),
            (timedelta, "-PT5M", "-PT5M", timedelta(minutes=-5)),
            (timedelta, "1 day, 2 hours", "P1DT2H", timedelta(days=1, hours=2)),
            (timedelta, "25:00:00.5", "P1DT1H0.5S", timedelta(hours=25, milliseconds=500)),
            (timedelta, "P2W", "P14D", timedelta(weeks=2)),
            (uuid.UUID, "{" + "AB" * 16 + "}", "abababab-abab-abab-abab-abababababab", uuid.UUID("ab" * 16)),
            (Path, "/tmp//x/", "/tmp/x", Path("/tmp/x")),
            (PureWindowsPath, "C:/x", "C:\\x", PureWindowsPath("C:/x")),
            (Colour, "red", "red", Colour.RED),
            (Colour, "RED", "red", Colour.RED),
            (Level, "10", 10, Level.HIGH),
            (Level, "LOW", 1, Level.LOW),
            (Opaque, "POINT", "POINT", Opaque.POINT),
            (Literal["a", 1], "1", 1, 1),
            (Literal[Colour.BLUE], "BLUE", "blue", Colour.BLUE),
            (Literal["a", None], None, None, None),
            (list[date], ["2026-01-31"], ["2026-01-31"], [date(2026, 1, 31)]),
            (set[int], [3, "1", 3], [1, 3], {1, 3}),
            (frozenset[str], ["b", "a"], ["a", "b"], frozenset({"a", "b"})),
            (tuple[int, ...], ["1"], [1], (1,)),
            (tuple[int, date], [1, "2026-01-31"], [1, "2026-01-31"], (1, date(2026, 1, 31))),
            (dict[int, date], {"05": "2026-01-31"}, {"5": "2026-01-31"}, {5: date(2026, 1, 31)}),
            (int | str, "5", "5", "5"),
            (int | str, 5, 5, 5),
            (date | str, "2026-01-31", "2026-01-31", date(2026, 1, 31)),
            (int | date, "5", 5, 5),
            (float | int, 5, 5, 5),
            (set[Decimal | int], [5], [5], {5}),
            (int | None, None, None, None),
        ],
    )
    def test_json_becomes_canonical_and_binds(self, hint: Any, value: Any, json: Any, python: Any) -> None:
        assert (cleaned(hint, value), type(cleaned(hint, value))) == (json, type(json))
        assert (bound(hint, value), type(bound(hint, value))) == (python, type(python))
        assert one(hint).to_json([], {"value": python}) == ([], {"value": json})

    @pytest.mark.parametrize(
        ("hint", "value", "message"),
        [
            (int, True, "“true” is not a whole number. Give one such as 5."),
            (int, 1.5, "“1.5” is not a whole number. Give one such as 5."),
            (int, None, "“null” is not a whole number. Give one such as 5."),
            (float, False, "“false” is not a number. Give one such as 1.5."),
            (float, 10**400, "The number is too large. Give one below 1.8e308."),
            (str, 5, "“5” is not text. Put it in double quotes."),
            (bool, 1, "“1” is not yes or no. Give true or false."),
            (date, "31/01/2026", "“31/01/2026” is not a date. Give one such as 2026-01-31."),
            (date, "2026-01-31T12:00", "“2026-01-31T12:00” is not a date. Give one such as 2026-01-31."),
            (timedelta, "P1Y", "“P1Y” is not a duration. Give one such as 1h 30m, PT1H30M or 90 (seconds)."),
            (timedelta, "5 ly", "“5 ly” is not a duration. Give one such as 1h 30m, PT1H30M or 90 (seconds)."),
            (timedelta, 1e300, "“1e+300” is too long. Give less than 999,999,999 days."),
            (uuid.UUID, "x", "“x” is not a UUID. Give one such as 6f9619ff-8b86-4011-b42d-00c04fc964ff."),
            (Colour, "rad", "“rad” is not one of the choices. Did you mean red?"),
            (Level, 5, "“5” is not one of the choices. Give one of: 1, 10."),
            (Literal[1], True, "“true” is not one of the choices. Give one of: 1."),
            (list[int], "5", "“5” is not a list. Give one such as [5]."),
            (list[int], [1, "x"], "Item 2: “x” is not a whole number. Give one such as 5."),
            (tuple[int, str], [1], '“[1]” is not a list of 2. Give one such as [5, "abc"].'),
            (set, [[1]], "A set holds no lists or objects. Give text, numbers, true or false."),
            (dict[str, int], [], '“[]” is not an object. Give one such as {"abc": 5}.'),
            (dict[str, int], {"a": "x"}, "Key “a”: “x” is not a whole number. Give one such as 5."),
            (dict[int, int], {"5": 1, "05": 2}, "Key “05”: It is given twice. Remove one."),
            (dict[Decimal, int], {"1.0": 1, "1.00": 2}, "Key “1.00”: It is given twice. Remove one."),
            (Path, "", "“” is not a file path. Give one such as /var/log/app.log."),
            (
                timedelta,
                10**4000,
                f"“1{'0' * 56}…” is too long. Give less than 999,999,999 days.",
            ),
            (int | date, "x", "“x” is not a whole number or a date."),
        ],
    )
    def test_what_does_not_fit_is_refused_with_the_fix(self, hint: Any, value: Any, message: str) -> None:
        assert refusal(hint, value) == message

    def test_a_long_value_is_cut_in_the_message(self) -> None:
        assert len(refusal(int, "x" * 10_000)) < 150

    def test_a_moment_without_an_offset_is_read_in_the_current_time_zone(self) -> None:
        with timezone.override("Australia/Sydney"):
            assert cleaned(datetime, "2026-01-31T12:00") == "2026-01-31T12:00:00+11:00"
            assert cleaned(datetime, "2026-07-31 12:00") == "2026-07-31T12:00:00+10:00"
        with timezone.override(UTC):
            assert bound(datetime, "2026-01-31T12:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)

    def test_a_moment_with_an_offset_keeps_it(self) -> None:
        assert cleaned(datetime, "2026-01-31T12:00:00Z") == "2026-01-31T12:00:00+00:00"
        assert cleaned(datetime, "2026-01-31T12:00:00-05:00") == "2026-01-31T12:00:00-05:00"

    def test_on_dst_days_the_missing_hour_is_refused_and_the_repeated_one_means_its_first_pass(self) -> None:
        with timezone.override("Australia/Sydney"):
            message = refusal(datetime, "2026-10-04T02:30")
            assert "does not exist in Australia/Sydney" in message
            assert cleaned(datetime, "2026-04-05T02:30") == "2026-04-05T02:30:00+11:00"

    def test_the_ends_of_the_calendar_are_moments_too(self) -> None:
        with timezone.override("Australia/Sydney"):
            for text in ("0001-01-01T00:00:00", "9999-12-31T23:59:59"):
                assert one(datetime).bind(*one(datetime).clean([], {"value": text}))

    def test_an_enum_whose_values_are_the_others_names_goes_by_value(self) -> None:
        class Swapped(Enum):
            A = "B"
            B = "A"

        assert bound(Swapped, "A") is Swapped.B

    def test_a_flag_and_an_empty_enum_do_not_fail(self) -> None:
        class Empty(Enum):
            pass

        assert one(Empty).parameters[0].type_label == "JSON"


class TestPythonValues:
    def test_values_as_a_caller_passes_them_become_json(self) -> None:
        def function(day: date, colours: set[Colour], each: timedelta, *paths: Path) -> None: ...

        assert signature_of(function).to_json(
            (date(2026, 1, 31), {Colour.RED, Colour.BLUE}, timedelta(hours=2), Path("/tmp/x")), {}
        ) == (["2026-01-31", ["blue", "red"], "PT2H", "/tmp/x"], {})

    def test_a_naive_moment_gets_the_offset_of_the_current_time_zone(self) -> None:
        with timezone.override("Australia/Sydney"):
            json = one(datetime).to_json([datetime(2026, 1, 31, 12)], {})
        assert json == (["2026-01-31T12:00:00+11:00"], {})

    def test_a_value_that_would_lose_its_type_is_refused_with_the_fix(self) -> None:
        assert refusal(Any, date(2026, 1, 31)) == (
            "A value of the type date cannot be stored as JSON without losing its type. "
            "Annotate the function's parameter with date, or pass text or a number."
        )
        assert "type bytes" in refusal(Any, [b"x"])
        assert "type object" in refusal(int, object())

    def test_members_of_enumerations_that_are_text_or_numbers_are_their_values(self) -> None:
        assert (cleaned(Any, Level.HIGH), type(cleaned(Any, Level.HIGH))) == (10, int)

    def test_dates_that_yaml_already_made_are_accepted(self) -> None:
        assert cleaned(date, date(2026, 1, 31)) == "2026-01-31"
        assert cleaned(dict[str, date], {"a": date(2026, 1, 31)}) == {"a": "2026-01-31"}

    def test_json_where_a_python_value_is_expected_is_accepted(self) -> None:
        assert one(date).to_json(["2026-01-31"], {}) == (["2026-01-31"], {})


class TestSecrets:
    @pytest.mark.parametrize(
        "name",
        [
            "password",
            "db_password",
            "token",
            "apiKey",
            "api_key",
            "client_secret",
            "API_TOKEN",
            "password1",
            "secret_x",
        ],
    )
    def test_names_that_look_secret_are(self, name: str) -> None:
        assert signature_of(with_parameter(name, str)).parameters[0].is_secret

    @pytest.mark.parametrize(
        ("name", "hint"),
        [
            ("max_tokens", int),
            ("password_file", str),
            ("reset_password", bool),
            ("token_expires", datetime),
            ("key", str),
            ("tokenize", str),
            ("days", int),
        ],
    )
    def test_other_names_are_not(self, name: str, hint: Any) -> None:
        assert not signature_of(with_parameter(name, hint)).parameters[0].is_secret

    def test_masking_hides_secrets_wherever_they_are(self) -> None:
        def function(url: str, token: str, data: Any = None, **options: Any) -> None: ...

        stored = ["u", "t0p"], {"data": [{"password": "x", "user": "y"}], "api_key": {"deep": 1}, "page": 2}
        assert signature_of(function).masked(*stored) == (
            ["u", MASK],
            {"data": [{"password": MASK, "user": "y"}], "api_key": MASK, "page": 2},
        )
        assert stored[0][1] == "t0p"

    def test_a_secret_that_is_not_set_is_seen_to_be_not_set(self) -> None:
        assert one_named("token", str | None).masked([], {"token": None}) == ([], {"token": None})

    @pytest.mark.parametrize("stored", [(None, None), ("x", 5), ([1, 2, 3], {"a": 1})])
    def test_masking_never_fails(self, stored: tuple[Any, Any]) -> None:
        assert one_named("token", str).masked(*stored)

    def test_a_mask_sent_back_keeps_what_is_stored(self) -> None:
        signature = one_named("token", str)
        assert signature.unmasked([], {"token": MASK}, ["t0p"], {}) == ([], {"token": "t0p"})
        assert signature.unmasked([], {"token": "new"}, ["t0p"], {}) == ([], {"token": "new"})

    @pytest.mark.parametrize("hint", [str, int, Any])
    def test_a_mask_with_nothing_behind_it_is_refused(self, hint: Any) -> None:
        signature = one_named("token", hint)
        with pytest.raises(InvalidInput, match="Give the secret itself"):
            signature.clean(*signature.unmasked([], {"token": MASK}, [], {}))

    def test_a_mask_is_only_text_where_no_secret_belongs(self) -> None:
        assert cleaned(str, MASK) == MASK


def with_parameter(name: str, hint: Any) -> Callable[..., Any]:
    space: dict[str, Any] = {}
    exec(f"def function({name}): ...", space)
    function: Callable[..., Any] = space["function"]
    function.__annotations__ = {name: hint}
    return function


def one_named(name: str, hint: Any) -> FunctionSignature:
    return signature_of(with_parameter(name, hint))


class TestKeywordStyle:
    def test_positional_arguments_move_to_their_names(self) -> None:
        assert signature_of(clean_up).keyword_style([7], {"days": 3}) == ([], {"game_id": 7, "days": 3})

    def test_positional_only_arguments_stay(self) -> None:
        def function(a: int, /, b: int) -> None: ...

        assert signature_of(function).keyword_style([1, 2], {}) == ([1], {"b": 2})

    def test_surplus_arguments_hold_those_before_them_in_place(self) -> None:
        def function(a: int, b: int = 2, *rest: int, c: int = 3) -> None: ...

        assert signature_of(function).keyword_style([1, 2, 5], {"c": 4}) == ([1, 2, 5], {"c": 4})

    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("kwargs.days", "days"),
            ("args.0", "game_id"),
            ("args.1", "days"),
            ("args.7", None),
            ("kwargs.other", None),
            ("kwargs", None),
            ("trigger.hour", None),
        ],
    )
    def test_an_errors_path_leads_to_its_form_field(self, path: str, field: str | None) -> None:
        assert signature_of(clean_up).field_name(path) == field
