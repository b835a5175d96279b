"""Why a job did not run at a moment, or that it did: one sentence from its record, its state or its schedule.

The causes are asked in a fixed order, from what is written down to what can only be worked out; the first that answers
is the answer. Each takes a query or two by index, however many executions are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import triggers
from app_scheduler.engine.gaps import with_cause
from app_scheduler.engine.lease import name_of, read_lease
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.windows import Kind
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, JobState, SchedulerLease, Status
from app_scheduler.services.audit import creation_of, trigger_change_after
from app_scheduler.services.excepted import excepted
from app_scheduler.services.jobs import get_job
from app_scheduler.triggers.walls import instant_of

MICROSECOND = timedelta(microseconds=1)
#: The longest piece of an exception's text that a sentence takes in.
MAX_EXCEPTION = 200
YEARS = (1900, 9998)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a job did or did not run at a moment.

    ``tick`` is the tick that was meant, aware and in the job's zone, or None where its schedule has none there or is
    not known. ``verdict`` is that of the execution, or None while it has none.
    """

    sentence: str
    tick: datetime | None = None
    execution_id: int | None = None
    verdict: str | None = None


def explain(job_id: str, moment: datetime) -> Explanation:
    """Answer “why did it not run at …?” in one sentence.

    A moment without seconds means its minute, any other its second. A naive one is meant in the job's zone; where
    clocks skip it, the end of the gap is meant. Raises ``JobNotFound``, and ``InvalidInput`` at ``at`` for a moment
    that no schedule reaches.
    """
    if not YEARS[0] <= moment.year <= YEARS[1]:
        raise InvalidInput({"at": f"Give a moment between the years {YEARS[0]} and {YEARS[1]}."})
    asked = _Asked(get_job(job_id), moment)
    return next(answer for cause in CAUSES if (answer := cause(asked)) is not None)


class _Asked:
    """What is asked: a job, and the span of time in which its tick is looked for, from ``since`` until ``until``."""

    def __init__(self, spec: JobSpec, moment: datetime) -> None:
        self.spec = spec
        self.now = utc_now()
        try:
            self.schedule: triggers.Schedule | None = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
        except InvalidInput:
            self.schedule = None
        self.zone = self.schedule.timezone if self.schedule else ZoneInfo(timezone.get_default_timezone_name())
        if moment.tzinfo is None:
            moment = instant_of(moment, self.zone)
        self.since = moment.astimezone(UTC).replace(microsecond=0)
        self.until = self.since + timedelta(seconds=1 if moment.second or moment.microsecond else 60)
        self.tick = self._first_tick()

    def _first_tick(self) -> datetime | None:
        tick = self.schedule.next_after(self.since - MICROSECOND) if self.schedule else None
        return tick if tick is not None and tick < self.until else None

    @property
    def meant(self) -> datetime:
        """The tick that is meant, or the moment itself where there is none."""
        return self.tick or self.since

    @property
    def is_before_anchor(self) -> bool:
        """Whether the schedule of that time is not the one of today."""
        return self.meant < self.spec.anchor <= self.now

    @cached_property
    def lease(self) -> SchedulerLease | None:
        return read_lease()

    @property
    def is_led(self) -> bool:
        lease = self.lease
        return lease is not None and bool(lease.holder) and lease.expires_at > lease.now  # type: ignore[attr-defined]  # an annotation

    # --- words ----------------------------------------------------------------------------------------------------

    def at(self, moment: datetime, *, seconds: bool = False) -> str:
        """Return a moment in the job's zone: its date where it is another than the asked one's, its zone if unusual."""
        local, asked = moment.astimezone(self.zone), self.since.astimezone(self.zone)
        clock = local.strftime("%H:%M:%S" if seconds or local.second else "%H:%M")
        day = "" if local.date() == asked.date() else f"{local.date().isoformat()} "
        is_usual = str(self.zone) == timezone.get_default_timezone_name()
        return f"{day}{clock}{'' if is_usual else f' ({self.zone})'}"

    def exactly(self, moment: datetime) -> str:
        """Return a moment with its date, to the second, in the job's zone."""
        text = moment.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")
        return text if str(self.zone) == timezone.get_default_timezone_name() else f"{text} ({self.zone})"

    def answer(self, sentence: str, cause: str = "", *, tick: datetime | None = None) -> Explanation:
        tick = tick or self.tick
        return Explanation(f"{with_cause(sentence, cause)}.", tick.astimezone(self.zone) if tick else None)


