"""How a job has gone: its strip in the list, and the strip, the charts and the open failures of its page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from app_scheduler import services
from app_scheduler.admin import charts, columns, strips
from app_scheduler.models import FailureGroup, JobDay, Status
from app_scheduler.services import Actor, Run
from tests.integration.admin.histories import fill, make_execution
from tests.integration.admin.jobs_site import LIST, VIEWER, client_of, make_job, person, text_of, url_of

pytestmark = pytest.mark.django_db

#: At 12:00 in Sydney, this year: of another the words would name the year.
NOON = datetime(timezone.now().year, 3, 2, 1, 0, tzinfo=UTC)
DAY = f"{NOON:%a} 2 Mar"


def bars_of(response: Any) -> list[tuple[str, str, str]]:
    """Return (look, address, words) of each bar of the page's first strip."""
    strip = re.search(r'<span class="jc-strip".*?</span>', response.content.decode(), re.S)
    assert strip, "there is no strip"
    bars = re.findall(r'<a href="([^"]*)"[^>]*? class="([^"]*)" aria-label="([^"]*)">', strip[0])
    return [(look, url, unescape(words)) for url, look, words in bars]


def test_each_bar_leads_to_its_execution_and_says_when_how_and_how_long(client: Client) -> None:
    make_job()
    missed = make_execution("sum", Status.MISSED, due=NOON, tick_count=12)
    failed = make_execution("sum", Status.ERROR, due=NOON + timedelta(minutes=1), took=4.0)
    fine = make_execution("sum", due=NOON + timedelta(minutes=2), took=2.31)
    for url in (LIST, url_of("sum")):
        bars = bars_of(client.get(url))
        assert [address.split("/")[-3] for _, address, _ in bars] == [str(e.pk) for e in (missed, failed, fine)]
        assert [words for *_, words in bars] == [
            f"{DAY} 12:00, Missed, 12 ticks",
            f"{DAY} 12:01, Error, 4.00 s",
            f"{DAY} 12:02, Executed, 2.31 s",
        ]
        assert [look for look, *_ in bars] == ["missed w5", "fail", "ok h4"]
    assert client.get(bars[0][1]).status_code == 200


def test_a_strip_is_one_stop_of_the_tab_key(client: Client) -> None:
    make_job()
    for minute in range(50):
        make_execution("sum", due=NOON + timedelta(minutes=minute))
    page = client.get(LIST).content.decode()
    strip = re.search(r'<span class="jc-strip".*?</span>', page, re.S)
    assert strip
    assert strip[0].count("<a ") == 40
    assert strip[0].count('tabindex="-1"') == 39
    assert 'tabindex="-1"' not in strip[0].rpartition("<a ")[2], "the latest is where the key stops"
    assert 'aria-label="The last 40 ticks of Add"' in strip[0]


def test_the_line_below_says_how_reliable_and_how_long(client: Client) -> None:
    make_job()
    assert "never ran" in text_of(client.get(LIST))
    for minute, (status, took) in enumerate([("Executed", 0.9), ("Executed", 0.7), ("Error!", 9), ("Executed", 2)]):
        make_execution("sum", status, due=NOON + timedelta(minutes=minute), took=took)
    assert "75.0 % ok · usually 900 ms" in text_of(client.get(LIST))
    assert "75.0 % ok · usually 900 ms" in text_of(client.get(url_of("sum")))
    make_execution("sum", Status.MISSED, due=NOON + timedelta(hours=1), tick_count=1_996)
    assert "0.1 % ok · usually 900 ms · 1,996 missed" in text_of(client.get(LIST))


def test_runs_by_hand_alone_are_no_ticks(client: Client) -> None:
    make_job()
    make_execution("sum", origin="manual")
    services.change_job("sum", {"name": "Sum"}, Actor())
    page = client.get(url_of("sum")).content.decode()
    assert "jc-strip" not in page.replace("strips.", "")
    assert "Executed, 2.31 s, run now" in page, "but the chart has them"


def test_who_may_not_look_at_executions_sees_the_strip_and_no_link() -> None:
    make_job()
    make_execution("sum", Status.ERROR, due=NOON)
    client = client_of(person("viewer", *VIEWER))
    for url in (LIST, url_of("sum")):
        page = client.get(url).content.decode()
        assert re.search(r'<span class="jc-strip" role="img" aria-label="The last tick of Add, 0 % ok">', page)
        assert f'title="{DAY} 12:00, Error, 2.31 s"' in page
        assert "djangojobexecution/" not in page


def test_names_in_a_strip_cannot_inject_html(client: Client) -> None:
    make_job("odd", name='"><script>alert(1)</script>')
    make_execution("odd", '"><script>alert(2)</script>')
    for url in (LIST, url_of("odd")):
        page = client.get(url).content.decode()
        assert "<script>alert" not in page


def test_the_strip_speaks_the_readers_language_and_numbers(client: Client) -> None:
    make_job()
    make_execution("sum", due=NOON, took=2.31)
    page = client.get(url_of("sum"), headers={"accept-language": "de"}).content.decode()
    assert "2,31 s" in page
    assert not re.search(r'(x|y|width|height)[12]?="\d+,\d', page), "a browser reads numbers with a point"


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0 %"), (1, "100 %"), (0.9996, "99.9 %"), (0.0004, "< 0.1 %"), (0.98, "98.0 %")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, words: str) -> None:
    assert columns.share_words(share) == words


