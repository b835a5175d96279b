"""Errors that people and programs see. Each message says what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from django.utils.translation import gettext


class ConsoleError(Exception):
    """Base of every error that the console raises on purpose."""


class InvalidInput(ConsoleError, ValueError):
    """Input that cannot be accepted, with its messages by field.

    ``errors`` maps a field's path in the document (``"trigger.hour"``, ``"kwargs.days"``, ``"id"``, or ``""`` for
    the document as a whole) to its messages. Doors show each message beside the field that its path names.
    """

    def __init__(self, errors: Mapping[str, Sequence[str] | str] | str) -> None:
        if isinstance(errors, str):
            errors = {"": errors}
        self.errors: dict[str, list[str]] = {
            path: [messages] if isinstance(messages, str) else [str(message) for message in messages]
            for path, messages in errors.items()
        }
        super().__init__("; ".join(self.lines()))

    def lines(self) -> Iterator[str]:
        """Yield one readable line per message, with its field in front."""
        for path, messages in self.errors.items():
            for message in messages:
                yield f"{path}: {message}" if path else message

    def under(self, prefix: str) -> InvalidInput:
        """Return the same error with every path moved below ``prefix``."""
        return InvalidInput(
            {f"{prefix}.{path}" if path else prefix: messages for path, messages in self.errors.items()}
        )


class JobExists(InvalidInput):
    """A job with this id exists already."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            {
                "id": gettext("A job with the id “%(id)s” exists already. Choose another id, or change that job.")
                % {"id": job_id}
            }
        )


class ExecutionCancelled(BaseException):
    """Ends a run that somebody has cancelled, or whose timeout has passed: ``current_execution().check()`` raises it.

    It is no ``Exception``, so that a function that goes on after its errors does not go on after this.
    """


class JobNotFound(ConsoleError, LookupError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(gettext("There is no job with the id “%(id)s”. It may have been deleted.") % {"id": job_id})


class ExecutionNotFound(ConsoleError, LookupError):
    """No execution has this id."""

    def __init__(self, execution_id: int) -> None:
        self.execution_id = execution_id
        super().__init__(
            gettext("There is no execution %(id)s. It may have been pruned by the retention of old executions.")
            % {"id": execution_id}
        )


class InstanceNotFound(ConsoleError, LookupError):
    """No instance has this id."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(
            gettext("There is no instance “%(id)s”. It has stopped, or its heartbeat has.") % {"id": instance_id}
        )


class FailureNotFound(ConsoleError, LookupError):
    """No group of failures has this id."""

    def __init__(self, group_id: int) -> None:
        super().__init__(
            gettext("There is no failure %(id)s. Its job may have been deleted, or retention has taken it away.")
            % {"id": group_id}
        )


class BlackoutNotFound(ConsoleError, LookupError):
    """No blackout window has this id."""

    def __init__(self, window_id: int) -> None:
        super().__init__(gettext("There is no blackout window %(id)s. It may have been deleted.") % {"id": window_id})


class GroupNotFound(ConsoleError, LookupError):
    """No concurrency group has this name, or none that has slots of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(
            gettext("There is no concurrency group “%(name)s” with slots of its own. Add it, or choose another.")
            % {"name": name[:60]}
        )


class UnknownFunction(InvalidInput):
    """The function is not registered, so it may not be scheduled or run."""

    def __init__(self, name: str, suggestions: Sequence[str] = ()) -> None:
        message = gettext(
            "“%(name)s” is not a registered function. Decorate it with @job in the jobs.py of an installed app."
        ) % {"name": name}
        if suggestions:
            message += " " + gettext("Did you mean %(names)s?") % {"names": ", ".join(suggestions)}
        super().__init__({"function": message})
        self.name = name
