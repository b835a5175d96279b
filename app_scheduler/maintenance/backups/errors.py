"""What goes wrong with backups."""

from __future__ import annotations

from app_scheduler.exceptions import ConsoleError


class BackupFailed(ConsoleError):
    """There is no backup. The message says why, and what to do."""
