"""The calendar: what is due on a day, in a week or in a month, where it collides, and what is held back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import reverse
from django.utils import dateformat, formats, timezone
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.base import JobAdminBase
from app_scheduler.admin.calendar_cells import (
    Block,
    DayCard,
    Line,
    Named,
    Slot,
    count_words,
    legend,
    levels_of,
    number,
    slot_of,
    times_words,
)
from app_scheduler.admin.calendar_query import FREQUENT_JOBS, VIEWS, Asked, asked_of
from app_scheduler.admin.columns import Pill, offset_words, span_words, state_pill
from app_scheduler.admin.live import live_bar
from app_scheduler.models import JobSpec, JobState
from app_scheduler.services import Calendar
from app_scheduler.services.calendar import (
    FIRST_YEAR,
    FREQUENT,
    LAST_YEAR,
    Cell,
    Entry,
    Held,
    busy,
    entries,
    rarest,
    spread,
)
from app_scheduler.services.gaps import MOVED
from app_scheduler.services.load import Day, Hour, Period, free_spans, period_of

#: Jobs that an hour of the day's page shows, that a page of one hour shows, and that a day of a week or month names.
PER_HOUR, PER_PAGE, PER_DAY = 10, 100, {"week": 4, "month": 3}
#: Jobs that are due all day long, and jobs that are held back, shown before the link to all of them.
MOST_FREQUENT, MOST_HELD = 10, 10
#: A time free of jobs is worth naming from half an hour on, and the longest three of them.
LEAST_FREE, MOST_FREE = 30, 3
MINUTE = timedelta(minutes=1)
#: A Sunday, to name the days of the week from.
SUNDAY = date(2026, 11, 22)
EXECUTIONS = "admin:django_apscheduler_djangojobexecution_changelist"


class JobCalendar(JobAdminBase):
    """The calendar's page."""

    def get_urls(self) -> list[Any]:
        return [*self.urls_of([("calendar/", self.calendar_view, "calendar")]), *super().get_urls()]

    def calendar_view(self, request: HttpRequest) -> HttpResponse:
        """Show what is due in the period that the address asks for. It changes nothing and stores nothing."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        self.require(self.has_view_or_change_permission(request))
        zone, now = timezone.get_current_timezone(), timezone.now()
        asked = asked_of(request.GET, now.astimezone(zone).date())
        period = period_of(zone, asked.first, asked.days)
        calendar = services.due_in(period.window, self._asked_jobs(request, asked), now=now)
        view = View(asked, period, calendar, now, links=self.has_view_executions_permission(request))
        return self.page(
            request,
            "calendar.html",
            _("Calendar"),
            view=view,
            asked=asked,
            live=live_bar(request),
            functions=JobSpec.objects.order_by("function").values_list("function", flat=True).distinct(),
            tags=JobSpec.objects.tag_names(),
            states=[(state.value, state.label) for state in JobState if state != JobState.FINISHED],
            views=[
                (name, label, asked.address(view=name, date=asked.day.isoformat())) for name, label in VIEWS.items()
            ],
            today=asked.address(date=view.today.isoformat()),
            bounds=(f"{FIRST_YEAR}-01-01", f"{LAST_YEAR}-12-31"),
            legend=legend(view.levels),
            **view.content(),
        )

    def calendar_url(self, job: Any) -> str:
        """Return the calendar's day of a job's next tick, today where it has none, with that job alone."""
        moment = job.next_run_time or timezone.now()
        asked = urlencode({"date": timezone.localdate(moment).isoformat(), "q": job.pk})
        return f"{reverse('admin:django_apscheduler_djangojob_calendar')}?{asked}"

    def _asked_jobs(self, request: HttpRequest, asked: Asked) -> QuerySet[Any]:
        jobs: Any = JobSpec.objects.all()
        if asked.function:
            jobs = jobs.filter(function=asked.function)
        if asked.tag:
            jobs = jobs.with_tag(asked.tag)
        if asked.state:
            jobs = jobs.filter(state=asked.state)
        if asked.search:
            # As the list of jobs searches.
            found, _has_duplicates = self.get_search_results(request, self.get_queryset(request), asked.search)
            jobs = jobs.filter(job__in=found.order_by().values("pk"))
        return cast("QuerySet[Any]", jobs)


class View:
    """What the page shows of a calendar, in words. ``links`` says whether it may lead to executions."""

    def __init__(self, asked: Asked, period: Period, calendar: Calendar, now: datetime, *, links: bool) -> None:
        self.asked, self.period, self.calendar, self.now, self.links = asked, period, calendar, now, links
        self.window = period.window
        self.today = now.astimezone(period.zone).date()
        self.masks = [day.minutes for day in period.days]
        self.often, self.others = calendar.apart(self.masks)
        (self.total,) = calendar.cells([self.window.full])
        self.levels = levels_of(self.total.most)
        self._named: dict[str, Named] = {}

    # --- what all views share -----------------------------------------------------------------------------------------

    @property
    def heading(self) -> str:
        first, last = self.period.days[0].date, self.period.days[-1].date
        if self.asked.view == "day":
            return capfirst(dateformat.format(first, gettext("l j F Y")))
        if self.asked.view == "month":
            return capfirst(dateformat.format(first, gettext("F Y")))
        return gettext("%(first)s to %(last)s") % {
            "first": dateformat.format(first, gettext("j F") if first.year == last.year else gettext("j F Y")),
            "last": dateformat.format(last, gettext("j F Y")),
        }

    @property
    def zone(self) -> str:
        """The zone's name, with what its clocks are called in the period."""
        name = str(self.period.zone)
        ends = [0, self.window.minutes - 1] if self.window.minutes else []
        shown = [
            each for each in dict.fromkeys(offset_words(self.period.at(minute)) for minute in ends) if each != name
        ]
        return f"{name} ({', '.join(shown)})" if shown else name

    @property
    def summary(self) -> str:
        if not self.total.jobs:
            return gettext("Nothing is due.")
        values = {"jobs": count_words(self.total.jobs), "times": times_words(self.total.ticks)}
        text = gettext("Due: %(jobs)s, %(times)s in all.") % values
        if self.total.most > 1 and self.total.busiest is not None:
            local = self.period.at(self.total.busiest)
            day = "" if len(self.period.days) == 1 else dateformat.format(local, gettext("D j M") + " ")
            values = {"jobs": count_words(self.total.most), "when": f"{day}{self._clock(local)}"}
            text += " " + gettext("Most at once: %(jobs)s at %(when)s.") % values
        return text

    @property
    def changes(self) -> list[str]:
        """What the clocks do in this period."""
        missing = gettext("%(day)s does not exist in this time zone.")
        forward = gettext("%(day)s: the clocks go forward from %(before)s to %(after)s.")
        back = gettext("%(day)s: the clocks go back from %(before)s to %(after)s.")
        said = [missing % {"day": _day(day.date)} for day in self.period.days if not day.minutes]
        for day in self.period.days:
            for shift in day.shifts:
                before, after = (dateformat.format(wall, "H:i") for wall in (shift.before, shift.after))
                text = forward if shift.before < shift.after else back
                said.append(text % {"day": _day(day.date), "before": before, "after": after})
        return said

    @property
    def executions_url(self) -> str:
        """The executions of what has passed of the period."""
        return self._executions(self.window.start, self.window.end)

    def _executions(self, since: datetime, until: datetime) -> str:
        if not self.links or since >= self.now:
            return ""
        zone = self.period.zone
        bounds = {"run_time__gte": since.astimezone(zone), "run_time__lt": until.astimezone(zone)}
        return f"{reverse(EXECUTIONS)}?{urlencode({name: moment.isoformat() for name, moment in bounds.items()})}"

    def _clock(self, local: datetime) -> str:
        """Return a time of day; with its zone's abbreviation on a day on which the clocks change."""
        text = dateformat.format(local, "H:i:s" if local.second else "H:i")
        changes = any(day.shifts for day in self.period.days if day.date == local.date())
        return f"{text} {offset_words(local)}" if changes else text

    def _at(self, minute: int | None) -> str:
        return "" if minute is None else self._clock(self.period.at(minute))

    def content(self) -> dict[str, Any]:
        """Return what the view shows below its head, with the jobs that it names read in one query."""
        if self.asked.view == "day":
            found = self._day() if self.asked.hour is None else self._listing()
        else:
            found = {"days": self._days(), "often": self._often()}
            found |= (self._week if self.asked.view == "week" else self._month)(found["days"])
        unreadable = [self._job(job_id) for job_id in self.calendar.unreadable[:MOST_HELD]]
        found |= {"held": self._held(), "unreadable": unreadable}
        specs = JobSpec.objects.filter(job_id__in=list(self._named)).only("name", "tags", "trigger")
        for spec in specs:
            self._named[spec.job_id].spec = spec
        return found

    # --- the day ------------------------------------------------------------------------------------------------------

    def _day(self) -> dict[str, Any]:
        (day,) = self.period.days
        slots = self._slots(day)
        past: list[Block] = []
        coming: list[Block] = []
        by_hour = spread(self.others, [hour.minutes for hour in day.hours], self.window)
        for hour, slot, due in zip(day.hours, slots, by_hour, strict=True):
            shown = entries(due, hour.minutes, self.window, 0, PER_HOUR)
            if shown:
                begin, end = self._bounds(hour.minutes)
                rest = sum(len(each.jobs) for each in due) - len(shown)
                more = gettext("%(jobs)s more") % {"jobs": count_words(rest)} if rest else ""
                block = Block(slot, [self._line(entry) for entry in shown], more, self._executions(begin, end))
                (past if end <= self.now else coming).append(block)
        return {"strip": slots, "free": self._free(day), "often": self._often(), "past": past, "coming": coming}

    def _bounds(self, minutes: int) -> tuple[datetime, datetime]:
        """Return when some minutes begin, and when they end."""
        return self.period.at((minutes & -minutes).bit_length() - 1), self.period.at(minutes.bit_length())

    def _slots(self, day: Day) -> list[Slot]:
        loads = self.calendar.cells([hour.minutes for hour in day.hours])
        return [self._slot(hour, load) for hour, load in zip(day.hours, loads, strict=True)]

    def _slot(self, hour: Hour, load: Cell) -> Slot:
        mark = ""
        if not hour.length:
            mark = gettext("does not exist: the clocks change")
        elif hour.length != 60:
            mark = gettext("%(minutes)d minutes long: the clocks change") % {"minutes": hour.length}
        passed = (self.now - self.window.start) // MINUTE
        return slot_of(
            f"{hour.hour:02}:00",
            self.asked.address(view="day", date=hour.day.isoformat(), hour=str(hour.hour)),
            load,
            self._at(load.busiest),
            self.levels,
            mark=mark,
            is_missing=not hour.length,
            is_chosen=self.asked.hour == hour.hour,
            is_now=0 <= passed < self.window.minutes and bool(hour.minutes >> passed & 1),
        )

    def _free(self, day: Day) -> list[str]:
        """Return the longest times in which no job starts but those that are due all day long."""
        if not self.others:
            return []
        # Of today, only what is still to come is of use.
        passed = min(self.window.minutes, max(0, (self.now - self.window.start) // MINUTE + 1))
        spans = free_spans(busy(self.others), day.minutes >> passed << passed, LEAST_FREE)[:MOST_FREE]
        text = gettext("%(start)s to %(end)s (%(length)s)")
        return [
            text % {"start": self._at(start), "end": self._at(start + length), "length": span_words(length * 60)}
            for start, length in sorted(spans)
        ]

    def _listing(self) -> dict[str, Any]:
        """Return all jobs of one hour, or all that are due all day long, in pages."""
        (day,) = self.period.days
        slots = self._slots(day)
        hour = day.hours[self.asked.hour] if isinstance(self.asked.hour, int) else None
        minutes = hour.minutes if hour else day.minutes
        bundles = self.calendar.bundles if hour else self.often
        total = sum(len(bundle.jobs) for bundle in bundles if bundle.minutes & minutes)
        pages = max(1, -(-total // PER_PAGE))
        page = min(self.asked.page, pages)
        shown = entries(bundles, minutes, self.window, (page - 1) * PER_PAGE, PER_PAGE)
        found: dict[str, list[Line]] = {}
        for entry in shown:
            # What is due in the same minute collides, and stands together.
            found.setdefault(self._at(entry.minute) if hour else "", []).append(self._line(entry))
        return {
            "strip": slots,
            "slot": slots[hour.hour] if hour else None,
            "listing": list(found.items()),
            "listing_total": count_words(total),
            "listing_past": self._executions(*self._bounds(minutes)) if minutes else "",
            "day_url": self.asked.address(hour=None),
            "before": self.asked.address(p=str(page - 1)) if page > 1 else "",
            "after": self.asked.address(p=str(page + 1)) if page < pages else "",
            "page_number": page,
            "pages": pages,
        }

    # --- the week and the month ---------------------------------------------------------------------------------------

    def _days(self) -> list[DayCard]:
        loads = self.calendar.loads(self.masks)
        shown = rarest(self.others, self.masks, PER_DAY[self.asked.view])
        cards = []
        for day, load, rare in zip(self.period.days, loads, shown, strict=True):
            slot = slot_of(
                dateformat.format(day.date, gettext("D j M") if self.asked.view == "week" else "j"),
                self.asked.address(view="day", date=day.date.isoformat()),
                load,
                self._at(load.busiest),
                self.levels,
                mark=gettext("the clocks change") if day.shifts else "",
                is_missing=not day.minutes,
                is_now=day.date == self.today,
            )
            jobs = [(self._at(minute), self._job(job_id)) for minute, job_id in rare]
            cards.append(DayCard(slot, _day(day.date), jobs, load.jobs - len(rare)))
        return cards

    def _week(self, days: list[DayCard]) -> dict[str, Any]:
        loads = iter(self.calendar.cells([hour.minutes for hour in self.period.hours]))
        rows = [[self._slot(hour, next(loads)) for hour in day.hours] for day in self.period.days]
        return {"hours": [f"{hour:02}" for hour in range(24)], "rows": list(zip(days, rows, strict=True))}

    def _month(self, days: list[DayCard]) -> dict[str, Any]:
        first_weekday = int(formats.get_format("FIRST_DAY_OF_WEEK"))
        blanks = (self.period.days[0].date.isoweekday() - first_weekday) % 7
        cells: list[DayCard | None] = [*[None] * blanks, *days]
        cells += [None] * (-len(cells) % 7)
        names = [dateformat.format(SUNDAY + timedelta(days=first_weekday + each), "D") for each in range(7)]
        return {"weekdays": names, "weeks": [cells[start : start + 7] for start in range(0, len(cells), 7)]}

    # --- jobs ---------------------------------------------------------------------------------------------------------

    def _often(self) -> dict[str, Any] | None:
        """Return the densest of the jobs that are due all day long: each is one line with a number."""
        if not self.often:
            return None
        pairs = [(job.job_id, each) for each in self.often[:MOST_FREQUENT] for job in each.jobs[:MOST_FREQUENT]]
        lines = [
            Line(self._job(job_id), "", "", times_words(each.ticks(self.window.full)))
            for job_id, each in pairs[:MOST_FREQUENT]
        ]
        total = sum(len(each.jobs) for each in self.often)
        is_day = self.asked.view == "day"
        return {
            "total": count_words(total),
            "least": FREQUENT,
            "lines": lines,
            "more": count_words(total - len(lines)) if total > len(lines) else "",
            "url": self.asked.address(hour=FREQUENT_JOBS) if is_day else "",
        }

    def _held(self) -> list[dict[str, Any]]:
        """Return the jobs whose ticks here are not due, by what holds them back."""
        by_cause: dict[str, list[Held]] = {}
        for each in self.calendar.held:
            by_cause.setdefault(each.cause, []).append(each)
        return [
            {
                "pill": _pill(cause),
                "total": count_words(len(found)),
                "jobs": [(self._job(each.job_id), times_words(each.ticks)) for each in found[:MOST_HELD]],
                "more": count_words(len(found) - MOST_HELD) if len(found) > MOST_HELD else "",
                "url": self._list_url(cause) if cause in JobState.values else "",
            }
            for cause, found in by_cause.items()
        ]

    def _list_url(self, state: str) -> str:
        given = {**self.asked.filters, "state": state}
        return f"{reverse('admin:django_apscheduler_djangojob_changelist')}?{urlencode(given)}"

    def _job(self, job_id: str) -> Named:
        return self._named.setdefault(job_id, Named(job_id))

    def _line(self, entry: Entry) -> Line:
        times = ", ".join(self._clock(tick.astimezone(self.period.zone)) for tick in entry.first)
        rest = entry.ticks - len(entry.first)
        more = gettext("and %(count)s more") % {"count": number(rest)} if rest > 0 else ""
        return Line(self._job(entry.job_id), times, more, times_words(entry.ticks))


def _pill(cause: str) -> Any:
    """Return what says why ticks are not due: a state of the job, or the words for it."""
    if cause == MOVED:
        return state_pill(cause, label=gettext("Next run moved"))
    # What is no state of a job keeps ticks from running: a skip, or a window by its name.
    return state_pill(cause) if cause in JobState.values else Pill("skipped", cause)


def _day(day: date) -> str:
    return capfirst(dateformat.format(day, gettext("l j F")))
