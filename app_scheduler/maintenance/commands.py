"""Management commands that the settings allow, run in this process, with their output in the execution's log."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.core.management import call_command, get_commands

from app_scheduler.conf import console_settings
from app_scheduler.exceptions import ConsoleError

logger = logging.getLogger(__name__)

MAX_LINE = 10_000
SETTING = "APP_SCHEDULER_ALLOWED_COMMANDS"


class CommandRefused(ConsoleError):
    """The command may not run, or not with these arguments."""


class CommandFailed(ConsoleError):
    """The command ended with an exit status other than 0."""


@dataclass(frozen=True, slots=True)
class Ran:
    lines: int
    last_line: str
    seconds: float


def run_command(command: str, args: Sequence[str]) -> Ran:
    """Run a management command, with its output as lines of the log.

    Raises ``CommandRefused``, ``CommandFailed``, and whatever the command raises.
    """
    _check(command, args)
    output = _LineLogger(logging.INFO)
    errors = _LineLogger(logging.WARNING)
    began = time.monotonic()
    # How many, not which: an argument may be a secret, and the log keeps what it is told.
    logger.info("Running %s with %d arguments", command, len(args))
    code: str | int | None = None
    try:
        call_command(command, *args, stdout=output, stderr=errors, no_color=True)
    except SystemExit as ended:
        code = ended.code
    finally:
        output.finish()
        errors.finish()
    if code not in (None, 0):
        raise CommandFailed(_exit_message(command, code, errors.last_line or output.last_line))
    seconds = time.monotonic() - began
    logger.info("%s ended after %.1f s", command, seconds)
    return Ran(output.lines + errors.lines, output.last_line or errors.last_line, seconds)


def _check(command: str, args: Sequence[str]) -> None:
    allowed = sorted(console_settings.allowed_commands)
    if command not in allowed:
        listed = ", ".join(allowed) or "none"
        raise CommandRefused(
            f"The command {command!r} may not run as a job. Allowed are: {listed}. To allow it, add it to {SETTING}."
        )
    if command not in get_commands():
        raise CommandRefused(f"The site has no command {command!r}, though {SETTING} allows it. Install its app.")
    if isinstance(args, str):
        raise CommandRefused(f'args is the text {args!r}. Give a list, such as ["--days=7", "all"].')
    for arg in args:
        # An option by keyword skips the command's own parser, and with it what the parser refuses.
        if not isinstance(arg, str):
            raise CommandRefused(
                f'The argument {arg!r} is not text. Write it as on a command line, such as "--days=7".'
            )
        if "\x00" in arg:
            raise CommandRefused("An argument holds a NUL character, which no command line can. Remove it.")


def _exit_message(command: str, code: str | int | None, last_line: str) -> str:
    if isinstance(code, str):  # sys.exit("why") means status 1 and this text
        return f"{command} ended: {code}"
    said = f" It said last: {last_line}" if last_line else ""
    return f"{command} ended with exit status {code}.{said}"


class _LineLogger(io.TextIOBase):
    """A stream that logs each line written to it, and remembers the last that is not blank."""

    def __init__(self, level: int) -> None:
        self.lines = 0
        self.last_line = ""
        self._level = level
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > MAX_LINE:  # a command that never ends its line must not fill the memory
            lines.append(self._rest)
            self._rest = ""
        for line in lines:
            self._log(line)
        return len(text)

    def finish(self) -> None:
        """Log what was written since the last line's end."""
        if self._rest:
            self._log(self._rest)
            self._rest = ""

    def _log(self, line: str) -> None:
        self.lines += 1
        line = line.rstrip()
        if line:
            self.last_line = line[:MAX_LINE]
        logger.log(self._level, "%s", line)
