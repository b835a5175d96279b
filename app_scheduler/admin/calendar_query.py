"""What the address of the calendar asks for. A part of it that makes no sense is named, and left out."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from django.utils import formats
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler.models import JobState
from app_scheduler.services.calendar import FIRST_YEAR, LAST_YEAR

VIEWS = {"day": _("Day"), "week": _("Week"), "month": _("Month")}
#: In place of an hour: the jobs that are due all day long.
FREQUENT_JOBS = "often"
MAX_SEARCH = 200
STATES = tuple(state.value for state in JobState if state != JobState.FINISHED)


@dataclass(frozen=True, slots=True)
class Asked:
    """A view of some days, what narrows it, and what was wrong with the address."""

    view: str
    day: date
    hour: int | str | None = None
    page: int = 1
    function: str = ""
    tag: str = ""
    state: str = ""
    search: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def first(self) -> date:
        """The first day of the period."""
        if self.view == "week":
            first_weekday = int(formats.get_format("FIRST_DAY_OF_WEEK"))
            return self.day - timedelta(days=(self.day.isoweekday() - first_weekday) % 7)
        return self.day.replace(day=1) if self.view == "month" else self.day

    @property
    def days(self) -> int:
        return {"day": 1, "week": 7, "month": monthrange(self.day.year, self.day.month)[1]}[self.view]

    @property
    def filters(self) -> dict[str, str]:
        given = {"function": self.function, "tag": self.tag, "state": self.state, "q": self.search}
        return {name: value for name, value in given.items() if value}

    def address(self, **changes: str | None) -> str:
        """Return the address of this page with ``changes``; another page of a list is asked for with ``p``."""
        hour = None if self.hour is None or "view" in changes or "date" in changes else str(self.hour)
        parts = {"view": self.view, "date": self.day.isoformat(), "hour": hour, **self.filters, **changes}
        return f"?{urlencode({name: value for name, value in parts.items() if value})}"

    @property
    def previous(self) -> str:
        """The address of the period before, or nothing where the years end."""
        return self._at(self.first - timedelta(days=1))

    @property
    def following(self) -> str:
        return self._at(self.first + timedelta(days=self.days))

    def _at(self, day: date) -> str:
        return self.address(date=day.isoformat()) if FIRST_YEAR <= day.year <= LAST_YEAR else ""


def asked_of(given: Mapping[str, str], today: date) -> Asked:
    """Read the address. Never raises: what cannot be read is a fault, and its default is taken."""
    faults: list[str] = []
    view = given.get("view") or "day"
    if view not in VIEWS:
        faults.append(gettext("There is no such view. Choose day, week or month."))
        view = "day"
    day = _date(given.get("date", "").strip(), today, faults)
    hour = _hour(given.get("hour", "").strip(), view, faults)
    state = given.get("state", "")
    if state and state not in STATES:
        faults.append(gettext("There is no such state. Choose one from the list."))
        state = ""
    page = given.get("p", "")
    number = int(page) if re.fullmatch(r"[0-9]{1,6}", page, re.ASCII) else 1
    texts = {name: given.get(name, "").replace("\x00", "").strip()[:MAX_SEARCH] for name in ("function", "tag", "q")}
    return Asked(
        view, day, hour, max(1, number), texts["function"], texts["tag"].lower(), state, texts["q"], faults=faults
    )


def _date(text: str, today: date, faults: list[str]) -> date:
    if not text:
        return today
    if re.fullmatch(r"\d{4}-\d{2}", text, re.ASCII):
        text += "-01"
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        faults.append(gettext("This is not a date. Write it as 2026-12-31. Today is shown instead."))
        return today
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        said = gettext("The calendar has the years %(first)d to %(last)d. Today is shown instead.")
        faults.append(said % {"first": FIRST_YEAR, "last": LAST_YEAR})
        return today
    return day


def _hour(text: str, view: str, faults: list[str]) -> int | str | None:
    if not text or view != "day":
        return None
    if text == FREQUENT_JOBS:
        return text
    if re.fullmatch(r"[0-9]{1,2}", text, re.ASCII) and int(text) < 24:
        return int(text)
    faults.append(gettext("There is no such hour. Use 0 to 23. The whole day is shown instead."))
    return None
