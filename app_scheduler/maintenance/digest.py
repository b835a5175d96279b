"""The failure digest: what failed and what did not run, grouped by fault, as one e-mail."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.db.models import Count, Max, Min, Sum
from django.db.models.functions import Right
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext, override
from django_apscheduler.models import DjangoJobExecution

from app_scheduler.conf import console_settings
from app_scheduler.engine.queue import timestamp
from app_scheduler.maintenance.redaction import redact, secrets_of_arguments, secrets_of_settings
from app_scheduler.models import FAILURES, JobSpec, Status

logger = logging.getLogger(__name__)

MAX_RECIPIENTS = 100
MAX_HOURS = 24 * 366
MAX_FAULTS = 25
MAX_JOBS_PER_FAULT = 5
MAX_GAPS = 25
MAX_MESSAGE = 300
#: Characters of the end of a traceback in which its place is looked for.
TRACEBACK_TAIL = 8000
TEMPLATES = "app_scheduler/email/failure_digest"

_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+), in (?P<function>\S+)')
_LIBRARY = re.compile(r"[/\\](?:site-packages|dist-packages|lib[/\\]python\d[\d.]*)[/\\]|^<")


@dataclass(slots=True)
class Fault:
    """Failures with one fingerprint: one type of exception from one place; or one verdict where there is none."""

    status: str
    count: int = 0
    acknowledged: int = 0
    first: datetime | None = None
    last: datetime | None = None
    job_ids: list[str] = field(default_factory=list)
    newest: int = 0
    # Of the newest one, filled in for the faults that are shown.
    kind: str = ""
    place: str = ""
    message: str = ""
    jobs: list[str] = field(default_factory=list)
    more_jobs: int = 0
    url: str = ""

    def add(self, row: Mapping[str, Any]) -> None:
        self.count += row["count"]
        self.acknowledged += row["acknowledged"]
        first, last = _moment(row["first"]), _moment(row["last"])
        self.first = min(self.first or first, first)
        self.last = max(self.last or last, last)
        self.job_ids.append(row["job_id"])
        self.newest = max(self.newest, row["newest"])


@dataclass(slots=True)
class Gap:
    """Ticks of one job that did not run."""

    job_id: str
    ticks: int
    newest: int
    overlap: bool
    job: str = ""
    reason: str = ""


@dataclass(slots=True)
class Digest:
    """What there is to tell of the time since ``since``; ``faults`` and ``gaps`` hold the largest, largest first."""

    since: datetime
    until: datetime
    hours: int
    failures: int = 0
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)
    missed: int = 0
    overlapped: int = 0
    gap_count: int = 0
    gaps: list[Gap] = field(default_factory=list)
    url: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nobody need hear of it. A job that overlaps itself had its run; that alone is no news."""
        return not self.failures and not self.missed

    @property
    def more_faults(self) -> int:
        return self.fault_count - len(self.faults)

    @property
    def more_gaps(self) -> int:
        return self.gap_count - len(self.gaps)


def email_failure_digest(recipients: Sequence[str], hours: int, send_when_empty: bool) -> tuple[Digest, int]:
    """Send the digest of the last ``hours``; return it and how many addresses it went to, none where it is empty."""
    addresses = _checked(recipients)
    if not 1 <= hours <= MAX_HOURS:
        raise ValueError(f"hours is {hours:,}. Give a whole number between 1 and {MAX_HOURS:,}.")
    # Its readers are known by their addresses alone; by hand it may have been asked for in any language.
    with override(settings.LANGUAGE_CODE):
        digest = collect(timezone.now(), hours)
        if digest.is_empty and not send_when_empty:
            logger.info("Nothing failed and no tick was missed in the last %d hours: nothing to send", hours)
            return digest, 0
        message = compose(digest, addresses)
    message.send()
    logger.info("Sent %d failures to %d addresses", digest.failures, len(addresses))
    return digest, len(addresses)


