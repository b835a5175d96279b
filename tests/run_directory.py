"""One directory for all that a test run writes, shared by its worker processes and gone when the run ends."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

VARIABLE = "TEST_RUN_DIRECTORY"
OWNER_VARIABLE = "TEST_RUN_OWNER"


def run_directory() -> Path:
    """Return the directory. The first process that asks makes and owns it; those that it starts inherit the path."""
    directory = reserve_run_directory()
    if not directory.exists():
        directory.mkdir()
        directory.chmod(0o711)  # Others may pass through, not look: the database server may be another user's.
        atexit.register(_remove, directory, os.getpid())
    return directory


def reserve_run_directory() -> Path:
    """Return the directory's path without making it: reading the settings, as mypy does, leaves nothing behind."""
    if VARIABLE not in os.environ:
        os.environ[VARIABLE] = str(Path(tempfile.gettempdir()) / f"poker-test-{secrets.token_hex(6)}")
        os.environ[OWNER_VARIABLE] = str(os.getpid())
    return Path(os.environ[VARIABLE])


def owner_pid() -> int:
    return int(os.environ[OWNER_VARIABLE])


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() != owner:  # A fork of the owner ends: the run goes on.
        return
    from tests import postgres

    postgres.stop()
    shutil.rmtree(directory, ignore_errors=True)
