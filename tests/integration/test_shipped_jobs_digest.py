"""The shipped job email_failure_digest: what it tells, what it never tells, and to whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone, translation
from django_apscheduler.models import DjangoJob, DjangoJobExecution
from pytest_django import Settings

from app_scheduler.engine import runner
from app_scheduler.engine.queue import timestamp
from app_scheduler.jobs import email_failure_digest
from app_scheduler.maintenance import digest
from app_scheduler.models import ExecutionDetail, JobSpec, Status

pytestmark = pytest.mark.django_db

OPS = ["ops@example.com"]

TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/orders/jobs.py", line 12, in send_orders
    post(order)
  File "/usr/lib/python3.11/urllib/request.py", line 9, in urlopen
    raise OSError
ValueError: no stock
"""


@pytest.fixture(autouse=True)
def _mailbox(settings: Settings) -> None:
    settings.EMAIL_SUBJECT_PREFIX = "[Console] "


def make_job(job_id: str = "orders", name: str = "Send orders", **spec: Any) -> str:
    DjangoJob.objects.create(id=job_id, job_state=b"")
    values = {"function": "tests.probe.jobs.fail", "trigger": {}, "anchor": timezone.now(), **spec}
    JobSpec.objects.create(job_id=job_id, name=name, **values)
    return job_id


def make_execution(
    job_id: str = "orders",
    status: Status = Status.ERROR,
    *,
    hours_ago: float = 1,
    due_hours_ago: float | None = None,
    exception: str | None = "ValueError: no stock",
    traceback: str | None = TRACEBACK,
    fingerprint: str = "f1",
    **detail: Any,
) -> int:
    ended = timezone.now() - timedelta(hours=hours_ago)
    due = ended if due_hours_ago is None else timezone.now() - timedelta(hours=due_hours_ago)
    failed = status == Status.ERROR
    execution = DjangoJobExecution.objects.create(
        job_id=job_id,
        status=status.value,
        run_time=due,
        finished=timestamp(ended),
        exception=exception if failed else None,
        traceback=traceback if failed else None,
    )
    detail = {"fingerprint": fingerprint if failed else "", "queued_at": due, **detail}
    ExecutionDetail.objects.create(execution=execution, **detail)
    return int(execution.pk)


def sent() -> EmailMultiAlternatives:
    (message,) = mail.outbox
    assert isinstance(message, EmailMultiAlternatives)
    return message


def html() -> str:
    ((content, kind),) = sent().alternatives
    assert kind == "text/html"
    return str(content)


def parts() -> list[str]:
    return [str(sent().body), html()]


def test_failures_are_grouped_by_their_fingerprint() -> None:
    make_job()
    make_job("stock", "Count stock")
    make_execution(hours_ago=3)
    make_execution(hours_ago=2)
    make_execution("stock", hours_ago=1)
    make_execution("stock", hours_ago=1.5, fingerprint="f2", exception="KeyError: 'sku'", traceback=None)
    result = email_failure_digest(OPS)
    assert result == {"sent_to": 1, "failures": 4, "faults": 2, "missed_ticks": 0}
    assert sent().subject == "[Console] 4 failures of scheduled jobs"
    for part in parts():
        assert "3 × ValueError" in part and "no stock" in part
        assert "1 × KeyError" in part
        assert part.index("ValueError") < part.index("KeyError"), "the most frequent comes first"
        assert "Send orders" in part and "Count stock" in part
        assert "/srv/shop/orders/jobs.py, line 12, in send_orders" in part, "the place in the site's own code"