def _checked(recipients: Sequence[str]) -> list[str]:
    """Return the addresses, each once. What would begin another header is no address."""
    if isinstance(recipients, str):
        raise ValueError('recipients is one text. Give a list, such as ["ops@example.com"].')
    addresses = list(dict.fromkeys(address.strip(" ") for address in recipients))
    if not addresses or len(addresses) > MAX_RECIPIENTS:
        raise ValueError(f"recipients has {len(addresses)} addresses. Give between 1 and {MAX_RECIPIENTS}.")
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            raise ValueError(f"{address[:100]!r} is not an e-mail address. Write it as name@example.com.") from None
    return addresses


def collect(now: datetime, hours: int) -> Digest:
    """Gather what failed and what did not run. The database groups, so that a flood of failures stays small here."""
    digest = Digest(now - timedelta(hours=hours), now, hours)
    # By when it ended, not by when it was due: what began before and failed since, or was found missed since, counts.
    ended = DjangoJobExecution.objects.filter(finished__gte=timestamp(digest.since)).order_by()
    faults = _faults(ended)
    digest.failures = sum(fault.count for fault in faults)
    digest.fault_count = len(faults)
    digest.faults = faults[:MAX_FAULTS]
    gaps = _gaps(ended)
    digest.missed = sum(gap.ticks for gap in gaps if not gap.overlap)
    digest.overlapped = sum(gap.ticks for gap in gaps if gap.overlap)
    digest.gap_count = len(gaps)
    digest.gaps = gaps[:MAX_GAPS]
    digest.url = _admin_url("changelist")
    _describe(digest)
    return digest


def _faults(ended: Any) -> list[Fault]:
    rows = (
        ended.filter(status__in=FAILURES)
        .values("status", "detail__fingerprint", "job_id")
        .annotate(
            count=Count("pk"),
            acknowledged=Count("detail__acknowledged_at"),
            first=Min("finished"),
            last=Max("finished"),
            newest=Max("pk"),
        )
    )
    faults: dict[tuple[str, str], Fault] = {}
    for row in rows.iterator():
        key = (row["status"], row["detail__fingerprint"] or "")
        faults.setdefault(key, Fault(row["status"])).add(row)
    return sorted(faults.values(), key=lambda fault: (-fault.count, -fault.newest))


def _gaps(ended: Any) -> list[Gap]:
    rows = (
        ended.filter(status__in=[Status.MISSED, Status.MAX_INSTANCES])
        .values("status", "job_id")
        .annotate(rows=Count("pk"), ticks=Sum("detail__tick_count"), newest=Max("pk"))
    )
    gaps = [
        Gap(row["job_id"], row["ticks"] or row["rows"], row["newest"], row["status"] == Status.MAX_INSTANCES)
        for row in rows.iterator()
    ]
    return sorted(gaps, key=lambda gap: (gap.overlap, -gap.ticks, -gap.newest))


def _describe(digest: Digest) -> None:
    """Fill in what is shown: names, and the message and the place of each fault's newest failure."""
    shown = [fault.newest for fault in digest.faults] + [gap.newest for gap in digest.gaps]
    samples = {sample["pk"]: sample for sample in _samples(shown)}
    job_ids = {job_id for fault in digest.faults for job_id in fault.job_ids[:MAX_JOBS_PER_FAULT]}
    job_ids |= {gap.job_id for gap in digest.gaps}
    named = JobSpec.objects.filter(pk__in=job_ids).exclude(name="").values_list("pk", "name")
    names = {job_id: _one_line(job_id) for job_id in job_ids} | {pk: _one_line(name) for pk, name in named}
    secrets = secrets_of_settings()
    for fault in digest.faults:
        fault.jobs = [names[job_id] for job_id in fault.job_ids[:MAX_JOBS_PER_FAULT]]
        fault.more_jobs = len(fault.job_ids) - len(fault.jobs)
        fault.url = _admin_url("change", fault.newest)
        if sample := samples.get(fault.newest):  # it may have been deleted since it was counted
            hidden = secrets | _secrets_of(sample)
            kind, _, text = (sample["exception"] or "").partition(": ")
            if kind.isidentifier():
                fault.kind = kind
            else:  # not as the runner writes it, or no exception at all
                text = sample["exception"] or sample["detail__reason"] or ""
            fault.message = _short(text, hidden)
            fault.place = place_of(sample["tail"] or "")
        fault.kind = fault.kind or str(_label(fault.status))
    for gap in digest.gaps:
        gap.job = names[gap.job_id]
        if sample := samples.get(gap.newest):
            gap.reason = _short(sample["detail__reason"] or "", secrets)


