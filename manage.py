#!/usr/bin/env python
"""Django's command line for this site."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "poker_backend.settings")
    # `kill` ends a command as Ctrl-C does, through its clean-up, not in the middle of it.
    signal.signal(signal.SIGTERM, _leave)
    from django.core.management import execute_from_command_line

    from poker_backend.environment import SettingsError

    try:
        execute_from_command_line(sys.argv)
    except SettingsError as error:
        sys.exit(f"The site is not configured. {error}")
    finally:
        # A second `kill`, as from make and from a process group at once, must not cut the clean-up short.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _leave(signum: int, frame: FrameType | None) -> None:
    sys.exit(0 if "runserver" in sys.argv[1:2] else 128 + signum)


if __name__ == "__main__":
    main()
