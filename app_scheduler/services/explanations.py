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
from django.utils.translation import gettext
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import triggers
from app_scheduler.engine.gaps import with_cause
from app_scheduler.engine.lease import name_of, read_lease
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.windows import Cause, Kind
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import ExecutionDetail, ExecutionOrigin, JobSpec, JobState, SchedulerLease, Status
from app_scheduler.services.audit import creation_of, trigger_change_after
from app_scheduler.services.excepted import excepted
from app_scheduler.services.jobs import get_job
from app_scheduler.services.verdicts import verdict_in_words
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
        raise InvalidInput(
            {
                "at": gettext("Give a moment between the years %(first)s and %(last)s.")
                % {"first": YEARS[0], "last": YEARS[1]}
            }
        )
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
    name = gettext("execution %(id)s") % {"id": execution.pk}
    several = detail is not None and detail.tick_count > 1
    subject = name
    if detail is not None and several:
        subject = gettext("execution %(id)s for %(count)s ticks from %(first)s to %(last)s") % {
            "id": execution.pk,
            "count": f"{detail.tick_count:,}",
            "first": asked.at(first),
            "last": asked.at(execution.run_time),
        }
    reason = detail.reason if detail else ""
    if execution.status == Status.QUEUED:
        return _queued_in_words(asked, detail, subject)
    started = detail.started_at if detail else None
    begun = _begun(asked, execution, started, subject, several=several)
    if execution.status == Status.STARTED:
        if detail and detail.instance:
            where = name_of(detail.instance)
            return gettext("It is running: %(execution)s on %(instance)s.") % {"execution": begun, "instance": where}
        return gettext("It is running: %(execution)s.") % {"execution": begun}
    verdict = verdict_in_words(execution.status)
    ran = started is not None or (detail is None and execution.status in (Status.EXECUTED, Status.ERROR))
    if not ran:
        # A reason names the ticks itself.
        values = {"execution": name if reason else subject, "verdict": verdict}
        text = gettext("It did not run: %(execution)s ended %(verdict)s") % values
        return f"{with_cause(text, reason)}."
    # Why a run came late or stands for several ticks is not why it ended as it did.
    cause = _exception(execution) if execution.status in (Status.EXECUTED, Status.ERROR) else reason
    if started is not None:
        once = gettext("It ran once: %(execution)s, and ended %(verdict)s")
        text = once if several else gettext("It ran: %(execution)s, and ended %(verdict)s")
    else:
        once = gettext("It ran once: %(execution)s ended %(verdict)s")
        text = once if several else gettext("It ran: %(execution)s ended %(verdict)s")
    return f"{with_cause(text % {'execution': begun, 'verdict': verdict}, cause)}."


def _queued_in_words(asked: _Asked, detail: ExecutionDetail | None, subject: str) -> str:
    since = asked.at(detail.available_at or detail.queued_at, seconds=True) if detail else ""
    values = {"execution": subject, "since": since}
    if detail and detail.available_at and detail.available_at > asked.now:
        return gettext("It has not started yet: %(execution)s is put off until %(since)s.") % values
    if asked.is_led:
        return gettext("It has not started yet: %(execution)s has been in the queue since %(since)s.") % values
    text = gettext("It has not started yet: %(execution)s has been in the queue since %(since)s, and %(cause)s.")
    return text % {**values, "cause": _nobody_leads(asked)}


def _begun(asked: _Asked, execution: Any, started: datetime | None, subject: str, *, several: bool) -> str:
    if started is None:
        return subject
    late = max(0.0, (started - execution.run_time).total_seconds())
    one = gettext("%(execution)s started at %(time)s, %(late)s after the tick")
    text = gettext("%(execution)s started at %(time)s, %(late)s after the last of them") if several else one
    return text % {"execution": subject, "time": asked.at(started, seconds=True), "late": _seconds(late)}


def _exception(execution: Any) -> str:
    lines = (execution.exception or "").strip().splitlines()
    text = lines[0] if lines else ""
    return f"{text[:MAX_EXCEPTION]}…" if len(text) > MAX_EXCEPTION else text


def _seconds(seconds: float) -> str:
    return (
        gettext("%(seconds)s s") % {"seconds": f"{seconds:.2f}"}
        if seconds < 60
        else str(timedelta(seconds=round(seconds)))
    )


