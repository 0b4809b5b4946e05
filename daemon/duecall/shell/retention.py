"""What is older than the rules keep it is removed: recordings, attempts, and in the end the names.

The daemon does it once a day, a small piece at a time: the store's thread looks at a piece, another
thread removes its files, one transaction removes its rows and says so in the ledger. The files go
first: where it is cut off between the two, the next run finds the rows again.

An attempt's row outlives its recording, and an account outlives its attempts: when none is left and
nothing calls it any more, its data and the name and number of its contact are erased. What was kept
of a person who is forgotten only because a law says so goes here, too, when that time is over.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from duecall.core.contact import Account, Contact
from duecall.core.keeping import Keeping, years_after
from duecall.core.site import Site
from duecall.shell.call_files import CallFiles
from duecall.shell.column_values import from_us, maybe_from_us, to_us
from duecall.shell.contact_json import contact_of, contact_text
from duecall.shell.database import chunks, marks
from duecall.shell.keeping_rules import keeping_of
from duecall.shell.person_erasing import NO_ACCOUNT, Erased, Eraser, ForgetPlan
from duecall.shell.person_store import PersonStore
from duecall.shell.personal_sounds import PersonalSounds
from duecall.shell.recording_index import forget_recordings
from duecall.shell.stop_store import FORGOTTEN
from duecall.shell.store import Store
from duecall.shell.store_parts import StoreParts
from duecall.shell.vault import VaultError

log = logging.getLogger(__name__)
PAGE = 300  # attempts of a piece
WINDOW = timedelta(days=1)  # a piece looks at no more
WINDOWS_MAX = 30  # of which nothing was found
YOUNGEST_DAYS = 400  # caps count calls of up to a year
TIME_IS_OVER = "retention"  # reason of what is erased of one who is forgotten
COUNTED = ("attempts", "promises", "recordings", "records", "accounts", "contacts", "numbers")
FORMER = "former_stops"

FIRST = "SELECT min(saved_at) FROM attempt WHERE campaign_id = ?"
OLD = """SELECT id, account_id, saved_at, settled_at, recording, daemon FROM attempt
    WHERE campaign_id = ? AND (saved_at, id) > (?, ?) AND saved_at < ?
        AND (recording <> '' OR saved_at < ?) ORDER BY saved_at, id LIMIT ?"""
LAST = """SELECT account_id, max(coalesce(settled_at, saved_at)) FROM attempt
    WHERE lender_id = ? AND account_id IN ({}) GROUP BY account_id"""
GOING_ON = """SELECT DISTINCT t.account_id FROM target t JOIN campaign k ON k.id = t.campaign_id
    WHERE t.account_id IN ({}) AND t.state <> 'done'
        AND k.state IN ('loaded', 'running', 'paused')"""
OVER = """SELECT a.id, a.contact_id, a.contract_hash FROM account a WHERE a.id IN ({})
    AND NOT EXISTS (SELECT 1 FROM attempt x WHERE x.lender_id = a.lender_id
        AND x.account_id = a.id)
    AND NOT EXISTS (SELECT 1 FROM target t JOIN campaign k ON k.id = t.campaign_id
        WHERE t.account_id = a.id
            AND (t.state <> 'done' OR k.state IN ('loaded', 'running', 'paused')))"""
# Accounts whose data was erased have no digest: a new contacts file brings them back whole.
WITHOUT_ACCOUNTS = """SELECT c.id, c.person_hash FROM contact c WHERE c.id IN ({})
    AND NOT EXISTS (SELECT 1 FROM account a WHERE a.contact_id = c.id AND a.digest <> '')"""
FORGOTTEN_ONES = """SELECT id, key FROM stop WHERE lender_id = ? AND key_kind = 'contact'
    AND kind = ? AND id > ? ORDER BY id LIMIT 1"""


class OldAttempt(NamedTuple):
    """settled: the day; None: it goes on, and is never old."""

    id: str
    account: int
    saved: datetime
    settled: datetime | None
    recording: str
    daemon: str


@dataclass(slots=True)
class Piece:
    """What is to be removed at once. attempts: rows that go. recordings: (attempt, name) of files
    that go, also of attempts that stay. person: one who is forgotten, of whom more may go now.
    former: ids of stops that were lifted or made longer long ago."""

    campaign: str = ""
    rules: str = ""
    attempts: list[OldAttempt] = field(default_factory=list)
    recordings: list[tuple[str, str]] = field(default_factory=list)
    person: ForgetPlan | None = None
    former: Sequence[int] = ()
    gone: Sequence[str] = ()
    counts: dict[str, int] = field(default_factory=dict)
    erased: Erased = field(default_factory=Erased)


class Sweep:
    """Once over everything of a lender. While not `ended`: `look`, `remove_files`, `write`.

    daemon: whose recordings lie on this machine. now: what the time is for all of it.
    """

    def __init__(self, site: Site, files: CallFiles, daemon: str, now: datetime) -> None:
        self.ended = False
        self.counts = dict.fromkeys(COUNTED, 0)
        self._site = site
        self._files = files
        self._daemon = daemon
        self._now = now
        self._keeping: Mapping[str, Keeping | None] | None = None
        self._eraser: Eraser | None = None
        self._sounds: PersonalSounds | None = None
        self._work: Iterator[Piece] = iter(())

    # ---- with the store, in its thread

    def look(self, store: Store) -> Piece | None:
        """The next piece; None: nothing was found so far."""
        if self._keeping is None:
            stored = store.campaigns()
            self._keeping = keeping_of(self._site, stored)
            self._sounds = PersonalSounds(self._site, (one.campaign for one in stored))
            self._eraser = Eraser(store.parts, self._files, self._keeping, self._now, self._sounds)
            self._work = self._pieces(store.parts, self._eraser)
        piece = next(self._work, None)
        if piece is None:
            self.ended = True
            return None
        found = piece.attempts or piece.recordings or piece.person or piece.former
        return piece if found else None

    def write(self, store: Store, piece: Piece) -> None:
        """Remove its rows: all of them, with an entry in the ledger, or none."""
        parts = store.parts
        if piece.person is not None and self._eraser is not None:
            self._eraser.erase(piece.person, piece.gone, piece.erased, TIME_IS_OVER)
            piece.counts = {name: n for name, n in piece.erased.counts.items() if name in COUNTED}
        elif piece.former:
            parts.database.repeated(lambda: self._write_former(parts, piece))
        else:
            parts.database.repeated(lambda: self._write(parts, piece))
        for name, count in piece.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    # ---- in any thread

    def remove_files(self, piece: Piece) -> None:
        """OSError where one cannot be removed; nothing of the piece is written then."""
        if piece.person is not None and self._eraser is not None:
            piece.gone = self._eraser.remove_files(piece.person, piece.erased, anywhere=False)
            return
        counts = {"recordings": 0, "records": 0}
        for _, name in piece.recordings:
            counts["recordings"] += self._files.remove_recording(name)
        for attempt in piece.attempts:
            settled = attempt.settled.date() if attempt.settled else None
            found = self._files.remove_records(attempt.id, settled, anywhere=False)
            counts["records"] += found
        piece.counts |= counts

    # ---- what is old

    def _pieces(self, parts: StoreParts, eraser: Eraser) -> Iterator[Piece]:
        assert self._keeping is not None
        sql = "SELECT id, name FROM campaign WHERE lender_id = ? ORDER BY id"
        for campaign_id, name in parts.database.run(sql, (parts.lender,)).fetchall():
            keeping = self._keeping.get(name)
            if keeping is not None:
                yield from self._of_campaign(parts, campaign_id, name, keeping)
        yield from self._of_forgotten(parts, eraser)
        yield from self._of_stops(parts)

    def _of_stops(self, parts: StoreParts) -> Iterator[Piece]:
        """Stops of before: as long as the calls that they may have held back, of any campaign."""
        kept_us = [self._kept_us(one) for one in (self._keeping or {}).values()]
        before = min(kept_us, default=0)
        while ids := parts.stops.former.old(before, PAGE):
            yield Piece(former=ids)

    def _kept_us(self, keeping: Keeping | None) -> int:
        """The earliest moment of which a log has to be there still."""
        if keeping is None:
            return 0
        today = keeping.day(self._now)
        years = keeping.longest_years("log", today)
        if years is None:
            return 0
        day = min(years_after(today, -years), today - timedelta(days=YOUNGEST_DAYS))
        return to_us(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(keeping.zone)))

    def _of_campaign(
        self, parts: StoreParts, campaign_id: int, name: str, keeping: Keeping
    ) -> Iterator[Piece]:
        today = keeping.day(self._now)
        log_before = self._before(keeping.longest_years("log", today), today)
        end = max(log_before, self._before(keeping.longest_years("recording", today), today))
        (first,) = parts.database.run(FIRST, (campaign_id,)).fetchone()
        if first is None or first >= end:
            return
        last: tuple[int, str] = (first - 1, "")
        empty = 0
        while last[0] < end:
            until = min(last[0] + WINDOW // timedelta(microseconds=1), end)
            values = (campaign_id, *last, until, log_before, PAGE)
            rows = [_attempt(row) for row in parts.database.run(OLD, values).fetchall()]
            full = len(rows) == PAGE
            last = (to_us(rows[-1].saved), rows[-1].id) if full else (until, "")
            piece = self._judged(parts, rows, keeping, Piece(name, keeping.digest))
            found = bool(piece.attempts or piece.recordings)
            empty = 0 if found else empty + 1
            if found or empty >= WINDOWS_MAX:
                empty = 0
                yield piece

    def _before(self, years: int | None, today: date) -> int:
        """Nothing saved at this moment or later can be over: microseconds since 1970."""
        if years is None:
            return 0
        day = years_after(today, -years) + timedelta(days=2)  # whatever the zone of the books
        return to_us(datetime(day.year, day.month, day.day, tzinfo=self._now.tzinfo))

    def _judged(
        self, parts: StoreParts, rows: Sequence[OldAttempt], keeping: Keeping, piece: Piece
    ) -> Piece:
        last = _last_activity(parts, sorted({row.account for row in rows}))
        today = keeping.day(self._now)
        for row in rows:
            if row.settled is None:
                continue
            event, end = keeping.day(row.saved), last.get(row.account)
            end_day = None if end is None else keeping.day(end)
            of_log = keeping.kept("log", event, end_day, today)
            of_recording = keeping.kept("recording", event, end_day, today)
            here = not parts.database.shared or row.daemon == self._daemon
            removed = bool(of_recording and of_recording.until < today and row.recording and here)
            if removed:
                piece.recordings.append((row.id, row.recording))
            young = row.saved > self._now - timedelta(days=YOUNGEST_DAYS)
            bare = removed or not row.recording
            if of_log and of_log.until < today and bare and not young:
                piece.attempts.append(row)
        return piece

    def _of_forgotten(self, parts: StoreParts, eraser: Eraser) -> Iterator[Piece]:
        """Also whose data has come back with a contacts file since."""
        persons = PersonStore(parts)
        last = 0
        while True:
            values = (parts.lender, FORGOTTEN, last)
            found = parts.database.run(FORGOTTEN_ONES, values).fetchone()
            if found is None:
                return
            last, key = found
            person = persons.person(key)
            open_ones = any(one.settled_at is None for one in person.attempts)
            plan = eraser.plan(person)
            due = plan.contacts or plan.accounts or any(_is_due(one) for one in plan.attempts)
            yield Piece(person=plan if due and not open_ones else None)

    # ---- removing rows

    def _write_former(self, parts: StoreParts, piece: Piece) -> None:
        with parts.database.writing():
            piece.counts[FORMER] = parts.stops.former.remove(piece.former)
            parts.ledger.add("retention", dict(piece.counts), to_us(self._now))

    def _write(self, parts: StoreParts, piece: Piece) -> None:
        run, count = parts.database.run, parts.database.count
        with parts.database.writing():
            names = [attempt for attempt, _ in piece.recordings]
            for some in chunks(names):
                run(f"UPDATE attempt SET recording = '' WHERE id IN ({marks(some)})", some)
            forget_recordings(parts, [*names, *(one.id for one in piece.attempts)])
            attempts = promises = 0
            for some in chunks([one.id for one in piece.attempts]):
                within = f"({marks(some)})"
                sql = f"DELETE FROM promise WHERE attempt_id IN {within}"
                promised = run(f"{sql} RETURNING target_id", some).fetchall()
                sql = f"DELETE FROM attempt WHERE id IN {within} AND settled_at IS NOT NULL"
                deleted = run(f"{sql} RETURNING campaign_id, outcome", some).fetchall()
                for campaign_id, outcome in deleted:
                    count(parts.lender, campaign_id, "attempt", "saved", -1)
                    count(parts.lender, campaign_id, "outcome", outcome, -1)
                for _ in promised:
                    count(parts.lender, deleted[0][0], "promise", "made", -1)
                attempts += len(deleted)
                promises += len(promised)
            candidates = sorted({a.account for a in piece.attempts})
            accounts, contacts = _erase_over(parts, candidates, self._sounds)
            piece.counts |= {
                "attempts": attempts,
                "promises": promises,
                "accounts": accounts,
                "contacts": contacts,
            }
            last = max((to_us(one.saved) for one in piece.attempts), default=None)
            body = {
                **piece.counts,
                "campaign": piece.campaign,
                "rules": piece.rules,
                "attempts_until": last,
            }
            parts.ledger.add("retention", body, to_us(self._now))


def sweep_all(sweep: Sweep, store: Store) -> dict[str, int]:
    """All of it, here and now; what was removed."""
    while not sweep.ended:
        piece = sweep.look(store)
        if piece is not None:
            sweep.remove_files(piece)
            sweep.write(store, piece)
    return sweep.counts


def _attempt(row: Sequence[Any]) -> OldAttempt:
    attempt_id, account, saved, settled, recording, daemon = row
    return OldAttempt(
        attempt_id, account, from_us(saved), maybe_from_us(settled), recording, daemon
    )


def _last_activity(parts: StoreParts, accounts: Sequence[int]) -> dict[int, datetime]:
    """Of each account whose calls have come to an end."""
    found: dict[int, datetime] = {}
    for some in chunks(accounts):
        rows = parts.database.run(LAST.format(marks(some)), (parts.lender, *some)).fetchall()
        found.update((account, from_us(at)) for account, at in rows)
        for (account,) in parts.database.run(GOING_ON.format(marks(some)), some).fetchall():
            found.pop(account, None)
    return found


def _spoken_to(parts: StoreParts, accounts: Sequence[int]) -> Iterator[tuple[Contact, Account]]:
    """Those that can still be opened."""
    sql = f"""SELECT a.contract_hash, a.sealed, a.balance_minor, a.currency, a.interest_rate,
        a.due_date, c.person_hash, c.sealed FROM account a JOIN contact c ON c.id = a.contact_id
        WHERE a.id IN ({marks(accounts)})"""
    for row in parts.database.run(sql, accounts).fetchall():
        contract_hash, sealed, balance_minor, currency, rate, due, person_hash, of_contact = row
        with suppress(VaultError):
            data = json.loads(parts.vault.open(sealed, f"account:{contract_hash}"))
            contact = contact_of(parts.vault.open(of_contact, f"contact:{person_hash}"))
            yield (
                contact,
                Account(
                    contract_number=data["contract_number"],
                    balance_minor=balance_minor,
                    currency=currency,
                    interest_rate=rate,
                    due_date=date.fromisoformat(due),
                    card_number=data["card_number"],
                    fields=data["fields"],
                ),
            )


def _is_due(plan: Any) -> bool:
    return bool(plan.erases_number or plan.erases_recording)


def _erase_over(
    parts: StoreParts, candidates: Sequence[int], sounds: PersonalSounds | None
) -> tuple[int, int]:
    """Accounts that nobody calls any more and of whose calls nothing is left, and contacts without
    any other account. How many of each. The sounds of their names go first."""
    accounts = contacts = 0
    run, vault = parts.database.run, parts.vault
    for some in chunks(candidates):
        owners = set()
        over = run(OVER.format(marks(some)), some).fetchall()
        if sounds is not None and over:
            sounds.erase(_spoken_to(parts, [row[0] for row in over]))
        for account, contact, contract_hash in over:
            sealed = vault.seal(json.dumps(NO_ACCOUNT).encode(), f"account:{contract_hash}")
            run("UPDATE account SET sealed = ?, digest = '' WHERE id = ?", (sealed, account))
            owners.add(contact)
            accounts += 1
        for few in chunks(sorted(owners)):
            empty = run(WITHOUT_ACCOUNTS.format(marks(few)), few).fetchall()
            for contact, person_hash in empty:
                text = contact_text(Contact(name="", phone=""))
                sealed = vault.seal(text, f"contact:{person_hash}")
                run("UPDATE contact SET sealed = ? WHERE id = ?", (sealed, contact))
                contacts += 1
    return accounts, contacts
