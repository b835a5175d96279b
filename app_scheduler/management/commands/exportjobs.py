"""``manage.py exportjobs``: the jobs as a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from app_scheduler.exceptions import InvalidInput
from app_scheduler.management.base import ConsoleCommand
from app_scheduler.resources import export_bytes
from app_scheduler.transfer import FORMATS_BY_NAME, format_of_name

HELP = """\
Write all jobs to a file, or to standard output.

JSON and YAML hold whole jobs; CSV and XLSX one row a job, for spreadsheets. Secret
arguments are masked; importing a masked one keeps what is stored. What is written can be
read by importjobs, and changes nothing then.

  manage.py exportjobs jobs.yaml
  manage.py exportjobs --format csv > jobs.csv
"""


class Command(ConsoleCommand):
    help = HELP
    # Reading needs no more than the tables.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", metavar="FILE", help="where to write; without it, standard output")
        parser.add_argument(
            "--format", choices=list(FORMATS_BY_NAME), help="by default what FILE's suffix says, or json without FILE"
        )

    def handle(self, *args: Any, file: str | None, format: str | None, **options: Any) -> None:
        name = self._format(file, format)
        if name == "xlsx" and file is None and self.stdout.isatty():
            raise CommandError("A workbook is no text for a terminal. Name a file: exportjobs jobs.xlsx")
        try:
            data = export_bytes(name)
        except InvalidInput as error:
            raise CommandError("\n".join(error.lines())) from None
        except DatabaseError as error:
            raise CommandError(f"The jobs cannot be read: {str(error).strip()}. Has `migrate` been run?") from None
        if file is not None:
            self._write_file(Path(file), data)
        else:
            self._write_out(name, data)

    def _format(self, file: str | None, format: str | None) -> str:
        if format is not None or file is None:
            return format or "json"
        try:
            return format_of_name(file).name
        except InvalidInput:
            raise CommandError(
                f"The suffix of {file} does not say a format. Add --format {'|'.join(FORMATS_BY_NAME)}."
            ) from None

    def _write_file(self, file: Path, data: bytes) -> None:
        try:
            file.write_bytes(data)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from None

    def _write_out(self, name: str, data: bytes) -> None:
        if name != "xlsx":
            # For programs; the mark that Excel needs before a file's text is in their way.
            data = data.removeprefix(b"\xef\xbb\xbf")
        out: Any = getattr(self.stdout, "_out", sys.stdout)
        try:
            if hasattr(out, "buffer"):
                out.flush()
                out.buffer.write(data)
                out.buffer.flush()
            elif name == "xlsx":
                raise CommandError("A workbook cannot be written as text. Name a file: exportjobs jobs.xlsx")
            else:
                out.write(data.decode())
        except BrokenPipeError:
            # Whoever read, as `head` does, has enough. Python's own flush at exit must not complain either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
