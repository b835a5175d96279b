"""SQLite's own backup: a consistent copy of a database that others go on writing to."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app_scheduler import current_execution
from app_scheduler.maintenance.backups.errors import BackupFailed

SUFFIX = ".sqlite3"
BUSY_SECONDS = 30
PAGES_PER_STEP = 1024


def write(connection: Any, path: Path) -> None:
    """Copy the database of a Django connection to ``path``. Raises ``BackupFailed`` and ``OSError``."""
    source_path = _file_of(connection)
    try:
        with contextlib.closing(_opened(source_path)) as source:
            _check_room(source, path)
            with contextlib.closing(_opened(path)) as target:
                _copy(source, target)
                _check(target)
    except sqlite3.Error as error:
        raise BackupFailed(f"SQLite cannot back up {source_path} to {path.parent}: {error}.") from error


def _file_of(connection: Any) -> Path:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA database_list")
        file = next((file for _, name, file in cursor.fetchall() if name == "main"), "")
    if not file:
        raise BackupFailed("The database is in memory, and ends with its process. Use one in a file.")
    return Path(file)


def _opened(path: Path) -> sqlite3.Connection:
    # mode=rw: a database that is gone is an error, not a new and empty one.
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _pragma(connection: sqlite3.Connection, pragma: str) -> Any:
    row = connection.execute(f"PRAGMA {pragma}").fetchone()
    return row[0] if row else None


def _check_room(source: sqlite3.Connection, path: Path) -> None:
    """Refuse before the copy fills a disk that the live database may share."""
    needed = _pragma(source, "page_count") * _pragma(source, "page_size")
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise BackupFailed(
            f"The backup needs {needed:,} bytes, and {path.parent} has {free:,} free. Make room, keep fewer backups, or"
            " set APP_SCHEDULER_BACKUP_DIR to another disk."
        )


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    _pragma(target, "synchronous=OFF")  # whoever called syncs the finished file once
    # One read transaction around all steps. Without it each write by others lets the copy begin again, for ever on a
    # busy database. In WAL mode, the site's, it keeps nobody from writing.
    source.execute("BEGIN")
    source.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if _pragma(source, "journal_mode") == "wal":
        progress = current_execution().progress
        source.backup(target, pages=PAGES_PER_STEP, progress=lambda _, left, total: progress(total - left, total))
    else:  # here nobody can write until it is done, the progress neither
        source.backup(target)
    source.execute("ROLLBACK")
    # The copy takes over WAL mode; a backup is one file.
    _pragma(target, "journal_mode=DELETE")


def _check(target: sqlite3.Connection) -> None:
    # Constraints may call functions that Django defines on its own connections only.
    _pragma(target, "ignore_check_constraints=ON")
    found = _pragma(target, "quick_check(1)")
    if found != "ok":
        raise BackupFailed(f"The copy is damaged, so the database may be: {found}. Run PRAGMA integrity_check on it.")
    if not _pragma(target, "schema_version"):
        raise BackupFailed("The copy is empty. Run migrate first.")
