"""The two clocks of the machine. Nothing else in Duecall reads the time."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from duecall.core.moment import Moment


def now() -> Moment:
    return Moment(datetime.now(timezone.utc), time.monotonic())
