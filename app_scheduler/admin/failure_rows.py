"""A group of failures as the inbox and its own page show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.columns import Cell, Link, Moment, Pill, job_link, moment, short_time, span_words
from app_scheduler.models import FailureGroup, Status
from app_scheduler.services import AGES, AgeCount, CameBefore, FailureState

NAME = "app_scheduler_failuregroup"
TEMPLATES = "admin/app_scheduler/failuregroup"
AGE_LABELS = {"h1": _("1 h"), "h3": _("3 h"), "h24": _("24 h"), "d3": _("3 d"), "d7": _("7 d")}
#: From how many failures on a cell has the next warmth.
WARMTHS = (1, 2, 5, 20, 100)


def failure_url(page: str, *args: Any) -> str:
    return reverse(f"admin:{NAME}_{page}", args=args)


@dataclass(frozen=True, slots=True, eq=False)
class AgeCell(Cell):
    """How many open failures are younger than an age, with the list of them."""

    label: str
    number: str
    warmth: int
    url: str
    words: str

    def render(self) -> SafeString:
        # Five in each row: without a template, whose rendering costs more than all else of the list.
        if not self.warmth:
            return format_html(
                '<span class="jc-age none"><span class="jc-word">{}</span> <span aria-hidden="true">·</span>'
                '<span class="visually-hidden">{}</span></span>',
                self.label,
                gettext("none"),
            )
        return format_html(
            '<a class="jc-age warm-{}" href="{}" title="{}" aria-label="{}"><span class="jc-word">{}</span> {}</a>',
            *(self.warmth, self.url, self.words, self.words, self.label, self.number),
        )

    __str__ = __html__ = render


class FailureRow:
    """What is shown of a group. ``may`` says what the user may do."""

    def __init__(
        self,
        group: FailureGroup,
        now: datetime,
        *,
        counts: Sequence[AgeCount] = (),
        before: CameBefore | None = None,
        may: Mapping[str, bool] | None = None,
    ) -> None:
        self.group = group
        self.now = now
        self.counts = counts
        self.before = before or CameBefore()
        self.may = may or {}
        self.state = services.state_of(group, now)
        self.is_open = self.state is FailureState.OPEN
        self.is_snoozed = self.state is FailureState.SNOOZED
        self.is_acknowledged = self.state is FailureState.ACKNOWLEDGED

    @property
    def pk(self) -> int:
        return int(self.group.pk)

    @property
    def url(self) -> str:
        return failure_url("change", self.pk)

    @property
    def name(self) -> str:
        spec = getattr(self.group.job, "spec", None)
        return str(spec) if spec is not None else str(self.group.job_id)

    @property
    def job(self) -> Link | str:
        return job_link(self.group.job_id, self.name) if self.may.get("may_view_job") else self.name

    @property
    def headline(self) -> str:
        """The first line of the last exception; of a failure that has none, its verdict."""
        line = next((line for line in self.group.exception.splitlines() if line.strip()), "")
        return line.strip() or self.verdict

    @property
    def verdict(self) -> str:
        status = self.group.status
        return str(Status(status).label) if status in Status.values else status

    @property
    def place(self) -> str:
        return self.group.place

    @property
    def pill(self) -> Pill:
        if self.is_snoozed:
            return Pill("paused", gettext("Snoozed"))
        return Pill("finished", gettext("Acknowledged")) if self.is_acknowledged else Pill("fail", gettext("Open"))

    @cached_property
    def recovered(self) -> Pill | None:
        if not services.has_recovered(self.group):
            return None
        return Pill("ok", gettext("Recovered"), gettext("The job’s last run was executed, after the last failure."))

    @cached_property
    def opened(self) -> Moment | None:
        return to_the_minute(self.group.opened_at, self.now)

    @cached_property
    def first(self) -> Moment | None:
        return to_the_minute(self.group.first_seen, self.now)

    @property
    def is_back(self) -> bool:
        """Whether there were failures that somebody had acknowledged before those that are open."""
        return bool(self.group.open_count) and self.group.first_seen < self.group.opened_at

    @cached_property
    def last(self) -> Moment | None:
        return to_the_minute(self.group.last_seen, self.now)

    @cached_property
    def snoozed_until(self) -> Moment | None:
        return to_the_minute(self.group.snoozed_until, self.now)

    @cached_property
    def acknowledged(self) -> Moment | None:
        return to_the_minute(self.group.acknowledged_at, self.now)

    @property
    def times(self) -> str:
        number = self.group.count
        return ngettext("once", "%(number)s times", number) % {"number": grouped(number)}

    @property
    def open_words(self) -> str:
        number = self.group.open_count
        return ngettext("%(number)s open", "%(number)s open", number) % {"number": grouped(number)}

    @property
    def span(self) -> str:
        """“Thu 12 Nov 02:10 to Thu 12 Nov 02:31”: from the first to the last failure."""
        first, last = (short_minute(each, self.now) for each in (self.group.first_seen, self.group.last_seen))
        return first if first == last else gettext("%(first)s to %(last)s") % {"first": first, "last": last}

    @property
    def before_words(self) -> list[str]:
        """What came before the first open failure, the latest first: it tells the order, and leaves the cause open."""
        found = []
        if (change := self.before.change) is not None:
            words = gettext("%(span)s after a change by %(who)s")
            found.append((change.at, words % {"span": self._until_opened(change.at), "who": change.name}))
        if (release := self.before.release) is not None:
            words = gettext("%(span)s after the start of release %(version)s")
            found.append((release.at, words % {"span": self._until_opened(release.at), "version": release.name}))
        return [words for _, words in sorted(found, reverse=True)]

    def _until_opened(self, at: datetime) -> str:
        return span_words((self.group.opened_at - at).total_seconds())

    @cached_property
    def ages(self) -> list[AgeCell]:
        cells = []
        for (name, _age), found in zip(AGES, self.counts, strict=False):
            label = str(AGE_LABELS[name])
            number = grouped(found.count) + ("" if found.is_exact else "+")
            words = ngettext(
                "%(number)s open failure of %(job)s in the last %(age)s",
                "%(number)s open failures of %(job)s in the last %(age)s",
                found.count,
            )
            cells.append(
                AgeCell(
                    label,
                    number,
                    sum(found.count >= least for least in WARMTHS),
                    self.executions_url(open_since=found.since.isoformat(timespec="milliseconds")),
                    words % {"number": number, "job": self.name, "age": label},
                )
            )
        return cells

    def executions_url(self, **parameters: str) -> str:
        """Return the address of the list of this group's executions."""
        asked = {"job": self.group.job_id, "detail__fingerprint": self.group.fingerprint, **parameters}
        return f"{reverse('admin:django_apscheduler_djangojobexecution_changelist')}?{urlencode(asked)}"

    @property
    def all_url(self) -> str:
        return self.executions_url()

    def act_url(self, act: str) -> str:
        return failure_url(act, self.pk)

    @property
    def acknowledge_url(self) -> str:
        return self.act_url("acknowledge")

    @property
    def snooze_url(self) -> str:
        return self.act_url("snooze")

    @property
    def reopen_url(self) -> str:
        return self.act_url("reopen")

    @property
    def retry_url(self) -> str:
        return self.act_url("retry")


def rows_of(groups: Sequence[FailureGroup], may: Mapping[str, bool]) -> list[FailureRow]:
    """Return the rows of a page, in a number of queries that does not grow with it."""
    now = timezone.now()
    counts, before = services.counts_by_age(groups, now), services.came_before(groups)
    return [FailureRow(each, now, counts=counts[each.pk], before=before[each.pk], may=may) for each in groups]


def to_the_minute(value: datetime | None, now: datetime) -> Moment | None:
    """Return a moment as a cell that is short by its seconds: between failures they are noise."""
    found = moment(value, now=now)
    return None if found is None or value is None else replace(found, short=short_minute(value, now))


def short_minute(value: datetime, now: datetime) -> str:
    return short_time(timezone.localtime(value).replace(second=0, microsecond=0), now)


def grouped(number: int) -> str:
    return number_format(number, force_grouping=True)
