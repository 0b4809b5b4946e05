"""What stands in the columns of the tables (models.py): states, and times.

Times are whole microseconds since 1970 in UTC: exact, sortable, eight bytes in every index, and no
driver's idea of time zones in between.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from duecall.core.local_day import from_us as from_us
from duecall.core.local_day import to_us as to_us

MICROSECOND = timedelta(microseconds=1)


class TargetState(str, Enum):
    """Where a target is. Only READY ones are handed out, in the order of `rank`."""

    NEW = "new"  # imported, not ranked yet
    WAITING = "waiting"  # until due_at
    READY = "ready"
    HELD = "held"  # handed to a daemon
    CALLING = "calling"  # has an attempt that is not settled
    DONE = "done"  # for `reason`


class CampaignState(str, Enum):
    LOADED = "loaded"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"


def maybe_us(at: datetime | None) -> int | None:
    return None if at is None else to_us(at)


def maybe_from_us(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)
