"""``manage.py importjobs``: create and change jobs as a file says."""

from __future__ import annotations

import sys
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from app_scheduler.conf import console_settings
from app_scheduler.exceptions import InvalidInput
from app_scheduler.management.base import ConsoleCommand
from app_scheduler.resources import JobResource, JobResult
from app_scheduler.transfer import FORMATS_BY_NAME, JobFormat, JobRows, format_of_content, format_of_name

STDIN = "-"
HELP = """\
Create and change jobs as a file says: JSON, YAML, CSV or XLSX, as exportjobs writes them.

A job that exists, by its id, is changed where the file says something else; what the file
leaves out stays. Others are created, and none is deleted. All or nothing: if one row is at
fault, nothing is written, and every fault is named. A running scheduler follows at once.

  manage.py importjobs jobs.yaml --dry-run
  manage.py importjobs - --format json < jobs.json
"""


class Command(ConsoleCommand):
    help = HELP

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="what to read; - is standard input")
        parser.add_argument("--dry-run", action="store_true", help="only say what would happen")
        parser.add_argument("--format", choices=list(FORMATS_BY_NAME), help="by default what FILE's suffix says")
        parser.add_argument("--user", metavar="NAME", help="whom the jobs' history names; without it, it names nobody")

    def handle(
        self, *args: Any, file: str, dry_run: bool, format: str | None, user: str | None, **options: Any
    ) -> None:
        shown = "standard input" if file == STDIN else file
        rows = self._rows(shown, self._read(file), format if format or file == STDIN else self._format(file))
        try:
            result = JobResource().import_data(
                rows, dry_run=dry_run, user=self._user(user), reason=f"Import of {shown}"
            )
        except DatabaseError as error:
            raise CommandError(f"Nothing was imported: {str(error).strip()}. Has `migrate` been run?") from None
        if result.has_faults:
            raise CommandError("\n".join([*result.lines(), f"Nothing was imported from {shown}."]))
        self._tell(result, options["verbosity"])
        self.stdout.write(f"{'Dry run, nothing written' if dry_run else 'Imported'}: {result.summary()}")

    def _read(self, file: str) -> bytes:
        """Return no more than the limit and one byte, whatever the file is."""
        limit = console_settings.import_max_bytes
        try:
            if file == STDIN:
                data = getattr(sys.stdin, "buffer", sys.stdin).read(limit + 1)
            else:
                with open(file, "rb") as opened:
                    data = opened.read(limit + 1)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise CommandError(f"{file!r} cannot be read: {error}.") from None
        data = data.encode() if isinstance(data, str) else data
        if len(data) > limit:
            raise CommandError(f"{file} has more than {limit:,} bytes, the most that is imported at once. Split it.")
        return data

    def _format(self, file: str) -> str:
        try:
            return format_of_name(file).name
        except InvalidInput as error:
            raise CommandError(f"{file}: {error} Name it with --format.") from None

    def _rows(self, shown: str, data: bytes, format: str | None) -> JobRows:
        try:
            chosen: type[JobFormat] = FORMATS_BY_NAME[format] if format else format_of_content(data)
            return chosen().create_dataset(data)
        except InvalidInput as error:
            raise CommandError("\n".join(f"{shown}: {line}" for line in error.lines())) from None

    def _user(self, name: str | None) -> Any:
        if name is None:
            return None
        model = get_user_model()
        try:
            return model._default_manager.get_by_natural_key(name)
        except model.DoesNotExist:
            raise CommandError(f"There is no user “{name}”.") from None

    def _tell(self, result: JobResult, verbosity: int) -> None:
        """Print the plan: a line a job, and below a changed one what changes in it."""
        if not verbosity:
            return
        for row in result.new:
            self.stdout.write(f"new        {row.object_id}  ({row.schedule})")
        for row in result.changed:
            self.stdout.write(f"changed    {row.object_id}")
            for change in row.changes:
                values = "a secret in it" if change.is_secret else f"{change.before or '–'} → {change.after or '–'}"
                self.stdout.write(f"             {change.field}: {values}")
        for row in result.unchanged:
            self.stdout.write(f"unchanged  {row.object_id}")
