"""`duecall forget`: what is erased of a person, and what the law demands to be kept.

In this order, so that it can be cut off anywhere and said again: they are never called again; no
call of theirs goes on; files are removed; one transaction erases the rest and says so in the
ledger. What a law keeps is erased by the daemon when its time is over (retention.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from duecall.core.contact import Account, Contact
from duecall.core.keeping import Keeping, Kept, What
from duecall.core.rule_pack import Level
from duecall.shell.call_files import CallFiles
from duecall.shell.column_values import TargetState, to_us
from duecall.shell.contact_json import contact_text
from duecall.shell.database import marks
from duecall.shell.person_store import AttemptEntry, Person, PersonStore
from duecall.shell.personal_sounds import PersonalSounds
from duecall.shell.recording_index import forget_recordings
from duecall.shell.stop_store import FORGOTTEN
from duecall.shell.stop_types import NewStop
from duecall.shell.store_parts import StoreParts
from duecall.shell.target_store import KEPT_BACK_BY_CAMPAIGN

SAID_BY = "duecall forget"
LAW: tuple[Level, ...] = ("law",)
NOT_KNOWN = Kept(date.max, "its rules are not known")
NO_ACCOUNT = {"contract_number": "", "card_number": "", "fields": {}}
S = TargetState


class PersonBusy(RuntimeError):
    """A call of theirs goes on. Nobody calls them again; say it again when it is over."""


@dataclass(frozen=True, slots=True)
class AttemptPlan:
    """number, recording: kept until then, by that rule; None: erased, or not there."""

    attempt: AttemptEntry
    number: Kept | None
    recording: Kept | None

    @property
    def erases_records(self) -> bool:
        """They hold the number."""
        return self.number is None

    @property
    def erases_number(self) -> bool:
        return self.attempt.has_number and self.number is None

    @property
    def erases_recording(self) -> bool:
        return bool(self.attempt.recording) and self.recording is None


@dataclass(frozen=True, slots=True)
class ForgetPlan:
    """stopped: hashes of numbers that are never called again; those of others as well are not
    among them."""

    person: Person
    attempts: tuple[AttemptPlan, ...]
    stopped: tuple[str, ...]
    contacts: int  # that are not erased yet
    accounts: int


@dataclass(slots=True)
class Erased:
    """How much of each was erased. elsewhere: recordings that are not on this machine."""

    contacts: int = 0
    accounts: int = 0
    numbers: int = 0
    recordings: int = 0
    records: int = 0
    sounds: int = 0  # of their name, made for calls
    stops: int = 0
    targets: int = 0  # that are done now
    elsewhere: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        names = ("contacts", "accounts", "numbers", "recordings", "records", "sounds")
        return {name: getattr(self, name) for name in (*names, "stops", "targets")}


class Eraser:
    """keeping: of each campaign, None where its rules are not known (then nothing of its calls is
    erased). files, sounds: of this machine; daemons that share the database have theirs elsewhere.
    """

    def __init__(
        self,
        parts: StoreParts,
        files: CallFiles,
        keeping: Mapping[str, Keeping | None],
        now: datetime,
        sounds: PersonalSounds | None = None,
    ) -> None:
        self._sounds = sounds
        self._parts = parts
        self._database = parts.database
        self._persons = PersonStore(parts)
        self._files = files
        self._keeping = keeping
        self._now = now

    # ---- what would be done

    def plan(self, person: Person) -> ForgetPlan:
        """Changes nothing."""
        last: dict[int, datetime] = {}
        for one in person.attempts:
            end = one.settled_at or one.saved_at
            last[one.account_id] = max(end, last.get(one.account_id, end))
        others = self._persons.numbers_of_others(person)
        contacts = [c for c in person.contacts if c.contact is None or c.contact.phone]
        accounts = [a for a in person.accounts if a.data is None or a.data != NO_ACCOUNT]
        return ForgetPlan(
            person,
            tuple(self._plan(one, last[one.account_id]) for one in person.attempts),
            tuple(number for number in person.numbers if number not in others),
            len(contacts),
            len(accounts),
        )

    def _plan(self, attempt: AttemptEntry, last: datetime) -> AttemptPlan:
        return AttemptPlan(
            attempt,
            self._kept("log", attempt, last) if attempt.has_number else None,
            self._kept("recording", attempt, last) if attempt.recording else None,
        )

    def _kept(self, what: What, attempt: AttemptEntry, last: datetime) -> Kept | None:
        keeping = self._keeping.get(attempt.campaign)
        if keeping is None:
            return NOT_KNOWN
        today = keeping.day(self._now)
        kept = keeping.kept(what, keeping.day(attempt.saved_at), keeping.day(last), today, LAW)
        return kept if kept and kept.until >= today else None

    # ---- doing it

    def forget(self, plan: ForgetPlan, reason: str) -> Erased:
        """Erase it. PersonBusy while one of their calls goes on. reason: for the ledger."""
        done = Erased(targets=self.stop(plan))
        person = self._persons.person(plan.person.key)
        if any(one.settled_at is None for one in person.attempts):
            raise PersonBusy(
                "a call to this person goes on, or its end is not known yet. No other one will be "
                "made; what is held of them is erased when you say this again after its end"
            )
        plan = self.plan(person)  # with the call that has ended meanwhile
        gone = self.remove_files(plan, done, anywhere=True)
        self.erase(plan, gone, done, reason)
        return done

    def stop(self, plan: ForgetPlan) -> int:
        """They are never called again. How many targets are done by it."""

        def write() -> int:
            with self._database.writing():
                at_us = to_us(self._now)
                stops = [NewStop("contact", plan.person.key, FORGOTTEN, source=SAID_BY)]
                stops += [NewStop("number", n, FORGOTTEN, source=SAID_BY) for n in plan.stopped]
                ended = self._end_targets(plan.person.account_ids)
                for stop in stops:
                    self._parts.stops.add(stop, at_us)
                return ended

        return self._database.repeated(write)

    def _end_targets(self, accounts: Sequence[int]) -> int:
        """Also those that only the campaign's own words kept back: a new file would open them."""
        sql = f"""SELECT id, campaign_id, state, reason FROM target
            WHERE account_id IN ({marks(accounts)}) ORDER BY id"""
        ended = 0
        rows = self._database.run(sql + self._database.keeping, accounts).fetchall()
        for target, campaign, state, reason in rows:
            kept_back = state == S.DONE.value and reason.startswith(KEPT_BACK_BY_CAMPAIGN)
            if state == S.CALLING.value or (state == S.DONE.value and not kept_back):
                continue
            self._database.run(
                "UPDATE target SET state = 'done', reason = ?, held_by = '' WHERE id = ?",
                (FORGOTTEN, target),
            )
            if kept_back:
                self._database.count(self._parts.lender, campaign, "done", reason, -1)
            else:
                self._database.moved(self._parts.lender, campaign, S(state), S.DONE)
            self._database.count(self._parts.lender, campaign, "done", FORGOTTEN)
            ended += 1
        return ended

    def remove_files(self, plan: ForgetPlan, done: Erased, *, anywhere: bool) -> list[str]:
        """The attempts whose recordings are gone now; in any thread. OSError where one cannot be
        removed. anywhere: as CallFiles has it."""
        gone = []
        for one in plan.attempts:
            attempt = one.attempt
            if one.erases_recording:
                if self._files.remove_recording(attempt.recording):
                    done.recordings += 1
                elif self._database.shared:
                    done.elsewhere.append(attempt.id)
                    continue
                gone.append(attempt.id)
            if one.erases_records:
                settled = attempt.settled_at.date() if attempt.settled_at else None
                done.records += self._files.remove_records(attempt.id, settled, anywhere=anywhere)
        if self._sounds is not None:
            done.sounds += self._sounds.erase(_spoken_to(plan.person))
        return gone

    def erase(self, plan: ForgetPlan, gone: Sequence[str], done: Erased, reason: str) -> None:
        """All rows in one transaction. gone: attempts whose recordings were removed before."""
        self._database.repeated(lambda: self._erase(plan, gone, done, reason))

    def _erase(self, plan: ForgetPlan, gone: Sequence[str], done: Erased, reason: str) -> None:
        run, vault, person = self._database.run, self._parts.vault, plan.person
        numbers = [one.attempt.id for one in plan.attempts if one.erases_number]
        with self._database.writing():
            for contact in person.contacts:
                sealed = vault.seal(
                    contact_text(Contact(name="", phone="")), f"contact:{contact.person_hash}"
                )
                run("UPDATE contact SET sealed = ? WHERE id = ?", (sealed, contact.id))
            for account in person.accounts:
                sealed = vault.seal(
                    json.dumps(NO_ACCOUNT).encode(), f"account:{account.contract_hash}"
                )
                run("UPDATE account SET sealed = ? WHERE id = ?", (sealed, account.id))
            for attempt_id in numbers:
                sealed = vault.seal(b"", f"attempt:{attempt_id}")
                run("UPDATE attempt SET sealed = ? WHERE id = ?", (sealed, attempt_id))
            for attempt_id in gone:
                run("UPDATE attempt SET recording = '' WHERE id = ?", (attempt_id,))
            forget_recordings(self._parts, gone)
            stops = self._empty_stops(plan)
            done.contacts, done.accounts, done.numbers = plan.contacts, plan.accounts, len(numbers)
            done.stops = stops
            if any(done.counts.values()):
                self._parts.ledger.add("person", self._entry(plan, done, reason), to_us(self._now))

    def _empty_stops(self, plan: ForgetPlan) -> int:
        """What was named in them, for the operator's list. Those for the hashes stay."""
        person = plan.person
        keys: list[tuple[str, Sequence[Any]]] = [
            ("contact", (person.key,)),
            ("account", [str(account) for account in person.account_ids]),
            ("number", plan.stopped),
        ]
        emptied = 0
        for kind, values in keys:
            if values:
                sql = f"""UPDATE stop SET sealed = ? WHERE lender_id = ? AND key_kind = ?
                    AND key IN ({marks(values)}) AND length(sealed) > 0"""
                found = self._database.run(sql, (b"", self._parts.lender, kind, *values))
                emptied += found.rowcount
        return emptied

    def _entry(self, plan: ForgetPlan, done: Erased, reason: str) -> dict[str, Any]:
        kept = kept_counts(plan)
        return {
            "did": "forgot",
            "contact": plan.person.key,
            "erased": done.counts,
            "kept": kept,
            "reason": reason,
        }


def _spoken_to(person: Person) -> list[tuple[Contact, Account | None]]:
    """Whom calls have named: each contact with each account of the person."""
    contacts = [entry.contact for entry in person.contacts if entry.contact is not None]
    accounts = [
        Account(
            contract_number=entry.data["contract_number"],
            balance_minor=entry.balance_minor,
            currency=entry.currency,
            interest_rate=entry.interest_rate,
            due_date=date.fromisoformat(entry.due_date),
            card_number=entry.data["card_number"],
            fields=entry.data["fields"],
        )
        for entry in person.accounts
        if entry.data is not None
    ]
    return [(contact, account) for contact in contacts for account in (*accounts, None)]


def kept_counts(plan: ForgetPlan) -> dict[str, Any]:
    """What a law keeps: how many numbers and recordings, and until when the last of them."""
    numbers = [one.number for one in plan.attempts if one.number]
    recordings = [one.recording for one in plan.attempts if one.recording]
    last = max((kept.until for kept in (*numbers, *recordings)), default=None)
    return {
        "attempts": len(plan.attempts),
        "numbers": len(numbers),
        "recordings": len(recordings),
        "until": last.isoformat() if last else None,
        "rules": sorted({kept.rule for kept in (*numbers, *recordings)}),
    }
