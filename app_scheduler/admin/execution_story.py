"""What happened to an execution: one sentence, and the steps from due to finished with their gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from app_scheduler.admin import columns
from app_scheduler.admin.execution_facts import Facts, between, took_words
from app_scheduler.models import FAILURES, RETRIED, Status


def sentence(facts: Facts) -> str:
    """Return what happened, in one sentence."""
    words = _SENTENCES.get(facts.status)
    if words is None:
        return gettext("It has the status “%(status)s”, which this console does not know.") % {"status": facts.status}
    return words(facts)


def _executed(facts: Facts) -> str:
    return _clauses(_took(facts, gettext("Ran for %(span)s"), gettext("Ran")), _late(facts), facts.attempt_words)


def _failed(facts: Facts) -> str:
    return _clauses(_took(facts, gettext("Failed after %(span)s"), gettext("Failed")), facts.attempt_words)


def _timed_out(facts: Facts) -> str:
    said = _took(facts, gettext("Ran too long: %(span)s"), gettext("Ran too long"))
    return _with_reason(_clauses(said, facts.attempt_words), facts.reason)


def _interrupted(facts: Facts) -> str:
    said = _took(facts, gettext("Interrupted after %(span)s"), gettext("Interrupted"))
    return _with_reason(_clauses(said, facts.attempt_words), facts.reason)


def _missed(facts: Facts) -> str:
    said = gettext("Missed %(ticks)s") % {"ticks": facts.tick_words} if facts.tick_words else gettext("Missed")
    return _verdict(said, facts)


def _overlapped(facts: Facts) -> str:
    return _verdict(gettext("Did not start"), facts)


def _skipped(facts: Facts) -> str:
    said = gettext("Skipped %(ticks)s") % {"ticks": facts.tick_words} if facts.tick_words else gettext("Skipped")
    return _verdict(said, facts)


def _cancelled(facts: Facts) -> str:
    # The reason says who cancelled it, in a sentence of its own.
    return _sentence_of(facts.reason) if facts.reason else gettext("Cancelled before it started.")


def _queued(facts: Facts) -> str:
    available = facts.detail.available_at if facts.detail else None
    sent = facts.detail.sent_at if facts.detail else None
    if sent is not None:
        clock = sent.astimezone(facts.zone).strftime("%H:%M:%S")
        span = columns.duration_words(between(sent, facts.now))
        said = gettext("Queued: sent to the workers at %(clock)s; for %(span)s none of them has begun it.")
        return said % {"clock": clock, "span": span}
    if available is not None and available > facts.now:
        return gettext("Queued: starts in %(span)s.") % {"span": columns.span_words(between(facts.now, available))}
    since = available or (facts.detail.queued_at if facts.detail else None) or facts.due
    span = columns.duration_words(between(since, facts.now))
    clock = since.astimezone(facts.zone).strftime("%H:%M:%S")
    return gettext("Queued: waits for its turn since %(clock)s, for %(span)s now.") % {"clock": clock, "span": span}


def _running(facts: Facts) -> str:
    said = _took(facts, gettext("Running for %(span)s"), gettext("Running"))
    if facts.where:
        said = gettext("%(running)s on %(where)s") % {"running": said, "where": facts.where}
    return _with_reason(_clauses(said, facts.attempt_words), _cancel_words(facts))


def _cancel_words(facts: Facts) -> str:
    """Return who has cancelled a run that goes on, and when it will end; "" where nobody has."""
    detail = facts.detail
    if detail is None or detail.cancel_asked_at is None:
        return ""
    span = columns.span_words(between(detail.cancel_asked_at, facts.now))
    if detail.cancel_asked_by is None:
        said = gettext("A program cancelled it %(span)s ago") % {"span": span}
    else:
        who = detail.cancel_asked_by.get_username()
        said = gettext("%(who)s cancelled it %(span)s ago") % {"who": who, "span": span}
    if detail.cancel_reason:
        said = gettext("%(cancelled)s: “%(reason)s”") % {"cancelled": said, "reason": detail.cancel_reason}
    ends = facts.is_ended_from_outside
    until = gettext("It is ended within seconds.") if ends else gettext("It ends when its function looks.")
    return f"{_sentence_of(said)} {until}"


_SENTENCES: Mapping[str, Callable[[Facts], str]] = {
    Status.QUEUED: _queued,
    Status.STARTED: _running,
    Status.EXECUTED: _executed,
    Status.ERROR: _failed,
    Status.MISSED: _missed,
    Status.MAX_INSTANCES: _overlapped,
    Status.INTERRUPTED: _interrupted,
    Status.TIMED_OUT: _timed_out,
    Status.CANCELLED: _cancelled,
    Status.SKIPPED: _skipped,
}


def _took(facts: Facts, with_span: str, without: str) -> str:
    if facts.duration is None:
        return without
    return with_span % {"span": took_words(facts.duration)}


def _late(facts: Facts) -> str:
    if facts.lateness is None:
        return ""
    if facts.lateness < 0.001:
        return gettext("on time")
    return gettext("%(span)s late") % {"span": columns.duration_words(facts.lateness)}


def _verdict(said: str, facts: Facts) -> str:
    """Return “Missed: the scheduler was down.”, or “Missed.” where nobody noted why."""
    if not facts.reason:
        return f"{said}."
    return gettext("%(verdict)s: %(reason)s") % {"verdict": said, "reason": _sentence_of(lower_first(facts.reason))}


def _clauses(*clauses: str) -> str:
    return ", ".join(clause for clause in clauses if clause) + "."


def _with_reason(said: str, reason: str) -> str:
    return f"{said} {_sentence_of(reason)}".strip()


def _sentence_of(text: str) -> str:
    text = text.strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."


def lower_first(text: str) -> str:
    """Return ``text`` to go on with after a colon; an abbreviation or a name in capitals stays as it is."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def what_comes_next(facts: Facts, following: Facts | None) -> str:
    """Return a sentence on the next attempt after a failure, or nothing."""
    if facts.is_on_the_way or facts.status == Status.EXECUTED:
        return ""
    if following is None:
        is_last = facts.status in RETRIED and facts.attempts == facts.attempt and facts.attempt > 1
        return gettext("It was the last attempt.") if is_last else ""
    available = following.detail.available_at if following.detail else None
    if following.status == Status.QUEUED:
        if available is not None and available > facts.now:
            span = columns.span_words(between(facts.now, available))
            return gettext("The next attempt starts in %(span)s.") % {"span": span}
        return gettext("The next attempt waits for its turn.")
    if following.status == Status.STARTED:
        return gettext("The next attempt is running.")
    if following.status == Status.EXECUTED:
        return gettext("The next attempt succeeded.")
    if following.status == Status.CANCELLED:
        return gettext("The next attempt was cancelled.")
    if following.status in FAILURES:
        return gettext("The next attempt failed too.")
    return gettext("The next attempt did not run.")


