"""Blackout windows, and what keeps the ticks of one job from running: pure arithmetic, nothing is read or written.

A window's bounds are walls of its zone, read as cron(8) reads a fixed time: where clocks skip one, the gap's end is
meant, where they repeat one, its first time. A window holds its first moment, and not its last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo

from app_scheduler.engine.gaps import span, with_cause
from app_scheduler.models import BlackoutWindow
from app_scheduler.triggers import Schedule
from app_scheduler.triggers.walls import instant_of

MICROSECOND = timedelta(microseconds=1)
#: The last year in which a yearly window begins: beyond it no zone has any times.
LAST_YEAR = 9997
#: How many times of windows a look for a free tick goes through: a yearly tick in a yearly window has none for ever.
JUMPS = 100


@dataclass(frozen=True, slots=True)
class Window:
    """A blackout window. ``begins`` and ``ends`` are walls of ``zone``; without ``tags`` it is for all jobs."""

    name: str
    begins: datetime
    ends: datetime
    zone: ZoneInfo
    yearly: bool = False
    last_year: int | None = None
    tags: frozenset[str] = frozenset()
    reason: str = ""
    set_by: str = ""
    id: int = 0

    def is_for(self, tags: Iterable[str]) -> bool:
        return not self.tags or not self.tags.isdisjoint(tags)

    def times_between(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield, in their order and in UTC, the times [begin, end) at which it is on that touch [since, until]."""
        first, last = self.begins.year, self.begins.year
        if self.yearly:
            # It lasts less than a year, so that of the year before may still be on.
            first = max(first, since.astimezone(self.zone).year - 2)
            last = min(self.last_year or LAST_YEAR, until.astimezone(self.zone).year + 1)
        for year in range(first, last + 1):
            begin, end = _time_of(self, year)
            if begin < end and begin <= until and since < end:
                yield begin, end

    def over_at(self) -> datetime | None:
        """Return when it is over for good, or None for one that comes back for ever."""
        if not self.yearly:
            return _time_of(self, self.begins.year)[1]
        return None if self.last_year is None else _time_of(self, self.last_year)[1]


@lru_cache(maxsize=4096)
def _time_of(window: Window, year: int) -> tuple[datetime, datetime]:
    """Return when the window that begins in ``year`` begins and ends; the same moment where clocks skip all of it."""
    later = year - window.begins.year
    begin, end = (instant_of(_in_year(wall, wall.year + later), window.zone) for wall in (window.begins, window.ends))
    return begin, end


def _in_year(wall: datetime, year: int) -> datetime:
    """Return the same wall in another year; all of a 29 February that is not there is the midnight after the 28th."""
    try:
        return wall.replace(year=year)
    except ValueError:
        return datetime(year, 3, 1)


def window_of(row: BlackoutWindow) -> Window:
    """Return a stored window, with ``set_by`` at hand."""
    return Window(
        row.name,
        datetime.fromisoformat(row.begins),
        datetime.fromisoformat(row.ends),
        ZoneInfo(row.timezone),
        row.yearly,
        row.last_year,
        frozenset(row.tags),
        row.reason,
        str(row.set_by or ""),
        row.pk or 0,
    )


# --- the exceptions of one job ------------------------------------------------------------------------------------


class Kind(Enum):
    """What keeps a tick from running."""

    SKIP = "skip"
    BLACKOUT = "blackout"
    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that keeps the ticks t with since <= t < until from running; both in UTC. ``name`` is a window's."""

    kind: Kind
    since: datetime
    until: datetime
    name: str = ""
    by: str = ""
    reason: str = ""
    window_id: int = 0

    @property
    def single(self) -> str:
        """The reason of one tick, for the ledger."""
        if self.kind is Kind.SKIP:
            # It stands behind the verdict, which says already that the tick was skipped.
            return with_cause(f"Asked for by {self.by}" if self.by else "Asked for beforehand", self.reason) + "."
        return f"It {self.ending}"

    @property
    def ending(self) -> str:
        """How the reason of any number of ticks of a blackout ends."""
        who = f", set by {self.by}" if self.by else ""
        return (
            with_cause(f"fell into the blackout “{self.name}” {span(self.since, self.until)}{who}", self.reason) + "."
        )


