"""How many examples the properties try: few at each change, many when somebody has the time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

#: How many times as many examples to try: ``TRIGGER_EXAMPLES=50 pytest tests/unit/triggers -p no:timeout``.
FACTOR = int(os.environ.get("TRIGGER_EXAMPLES", "1"))


def examples(count: int) -> Callable[[Any], Any]:
    """Return the settings of a property that tries so many examples, times the factor."""
    slow = [HealthCheck.too_slow] if FACTOR > 1 else []
    return settings(max_examples=count * FACTOR, suppress_health_check=slow)