# --- what is written down -----------------------------------------------------------------------------------------


def _by_its_record(asked: _Asked) -> Explanation | None:
    """Find the execution of the tick, alone or with others: the first of the schedule's at or after the moment."""
    by_schedule = Q(detail__isnull=True) | Q(detail__origin=ExecutionOrigin.SCHEDULE)
    found = DjangoJobExecution.objects.filter(by_schedule, job_id=asked.spec.job_id, run_time__gte=asked.since)
    slim = found.select_related("detail").defer("traceback", "detail__log", "detail__result")
    execution = slim.order_by("run_time").first()
    if execution is None:
        return None
    detail: ExecutionDetail | None = getattr(execution, "detail", None)
    first = _first_of(asked, execution, detail)
    if first >= asked.until:
        return None
    meets_end = asked.since <= first or execution.run_time < asked.until
    if not meets_end and asked.tick is None and asked.schedule and not asked.is_before_anchor:
        return None
    tick = asked.tick
    if tick is None and meets_end:
        tick = first if asked.since <= first else execution.run_time
    verdict = None if execution.status in (Status.QUEUED, Status.STARTED) else execution.status
    sentence = _record_in_words(asked, execution, detail, first)
    return Explanation(sentence, tick.astimezone(asked.zone) if tick else None, execution.pk, verdict)


def _first_of(asked: _Asked, execution: Any, detail: ExecutionDetail | None) -> datetime:
    """Return the first tick that an execution stands for."""
    run_time: datetime = execution.run_time
    if detail is None or detail.tick_count == 1:
        return run_time
    if detail.first_tick is not None:
        return detail.first_tick
    # Rows of an older version keep only the number of their ticks.
    is_among = (
        asked.schedule is not None
        and asked.tick is not None
        and asked.schedule.count_between(asked.tick - MICROSECOND, run_time) <= detail.tick_count
    )
    return asked.tick if is_among and asked.tick else run_time


def _record_in_words(asked: _Asked, execution: Any, detail: ExecutionDetail | None, first: datetime) -> str:
    several = ""
    if detail is not None and detail.tick_count > 1:
        several = f" for {detail.tick_count:,} ticks from {asked.at(first)} to {asked.at(execution.run_time)}"
    name = f"execution {execution.pk}"
    reason = detail.reason if detail else ""
    if execution.status == Status.QUEUED:
        since = asked.at(detail.available_at or detail.queued_at, seconds=True) if detail else ""
        words = f"It has not started yet: {name}{several} has been in the queue since {since}"
        if detail and detail.available_at and detail.available_at > asked.now:
            words = f"It has not started yet: {name}{several} is put off until {since}"
        elif not asked.is_led:
            words += f", and {_nobody_leads(asked)}"
        return f"{words}."
    started = detail.started_at if detail else None
    if execution.status == Status.STARTED:
        where = f" on {name_of(detail.instance)}" if detail and detail.instance else ""
        return f"It is running: {name}{several}{_started(asked, execution, started, several)}{where}."
    ran = started is not None or (detail is None and execution.status in (Status.EXECUTED, Status.ERROR))
    if not ran:
        # A reason names the ticks itself.
        ended = with_cause(f"{name}{'' if reason else several} ended {execution.status}", reason)
        return f"It did not run: {ended}."
    # Why a run came late or stands for several ticks is not why it ended as it did.
    cause = _exception(execution) if execution.status in (Status.EXECUTED, Status.ERROR) else reason
    ended = with_cause(f"ended {execution.status}", cause)
    began = f"{_started(asked, execution, started, several)}, and" if started else ""
    return f"It ran{' once' if several else ''}: {name}{several}{began} {ended}."


