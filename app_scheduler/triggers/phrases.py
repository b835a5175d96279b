"""What each cron field says, in phrases of the active language; a sentence strings them together.

The phrases are our own where our catalogue has the language. Elsewhere they are cron-descriptor's, which knows many
more: of one field at a time, since its whole sentences are wrong for a list such as ``L,15`` and where both days are
restricted, and its weekday numbers begin with Sunday.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import cron_descriptor
from cron_descriptor import ExpressionDescriptor, Options
from django.utils import dates
from django.utils.translation import gettext, ngettext, to_locale

from .cronfields import runs
from .crontab import LAST

_LIST_LIMIT = 6
_ENGLISH_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ENGLISH_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class Phrases(Protocol):
    """Phrases to be joined by commas, none of which is empty. Weekdays count Monday as 0, as Python does."""

    def time(self, second: str, minute: str, hour: str) -> str:
        """Return the beginning of the sentence: the times of day that three fields make."""

    def days(self, numbers: Sequence[int]) -> str:
        """Say days of the month."""

    def last_day(self) -> str: ...

    def position(self, weekday: int, nth: int) -> str:
        """Say the nth such weekday of the month, or the LAST."""

    def weekdays(self, numbers: Sequence[int], *, alone: bool = True) -> str:
        """Say weekdays; if not ``alone``, other days will do as well."""

    def months(self, numbers: Sequence[int]) -> str: ...


def phrases_for(language: str) -> Phrases:
    """Return the phrases of a language, which must be the active one."""
    # A language that our catalogue lacks would get English words among its own.
    known = language.startswith("en") or gettext("At %(times)s") != "At %(times)s"
    return Own(language) if known else Foreign(language)


def listed(items: Iterable[object]) -> str:
    """Return “a, b and c”."""
    *head, last = [str(item) for item in items]
    return gettext("%(items)s and %(last)s") % {"items": ", ".join(head), "last": last} if head else last


def spans(numbers: Sequence[int]) -> str:
    """Return sorted numbers as a sentence lists them: “1 to 4, 8 and 9”."""
    found = []
    for item in runs(numbers).split(","):
        first, _, last = item.partition("-")
        found.append(gettext("%(first)s to %(last)s") % {"first": first, "last": last} if last else first)
    return listed(found)


def step_of(numbers: Sequence[int]) -> int:
    """Return the distance between the numbers of an even sequence of four or more, else 0."""
    steps = {later - earlier for earlier, later in pairwise(numbers)}
    return steps.pop() if len(numbers) > 3 and len(steps) == 1 else 0


def turn_of(numbers: Sequence[int], size: int) -> tuple[int, int] | None:
    """Return the first and the last of three or more that follow one another on a dial: 4, 5, 6, 0 give 4 and 0."""
    firsts = [number for number in numbers if (number - 1) % size not in {each % size for each in numbers}]
    if len(numbers) < 3 or len(firsts) != 1:
        return None
    return firsts[0], next(number for number in numbers if number % size == (firsts[0] + len(numbers) - 1) % size)


class Foreign:
    """cron-descriptor's phrases, and its language's nearest locale."""

    def __init__(self, language: str) -> None:
        self._options = Options(locale_code=_descriptor_locale(language), use_24hour_time_format=True)

    def _describer(self, *parts: str) -> ExpressionDescriptor:
        return ExpressionDescriptor(" ".join(parts), self._options)

    def time(self, second: str, minute: str, hour: str) -> str:
        fields = [_shortened(field) for field in (second, minute, hour)]
        return str(self._describer(*fields, "*", "*", "*").get_full_description())

    def days(self, numbers: Sequence[int]) -> str:
        return self._phrase(self._describer("0", "0", "0", runs(numbers), "*", "*").get_day_of_month_description())

    def last_day(self) -> str:
        return self._phrase(self._describer("0", "0", "0", "L", "*", "*").get_day_of_month_description())

    def position(self, weekday: int, nth: int) -> str:
        number = (weekday + 1) % 7
        return self._weekdays(f"{number}L" if nth == LAST else f"{number}#{nth}")

    def weekdays(self, numbers: Sequence[int], *, alone: bool = True) -> str:
        # Monday to Saturday are 1 to 6 on both sides; Sunday, 6 here and 0 there, goes last.
        text = runs([number for number in numbers if number < 6], lambda number: str(number + 1))
        return self._weekdays(",".join(filter(None, [text, "0" if 6 in numbers else ""])))

    def _weekdays(self, text: str) -> str:
        return self._phrase(self._describer("0", "0", "0", "*", "*", text).get_day_of_week_description())

    def months(self, numbers: Sequence[int]) -> str:
        return self._phrase(self._describer("0", "0", "0", "*", runs(numbers), "*").get_month_description())

    def _phrase(self, text: str) -> str:
        """Translate the names of weekdays and months, which cron-descriptor takes from the process's locale."""
        for number, name in enumerate(_ENGLISH_WEEKDAYS):
            text = text.replace(name, str(dates.WEEKDAYS[number]))
        for number, name in enumerate(_ENGLISH_MONTHS, 1):
            text = text.replace(name, str(dates.MONTHS[number]))
        return text.lstrip(" ,、，،")  # Each language sets its own comma before a phrase.


