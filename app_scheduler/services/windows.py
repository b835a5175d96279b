"""Blackout windows: spans of time in which ticks do not run, set, changed and taken away by people and programs.

A window is described by a document of its own. It belongs to the site's calendar and not to a job, so no job's document
and no export has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import documents, triggers
from app_scheduler.documents import Document
from app_scheduler.engine.blackouts import note_change
from app_scheduler.engine.queue import utc_now
from app_scheduler.engine.windows import MICROSECOND, window_of
from app_scheduler.exceptions import BlackoutNotFound, InvalidInput
from app_scheduler.models import BlackoutWindow, JobSpec, JobState
from app_scheduler.services.audit import MAX_REASON, Actor, log_about, with_reason
from app_scheduler.services.skips import too_long
from app_scheduler.triggers.values import moment_text, zone_name

#: Windows that are not over yet: each is looked at wherever a tick is shown or claimed.
MAX_WINDOWS = 200
FIELDS = ("name", "begins", "ends", "timezone", "yearly", "last_year", "tags", "reason")
READ_ONLY = frozenset({"id", "set_by", "is_on", "next_begin", "next_end", "revision", "created_at", "updated_at"})
YEAR = timedelta(days=365)
_FIRST, _LAST = datetime(1969, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
#: How far ahead the next time of a yearly window is looked for: one of 29 February comes within eight years.
AHEAD = timedelta(days=9 * 366)
#: Jobs whose ticks are counted for a preview, those that are due first, and ticks counted of each.
COUNTED_JOBS, COUNTED_TICKS = 200, 1_000


def get_window(window_id: int) -> BlackoutWindow:
    """Return a blackout window with who set it. Raises ``BlackoutNotFound``."""
    row = BlackoutWindow.objects.select_related("set_by").filter(pk=window_id).first()
    if row is None:
        raise BlackoutNotFound(window_id)
    return row


def blackout_windows(*, over: bool | None = None) -> QuerySet[BlackoutWindow]:
    """Return the blackout windows, the latest to be over first; those that are over, those that are not, or all."""
    rows = BlackoutWindow.objects.select_related("set_by").order_by(F("over_at").desc(nulls_first=True), "pk")
    if over is None:
        return rows
    is_over = Q(over_at__lte=utc_now())
    return rows.filter(is_over) if over else rows.filter(~is_over | Q(over_at__isnull=True))


def window_document(row: BlackoutWindow) -> Document:
    """Return a window as a document."""
    return {field: getattr(row, field) for field in FIELDS}


def window_walls(row: BlackoutWindow) -> tuple[datetime, datetime]:
    """Return a window's bounds as its zone's clock shows them, the first time that it is on."""
    zone = ZoneInfo(row.timezone)
    begins, ends = (datetime.fromisoformat(bound).replace(tzinfo=zone) for bound in (row.begins, row.ends))
    return begins, ends


def add_window(data: Mapping[str, Any], actor: Actor) -> BlackoutWindow:
    """Set a blackout window. Raises ``InvalidInput`` with its messages by field."""
    document = clean_window(data)
    row = BlackoutWindow(**document, set_by=actor.user if actor.user_id is not None else None)
    row.over_at = window_of(row).over_at()
    with transaction.atomic():
        _refuse_too_many(row)
        row.save()
        note_change()
        log_about(BlackoutWindow, [(row.pk, row.name, ADDITION, _message({}, document))], actor)
    return row


def change_window(
    window_id: int,
    data: Mapping[str, Any],
    actor: Actor,
    *,
    partial: bool = True,
    expected_revision: int | None = None,
) -> BlackoutWindow:
    """Change a window. What ``data`` leaves out stays (``partial``) or takes its default.

    Verdicts of ticks that it has swallowed already stay. Raises ``BlackoutNotFound``, ``InvalidInput``, and
    ``InvalidInput`` at ``revision`` where somebody else changed it since ``expected_revision`` was read.
    """
    with transaction.atomic():
        row = BlackoutWindow.objects.select_for_update().filter(pk=window_id).first()
        if row is None:
            raise BlackoutNotFound(window_id)
        if expected_revision is not None and row.revision != expected_revision:
            raise InvalidInput(
                {
                    "revision": gettext(
                        "Somebody changed this window while you had it open. Load it again and repeat your change."
                    )
                }
            )
        before = window_document(row)
        document = clean_window(data, before if partial else None, allow_over=before)
        if not documents.is_same(before, document):
            for field, value in document.items():
                setattr(row, field, value)
            # The ledger names who answers for the window as it is.
            row.set_by = actor.user if actor.user_id is not None else None
            row.over_at, row.revision = window_of(row).over_at(), row.revision + 1
            _refuse_too_many(row)
            row.save()
            note_change()
            log_about(BlackoutWindow, [(row.pk, row.name, CHANGE, _message(before, document))], actor)
    return get_window(window_id)


def delete_windows(ids: list[int], actor: Actor, *, reason: str = "") -> int:
    """Take windows away; return how many there were. Verdicts of ticks that they have swallowed stay."""
    if len(reason) > MAX_REASON:
        raise InvalidInput({"reason": too_long()})
    with transaction.atomic():
        rows = list(BlackoutWindow.objects.select_for_update().filter(pk__in=ids))
        BlackoutWindow.objects.filter(pk__in=[row.pk for row in rows]).delete()
        if rows:
            note_change()
        message = with_reason("Deleted", reason)
        log_about(BlackoutWindow, [(row.pk, row.name, DELETION, message) for row in rows], actor)
    return len(rows)


def delete_window(window_id: int, actor: Actor, *, reason: str = "") -> None:
    """Take a window away. Raises ``BlackoutNotFound``."""
    if not delete_windows([window_id], actor, reason=reason):
        raise BlackoutNotFound(window_id)


def _refuse_too_many(row: BlackoutWindow) -> None:
    now = utc_now()
    if row.over_at is not None and row.over_at <= now:
        return
    if blackout_windows(over=False).exclude(pk=row.pk).count() >= MAX_WINDOWS:
        raise InvalidInput(
            gettext(
                "There are %(count)s blackout windows that are not over. Delete one first, or make one window of those "
                "that come back every year."
            )
            % {"count": MAX_WINDOWS}
        )


def _message(before: Mapping[str, Any], after: Document) -> str:
    """Return an audit message as those of jobs are: Django's own form, with before and after of what changed."""
    fields = [name for name in after if not before or not documents.is_same(before[name], after[name])]
    new = {name: after[name] for name in fields}
    entry = (
        {"changed": {"fields": fields}, "before": {name: before[name] for name in fields}} if before else {"added": {}}
    )
    return json.dumps([{**entry, "after": new, "reason": after["reason"]}], ensure_ascii=False)


