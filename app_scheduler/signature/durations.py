"""Durations as text: ISO 8601 ("PT1H30M") for storage, words ("1h 30m") for people. Exact to the microsecond."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation

_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_WORDS: dict[str, Decimal | int] = {
    "w": 604_800, "week": 604_800, "weeks": 604_800,
    "d": 86_400, "day": 86_400, "days": 86_400,
    "h": 3_600, "hr": 3_600, "hrs": 3_600, "hour": 3_600, "hours": 3_600,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60,
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1,
    "ms": Decimal("0.001"), "us": Decimal("0.000001"), "µs": Decimal("0.000001"),
}  # fmt: skip
_WORD = re.compile(rf"({_NUMBER})\s*([a-zµ]+)[\s,]*")
_ISO = re.compile(
    rf"P(?!$)(?:({_NUMBER})W)?(?:({_NUMBER})D)?(?:T(?!$)(?:({_NUMBER})H)?(?:({_NUMBER})M)?(?:({_NUMBER})S)?)?"
)
_CLOCK = re.compile(r"([0-9]+):([0-5]?[0-9])(?::([0-5]?[0-9](?:\.[0-9]+)?))?")
_PLAIN = re.compile(_NUMBER)
_MICROSECOND = timedelta(microseconds=1)


def parse_duration(text: str) -> timedelta:
    """Read "1h 30m", "PT1H30M", "01:30:00", "90" (seconds), each with an optional sign.

    Raise ValueError for anything else, ISO 8601 years and months included (their length varies), and OverflowError
    beyond what a timedelta holds.
    """
    text = text.strip()
    if len(text) > 100:
        raise ValueError("too long for a duration")
    sign, unsigned = (-1, text[1:].lstrip()) if text[:1] in ("-", "−") else (1, text.removeprefix("+").lstrip())
    return timedelta(microseconds=sign * _microseconds(_seconds(unsigned)))


def duration_of_seconds(seconds: Decimal) -> timedelta:
    """Return a number of seconds as a duration, rounded to the microsecond. Raise OverflowError beyond a timedelta."""
    return timedelta(microseconds=_microseconds(seconds))


def _microseconds(seconds: Decimal) -> int:
    return round(seconds * 1_000_000)


def _seconds(text: str) -> Decimal:
    if _PLAIN.fullmatch(text):
        return _decimal(text)
    if match := _CLOCK.fullmatch(text):
        hours, minutes, seconds = match.groups()
        return _decimal(hours) * 3600 + int(minutes) * 60 + _decimal(seconds)
    if match := _ISO.fullmatch(text.upper()):
        return sum(
            (_decimal(part) * unit for part, unit in zip(match.groups(), (604_800, 86_400, 3_600, 60, 1), strict=True)),
            Decimal(),
        )
    total, position = Decimal(), 0
    lowered = text.lower()
    for match in _WORD.finditer(lowered):
        if match.start() != position or match[2] not in _WORDS:
            raise ValueError("not a duration")
        total += _decimal(match[1]) * _WORDS[match[2]]
        position = match.end()
    if not position or position != len(lowered):
        raise ValueError("not a duration")
    return total


def _decimal(text: str | None) -> Decimal:
    try:
        return Decimal((text or "0").replace(",", "."))
    except InvalidOperation:
        raise ValueError("not a duration") from None


def _parts(duration: timedelta) -> list[tuple[int, str, str]]:
    """Return days, hours and minutes of a duration that is not negative, as (amount, ISO letter, word's letter)."""
    minutes, _ = divmod(duration.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return [(duration.days, "D", "d"), (hours, "H", "h"), (minutes, "M", "m")]


def _seconds_text(duration: timedelta) -> str:
    """Return the seconds below a minute as "5" or "5.25", or "" for none."""
    seconds = duration.seconds % 60
    if duration.microseconds:
        return f"{seconds}.{duration.microseconds:06d}".rstrip("0")
    return str(seconds) if seconds else ""


def iso_duration(duration: timedelta) -> str:
    """Return a duration as ISO 8601: "P1DT2H", "PT0S", "-PT5M". Days are the largest unit."""
    if duration < timedelta():
        # Counted in microseconds, as timedelta.min has no positive twin.
        microseconds = -(duration // _MICROSECOND)
        days, rest = divmod(microseconds, 86_400_000_000)
        return "-" + _iso(days, timedelta(microseconds=rest))
    return _iso(duration.days, duration - timedelta(days=duration.days))


def _iso(days: int, rest: timedelta) -> str:
    clock = "".join(f"{amount}{letter}" for amount, letter, _ in _parts(rest)[1:] if amount)
    if seconds := _seconds_text(rest):
        clock += f"{seconds}S"
    date = f"{days}D" if days else ""
    if clock:
        return f"P{date}T{clock}"
    return f"P{date}" if date else "PT0S"


def duration_in_words(duration: timedelta) -> str:
    """Return a duration as people type it: "1d 2h", "0s", "-5m 30s". `parse_duration` reads it back exactly."""
    iso = iso_duration(duration)
    sign, body = ("-", iso[1:]) if iso.startswith("-") else ("", iso)
    words = " ".join(re.findall(r"[0-9.]+[DHMS]", body)).lower()
    return sign + words
