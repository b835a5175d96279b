"""Which ticks will not run, and why: what pages and clients say before the engine does it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.translation import gettext

from app_scheduler import triggers
from app_scheduler.engine.blackouts import windows_since
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.skipping import skip_to_come
from app_scheduler.engine.windows import (
    Cause,
    Exceptions,
    Kind,
    Window,
    cause_at,
    causes_between,
    exceptions_of,
    next_free,
    skip_of,
)
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec, JobState
from app_scheduler.quoting import in_quotes


@dataclass(frozen=True, slots=True)
class ExceptedTick:
    """A tick, and what keeps it from running, or None where it will run."""

    tick: datetime
    cause: Cause | None

    @property
    def words(self) -> str:
        """Why it will not run, for people: “blackout “Easter series””, “skipped by anna”, “paused by anna”, or ""."""
        return "" if self.cause is None else cause_in_words(self.cause)


@dataclass(frozen=True, slots=True)
class NextRun:
    """When a job runs next by its schedule, in its zone, and what swallows the tick that comes before that.

    ``tick`` is the tick that it waits for; ``runs`` the first that will run, None where none will; ``cause`` is what
    keeps ``tick`` from running, None where the two are the same.
    """

    tick: datetime
    runs: datetime | None
    cause: Cause | None


class ScheduleExceptions:
    """The blackout windows as they are now, read once and then asked of any number of jobs."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self.windows = windows

    @classmethod
    def now(cls, since: datetime | None = None) -> ScheduleExceptions:
        """Read the windows that are not over at ``since`` (default: now), in one query."""
        return cls(windows_since(since or utc_now()))

    def between(self, since: datetime, until: datetime) -> ExceptionsBetween:
        """Return what is on in [since, until], for looks at many ticks of many jobs."""
        return ExceptionsBetween(causes_between(self.windows, since, until))

    def excepted(
        self, ticks: Iterable[datetime], spec: JobSpec | None = None, tags: Collection[str] | None = None
    ) -> list[ExceptedTick]:
        """Return these ticks of a job, or of a job to come with these tags, each with what keeps it from running."""
        words = tags if tags is not None else spec.words if spec is not None else ()
        windows = self._windows_of(words)
        skip, pause = (None, None) if spec is None else (_skip(spec), _pause(spec))
        return [ExceptedTick(tick, _cause(tick, windows, skip, pause)) for tick in ticks]

    def next_run(self, spec: JobSpec) -> NextRun | None:
        """Return when a scheduled job runs next; None for one that waits for no tick or cannot be worked out."""
        tick = spec.job.next_run_time
        if tick is None or spec.state != JobState.SCHEDULED:
            return None
        try:
            schedule = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
        except InvalidInput:
            return None
        tick = tick.astimezone(schedule.timezone)
        windows, skip = self._windows_of(spec.words), _skip(spec)
        cause = _cause(tick, windows, skip, None)
        if cause is None:
            return NextRun(tick, tick, None)
        runs = next_free(schedule, tick, windows)
        if runs is not None and skip is not None and skip.since <= runs < skip.until:
            following = schedule.next_after(runs)
            runs = None if following is None else next_free(schedule, following, windows)
        return NextRun(tick, runs, cause)

    def on_at(self, moment: datetime) -> list[tuple[Cause, Window]]:
        """Return the windows that are on at a moment, for whatever jobs: the earliest first."""
        return causes_between(self.windows, moment, moment)

    def _windows_of(self, tags: Collection[str]) -> list[Window]:
        return [window for window in self.windows if window.is_for(tags)]


@dataclass(frozen=True, slots=True)
class ExceptionsBetween:
    """What is on in a span of time: ``of(spec).at(tick)`` is the cause that swallows a tick of it, or None."""

    causes: list[tuple[Cause, Window]]

    def of(self, spec: JobSpec) -> Exceptions:
        return exceptions_of(self.causes, spec.words, skip=_skip(spec))

    def on_for(self, spec: JobSpec, moment: datetime) -> Cause | None:
        """Return the window in which a job is at a moment, or None."""
        return exceptions_of(self.causes, spec.words).at(moment)


def excepted(
    ticks: Iterable[datetime], spec: JobSpec | None = None, tags: Collection[str] | None = None
) -> list[ExceptedTick]:
    """Return ticks, each with what keeps it from running: those of ``spec``, or of a job to come with ``tags``.

    One query. Ticks that a pause without an end holds back are the pause's; so are those before the end of one with it.
    """
    asked = list(ticks)
    if not asked:
        return []
    since = min(asked, key=lambda tick: tick.astimezone(UTC))
    return ScheduleExceptions.now(since).excepted(asked, spec, tags)


def blackout_warnings(ticks: Sequence[ExceptedTick], *, is_all: bool) -> list[str]:
    """Return what to know of ticks that will not run; ``is_all`` says that the schedule has no others."""
    swallowed = [each for each in ticks if each.cause is not None and each.cause.kind is Kind.BLACKOUT]
    if swallowed and is_all and len(swallowed) == len(ticks):
        names = ", ".join(dict.fromkeys(in_quotes(each.cause.name) for each in swallowed if each.cause))
        return [
            gettext("It never runs: each of its ticks falls into a blackout (%(names)s). Choose another time.")
            % {"names": names}
        ]
    return []


def cause_in_words(cause: Cause) -> str:
    """Return what keeps a tick from running, for people, without its reason."""
    if cause.kind is Kind.BLACKOUT:
        return gettext("blackout “%(name)s”") % {"name": cause.name}
    if cause.kind is Kind.SKIP:
        return gettext("skipped by %(who)s") % {"who": cause.by} if cause.by else gettext("skipped")
    return gettext("paused by %(who)s") % {"who": cause.by} if cause.by else gettext("paused")


def _skip(spec: JobSpec) -> Cause | None:
    tick = skip_to_come(spec, utc_now())
    return None if tick is None else skip_of(tick, str(spec.skip_by or ""), spec.skip_reason)


def _pause(spec: JobSpec) -> Cause | None:
    if spec.state != JobState.PAUSED:
        return None
    until = spec.paused_until or datetime.max.replace(tzinfo=UTC)
    since = spec.paused_at or spec.updated_at
    return Cause(Kind.PAUSE, since, until, by=str(spec.paused_by or ""), reason=spec.state_reason)


def _cause(tick: datetime, windows: Sequence[Window], skip: Cause | None, pause: Cause | None) -> Cause | None:
    first = next((each for each in (pause, skip) if each is not None and each.since <= tick < each.until), None)
    return first or cause_at(windows, tick)
