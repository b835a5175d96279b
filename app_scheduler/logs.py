"""A stored log as lines with a time, a level and a logger. Reads what ``engine.capture`` writes, and loses nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

#: What a run printed, as against what it logged.
PRINTED = frozenset({"PRINT", "STDERR"})

#: Below a line, the further lines of its message are indented by this much.
INDENT = "    "

_LINE = re.compile(r"(?P<stamp>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) (?P<level>\S+)(?P<rest>.*)", re.DOTALL)
_LOGGER = re.compile(r"(?P<logger>[^\s:]+): ")
#: ``logging``'s own name for a level without one.
_NUMBERED = re.compile(r"Level (\d+)")


@dataclass(slots=True)
class Entry:
    """One entry, of one or more lines. What has no time and no level was not written by a run: “… lines left out …”."""

    raw: list[str] = field(default_factory=list)
    time: datetime | None = None
    level: str = ""
    logger: str = ""
    message: str = ""

    @property
    def is_printed(self) -> bool:
        return self.level in PRINTED

    @property
    def severity(self) -> int:
        """The level as a number, 0 for what was printed and for levels that ``logging`` does not know here."""
        if self.is_printed or not self.level:
            return 0
        number = logging.getLevelNamesMapping().get(self.level, 0)
        return number

    @property
    def is_warning(self) -> bool:
        return self.severity >= logging.WARNING

    @property
    def is_error(self) -> bool:
        return self.severity >= logging.ERROR


def parse(text: str) -> list[Entry]:
    """Return the entries of a stored log. Never raises; the entries' ``raw`` lines are those of ``text``, in order."""
    entries: list[Entry] = []
    if not text:
        return entries
    # Only this line break ends an entry's line: a message may hold any of the others.
    for line in text.split("\n"):
        entry = _started_by(line)
        if entry is None and line.startswith(INDENT) and entries and entries[-1].time is not None:
            entries[-1].raw.append(line)
            entries[-1].message += "\n" + line.removeprefix(INDENT)
        else:
            entries.append(entry or Entry([line], message=line))
    return entries


def joined(entries: Sequence[Entry]) -> str:
    """Return the text that ``entries`` were parsed from."""
    return "\n".join(line for entry in entries for line in entry.raw)


def count_lines(entries: Sequence[Entry]) -> int:
    return sum(len(entry.raw) for entry in entries)


def _started_by(line: str) -> Entry | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    try:
        time = datetime.fromisoformat(found["stamp"].removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None
    level, rest = found["level"], found["rest"]
    if level == "Level" and (numbered := _NUMBERED.match(f"{level}{rest}")):
        level, rest = numbered[0], f"{level}{rest}"[numbered.end() :]
    # The level is padded to eight characters; blanks beyond those belong to the message.
    message = rest[max(0, 8 - len(level)) :].removeprefix(" ")
    logger = ""
    if level not in PRINTED and (named := _LOGGER.match(message)):
        logger, message = named["logger"], message[named.end() :]
    return Entry([line], time, level, logger, message)
