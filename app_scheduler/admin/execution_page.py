"""What the page of one execution shows below its sentence and steps: fault, log, arguments, other attempts.

Each part is a plain value that a template fragment of its own shows, worked out when the template asks for it.
Whatever is stored, none of this raises: the page of a failure is the last that may fail.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext
from django_apscheduler.models import DjangoJobExecution

from app_scheduler import documents, logs, services, tracebacks, triggers
from app_scheduler.admin import columns
from app_scheduler.admin.execution_facts import Facts
from app_scheduler.admin.execution_story import Step, lower_first, sentence, steps, what_comes_next
from app_scheduler.admin.failure_page import elsewhere
from app_scheduler.admin.failure_rows import failure_url
from app_scheduler.models import ExecutionDetail, FailureGroup, Status
from app_scheduler.registry import registry

#: More failures like this one are not counted.
MAX_ALIKE = 100
#: So many attempts before and after this one are shown; their own pages lead on.
MAX_ATTEMPTS = 10
#: Longer entries of a log show their first line.
UNFOLDED_LINES = 8


@dataclass(slots=True)
class Fault:
    """The exception of a failure. ``alike`` is how many failures are like it, itself included.

    ``alike_url`` leads to its group in the inbox, ``elsewhere`` to those of other jobs that fail alike.
    """

    headline: str
    traceback: tracebacks.Traceback | None
    raw: str
    fingerprint: str = ""
    alike: int = 0
    alike_url: str = ""
    elsewhere: list[tuple[columns.Link, int]] = field(default_factory=list)

    @property
    def alike_words(self) -> str:
        if self.alike > MAX_ALIKE:
            return gettext("more than %(number)d like this") % {"number": MAX_ALIKE}
        if self.alike < 2:
            return ""
        return ngettext("%(number)d like this", "%(number)d like this", self.alike) % {"number": self.alike}


def fault(facts: Facts) -> Fault | None:
    execution = facts.execution
    raw = execution.traceback or ""
    if not raw and not execution.exception:
        return None
    fingerprint = facts.detail.fingerprint if facts.detail else ""
    alike, alike_url = 0, ""
    others: list[tuple[columns.Link, int]] = []
    if fingerprint:
        job_id = execution.job_id
        alike_url, others = _group_url(job_id, fingerprint), elsewhere(job_id, fingerprint)
        alike = ExecutionDetail.objects.alike(fingerprint).order_by().values("pk")[: MAX_ALIKE + 1].count()
    parsed = tracebacks.parse(raw, base=str(getattr(settings, "BASE_DIR", ""))) if raw.strip() else None
    headline = facts.exception_line or _last_line(raw)
    return Fault(headline, parsed, raw or str(execution.exception), fingerprint, alike, alike_url, others)


def _group_url(job_id: str, fingerprint: str) -> str:
    """Return the address of the group of failures, or of the list of those alike where no group is kept any more."""
    group = FailureGroup.objects.filter(job_id=job_id, fingerprint=fingerprint).values_list("pk", flat=True).first()
    if group is not None:
        return failure_url("change", group)
    executions = reverse("admin:django_apscheduler_djangojobexecution_changelist")
    return f"{executions}?{urlencode({'detail__fingerprint': fingerprint})}"


def _last_line(text: str) -> str:
    lines = text.strip().split("\n")
    return lines[-1].strip()


@dataclass(slots=True)
class LogLine:
    entry: logs.Entry
    clock: str = ""
    exact: str = ""

    @property
    def text(self) -> str:
        """The message, or its first line where so much follows that it is folded."""
        return self.entry.message.split("\n", 1)[0] if self.folded else self.entry.message

    @property
    def folded(self) -> str:
        """What follows the first line of a long message: an exception's traceback, mostly."""
        _first, _break, rest = self.entry.message.partition("\n")
        return rest if len(self.entry.raw) > UNFOLDED_LINES else ""

    @property
    def folded_words(self) -> str:
        number = len(self.entry.raw) - 1
        return ngettext("%(number)d more line", "%(number)d more lines", number) % {"number": number}

    @property
    def look(self) -> str:
        """The classes that colour an entry and that the level filter goes by."""
        if not self.entry.level:
            return "gap"
        if self.entry.is_printed:
            return "printed stderr" if self.entry.level == "STDERR" else "printed"
        return "w e" if self.entry.is_error else "w" if self.entry.is_warning else ""

    @property
    def level(self) -> str:
        return {"WARNING": "WARN", "CRITICAL": "FATAL"}.get(self.entry.level, self.entry.level)


@dataclass(slots=True)
class Log:
    lines: list[LogLine]
    count: int
    #: (value, label, number of entries) of the level filter, only what there is something to show for.
    levels: list[tuple[str, str, int]] = field(default_factory=list)

    @property
    def count_words(self) -> str:
        number = number_format(self.count, force_grouping=True)
        return ngettext("%(number)s line", "%(number)s lines", self.count) % {"number": number}