@dataclass(slots=True)
class Step:
    """One of the steps from due to finished. ``look``: done, now, todo, never, or the look of a verdict's pill."""

    name: str
    look: str
    moment: columns.Moment | None = None
    clock: str = ""
    gap: str = ""
    note: str = ""


def steps(facts: Facts) -> list[Step]:
    """Return the steps in the order in which they happened, each with the gap from the one before."""
    known = _moments(facts)
    made: list[Step] = []
    previous: datetime | None = None
    for number, (name, at) in enumerate(known):
        step = Step(name, _look(facts, at, is_last=number == len(known) - 1))
        if at is not None:
            step.moment = columns.moment(at, zone=facts.zone, now=facts.now)
            step.clock = at.astimezone(facts.zone).strftime("%H:%M:%S.%f")[:-3]
            if previous is not None:
                step.gap = gettext("+ %(span)s") % {"span": columns.duration_words(between(previous, at))}
            if at is facts.started:
                step.note = _started_note(facts)
            previous = at
        elif step.look == "never":
            step.note = gettext("never")
        made.append(step)
    _mark_present(facts, made)
    return made


def _moments(facts: Facts) -> list[tuple[str, datetime | None]]:
    """Return each step's name and when it happened, if it did."""
    detail = facts.detail
    due: tuple[str, datetime | None] = (gettext("Due"), facts.due)
    end = (_end_name(facts), None if facts.is_on_the_way else facts.finished)
    if detail is None:
        return [due, end]
    started = (gettext("Started"), facts.started)
    if detail.queued_at < facts.due:  # A retry is queued at once and due later.
        return [(gettext("Queued"), detail.queued_at), due, started, end]
    # A tick that was missed has its verdict at once and never waits in the queue.
    waited = facts.is_on_the_way or facts.started is not None or detail.queued_at != facts.finished
    return [due, (gettext("Queued"), detail.queued_at if waited else None), started, end]


def _look(facts: Facts, at: datetime | None, *, is_last: bool) -> str:
    if is_last and not facts.is_on_the_way:
        return columns.STATUS_LOOK.get(facts.status, "unknown")
    if at is None:
        return "todo" if facts.is_on_the_way else "never"
    return "todo" if at > facts.now else "done"


def _mark_present(facts: Facts, made: Sequence[Step]) -> None:
    """Mark the step that the execution is at now."""
    if not facts.is_on_the_way:
        return
    reached = [step for step in made if step.look == "done"]
    if not reached:
        return
    reached[-1].look = "now"
    if facts.status == Status.STARTED and facts.started is not None:
        made[-1].note = gettext("runs for %(span)s") % {"span": columns.duration_words(facts.duration)}


def _end_name(facts: Facts) -> str:
    if facts.is_on_the_way or facts.status == Status.EXECUTED:
        return gettext("Finished")
    if facts.status == Status.ERROR:
        return gettext("Failed")
    return facts.pill.label


def _started_note(facts: Facts) -> str:
    """Return “thread 3 of web-2”, as far as it is known."""
    host, worker = facts.where.split(",")[0], facts.detail.worker if facts.detail else ""
    if not worker or not host:
        return host
    return gettext("%(worker)s of %(host)s") % {"worker": worker, "host": host}
