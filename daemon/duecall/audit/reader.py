"""A lender's Log out of the database, by plain SQL; the chains are proved on the way."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from duecall.audit.chains import Anchor, Chains, Link
from duecall.audit.log import Attempt, Log, Stop, Violation
from duecall.audit.sources import AuditError, Source

LEDGER_VERSION = 3  # of the schema, which the ledger came with
_NEVER = 1 << 62

ATTEMPTS = """SELECT x.id, x.target_id, k.name, x.phone_hash, x.contact_key, x.account_id,
    x.number, x.saved_at, x.sent_at, x.rang_at, x.answered_at, x.bridged_at, x.settled_at,
    x.outcome, x.cause, x.heard_ms, x.events, x.channels, x.sealed, x.action, x.keys, x.answers,
    coalesce(p.due, 'none') FROM attempt x JOIN campaign k ON k.id = x.campaign_id
    LEFT JOIN promise p ON p.attempt_id = x.id WHERE x.lender_id = ?"""
LEDGER = """SELECT chain, seq, at, kind, target_id, attempt_id, body, hash FROM ledger
    WHERE lender_id = ? ORDER BY chain, seq"""
STOPS = """SELECT s.key_kind, s.key, s.campaign_id, k.name, s.kind, s.at, s.expires_at, s.source
    FROM stop s LEFT JOIN campaign k ON k.id = s.campaign_id WHERE s.lender_id = ?"""


class Key(NamedTuple):
    """hash_key: keys hashes and chains. seals: open what is sealed, the newest first."""

    hash_key: bytes
    seals: tuple[bytes, ...]

    @classmethod
    def of(cls, text: str) -> Key:
        """Of the key's text, `duecall-key-1.HASH.SEAL…`. Raises AuditError."""
        try:
            parts = [base64.urlsafe_b64decode(part) for part in text.strip().split(".")[1:]]
        except (binascii.Error, ValueError):
            parts = []
        if len(parts) < 2:
            raise AuditError("the key is none: it must read duecall-key-1.HASH.SEAL")
        return cls(parts[0], tuple(parts[1:]))

    @property
    def fingerprint(self) -> str:
        """What table `lender` keeps of it."""
        return hmac.new(self.hash_key, b"fingerprint\x00duecall", hashlib.sha256).hexdigest()[:32]


@dataclass(slots=True)
class Reading:
    """chains: what is wrong with them. ends: the newest entry of each, for the auditor to keep."""

    log: Log
    chains: list[Violation]
    ends: tuple[Anchor, ...]


def read(
    source: Source,
    lender: str,
    key: Key,
    packs: Iterable[Path],
    anchors: Iterable[Anchor] = (),
) -> Reading:
    """packs: folders of rule packs, the site's own and those that Duecall ships. AuditError where
    there is no such lender, or it has another key."""
    lender_id = _lender(source, lender, key)
    log = Log(packs=_packs(packs))
    chains = Chains(key.hash_key, anchors)
    began = _take_ledger(source, lender_id, log, chains)
    for digest, text in source.rows(
        "SELECT digest, text FROM document WHERE lender_id = ?", (lender_id,)
    ):
        log.documents[digest] = text
    for key_kind, stopped, campaign_id, name, *rest in source.rows(STOPS, (lender_id,)):
        # Of a campaign that is not there it stops nobody.
        campaign = name or (f"campaign {campaign_id}, which is not there" if campaign_id else "")
        log.stops.append(Stop(key_kind, stopped, campaign, *rest))
    prefixes = any(one.key_kind == "prefix" for one in log.stops)
    seals = _Seals(key.seals) if prefixes else None
    log.attempts += _attempts(source.rows(ATTEMPTS, (lender_id,)), seals, key.hash_key)
    log.since_us = min(began, _migrated(source))
    heads = source.rows("SELECT name, seq, hash FROM chain WHERE lender_id = ?", (lender_id,))
    found = chains.finish({name: (seq, newest) for name, seq, newest in heads})
    return Reading(log, [*found], tuple(chains.ends()))


