"""What each process of a worker has in hand, in memory that it shares with its parent.

A process begins several short executions in one transaction and records them in another. Should it end in between, its
parent sees here which of them was running, and which had not had their turn.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass

#: The most that a process has in hand.
MOST = 50
#: Prime, so that processes that are started one after the other have places of their own.
PLACES = 1021
_HEAD = struct.Struct("=qqq")
_NUMBER = struct.Struct("=q")
_SIZE = _HEAD.size + MOST * _NUMBER.size


@dataclass(frozen=True, slots=True)
class Hand:
    """Executions in the order of their turns; the one at ``turn`` runs, those before it have ended."""

    executions: Sequence[int] = ()
    turn: int = 0

    @property
    def current(self) -> int | None:
        return self.executions[self.turn] if self.turn < len(self.executions) else None

    @property
    def waiting(self) -> Sequence[int]:
        return self.executions[self.turn + 1 :]


class Hands:
    """To be made before the processes are forked. Each writes its own place, and only its parent reads it."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, PLACES * _SIZE)

    def take(self, executions: Sequence[int]) -> None:
        """Note what this process has begun; none of it has its turn yet, so the first counts as running."""
        place = self._place(os.getpid())
        # The number last: until then the parent reads nothing of it.
        _HEAD.pack_into(self._memory, place, os.getpid(), 0, 0)
        for number, execution_id in enumerate(executions):
            _NUMBER.pack_into(self._memory, place + _HEAD.size + number * _NUMBER.size, execution_id)
        _HEAD.pack_into(self._memory, place, os.getpid(), len(executions), 0)

    def turn_to(self, turn: int) -> None:
        """Note which of them runs."""
        _NUMBER.pack_into(self._memory, self._place(os.getpid()) + 2 * _NUMBER.size, turn)

    def of(self, process: int) -> Hand:
        """Return what a process has in hand, or had when it ended; nothing where another has its place."""
        place = self._place(process)
        whose, count, turn = _HEAD.unpack_from(self._memory, place)
        if whose != process:
            return Hand()
        numbers = struct.unpack_from(f"={count}q", self._memory, place + _HEAD.size)
        return Hand(numbers, turn)

    @staticmethod
    def _place(process: int) -> int:
        return process % PLACES * _SIZE
