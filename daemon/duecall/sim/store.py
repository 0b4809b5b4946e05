"""The database: what is durable, for all daemons of the story. Honest; troubles with reaching it
are the worker's (store_worker.py).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from duecall.core import commands as c
from duecall.core.attempt import Attempt, Past, Stage, Target
from duecall.core.contact import Contact
from duecall.core.gate_types import NO_HORIZON, Horizon, Snapshot
from duecall.core.outcome import Outcome
from duecall.sim.ledger import CLI, Ledger, us
from duecall.sim.past_store import PastStore
from duecall.sim.stop_store import NewStop, StopStore, reaches

NUMBER_STOPPED = "number is on the stop list"
STOPPED = "it is on the stop list"


@dataclass(slots=True)
class Row:
    """One target. state: new, ready, waiting, held, calling, done."""

    target: Target
    state: str = "ready"
    due: datetime | None = None
    held_by: str = ""
    reason: str = ""


@dataclass(slots=True)
class Open:
    """An attempt without an outcome."""

    attempt: Attempt
    daemon: str
    stage: Stage
    saved_s: float  # true time: the database's own clock


@dataclass(slots=True)
class Load:
    campaign: str
    targets: tuple[Target, ...]
    next_due: datetime | None
    answered: tuple[tuple[date, int, int], ...] = ()


@dataclass(slots=True)
class Answers:
    """What came of a batch, as shell/store_answers.py has it. saved: with the horizon of each."""

    saved: list[tuple[Attempt, Horizon]] = field(default_factory=list)
    refused: list[tuple[str, str, bool]] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    stopped_numbers: list[str] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)


class Store:
    """note(what, attempt, daemon, value): for the log. now_s: true time, the server's clock.
    campaign_text: of a campaign's file, as it was read last."""

    def __init__(
        self,
        targets: Iterable[Target],
        campaigns: Iterable[str],
        note: Callable[..., None],
        now_s: Callable[[], float],
        all_called: Callable[[str], None],
        campaign_text: Callable[[str], str],
        shared: bool,
    ) -> None:
        self.rows: dict[int, Row] = {}
        self.states = dict.fromkeys(campaigns, "running")
        self.open: dict[str, Open] = {}
        self.stopped: dict[str, None] = {}
        self.counted: Counter[str] = Counter()  # maintained sums, as the tally table
        self.past = PastStore()
        self.stops = StopStore()
        self.entered: dict[str, int] = {}  # stop -> when it was entered
        self.ledger = Ledger(campaign_text)
        self._known: dict[str, str] = {}  # every attempt ever saved -> its daemon
        self._busy: dict[str, str] = {}  # number -> its open attempt: the unique index
        self._by_number: dict[str, list[int]] = {}
        self._held: dict[str, dict[int, None]] = {}
        self._ready: dict[str, list[int]] = {name: [] for name in self.states}
        self._waiting: dict[str, list[tuple[datetime, int]]] = {name: [] for name in self.states}
        self._left: Counter[str] = Counter()  # targets of a campaign that are not done
        self._applied: dict[str, tuple[tuple[int, int], Answers]] = {}  # daemon -> its last batch
        self._note = note
        self._now_s = now_s
        self._all_called = all_called
        self.shared = shared
        self.import_targets(targets)

    # ---- from outside

    def import_targets(self, targets: Iterable[Target]) -> None:
        for target in targets:
            self.rows[target.id] = row = Row(target, "new")
            self._left[target.campaign] += 1
            self._by_number.setdefault(target.phone_hash, []).append(target.id)
            if target.phone_hash in self.stopped:
                self._move(row, "done", reason=NUMBER_STOPPED)
            else:
                self._move(row, "ready")
            for stop in self.stops:
                self._bar(stop, row)

    def change_contact(self, target_id: int, contact: Contact) -> None:
        """As the next contacts file has it."""
        row = self.rows[target_id]
        row.target = replace(row.target, contact=contact)

    def stop(self, stop: NewStop, at: datetime, writer: str = CLI, attempt_id: str = "") -> None:
        """Enter it. A number that is stopped for ever, in all campaigns: its targets that are not
        called now are done."""
        if self.stops.add(stop):
            self.entered.setdefault(stop.name, us(at))
            self.ledger.stop(stop, at, writer, attempt_id)
            for row in self.rows.values():
                self._bar(stop, row)
        if not stop.ends_targets:
            return
        number = stop.key
        if number not in self.stopped:
            self.stopped[number] = None
            self._note("stopped", number=number)
        for target_id in self._by_number.get(number, ()):
            row = self.rows[target_id]
            if row.state in ("ready", "waiting", "held"):
                self._move(row, "done", reason=NUMBER_STOPPED)

    def lift(self, stop: NewStop, at: datetime) -> None:
        """As far as this stop goes, they may be called again."""
        self.stops.lift(stop)
        del self.entered[stop.name]
        self.ledger.stop(stop, at, CLI, lifted=True)
        self._note("freed", value=stop.name)
        words = f": {stop.kind} ({stop.source})"
        for row in self.rows.values():
            kept_back = row.state in ("waiting", "done") and row.reason.endswith(words)
            if kept_back and reaches(stop, row.target):
                self._move(row, "ready", reason="")

    def _bar(self, stop: NewStop, row: Row) -> None:
        if reaches(stop, row.target):
            until = "" if stop.expires_us is None else str(stop.expires_us)
            self._note("barred", number=stop.name, target=row.target.id, value=until)

    def set_state(self, campaign: str, state: str) -> None:
        self.states[campaign] = state
        self._note("state", campaign=campaign, value=state)

    def next_due(self) -> datetime | None:
        """Of all campaigns."""
        found = [due for name in self.states if (due := self._next_due(name)) is not None]
        return min(found, default=None)

    @property
    def all_done(self) -> bool:
        return not any(self._left.values()) and set(self.states.values()) == {"finished"}

    # ---- daemons that come, go and stay away

    def recover(self, daemon: str) -> list[tuple[Attempt, Stage]]:
        """A daemon starts: what it held is ready again; its attempts without an outcome."""
        self.release_all(daemon)
        return [(x.attempt, x.stage) for x in self.open.values() if x.daemon == daemon]

    def release_all(self, daemon: str) -> None:
        for target_id in list(self._held.get(daemon, ())):
            self._move(self.rows[target_id], "ready")

    def adopt(
        self, of: str, by: str, longest_s: Callable[[str, Stage], float]
    ) -> list[tuple[Attempt, Stage]]:
        """Attempts of a daemon whose lease has ended, that cannot be live any more.

        longest_s: of a campaign, how long an attempt of it can be live at most.
        """
        taken = []
        for found in self.open.values():
            old_s = self._now_s() - found.saved_s
            if found.daemon == of and old_s > longest_s(found.attempt.target.campaign, found.stage):
                found.daemon = by
                taken.append((found.attempt, found.stage))
                self._note("adopted", found.attempt, by)
        return taken

    # ---- the daemon's turn

    def apply(
        self, batch: list[c.Command], daemon: str, wall: datetime, number: tuple[int, int]
    ) -> Answers:
        """In one transaction. number: of the daemon's life and the batch; the same one again
        changes nothing, and is answered as the first time."""
        known = self._applied.get(daemon)
        if known is not None and known[0] == number:
            return known[1]
        answers = Answers()
        for command in batch:
            self._apply_one(command, daemon, wall, answers)
        self._applied[daemon] = number, answers
        return answers

    def _apply_one(self, command: c.Command, daemon: str, wall: datetime, answers: Answers) -> None:
        match command:
            case c.SaveStage(attempt_id, stage, at):
                found = self.open.get(attempt_id)
                if found is not None:
                    found.stage = max(found.stage, stage)
                    self.ledger.stage(attempt_id, stage, at)
            case c.SaveAttempt(attempt, horizon):
                self._save(attempt, horizon, daemon, answers)
            case c.SaveOutcome():
                self._settle(command, daemon, answers)
            case c.LoadTargets(name, limit, horizon):
                answers.loads.append(self._load(name, limit, horizon, daemon, wall))
            case c.ReleaseTargets(_, ids):
                for target_id in ids:
                    row = self.rows[target_id]
                    if row.state == "held" and row.held_by == daemon:
                        self._move(row, "ready")
            case c.DeferTarget():
                self._defer(command, daemon, wall)
            case c.NoteRules():
                self.ledger.rules(command, daemon)
            case c.FinishCampaign(name):
                self._finish(name)
            case c.ReopenCampaign(name):
                if self.states[name] == "finished":
                    self.set_state(name, "running")
            case _:
                raise TypeError(f"{type(command).__name__} is no command for the store")

    def _save(self, attempt: Attempt, horizon: Horizon, daemon: str, answers: Answers) -> None:
        target = attempt.target
        row = self.rows[target.id]
        holding = self.stops.of(target, us(attempt.at))
        refusal, final = "", False
        if target.phone_hash in self.stopped:
            refusal, final = NUMBER_STOPPED, True
        elif holding:
            final = holding[0].expires_us is None
            refusal = STOPPED if final else f"{STOPPED} for now"
        elif (row.state, row.held_by) != ("held", daemon):
            refusal = "the target is not held by this daemon"
        elif attempt.id in self._known:
            refusal = "this attempt was saved before"
        elif target.phone_hash in self._busy:
            refusal = "the number is in another call"
        if refusal:
            answers.refused.append((attempt.id, refusal, final))
            return
        self._move(row, "calling", held_by=daemon)
        past = row.target.past
        row.target = replace(row.target, past=replace(past, tries=past.tries + 1))
        self._known[attempt.id] = daemon
        self._busy[target.phone_hash] = attempt.id
        self.open[attempt.id] = Open(attempt, daemon, Stage.SAVED, self._now_s())
        self.past.save(attempt.id, target, us(attempt.at))
        self.ledger.save(attempt, daemon)
        self.counted["saved"] += 1
        self._note("saved", attempt, daemon)
        answers.saved.append((attempt, horizon))

    def known_after(self, answers: Answers, wall: datetime) -> dict[str, Snapshot]:
        """Of those saved, the past of their keys after the commit, each without itself."""
        return {
            attempt.id: self._snapshot(attempt.target, horizon, us(wall), attempt.id)
            for attempt, horizon in answers.saved
        }

    def _snapshot(
        self, target: Target, horizon: Horizon, now_us: int, without: str = ""
    ) -> Snapshot:
        return Snapshot(
            self.past.calls(target, horizon, now_us, without),
            self.stops.of(target, now_us - 86_400_000_000),  # the gate judges what has expired
            now_us,
            self.past.answered(target.campaign)[-3:] if without and horizon.answered else (),
        )

    def _settle(self, command: c.SaveOutcome, daemon: str, answers: Answers) -> None:
        attempt, outcome = command.attempt, command.outcome
        if self.open.pop(attempt.id, None) is None:
            return
        if self._busy.get(attempt.target.phone_hash) == attempt.id:
            del self._busy[attempt.target.phone_hash]
        self._note("settled", attempt, daemon, outcome.value)
        self.counted[outcome.value] += 1
        self.past.settle(attempt.id, us(command.at), command.call_events, command.channels)
        self.past.count(attempt.target.campaign, command.day, command.call_events)
        self.ledger.settle(command, daemon)
        row = self.rows[attempt.target.id]
        past = row.target.past
        counts = dict(past.by_outcome)
        counts[outcome] = counts.get(outcome, 0) + 1
        past = Past(past.tries, past.counted + outcome.counts, counts, command.at)
        row.target = replace(row.target, past=past)
        if command.next_due is None:
            self._move(row, "done", reason=command.reason)
        else:
            self._move(row, "waiting", due=command.next_due, reason=command.reason)
        answers.settled.append(attempt.id)
        if outcome is Outcome.OPTED_OUT:
            number = attempt.target.phone_hash
            stop = NewStop("number", number, "opted_out", source=attempt.id)
            self.stop(stop, command.at, daemon, attempt.id)
            answers.stopped_numbers.append(number)

    def _defer(self, command: c.DeferTarget, daemon: str, wall: datetime) -> None:
        row, until, reason = self.rows[command.target.id], command.until, command.reason
        if row.state not in ("held", "ready", "waiting"):
            return
        if row.state == "held" and row.held_by != daemon:
            return
        if reason != row.reason:
            self.ledger.refuse(command, daemon, wall)
        if until is None:
            self._move(row, "done", reason=reason)
        else:
            self._move(row, "waiting", due=until, reason=reason)

    def _finish(self, name: str) -> None:
        """Unless another daemon is busy with some of it: then it is said again later."""
        if self.shared and self._left[name]:
            return
        self._note("finished", campaign=name, value=str(self._left[name]))
        if self.states[name] == "running":
            self.set_state(name, "finished")

    def _load(self, name: str, limit: int, horizon: Horizon, daemon: str, wall: datetime) -> Load:
        waiting = self._waiting[name]
        while waiting and waiting[0][0] <= wall:
            due, target_id = heapq.heappop(waiting)
            row = self.rows[target_id]
            if row.state == "waiting" and row.due == due:
                self._move(row, "ready")
        ready, taken = self._ready[name], list[Target]()
        while ready and len(taken) < limit:
            row = self.rows[heapq.heappop(ready)]
            if row.state == "ready":
                self._move(row, "held", held_by=daemon)
                taken.append(row.target)
        if horizon != NO_HORIZON or self.stops:
            taken = [
                replace(target, known=self._snapshot(target, horizon, us(wall))) for target in taken
            ]
        return Load(name, tuple(taken), self._next_due(name), self.past.answered(name))

    def _next_due(self, name: str) -> datetime | None:
        waiting = self._waiting[name]
        while waiting:
            due, target_id = waiting[0]
            row = self.rows[target_id]
            if row.state == "waiting" and row.due == due:
                return due
            heapq.heappop(waiting)
        return None

    def _move(
        self, row: Row, state: str, *, due: datetime | None = None, held_by: str = "",
        reason: str | None = None,
    ) -> None:  # fmt: skip
        """reason: None leaves it as it was."""
        target = row.target
        if row.state == "held":
            self._held[row.held_by].pop(target.id, None)
        if row.state == "done":
            self._left[target.campaign] += 1
        row.state, row.due, row.held_by = state, due, held_by
        if reason is not None:
            row.reason = reason
        if state == "held":
            self._held.setdefault(held_by, {})[target.id] = None
        elif state == "ready":
            heapq.heappush(self._ready[target.campaign], target.id)
        elif state == "waiting" and due is not None:
            heapq.heappush(self._waiting[target.campaign], (due, target.id))
        elif state == "done":
            self._left[target.campaign] -= 1
            if not self._left[target.campaign]:
                self._all_called(target.campaign)