def _lender(source: Source, name: str, key: Key) -> int:
    ((version,),) = source.rows("SELECT max(version) FROM schema_version")
    if (version or 0) < LEDGER_VERSION:
        raise AuditError(
            f"{source.name} has no ledger yet: it is of an older Duecall; start this one once"
        )
    rows = list(source.rows("SELECT id, key_check FROM lender WHERE name = ?", (name,)))
    if not rows:
        raise AuditError(f"{source.name} has no lender {name}; look at `lender` in config.yaml")
    if rows[0][1] != key.fingerprint:
        raise AuditError(
            f"{source.name} belongs to another key; put its key file back, or set DUECALL_KEY"
        )
    return int(rows[0][0])


def _migrated(source: Source) -> int:
    """When this database got a ledger."""
    sql = "SELECT applied_at FROM schema_version WHERE version = ?"
    for (text,) in source.rows(sql, (LEDGER_VERSION,)):
        at = datetime.fromisoformat(text)
        return int((at - datetime.fromtimestamp(0, timezone.utc)).total_seconds()) * 1_000_000
    return 0


def _take_ledger(source: Source, lender_id: int, log: Log, chains: Chains) -> int:
    """When it began: the moment of the earliest entry that is the first of its chain."""
    began = _NEVER
    for row in source.rows(LEDGER, (lender_id,)):
        link = Link(*row)
        chains.see(link)
        if link.seq == 1:
            began = min(began, link.at_us)
        try:
            body = json.loads(link.text)
            chain, attempt = sys.intern(link.chain), sys.intern(link.attempt)
            log.take(chain, link.seq, link.at_us, link.kind, link.target, attempt, body)
        except (KeyError, TypeError, ValueError) as error:
            name = f"{link.chain}:{link.seq}"
            text = f"entry {name} ({link.kind}) cannot be read: {error!r}"
            chains.violations.append(Violation("chain", "body", link.attempt, name, text))
    return began


def _attempts(
    rows: Iterable[Sequence[Any]], seals: _Seals | None, hash_key: bytes
) -> Iterator[Attempt]:
    same: dict[Any, Any] = {}
    for row in rows:
        (name, target, campaign, number, contact, account, *facts) = row[:-5]
        sealed, *told = row[-5:]
        facts[7] = facts[7] or ""  # the outcome, none while it is open
        phone = seals.phone(name, bytes(sealed)) if seals else ""
        who = (sys.intern(number), sys.intern(contact), sys.intern(str(account)) if account else "")
        campaign = same.setdefault(campaign, campaign)
        said = _said(hash_key, tuple(told))
        yield Attempt._make((sys.intern(name), target, campaign, *who, *facts, phone, said))


@lru_cache(maxsize=4_096)
def _said(hash_key: bytes, told: tuple[str, ...]) -> str:
    """told: action, keys, answers and promised day, as the tables have them. Most say nothing."""
    message = b"said\x00" + "\n".join(told).encode()
    return sys.intern(hmac.digest(hash_key, message, "sha256").hex()[:32])


class _Seals:
    """Opens the numbers that were called, where prefixes are stopped: one byte of form, four of the
    key's id, twelve of nonce, the rest."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        self._keys = {
            hashlib.sha256(b"duecall key id" + key).digest()[:4]: AESGCM(key) for key in keys
        }

    def phone(self, attempt: str, sealed: bytes) -> str:
        """Empty where it was erased, or cannot be opened."""
        cipher = self._keys.get(sealed[1:5])
        if cipher is None:
            return ""
        try:
            return cipher.decrypt(sealed[5:17], sealed[17:], f"attempt:{attempt}".encode()).decode()
        except (InvalidTag, UnicodeDecodeError):
            return ""


def _packs(folders: Iterable[Path]) -> dict[str, list[str]]:
    """All that bear a name: rule sets of earlier days may be of any of them."""
    found: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, []).append(path.read_text(encoding="utf-8"))
    return found
