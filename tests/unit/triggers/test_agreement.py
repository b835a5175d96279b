"""What a sentence says is what fires: sentences are read back word by word and held against the ticks."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.test import override_settings
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from app_scheduler.triggers import describe, parse_expression, upcoming

from .deepness import examples

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [f"{date(2026, month, 1):%B}" for month in range(1, 13)]
PLACES = ["first", "second", "third", "fourth", "fifth"]


def sentence_of(document: dict[str, Any]) -> str:
    with translation.override("en"), override_settings(TIME_ZONE="UTC"):
        return describe(document)


def turn(first: str, last: str, names: list[str]) -> set[str]:
    """Return the names from one to another, round and round."""
    start, found = names.index(first), set()
    for number in range(len(names)):
        found.add(names[(start + number) % len(names)])
        if names[(start + number) % len(names)] == last:
            break
    return found


def names_in(phrase: str, names: list[str]) -> set[str]:
    through = re.search(r"(\w+) through (\w+)", phrase)
    if through and through[1] in names:
        return turn(through[1], through[2], names)
    return {name for name in names if name in phrase}


def day_numbers(phrase: str) -> set[int]:
    step = re.search(r"every (\d+) days from day (\d+) to day (\d+)", phrase)
    if step:
        return set(range(int(step[2]), int(step[3]) + 1, int(step[1])))
    found: set[int] = set()
    for first, last in re.findall(r"(\d+)(?: to (?:day )?(\d+))?", phrase):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def takes_day(phrase: str, day: date) -> bool:
    """Read one phrase about days as a person does."""
    if "of the month" in phrase:
        place = re.search(r"on the (\w+) (\w+) of", phrase)
        if "the last day" in phrase:
            return (day + timedelta(days=1)).month != day.month
        if place:
            last = (day + timedelta(days=7)).month != day.month
            nth = last if place[1] == "last" else PLACES.index(place[1]) == (day.day - 1) // 7
            return nth and WEEKDAYS[day.weekday()] == place[2]
        return day.day in day_numbers(phrase)
    return WEEKDAYS[day.weekday()] in names_in(phrase, WEEKDAYS)


def takes(sentence: str, day: date) -> bool:
    """Read all that a sentence says about days: alternatives begin with “or”, all else must hold."""
    phrases = sentence.removesuffix(" (both must match)").split(", ")[1:]
    # “days 1, 5 and 9” and “Monday, Tuesday and Friday” are one phrase.
    whole: list[str] = []
    for phrase in phrases:
        if whole and re.match(r"(\d|[A-Z]\w+(?! through)( and |$))", phrase):
            whole[-1] += f", {phrase}"
        else:
            whole.append(phrase)
    months = [phrase for phrase in whole if names_in(phrase, MONTHS)]
    days = [phrase for phrase in whole if phrase not in months]
    if any(MONTHS[day.month - 1] not in names_in(phrase, MONTHS) for phrase in months):
        return False
    if any(phrase.startswith("or ") for phrase in days):
        return any(takes_day(phrase, day) for phrase in days)
    return all(takes_day(phrase, day) for phrase in days)


def some(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.lists(st.integers(low, high), min_size=1, max_size=5, unique=True)
    return st.one_of(
        st.just("*"),
        numbers.map(lambda values: ",".join(map(str, sorted(values)))),
        st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True).map(lambda pair: f"{pair[0]}-{pair[1]}"),
    )


WEEKDAY_FIELDS = st.one_of(some(0, 7), st.sampled_from(["mon-fri", "fri-tue", "mon#1", "5L", "sat,sun", "2#3,fri"]))
DAY_FIELDS = st.one_of(some(1, 28), st.sampled_from(["L", "1,L", "*/2", "1-31/5", "10-20"]))


@examples(300)
@given(DAY_FIELDS, some(1, 12), WEEKDAY_FIELDS)
def test_each_day_that_a_sentence_names_is_a_day_that_fires(day: str, month: str, weekday: str) -> None:
    document = {"type": "cron", "expression": f"30 9 {day} {month} {weekday}", "timezone": "UTC"}
    sentence = sentence_of(document)
    assert sentence.startswith("At 09:30")
    ticks = upcoming(document, anchor=NOW, after=NOW, count=12)
    assert {tick.time() for tick in ticks} <= {time(9, 30)}
    fired = {tick.date() for tick in ticks}
    candidate, last = NOW.date(), max(fired, default=NOW.date() + timedelta(days=400))
    while candidate <= last:
        assert takes(sentence, candidate) == (candidate in fired), (sentence, candidate)
        candidate += timedelta(days=1)


@examples(100)
@given(
    st.lists(st.integers(0, 23), min_size=1, max_size=2, unique=True),
    st.lists(st.integers(0, 59), min_size=1, max_size=3, unique=True),
    st.sampled_from(["0", "15", "0,30"]),
    st.booleans(),
)
def test_each_time_that_a_sentence_names_is_a_time_that_fires(
    hours: list[int], minutes: list[int], second: str, as_line: bool
) -> None:
    hour, minute = (",".join(map(str, sorted(values))) for values in (hours, minutes))
    document: dict[str, Any] = {"type": "cron", "timezone": "UTC"}
    if as_line:
        document["expression"] = f"{second} {minute} {hour} * * *"
    else:
        document |= {"hour": hour, "minute": minute, "second": second}
    times = re.findall(r"\d\d:\d\d(?::\d\d)?", sentence_of(document))
    ticks = {tick.time() for tick in upcoming(document, anchor=NOW, after=NOW, count=40)}
    if len(ticks) <= 6:
        assert {time.fromisoformat(text) for text in times} == ticks


@examples(80)
@given(st.integers(0, 23), st.integers(0, 23), st.integers(1, 5), st.integers(0, 59))
def test_an_hourly_rhythm_begins_and_ends_as_its_sentence_says(first: int, last: int, step: int, minute: int) -> None:
    document = {"type": "cron", "expression": f"{minute} {first}-{last}/{step} * * *", "timezone": "UTC"}
    said = re.fullmatch(r"Every (?:(\d) hours|hour) from (\d\d:\d\d) to (\d\d:\d\d)", sentence_of(document))
    if said is None:
        return
    rhythm, moment = timedelta(hours=int(said[1] or 1)), NOW + timedelta(hours=int(said[2][:2]), minutes=minute)
    times = {moment.time()}
    while f"{moment:%H:%M}" != said[3]:
        moment += rhythm
        times.add(moment.time())
    ticks = upcoming(document, anchor=NOW, after=NOW - timedelta(microseconds=1), count=len(times) + 1)
    assert {tick.time() for tick in ticks} == times


@examples(60)
@given(
    st.datetimes(datetime(2026, 2, 1), datetime(2030, 1, 1)),
    st.sampled_from(["UTC", "Australia/Lord_Howe", "America/Santiago"]),
)
def test_a_date_and_its_weekday_are_those_of_its_tick(moment: datetime, zone: str) -> None:
    wall = moment.replace(microsecond=0)
    document = {"type": "date", "run_date": wall.isoformat(), "timezone": zone}
    (tick,) = upcoming(document, anchor=NOW, after=NOW, count=1)
    if tick.replace(tzinfo=None) == wall:  # Not in a gap, of which a warning tells.
        clock = f"{tick:%H:%M:%S}" if tick.second else f"{tick:%H:%M}"
        assert f"{tick:%a} {tick.day} {tick:%b %Y} at {clock}" in sentence_of(document)


def test_the_sentence_of_any_of_several_says_each() -> None:
    document = parse_expression("0 9 * * mon | 30 17 L * * | at 2027-01-01 12:00")
    said = sentence_of(document).lower()
    for child in document["triggers"]:
        assert sentence_of(child).lower() in said
    zone = ZoneInfo("UTC")
    assert [tick.astimezone(zone).strftime("%a %H:%M") for tick in upcoming(document, anchor=NOW, after=NOW, count=3)]
