"""Does deciding cost the same with 1,000,000 contacts as with 10,000?

Drives the real dialer and the real store (SQLite on disk, every commit an fsync) through whole
calls: claim due targets, ask the gate, save the attempt, send, ring, answer, settle, with no
switch and no sound in between. Prints microseconds of processor time a call for both sizes, in
turns so that a noisy machine disturbs both alike, and the ratio of the medians.

    python benchmarks/decide.py [--small 10000] [--large 1000000] [--calls 2000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Target
from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Contact
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.core.outcome import Ending
from duecall.core.site import Site
from duecall.shell.store import Store
from duecall.shell.vault import Vault
from fs_scripts.contract import COMPLETED, Brief, Result, Step

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)
BRIEF = Brief("", (Step("message", ("/sounds/a.wav",), 10_000),))
SITE = Site.model_validate(
    {
        "lender": "bank",
        "trunks": {"demo": {"proxy": "127.0.0.1:5080", "channels": 200, "calls_per_second": 500}},
    }
)
CAMPAIGN = Campaign.model_validate(
    {
        "name": "bench",
        "contacts": "none.csv",
        "language": "vi",
        "country": "VN",
        "rules": {"pack": "none", "pack_reason": "a benchmark"},
        "currency": "VND",
        "zone": "Asia/Ho_Chi_Minh",
        "calendar": {"hours": [{"from": "08:00", "to": "20:00"}]},
        "order": [{"field": "dpd", "descending": True}, {"field": "balance", "descending": True}],
        "message": [{"text": "xin chao"}],
        "retry": {"max_attempts": 3, "by_outcome": {"busy": {"every": "15m", "times": 2}}},
        "caller_id": "842412345678",
        "trunk": "demo",
    }
)


@dataclass(frozen=True)
class ParsedRow:
    contact: Contact
    account: Account


def rows(count: int) -> Iterator[ParsedRow]:
    for n in range(count):
        yield ParsedRow(
            Contact(f"Contact {n}", f"+8491{n:07d}"),
            Account(
                f"HD-{n:08d}",
                1_000_000 + (n * 7919) % 90_000_000,
                "VND",
                "18.5",
                date(2026, 11, 1) - timedelta(days=n % 200),
            ),
        )


class Bench:
    """One database and the dialer over it; `run` makes calls and says what each cost."""

    def __init__(self, folder: Path, contacts: int) -> None:
        self.contacts = contacts
        url = f"sqlite:///{folder / f'{contacts}.db'}"
        self.store = Store(url, Vault.load(folder / "key"), "bank")
        self.store.put_campaign(CAMPAIGN, "bench")
        self.store.import_rows("bench", rows(contacts))
        self.store.rank("bench")
        self.store.set_campaign_state("bench", "running")
        self.seconds = 0.0
        self.dialer = Dialer(SITE, self.moment())
        self.settled = 0
        self._pending: list[e.Event] = []
        self._tell(e.CampaignStarted(self.moment(), CAMPAIGN))
        self._tell(e.SwitchUp(self.moment(), frozenset()))

    def moment(self) -> Moment:
        return Moment(NOON + timedelta(seconds=self.seconds), 1_000.0 + self.seconds)

    def run(self, calls: int) -> float:
        """Processor seconds a call, over this many calls."""
        began, goal = time.process_time(), self.settled + calls
        while self.settled < goal:
            self.seconds += 0.05
            events, self._pending = self._pending, []
            for event in [*events, e.Woke(self.moment())]:
                self._tell(event)
        return (time.process_time() - began) / calls

    def _tell(self, event: e.Event) -> None:
        out = self.dialer.handle(event)
        store = [command for command in out if isinstance(command, c.STORE_COMMANDS)]
        for command in out:
            if isinstance(command, c.Originate):
                self._call(command.attempt.id)
        if not store:
            return
        at = self.moment()
        done = self.store.apply(store, at.wall)
        self.settled += len(done.settled)
        self._pending += [e.AttemptSaved(at, attempt) for attempt in done.saved]
        for load in done.loads:
            targets: tuple[Target, ...] = tuple(row.as_target(BRIEF) for row in load.rows)
            self._pending.append(e.TargetsLoaded(at, load.campaign, targets, load.next_due))

    def _call(self, attempt: str) -> None:
        at = self.moment()
        result = Result(attempt, COMPLETED, heard_ms=10_000, message_ms=10_000)
        ending = Ending("NORMAL_CLEARING", 200, answered=True, result=result)
        self._pending += [
            e.CallRang(at, attempt),
            e.CallAnswered(at, attempt),
            e.CallEnded(at, attempt, ending),
        ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--small", type=int, default=10_000)
    options.add_argument("--large", type=int, default=1_000_000)
    options.add_argument("--calls", type=int, default=1_500)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    if given.calls * (given.rounds + 1) > given.small:
        options.error("--small must hold all the calls of all rounds")
    folder = Path(tempfile.mkdtemp(prefix="duecall-decide-"))
    try:
        benches = []
        for contacts in (given.small, given.large):
            began = time.monotonic()
            benches.append(Bench(folder, contacts))
            print(f"{contacts:>9,} contacts loaded in {time.monotonic() - began:.1f} s", flush=True)
        costs: list[list[float]] = [[], []]
        for bench in benches:
            bench.run(given.calls // 2)  # warm
        for _ in range(given.rounds):
            for bench, cost in zip(benches, costs, strict=True):
                cost.append(bench.run(given.calls) * 1e6)
        medians = [statistics.median(cost) for cost in costs]
        for bench, cost, median in zip(benches, costs, medians, strict=True):
            print(
                f"{bench.contacts:>9,} contacts: {median:7.0f} µs of processor a call "
                f"(rounds {', '.join(f'{value:.0f}' for value in cost)})"
            )
        ratio = medians[1] / medians[0]
        print(f"ratio {ratio:.2f} (at most 1.3)")
        sys.exit(ratio > 1.3)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
