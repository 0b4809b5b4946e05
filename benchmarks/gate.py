"""What does the gate cost a decision, with caps across 10,000,000 past attempts?

Builds (once; it is kept and found again) an SQLite file of so many past attempts of 1,000,000
contacts over 90 days, with the three indexes that answer `History.since` without a look at the
table, and 1,000,000 stopped numbers. Then asks the gate about random contacts, each decision
with its own look-ups, and prints microseconds: the wall clock's median, and the mean of processor
time. Once by the verdict alone, once with every rule explained (`duecall why`).

    python benchmarks/gate.py [--attempts 10000000] [--decisions 20000] [--file var/gate-bench.db]
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from duecall.core.call_events import (
    AGENT,
    ALL_CHANNELS,
    ALL_EVENTS,
    ATTEMPT,
    CONVERSATION,
    LIVE,
    MESSAGE,
    PRERECORDED,
    CallKey,
    PastCall,
)
from duecall.core.gate import Gate
from duecall.core.gate_types import Conduct, ProposedCall, Stop
from duecall.core.local_day import DAY_US, from_us, to_us
from duecall.core.rule_merge import RuleChanges, merge
from duecall.core.rule_pack import RulePack
from duecall.core.verdict import Allowed
from duecall.shell.rule_packs import find_pack, load_pack

GOAL_US = 100
CONTACTS = 1_000_000
DAYS = 90
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)  # in Hanoi
LENDER = 1
FATES = (0, ATTEMPT, ATTEMPT, ATTEMPT, ATTEMPT | LIVE | MESSAGE, ALL_EVENTS)
TALK = ATTEMPT | LIVE | MESSAGE | CONVERSATION
SCHEMA = """
CREATE TABLE attempt (id INTEGER PRIMARY KEY, lender_id INTEGER NOT NULL, phone_hash TEXT NOT NULL,
    contact_id INTEGER NOT NULL, account_id INTEGER NOT NULL, saved_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL, events INTEGER NOT NULL, channels INTEGER NOT NULL);
CREATE TABLE suppression (lender_id INTEGER NOT NULL, phone_hash TEXT NOT NULL,
    expires_at INTEGER, PRIMARY KEY (lender_id, phone_hash)) WITHOUT ROWID;
"""
COLUMNS = {"number": "phone_hash", "contact": "contact_id", "account": "account_id"}


def phone_hash(contact: int) -> str:
    return hashlib.blake2b(contact.to_bytes(8, "big"), digest_size=16).hexdigest()


def rows(attempts: int) -> Iterator[tuple[int, str, int, int, int, int, int, int]]:
    """In the order of time, contacts at random; one in 500 contacts is called far more often."""
    chance = random.Random(1)
    hashes = [phone_hash(n) for n in range(CONTACTS)]
    start, step = to_us(NOON) - DAYS * DAY_US, DAYS * DAY_US // attempts
    for n in range(attempts):
        contact = int(chance.random() * (CONTACTS if n % 10 else CONTACTS // 500))
        fate = chance.random()
        events = TALK if fate > 0.97 else FATES[int(fate * 6)]
        at = start + n * step
        channels = PRERECORDED if events != ALL_EVENTS else ALL_CHANNELS
        yield LENDER, hashes[contact], contact, contact, at, at + 40_000_000, events, channels


def build(path: Path, attempts: int) -> None:
    """The file, whole or not at all."""
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(part)
    for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -1000000"):
        db.execute(f"PRAGMA {pragma}")
    db.executescript(SCHEMA)
    insert = """INSERT INTO attempt (lender_id, phone_hash, contact_id, account_id, saved_at,
        ended_at, events, channels) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
    db.executemany(insert, rows(attempts))
    for kind, column in COLUMNS.items():
        db.execute(
            f"""CREATE INDEX attempt_by_{kind} ON attempt
            (lender_id, {column}, saved_at, ended_at, events, channels)"""
        )
    stopped = sorted(phone_hash(CONTACTS + n) for n in range(1_000_000))
    db.executemany(f"INSERT INTO suppression VALUES ({LENDER}, ?, NULL)", ((h,) for h in stopped))
    db.commit()
    db.close()
    part.rename(path)


