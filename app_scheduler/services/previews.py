"""What a trigger means, before it is saved: for a new job, or as the schedule that a job is to get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext

from app_scheduler import triggers
from app_scheduler.documents import Document
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.skipping import skip_to_come
from app_scheduler.exceptions import InvalidInput
from app_scheduler.models import JobSpec, JobState
from app_scheduler.services.collisions import Collision, find_collision
from app_scheduler.services.durations import usual_duration
from app_scheduler.services.excepted import blackout_warnings, excepted
from app_scheduler.services.jobs import MAX_PREVIEW, upcoming_ticks
from app_scheduler.triggers.rates import rate_words
from app_scheduler.triggers.words import moment_words

#: How many of the next ticks are looked at for other jobs, and how many that are gone are named.
NEAR = 10
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Difference:
    """What a job did until now: its sentence, its rate, and which of the ticks are other ones.

    ``gone`` are ticks that will not come, in their order, at most ``NEAR`` of them; ``new`` are those that would not
    have come. ``forgotten`` is the tick that somebody asked to skip, in its zone, or None.
    """

    description: str
    rate: str
    gone: list[datetime]
    new: frozenset[datetime]
    forgotten: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a trigger means: a sentence, how often, its next ticks (aware, in the trigger's zone), and warnings.

    ``cautions`` are the warnings without the one about other jobs, which ``collision`` holds in parts.
    """

    trigger: Document
    description: str
    expression: str
    upcoming: list[datetime]
    #: Beside each of them what keeps it from running, in words, or "".
    excepted: list[str] = field(default_factory=list)
    rate: str = ""
    cautions: list[str] = field(default_factory=list)
    collision: Collision | None = None
    difference: Difference | None = None

    @property
    def warnings(self) -> list[str]:
        return [*self.cautions, *([self.collision.sentence] if self.collision else [])]


def preview(
    trigger: Any,
    *,
    count: int = 10,
    after: datetime | None = None,
    anchor: datetime | None = None,
    run_past_at_once: bool = False,
    spec: JobSpec | None = None,
    tags: Sequence[str] | None = None,
) -> Preview:
    """Tell what a trigger means before it is saved, as the schedule of ``spec`` where that is given.

    Raises ``InvalidInput``. Whatever the number of jobs and executions, it costs at most four short queries.
    ``tags`` are those that the job is to have, where they are not those of ``spec``: blackout windows go by them.
    ``run_past_at_once`` as in ``create_job``; a warning then says so.
    """
    if not 1 <= count <= MAX_PREVIEW:
        raise InvalidInput({"count": gettext("Give a number from 1 to %(count)s.") % {"count": f"{MAX_PREVIEW:,}"}})
    now = utc_now()
    moment = after or now
    same = spec is not None and trigger == spec.trigger
    at_once = []
    try:
        if run_past_at_once:
            given = triggers.normalise(trigger, now=now, allow_past=True)
            trigger = triggers.brought_forward(given, now=now)
            if trigger != given:
                at_once.append(gettext("This date has passed: it runs at once."))
        # A schedule that will have ended by the moment asked about is no fault of the schedule.
        document = triggers.normalise(trigger, now=min(now, moment), allow_past=same)
    except InvalidInput as error:
        raise error.under("trigger") from None
    same = spec is not None and document == spec.trigger
    anchor = anchor or (spec.anchor if spec is not None and same else moment)
    if spec is not None and same and spec.state == JobState.SCHEDULED and after is None:
        ticks = upcoming_ticks(spec, count=count)
    else:
        ticks = triggers.upcoming(document, anchor=anchor, after=moment, count=count)
    cautions = triggers.warnings_for(document, anchor=anchor, now=moment)
    if spec is not None:
        cautions = [*_too_fast(spec, ticks), *cautions]
    # Another schedule has other ticks: what is to be skipped or held back is one of the schedule as it is.
    words = tags if tags is not None else spec.words if spec is not None else []
    held_back = excepted(ticks, spec if same else None, words)
    cautions = [*blackout_warnings(held_back, is_all=len(ticks) < count), *cautions]
    difference = None if spec is None or same else _difference(spec, ticks, moment)
    if difference is not None and difference.forgotten is not None:
        words = gettext("The skip of the tick at %(tick)s will be forgotten: another schedule has other ticks.")
        cautions = [words % {"tick": moment_words(difference.forgotten)}, *cautions]
    return Preview(
        trigger=document,
        description=triggers.describe(document),
        expression=triggers.format_expression(document),
        upcoming=ticks,
        excepted=[each.words for each in held_back],
        rate=rate_words(document, anchor=anchor, now=moment),
        cautions=[*at_once, *cautions],
        collision=find_collision(document, ticks[:NEAR], besides=spec.job_id if spec is not None else None),
        difference=difference,
    )


def _too_fast(spec: JobSpec, ticks: Sequence[datetime]) -> list[str]:
    """Warn where ticks come faster than as many runs at once as the job allows can keep up with."""
    gaps = [later.astimezone(UTC) - earlier.astimezone(UTC) for earlier, later in pairwise(ticks)]
    if not gaps:
        return []
    usual = usual_duration(spec.job_id)
    if usual is None or usual.p95 <= min(gaps) * spec.max_instances:
        return []
    return [
        gettext(
            "Faster than it usually takes: p95 of its last %(count)s runs is %(p95)s, and ticks come %(gap)s apart."
        )
        % {"count": number_format(usual.count), "p95": _span(usual.p95), "gap": _span(min(gaps))}
    ]


def _span(length: timedelta) -> str:
    seconds = length.total_seconds()
    if seconds < 10:
        return gettext("%(seconds)s s") % {"seconds": number_format(round(seconds, 1))}
    whole = round(seconds)
    parts = ((whole // 3600, gettext("h")), (whole % 3600 // 60, gettext("min")), (whole % 60, gettext("s")))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def _difference(spec: JobSpec, ticks: Sequence[datetime], now: datetime) -> Difference | None:
    """Compare with what the job did until now, up to the last of the ticks that are told."""
    try:
        description = triggers.describe(spec.trigger)
        rate = rate_words(spec.trigger, anchor=spec.anchor, now=now)
        old = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
    except InvalidInput:
        # What is stored cannot be read, which the page says elsewhere.
        return None
    skip = skip_to_come(spec, utc_now())
    forgotten = None if skip is None else skip.astimezone(old.timezone)
    if spec.state != JobState.SCHEDULED or not ticks:
        # What a paused or broken job would have done is no loss of the change.
        return Difference(description, rate, [], frozenset(), forgotten)
    coming = {tick.astimezone(UTC) for tick in ticks}
    last, zone = max(coming), ticks[0].tzinfo
    before = [tick.astimezone(UTC) for tick in upcoming_ticks(spec, count=len(ticks) + NEAR)]
    gone = [tick.astimezone(zone) for tick in before if tick not in coming and tick <= last]
    new = {tick for tick in coming if tick not in before and old.next_after(tick - MICROSECOND) != tick}
    return Difference(description, rate, gone[:NEAR], frozenset(new), forgotten)