def test_the_first_and_the_last_time_are_told_in_the_sites_time_zone(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    make_job()
    pks = [make_execution(hours_ago=hours) for hours in (5, 3, 1)]
    moments = [
        timezone.localtime(datetime.fromtimestamp(float(row.finished), UTC)).strftime("%H:%M:%S +0545")
        for row in DjangoJobExecution.objects.filter(pk__in=pks).order_by("run_time")
    ]
    email_failure_digest(OPS)
    for part in parts():
        assert moments[0] in part and moments[2] in part
        assert moments[1] not in part


@pytest.mark.parametrize("asked_in", ["en", "fr"])
def test_it_is_in_the_sites_language_whoever_asks_for_it(settings: Settings, asked_in: str) -> None:
    settings.LANGUAGE_CODE = "de"
    make_job()
    make_execution()
    make_execution(status=Status.TIMED_OUT, fingerprint="", traceback=None)
    make_execution(status=Status.MISSED, tick_count=3)
    with translation.override(asked_in):
        email_failure_digest(OPS)
        assert translation.get_language() == asked_in
    assert sent().subject == "[Console] 2 Fehlschläge geplanter Jobs, 3 verpasste Termine"
    for part in parts():
        assert "Geplante Jobs von" in part
        assert "2 Fehlschläge" in part and "3 verpasste Termine" in part
        assert "/srv/shop/orders/jobs.py, Zeile 12, in send_orders" in part
        assert "1 × Zeitlimit überschritten" in part
    assert '<html lang="de">' in html()


def test_what_failed_before_the_time_asked_about_is_left_out() -> None:
    make_job()
    make_execution(hours_ago=3)
    assert email_failure_digest(OPS, hours=2)["failures"] == 0
    assert email_failure_digest(OPS, hours=4)["failures"] == 1


def test_what_was_due_long_before_and_failed_since_is_told() -> None:
    make_job()
    make_execution(hours_ago=1, due_hours_ago=500)
    assert email_failure_digest(OPS)["failures"] == 1


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.TIMED_OUT])
def test_every_kind_of_failure_is_told(status: Status) -> None:
    make_job()
    make_job("b")
    make_execution(status=status, reason="The process is gone.")
    make_execution("b", status=status, reason="The process is gone.")
    assert email_failure_digest(OPS)["faults"] == 1
    for part in parts():
        assert f"2 × {status.label}" in part and "The process is gone." in part


@pytest.mark.parametrize(
    "status", [Status.EXECUTED, Status.CANCELLED, Status.SKIPPED, Status.QUEUED, Status.STARTED, Status.MAX_INSTANCES]
)
def test_nothing_is_sent_when_nothing_failed(status: Status) -> None:
    make_job()
    make_execution(status=status)
    assert email_failure_digest(OPS) == {"sent_to": 0, "failures": 0, "faults": 0, "missed_ticks": 0}
    assert mail.outbox == []


def test_a_sign_of_life_is_sent_when_asked_for() -> None:
    assert email_failure_digest(OPS, send_when_empty=True)["sent_to"] == 1
    assert sent().subject == "[Console] No failures of scheduled jobs"
    for part in parts():
        assert "Nothing failed." in part


def test_missed_ticks_are_summed_and_told_with_the_reason() -> None:
    make_job()
    make_job("b", "Busy")
    make_execution(status=Status.MISSED, tick_count=1, hours_ago=2, reason="older")
    make_execution(status=Status.MISSED, tick_count=600_000, reason="Scheduler down from A to B")
    make_execution("b", status=Status.MAX_INSTANCES, reason="It still ran")
    result = email_failure_digest(OPS)
    assert result["missed_ticks"] == 600_001
    assert sent().subject == "[Console] 600001 missed ticks"
    for part in parts():
        assert "600001 × Send orders: " in part and "Scheduler down from A to B" in part
        assert "1 × Busy: It still ran" in part


def test_failures_and_missed_ticks_share_a_subject() -> None:
    make_job()
    make_execution()
    make_execution(status=Status.MISSED, hours_ago=2)
    email_failure_digest(OPS)
    assert sent().subject == "[Console] 1 failure of scheduled jobs, 1 missed tick"


def test_what_was_acknowledged_is_told_as_such() -> None:
    make_job()
    make_execution(acknowledged_at=timezone.now())
    make_execution(hours_ago=2)
    email_failure_digest(OPS)
    for part in parts():
        assert "2 × ValueError" in part and "1 acknowledged" in part


