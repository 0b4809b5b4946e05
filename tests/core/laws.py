"""An auditor: judges from the log alone whether the laws were kept. Knows nothing of the core."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

CHANNELS, CALLS_PER_SECOND = 6, 5


@dataclass(frozen=True)
class Entry:
    """One line of the log. at_s: monotonic. what: born (a daemon), saved, sent, decided, settled,
    or `finished` (a campaign, with `left` targets that still had to be called).

    state: of the campaign. stopped: whether the number was on the stop list by then.
    """

    at_s: float
    what: str
    attempt: str = ""
    phone_hash: str = ""
    state: str = ""
    stopped: bool = False
    left: int = 0


def judge(log: Sequence[Entry]) -> list[str]:
    """Laws L1, L4, L5, L6, L7 and pauses; that no attempt stays open (L10). Empty: all is well."""
    broken: list[str] = []
    saved: dict[str, float] = {}
    sent: dict[str, float] = {}
    settled: set[str] = set()
    decided: set[str] = set()
    ringing: dict[str, str] = {}  # number -> attempt, from sent to settled
    starts: deque[float] = deque()
    for entry in log:
        name = entry.attempt
        if entry.what == "born":
            decided.clear()  # what an earlier daemon decided and did not make durable is void
        elif entry.what == "saved":
            if name in saved:
                broken.append(f"L5: {name} saved twice")
            saved[name] = entry.at_s
        elif entry.what == "sent":
            if name not in saved:
                broken.append(f"L5: {name} sent before it was durable")
            if name in sent:
                broken.append(f"L5: {name} sent twice")
            if name in settled or name in decided:
                broken.append(f"L6: {name} sent after its outcome")
            if entry.stopped:
                broken.append(f"L4: {entry.phone_hash} rung though it was stopped")
            if entry.state != "running":
                broken.append(f"pause: {name} sent for a campaign that is {entry.state}")
            if entry.phone_hash in ringing:
                broken.append(f"L1: {entry.phone_hash} rung by two attempts")
            sent[name] = entry.at_s
            ringing[entry.phone_hash] = name
            if len(ringing) > CHANNELS:
                broken.append(f"L7: {len(ringing)} channels at {entry.at_s:.2f}")
            starts.append(entry.at_s)
            while starts[0] <= entry.at_s - 1.0:
                starts.popleft()
            if len(starts) > CALLS_PER_SECOND:
                broken.append(f"L7: {len(starts)} calls in the second before {entry.at_s:.2f}")
        elif entry.what == "finished":
            if entry.left:
                broken.append(f"L10: a campaign is finished with {entry.left} targets left")
        elif entry.what == "decided":
            if name in decided:
                broken.append(f"L6: {name} has two outcomes")
            decided.add(name)
        elif entry.what == "settled":
            if name in settled:
                broken.append(f"L6: {name} settled twice")
            settled.add(name)
            if ringing.get(entry.phone_hash) == name:
                del ringing[entry.phone_hash]
    broken.extend(f"L10: {name} has no outcome" for name in saved if name not in settled)
    return broken
