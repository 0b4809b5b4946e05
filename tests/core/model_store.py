"""A tiny honest store: all that the real one promises but law L1, which it leaves to the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from duecall.core import commands as c
from duecall.core import events as e
from duecall.core.attempt import Attempt, Past, Stage, Target
from duecall.core.moment import Moment

Answer = Callable[[Moment], e.Event]


@dataclass
class Row:
    """One target in the store. state: ready, waiting, held, calling, done."""

    target: Target
    state: str = "ready"
    due: datetime | None = None


class ModelStore:
    """note: takes what an auditor would see: (what, attempt, how many targets are left)."""

    def __init__(
        self, campaigns: tuple[str, ...], note: Callable[[str, Attempt | None, int], None]
    ):
        self.rows: dict[int, Row] = {}
        self.attempts: dict[str, tuple[Attempt, Stage]] = {}  # open ones
        self.states = dict.fromkeys(campaigns, "running")
        self.stopped_numbers: set[str] = set()
        self._note = note

    def recover(self) -> None:
        """A daemon starts: what the last one held is ready again."""
        for row in self.rows.values():
            if row.state == "held":
                row.state = "ready"

    def next_due(self) -> datetime | None:
        return min(
            (row.due for row in self.rows.values() if row.state == "waiting" and row.due),
            default=None,
        )

    def apply(self, command: c.Command, wall: datetime, voice: bool) -> Answer | None:
        """voice: False where the prompts of a LoadTargets cannot be made."""
        match command:
            case c.LoadTargets(name, limit):
                return self._load(name, limit, wall, voice)
            case c.SaveAttempt(attempt):
                return self._save(attempt)
            case c.SaveOutcome():
                self._settle(command)
            case c.ReleaseTargets(_, ids):
                for target_id in ids:
                    if self.rows[target_id].state == "held":
                        self.rows[target_id].state = "ready"
            case c.DeferTarget(target, until, _):
                row = self.rows[target.id]
                if row.state in ("held", "ready", "waiting"):
                    row.state, row.due = ("waiting", until) if until else ("done", None)
            case c.SaveStage(attempt_id, stage, _):
                if attempt_id in self.attempts:
                    attempt, before = self.attempts[attempt_id]
                    self.attempts[attempt_id] = attempt, max(before, stage)
            case c.FinishCampaign(name):
                self._note("finished", None, sum(row.state != "done" for row in self._of(name)))
                if self.states[name] == "running":
                    self.states[name] = "finished"
            case c.ReopenCampaign(name):
                if self.states[name] == "finished":
                    self.states[name] = "running"
        return None

    def _of(self, name: str) -> list[Row]:
        return [row for row in self.rows.values() if row.target.campaign == name]

    def _load(self, name: str, limit: int, wall: datetime, voice: bool) -> Answer:
        mine = self._of(name)
        for row in mine:
            if row.state == "waiting" and row.due is not None and row.due <= wall:
                row.state, row.due = "ready", None
        taken = [row for row in mine if row.state == "ready"][:limit]
        due = min((row.due for row in mine if row.state == "waiting" and row.due), default=None)
        if not voice:
            return lambda at: e.TargetsLoaded(at, name, (), due, failed="no voice")
        for row in taken:
            row.state = "held"
        targets = tuple(row.target for row in taken)
        return lambda at: e.TargetsLoaded(at, name, targets, due)

    def _save(self, attempt: Attempt) -> Answer:
        row = self.rows[attempt.target.id]
        if attempt.target.phone_hash in self.stopped_numbers:
            return lambda at: e.AttemptRefused(at, attempt.id, "number is on the stop list", True)
        if row.state != "held":
            return lambda at: e.AttemptRefused(at, attempt.id, "the target is not held")
        row.state = "calling"
        past = row.target.past
        row.target = replace(row.target, past=replace(past, tries=past.tries + 1))
        self.attempts[attempt.id] = attempt, Stage.SAVED
        self._note("saved", attempt, 0)
        return lambda at: e.AttemptSaved(at, attempt.id)

    def _settle(self, command: c.SaveOutcome) -> None:
        attempt = command.attempt
        if self.attempts.pop(attempt.id, None) is None:
            return
        self._note("settled", attempt, 0)
        row = self.rows[attempt.target.id]
        past = row.target.past
        counts = dict(past.by_outcome)
        counts[command.outcome] = counts.get(command.outcome, 0) + 1
        past = Past(past.tries, past.counted + command.outcome.counts, counts, command.at)
        row.target = replace(row.target, past=past)
        row.state, row.due = ("waiting", command.next_due) if command.next_due else ("done", None)