def _started(asked: _Asked, execution: Any, started: datetime | None, several: str) -> str:
    if started is None:
        return ""
    late = max(0.0, (started - execution.run_time).total_seconds())
    whom = "the last of them" if several else "the tick"
    return f" started at {asked.at(started, seconds=True)}, {_seconds(late)} after {whom}"


def _exception(execution: Any) -> str:
    lines = (execution.exception or "").strip().splitlines()
    text = lines[0] if lines else ""
    return f"{text[:MAX_EXCEPTION]}…" if len(text) > MAX_EXCEPTION else text


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


# --- what the job says --------------------------------------------------------------------------------------------


def _by_its_age(asked: _Asked) -> Explanation | None:
    created = asked.spec.created_at
    if created < (asked.tick or asked.until):
        return None
    entry = creation_of(asked.spec.job_id)
    who = f" by {entry.user}" if entry else ""
    return Explanation(f"The job did not exist yet: it was created at {asked.exactly(created)}{who}.")


def _by_an_older_schedule(asked: _Asked) -> Explanation | None:
    if not asked.is_before_anchor:
        return None
    change = trigger_change_after(asked.spec.job_id, asked.since)
    if change is None:
        when = asked.exactly(asked.spec.anchor)
        return Explanation(f"The schedule of that time is not known: its trigger was last changed at {when}.")
    why = f" ({change.reason})" if change.reason else ""
    return Explanation(
        f"Its schedule was another then: {change.who} changed its trigger at {asked.exactly(change.when)}{why}; until "
        f"then it was “{triggers.describe(change.before)}”, and no record is left of a tick at {asked.at(asked.since)}."
    )


def _by_its_schedule(asked: _Asked) -> Explanation | None:
    if asked.schedule is None:
        return asked.answer("Its schedule cannot be worked out, so it has no ticks", asked.spec.state_reason)
    if asked.tick is not None:
        return None
    before = asked.schedule.last_before(asked.since - MICROSECOND, asked.spec.anchor - MICROSECOND)
    after = asked.schedule.next_after(asked.until - MICROSECOND)
    none = f"Its schedule has no tick at {asked.at(asked.since)}"
    if before and after:
        around = f"the ones around it are {asked.at(before)} and {asked.at(after)}"
    elif before:
        around = f"its last one was {asked.at(before)}"
    elif after:
        around = f"its first one is {asked.at(after)}"
    else:
        around = "it has none at all"
    finished = " and the job is finished" if asked.spec.state == JobState.FINISHED and after is None else ""
    return asked.answer(f"{none}; {around}{finished}")


def _by_being_held(asked: _Asked) -> Explanation | None:
    spec = asked.spec
    if spec.state not in (JobState.PAUSED, JobState.BROKEN):
        return None
    held_from = spec.held_from or spec.paused_at
    if held_from is not None and asked.meant < held_from:
        return None
    is_over_by_then = spec.paused_until is not None and asked.now < spec.paused_until <= asked.meant
    since = (spec.paused_at if spec.state == JobState.PAUSED else None) or held_from
    if spec.state == JobState.BROKEN:
        words = "The job is broken"
    else:
        words = f"The job is paused by {spec.paused_by}" if spec.paused_by else "The job is paused"
    if since is not None:
        words += f" since {asked.exactly(since)}"
    if is_over_by_then and spec.paused_until is not None:
        return asked.answer(
            f"This tick is still to come: the job is paused only until {asked.exactly(spec.paused_until)}"
        )
    return asked.answer(words, spec.state_reason)


