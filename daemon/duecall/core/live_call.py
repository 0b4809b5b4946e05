"""Attempts that are not settled, and the numbers that they keep busy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from duecall.core.attempt import Attempt, Stage
from duecall.core.call_events import CallKey
from duecall.core.campaign import Campaign
from duecall.core.gate_types import EMPTY, Snapshot
from duecall.core.line import Line
from duecall.core.moment import Moment
from duecall.core.outcome import Ending
from duecall.core.proposal import keys_of
from duecall.core.transfer import Transfer
from duecall.core.verdict import Denied
from fs_scripts.contract import Result


@dataclass(slots=True)
class LiveCall:
    """An attempt on its way to the store, or saved and not settled.

    campaign: the version that planned it. line: None for one of an earlier life whose trunk is no
    longer in config.yaml. durable: since when, while it waits to be sent. over_s: monotonic; by
    then it should have ended by itself. ask_s: monotonic; then the switch is asked. result: what
    the script has said so far. withdrawn: it must not be sent any more. sent_s: monotonic, minus
    infinity for one of an earlier life. ended: it is over for the switch, but the network may still
    ring (core/sent_calls.py). known: the past of its keys, as it was after its own commit.
    """

    attempt: Attempt
    campaign: Campaign
    line: Line | None
    stage: Stage
    over_s: float = float("inf")
    ask_s: float = float("inf")
    durable: Moment | None = None
    answered: bool = False
    result: Result | None = None
    transfer: Transfer | None = None
    known: Snapshot = EMPTY
    withdrawn: Denied | None = None
    sent_s: float = float("-inf")
    ended: Ending | None = None

    @property
    def of_earlier_life(self) -> bool:
        """Sent by a daemon that has ended since; this one has to find out what became of it."""
        return self.stage >= Stage.SENT and self.sent_s == float("-inf")

    def may_last_until(self, mono_s: float, ask_s: float = float("inf")) -> None:
        """From then on, or from ask_s, the switch is asked what has become of it."""
        self.over_s = mono_s
        self.ask_s = min(mono_s, ask_s)


class LiveCalls(dict[str, LiveCall]):
    """attempt id -> call. numbers: how many live attempts each has (law L1 wants one; those of an
    earlier life are taken as they are found). busy: the same by all that calls are counted by."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: Counter[str] = Counter()
        self.busy: Counter[CallKey] = Counter()

    def remember(self, call: LiveCall) -> None:
        """It is live from now on, and holds a channel of its trunk."""
        self[call.attempt.id] = call
        self.numbers[call.attempt.target.phone_hash] += 1
        self.busy.update(keys_of(call.attempt.target))
        if call.line is not None:
            call.line.taken.add(call.attempt.id)

    def forget(self, call: LiveCall) -> None:
        """It is settled, or never was: channel and number are free."""
        del self[call.attempt.id]
        phone_hash = call.attempt.target.phone_hash
        self.numbers[phone_hash] -= 1
        if not self.numbers[phone_hash]:
            del self.numbers[phone_hash]
        for key in keys_of(call.attempt.target):
            self.busy[key] -= 1
            if not self.busy[key]:
                del self.busy[key]
        if call.line is not None:
            call.line.release(call.attempt.id)

    def of(self, campaign: str) -> Iterator[LiveCall]:
        return (call for call in self.values() if call.campaign.name == campaign)
