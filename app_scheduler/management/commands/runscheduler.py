"""``manage.py runscheduler``: a process that does nothing but schedule and run jobs."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from django.db import DatabaseError, InterfaceError, connection

from app_scheduler.conf import console_settings
from app_scheduler.engine.lease import read_lease
from app_scheduler.engine.scheduler import ConsoleScheduler, get_scheduler
from app_scheduler.management.base import ConsoleCommand
from app_scheduler.models import SchedulerInstance

POLL_SECONDS = 0.5
HELP = """\
Run the scheduler in a process of its own, until it is told to stop.

For sites whose web servers should not run jobs: start them with APP_SCHEDULER_AUTOSTART=0,
and this beside them. Start it twice, on two machines, and one leads while the other stands
by and takes over when it stops. This command schedules also where APP_SCHEDULER_AUTOSTART
is 0: that is about servers.

SIGTERM and Ctrl-C end it cleanly: another process can lead at once, and running jobs get
APP_SCHEDULER_SHUTDOWN_SECONDS to end. A second signal ends it without waiting.
"""


class Command(ConsoleCommand):
    help = HELP

    def handle(self, *args: Any, **options: Any) -> None:
        # Made before a signal can come: a handler that imports finds modules that are half there.
        self._scheduler = get_scheduler()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._scheduler.start()
        if self._is_told_to_stop:
            self._scheduler.begin_shutdown()
        self._say(f"Scheduler {self._scheduler.instance} has started. Ctrl-C or SIGTERM ends it.")
        while not self._scheduler.wait_until_stopped(POLL_SECONDS):
            self._say_what_changed()
        self._say_what_changed()
        self._say(f"Scheduler {self._scheduler.instance} has stopped.")

    _scheduler: ConsoleScheduler
    _is_told_to_stop = False
    _said: str | None = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        # The next signal does what it does by default: whoever sends it twice does not want to wait.
        signal.signal(number, signal.SIG_DFL)
        self._is_told_to_stop = True
        self._scheduler.begin_shutdown()

    def _say_what_changed(self) -> None:
        """Say what this process does now. Not said in the handler: it may have cut into a line."""
        if self._is_told_to_stop:
            seconds = console_settings.shutdown_seconds
            line = f"Stopping: running jobs have {seconds:g} s to end. Send the signal again to end now."
        else:
            line = self._role(self._said)
        if line != self._said:
            self._say(line)
            self._said = line

    def _role(self, told: str | None) -> str:
        """Return a line about what this process does now. The database is asked only while it does not lead."""
        if self._scheduler.leading:
            return "It leads: due jobs run here."
        try:
            if not SchedulerInstance.objects.filter(id=self._scheduler.instance).exists():
                return told or "It is getting ready."
            lease = read_lease()
        except (DatabaseError, InterfaceError):
            # The loop's own log says what is wrong, and it goes on trying.
            connection.close()
            return "It waits: the database does not answer, or its tables are missing (`manage.py migrate`)."
        if lease is None or not lease.holder or lease.holder == self._scheduler.instance:
            return told or "It is getting ready."
        return f"It stands by: {lease.holder} leads. It takes over when that stops."

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
