"""The benchmarks work: each measure yields its figures, counts are true, and what dies is told. Nothing is timed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django_apscheduler.models import DjangoJob

from tests.benchmarks import __main__ as command_line
from tests.benchmarks import partitions, report, runner
from tests.benchmarks.catalogue import MEASURES, cases_of
from tests.benchmarks.results import Case, Cell, Outcome, Record
from tests.benchmarks.watch import Sent, Statements, wait_for

DRAIN = Case(count=10)


@pytest.mark.parametrize("measure", MEASURES)
def test_each_measure_yields_its_figures(measure: str) -> None:
    (case,) = cases_of(measure, "tiny")
    if settings.TEST_DATABASE not in MEASURES[measure].databases:
        pytest.skip("It is measured on another database.")

    outcome = runner.run_cell(measure, case, Cell("ours", settings.TEST_DATABASE))

    assert outcome.fault == ""
    assert outcome.done == outcome.wanted
    assert set(outcome.figures) == set(MEASURES[measure].figures)


def _in_thread(work: Callable[[], object]) -> None:
    def work_and_close() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=work_and_close)
    thread.start()
    thread.join()


def _three_statements() -> None:
    """Send three, and the two that make them a transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        # Twice the same statement, each sent by itself.
        cursor.executemany(f"DELETE FROM {DjangoJob._meta.db_table} WHERE id = %s", [("a",), ("b",)])


@pytest.mark.django_db(transaction=True)
def test_every_statement_of_another_thread_counts() -> None:
    with Statements().watching() as statements:
        _in_thread(_three_statements)
        assert statements.sent() == Sent(total=5, control=2)
        _in_thread(_three_statements)
        assert statements.sent() == Sent(total=10, control=4)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("main", "counted"), [(False, 0), (True, 5)])
def test_the_main_thread_counts_only_if_asked(main: bool, counted: int) -> None:
    connection.close()
    with Statements(main=main).watching() as statements:
        _three_statements()
        assert statements.sent().total == counted
    connection.close()


def test_waiting_ends_when_nothing_goes_on() -> None:
    assert wait_for(lambda: 3, 5, patience=0.02).count == 3


def test_waiting_goes_on_while_something_does() -> None:
    done = iter(range(100))
    assert wait_for(lambda: next(done), 50, patience=60).count == 50


def test_a_process_that_fails_is_reported() -> None:
    outcome = runner.run_cell("no_such_measure", DRAIN, Cell("memory"))
    assert "no_such_measure" in outcome.fault


def _drain(cell: Cell, per_second: float) -> Record:
    return Record("drain", DRAIN, cell, Outcome({"per_second": per_second}, done=10, wanted=10))


OURS, STOCK = Cell("ours", "sqlite"), Cell("stock", "sqlite")


def _row(text: str) -> list[str]:
    """Return the cells of the tables' only row."""
    rows = [line for line in text.splitlines() if line.startswith("| 10 ")]
    assert len(rows) == 1, text
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


def test_a_table_has_medians_and_ratios() -> None:
    records = [_drain(OURS, value) for value in (900, 5000, 1200)]
    records += [_drain(STOCK, 100), _drain(Cell("memory"), 2400)]
    assert _row(report.tables(records)) == [
        "10", "executions per second", "SQLite", "1,200", "100", "12.0", "2,400", "0.5",
    ]  # fmt: skip


def test_what_died_has_no_speed_and_is_told() -> None:
    died = Record("drain", DRAIN, STOCK, Outcome({"per_second": 7}, done=4, wanted=10, fault="database is locked"))
    text = report.tables([_drain(OURS, 1200), died, died])
    assert _row(text)[3:6] == ["1,200", "–", "–"]
    assert "- stock on sqlite, 10: stopped after 4 of 10: database is locked (2 times)" in text


def test_a_run_is_saved_and_its_tables_are_printed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = {"ours": Outcome({"per_second": 1200}), "memory": Outcome({"per_second": 2400}, series=[(0, 1.5)])}
    monkeypatch.setattr(runner, "run_cell", lambda measure, case, cell: outcomes[cell.side])
    path = tmp_path / "run.json"

    options = ["--scale", "tiny", "--repeat", "2", "--side", "ours", "--side", "memory", "--database", "sqlite"]
    command_line.main(["run", "drain", *options, "--output", str(path)])
    printed = capsys.readouterr().out
    command_line.main(["table", str(path)])

    assert capsys.readouterr().out == printed
    assert "| 1,200 |" in printed
    assert "sizes: tiny, each figure the median of 2" in printed
    sides = [record["cell"]["side"] for record in json.loads(path.read_text())["records"]]
    assert sides == ["ours", "memory", "ours", "memory"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "speed"], "There is no measure speed. Choose from drain,"),
        (["run", "--repeat", "0"], "are at least 1"),
        (["table", "nowhere.json"], "There is no file nowhere.json"),
    ],
)
def test_bad_arguments_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.skipif(settings.TEST_DATABASE != "postgres", reason="SQLite has no partitions.")
def test_the_partitions_hold_the_same_and_a_question_with_a_moment_reads_one() -> None:
    figures = partitions.main(["--per-hour", "200", "--hours", "3"])
    whole, parted = figures[partitions.WHOLE], figures[partitions.PARTED]
    assert whole["rows left"] == parted["rows left"] == 400
    assert {parted[question]["tables"] for question in ("outcomes of the last hour", "a tick of a job")} == {1}
    assert parted["one by its id"]["tables"] == 3
