"""A finished log as the store writes it: a campaign under the law of Vietnam, its calls decided by
the gate, two numbers stopped, a person who opts out, an override, a call that is still open."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import yaml

from duecall.core.attempt import Attempt, Stage, attempt_id
from duecall.core.call_events import channels_of, events_of
from duecall.core.campaign import Campaign
from duecall.core.commands import (
    DeferTarget,
    LoadTargets,
    NoteRules,
    SaveAttempt,
    SaveOutcome,
    SaveStage,
)
from duecall.core.eligibility import Eligibility
from duecall.core.outcome import NOT_SENT, Ending, Outcome
from duecall.core.proposal import conduct_of
from duecall.core.rule_choice import rules_of
from duecall.core.site import Site
from duecall.core.verdict import Denied
from duecall.shell.rule_packs import load_packs
from duecall.shell.stop_list import Named
from duecall.shell.store import Store, TargetRow
from fs_scripts.contract import Brief, Result
from tests.shell.store_world import open_store, rows

START = datetime(2026, 11, 23, 0, 30, tzinfo=timezone.utc)  # a Monday, 07:30 in Hanoi
SETTINGS = {
    "name": "overdue",
    "contacts": "overdue.csv",
    "language": "vi",
    "country": "VN",
    "currency": "VND",
    "zone": "Asia/Ho_Chi_Minh",
    "calendar": {"hours": [{"from": "08:00", "to": "20:00"}], "except_dates": ["2026-11-25"]},
    "message": [{"text": "xin chao"}],
    "keys": {"1": {"do": "transfer", "to": "front-desk"}, "9": {"do": "opt_out"}},
    "retry": {"max_attempts": 9, "by_outcome": {"busy": {"every": "15m", "times": 2}}},
    "caller_id": "842412345678",
    "trunk": "demo",
    "rules": {
        "attested": ["lender_is_caller", "pdpl_basis_recorded"],
        "says": ["lender_name", "reason", "callback_number", "recording_notice"],
        "number_shown": ["shown"],
        "gaps": [{"id": "own.gap", "per": "number", "gap": "3h"}],
        "days": {"off": ["2026-11-26"], "source": "a decree"},
        "override": [
            {
                "rule": "vn.calls-day",
                "reason": "contracts since May allow four",
                "set": {"max": "4"},
            }
        ],
    },
}
YAML = yaml.safe_dump(SETTINGS)
CAMPAIGN = Campaign.model_validate(SETTINGS)
FATES = (
    (Outcome.NO_ANSWER, "NO_ANSWER", 0),
    (Outcome.BUSY, "USER_BUSY", 0),
    (Outcome.DELIVERED, "NORMAL_CLEARING", 9_000),
    (Outcome.HUNG_UP, "NORMAL_CLEARING", 2_000),
    (Outcome.PROMISED, "NORMAL_CLEARING", 5_000),
)


def site() -> Site:
    trunk = {"proxy": "127.0.0.1:9", "channels": 2, "calls_per_second": 1}
    bare = Site.model_validate({"trunks": {"demo": trunk}, "lender": "bank"})
    return bare.with_packs(load_packs(Path("no such folder")))


class Caller:
    """A daemon of a few lines: it asks the gate twice, as the real one does."""

    def __init__(self, store: Store, seed: int = 1) -> None:
        self.store = store
        self.sent = 0
        self.now = START
        self._chance = random.Random(seed)
        self._rules = rules_of(site(), CAMPAIGN)
        self._eligibility = Eligibility(CAMPAIGN, self._rules)
        store.apply([NoteRules("overdue", self._rules, self.now)])

    def turn(self, limit: int = 4) -> None:
        """Load some, and call whom the gate allows to be called."""
        horizon = self._eligibility.horizon(self.now)
        (load,) = self.store.apply([LoadTargets("overdue", limit, horizon)], self.now).loads
        for row in load.rows:
            self.call(row)

    def call(self, row: TargetRow) -> None:
        target = row.as_target(Brief("", ()))
        verdict = self._eligibility.check(target, row.known, self.now)
        if isinstance(verdict, Denied):
            told = (verdict.until, verdict.reason, verdict.rule, self._rules.digest, self.now)
            self.store.apply([DeferTarget(target, *told)], self.now)
            return
        number = row.past.tries + 1
        name = attempt_id(row.lender, row.campaign, row.account.contract_number, number)
        grounds = self._eligibility.grounds(target, self.now)
        attempt = Attempt(name, number, target, self.now, grounds)
        horizon = self._eligibility.horizon(self.now)
        done = self.store.apply([SaveAttempt(attempt, horizon)], self.now)
        if not done.saved:
            return
        self.now += timedelta(milliseconds=250)
        verdict = self._eligibility.check(target, done.known[name], self.now)
        if isinstance(verdict, Denied):
            self._settle(attempt, Outcome.TECHNICAL, NOT_SENT, 0, verdict.until)
            return
        self.sent += 1
        self.store.apply([SaveStage(name, Stage.SENT, self.now)])
        self.store.apply([SaveStage(name, Stage.RINGING, self.now + timedelta(seconds=2))])
        outcome, cause, heard_ms = self._chance.choice(FATES)
        if self.sent == 5:
            outcome, cause, heard_ms = Outcome.OPTED_OUT, "NORMAL_CLEARING", 3_000
        if outcome.spoke:
            self.store.apply([SaveStage(name, Stage.ANSWERED, self.now + timedelta(seconds=4))])
        self.now += timedelta(seconds=self._chance.randint(15, 90))
        self._settle(attempt, outcome, cause, heard_ms, self.now + timedelta(minutes=40))

    def _settle(
        self,
        attempt: Attempt,
        outcome: Outcome,
        cause: str,
        heard_ms: int,
        due: datetime | None,
    ) -> None:
        said = Result(attempt.id, "timeout", heard_ms=heard_ms) if heard_ms else None
        planned = conduct_of(CAMPAIGN).channels
        self.store.apply(
            [
                SaveOutcome(
                    attempt,
                    outcome,
                    Ending(cause, 200, outcome.spoke, said),
                    self.now,
                    None if outcome.ends_campaign else due,
                    outcome.value,
                    call_events=events_of(outcome, rang=cause != NOT_SENT, heard_ms=heard_ms),
                    channels=channels_of(planned, outcome),
                    day=self.now.date(),
                )
            ]
        )


def make_log(folder: Path, turns: int = 40, people: int = 12) -> Store:
    """The store behind `open_store(folder)`, with some days of calls in it."""
    store = open_store(folder)
    store.put_campaign(CAMPAIGN, YAML, START)
    contacts = list(rows(people))
    store.import_rows("overdue", contacts)
    store.rank("overdue")
    caller = Caller(store)
    for turn in range(turns):
        caller.turn()
        caller.now += timedelta(minutes=37)
        if turn == 6:
            _stop(store, [contacts[0].contact.phone], caller.now)
        if turn == 9:
            named = [Named("number", contacts[1].contact.phone, "dnc", source="a file")]
            store.stop_list.take_in(named, caller.now, kind="dnc", sha256="0" * 64)
    _leave_one_open(store, caller)
    return store


def _stop(store: Store, phones: Sequence[str], at: datetime) -> None:
    for phone in phones:
        store.stop_list.add(Named("number", phone, "dispute", source="a letter"), at)


def _leave_one_open(store: Store, caller: Caller) -> None:
    caller.now = START + timedelta(days=7, hours=2)
    (row, *_) = store.apply([LoadTargets("overdue", 1)], caller.now).loads[0].rows
    target = row.as_target(Brief("", ()))
    number = row.past.tries + 1
    name = attempt_id(row.lender, row.campaign, row.account.contract_number, number)
    grounds = caller._eligibility.grounds(target, caller.now)
    attempt = Attempt(name, number, target, caller.now, grounds)
    assert store.apply([SaveAttempt(attempt)], caller.now).saved
    store.apply([SaveStage(name, Stage.SENT, caller.now)])