@pytest.mark.parametrize(("number", "words"), [(2, "2"), (640, "640"), (12_345, "12k"), (3_000_000, "3M")])
def test_a_gaps_number_fits_into_it(number: int, words: str) -> None:
    assert strips.count_words(number) == words


@pytest.mark.parametrize(
    ("seconds", "usual", "height"),
    [(1, 1, 4), (2, 1, 6), (0.5, 1, 2), (900, 1, 9), (0, 1, 1), (0, 0.0001, 4), (5, None, 4)],
)
def test_a_bars_height_is_relative_to_what_is_usual(seconds: float, usual: float | None, height: int) -> None:
    assert strips.height_of(Run(1, "Executed", NOON, seconds=seconds), usual) == height


# --- the page of a job ----------------------------------------------------------------------------------------------


def test_the_page_says_how_it_has_gone_lately_and_over_days(client: Client) -> None:
    make_job()
    for minute in range(20):
        make_execution("sum", due=NOON + timedelta(minutes=minute), took=1 + minute)
    today = timezone.now().astimezone(UTC).date()
    JobDay.objects.create(job_id="sum", day=today - timedelta(days=9), executed=999, failed=1, seconds=99.9, longest=7)
    words = text_of(client.get(url_of("sum")))
    assert "The last 20 executions: 100 % ok, half of them within 10 s, 95 of 100 within 19 s." in words
    assert "The last 10 days: 99.9 % ok of 1,000." in words
    assert "Executed Failed Missed Skipped On average Longest" in words
    assert re.search(r"\d{4} 999 1 0 0 100 ms 7\.00 s", words)


def test_the_chart_has_a_bar_and_a_row_of_its_table_for_each_execution(client: Client) -> None:
    make_job()
    fill("sum", 250)
    page = client.get(url_of("sum")).content.decode()
    chart = re.search(r'<svg class="jc-plot-runs".*?</svg>', page, re.S)
    assert chart
    assert chart[0].count("<a ") == 200
    assert chart[0].count('tabindex="-1"') == 199
    table = re.search(r'<details class="jc-values"[^>]*>.*?</details>', page, re.S)
    assert table
    assert table[0].count("<tr>") == 201


def test_a_job_that_never_ran_has_no_empty_charts(client: Client) -> None:
    make_job()
    page = client.get(url_of("sum"))
    assert "It never ran." in text_of(page)
    assert "jc-plot" not in page.content.decode()


@pytest.mark.parametrize("lengths", [[0.0], [0.0001], [1.0, 1.0], [0.002, 40_000_000.0], []])
def test_any_length_has_a_place_on_the_scale(lengths: list[float]) -> None:
    scale = charts.Scale(lengths)
    assert all(charts.TOP <= scale.y(length) <= charts.FLOOR for length in lengths)
    assert 1 <= len(scale.lines()) <= charts.MAX_LINES
    assert len({line.label for line in scale.lines()}) == len(scale.lines())


def test_open_failures_are_named_and_lead_to_what_failed_alike(client: Client) -> None:
    make_job()
    failed = make_execution("sum", Status.ERROR, exception="ValueError: no such table", fingerprint="f1")
    now = timezone.now()
    seen = {"first_seen": now, "last_seen": now, "opened_at": now, "last_execution_id": failed.pk, "status": "Error!"}
    FailureGroup.objects.create(job_id="sum", fingerprint="f1", exception="ValueError: <b>", open_count=3, **seen)
    FailureGroup.objects.create(job_id="sum", fingerprint="f2", exception="KeyError: settled", open_count=0, **seen)
    page = client.get(url_of("sum"))
    assert "3 open ValueError: <b>" in text_of(page)
    assert "KeyError" not in text_of(page)
    group = re.search(r'href="([^"]*)">ValueError: ', page.content.decode())
    assert group
    assert "ValueError: <b>" in text_of(client.get(unescape(group[1])))
    inbox = re.search(r'href="([^"]*)">All failures of this job', page.content.decode())
    assert inbox
    assert len(client.get(unescape(inbox[1])).context["cl"].result_list) == 1, "what nobody settled, or lately"


def test_the_page_costs_the_same_however_long_the_history(client: Client) -> None:
    make_job()
    make_execution("sum")
    counts = []
    for _ in range(2):
        client.get(url_of("sum"))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url_of("sum")).status_code == 200
        counts.append(len(queries))
        fill("sum", 600)
    assert counts[0] == counts[1] <= 20, counts
    counted = [q["sql"] for q in queries.captured_queries if "COUNT" in q["sql"] and "djangojobexecution" in q["sql"]]
    assert not counted, "the history may hold millions"


def test_the_words_of_a_page_are_those_of_one_run_each() -> None:
    noon = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
    words = strips.run_words(noon)
    zone = timezone.get_default_timezone()
    with translation.override("en"):
        run = Run(1, Status.STARTED, noon + timedelta(seconds=7), seconds=242.0, origin="retry", ticks=3)
        assert words.of(run, zone) == "Mon 2 Mar 12:00:07, Running, 4 min 02 s so far, 3 ticks, retry"
        assert words.of(Run(1, "Strange", noon - timedelta(days=365)), zone) == "Sun 2 Mar 2025 12:00, Strange"
