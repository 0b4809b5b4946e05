"""Transcripts: what was said in a call, in words, with time marks; sealed, one an attempt.

Made by `duecall recordings transcribe` after the calls, never by the daemon. They go with the
recording that they are of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from duecall.core.campaign import Language
from duecall.shell.column_values import from_us, to_us
from duecall.shell.database import chunks, marks
from duecall.shell.recording_index import THERE
from duecall.shell.store_parts import StoreParts
from duecall.shell.vault import VaultError
from duecall.speech.audio import Samples
from duecall.speech.recognition.recogniser import Phrase, Recogniser, Side, SidePhrase

PAGE = 200
CONTEXT = "transcript"

WITHOUT = """FROM recording r JOIN campaign k ON k.id = r.campaign_id
    LEFT JOIN transcript t ON t.attempt_id = r.attempt_id
    WHERE r.lender_id = ? AND (r.at, r.attempt_id) > (?, ?) AND r.at < ? AND r.state = ?
        AND r.channels > 0 AND t.attempt_id IS NULL"""
TO_DO = "SELECT r.attempt_id, r.at, r.name, r.sha256, r.length_ms, k.name " + WITHOUT
FIRST = "\x7f"  # behind every id: with the microsecond before, where to begin
FAILED = """DELETE FROM transcript WHERE lender_id = ? AND error <> '' AND attempt_id IN (
    SELECT r.attempt_id FROM recording r JOIN campaign k ON k.id = r.campaign_id
    WHERE r.lender_id = ? AND r.at >= ? AND r.at < ?{})"""
HELD = """SELECT attempt_id, sealed, language, recogniser, version, model, sha256, error, at
    FROM transcript WHERE lender_id = ? AND attempt_id IN ({})"""
# The recording may have been removed while it was listened to: then there must be no transcript.
PUT = """INSERT INTO transcript (attempt_id, lender_id, sealed, language, recogniser, version,
    model, sha256, error, at)
    SELECT r.attempt_id, r.lender_id, ?, ?, ?, ?, ?, ?, ?, ? FROM recording r
    WHERE r.attempt_id = ? AND r.lender_id = ?
    ON CONFLICT (attempt_id) DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Transcript:
    """phrases: both sides in the order of time; None: no key opens it. error: why there is none.
    model, sha256: SHA-256 of the model's files and of the recording."""

    attempt: str
    language: str
    recogniser: str
    version: str
    model: str
    sha256: str
    at: datetime
    error: str
    phrases: tuple[SidePhrase, ...] | None

    def text(self) -> str:
        return "\n".join(said.phrase.text for said in self.phrases or ())

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "attempt": self.attempt,
            "language": self.language,
            "recogniser": self.recogniser,
            "version": self.version,
            "model": self.model,
            "recording_sha256": self.sha256,
            "at": self.at.isoformat(),
            "error": self.error,
            "phrases": None if self.phrases is None else [
                {"side": said.side, **said.phrase._asdict()} for said in self.phrases
            ],
        }  # fmt: skip


class ToDo(NamedTuple):
    """A recording without a transcript. at: when the attempt was saved, microseconds."""

    attempt: str
    at: int
    name: str
    sha256: str
    length_ms: int
    campaign: str


class Transcripts:
    """Of one lender, on one connection."""

    def __init__(self, parts: StoreParts) -> None:
        self._parts = parts

    def to_do(
        self, since_us: int, until_us: int, campaign: str = "", daemon: str = ""
    ) -> Iterator[ToDo]:
        """Recordings of this time that are there and have none, oldest first; page by page, so that
        others may make some meanwhile. campaign, daemon: only theirs."""
        sql = f"{TO_DO}{_only(campaign, daemon)} ORDER BY r.at, r.attempt_id LIMIT ?"
        last: tuple[int, str] = (since_us - 1, FIRST)
        while True:
            values: list[Any] = [self._parts.lender, *last, until_us, THERE]
            values += [one for one in (campaign, daemon) if one]
            rows = self._parts.database.run(sql, [*values, PAGE]).fetchall()
            yield from (ToDo(*row) for row in rows)
            if len(rows) < PAGE:
                return
            last = (rows[-1][1], rows[-1][0])

    def count_to_do(
        self, since_us: int, until_us: int, campaign: str = "", daemon: str = ""
    ) -> int:
        """How many `to_do` would tell."""
        values: list[Any] = [self._parts.lender, since_us - 1, FIRST, until_us, THERE]
        values += [one for one in (campaign, daemon) if one]
        sql = f"SELECT count(*) {WITHOUT}{_only(campaign, daemon)}"
        return int(self._parts.database.run(sql, values).fetchone()[0])

    def drop_failed(self, since_us: int, until_us: int, campaign: str = "") -> int:
        """So that these recordings are listened to again. How many."""
        more = " AND k.name = ?" if campaign else ""
        values: list[Any] = [self._parts.lender, self._parts.lender, since_us, until_us]
        values += [campaign] if campaign else []

        def write() -> int:
            with self._parts.database.writing():
                count: int = self._parts.database.run(FAILED.format(more), values).rowcount
                return count

        return self._parts.database.repeated(write)

    def put(self, one: Transcript) -> bool:
        """False: there is one already, or the recording has gone meanwhile."""
        assert one.phrases is not None
        said = [[p.side, *p.phrase] for p in one.phrases]
        sealed = self._parts.vault.seal(
            json.dumps(said, ensure_ascii=False).encode(), f"{CONTEXT}:{one.attempt}"
        )
        values = (
            sealed, one.language, one.recogniser, one.version, one.model, one.sha256, one.error,
            to_us(one.at), one.attempt, self._parts.lender,
        )  # fmt: skip

        def write() -> int:
            with self._parts.database.writing():
                count: int = self._parts.database.run(PUT, values).rowcount
                return count

        return self._parts.database.repeated(write) == 1

    def of(self, attempts: Sequence[str]) -> dict[str, Transcript]:
        """By attempt; those that have one."""
        found = {}
        for some in chunks(attempts):
            sql = HELD.format(marks(some))
            rows = self._parts.database.run(sql, (self._parts.lender, *some)).fetchall()
            for attempt, sealed, language, name, version, model, sha256, error, at in rows:
                found[attempt] = Transcript(
                    attempt, language, name, version, model, sha256, from_us(at), error,
                    self._opened(attempt, bytes(sealed)),
                )  # fmt: skip
        return found

    def _opened(self, attempt: str, sealed: bytes) -> tuple[SidePhrase, ...] | None:
        try:
            said = json.loads(self._parts.vault.open(sealed, f"{CONTEXT}:{attempt}"))
        except VaultError:
            return None
        return tuple(SidePhrase(side, Phrase(*phrase)) for side, *phrase in said)


def _only(campaign: str, daemon: str) -> str:
    return (" AND k.name = ?" if campaign else "") + (" AND r.daemon = ?" if daemon else "")


def listen(
    recogniser: Recogniser, sides: Iterable[tuple[Side, Samples]], rate_hz: int, language: Language
) -> tuple[SidePhrase, ...]:
    """What both sides say, in the order of time. RecogniserError."""
    said = [
        SidePhrase(side, phrase)
        for side, samples in sides
        for phrase in recogniser.transcribe(samples, rate_hz, language)
    ]
    return tuple(sorted(said, key=lambda one: (one.phrase.from_ms, one.side)))