# --- what the job says --------------------------------------------------------------------------------------------


def _by_its_age(asked: _Asked) -> Explanation | None:
    created = asked.spec.created_at
    if created < (asked.tick or asked.until):
        return None
    entry = creation_of(asked.spec.job_id)
    when = asked.exactly(created)
    if entry:
        text = gettext("The job did not exist yet: it was created at %(when)s by %(who)s.")
        return Explanation(text % {"when": when, "who": entry.user})
    return Explanation(gettext("The job did not exist yet: it was created at %(when)s.") % {"when": when})


def _by_an_older_schedule(asked: _Asked) -> Explanation | None:
    if not asked.is_before_anchor:
        return None
    change = trigger_change_after(asked.spec.job_id, asked.since)
    if change is None:
        text = gettext("The schedule of that time is not known: its trigger was last changed at %(when)s.")
        return Explanation(text % {"when": asked.exactly(asked.spec.anchor)})
    text = gettext(
        "Its schedule was another then: %(who)s changed its trigger at %(when)s%(why)s; until then it was "
        "“%(schedule)s”, and no record is left of a tick at %(time)s."
    )
    return Explanation(
        text
        % {
            "who": change.who,
            "when": asked.exactly(change.when),
            "why": f" ({change.reason})" if change.reason else "",
            "schedule": triggers.describe(change.before),
            "time": asked.at(asked.since),
        }
    )


def _by_its_schedule(asked: _Asked) -> Explanation | None:
    if asked.schedule is None:
        return asked.answer(gettext("Its schedule cannot be worked out, so it has no ticks"), asked.spec.state_reason)
    if asked.tick is not None:
        return None
    before = asked.schedule.last_before(asked.since - MICROSECOND, asked.spec.anchor - MICROSECOND)
    after = asked.schedule.next_after(asked.until - MICROSECOND)
    finished = asked.spec.state == JobState.FINISHED and after is None
    if before and after:
        text = gettext("Its schedule has no tick at %(time)s; the ones around it are %(before)s and %(after)s")
    elif after:
        text = gettext("Its schedule has no tick at %(time)s; its first one is %(after)s")
    elif before and finished:
        text = gettext("Its schedule has no tick at %(time)s; its last one was %(before)s and the job is finished")
    elif before:
        text = gettext("Its schedule has no tick at %(time)s; its last one was %(before)s")
    elif finished:
        text = gettext("Its schedule has no tick at %(time)s; it has none at all and the job is finished")
    else:
        text = gettext("Its schedule has no tick at %(time)s; it has none at all")
    around = {"before": asked.at(before) if before else "", "after": asked.at(after) if after else ""}
    return asked.answer(text % {"time": asked.at(asked.since), **around})


def _by_being_held(asked: _Asked) -> Explanation | None:
    spec = asked.spec
    if spec.state not in (JobState.PAUSED, JobState.BROKEN):
        return None
    held_from = spec.held_from or spec.paused_at
    if held_from is not None and asked.meant < held_from:
        return None
    is_over_by_then = spec.paused_until is not None and asked.now < spec.paused_until <= asked.meant
    since = (spec.paused_at if spec.state == JobState.PAUSED else None) or held_from
    if is_over_by_then and spec.paused_until is not None:
        text = gettext("This tick is still to come: the job is paused only until %(until)s")
        return asked.answer(text % {"until": asked.exactly(spec.paused_until)})
    words = _held_in_words(spec, is_dated=since is not None)
    words %= {"who": spec.paused_by, "when": asked.exactly(since) if since is not None else ""}
    return asked.answer(words, spec.state_reason)


def _held_in_words(spec: JobSpec, *, is_dated: bool) -> str:
    if spec.state == JobState.BROKEN:
        return gettext("The job is broken since %(when)s") if is_dated else gettext("The job is broken")
    if spec.paused_by:
        by_somebody = gettext("The job is paused by %(who)s")
        return gettext("The job is paused by %(who)s since %(when)s") if is_dated else by_somebody
    return gettext("The job is paused since %(when)s") if is_dated else gettext("The job is paused")


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
        words = _skipped_in_words(cause, is_to_come=is_to_come)
    else:
        words = _blacked_out_in_words(cause, is_to_come=is_to_come)
        words %= {
            "name": cause.name,
            "since": asked.exactly(cause.since),
            "until": asked.exactly(cause.until),
            "who": cause.by,
        }
    return asked.answer(words, cause.reason)


