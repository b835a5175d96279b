"""The tables of a run, as Markdown that is aligned enough to read on a terminal."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.catalogue import MEASURES, Figure, Measure
from tests.benchmarks.results import DATABASES, Case, Cell, Record

DATABASE_TITLES = {"sqlite": "SQLite", "postgres": "PostgreSQL", "": ""}
FIRST_COLUMNS = ("size", "figure", "database", "ours")
#: The first of them; the others hold numbers.
WORD_COLUMNS = 3
SERIES_POINTS = 9


def tables(records: Sequence[Record]) -> str:
    """Return a table per measure, with the median of the repetitions, and what went wrong below."""
    by_measure = {name: [record for record in records if record.measure == name] for name in MEASURES}
    return "\n\n".join(_section(MEASURES[name], measured) for name, measured in by_measure.items() if measured)


def of_file(path: Path) -> str:
    """Return the tables of a run that was saved, and below them where it ran."""
    run: dict[str, Any] = json.loads(path.read_text())
    return f"{tables([Record.from_dict(data) for data in run['records']])}\n\n{_origin(run)}"


def _origin(run: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in run["versions"].items())
    return (
        f"Run of {run['date']}, sizes: {run['scale']}, each figure the median of {run['repeat']}."
        f" Commit {run['commit'] or 'unknown'}. {run['machine']}, load {run['load']} at its start. {versions}."
    )


def _section(measure: Measure, records: Sequence[Record]) -> str:
    # Where only the store in memory was measured, it still has its rows.
    databases = [name for name in DATABASES if any(record.cell.database == name for record in records)] or [""]
    peers = _peers(measure)
    header = (*FIRST_COLUMNS, *(title for peer in peers for title in (peer, f"ours ÷ {peer}")))
    rows = [
        (str(case), figure.title, DATABASE_TITLES[database], *_values(key, figure, case, database, records, peers))
        for case in dict.fromkeys(record.case for record in records)
        for key, figure in measure.figures.items()
        for database in databases
    ]
    lines = [f"### {measure.title} ({measure.better} is better)", "", *_aligned([header, *rows])]
    notes = [*_series(records), *_faults(records)]
    return "\n".join([*lines, "", *notes] if notes else lines)


def _peers(measure: Measure) -> tuple[str, ...]:
    return ("beat",) if "beat" in measure.sides else ("stock", "memory")


def _values(
    key: str, figure: Figure, case: Case, database: str, records: Sequence[Record], peers: Sequence[str]
) -> tuple[str, ...]:
    ours = _median(key, case, Cell("ours", database), records)
    values = [_number(ours, figure.decimals)]
    for peer in peers:
        other = _median(key, case, Cell(peer, "" if peer == "memory" else database), records)
        values += [_number(other, figure.decimals), _ratio(ours, other) if figure.ratio else ""]
    return tuple(values)


def _median(key: str, case: Case, cell: Cell, records: Sequence[Record]) -> float | None:
    """Return the median of the outcomes that came to their end; what died has no speed."""
    values = [
        record.outcome.figures[key]
        for record in records
        if (record.case, record.cell) == (case, cell) and not record.outcome.fault and key in record.outcome.figures
    ]
    return statistics.median(values) if values else None


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:,.{decimals}f}"


def _ratio(ours: float | None, other: float | None) -> str:
    if ours is None or not other:
        return "–"
    ratio = ours / other
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.2g}" if ratio < 1 else f"{ratio:.1f}"


def _series(records: Sequence[Record]) -> list[str]:
    """Return each side's last series, thinned."""
    last = {record.cell: record.outcome.series for record in records if record.outcome.series}
    lines = []
    for cell, series in last.items():
        step = max(1, (len(series) - 1) // (SERIES_POINTS - 1))
        points = [*series[:-1:step], series[-1]]
        lines.append(f"- {cell}, MB after so many executions: " + ", ".join(f"{n:,}: {size:.1f}" for n, size in points))
    return lines


def _faults(records: Sequence[Record]) -> list[str]:
    counted: dict[str, int] = {}
    for record in records:
        outcome = record.outcome
        if outcome.fault:
            reach = f" after {outcome.done:,} of {outcome.wanted:,}" if outcome.wanted else ""
            line = f"- {record.cell}, {record.case}: stopped{reach}: {outcome.fault}"
            counted[line] = counted.get(line, 0) + 1
    return [line + (f" ({count} times)" if count > 1 else "") for line, count in counted.items()]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows as a Markdown table, the first being its header; numbers stand to the right."""
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(rows[0]))]
    rule = ["-" * width if column < WORD_COLUMNS else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return [_line(row, widths) for row in (rows[0], rule, *rows[1:])]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    words = [text.ljust(width) for text, width in zip(row[:WORD_COLUMNS], widths, strict=False)]
    numbers = [text.rjust(width) for text, width in zip(row[WORD_COLUMNS:], widths[WORD_COLUMNS:], strict=True)]
    return f"| {' | '.join([*words, *numbers])} |"