def log(facts: Facts) -> Log | None:
    text = facts.detail.log if facts.detail else ""
    if not text:
        return None
    entries = logs.parse(text)
    lines = []
    for entry in entries:
        line = LogLine(entry)
        if entry.time is not None:
            local = entry.time.astimezone(facts.zone)
            line.clock, line.exact = local.strftime("%H:%M:%S.%f")[:-3], columns.exact_time(local)
        lines.append(line)
    counted = (
        ("all", gettext("All"), len(entries)),
        ("warnings", gettext("Warnings and errors"), sum(entry.is_warning for entry in entries)),
        ("errors", gettext("Errors"), sum(entry.is_error for entry in entries)),
        ("printed", gettext("Printed"), sum(entry.is_printed for entry in entries)),
    )
    levels = [level for level in counted if level[2]]
    return Log(lines, logs.count_lines(entries), levels if len(levels) > 1 else [])


@dataclass(slots=True)
class Argument:
    name: str
    value: str


def arguments(facts: Facts) -> list[Argument]:
    """Return the arguments by name, secrets masked, as JSON. Those of the job where the run kept none of its own."""
    function, args, kwargs = stored_arguments(facts)
    try:
        args, kwargs = documents.shown_arguments(function, args, kwargs)
    except Exception:  # Nothing that may be a secret is shown where it cannot be told from the rest.
        return []
    registered = registry.find(function) if function else None
    if registered is not None:
        with contextlib.suppress(Exception):  # stored for another signature
            args, kwargs = registered.signature.keyword_style(args, kwargs)
    numbered = [(gettext("argument %(number)d") % {"number": number}, value) for number, value in enumerate(args, 1)]
    return [Argument(str(name), _as_json(value)) for name, value in [*numbered, *kwargs.items()]]


def stored_arguments(facts: Facts) -> tuple[str, Any, Any]:
    """Return (function, args, kwargs) as they are stored, unmasked: the run's own, or else the job's."""
    detail, spec = facts.detail, facts.spec
    function = (detail.function if detail else "") or (spec.function if spec is not None else "")
    if detail is not None and (detail.args is not None or detail.kwargs is not None):
        return function, detail.args or [], detail.kwargs or {}
    if spec is not None:
        return function, spec.args or [], spec.kwargs or {}
    return function, [], {}


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except Exception:
        return str(value)


@dataclass(slots=True)
class Attempt:
    """Another attempt at the same work."""

    facts: Facts

    @property
    def url(self) -> str:
        return columns.execution_url(self.facts.execution.pk)

    @property
    def pill(self) -> columns.Pill:
        return self.facts.pill

    @property
    def words(self) -> str:
        """“Mon 23 Nov 08:00, failed after 2.28 s, attempt 1 of 3”."""
        clock = columns.short_time(self.facts.due.astimezone(self.facts.zone), self.facts.now)
        # A reason may be long, and the link leads to it.
        said = (
            self.facts.pill.label.lower() if self.facts.short_reason else lower_first(sentence(self.facts)).rstrip(".")
        )
        return f"{clock}, {said}"


@dataclass(slots=True)
class Attempts:
    """The attempts before and after one; ``first_url`` leads to the first, where it is not among those before."""

    earlier: list[Attempt]
    later: list[Attempt]
    first_url: str = ""


def attempts(facts: Facts) -> Attempts:
    """Return the attempts before this one and after it, the oldest first, by the chain of ``retry_of``."""
    seen = {facts.execution.pk}
    earlier: list[Attempt] = []
    wanted = facts.detail.retry_of_id if facts.detail else None
    while wanted is not None and wanted not in seen and len(earlier) < MAX_ATTEMPTS:
        found = _others().filter(pk=wanted).first()
        if found is None:
            break
        seen.add(found.pk)
        earlier.insert(0, _attempt(found, facts))
        wanted = found.detail.retry_of_id if hasattr(found, "detail") else None
    later: list[Attempt] = []
    level = [facts.execution.pk]
    while level and len(later) < MAX_ATTEMPTS:
        rows = list(_others().filter(detail__retry_of_id__in=level).order_by("pk")[:MAX_ATTEMPTS])
        level = [row.pk for row in rows if row.pk not in seen]
        seen.update(level)
        later += [_attempt(row, facts) for row in rows if row.pk in level]
    first_url = ""
    if wanted is not None and wanted not in seen and len(earlier) == MAX_ATTEMPTS:
        first_url = columns.execution_url(services.first_attempts([facts.execution.pk])[facts.execution.pk])
    return Attempts(earlier, later[:MAX_ATTEMPTS], first_url)


def _others() -> QuerySet[Any]:
    found: QuerySet[Any] = DjangoJobExecution.objects.select_related("detail", "job__spec")
    return found.defer("traceback", "job__job_state", "detail__log", "detail__result", "detail__args", "detail__kwargs")