def _skipped_in_words(cause: Cause, *, is_to_come: bool) -> str:
    if cause.by and is_to_come:
        text = gettext("It will not run then: %(who)s asked to skip this tick")
    elif cause.by:
        text = gettext("It will not run: %(who)s asked to skip this tick")
    elif is_to_come:
        text = gettext("It will not run then: this tick is to be skipped")
    else:
        text = gettext("It will not run: this tick is to be skipped")
    return text % {"who": cause.by}


def _blacked_out_in_words(cause: Cause, *, is_to_come: bool) -> str:
    if cause.by and is_to_come:
        return gettext(
            "It will not run then: it falls into the blackout “%(name)s” (from %(since)s to %(until)s), set by %(who)s"
        )
    if cause.by:
        return gettext(
            "It will not run: it fell into the blackout “%(name)s” (from %(since)s to %(until)s), set by %(who)s"
        )
    if is_to_come:
        return gettext("It will not run then: it falls into the blackout “%(name)s” (from %(since)s to %(until)s)")
    return gettext("It will not run: it fell into the blackout “%(name)s” (from %(since)s to %(until)s)")


def _by_being_to_come(asked: _Asked) -> Explanation | None:
    if asked.meant <= asked.now:
        return None
    following = asked.spec.job.next_run_time
    if following is None:
        return asked.answer(gettext("It will not run then: the job is finished"), asked.spec.state_reason)
    if following > asked.meant:
        return asked.answer(
            gettext("It will not run then: its next run was set to %(when)s") % {"when": asked.exactly(following)}
        )
    if asked.lease is not None and asked.lease.paused_at is not None:
        return asked.answer(
            gettext("This tick is still to come, but %(cause)s") % {"cause": _all_is_paused(asked)},
            asked.lease.pause_reason,
        )
    if not asked.is_led:
        return asked.answer(gettext("This tick is still to come, but %(cause)s") % {"cause": _nobody_leads(asked)})
    return asked.answer(gettext("This tick is still to come"))


def _by_waiting(asked: _Asked) -> Explanation | None:
    """Answer for a tick that is due and that no leader has claimed yet."""
    following = asked.spec.job.next_run_time
    if following is None or following > asked.meant:
        return None
    if asked.lease is not None and asked.lease.paused_at is not None:
        return asked.answer(
            gettext("This tick is due and waits: %(cause)s") % {"cause": _all_is_paused(asked)},
            asked.lease.pause_reason,
        )
    if not asked.is_led:
        return asked.answer(gettext("This tick is due and waits: %(cause)s") % {"cause": _nobody_leads(asked)})
    return asked.answer(gettext("This tick is due and about to be claimed"))


def _all_is_paused(asked: _Asked) -> str:
    lease = asked.lease
    assert lease is not None
    assert lease.paused_at is not None
    when = asked.exactly(lease.paused_at)
    if lease.paused_by:
        return gettext("all scheduling is paused by %(who)s since %(when)s") % {"who": lease.paused_by, "when": when}
    return gettext("all scheduling is paused since %(when)s") % {"when": when}


def _nobody_leads(asked: _Asked) -> str:
    if asked.lease is None or asked.lease.alive_at is None:
        return gettext("no scheduler has been running yet")
    return gettext("no scheduler is running since %(when)s") % {"when": asked.exactly(asked.lease.alive_at)}


def _by_retention(asked: _Asked) -> Explanation | None:
    executions = DjangoJobExecution.objects.order_by("run_time").values_list("run_time", flat=True)
    oldest = executions.filter(job_id=asked.spec.job_id).first()
    text = gettext("No record of that time is left: the oldest execution of this job that is kept is of %(when)s")
    if oldest is None:
        oldest = executions.first()
        text = gettext("No record of that time is left: the oldest execution of any job that is kept is of %(when)s")
    if oldest is None or oldest <= asked.meant:
        return None
    return asked.answer(text % {"when": asked.exactly(oldest)})


def _by_nothing(asked: _Asked) -> Explanation:
    text = gettext("No record explains the tick at %(time)s: this should not happen")
    return asked.answer(text % {"time": asked.at(asked.meant)})


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
