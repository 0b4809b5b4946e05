"""Stops: from when to when each held, by table and ledger and by opt-outs; and whom they held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from duecall.audit.log import Entry, Log, Stop
from duecall.audit.made import Made

OPTED_OUT = "opted_out"
WAITED_US = 30_000_000  # another program's stop may have waited so long for the database
LIST_US = 600_000_000  # a list may take so long to be read in
_FOR_EVER = 1 << 62


class Lift(NamedTuple):
    """A stop was taken back."""

    at_us: int
    chain: str
    seq: int

    def before(self, made: Made) -> bool:
        """In one chain the order tells, whatever clocks showed."""
        if self.chain == made.chain:
            return self.seq < made.seq
        return self.at_us <= made.moment_us


class Held(NamedTuple):
    """A stop that held from `since` (or, in its own chain, from its entry on) until `until`, or
    until it was lifted."""

    stop: Stop
    since_us: int
    until_us: int
    chain: str = ""
    seq: int = 0
    lifts: tuple[Lift, ...] = ()

    def binds(self, made: Made) -> bool:
        """Whether this call was saved when the stop was known, and made while it held."""
        if made.moment_us >= self.until_us or any(lift.before(made) for lift in self.lifts):
            return False
        if self.chain and self.chain == made.chain:
            return self.seq < made.seq
        return self.since_us + WAITED_US < made.at_us


class Stops:
    """All that ever held, by key."""

    def __init__(self, log: Log, calls: Iterable[Made]) -> None:
        self._by_key: dict[tuple[str, str], list[Held]] = {}
        lifted = _lifted(log.entries)
        for held in (*_of_table(log), *_of_ledger(log), *_of_opt_outs(calls)):
            stop = held.stop
            lifts = tuple(lift for lift in lifted.get(_name(stop), ()) if _after(lift, held))
            until = _FOR_EVER if stop.expires_us is None else stop.expires_us
            held = held._replace(until_us=until, lifts=lifts)
            self._by_key.setdefault((stop.key_kind, stop.key), []).append(held)
        lengths = (len(key) for kind, key in self._by_key if kind == "prefix")
        self._lengths = sorted(set(lengths))

    def binding(self, made: Made) -> Iterator[Held]:
        """Those that forbade this call; one of each kind."""
        one = made.attempt
        keys = [("number", one.number), ("contact", one.contact), ("account", one.account)]
        keys += [("prefix", one.phone[:n]) for n in self._lengths if one.phone]
        said = set()
        for key in keys:
            for held in self._by_key.get(key, ()):
                everywhere = held.stop.campaign in ("", one.campaign)
                if everywhere and held.stop.kind not in said and held.binds(made):
                    said.add(held.stop.kind)
                    yield held


def _name(stop: Stop) -> tuple[str, str, str, str]:
    return stop.key_kind, stop.key, stop.campaign, stop.kind


def of_entry(entry: Entry) -> Stop:
    """The stop that a `stop` entry tells of."""
    body = entry.body
    return Stop(
        str(body["key_kind"]),
        str(body["key"]),
        str(body["campaign"]),
        str(body["kind"]),
        entry.at_us,
        body["expires"],
        str(body["source"]),
    )


def _after(lift: Lift, held: Held) -> bool:
    if lift.chain == held.chain:
        return lift.seq > held.seq
    return lift.at_us >= held.since_us


def _lifted(entries: Iterable[Entry]) -> dict[tuple[str, str, str, str], list[Lift]]:
    found: dict[tuple[str, str, str, str], list[Lift]] = {}
    for entry in entries:
        if entry.kind == "stop" and entry.body.get("lifted"):
            lift = Lift(entry.at_us, entry.chain, entry.seq)
            found.setdefault(_name(of_entry(entry)), []).append(lift)
    return found


def _of_ledger(log: Log) -> Iterator[Held]:
    for entry in log.entries:
        if entry.kind == "stop" and not entry.body.get("lifted"):
            yield Held(of_entry(entry), entry.at_us, _FOR_EVER, entry.chain, entry.seq)


def _of_table(log: Log) -> Iterator[Held]:
    """Those of imported lists, which have no entry of their own."""
    singly = {_name(of_entry(one)) for one in log.entries if one.kind == "stop"}
    for stop in log.stops:
        if _name(stop) not in singly:
            yield Held(stop, stop.at_us + LIST_US - WAITED_US, _FOR_EVER)


def _of_opt_outs(calls: Iterable[Made]) -> Iterator[Held]:
    for made in calls:
        one = made.attempt
        if one.outcome == OPTED_OUT and one.settled_us is not None:
            stop = Stop("number", one.number, "", OPTED_OUT, one.settled_us, source=one.id)
            yield Held(stop, one.settled_us, _FOR_EVER, made.end_chain, made.end_seq)
