"""Jobs as a poker site may have them. What they do is only to take their time, and now and then to fail."""

from __future__ import annotations

import time

from app_scheduler import current_execution, job


class ServerDisconnected(ConnectionError):
    pass


@job
def check_payment_gateway(url: str = "https://payments.example.com/health") -> None:
    """Ask the payment gateway whether it is well.

    Args:
        url: The address that answers with its state.
    """
    current_execution().log.info("Asked %s: it is well", url)


@job
def back_up_tables(seconds: int = 0) -> str:
    """Copy all tables to the archive.

    Args:
        seconds: How long it takes.
    """
    execution = current_execution()
    for done in range(1, seconds + 1):
        time.sleep(1)
        execution.progress(done, seconds, "hands")
    return "copied"


@job
def remind_players(minutes: int = 30) -> None:
    """Remind players of tournaments that begin soon.

    Args:
        minutes: How long before.
    """


@job
def close_idle_tables(minutes: int = 20) -> None:
    """Close tables at which nobody has played.

    Args:
        minutes: For how long.
    """


@job
def season_rankings() -> None:
    """Work out the rankings of the season."""


@job
def send_digest(recipients: tuple[str, ...] = ("ops@example.com",)) -> None:
    """Send what happened today by mail.

    Args:
        recipients: Who gets it.
    """
    log = current_execution().log
    log.info("The digest covers 14 hands in 2 groups")
    log.info("Connecting to mail.example.com, port 587")
    log.warning("The server closed the connection after EHLO")
    deliver(recipients)


def deliver(recipients: tuple[str, ...]) -> None:
    raise ServerDisconnected("Connection unexpectedly closed")


@job
def import_hands(archive: str = "archive-2") -> None:
    """Import the histories of hands.

    Args:
        archive: Where they come from.
    """
    raise TimeoutError(f"{archive} did not answer in 30 s")