def _attempt(execution: DjangoJobExecution, facts: Facts) -> Attempt:
    return Attempt(Facts(execution, facts.now))


def what_it_waits_for(facts: Facts) -> str:
    """Return why a queued execution does not start, where its own job or its concurrency group is busy."""
    available = facts.detail.available_at if facts.detail else None
    if facts.status != Status.QUEUED or facts.spec is None or available is None or available > facts.now:
        return ""
    running = ExecutionDetail.objects.running().filter(execution__job_id=facts.execution.job_id)
    limit = facts.spec.max_instances
    first = list(running.order_by("started_at").values_list("execution_id", flat=True)[:limit])
    if not first or len(first) < limit:
        return _group_words(facts.spec.concurrency_group)
    return ngettext(
        "At most %(limit)d run of this job at a time, and execution %(pk)d is still running.",
        "At most %(limit)d runs of this job at a time, and execution %(pk)d is the oldest that is still running.",
        limit,
    ) % {"limit": limit, "pk": first[0]}


def _group_words(group: str) -> str:
    """Return that the slots of a group are taken, or "" where there is no group or a slot is free."""
    slots, holders = services.holders_of(group) if group else (1, [])
    if len(holders) < slots:
        return ""
    return ngettext(
        "The group “%(group)s” has %(slots)d slot, and execution %(pk)d holds it.",
        "The group “%(group)s” has %(slots)d slots, and execution %(pk)d is the oldest that holds one.",
        slots,
    ) % {"group": group, "slots": slots, "pk": holders[0]}


@dataclass(slots=True)
class Neighbours:
    """The addresses of the runs of the same job before and after this one."""

    previous: str = ""
    following: str = ""


def neighbours(facts: Facts) -> Neighbours:
    """Look for them by the unique index on (job, run_time), one step each."""
    others = DjangoJobExecution.objects.filter(job_id=facts.execution.job_id)
    before = others.filter(run_time__lt=facts.due).order_by("-run_time").values_list("pk", flat=True).first()
    after = others.filter(run_time__gt=facts.due).order_by("run_time").values_list("pk", flat=True).first()
    return Neighbours(
        columns.execution_url(before) if before is not None else "",
        columns.execution_url(after) if after is not None else "",
    )


class Page:
    """All that the page of one execution shows; each part is worked out when the template asks for it."""

    def __init__(self, execution: DjangoJobExecution, now: datetime) -> None:
        self.facts = Facts(execution, now)
        self.execution = execution
        self.detail = self.facts.detail
        self.spec = self.facts.spec

    @cached_property
    def sentence(self) -> str:
        after = what_comes_next(self.facts, self._next_attempt) or what_it_waits_for(self.facts)
        return f"{sentence(self.facts)} {after}".strip()

    @property
    def _next_attempt(self) -> Facts | None:
        return self.attempts.later[0].facts if self.attempts.later else None

    @property
    def is_moving(self) -> bool:
        """Whether what the page says will change by itself: this attempt, or the one after it, is on the way."""
        following = self._next_attempt
        return self.facts.is_on_the_way or (following is not None and following.is_on_the_way)

    @cached_property
    def steps(self) -> list[Step]:
        return steps(self.facts)

    @cached_property
    def fault(self) -> Fault | None:
        return fault(self.facts)

    @cached_property
    def log(self) -> Log | None:
        return log(self.facts)

    @cached_property
    def arguments(self) -> list[Argument]:
        return arguments(self.facts)

    @cached_property
    def attempts(self) -> Attempts:
        return attempts(self.facts)

    @cached_property
    def neighbours(self) -> Neighbours:
        return neighbours(self.facts)

    @cached_property
    def schedule(self) -> str:
        return triggers.describe(self.spec.trigger) if self.spec is not None else ""

    @cached_property
    def due(self) -> columns.Moment | None:
        return columns.moment(self.facts.due, zone=self.facts.zone, now=self.facts.now)

    @cached_property
    def function(self) -> str:
        return stored_arguments(self.facts)[0]

    @property
    def can_run_again(self) -> bool:
        """Whether it has ended and its job has a function to run: one that django-apscheduler made may have none."""
        return not self.facts.is_on_the_way and self.spec is not None and registry.find(self.spec.function) is not None

    @property
    def can_be_cancelled(self) -> bool:
        """Whether it is still to end, and nobody has cancelled it yet."""
        detail = self.detail
        return self.facts.is_on_the_way and detail is not None and detail.cancel_asked_at is None

    @property
    def is_function_gone(self) -> bool:
        return bool(self.function) and registry.find(self.function) is None

    @property
    def shows_reason(self) -> bool:
        """Whether the reason is not in the sentence already."""
        return bool(self.facts.reason) and self.facts.reason.rstrip(".").lower() not in self.sentence.lower()

    @cached_property
    def acknowledged(self) -> columns.Moment | None:
        at = self.detail.acknowledged_at if self.detail else None
        return columns.moment(at, zone=self.facts.zone, now=self.facts.now)
