"""What a log holds, in numbers: for the table that an auditor keeps beside the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from duecall.audit.log import Entry, Log

LAXER = ("changed", "dropped", "days", "pack")


class TakenUp(NamedTuple):
    """A rule set of a campaign. calls: how many were decided by it."""

    campaign: str
    pack: str
    rules: str
    since_us: int
    calls: int


class Laxer(NamedTuple):
    """A change in force that takes something away from the pack."""

    campaign: str
    rule: str
    kind: str
    origin: str
    level: str
    reason: str
    approved_by: str


@dataclass(slots=True)
class Summary:
    """calls, refusals, opened: by campaign; of refusals those that changed something."""

    attempts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    by_rule: Counter[str] = field(default_factory=Counter)  # refusals
    entries: Counter[str] = field(default_factory=Counter)  # of the ledger, by kind
    taken_up: list[TakenUp] = field(default_factory=list)
    laxer: list[Laxer] = field(default_factory=list)


def summarise(log: Log, from_us: int = 0, until_us: int = 1 << 62) -> Summary:
    """Attempts and refusals of this time; rule sets and changes as they stand at its end."""
    found = Summary()
    decided: Counter[tuple[str, str]] = Counter()
    found.entries.update({"call": len(log.calls), "ended": len(log.ended)})
    for attempt in log.attempts:
        if from_us <= attempt.saved_us < until_us:
            found.attempts[attempt.campaign] += 1
    for call in log.calls:
        if from_us <= call.at_us < until_us:
            decided[call.grounds.campaign, call.grounds.rules] += 1
    latest: dict[str, Entry] = {}
    seen: set[tuple[str, str]] = set()
    for entry in sorted(log.entries, key=lambda one: one.at_us):
        found.entries[entry.kind] += 1
        body = entry.body
        if entry.kind == "refused" and from_us <= entry.at_us < until_us:
            found.refusals[body["campaign"]] += 1
            found.by_rule[body["rule"] or "campaign"] += 1
        if entry.kind == "rules" and entry.at_us < until_us:
            latest[body["campaign"]] = entry
            name = body["campaign"], body["rules"]
            if name not in seen:
                seen.add(name)
                found.taken_up.append(
                    TakenUp(name[0], body["pack"], name[1], entry.at_us, decided[name])
                )
    found.laxer = [one for entry in latest.values() for one in _laxer(entry)]
    return found


def _laxer(entry: Entry) -> Iterator[Laxer]:
    for change in entry.body["changes"]:
        if change["kind"] in LAXER:
            names = ("rule", "kind", "origin", "level", "reason", "approved_by")
            yield Laxer(entry.body["campaign"], *(change[name] for name in names))
