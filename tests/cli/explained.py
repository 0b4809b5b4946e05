"""A bank whose calls are judged by the law of a country, and written down by the real store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from duecall.cli.plan_reading import Plans, read_plans
from duecall.cli.why_answer import Answer, answer_of
from duecall.core import commands as c
from duecall.core.attempt import Attempt
from duecall.core.call_events import channels_of, events_of
from duecall.core.campaign import Campaign
from duecall.core.contact import Account, Consent, Contact
from duecall.core.eligibility import Eligibility
from duecall.core.outcome import Outcome
from duecall.core.rule_choice import rules_of
from duecall.core.site import Site
from duecall.core.verdict import Denied
from duecall.shell.rule_packs import load_packs
from duecall.shell.stop_list import Named
from duecall.shell.store import Store, StoredCampaign
from tests.core.rule_world import plain_pack, words
from tests.shell import store_world
from tests.shell.store_world import Row

RING_S = 30


def settings(pack: str, **changes: Any) -> dict[str, Any]:
    """A campaign's file that attests and says all that the pack asks for."""
    said = words(plain_pack(pack))
    made: dict[str, Any] = {
        "name": "overdue",
        "contacts": "overdue.csv",
        "language": "en",
        "country": pack.upper(),
        "currency": "VND",
        "zone": "Asia/Ho_Chi_Minh",
        "calendar": {"hours": [{"from": "00:00", "to": "24:00"}]},
        "message": "hello",
        "retry": {"max_attempts": 3, "by_outcome": {"no_answer": {"every": "4h", "times": 5}}},
        "caller_id": "842412345678",
        "trunk": "demo",
        "ring": "60s",
        "rules": {
            "attested": sorted(said.attested),
            "says": sorted(said.says),
            "number_shown": sorted(said.number_shown),
        },
    }
    return {**made, **changes}


def consents(pack: str) -> tuple[Consent, ...]:
    """Whatever the pack wants on file."""
    wanted = [rule.get("on_file") for rule in plain_pack(pack).get("require", [])]
    return tuple(Consent(word) for word in wanted if word)


def person(n: int, phone: str = "", **changes: Any) -> Row:
    """The n-th contact. changes: of the contact; `due` of the account."""
    due = changes.pop("due", date(2026, 11, 1) - timedelta(days=n))
    contact = Contact(f"Contact {n}", phone or f"+849120{n:05d}", **changes)
    return Row(contact, Account(f"HD-{n:05d}", 1_000_000 + n, "VND", "18.5", due))


class Bank:
    """folder: of its database and key; the store is closed by whoever made this."""

    def __init__(
        self, folder: Path, pack: str, people: Iterable[Row], at: datetime, **changes: Any
    ) -> None:
        self.folder = folder
        self.site = Site.model_validate(
            {
                "lender": "bank",
                "trunks": {"demo": {"proxy": "127.0.0.1", "channels": 60, "calls_per_second": 2}},
            }
        ).with_packs(load_packs(folder / "no-such-folder"))
        self.store: Store = store_world.open_store(folder)
        self.name = ""
        self.take_up(settings(pack, **changes), at)
        self.store.import_rows(self.name, people)
        self.store.rank(self.name)
        self.store.set_campaign_state(self.name, "running")

    def take_up(self, raw: dict[str, Any], at: datetime) -> None:
        """A daemon reads this campaign's file, as the ledger then tells."""
        self.campaign = Campaign.model_validate(raw)
        self.name = self.campaign.name
        self.eligibility = Eligibility(self.campaign, rules_of(self.site, self.campaign))
        self.store.put_campaign(self.campaign, yaml.safe_dump(raw, allow_unicode=True), at)
        self.store.apply([c.NoteRules(self.name, self.eligibility.rules, at)])

    def plan_call(self, contract: str, at: datetime) -> Attempt | Denied:
        """A daemon claims it and asks the gate; an attempt is saved, a refusal written down."""
        load = c.LoadTargets(self.name, 1_000, self.eligibility.horizon(at))
        rows = self.store.apply([load], at).loads[0].rows
        [row] = [row for row in rows if row.account.contract_number == contract]
        others = tuple(other.id for other in rows if other.id != row.id)
        self.store.apply([c.ReleaseTargets(self.name, others)])
        planned = store_world.attempt(row, at)
        verdict = self.eligibility.check(planned.target, row.known, at)
        if isinstance(verdict, Denied):
            digest = self.eligibility.rules.digest
            put_off = c.DeferTarget(
                planned.target, verdict.until, verdict.reason, verdict.rule, digest, at
            )
            self.store.apply([put_off], at)
            return verdict
        grounds = self.eligibility.grounds(planned.target, at)
        made = Attempt(planned.id, planned.number, planned.target, at, grounds)
        done = self.store.apply([c.SaveAttempt(made, self.eligibility.horizon(at))], at)
        assert done.saved == [made.id], done.refused
        return made

    def end(
        self, made: Attempt | Denied, outcome: Outcome, at: datetime, due: datetime | None
    ) -> None:
        """The call is over."""
        assert isinstance(made, Attempt)
        events = events_of(outcome, rang=True)
        channels = channels_of(self.eligibility.proposal(made.target, at).conduct.channels, outcome)
        saved = store_world.outcome(
            made, outcome, due, at, call_events=events, channels=channels, day=at.date()
        )
        self.store.apply([saved], at)

    def call(self, contract: str, at: datetime, outcome: Outcome = Outcome.NO_ANSWER) -> Attempt:
        """The whole of one, of RING_S; tried again after four hours."""
        made = self.plan_call(contract, at)
        assert isinstance(made, Attempt), made
        end = at + timedelta(seconds=RING_S)
        due = None if outcome.ends_campaign else end + timedelta(hours=4)
        self.end(made, outcome, end, due)
        return made

    def stop(self, what: str, value: str, kind: str, at: datetime, **more: Any) -> bool:
        """what: number, prefix, contract, person."""
        named = {"campaign": "", "until_us": None, "source": "a letter", "line": 0, **more}
        return self.store.stop_list.add(Named(what, value, kind, **named), at)

    def lift(self, what: str, value: str, at: datetime) -> None:
        named = Named(what, value, "", campaign="", until_us=None, source="", line=0)
        found = self.store.stop_list.find(named)
        assert self.store.stop_list.lift(found, "a judge", at) == len(found) > 0

    def stored(self) -> StoredCampaign:
        [found] = self.store.campaigns()
        return found

    def why(
        self, contract: str, at: datetime, present: datetime, *, minute: bool = False
    ) -> Answer:
        """As the command answers, were it now `present`."""
        with self.store.reading():
            [found] = self.store.why.by_contract(contract)
            return answer_of(
                self.site, self.store.why, found, self.stored(), at, present, minute=minute
            )

    def plan(
        self,
        at: datetime,
        hours: float = 1,
        limit: int = 20,
        against: Path | None = None,
        campaign: Campaign | None = None,
    ) -> Plans:
        """As the command has it, were it now `at`."""
        stored = self.stored()
        chosen = [(stored, campaign or stored.campaign)]
        by = at + timedelta(hours=hours)
        return read_plans(self.site, self.store, chosen, at, by, limit, against)