def _samples(ids: Iterable[int]) -> Iterable[dict[str, Any]]:
    arguments = ("detail__args", "detail__kwargs", "job__spec__args", "job__spec__kwargs")
    functions = ("detail__function", "job__spec__function")
    rows = DjangoJobExecution.objects.filter(pk__in=ids).annotate(tail=Right("traceback", TRACEBACK_TAIL))
    return rows.values("pk", "exception", "tail", "detail__reason", *functions, *arguments)


def _secrets_of(sample: Mapping[str, Any]) -> set[str]:
    function = sample["detail__function"] or sample["job__spec__function"] or ""
    own = secrets_of_arguments(function, sample["detail__args"] or [], sample["detail__kwargs"] or {})
    return own | secrets_of_arguments(function, sample["job__spec__args"] or [], sample["job__spec__kwargs"] or {})


def _short(text: str, secrets: set[str]) -> str:
    """Return a message on one line, without secrets. Cut last: half a secret would not be found."""
    return _one_line(redact(text[: MAX_MESSAGE * 20], secrets))


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def place_of(traceback: str) -> str:
    """Return the innermost frame of the site's own code in a traceback's text, or its innermost, or nothing."""
    frames = list(_FRAME.finditer(traceback))
    if not frames:
        return ""
    own = [frame for frame in frames if not _is_library(frame["file"])] or frames
    file = own[-1]["file"]
    base = getattr(settings, "BASE_DIR", None)
    if base and Path(file).is_relative_to(base):
        file = str(Path(file).relative_to(base))
    values = {"file": file, "line": own[-1]["line"], "function": own[-1]["function"]}
    return gettext("%(file)s, line %(line)s, in %(function)s") % values


def _is_library(file: str) -> bool:
    return bool(_LIBRARY.search(file)) or file.startswith((sys.prefix + "/", sys.base_prefix + "/"))


def _label(status: str) -> Any:
    return Status(status).label if status in Status.values else status


def _moment(finished: Decimal) -> datetime:
    return datetime.fromtimestamp(float(finished), UTC)


def _admin_url(page: str, *args: object) -> str:
    """Return the full URL of a page of executions in the admin, or nothing where the site's address is not set."""
    if not console_settings.base_url:
        return ""
    try:
        return console_settings.base_url + reverse(f"admin:django_apscheduler_djangojobexecution_{page}", args=args)
    except NoReverseMatch:  # a site whose admin has other names
        return ""


def compose(digest: Digest, recipients: Sequence[str]) -> EmailMultiAlternatives:
    """Return the e-mail. Its subject holds numbers only: nothing that a job, a person or an error chose."""
    context = {"digest": digest}
    prefix = getattr(settings, "EMAIL_SUBJECT_PREFIX", "")
    subject = prefix + " ".join(render_to_string(f"{TEMPLATES}_subject.txt", context).split())
    message = EmailMultiAlternatives(
        subject,
        render_to_string(f"{TEMPLATES}.txt", context),
        to=list(recipients),
        # RFC 3834: an absent person's mailbox need not answer.
        headers={"Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string(f"{TEMPLATES}.html", context), "text/html")
    return message
