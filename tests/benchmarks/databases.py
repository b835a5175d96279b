"""A database of its own for each process that is measured, copied from one that is prepared once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import live, postgres
from tests.benchmarks.results import Case, Cell
from tests.run_directory import run_directory

PREPARE_SECONDS = 600
BEAT = "tests.benchmarks.beat_settings"
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings", "DEBUG": "0", "LOG_LEVEL": "ERROR"}


def environment(url: str, side: str) -> dict[str, str]:
    """Return the environment of a side's process on the database."""
    return live.environment(url, {**SETTINGS, **({"DJANGO_SETTINGS_MODULE": BEAT} if side == "beat" else {})})


@contextmanager
def fresh(cell: Cell, stored: int) -> Iterator[str]:
    """Yield the URL of a database with the side's tables and ``stored`` jobs; the store in memory gets an empty one."""
    if not cell.database:
        yield "sqlite://:memory:"
    elif cell.database == "sqlite":
        with TemporaryDirectory(dir=_directory()) as directory:
            path = Path(directory) / "db.sqlite3"
            with closing(sqlite3.connect(_sqlite(cell, stored))) as source, closing(sqlite3.connect(path)) as copy:
                source.backup(copy)
            yield f"sqlite:///{path}"
    else:
        with postgres.database(_postgres(cell, stored)) as url:
            yield url


def _sqlite(cell: Cell, stored: int) -> Path:
    path = _directory() / f"{cell.side}_{stored}.sqlite3"
    made = path.with_suffix(".made")
    with live.run_lock(path.stem):
        if not made.exists():
            _prepare(cell, stored, f"sqlite:///{path}")
            made.touch()
    return path


def _postgres(cell: Cell, stored: int) -> str:
    name = f"benchmark_{cell.side}_{stored}"
    made = _directory() / f"{name}.made"
    with live.run_lock(name):
        if not made.exists():
            postgres.create(name)
            _prepare(cell, stored, postgres.url(name))
            made.touch()
    return name


def _prepare(cell: Cell, stored: int, url: str) -> None:
    command = ["-m", "tests.benchmarks.process", "prepare", cell.side, json.dumps(asdict(Case(stored=stored)))]
    done = live.run(command, environment(url, cell.side), PREPARE_SECONDS)
    if done.returncode:
        raise RuntimeError(f"The database of {cell} with {stored:,} jobs could not be made:\n{done.stderr[-4000:]}")


def _directory() -> Path:
    directory = run_directory() / "benchmarks"
    directory.mkdir(exist_ok=True)  # Gone when the run ends.
    return directory
