"""The panel beside the form of a job: what its schedule means, when it fires, and what to know before it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.utils import dateformat, timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from app_scheduler import documents, services, triggers
from app_scheduler.admin.columns import Cell, offset_words, relative_time
from app_scheduler.documents import Document
from app_scheduler.exceptions import InvalidInput
from app_scheduler.forms import ScheduleForm, trigger_from
from app_scheduler.models import JobSpec
from app_scheduler.services import Preview
from app_scheduler.services.collisions import Collision

#: Ticks that the panel shows at first, and after "show more".
TICKS = 10
MORE_TICKS = 50
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tick:
    """One coming tick: its day and time in the schedule's zone, the zone's name then, and how far away it is."""

    iso: str
    day: str
    clock: str
    zone: str
    distance: str
    #: Whether the zone's offset is another than at the tick before.
    shifted: bool
    #: What the clocks do on its day, or have done since the tick before; else "".
    clocks: str
    #: "new" or "gone" against what the job did until now, or "".
    change: str = ""
    #: What keeps it from running, in words, or "".
    excepted: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TriggerPreview(Cell):
    """What a schedule means, or what is wrong with it.

    ``errors`` are (label, message) in the order of the fields; ``faults`` the same by the names of the fields.
    """

    template_name: ClassVar[str] = "app_scheduler/cells/preview.html"
    description: str = ""
    expression: str = ""
    rate: str = ""
    ticks: list[Tick] = field(default_factory=list)
    more: int = 0
    warnings: list[str] = field(default_factory=list)
    collision: Collision | None = None
    errors: list[tuple[str, str]] = field(default_factory=list)
    faults: Mapping[str, Sequence[str]] = field(default_factory=dict)
    before: str = ""
    before_rate: str = ""
    state: str = ""
    zone: str = ""
    #: Whether its buttons are those of a form.
    live: bool = True

    @property
    def brief(self) -> str:
        """Return what a screen reader says after a change: the sentence, the first tick, and how much there is to note.

        The list of ticks is read by whoever goes there.
        """
        if self.errors:
            return gettext("Not a schedule yet: %(message)s") % {"message": self.errors[0][1]}
        parts = [f"{self.description}."]
        if self.ticks:
            first = next((tick for tick in self.ticks if tick.change != "gone"), self.ticks[0])
            parts.append(gettext("Next: %(day)s %(clock)s.") % {"day": first.day, "clock": first.clock})
        notes = len(self.warnings) + (1 if self.collision else 0)
        if notes:
            parts.append(ngettext("%(count)d note.", "%(count)d notes.", notes) % {"count": notes})
        return " ".join(parts)


def trigger_preview(data: Mapping[str, Any], spec: JobSpec | None = None, *, more: bool = False) -> TriggerPreview:
    """Return what the schedule of a form means. Never raises: faults are part of the answer."""
    try:
        document = trigger_from(data)
    except InvalidInput as error:
        return _faulty(error.errors)
    at_once = bool(data.get("run_past_at_once"))
    form = ScheduleForm(spec=spec, typed=data)
    return document_preview(document, spec, more=more, form=form, run_past_at_once=at_once, tags=_tags_of(data))


def document_preview(
    document: Document,
    spec: JobSpec | None = None,
    *,
    more: bool = False,
    form: ScheduleForm | None = None,
    run_past_at_once: bool = False,
    tags: list[str] | None = None,
) -> TriggerPreview:
    """Return what a trigger document means, for a new job or as the schedule of ``spec``.

    ``form`` is the one that said it: it knows the fields that messages are about. ``tags`` are those beside it.
    """
    now = timezone.now()
    count = MORE_TICKS if more else TICKS
    try:
        found = services.preview(document, count=count + 1, spec=spec, run_past_at_once=run_past_at_once, tags=tags)
    except InvalidInput as error:
        faults: dict[str, list[str]] = {}
        for path, messages in error.errors.items():
            name = form.field_for(path) if form is not None else None
            faults.setdefault(name or "", []).extend(messages)
        return _faulty(faults)
    difference = found.difference
    return TriggerPreview(
        description=found.description,
        expression=found.expression,
        rate=found.rate,
        ticks=_rows(found, count, now),
        more=MORE_TICKS if len(found.upcoming) > count and not more else 0,
        warnings=found.cautions,
        collision=found.collision,
        before=difference.description if difference else "",
        before_rate=difference.rate if difference else "",
        state=spec.state if spec is not None and difference is None else "",
        zone=str(triggers.schedule_for(found.trigger, anchor=now).timezone),
        live=form is not None,
    )


def _faulty(faults: Mapping[str, Sequence[str]]) -> TriggerPreview:
    errors = [(_label(name), text) for name, texts in faults.items() for text in texts]
    return TriggerPreview(errors=errors, faults=faults)


def _tags_of(data: Mapping[str, Any]) -> list[str] | None:
    """Return the tags that were typed with a schedule, or None where there is no such field or they are none."""
    try:
        found: list[str] = documents.as_tags(data["tags"])
    except (KeyError, InvalidInput):
        return None
    return found


def _label(name: str) -> str:
    known = ScheduleForm.base_fields.get(name)
    return str(known.label or "") if known else ""


def _rows(found: Preview, count: int, now: datetime) -> list[Tick]:
    """Return the next ticks; among them, in their places, those that a change takes away."""
    shown = found.upcoming[:count]
    difference = found.difference
    new = difference.new if difference else frozenset()
    last = shown[-1].astimezone(UTC) if shown else now
    gone = [tick for tick in difference.gone if tick.astimezone(UTC) <= last] if difference else []
    held_back = dict(zip(found.upcoming, found.excepted, strict=True))
    both = sorted([(tick, "") for tick in shown] + [(tick, "gone") for tick in gone], key=_instant)
    rows = []
    offset: timedelta | None = None
    told = ""
    for tick, change in both:
        is_near = tick.year == now.astimezone(tick.tzinfo).year
        shifted = offset is not None and tick.utcoffset() != offset
        before, told = told, _clocks(tick)
        rows.append(
            Tick(
                iso=tick.isoformat(),
                day=dateformat.format(tick, gettext("D j M") if is_near else gettext("D j M Y")),
                clock=dateformat.format(tick, "H:i:s" if tick.second else "H:i"),
                zone=offset_words(tick),
                distance=relative_time(tick, now),
                shifted=shifted,
                clocks=told or (gettext("the clocks have changed") if shifted and not before else ""),
                change=change or ("new" if tick.astimezone(UTC) in new else ""),
                excepted="" if change else held_back.get(tick, ""),
            )
        )
        offset = tick.utcoffset()
    return rows


def _instant(row: tuple[datetime, str]) -> datetime:
    return row[0].astimezone(UTC)


def _clocks(tick: datetime) -> str:
    """Say what the clocks do on the day of a tick, in its zone."""
    try:
        midnight = tick.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        before, after = midnight.utcoffset(), (midnight + DAY).utcoffset()
    except OverflowError:
        return ""
    if before is None or after is None or before == after:
        return ""
    length = abs(after - before)
    minutes = length // timedelta(minutes=1)
    span = (
        gettext("%(hours)s h") % {"hours": number_format(minutes // 60)}
        if minutes % 60 == 0
        else gettext("%(minutes)s min") % {"minutes": minutes}
    )
    if after > before:
        return gettext("clocks go forward %(span)s") % {"span": span}
    return gettext("clocks go back %(span)s") % {"span": span}
