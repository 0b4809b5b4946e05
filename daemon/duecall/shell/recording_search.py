"""`duecall recordings`: which recordings there are, by what is known of their calls and by what was
said in them. Who read or searched transcripts stands in the ledger."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from duecall.shell.column_values import from_us, to_us
from duecall.shell.store_parts import StoreParts
from duecall.shell.transcripts import Transcript, Transcripts
from duecall.shell.vault import VaultError, mask_phone

PAGE = 300
PREFIX_MIN = 6

ROWS = """SELECT r.attempt_id, r.at, k.name, x.outcome, x.sealed, r.name, r.daemon, r.state,
    r.sha256, r.bytes, r.length_ms, r.channels, r.callee_ms, r.us_ms, t.attempt_id, t.error
    FROM recording r JOIN attempt x ON x.id = r.attempt_id JOIN campaign k ON k.id = r.campaign_id
    LEFT JOIN transcript t ON t.attempt_id = r.attempt_id
    WHERE r.lender_id = ? AND {} ORDER BY r.at DESC, r.attempt_id DESC LIMIT ?"""
ACCOUNTS = "SELECT id FROM account WHERE lender_id = ? AND contract_hash = ?"
OF_ATTEMPT = """SELECT x.target_id, c.contact_key FROM attempt x JOIN account a
    ON a.id = x.account_id JOIN contact c ON c.id = a.contact_id
    WHERE x.lender_id = ? AND x.id = ?"""


class NoSuchRecording(RuntimeError):
    """None, or more than one. Says what to ask for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """since <= saved_at < until. contract, number: in clear, number in E.164. min_ms: length.
    states: of the file; empty: any. transcript: whether there is one; None: either."""

    since: datetime | None = None
    until: datetime | None = None
    contract: str = ""
    number: str = ""
    campaign: str = ""
    outcome: str = ""
    min_ms: int = 0
    states: tuple[str, ...] = ()
    transcript: bool | None = None