class Store:
    """History and stops, one range scan or look-up each."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)
        self.db.execute("PRAGMA cache_size = -65536")
        self.scans = {
            kind: f"""SELECT saved_at, ended_at, events, channels FROM attempt
            WHERE lender_id = {LENDER} AND {column} = ? AND saved_at >= ?"""
            for kind, column in COLUMNS.items()
        }

    def since(self, key: CallKey, from_us: int) -> Sequence[PastCall]:
        value: object = key.value if key.kind == "number" else int(key.value)
        return self.db.execute(self.scans[key.kind], (value, from_us)).fetchall()

    def of(self, call: ProposedCall) -> Sequence[Stop]:
        sql = f"SELECT expires_at FROM suppression WHERE lender_id = {LENDER} AND phone_hash = ?"
        found = self.db.execute(sql, (call.keys[0].value,)).fetchall()
        return [Stop("dnc", "all campaigns", expires, "bench") for (expires,) in found]


def declared(pack: RulePack) -> RuleChanges:
    """As a lender who has everything in order."""
    return RuleChanges.model_validate(
        {
            "attested": [rule.attested for rule in pack.require if rule.attested],
            "says": [rule.say for rule in pack.content if rule.say],
            "number_shown": sorted({word for rule in pack.caller_id for word in rule.needs}),
        }
    )


def calls(zones: tuple[str, ...], count: int, seed: int) -> Iterator[ProposedCall]:
    chance = random.Random(seed)
    conduct = Conduct("overdue", PRERECORDED | AGENT, 30, "Asia/Ho_Chi_Minh")
    consents = frozenset({"mass_call_consent_126fz", "prior_express_consent"})
    for _ in range(count):
        contact = chance.randrange(CONTACTS)
        keys = (
            CallKey("number", phone_hash(contact)),
            CallKey("contact", str(contact)),
            CallKey("account", str(contact)),
        )
        yield ProposedCall(conduct, keys, zones, consents=consents)


SIBERIA = ["Anadyr", "Irkutsk", "Kamchatka", "Krasnoyarsk", "Magadan", "Novosibirsk", "Omsk"]
SIBERIA += ["Sakhalin", "Vladivostok", "Yakutsk", "Yekaterinburg"]
MOBILE = (*(f"Asia/{name}" for name in SIBERIA), "Europe/Moscow")
# (what, pack, zones, when): one zone; the twelve of a Russian mobile; caps by account over 30 days;
# and a night, in which every call is denied and its next moment worked out.
SETTINGS = (
    ("Vietnam, noon", "vn", ("Asia/Ho_Chi_Minh",), NOON),
    ("Vietnam, midnight", "vn", ("Asia/Ho_Chi_Minh",), NOON + timedelta(hours=12)),
    ("Russia, 12 zones", "ru", MOBILE, NOON + timedelta(hours=2)),
    ("US, noon", "us", ("America/Chicago",), NOON + timedelta(hours=13)),
)


def measure(
    path: Path, what: str, name: str, zones: tuple[str, ...], now: datetime, decisions: int
) -> float:
    pack = load_pack(find_pack(name))
    gate, store = Gate(merge(pack, declared(pack))), Store(path)
    for call in calls(zones, 2_000, seed=2):
        gate.check(call, store, store, now)
    spent: list[int] = []
    allowed = 0
    processor = time.process_time()
    for n, call in enumerate(calls(zones, decisions, seed=3)):
        moment = now + timedelta(milliseconds=20 * n)
        began = time.perf_counter_ns()
        verdict = gate.check(call, store, store, moment)
        spent.append(time.perf_counter_ns() - began)
        allowed += isinstance(verdict, Allowed)
    processor = (time.process_time() - processor) / decisions * 1e6
    told: list[int] = []
    for call in calls(zones, decisions // 10, seed=4):
        began = time.perf_counter_ns()
        gate.explain(call, store, store, now)
        told.append(time.perf_counter_ns() - began)
    median = statistics.median(spent) / 1e3
    print(
        f"{what:18} {median:4.0f} µs a decision (median; 9 in 10 below "
        f"{statistics.quantiles(spent, n=10)[8] / 1e3:.0f}; processor {processor:.0f} with the "
        f"making of the call), {allowed / decisions:.0%} allowed; "
        f"explained {statistics.median(told) / 1e3:.0f} µs",
        flush=True,
    )
    return median


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--attempts", type=int, default=10_000_000)
    options.add_argument("--decisions", type=int, default=20_000)
    options.add_argument("--file", type=Path, default=None)
    given = options.parse_args()
    path = given.file or Path(f"var/gate-bench-{given.attempts}.db")
    if not path.exists():
        began = time.monotonic()
        build(path, given.attempts)
        print(f"{given.attempts:,} attempts written in {time.monotonic() - began:.0f} s")
    since = from_us(to_us(NOON) - DAYS * DAY_US)
    print(f"{path.stat().st_size / 1e9:.1f} GB, attempts since {since:%Y-%m-%d}", flush=True)
    medians = [measure(path, *setting, given.decisions) for setting in SETTINGS]
    print(f"goal: at most {GOAL_US} µs")
    sys.exit(max(medians) > GOAL_US)


if __name__ == "__main__":
    main()