def test_a_failure_that_plain_django_apscheduler_recorded_is_told() -> None:
    make_job()
    pk = make_execution(exception='Job "send_orders (trigger: …)" raised an exception!')
    ExecutionDetail.objects.all().delete()
    JobSpec.objects.all().delete()
    email_failure_digest(OPS)
    assert DjangoJobExecution.objects.filter(pk=pk).exists()
    assert "1 × Error" in str(sent().body)
    assert "raised an exception!" in str(sent().body)


def test_a_real_failure_is_told_with_its_type_and_place() -> None:
    make_job()
    try:
        raise LookupError("not there")
    except LookupError as error:
        outcome = runner.Outcome(
            runner.Run(1, "orders", "f", [], {}, timezone.now()), Status.ERROR, timezone.now(), timezone.now()
        )
        runner._describe_error(outcome, error)
    make_execution(exception=outcome.exception, traceback=outcome.traceback, fingerprint=outcome.fingerprint)
    email_failure_digest(OPS)
    for part in parts():
        assert "1 × LookupError" in part
        assert "tests/integration/test_shipped_jobs_digest.py, line " in part
        assert "in test_a_real_failure_is_told_with_its_type_and_place" in part


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_long_texts_are_cut() -> None:
    make_job()
    make_execution(exception="ValueError: " + "x" * 900)
    make_execution(status=Status.MISSED, hours_ago=2, reason="y" * 900)
    email_failure_digest(OPS)
    for part in parts():
        assert "x" * 299 + "…" in part and "x" * 301 not in part
        assert "y" * 299 + "…" in part and "y" * 301 not in part


def test_many_faults_and_many_jobs_are_cut_with_how_many_more_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MAX_FAULTS", 3)
    monkeypatch.setattr(digest, "MAX_GAPS", 2)
    for number in range(8):
        make_job(f"job-{number}", f"Job number {number}")
        make_execution(f"job-{number}")
        make_execution(f"job-{number}", hours_ago=2, fingerprint=f"g{number}")
        make_execution(f"job-{number}", Status.MISSED, hours_ago=3)
    result = email_failure_digest(OPS)
    assert (result["failures"], result["faults"], result["missed_ticks"]) == (16, 9, 8)
    for part in parts():
        assert "and 3 more" in part
        assert "and 6 further faults" in part
        assert "and 6 further jobs" in part


def test_a_flood_of_failures_costs_no_more_queries(django_assert_max_num_queries: Any) -> None:
    make_job()
    for number in range(50):
        make_execution(hours_ago=number / 10, fingerprint=f"f{number % 30}")
    with django_assert_max_num_queries(4):
        assert email_failure_digest(OPS)["failures"] == 50


# --- what it never tells --------------------------------------------------------------------------------------------


def test_secrets_are_never_told(settings: Settings) -> None:
    settings.SHOP_API_KEY = "key-of-the-settings"
    make_job("orders", kwargs={"password": "kwarg-of-the-job", "message": "harmless"})
    make_execution(
        kwargs={"token": "kwarg-of-the-run"},
        log="a log",
        result="a result",
        exception="ValueError: key-of-the-settings kwarg-of-the-job kwarg-of-the-run https://u:in-a-url@host/ "
        "password=by-its-name harmless",
        traceback=TRACEBACK + "secret-line",
    )
    make_execution(status=Status.MISSED, hours_ago=2, reason="Cannot reach postgresql://app:in-a-reason@db/")
    email_failure_digest(OPS)
    for part in parts():
        assert "harmless" in part
        for secret in ("key-of", "kwarg-of", "in-a-url", "by-its-name", "a log", "a result", "in-a-reason"):
            assert secret not in part
        assert "secret-line" not in part


