"""What the journal costs a call, beside deciding and storing it.

Whole calls through the real dialer and the real store (SQLite), with briefs as long as real ones;
what is heard and decided is then noted, and written by the journal's writer in blocks of several
sizes, as few and as many calls a second make them. Processor time, all of it, whatever thread it
is spent on; the best of several rounds, for others on the machine only add to it. Then what a
snapshot costs, of a dialer with full hoppers and many live calls.

    python benchmarks/journal.py [--calls 3000] [--rounds 5] [--daemon-ms 1.3]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import gevent
from decide import CAMPAIGN, NOON, SITE, Bench, rows

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Past, Target
from duecall.core.dialer import Dialer
from duecall.core.moment import Moment
from duecall.core.outcome import Ending
from duecall.core.site import JournalSettings
from duecall.shell import journal_writer
from duecall.shell.journal import Journal
from duecall.shell.journal_codec import Encoder, RawEntry
from duecall.shell.journal_file import segments_in
from duecall.shell.journal_writer import Beginning, JournalWriter
from duecall.shell.vault import Vault, new_key_text
from fs_scripts.contract import KEY, Brief, KeyAction, KeyPress, Result, Step

VAULT = Vault(new_key_text())
KEEP = 10**12
BLOCKS = (25, 100, 400, 1_000)  # entries; twice a second: 10, 40, 160 and 400 calls a second
SHARE_MAX = 0.03


def sound(what: str) -> str:
    """A path as the cache of sounds makes it."""
    digest = hashlib.sha256(what.encode()).hexdigest()
    return f"/srv/duecall/tts_cache/espeak-vi-150-50/{digest[:2]}/{digest}.wav"


KEYS = {
    key: KeyAction(do, (sound(do),))
    for key, do in {
        "1": "transfer",
        "2": "claims_paid",
        "3": "promise",
        "9": "opt_out",
    }.items()
}


def brief(number: int) -> Brief:
    """A message of five fragments, two of them this contact's own, and four keys."""
    said = ("hello", f"name {number}", "you owe", f"balance {number}", "press")
    step = Step("message", tuple(map(sound, said)), 12_345, dict(KEYS))
    return Brief("", (step,), (sound("goodbye"),), "vi")


class Calls(Bench):
    """Calls as `decide` makes them, with all their events. entries: what a journal is given."""

    def __init__(self, folder: Path, contacts: int) -> None:
        self.entries: list[RawEntry] = []
        self.deciding_s = self.storing_s = 0.0
        super().__init__(folder, contacts)

    def _tell(self, event: e.Event) -> None:
        self.seconds += 1e-5  # no two things happen at once
        if isinstance(event, e.TargetsLoaded):
            spoken = tuple(replace(t, brief=brief(t.id)) for t in event.targets)
            event = replace(event, targets=spoken)
        now = self.moment()
        began = time.process_time()
        out = self.dialer.handle(event, now)
        decided = time.process_time()
        self.deciding_s += decided - began
        self.entries.append((event, now, tuple(out), ""))
        for command in out:
            if isinstance(command, c.Originate):
                self._call(command.attempt.id)
        store = [command for command in out if isinstance(command, c.STORE_COMMANDS)]
        if not store:
            return
        at = self.moment()
        began = time.process_time()
        done = self.store.apply(store, at.wall)
        self.storing_s += time.process_time() - began
        self.settled += len(done.settled)
        self._pending += [e.AttemptSaved(at, attempt) for attempt in done.saved]
        for load in done.loads:
            targets = tuple(row.as_target(brief(0)) for row in load.rows)
            self._pending.append(e.TargetsLoaded(at, load.campaign, targets, load.next_due))

    def _call(self, attempt: str) -> None:
        at = self.moment()
        result = Result(
            attempt,
            KEY,
            "claims_paid",
            (KeyPress("2", 8_123, "message"),),
            heard_ms=8_123,
            message_ms=12_345,
            talk_ms=11_000,
        )
        ending = Ending("NORMAL_CLEARING", 200, answered=True, result=result)
        self._pending += [
            e.CallAccepted(at.after(0.02), attempt),
            e.CallRang(at.after(0.4), attempt),
            e.CallAnswered(at.after(5.1), attempt),
            e.CallEnded(at.after(17.2), attempt, ending),
        ]


def cpu_us(do: Callable[[], object], calls: int) -> float:
    began = time.process_time()
    do()
    return (time.process_time() - began) / calls * 1e6


