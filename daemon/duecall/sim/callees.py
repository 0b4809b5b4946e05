"""What callees do: drawn for each call before it rings."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fs_scripts.contract import (
    CALLEE_HUNG_UP,
    CLAIMS_PAID,
    COMPLETED,
    ERROR,
    HANG_UP,
    KEY,
    OPT_OUT,
    PROMISE,
    TRANSFER,
    KeyPress,
    Result,
)

MESSAGE_MS = 12_000
KEYS = {TRANSFER: "1", PROMISE: "2", CLAIMS_PAID: "3", HANG_UP: "8", OPT_OUT: "9"}
# (cause, SIP status, seconds it takes at least and at most)
_UNANSWERED = (
    ("USER_BUSY", 486, 0.1, 2.0),
    ("NO_ANSWER", 480, 5.0, 30.0),
    ("UNALLOCATED_NUMBER", 404, 0.1, 1.0),
    ("CALL_REJECTED", 603, 0.5, 9.0),
    ("CALL_REJECTED", 403, 0.1, 0.5),
    ("NORMAL_TEMPORARY_FAILURE", 503, 0.1, 0.5),
    ("SUBSCRIBER_ABSENT", 480, 0.1, 3.0),
    ("RECOVERY_ON_TIMER_EXPIRE", 408, 5.0, 15.0),
)
_UNANSWERED_WEIGHTS = (6, 9, 2, 2, 1, 2, 1, 1)
_ANSWERED = ("listens", "hangs up", "instant", "fails", OPT_OUT, CLAIMS_PAID, PROMISE, HANG_UP,
             TRANSFER)  # fmt: skip
_ANSWERED_WEIGHTS = (8, 6, 1, 1, 3, 2, 3, 1, 7)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a call if nobody interferes. Seconds: rings_s and talks_s from the step
    before. talks_s: from the answer to the end of the script, or to the callee's hanging up.

    action: of the key pressed at the end of talks_s. patience_s: how long he waits for an agent.
    """

    answered: bool
    cause: str
    sip_status: int
    rings_s: float
    talks_s: float = 0.0
    script: str = "none"
    ended_by: str = ""
    action: str = ""
    share_heard: float = 0.0
    patience_s: float = 0.0


def fate(chance: random.Random, ring_s: int) -> Fate:
    """ring_s: the longest that it may ring."""
    if chance.random() < 0.4:
        [(cause, status, least_s, most_s)] = chance.choices(_UNANSWERED, _UNANSWERED_WEIGHTS)
        return Fate(False, cause, status, min(ring_s, chance.uniform(least_s, most_s)))
    rings_s = chance.uniform(0.2, 0.9) * ring_s
    [does] = chance.choices(_ANSWERED, _ANSWERED_WEIGHTS)
    cause = "NORMAL_CLEARING"
    if does == "instant":
        return Fate(True, cause, 200, rings_s, 0.0)
    if does == "fails":
        return Fate(True, cause, 200, rings_s, 0.3, "failed", ERROR)
    message_s = MESSAGE_MS / 1000
    if does == "listens":
        return Fate(True, cause, 200, rings_s, message_s, "ran", COMPLETED, "", 1.0)
    if does == "hangs up":
        heard = chance.uniform(0.05, 1.0)
        return Fate(True, cause, 200, rings_s, heard * message_s, "ran", CALLEE_HUNG_UP, "", heard)
    heard = chance.uniform(0.2, 1.0)
    patience_s = chance.uniform(4.0, 90.0)
    return Fate(True, cause, 200, rings_s, heard * message_s, "ran", KEY, does, heard, patience_s)


def result_of(attempt_id: str, ended_by: str, action: str, share_heard: float) -> Result:
    """What the script says of it."""
    heard_ms = int(MESSAGE_MS * share_heard)
    keys = (KeyPress(KEYS[action], heard_ms, "message"),) if action else ()
    error = "no sound" if ended_by == ERROR else ""
    return Result(
        attempt_id, ended_by, action, keys, heard_ms=heard_ms, message_ms=MESSAGE_MS, error=error
    )
