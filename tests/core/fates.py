"""What becomes of a call, by chance."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from duecall.core.attempt import Attempt
from duecall.core.outcome import Ending
from fs_scripts.contract import CALLEE_HUNG_UP, COMPLETED, KEY, KeyPress, Result

CAUSES = ("USER_BUSY", "NO_ANSWER", "UNALLOCATED_NUMBER", "NORMAL_TEMPORARY_FAILURE")


@dataclass
class Channel:
    """What truly happens to one call. until_s: when it ends by itself."""

    attempt: Attempt
    ending: Ending
    until_s: float


def fate(chance: random.Random, attempt: Attempt) -> Ending:
    """How this call will end."""
    draw = chance.random()
    if draw < 0.4:
        return Ending(chance.choice(CAUSES), script_started=False)
    ended_by = COMPLETED if draw < 0.6 else CALLEE_HUNG_UP
    result = Result(attempt.id, ended_by, heard_ms=1_000, message_ms=10_000)
    if draw > 0.8:
        key = KeyPress("1", 900, "message")
        result = replace(result, ended_by=KEY, action="transfer", keys=(key,))
    return Ending("NORMAL_CLEARING", 200, answered=True, result=result)