# --- the document of a window ---------------------------------------------------------------------------------------


def clean_window(
    data: Mapping[str, Any], base: Document | None = None, *, allow_over: Document | None = None
) -> Document:
    """Return a checked document. ``base`` has what ``data`` leaves out; bounds as in ``allow_over`` may be past.

    Raises ``InvalidInput`` with its messages by field.
    """
    errors: dict[str, list[str]] = {}
    for key in data:
        if key not in FIELDS and key not in READ_ONLY:
            near = get_close_matches(str(key), FIELDS, n=1)
            hint = gettext("Did you mean “%(name)s”?") if near else gettext("The fields are %(names)s.")
            hint %= {"name": near[0] if near else "", "names": ", ".join(FIELDS)}
            errors[str(key)[:60]] = [gettext("There is no such field. %(hint)s") % {"hint": hint}]
    defaults: Document = {"yearly": False, "last_year": None, "tags": [], "reason": ""}
    source = {**defaults, **(base or {}), **{key: data[key] for key in FIELDS if key in data}}
    document: Document = dict.fromkeys(FIELDS)

    def take(field: str, convert: Callable[[Any], Any]) -> None:
        try:
            document[field] = convert(source.get(field))
        except InvalidInput as error:
            errors.update(error.under(field).errors)
        except ValueError as error:
            errors[field] = [str(error)]

    take("name", _name)
    take("timezone", _zone)
    zone = ZoneInfo(document["timezone"]) if document["timezone"] else None
    take("begins", lambda value: _wall(value, zone, is_end=False))
    take("ends", lambda value: _wall(value, zone, is_end=True))
    take("yearly", documents.as_boolean)
    take("last_year", documents.as_number(1970, 9997, optional=True, none_means=_("every year"), is_year=True))
    take("tags", documents.as_tags)
    take("reason", documents.as_text(MAX_REASON))
    if not errors:
        _check_times(document, allow_over, errors)
    if errors:
        raise InvalidInput(errors)
    return document


def _name(value: Any) -> str:
    name: str = documents.as_text(100)(value)
    if not name or "\n" in name:
        raise InvalidInput(gettext("Give it a name of one line, for example “Easter series”."))
    return name


def _zone(value: Any) -> str:
    return zone_name(value if value not in (None, "") else timezone.get_default_timezone_name())


def _wall(value: Any, zone: ZoneInfo | None, *, is_end: bool) -> str | None:
    """Return a bound as its zone's clock shows it; a date alone is its midnight, or as an end the midnight after it."""
    if value in (None, ""):
        raise InvalidInput(gettext("Give a date and time, for example 2027-03-26 18:00."))
    text = moment_text(value, keep_date=True)
    try:
        if len(text) == 10:
            wall = datetime.combine(date.fromisoformat(text) + timedelta(days=is_end), time())
        else:
            wall = datetime.fromisoformat(text)
        if wall.tzinfo is not None:
            wall = wall.astimezone(zone).replace(tzinfo=None)
        is_known = 1970 <= wall.year <= 9997
    except OverflowError:
        is_known = False
    if not is_known:
        raise InvalidInput(gettext("Give a date between the years 1970 and 9997."))
    return wall.replace(microsecond=0, fold=0).isoformat()


