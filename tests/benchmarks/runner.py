"""Runs processes, one at a time: every side in its turn, again and again, so that a noisy machine is unfair to none."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from tests import live, postgres
from tests.benchmarks import databases
from tests.benchmarks.catalogue import MEASURES, Scale, cases_of
from tests.benchmarks.results import Case, Cell, Outcome, Record

#: More than any case takes; the million executions of a memory run are given more by their number.
LONGEST_SECONDS = 1800.0
SLOWEST_PER_SECOND = 50
BEAT_IS_MISSING = (
    "django-celery-beat is not installed, and only this measure needs it. Without its dependencies, since it asks for"
    " others than the site: .venv/bin/pip install --no-deps"
    " django-celery-beat==2.9.0 django-timezone-field python-crontab"
)


def cells_of(measure: str, sides: Sequence[str], names: Sequence[str]) -> list[Cell]:
    """Return who is measured, on which databases."""
    chosen = [side for side in MEASURES[measure].sides if side in sides]
    on_databases = [
        Cell(side, name) for name in names if name in MEASURES[measure].databases for side in chosen if side != "memory"
    ]
    return [*on_databases, *([Cell("memory")] if "memory" in chosen else [])]


def run_cell(measure: str, case: Case, cell: Cell) -> Outcome:
    """Measure once, in a process of its own. Whatever goes wrong there is the outcome's fault."""
    command = ["-m", "tests.benchmarks.process", measure, cell.side, json.dumps(asdict(case))]
    if cell.side == "beat" and find_spec("django_celery_beat") is None:
        return Outcome(fault=BEAT_IS_MISSING)
    seconds = LONGEST_SECONDS + case.count / SLOWEST_PER_SECOND
    with databases.fresh(cell, case.stored) as url:
        try:
            done = live.run(command, databases.environment(url, cell.side), seconds)
        except subprocess.TimeoutExpired:
            return Outcome(fault=f"not over after {seconds:,.0f} s")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        return Outcome(fault=lines[-1] if lines else f"ended with {done.returncode}")
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def run_all(
    measures: Sequence[str],
    scale: Scale,
    *,
    sides: Sequence[str],
    names: Sequence[str],
    repeat: int,
    executions: int | None = None,
) -> Iterator[Record]:
    """Measure everything ``repeat`` times, the sides of a case after one another, and yield each outcome."""
    for measure in measures:
        for case in cases_of(measure, scale, executions):
            for _ in range(repeat):
                for cell in cells_of(measure, sides, names):
                    yield Record(measure, case, cell, run_cell(measure, case, cell))


def describe_run(scale: Scale, repeat: int, names: Sequence[str]) -> dict[str, Any]:
    """Return what the figures depend on beside the code. Makes the server on PostgreSQL start, where it is used."""
    versions = {
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("Django", "APScheduler", "django-apscheduler", "psycopg")},
    }
    if "postgres" in names:
        with psycopg.connect(postgres.url()) as connection:
            versions["PostgreSQL"] = str(connection.info.parameter_status("server_version"))
    return {
        "scale": scale,
        "repeat": repeat,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "versions": versions,
    }


def _commit() -> str:
    """Return which commit this is, and whether more than it; nothing outside a clone."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=live.BASE_DIR, capture_output=True, text=True, check=False).stdout.strip()


def save(path: Path, about: Mapping[str, Any], records: Sequence[Record]) -> None:
    """Write a run as JSON, so that its tables can be printed again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, "records": [record.as_dict() for record in records]}, indent=1) + "\n")