def test_a_secret_is_masked_before_the_text_is_cut() -> None:
    make_job("orders", kwargs={"password": "hunter22hunter22"})
    make_execution(exception="ValueError: " + "x" * 290 + "hunter22hunter22")
    email_failure_digest(OPS)
    for part in parts():
        assert "hunter" not in part


def test_markup_in_names_and_messages_is_only_text() -> None:
    make_job("orders", name="<script>alert(1)</script>")
    make_execution(exception="ValueError: <img src=x>")
    make_execution(status=Status.MISSED, hours_ago=2, reason="<b>bold</b>")
    email_failure_digest(OPS)
    assert "<script>" not in html() and "<img" not in html() and "<b>" not in html()
    assert "<script>alert(1)</script>" in str(sent().body), "nothing is escaped in plain text"


def test_line_breaks_in_names_and_messages_make_no_lines_and_no_headers() -> None:
    make_job("orders", name="a\nBcc: evil@example.com")
    make_execution(exception="ValueError: a\r\nBcc: evil@example.com")
    email_failure_digest(OPS)
    message = sent()
    assert "evil" not in message.subject
    assert message.message()["Bcc"] is None
    assert not any(line.startswith("Bcc") for line in str(message.body).splitlines())


# --- recipients -----------------------------------------------------------------------------------------------------


def test_it_goes_to_every_address_once() -> None:
    result = email_failure_digest(["a@example.com", " b@example.com", "a@example.com"], send_when_empty=True)
    assert result["sent_to"] == 2
    assert sent().to == ["a@example.com", "b@example.com"]
    assert sent().message()["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    "recipients",
    [
        [],
        "ops@example.com",
        [""],
        ["ops"],
        ["ops@example.com, evil@example.com"],
        ["ops@example.com\nBcc: evil@example.com"],
        ["ops@example.com\r\nBcc: evil@example.com"],
        ["Ops <ops@example.com>"],
        ["a@example.com", "not an address"],
        [f"a{number}@example.com" for number in range(101)],
    ],
)
def test_what_is_no_list_of_addresses_is_refused(recipients: Sequence[str]) -> None:
    with pytest.raises(ValueError, match=r"address|recipients"):
        email_failure_digest(recipients, send_when_empty=True)  # type: ignore[arg-type]
    assert mail.outbox == []


@pytest.mark.parametrize("hours", [0, -1, 10**6])
def test_hours_that_make_no_sense_are_refused(hours: int) -> None:
    with pytest.raises(ValueError, match="hours"):
        email_failure_digest(OPS, hours=hours)


def test_an_e_mail_that_cannot_be_sent_fails_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(message: EmailMultiAlternatives) -> int:
        raise ConnectionRefusedError("no server")

    monkeypatch.setattr(EmailMultiAlternatives, "send", refuse)
    with pytest.raises(ConnectionRefusedError):
        email_failure_digest(OPS, send_when_empty=True)


# --- links ----------------------------------------------------------------------------------------------------------


def test_links_lead_to_the_admin_when_the_sites_address_is_set(settings: Settings) -> None:
    settings.APP_SCHEDULER_BASE_URL = "https://console.example.com/"
    make_job()
    make_execution(hours_ago=2)
    newest = make_execution()
    email_failure_digest(OPS)
    pages = "https://console.example.com/admin/django_apscheduler/djangojobexecution/"
    for part in parts():
        assert f"{pages}{newest}/change/" in part
        assert pages in part.replace(f"{pages}{newest}/change/", "")


def test_without_the_sites_address_there_are_no_links() -> None:
    make_job()
    make_execution()
    email_failure_digest(OPS)
    for part in parts():
        assert "http" not in part and "/admin/" not in part


def test_a_site_without_an_admin_gets_no_links(settings: Settings) -> None:
    settings.APP_SCHEDULER_BASE_URL = "https://console.example.com"
    settings.ROOT_URLCONF = "tests.integration.test_shipped_jobs_digest"
    make_job()
    make_execution()
    assert email_failure_digest(OPS)["sent_to"] == 1
    assert "http" not in html()


urlpatterns: list[Any] = []