def _check_times(document: Document, before: Document | None, errors: dict[str, list[str]]) -> None:
    begins, ends = (datetime.fromisoformat(document[field]) for field in ("begins", "ends"))
    if ends <= begins:
        errors["ends"] = [gettext("It ends before it has begun. Give an end after its beginning.")]
    elif document["yearly"] and ends - begins >= YEAR:
        errors["ends"] = [gettext("A window of every year is shorter than a year. Give an earlier end.")]
    elif document["last_year"] is not None and not document["yearly"]:
        errors["last_year"] = [
            gettext("Only a window of every year has a last year. Leave it empty, or choose “every year”.")
        ]
    elif document["last_year"] is not None and document["last_year"] < begins.year:
        errors["last_year"] = [
            gettext("It begins in %(year)s for the first time. Give that year or a later one.") % {"year": begins.year}
        ]
    if errors:
        return
    window = window_of(BlackoutWindow(**document))
    over_at = window.over_at()
    times = ("begins", "ends", "timezone", "yearly", "last_year")
    if before is not None and all(before[field] == document[field] for field in times):
        return
    if over_at is not None and over_at <= utc_now():
        field = "last_year" if document["yearly"] else "ends"
        errors[field] = [gettext("This window would be over already. Give an end in the future.")]
    elif not document["yearly"] and next(window.times_between(_FIRST, _LAST), None) is None:
        errors["ends"] = [
            gettext("In %(zone)s, clocks skip all of this time, so it never comes. Give other times.")
            % {"zone": document["timezone"]}
        ]


# --- when it is on, and what it would do ----------------------------------------------------------------------------


def next_time(row: BlackoutWindow, now: datetime | None = None) -> tuple[datetime, datetime] | None:
    """Return from when until when a window is on, now or the next time, in its zone; None where it is over."""
    moment = now or utc_now()
    window = window_of(row)
    since = max(moment, window.begins.replace(tzinfo=UTC))
    found = next(window.times_between(moment, since + AHEAD), None)
    return None if found is None else (found[0].astimezone(window.zone), found[1].astimezone(window.zone))


@dataclass(frozen=True, slots=True)
class SwallowedTicks:
    """What a window would take from one job: how many ticks, at least so many or exactly, and the first of them."""

    spec: JobSpec
    count: int
    is_exact: bool
    first: datetime
    #: Whether the schedule has no tick after the window, so that the job would be finished without a run.
    is_its_end: bool


@dataclass(frozen=True, slots=True)
class WindowEffect:
    """What a window would do the next time that it is on.

    ``jobs`` are those with one of its tags, of which ``looked_at`` were looked at, those due first; ``swallowed`` has
    those of them with ticks in it, the most first.
    """

    since: datetime
    until: datetime
    jobs: int
    looked_at: int
    swallowed: list[SwallowedTicks]

    @property
    def ticks(self) -> int:
        return sum(each.count for each in self.swallowed)

    @property
    def is_exact(self) -> bool:
        return self.jobs == self.looked_at and all(each.is_exact for each in self.swallowed)


def window_effect(document: Document) -> WindowEffect | None:
    """Tell which jobs a window would keep from how many ticks; None where it is over. Two queries."""
    row = BlackoutWindow(**document)
    now = utc_now()
    on = next_time(row, now)
    if on is None:
        return None
    since, until = on
    jobs = JobSpec.objects.filter(state=JobState.SCHEDULED)
    if row.tags:
        tagged = JobSpec.objects.none()
        for tag in row.tags:
            tagged = tagged | JobSpec.objects.with_tag(tag)
        jobs = jobs.filter(pk__in=tagged.values("pk"))
    specs = list(
        jobs.select_related("job")
        .only("job_id", "name", "trigger", "anchor", "job__next_run_time")
        .order_by("job__next_run_time", "job_id")[:COUNTED_JOBS]
    )
    found = [each for spec in specs if (each := _swallowed(spec, max(since, now), until)) is not None]
    found.sort(key=lambda each: (-each.count, each.spec.job_id))
    return WindowEffect(since, until, jobs.count(), len(specs), found)


def _swallowed(spec: JobSpec, since: datetime, until: datetime) -> SwallowedTicks | None:
    try:
        schedule = triggers.schedule_for(spec.trigger, anchor=spec.anchor)
    except InvalidInput:
        return None
    first = schedule.next_after(since - MICROSECOND)
    if first is None or first >= until:
        return None
    count = schedule.count_between(since - MICROSECOND, until - MICROSECOND, COUNTED_TICKS)
    is_exact = schedule.counts_exactly or count < COUNTED_TICKS
    return SwallowedTicks(spec, count, is_exact, first, schedule.next_after(until - MICROSECOND) is None)


def is_on(row: BlackoutWindow, now: datetime | None = None) -> bool:
    """Tell whether a window is on at this moment."""
    moment = now or utc_now()
    return next(window_of(row).times_between(moment, moment), None) is not None