def _by_an_exception(asked: _Asked) -> Explanation | None:
    """Answer for a tick that waits for its verdict, or is to come, and that something will keep from running."""
    following = asked.spec.job.next_run_time
    if asked.tick is None or following is None or following > asked.tick:
        return None
    (found,) = excepted([asked.tick], asked.spec)
    cause = found.cause
    if cause is None:
        return None
    is_to_come = asked.tick > asked.now
    if cause.kind is Kind.SKIP:
        who = f"{cause.by} asked to skip this tick" if cause.by else "this tick is to be skipped"
        words = f"It will not run then: {who}" if is_to_come else f"It will not run: {who}"
    else:
        who = f", set by {cause.by}" if cause.by else ""
        falls = "It will not run then: it falls" if is_to_come else "It will not run: it fell"
        span = f"from {asked.exactly(cause.since)} to {asked.exactly(cause.until)}"
        words = f"{falls} into the blackout “{cause.name}” ({span}){who}"
    return asked.answer(words, cause.reason)


def _by_being_to_come(asked: _Asked) -> Explanation | None:
    if asked.meant <= asked.now:
        return None
    following = asked.spec.job.next_run_time
    if following is None:
        return asked.answer("It will not run then: the job is finished", asked.spec.state_reason)
    if following > asked.meant:
        return asked.answer(f"It will not run then: its next run was set to {asked.exactly(following)}")
    if asked.lease is not None and asked.lease.paused_at is not None:
        return asked.answer(f"This tick is still to come, but {_all_is_paused(asked)}", asked.lease.pause_reason)
    if not asked.is_led:
        return asked.answer(f"This tick is still to come, but {_nobody_leads(asked)}")
    return asked.answer("This tick is still to come")


def _by_waiting(asked: _Asked) -> Explanation | None:
    """Answer for a tick that is due and that no leader has claimed yet."""
    following = asked.spec.job.next_run_time
    if following is None or following > asked.meant:
        return None
    if asked.lease is not None and asked.lease.paused_at is not None:
        return asked.answer(f"This tick is due and waits: {_all_is_paused(asked)}", asked.lease.pause_reason)
    if not asked.is_led:
        return asked.answer(f"This tick is due and waits: {_nobody_leads(asked)}")
    return asked.answer("This tick is due and about to be claimed")


def _all_is_paused(asked: _Asked) -> str:
    lease = asked.lease
    assert lease is not None
    assert lease.paused_at is not None
    who = f" by {lease.paused_by}" if lease.paused_by else ""
    return f"all scheduling is paused{who} since {asked.exactly(lease.paused_at)}"


def _nobody_leads(asked: _Asked) -> str:
    if asked.lease is None or asked.lease.alive_at is None:
        return "no scheduler has been running yet"
    return f"no scheduler is running since {asked.exactly(asked.lease.alive_at)}"


def _by_retention(asked: _Asked) -> Explanation | None:
    executions = DjangoJobExecution.objects.order_by("run_time").values_list("run_time", flat=True)
    oldest = executions.filter(job_id=asked.spec.job_id).first()
    whose = "of this job"
    if oldest is None:
        oldest, whose = executions.first(), "of any job"
    if oldest is None or oldest <= asked.meant:
        return None
    return asked.answer(
        f"No record of that time is left: the oldest execution {whose} that is kept is of {asked.exactly(oldest)}"
    )


def _by_nothing(asked: _Asked) -> Explanation:
    return asked.answer(f"No record explains the tick at {asked.at(asked.meant)}: this should not happen")


CAUSES: tuple[Callable[[_Asked], Explanation | None], ...] = (
    _by_its_record,
    _by_its_age,
    _by_an_older_schedule,
    _by_its_schedule,
    _by_being_held,
    _by_an_exception,
    _by_being_to_come,
    _by_waiting,
    _by_retention,
    _by_nothing,
)