class Own(Foreign):
    """Our own phrases; of odd rhythms, such as minutes 5 and 35 of every third hour, cron-descriptor's."""

    def time(self, second: str, minute: str, hour: str) -> str:
        return _times(second, minute, hour) or _hourly(second, minute, hour) or super().time(second, minute, hour)

    def days(self, numbers: Sequence[int]) -> str:
        if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
            return gettext("from day %(first)d to day %(last)d of the month") % {
                "first": numbers[0],
                "last": numbers[-1],
            }
        step = step_of(numbers)
        if step:
            message = ngettext(
                "every %(step)d day from day %(first)d to day %(last)d of the month",
                "every %(step)d days from day %(first)d to day %(last)d of the month",
                step,
            )
            return message % {"step": step, "first": numbers[0], "last": numbers[-1]}
        if len(numbers) == 1:
            return gettext("on day %(day)d of the month") % {"day": numbers[0]}
        return gettext("on days %(days)s of the month") % {"days": spans(numbers)}

    def last_day(self) -> str:
        return gettext("on the last day of the month")

    def position(self, weekday: int, nth: int) -> str:
        phrases = {
            1: gettext("on the first %(weekday)s of the month"),
            2: gettext("on the second %(weekday)s of the month"),
            3: gettext("on the third %(weekday)s of the month"),
            4: gettext("on the fourth %(weekday)s of the month"),
            5: gettext("on the fifth %(weekday)s of the month"),
            LAST: gettext("on the last %(weekday)s of the month"),
        }
        return phrases[nth] % {"weekday": dates.WEEKDAYS[weekday]}

    def weekdays(self, numbers: Sequence[int], *, alone: bool = True) -> str:
        turn = turn_of(numbers, 7)
        if turn:
            return gettext("%(first)s through %(last)s") % {
                "first": dates.WEEKDAYS[turn[0]],
                "last": dates.WEEKDAYS[turn[1]],
            }
        message = gettext("only on %(weekdays)s") if alone else gettext("on %(weekdays)s")
        return message % {"weekdays": listed(dates.WEEKDAYS[number] for number in numbers)}

    def months(self, numbers: Sequence[int]) -> str:
        turn = turn_of(numbers, 12)
        if turn:
            return gettext("%(first)s through %(last)s") % {
                "first": dates.MONTHS[turn[0]],
                "last": dates.MONTHS[turn[1]],
            }
        return gettext("only in %(months)s") % {"months": listed(dates.MONTHS[number] for number in numbers)}


def _shortened(field: str) -> str:
    """Write a long list of numbers as the ranges that it is made of: nobody reads sixty numbers."""
    items = field.split(",")
    if len(items) <= _LIST_LIMIT or not all(item.isdigit() for item in items):
        return field
    return runs(sorted({int(item) for item in items}))


def _times(second: str, minute: str, hour: str) -> str:
    """Return “At 09:00 and 09:30” for the few times of day that plain lists of numbers make."""
    fields = [field.split(",") for field in (hour, minute, second)]
    if not all(item.isdigit() for field in fields for item in field):
        return ""
    hours, minutes, seconds = (sorted({int(item) for item in field}) for field in fields)
    if len(hours) * len(minutes) * len(seconds) > _LIST_LIMIT:
        return ""
    times = [_clock(h, m, s, bool(seconds != [0])) for h in hours for m in minutes for s in seconds]
    return gettext("At %(times)s") % {"times": listed(times)}


def _clock(hour: int, minute: int, second: int, with_second: bool) -> str:
    return f"{hour:02}:{minute:02}:{second:02}" if with_second else f"{hour:02}:{minute:02}"


def _hourly(second: str, minute: str, hour: str) -> str:
    """Return “Every 2 hours from 09:05 to 17:05” for one minute of a range of hours."""
    span, _, step_text = hour.partition("/")
    first_text, dash, last_text = span.partition("-")
    if not (dash and minute.isdigit() and second.isdigit() and first_text.isdigit() and last_text.isdigit()):
        return ""
    first, last, step = int(first_text), int(last_text), int(step_text or 1)
    # A range that wraps goes on after midnight.
    hours = range(first, last + (24 if last < first else 0) + 1, step)
    if len(hours) < 2:
        return ""
    first_time, last_time = (
        _clock(each % 24, int(minute), int(second), bool(int(second))) for each in (hours[0], hours[-1])
    )
    if step == 1:
        return gettext("Every hour from %(first)s to %(last)s") % {"first": first_time, "last": last_time}
    message = gettext("Every %(step)d hours from %(first)s to %(last)s")
    return message % {"step": step, "first": first_time, "last": last_time}


@lru_cache(maxsize=64)
def _descriptor_locale(language: str) -> str:
    """Return cron-descriptor's locale for a Django language: the same, one of the same language, or English."""
    folder = Path(cron_descriptor.__file__).parent / "locale"
    known = sorted(path.stem for path in folder.glob("*.mo"))
    wanted = to_locale(language)
    if wanted in known:
        return wanted
    if language.startswith("zh-hant"):
        return "zh_TW"
    base = wanted.partition("_")[0]
    if f"{base}_{base.upper()}" in known:
        return f"{base}_{base.upper()}"
    return next((name for name in known if name.partition("_")[0] == base), "en_US")