def write(folder: Path, entries: Sequence[RawEntry], block: int) -> int:
    """In one segment; how long it is. The first entries are those of a fresh dialer."""
    journal_writer.SEGMENT_MAX_BYTES = KEEP
    writer = JournalWriter(folder, VAULT, KEEP)
    encoder = Encoder()
    snapshot = encoder.snapshot(Dialer(SITE, Moment(entries[0][1].wall, 0.0)))
    beginning = Beginning(f"b{block}", {}, snapshot, encoder, 0.0, follows_on=False)
    writer.write([beginning])
    for start in range(0, len(entries), block):
        writer.write(entries[start : start + block])
    writer.end()
    return beginning.size


def note(folder: Path, entries: Sequence[RawEntry]) -> Callable[[], None]:
    """What the hub does for them; nothing is written meanwhile."""
    folders = SITE.folders.model_copy(update={"var": str(folder)})
    site = SITE.model_copy(update={"folders": folders, "journal": JournalSettings(keep=KEEP)})
    at = Moment(entries[0][1].wall, 0.0)
    journal = Journal(site, VAULT, Dialer(site, at), lambda alarm: print(alarm), at)
    few = entries[:15_000]

    def do() -> None:
        for event, now, commands, _ in few:
            journal.note(event, now, commands)

    gevent.sleep(0)
    return do


def full_dialer(live: int, waiting: int) -> Dialer:
    """So many calls in flight, and about so many targets in the hopper (500 at most)."""
    trunk = SITE.trunks["demo"].model_copy(update={"channels": max(live, 1)})
    start = Moment(NOON, 1_000.0)
    dialer = Dialer(SITE.model_copy(update={"trunks": {"demo": trunk}}), start)
    if not live:
        return dialer
    targets = [
        Target(n, "bank", "bench", row.contact, row.account, f"{n:032x}", Past(), brief(n))
        for n, row in enumerate(rows(live + waiting))
    ]
    dialer.handle(e.SwitchUp(start, frozenset()))
    dialer.handle(e.CampaignStarted(start, CAMPAIGN))
    run = dialer.runs["bench"]
    for step in range(1_000):
        if len(dialer.live) == live:
            return dialer
        at = start.after(step / 100)
        dialer.handle(e.Woke(at))
        if run.loading and targets:
            some, targets = targets[: run.loading], targets[run.loading :]
            dialer.handle(e.TargetsLoaded(at, "bench", tuple(some)))
        for attempt in list(dialer.live):
            dialer.handle(e.AttemptSaved(at, attempt))
    raise RuntimeError("the dialer does not fill up")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--calls", type=int, default=3_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--daemon-ms", type=float, default=1.3, help="of processor a call, in all")
    given = options.parse_args()
    written: dict[int, list[float]] = {block: [] for block in BLOCKS}
    size: dict[int, float] = {}
    noted, deciding, storing = [], [], []
    with tempfile.TemporaryDirectory(prefix="duecall-journal-") as name:
        folder = Path(name)
        for number in range(given.rounds):
            calls = Calls(folder / str(number), given.calls)  # none is loaded and not called
            calls.run(given.calls)
            deciding.append(calls.deciding_s / calls.settled * 1e6)
            storing.append(calls.storing_s / calls.settled * 1e6)
            few = min(15_000, len(calls.entries)) / len(calls.entries) * calls.settled
            noted.append(cpu_us(note(folder / f"{number}/n", calls.entries), int(few)))
            for block in BLOCKS:
                into = folder / f"{number}/b{block}"
                cost = cpu_us(lambda: write(into, calls.entries, block), calls.settled)  # noqa: B023
                written[block].append(cost)
                (path,) = segments_in(into)
                size[block] = path.stat().st_size / calls.settled
            calls.store.close()
    print(f"{len(calls.entries) / calls.settled:.1f} events a call; processor time a call:")
    print(f"  deciding {min(deciding):.0f} µs, storing {min(storing):.0f} µs")
    hub = min(noted)
    print(f"  journal: noting on the hub {hub:.1f} µs; writing on its thread, by entries a block:")
    shares = {}
    for block in BLOCKS:
        cost = min(written[block])
        shares[block] = (hub + cost) / (given.daemon_ms * 1e3)
        print(
            f"  {block:>6,}: {cost:5.1f} µs, {size[block]:4.0f} bytes on disk; with noting "
            f"{shares[block] * 100:.1f} % of {given.daemon_ms} ms"
        )
    for live, waiting in ((0, 0), (50, 100), (500, 500)):
        dialer = full_dialer(live, waiting)
        times = []
        for _ in range(7):
            began = time.process_time()
            snapshot = Encoder().snapshot(dialer)
            times.append((time.process_time() - began) * 1e3)
        print(
            f"snapshot of {len(dialer.live)} live calls and "
            f"{sum(len(run.hopper) for run in dialer.runs.values())} waiting targets: "
            f"{min(times):.1f} ms, {len(snapshot) / 1e3:.0f} kB"
        )
    sys.exit(shares[100] > SHARE_MAX)


if __name__ == "__main__":
    main()
