"""Backups of the site's database: each is whole and checked, or it does not bear a backup's name."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db import DEFAULT_DB_ALIAS, connections

from app_scheduler.conf import console_settings
from app_scheduler.maintenance.backups import postgresql, sqlite
from app_scheduler.maintenance.backups.errors import BackupFailed

__all__ = ["Backup", "BackupFailed", "back_up_database"]

logger = logging.getLogger(__name__)

MAX_KEEP = 10_000
LOCK_NAME = ".back-up.lock"
ENGINES = {"sqlite": sqlite, "postgresql": postgresql}


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup; ``file`` is relative to the backup directory of the settings."""

    file: Path
    size: int
    seconds: float
    removed: list[str]


def back_up_database(keep: int, directory: str, alias: str = DEFAULT_DB_ALIAS) -> Backup:
    """Write a backup below the backup directory of the settings, then remove all but the ``keep`` newest there.

    Raises ``ValueError`` for a directory elsewhere, and ``BackupFailed``. A run that fails or is killed leaves nothing
    under a backup's name, and removes no older backup.
    """
    if not 1 <= keep <= MAX_KEEP:
        raise ValueError(f"keep is {keep:,}. Give a whole number between 1 and {MAX_KEEP:,}.")
    connection = connections[alias]
    engine = ENGINES.get(connection.vendor)
    if engine is None:
        raise BackupFailed(f"Only SQLite and PostgreSQL can be backed up, and {alias!r} is {connection.display_name}.")
    began = time.monotonic()
    root = console_settings.backup_dir.resolve()
    target = _directory(root, directory)
    with _locked(target):
        _remove_leftovers(target, alias)
        final = _free_name(target, alias, engine.SUFFIX)
        try:
            with _partial(final) as partial:
                engine.write(connection, partial)
                size = _sync(partial)
                partial.rename(final)
                _sync(target)
        except OSError as error:
            raise BackupFailed(f"The backup cannot be written to {target}: {error}") from error
        removed = _remove_surplus(target, alias, keep, final)
    backup = Backup(final.relative_to(root), size, time.monotonic() - began, removed)
    logger.info("Wrote %s: %d bytes in %.1f s", backup.file, size, backup.seconds)
    for name in removed:
        logger.info("Removed the old backup %s", name)
    return backup


def _directory(root: Path, directory: str) -> Path:
    """Return the directory to write to, made if need be: ``root`` or one below it, with all links followed."""
    try:
        target = (root / directory).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL
        raise ValueError(f"The directory {directory!r} cannot be read as a path: {error}.") from None
    if not target.is_relative_to(root):
        raise ValueError(
            f"The directory {directory!r} leads out of the backup directory {root}. Give one below it, such as"
            ' "nightly", or change APP_SCHEDULER_BACKUP_DIR.'
        )
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackupFailed(
            f"The directory {target} cannot be made: {error}. Change APP_SCHEDULER_BACKUP_DIR."
        ) from error
    return target


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory, so that whatever is unfinished there was left behind. The lock ends with its process."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise BackupFailed(
            f"Nothing can be written to {directory}: {error}. Let the site's user write there."
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupFailed(
                f"Another backup is being written to {directory}. Run this one when it is done."
            ) from None
        yield
    finally:
        os.close(descriptor)


def _names_of(alias: str) -> str:
    suffixes = "|".join(re.escape(engine.SUFFIX) for engine in ENGINES.values())
    return rf"{re.escape(alias)}-(?P<stamp>\d{{8}}-\d{{6}})Z(?:-(?P<number>\d+))?(?:{suffixes})"


def _free_name(directory: Path, alias: str, suffix: str) -> Path:
    """Return a path that does not exist, with the present time in UTC: local times repeat when clocks go back."""
    stem = f"{alias}-{datetime.now(UTC):%Y%m%d-%H%M%S}Z"
    final = directory / f"{stem}{suffix}"
    number = 1
    while os.path.lexists(final):
        number += 1
        final = directory / f"{stem}-{number}{suffix}"
    return final


@contextlib.contextmanager
def _partial(final: Path) -> Iterator[Path]:
    """Make an empty file for its owner alone; whatever happens, it is not there afterwards under this name."""
    path = final.with_name(f".{final.name}.partial")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        yield path
    finally:
        _unlink(path)


def _unlink(path: Path) -> None:
    # SQLite keeps these beside a database while it is written.
    for name in (path.name, f"{path.name}-journal", f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _sync(path: Path) -> int:
    """Have the disk keep a file or a directory before its name is relied on; return its size."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def _remove_leftovers(directory: Path, alias: str) -> None:
    """Remove what runs that were killed left unfinished. The caller holds the directory."""
    unfinished = re.compile(rf"\.{_names_of(alias)}\.partial")
    for path in directory.iterdir():
        if unfinished.fullmatch(path.name):
            logger.info("Removing %s, which a run that ended early left behind", path.name)
            _unlink(path)


def _remove_surplus(directory: Path, alias: str, keep: int, newest: Path) -> list[str]:
    """Remove all but the ``keep`` newest backups, ``newest`` in any case kept; return the names of those removed."""
    own = re.compile(_names_of(alias))
    found = {}
    for path in directory.iterdir():
        match = own.fullmatch(path.name)
        # Clocks are set back: a file from the future must not cost the one that was just written.
        if match and path != newest and path.is_file() and not path.is_symlink():
            found[path] = (match["stamp"], int(match["number"] or 1))
    surplus = sorted(found, key=found.__getitem__, reverse=True)[keep - 1 :]
    for path in surplus:
        path.unlink(missing_ok=True)
    return [path.name for path in surplus]
