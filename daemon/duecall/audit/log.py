"""What the audit judges: attempts, the ledger, stops, documents and packs, as plain values.

`reader.py` fills a Log from a database; the simulator fills one from a story. Both hand ledger
entries to `Log.take`, which knows their bodies. Moments are whole microseconds since 1970 (UTC),
persons are keyed hashes. In one chain entries stand in the order of their commits: the audit trusts
that order more than any clock. (A story, whose order is known, does best with one chain for all.)
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

NOT_TOLD = -1  # Ended.sent_us where the entry says nothing of it


class Attempt(NamedTuple):
    """A row of `attempt`. Moments are None for what did not happen, or was not seen."""

    id: str
    target: int
    campaign: str  # its name
    number: str  # keyed hash of the number called
    contact: str  # keyed hash of the person; empty: none
    account: str  # the account's id as text; empty: none
    try_no: int  # 1 for the first try of this target
    saved_us: int
    sent_us: int | None
    rang_us: int | None
    answered_us: int | None
    bridged_us: int | None
    settled_us: int | None
    outcome: str  # empty while it is open
    cause: str
    heard_ms: int
    events: int  # as the row says: bits of events.py
    channels: int
    phone: str = ""  # E.164, for prefix stops; empty: these are not judged
    said: str = ""  # keyed hash of action, keys, answers and promised day; empty: not compared


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a call was judged by, as its `call` entry says; equal ones are one object.

    rules: digest of the rules in effect. zones: all that the callee may be in. line: mobile,
    landline or empty. channels: bits of all that the call may become. zone: of the lender's books.
    """

    campaign: str
    campaign_digest: str
    contacts_digest: str
    rules: str
    zones: tuple[str, ...]
    line: str = ""
    regions: frozenset[str] = frozenset()
    consents: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    channels: int = 4
    ring_s: int = 30
    zone: str = "UTC"
    purpose: str = "collection"
    label: str = ""


class Call(NamedTuple):
    """A `call` entry: the decision to call. at_us: the attempt's saved_us."""

    attempt: str
    target: int
    at_us: int
    chain: str
    seq: int
    number: str
    contact: str
    account: str
    try_no: int
    grounds: Grounds


class Ended(NamedTuple):
    """An `ended` entry: what came of an attempt. at_us: its settled_us."""

    attempt: str
    target: int
    at_us: int
    chain: str
    seq: int
    outcome: str
    cause: str
    events: int
    channels: int
    rang: bool
    answered: bool
    heard_ms: int
    sent_us: int | None = NOT_TOLD
    said: str = ""  # empty where the entry says nothing of it


class Entry(NamedTuple):
    """An entry of any other kind. body: as it was written."""

    chain: str
    seq: int
    at_us: int
    kind: str
    target: int
    attempt: str
    body: Mapping[str, Any]


class Stop(NamedTuple):
    """Do not call, from at_us on. key_kind: number, contact, account, prefix. campaign: empty for
    all. expires_us: None is never."""

    key_kind: str
    key: str
    campaign: str
    kind: str
    at_us: int
    expires_us: int | None = None
    source: str = ""


class Violation(NamedTuple):
    """law: chain, books, rules, or one of L1-L8. rule: id of the rule that was broken, else a word
    for what is wrong. entry: `chain:seq`, empty where there is none. text: for people, with values.
    """

    law: str
    rule: str
    attempt: str
    entry: str
    text: str


@dataclass(slots=True)
class Log:
    """documents: digest -> text of rule sets and campaigns. packs: jurisdiction -> YAML texts, any
    of which a rule set may be of.

    since_us: when the ledger began; attempts saved before it are past calls only.
    """

    attempts: list[Attempt] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    packs: dict[str, list[str]] = field(default_factory=dict)
    since_us: int = 0
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)  # chain -> newest seq, hash
    _grounds: dict[Grounds, Grounds] = field(default_factory=dict, repr=False)

    def take(
        self,
        chain: str,
        seq: int,
        at_us: int,
        kind: str,
        target: int,
        attempt: str,
        body: Mapping[str, Any],
    ) -> None:
        """One entry of the ledger. KeyError, TypeError or ValueError where the body is not what its
        kind has."""
        if kind == "call":
            grounds = _grounds_of(body)
            grounds = self._grounds.setdefault(grounds, grounds)
            who = (_same(body["number"]), _same(body["contact"]), _same(body["account"]))
            call = Call(attempt, target, at_us, chain, seq, *who, int(body["try"]), grounds)
            self.calls.append(call)
        elif kind == "ended":
            self.ended.append(
                Ended(
                    attempt,
                    target,
                    at_us,
                    chain,
                    seq,
                    _same(body["outcome"]),
                    _same(body["cause"]),
                    int(body["events"]),
                    int(body["channels"]),
                    bool(body["rang"]),
                    bool(body["answered"]),
                    int(body["heard_ms"]),
                    body.get("sent", NOT_TOLD),
                    _same(body.get("said", "")),
                )
            )
        else:
            self.entries.append(Entry(chain, seq, at_us, kind, target, attempt, body))


def _same(text: str) -> str:
    """One object for equal texts: logs are long, and say the same of the same people."""
    return sys.intern(str(text))


def _grounds_of(body: Mapping[str, Any]) -> Grounds:
    named = (
        str(body["campaign"]),
        str(body["campaign_digest"]),
        str(body["contacts_digest"]),
        str(body["rules"]),
    )
    if "conduct" not in body:  # it was judged by nothing
        return Grounds(*named, zones=())
    conduct = body["conduct"]
    return Grounds(
        *named,
        tuple(body["zones"]),
        str(body["line"]),
        frozenset(body["regions"]),
        frozenset(body["consents"]),
        frozenset(body["flags"]),
        int(conduct["channels"]),
        int(conduct["ring_s"]),
        str(conduct["zone"]),
        str(conduct["purpose"]),
        str(conduct["label"]),
    )