@dataclass(frozen=True, slots=True)
class OpenRow:
    """A row of the ledger for swallowed ticks, to which the ticks that follow it may be added."""

    execution_id: int
    run_time: datetime
    first_tick: datetime
    tick_count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """Ticks one after the other with the same fate, kept from running by ``cause`` or not: up to ``last``.

    Then comes ``following``.
    """

    cause: Cause | None
    last: datetime
    following: datetime | None


@dataclass(frozen=True, slots=True)
class Exceptions:
    """What keeps ticks of a job from running; where causes overlap, the first of them is the one that counts."""

    causes: tuple[Cause, ...] = ()
    open_row: OpenRow | None = None

    def at(self, tick: datetime) -> Cause | None:
        return next((cause for cause in self.causes if cause.since <= tick < cause.until), None)

    def stretch(self, schedule: Schedule, tick: datetime, now: datetime) -> Stretch:
        """Return the ticks from ``tick`` to ``now`` that have the same fate as ``tick``."""
        cause = self.at(tick)
        last = tick
        while True:
            # Between two bounds nothing changes.
            bound = self._bound_after(last)
            end = now if bound is None else min(now, bound - MICROSECOND)
            last = schedule.last_before(end, last) or last
            following = schedule.next_after(last)
            if following is None or following > now or self.at(following) != cause:
                return Stretch(cause, last, following)
            last = following

    def newest_free(self, schedule: Schedule, now: datetime, after: datetime) -> datetime | None:
        """Return the latest tick t with after < t <= now that nothing keeps from running, or None."""
        end = now
        while True:
            tick = schedule.last_before(end, after)
            cause = None if tick is None else self.at(tick)
            if cause is None:
                return tick
            end = cause.since - MICROSECOND

    def _bound_after(self, moment: datetime) -> datetime | None:
        bounds = (bound for cause in self.causes for bound in (cause.since, cause.until))
        return min((bound for bound in bounds if bound > moment), default=None)


#: As nearly every job has nearly always.
NO_EXCEPTIONS = Exceptions()


def causes_between(windows: Iterable[Window], since: datetime, until: datetime) -> list[tuple[Cause, Window]]:
    """Return when these windows are on within [since, until], each with its window: the earliest first."""
    found = [
        (Cause(Kind.BLACKOUT, begin, end, window.name, window.set_by, window.reason, window.id), window)
        for window in windows
        for begin, end in window.times_between(since, until)
    ]
    return sorted(found, key=lambda pair: (pair[0].since, pair[0].window_id))


def exceptions_of(
    found: Sequence[tuple[Cause, Window]],
    tags: Collection[str],
    *,
    skip: Cause | None = None,
    open_row: OpenRow | None = None,
) -> Exceptions:
    """Return the exceptions of a job with these tags. What somebody asked for one tick comes before a window."""
    causes = [cause for cause, window in found if window.is_for(tags)]
    if skip is not None:
        causes.insert(0, skip)
    return Exceptions(tuple(causes), open_row) if causes else NO_EXCEPTIONS


def cause_at(windows: Iterable[Window], moment: datetime) -> Cause | None:
    """Return what is on at a moment, the first of several, or None."""
    found = causes_between(windows, moment, moment)
    return found[0][0] if found else None


def next_free(schedule: Schedule, tick: datetime, windows: Sequence[Window]) -> datetime | None:
    """Return the first tick from ``tick`` on that falls into none of these windows.

    None where the schedule ends before, or where ``JUMPS`` windows one after the other leave no tick.
    """
    following: datetime | None = tick
    for _ in range(JUMPS):
        cause = None if following is None else cause_at(windows, following)
        if cause is None:
            return following
        following = schedule.next_after(cause.until - MICROSECOND)
    return None


def skip_of(tick: datetime, by: str, reason: str) -> Cause:
    """Return what keeps one tick from running, as somebody asked."""
    tick = tick.astimezone(UTC)
    return Cause(Kind.SKIP, tick, tick + MICROSECOND, by=by, reason=reason)
