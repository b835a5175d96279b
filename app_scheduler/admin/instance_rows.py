"""An instance as the list and its own page show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from app_scheduler import services
from app_scheduler.admin.columns import EMPTY, Link, Moment, Pill, execution_link, moment, span_words
from app_scheduler.admin.execution_facts import instance_words
from app_scheduler.models import SchedulerInstance
from app_scheduler.services import Instance, InstanceState, RunHere

NAME = "app_scheduler_schedulerinstance"
TEMPLATES = "admin/app_scheduler/schedulerinstance"
#: So much of the name of a job is shown beside others in a cell.
MAX_NAME = 40

#: The look and the word of each state.
STATES = {
    InstanceState.LEADS: ("ok", _("Leads")),
    InstanceState.STANDS_BY: ("finished", _("Stands by")),
    InstanceState.WORKS: ("running", _("Works")),
    InstanceState.DRAINING: ("missed", _("Draining")),
    InstanceState.DRAINED: ("paused", _("Drained")),
    InstanceState.GONE: ("fail", _("Gone")),
}
#: What each means for whoever wonders.
WORDS = {
    InstanceState.LEADS: _("It claims what is due and hands it out."),
    InstanceState.STANDS_BY: _("It leads as soon as the leader stops, drains or is gone."),
    InstanceState.WORKS: _("It takes executions from its queues."),
    InstanceState.DRAINING: _("It takes nothing new and ends what it runs."),
    InstanceState.DRAINED: _("It runs nothing and takes nothing: it may be stopped, or let go on."),
    InstanceState.GONE: _("Its heartbeat has stopped. What it ran gets its verdict from whoever leads."),
}


def instance_url(page: str, *args: str) -> str:
    return reverse(f"admin:{NAME}_{page}", args=[quote(each) for each in args])


class InstanceRow:
    """What the cells of an instance show. Without ``found``, its process has stopped since the page was made."""

    def __init__(self, row: SchedulerInstance, found: Instance | None, now: datetime, may: Mapping[str, bool]) -> None:
        self.row = row
        self.found = found
        self.now = now
        self.may = may

    @property
    def name(self) -> str:
        return gettext("%(host)s, process %(pid)s") % {"host": self.row.host, "pid": self.row.pid}

    @property
    def stopped_name(self) -> str:
        return instance_words(self.row.pk)

    @property
    def url(self) -> str:
        return instance_url("change", self.row.pk)

    @cached_property
    def pill(self) -> Pill:
        if self.found is None:
            return Pill("finished", gettext("Stopped"))
        look, label = STATES[self.found.state]
        return Pill(look, str(label))

    @property
    def words(self) -> str:
        """What the state means for whoever wonders, in a sentence."""
        return str(WORDS[self.found.state]) if self.found else ""

    @property
    def is_worker(self) -> bool:
        return self.row.role == "worker"

    @property
    def drains(self) -> bool:
        return self.row.draining_since is not None

    @property
    def may_drain(self) -> bool:
        return self._may_act and not self.drains

    @property
    def may_resume(self) -> bool:
        return self._may_act and self.drains

    @property
    def _may_act(self) -> bool:
        return bool(self.may.get("may_change")) and self.found is not None and self.found.state != InstanceState.GONE

    @property
    def drain_url(self) -> str:
        return instance_url("drain", self.row.pk)

    @property
    def resume_url(self) -> str:
        return instance_url("resume", self.row.pk)

    @cached_property
    def draining_since(self) -> Moment | None:
        return moment(self.row.draining_since, now=self.now)

    @cached_property
    def started(self) -> Moment | None:
        return moment(self.row.started_at, now=self.now)

    @property
    def heartbeat(self) -> str:
        return gettext("%(span)s ago") % {"span": span_words(self.found.heartbeat_age)} if self.found else EMPTY

    @property
    def queues(self) -> list[str]:
        return services.queues_of(self.row)

    @property
    def slots(self) -> str:
        return gettext("%(busy)s of %(slots)s") % {"busy": self.running, "slots": self.row.slots} if self.found else ""

    @property
    def running(self) -> int:
        return self.found.running if self.found else 0

    @cached_property
    def runs(self) -> list[tuple[SafeString | str, Moment | None]]:
        """Return each run that is named, with a link for who may look at executions, and since when it runs."""
        return [(self._run(run), moment(run.started_at, now=self.now)) for run in self._named]

    @property
    def _named(self) -> Sequence[RunHere]:
        return self.found.runs if self.found else []

    def _run(self, run: RunHere) -> SafeString | str:
        name = Truncator(run.name).chars(MAX_NAME)
        return execution_link(run.execution_id, name).render() if self.may.get("may_view_executions") else name

    @property
    def more(self) -> str:
        """How many more run than are named."""
        rest = self.running - len(self._named)
        return ngettext("and %(count)s more", "and %(count)s more", rest) % {"count": rest} if rest > 0 else ""

    @property
    def link(self) -> Link:
        return Link(self.url, self.name)


def rows_of(instances: Sequence[SchedulerInstance], may: Mapping[str, bool], named: int) -> list[InstanceRow]:
    """Return the rows of these instances, in two queries."""
    now = timezone.now()
    return [InstanceRow(found.row, found, now, may) for found in services.instances_of(instances, named)]
