"""The overview: whether the scheduler is alive, what failed and was missed, what runs and what comes next.

Every figure comes from sums that the engine keeps, or by an index that is small: the number of queries is fixed, and
what they read does not grow with the executions that are kept.
"""

from app_scheduler.services.overview.concerns import (
    Broken,
    Concerns,
    Crowded,
    Failing,
    Slow,
    Slower,
    Unreliable,
    concerns,
)
from app_scheduler.services.overview.hours import Hours, Lengths, Outcomes, hours_until
from app_scheduler.services.overview.now import (
    MOST_NEW,
    Due,
    Missed,
    OpenFailures,
    Retention,
    Running,
    Why,
    due_soon,
    oldest_waiting,
    open_failures,
    retention,
    running_longest,
    why_missed,
)
from app_scheduler.services.overview.pulse import Pulse, pulse
from app_scheduler.services.overview.timelines import LOOKS, Lane, Mark, Timeline, timeline

__all__ = [
    "LOOKS",
    "MOST_NEW",
    "Broken",
    "Concerns",
    "Crowded",
    "Due",
    "Failing",
    "Hours",
    "Lane",
    "Lengths",
    "Mark",
    "Missed",
    "OpenFailures",
    "Outcomes",
    "Pulse",
    "Retention",
    "Running",
    "Slow",
    "Slower",
    "Timeline",
    "Unreliable",
    "Why",
    "concerns",
    "due_soon",
    "hours_until",
    "oldest_waiting",
    "open_failures",
    "pulse",
    "retention",
    "running_longest",
    "timeline",
    "why_missed",
]