@dataclass(frozen=True, slots=True)
class RecordingEntry:
    """phone: masked. transcript: "yes", "no", or "failed"."""

    attempt: str
    at: datetime
    campaign: str
    outcome: str
    phone: str
    name: str
    daemon: str
    state: str
    sha256: str
    bytes: int
    length_ms: int
    channels: int
    callee_ms: int
    us_ms: int
    transcript: str

    def data(self) -> dict[str, Any]:
        """For JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__}
        return {**plain, "at": self.at.isoformat()}

    @property
    def sound(self) -> str:
        """On which sides there is any."""
        sides = {"callee": self.callee_ms, "us": self.us_ms}
        heard = [side for side, heard_ms in sides.items() if heard_ms]
        return "both" if len(heard) == 2 else "".join(heard) or "none"


class RecordingSearch:
    """Of one lender, on one connection."""

    def __init__(self, parts: StoreParts) -> None:
        self._parts = parts
        self._transcripts = Transcripts(parts)

    def find(self, wanted: Wanted) -> Iterator[RecordingEntry]:
        """The newest first. ValueError: a number that is none."""
        clauses, values = self._clauses(wanted)
        last: tuple[int, str] | None = None
        while True:
            more = [*clauses, "(r.at, r.attempt_id) < (?, ?)"] if last else clauses
            sql = ROWS.format(" AND ".join(more) or "1 = 1")
            asked = (self._parts.lender, *values, *(last or ()), PAGE)
            rows = self._parts.database.run(sql, asked).fetchall()
            yield from (self._entry(row) for row in rows)
            if len(rows) < PAGE:
                return
            last = (rows[-1][1], rows[-1][0])

    def with_text(
        self, wanted: Wanted, text: str, *, any_accents: bool = False
    ) -> Iterator[tuple[RecordingEntry, Transcript]]:
        """Those in whose transcripts the text stands; each is opened. Case makes no difference."""
        sought = plain_text(text, any_accents=any_accents)
        some: list[RecordingEntry] = []
        for entry in self.find(wanted):
            if entry.transcript == "yes":
                some.append(entry)
            if len(some) == PAGE:
                yield from self._holding(some, sought, any_accents)
                some = []
        yield from self._holding(some, sought, any_accents)

    def one(self, attempt: str) -> RecordingEntry:
        """By the attempt's id, or how it begins. NoSuchRecording."""
        start = attempt.strip().lower()
        if len(start) < PREFIX_MIN or not set(start) <= set("0123456789abcdef-"):
            raise NoSuchRecording(f"{attempt} is no attempt; `duecall recordings list` shows them")
        sql = ROWS.format("r.attempt_id >= ? AND r.attempt_id < ?")
        values = (self._parts.lender, start, start + "~", 2)
        rows = self._parts.database.run(sql, values).fetchall()
        if len(rows) != 1:
            why = "more than one attempt begins" if rows else "no recording of an attempt begins"
            raise NoSuchRecording(f"{why} with {start}")
        return self._entry(rows[0])

    def transcript(self, attempt: str) -> Transcript | None:
        return self._transcripts.of([attempt]).get(attempt)

    def note_read(self, attempt: str, who: str, at: datetime) -> None:
        """Into the ledger: this transcript was shown to that user of the system."""
        values = (self._parts.lender, attempt)
        found = self._parts.database.run(OF_ATTEMPT, values).fetchone()
        target, contact = found or (0, "")
        self._note("read", contact, at, target, attempt, by=who)

    def note_searched(self, count: int, who: str, at: datetime) -> None:
        """Into the ledger: so many transcripts were found by what was said in them."""
        self._note("searched", "", at, 0, "", by=who, transcripts=count)

    def _note(
        self, did: str, contact: str, at: datetime, target: int, attempt: str, **more: Any
    ) -> None:
        body = {"did": did, "contact": contact, "erased": {}, "kept": {}, "reason": "", **more}

        def write() -> None:
            with self._parts.database.writing():
                self._parts.ledger.add(
                    "person", body, to_us(at), target_id=target, attempt_id=attempt
                )

        self._parts.database.repeated(write)

    def _clauses(self, wanted: Wanted) -> tuple[list[str], list[Any]]:
        parts = self._parts
        clauses: list[str] = []
        values: list[Any] = []

        def add(clause: str, *some: Any) -> None:
            clauses.append(clause)
            values.extend(some)

        if wanted.since:
            add("r.at >= ?", to_us(wanted.since))
        if wanted.until:
            add("r.at < ?", to_us(wanted.until))
        if wanted.contract:
            contract = parts.vault.keyed_hash("contract", wanted.contract.strip())
            add(f"x.account_id IN ({ACCOUNTS})", parts.lender, contract)
        if wanted.number:
            add("x.phone_hash = ?", parts.vault.phone_hash(wanted.number.strip()))
        if wanted.campaign:
            add("k.name = ?", wanted.campaign)
        if wanted.outcome:
            add("x.outcome = ?", wanted.outcome)
        if wanted.min_ms:
            add("r.length_ms >= ?", wanted.min_ms)
        if wanted.states:
            add(f"r.state IN ({', '.join('?' * len(wanted.states))})", *wanted.states)
        if wanted.transcript is not None:
            add(f"t.attempt_id IS {'NOT ' if wanted.transcript else ''}NULL")
        return clauses, values

    def _entry(self, row: Any) -> RecordingEntry:
        attempt, at, campaign, outcome, sealed, *its, transcript, error = row
        name, daemon, state, sha256, size, length_ms, channels, callee_ms, us_ms = its
        try:
            phone = self._parts.vault.open(bytes(sealed), f"attempt:{attempt}").decode()
        except VaultError:
            phone = ""
        has = "no" if transcript is None else "failed" if error else "yes"
        shown = mask_phone(phone) if phone else ""
        return RecordingEntry(
            attempt, from_us(at), campaign, outcome or "", shown, name, daemon, state, sha256, size,
            length_ms, channels, callee_ms, us_ms, has,
        )  # fmt: skip

    def _holding(
        self, entries: list[RecordingEntry], sought: str, any_accents: bool
    ) -> Iterator[tuple[RecordingEntry, Transcript]]:
        found = self._transcripts.of([entry.attempt for entry in entries])
        for entry in entries:
            its = found.get(entry.attempt)
            if its and sought in plain_text(its.text(), any_accents=any_accents):
                yield entry, its


def plain_text(text: str, *, any_accents: bool) -> str:
    """As texts are compared: blanks and case make no difference; accents neither, if so wanted:
    `Đã trả` is found by `da tra`."""
    plain = unicodedata.normalize("NFC", " ".join(text.split()).casefold())
    if not any_accents:
        return plain
    bare = unicodedata.normalize("NFKD", plain.replace("đ", "d"))
    return "".join(c for c in bare if not unicodedata.combining(c))
