"""The daemon's turn: a batch of commands in one transaction, and the look at the past behind it.

A batch that was committed is never applied again, whatever happens to its answer: it is known by a
number that was written with it, and what is still owed, the look at the past, is made up for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from duecall.core import commands as c
from duecall.core.attempt import Attempt
from duecall.core.gate_types import Horizon
from duecall.core.outcome import Outcome
from duecall.shell import clock
from duecall.shell.attempt_store import FINAL, AttemptStore
from duecall.shell.campaign_store import CampaignStore
from duecall.shell.column_values import to_us
from duecall.shell.daemon_store import DaemonStore
from duecall.shell.database import (
    DATABASE_ERRORS,
    CommitUnsure,
    Database,
    StoreError,
    StoreLost,
)
from duecall.shell.ledger import Ledger
from duecall.shell.ledger_entries import of_refusal, of_rules
from duecall.shell.past_store import Known, PastStore
from duecall.shell.stop_store import OPTED_OUT, StopStore
from duecall.shell.store_answers import ApplyResult, Load, Recorded
from duecall.shell.target_store import TargetStore


@dataclass(slots=True)
class TurnParts:
    """What a turn writes to and reads from, on one connection."""

    database: Database
    targets: TargetStore
    attempts: AttemptStore
    stops: StopStore
    campaigns: CampaignStore
    daemons: DaemonStore
    past: PastStore
    known: Known
    ledger: Ledger


class Turn:
    """Of one daemon. Keeps in mind which batch was committed last."""

    def __init__(self, parts: TurnParts) -> None:
        self._database = parts.database
        self._targets = parts.targets
        self._attempts = parts.attempts
        self._stops = parts.stops
        self._campaigns = parts.campaigns
        self._daemons = parts.daemons
        self._past = parts.past
        self._known = parts.known
        self._ledger = parts.ledger
        self._batch = 0
        self._committed: tuple[list[c.Command], ApplyResult] | None = None
        self._unsure: tuple[int, list[c.Command], ApplyResult] | None = None

    def begin(self) -> None:
        """The daemon has joined: its batches are counted from one."""
        self._batch = 0

    def apply(self, batch: Sequence[c.Command], now: datetime | None) -> ApplyResult:
        """See Store.apply."""
        done = self._what_came_of(batch)
        if done is None:
            done = self._database.repeated(lambda: self._apply(batch, now))
        self._look_back(batch, done)
        return done

    def _look_back(self, batch: Sequence[c.Command], done: ApplyResult) -> None:
        """The past of those saved, as it is after their own commit: of two daemons that saved at
        once, the later sees the earlier."""
        saved = set(done.saved)
        attempts = [
            (command.attempt, command.horizon)
            for command in batch
            if isinstance(command, c.SaveAttempt) and command.attempt.id in saved
        ]
        if not attempts:
            return
        self._committed = list(batch), done
        try:
            done.known = self._known.after_commit(attempts, to_us(clock.now().wall))
        except (StoreError, OSError, *DATABASE_ERRORS) as error:
            # The batch is durable: it must not be applied again, only looked after.
            raise StoreLost(f"{self._database.name}: the past cannot be read: {error}") from error
        self._committed = None

    def _apply(self, batch: Sequence[c.Command], now: datetime | None) -> ApplyResult:
        done = ApplyResult()
        number = self._batch + 1
        try:
            with self._database.writing():
                self._daemons.mark(number)
                for command in batch:
                    self._apply_one(command, done, now)
        except CommitUnsure:
            if self._daemons.joined:
                self._unsure = number, list(batch), done
            raise
        self._batch = number
        return done

    def _what_came_of(self, batch: Sequence[c.Command]) -> ApplyResult | None:
        """The answers to this batch, where it was committed before and they were lost on the way.
        What holds for one command need not for another (a tally would count twice, targets be held
        for nobody), so the whole batch is known by a number that was written with it."""
        if self._committed is not None:
            commands, done = self._committed
            if list(batch) != commands:
                raise RuntimeError("the batch that is looked after has to be applied again first")
            return done
        if self._unsure is None:
            return None
        number, commands, done = self._unsure
        if list(batch) != commands:
            raise RuntimeError("the batch whose end is not known has to be applied again first")
        with self._database.writing():
            committed = self._daemons.last_batch() == number
        self._unsure = None
        if not committed:
            return None
        self._batch = number
        return done

    def _apply_one(self, command: c.Command, done: ApplyResult, now: datetime | None) -> None:
        match command:
            case c.SaveStage():
                self._attempts.stage(command)
            case c.SaveAttempt(attempt):
                self.save(attempt, done)
            case c.SaveOutcome():
                self._settle(command, done)
            case c.LoadTargets(name, limit, horizon):
                done.loads.append(self._load(name, limit, horizon, now or clock.now().wall))
            case c.ReleaseTargets(_, ids):
                self._targets.release(ids)
            case c.DeferTarget():
                self._defer(command, now or clock.now().wall)
            case c.NoteRules():
                self._note_rules(command)
            case c.FinishCampaign(name):
                self._campaigns.finish(name)
            case c.ReopenCampaign(name):
                self._campaigns.reopen(name)
            case _:
                raise TypeError(f"{type(command).__name__} is no command for the store")

    def _load(self, name: str, limit: int, horizon: Horizon, now: datetime) -> Load:
        key = self._campaigns.key(name)
        rows = self._targets.take_due(key, now, limit)
        known = self._known.of(key, rows, horizon, to_us(now))
        rows = [replace(row, known=one) for row, one in zip(rows, known, strict=True)]
        return Load(name, rows, self._targets.next_due(key), answered=self._past.answered(key.id))

    def _defer(self, command: c.DeferTarget, now: datetime) -> None:
        """Told in the ledger where it is news: no line a look for one who waits for morning."""
        target, before = command.target, self._targets.reason(command.target.id)
        if command.rule.startswith("stop.") and not self._attempts.is_stopped(target, now):
            self._targets.release([target.id])  # it was lifted between the look and this commit
            return
        moved = self._targets.defer(target.id, command.until, command.reason)
        if moved and command.reason != before:
            at_us = to_us(command.at or now)
            self._ledger.add("refused", of_refusal(command), at_us, target_id=target.id)

    def _note_rules(self, command: c.NoteRules) -> None:
        at_us = to_us(command.at)
        self._ledger.document("rules", command.rules.text, at_us)
        digest, text = self._campaigns.text(command.campaign)
        self._ledger.document("campaign", text, at_us)
        self._attempts.judged_by(command.campaign, digest)
        body = of_rules(command.campaign, digest, command.rules)
        self._ledger.add("rules", body, at_us)

    def save(self, attempt: Attempt, done: ApplyResult, trunk: str = "") -> None:
        """Within the caller's transaction. trunk: the campaign's, where empty."""
        refusal = self._attempts.save(attempt, trunk)
        if refusal is None:
            done.saved.append(attempt.id)
        else:
            done.refused.append((attempt.id, refusal, refusal in FINAL))

    def _settle(self, command: c.SaveOutcome, done: ApplyResult) -> None:
        attempt = command.attempt
        opted_out = command.outcome is Outcome.OPTED_OUT
        if self._attempts.settle(command):
            done.settled.append(attempt.id)
            if command.recording:
                done.recordings.append(Recorded(attempt.id, attempt.target.id, command.recording))
        else:
            done.repeated.append(attempt.id)
            # Another daemon took it over and found no evidence: here it is. Who said no is heard.
            opted_out = opted_out and self._attempts.was_lost(attempt.id)
        if opted_out:
            phone, phone_hash = attempt.target.contact.phone, attempt.target.phone_hash
            self._stops.stop_number(phone, phone_hash, OPTED_OUT, attempt.id, command.at)
            done.stopped_numbers.append(phone_hash)
