"""The ledger's chains: every entry is the one that was written, and none is missing.

An entry's hash is HMAC-SHA256, keyed with the HASH part of the key text, of `ledger`, a zero byte
and, line by line, the tie of the entry before it, chain, seq, at, kind, target, attempt and body.
The tie is HMAC-SHA256, with the same key, of `ledger tie`, a zero byte and the hash of that entry
(nothing for the first). The chain's head holds the newest entry's tie, which nobody can make who
has not the key; so no chain can be cut off, or go on behind a cut.

Entries of before there were ties carry on from the hash itself. A chain may begin so, and never
comes back to it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from duecall.audit.log import Violation

CHAIN = "chain"


class Link(NamedTuple):
    """A row of `ledger`. text: its body as it stands there."""

    chain: str
    seq: int
    at_us: int
    kind: str
    target: int
    attempt: str
    text: str
    hash: str


class Anchor(NamedTuple):
    """What an auditor wrote down earlier: this chain had this entry then."""

    chain: str
    seq: int
    hash: str


class Chains:
    """Is told all links of a lender, those of one chain in the order of seq; then asked."""

    def __init__(self, hash_key: bytes, anchors: Iterable[Anchor] = ()) -> None:
        self._mac = hmac.new(hash_key, b"ledger\x00", hashlib.sha256)
        self._tie_mac = hmac.new(hash_key, b"ledger tie\x00", hashlib.sha256)
        self._tied: set[str] = set()  # chains that have begun to have ties
        self._anchors = tuple(anchors)
        self._kept = {(one.chain, one.seq): one.hash for one in self._anchors}
        self._last: dict[str, tuple[int, str]] = {}
        self.violations: list[Violation] = []

    def see(self, link: Link) -> None:
        """The next link of its chain."""
        seq, before = self._last.get(link.chain, (0, ""))
        mine = self._kept.get((link.chain, link.seq))
        if mine is not None and mine != link.hash:
            self._add("anchor", link, "is another one than the auditor's note says")
        if link.seq != seq + 1:
            many = link.seq - seq - 1
            self._add("gap", link, f"{many} entries before it are missing")
        elif not self._follows(link, before):
            self._add("hash", link, "is not what was written, or not where it was written")
        self._last[link.chain] = link.seq, link.hash

    def finish(self, heads: Mapping[str, tuple[int, str]]) -> list[Violation]:
        """heads: chain -> (seq, hash) of its newest entry, as table `chain` has them."""
        for chain in sorted({*heads, *self._last}):
            end, head = self._last.get(chain, (0, "")), heads.get(chain, (0, ""))
            if not self._ends(chain, end, head):
                text = f"chain {chain} ends with entry {end[0]}, its head is entry {head[0]}"
                if end[0] == head[0]:
                    text = f"chain {chain} ends with entry {end[0]}, and its head is of another one"
                    text += ": it was cut off"
                self._say("head", f"{chain}:{end[0]}", text)
        for one in self._anchors:
            if self._last.get(one.chain, (0, ""))[0] < one.seq:
                text = f"chain {one.chain} once had entry {one.seq}, which is gone"
                self._say("anchor", f"{one.chain}:{one.seq}", text)
        return self.violations

    def ends(self) -> Iterator[Anchor]:
        """The newest link of every chain: what an auditor writes down."""
        return (Anchor(chain, *self._last[chain]) for chain in sorted(self._last))

    def _follows(self, link: Link, before: str) -> bool:
        """Whether this is what was written behind the entry with the hash `before`."""
        if self._hash(link, self._tie_of(before)) == link.hash:
            self._tied.add(link.chain)
            return True
        return link.chain not in self._tied and self._hash(link, before) == link.hash

    def _ends(self, chain: str, end: tuple[int, str], head: tuple[int, str]) -> bool:
        if not end[0] or end[0] != head[0]:
            return end == head
        same = chain not in self._tied and end[1] == head[1]
        return same or self._tie_of(end[1]) == head[1]

    def _tie_of(self, known: str) -> str:
        mac = self._tie_mac.copy()
        mac.update(known.encode())
        return mac.hexdigest()

    def _hash(self, link: Link, before: str) -> str:
        mac = self._mac.copy()
        mac.update(
            f"{before}\n{link.chain}\n{link.seq}\n{link.at_us}\n{link.kind}\n{link.target}\n"
            f"{link.attempt}\n{link.text}".encode()
        )
        return mac.hexdigest()

    def _add(self, rule: str, link: Link, text: str) -> None:
        name = f"{link.chain}:{link.seq}"
        self._say(rule, name, f"entry {name} ({link.kind}) {text}", link.attempt)

    def _say(self, rule: str, entry: str, text: str, attempt: str = "") -> None:
        self.violations.append(Violation(CHAIN, rule, attempt, entry, text))
