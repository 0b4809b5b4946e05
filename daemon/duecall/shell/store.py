"""The store: what must outlive the daemon. Synchronous, for one thread at a time.

`apply` is what the daemon uses: all commands of a turn in one transaction, one fsync. Everything
else is for its start and for the command line, which works on the same file as a second process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from duecall.core import commands as c
from duecall.core.attempt import Attempt, Stage
from duecall.core.campaign import Campaign
from duecall.core.report import AttemptRecord, TargetSummary
from duecall.shell import clock, report_rows
from duecall.shell.attempt_store import AttemptStore
from duecall.shell.campaign_store import CONTACTS, CampaignStore, NoSuchCampaign
from duecall.shell.column_values import CampaignState, from_us, to_us
from duecall.shell.daemon_store import DaemonStore, DaemonTwice, News, TakenOver
from duecall.shell.database import StoreBusy, StoreError, open_database
from duecall.shell.import_contacts import ImportCounts, Importer, ParsedRow
from duecall.shell.ledger import Ledger
from duecall.shell.life import Life
from duecall.shell.models import Lender, TallyRow
from duecall.shell.past_store import Known, PastStore
from duecall.shell.rank_contacts import Ranker
from duecall.shell.stop_list import StopList
from duecall.shell.stop_store import StopStore
from duecall.shell.store_answers import (
    ApplyResult,
    Load,
    StatusCounts,
    StoppedNumber,
    StoredCampaign,
)
from duecall.shell.store_parts import StoreParts, missing_seal_key
from duecall.shell.store_turn import Turn, TurnParts
from duecall.shell.target_store import TargetRow, TargetStore
from duecall.shell.vault import Vault
from duecall.shell.why_store import WhyStore


class Store:
    """url: as `database` in config.yaml. lender: name of the tenant. daemon: whose held targets and
    open attempts are recovered at start. Raises StoreError where it cannot be opened, or the key is
    not the one it was sealed with.

    faults: what was found at start that somebody has to look at.
    """

    def __init__(self, url: str, vault: Vault, lender: str, daemon: str = "main") -> None:
        self._database = open_database(url)
        self._vault = vault
        try:
            self._lender = self._find_lender(lender)
        except BaseException:
            self._database.close()
            raise
        self._ledger = Ledger(self._database, vault, self._lender, daemon)
        self._targets = TargetStore(self._database, vault, (self._lender, lender), daemon)
        self._daemon = daemon
        self._stops = StopStore(self._database, vault, self._lender, self._targets, self._ledger)
        self._attempts = AttemptStore(
            self._database, vault, self._targets, self._stops, self._ledger, self._lender, daemon
        )
        past = PastStore(self._database, self._lender)
        self._campaigns = CampaignStore(self._database, self._lender)
        self._known = Known(past, self._stops, self._campaigns)
        self._stop_list = StopList(
            self._database, vault, self._lender, self._stops, self._campaigns, self._ledger
        )
        self._importer = Importer(self._database, vault, self._lender, self._stops, self._ledger)
        self._ranker = Ranker(self._database, vault, self._lender)
        self._daemons = DaemonStore(
            self._database, self._targets, self._attempts, self._lender, daemon, vault
        )
        self._turn = Turn(
            TurnParts(
                self._database,
                self._targets,
                self._attempts,
                self._stops,
                self._campaigns,
                self._daemons,
                past,
                self._known,
                self._ledger,
            )
        )
        self._taking: list[str] = []  # attempts that were taken over, or not
        self.faults: list[c.Alarm] = []

    def close(self) -> None:
        self._database.close()

    def _find_lender(self, name: str) -> int:
        db = self._database.db
        columns = (Lender.id, Lender.key_check, Lender.seal_key)
        query = Lender.select(*columns).where(Lender.name == name).tuples()
        row = query.first(db)
        if row is None:
            with self._database.writing():
                self._database.run(
                    "INSERT INTO lender (name, key_check) VALUES (?, ?)"
                    " ON CONFLICT (name) DO NOTHING",
                    (name, self._vault.fingerprint),
                )
            row = query.clone().first(db)
        if row[1] != self._vault.fingerprint:
            # With another key no opt-out would be found, and people who said no would be called.
            raise StoreError(
                f"{self._database.name} was sealed with another key than this one; "
                "put the key file that belongs to it back (var/duecall.key, or DUECALL_KEY)"
            )
        if problem := missing_seal_key(row[2], self._vault):
            raise StoreError(f"{self._database.name} {problem}")
        return int(row[0])

    @property
    def parts(self) -> StoreParts:
        """What works on the same connection, for the same lender: shell/person_store.py, …"""
        return StoreParts(
            self._database, self._vault, self._lender, self._targets, self._stops, self._ledger
        )

    # ---- campaigns

    def put_campaign(self, campaign: Campaign, yaml_text: str, at: datetime | None = None) -> bool:
        """New, or in place of the one of that name, whose state it keeps. True if it differs."""
        with self._database.writing():
            return self._campaigns.put(campaign, yaml_text, at or clock.now().wall)

    def campaigns(self) -> list[StoredCampaign]:
        """All of this lender, by name. One that this Duecall cannot read is left out, for the
        others to go on: see `faults`."""
        found, faulty = self._campaigns.all()
        for name, why in faulty:
            fields = (("campaign", name), ("why", why))
            self._fault(c.Alarm("a stored campaign cannot be read", fields))
        return found

    def running_campaigns(self) -> list[tuple[Campaign, bool]]:
        """Those a daemon takes up at start: (campaign, False where it is paused)."""
        live = {CampaignState.RUNNING: True, CampaignState.PAUSED: False}
        return [(row.campaign, live[row.state]) for row in self.campaigns() if row.state in live]

    def set_campaign_state(self, name: str, state: str, left_out: int = 0) -> None:
        """state: one of CampaignState. left_out: rows that cannot be spoken, by the operator's
        decision. StoreError where there is no such campaign."""
        body: dict[str, object] = {"campaign": name, "state": state}
        if left_out:
            body["left_out"] = left_out
        with self._database.writing():
            self._campaigns.set_state(name, CampaignState(state))
            self._ledger.add("campaign", body, to_us(clock.now().wall))

    def _fault(self, alarm: c.Alarm) -> None:
        if alarm not in self.faults:
            self.faults.append(alarm)

    # ---- contacts

    def import_rows(self, campaign: str, rows: Iterable[ParsedRow]) -> ImportCounts:
        """In short transactions; the same rows again change nothing. Call `imported` and `rank`
        afterwards."""
        return self._importer.import_rows(self._campaigns.key(campaign).id, rows)

    def imported(self, campaign: str, sha256: str, counts: ImportCounts, refused: int) -> None:
        """All rows of a contacts file are in. refused: how many of its rows are not."""
        key, at_us = self._campaigns.key(campaign), to_us(clock.now().wall)
        self._importer.imported(key, sha256, counts, refused, at_us)

    def rank(self, campaign: str, progress: Callable[[int, int], None] | None = None) -> int:
        """Order the targets as the campaign says, and make new ones ready. How many were moved.
        progress: (targets done, in all)."""
        key, order = self._campaigns.order(campaign)
        moved = self._ranker.rank(key.id, order, progress)
        if moved:
            with self._database.writing():
                self._database.tell(self._lender, CONTACTS, campaign)
        return moved

    def kept_back(self, campaign: str) -> list[tuple[int, str]]:
        """(target, reason) of those that an earlier version of the campaign would not call."""
        return self._targets.kept_back(self._campaigns.key(campaign))

    def open_again(self, campaign: str, targets: Sequence[tuple[int, str]]) -> int:
        """Some of `kept_back` are ready again, for the new version to judge. How many."""
        with self._database.writing():
            return self._targets.open_again(self._campaigns.key(campaign), targets)

    # ---- the daemon's turn

    def apply(self, batch: Sequence[c.Command], now: datetime | None = None) -> ApplyResult:
        """Carry out, in order, in one transaction: all of it is durable when this returns.

        Where it raises, nothing of it was written, and the same batch may be tried again.
        now: for LoadTargets. Commands that are not the store's are refused with TypeError.
        """
        return self._turn.apply(batch, now)

    def save_attempts(self, attempts: Sequence[Attempt], trunk: str = "") -> dict[str, str | None]:
        """attempt id -> None where it is durable, else why it was refused."""
        done = ApplyResult()
        with self._database.writing():
            for attempt in attempts:
                self._turn.save(attempt, done, trunk)
        answers: dict[str, str | None] = dict.fromkeys(done.saved)
        answers.update((attempt_id, reason) for attempt_id, reason, _ in done.refused)
        return answers

    def due_targets(self, campaign: str, now: datetime, limit: int) -> list[TargetRow]:
        """Claim up to `limit` that are due, in rank order."""
        return self.apply([c.LoadTargets(campaign, limit)], now).loads[0].rows

    def next_up(self, campaign: str, limit: int) -> list[TargetRow]:
        """Who is called first, in order. Claims nobody: a daemon may take them meanwhile."""
        return self._targets.next_up(self._campaigns.key(campaign), limit)

    def ready_count(self, campaign: str) -> int:
        """How many may be called now, as far as the store knows."""
        return self._targets.ready_count(self._campaigns.key(campaign))

    def all_ready(self, campaign: str) -> Iterator[TargetRow]:
        """All of them in the order of calling, a page at a time. Claims nobody."""
        return self._targets.all_ready(self._campaigns.key(campaign))

    def next_due(self, campaign: str) -> datetime | None:
        return self._targets.next_due(self._campaigns.key(campaign))

    def recover(self) -> list[tuple[Attempt, Stage]]:
        """At start, before anything else: held targets are ready again; the attempts that have no
        outcome, oldest first. These may have been sent, and must never be sent again."""
        with self._database.writing():
            self._targets.give_back(self._daemon)
        found = self._attempts.open_attempts()
        self._look_at_unreadable()
        return found

    def _look_at_unreadable(self) -> None:
        for attempt_id in self._attempts.unreadable:
            fields = (("attempt", attempt_id),)
            self._fault(c.Alarm("an open attempt cannot be unsealed", fields))
        self._attempts.unreadable.clear()

    # ---- beside other daemons

    @property
    def shared(self) -> bool:
        """Other daemons may work on this database."""
        return self._database.shared

    def join(self, life: Life) -> None:
        """Before `recover`. DaemonTwice where another process is the daemon of this name."""
        with self._database.writing():
            self._daemons.join(life)
        self._turn.begin()

    def renew(self) -> None:
        """The lease. To be called every RENEW_S at least; StoreError where the name is taken."""
        if self._daemons.joined:
            with self._database.writing():
                self._daemons.renew()

    def leave(self) -> None:
        """This daemon ends in order."""
        if self._daemons.joined:
            with self._database.writing():
                self._daemons.leave()

    def take_over(self, longest_s: Mapping[str, float]) -> TakenOver:
        """What daemons that are gone have left. longest_s: campaign -> of a call, all in all."""

        def take() -> TakenOver:
            with self._database.writing():
                done = self._daemons.take_over(longest_s)
                # Should the answer to the commit be lost, the next call tells of them.
                self._taking += [attempt.id for attempt, _ in done.attempts]
            return done

        before, self._taking = self._taking, []
        try:
            done = self._database.repeated(take)
            told = {attempt.id for attempt, _ in done.attempts}
            missing = [attempt_id for attempt_id in before if attempt_id not in told]
            done.attempts += self._attempts.open_attempts(missing) if missing else []
        except BaseException:
            self._taking += before
            raise
        self._taking = []
        self._look_at_unreadable()
        return done

    def news_seq(self) -> int:
        """The number of the last of the news."""
        return self._daemons.news_seq()

    def news(self, since: int) -> News:
        """What every daemon must hear of: written by others, and by this one."""
        return self._daemons.news(since)

    # ---- numbers that are not called

    def is_suppressed(self, phone_hash: str) -> bool:
        return bool(self._stops.stopped_for_ever([phone_hash]))

    def stop_number(self, phone: str, reason: str, source: str, at: datetime | None = None) -> str:
        """Never call this number (E.164) again; its phone_hash. Twice is as good as once."""
        phone_hash = self._vault.phone_hash(phone)
        with self._database.writing():
            self._stops.stop_number(phone, phone_hash, reason, source, at or clock.now().wall)
        return phone_hash

    @property
    def stop_list(self) -> StopList:
        """Stops of every kind, for people and files."""
        return self._stop_list

    def stopped_numbers(self) -> Iterator[StoppedNumber]:
        """That no campaign ever calls; each once, as it was first stopped, oldest first."""
        told: set[str] = set()
        for found in self._stops.all("s.key_kind = 'number'"):
            if found.stop.ends_targets and found.stop.key not in told:
                told.add(found.stop.key)
                stop, at = found.stop, from_us(found.at_us)
                yield StoppedNumber(stop.clear, stop.kind, stop.source, at)

    # ---- looking at it

    def check_writable(self) -> None:
        """Write, and wait for the disk. StoreError where that is not possible."""
        with self._database.writing():
            self._database.run("UPDATE lender SET name = name WHERE id = ?", (self._lender,))

    def status_counts(self, campaign: str) -> StatusCounts:
        """From maintained counts: as fast with a million targets as with ten."""
        rows = (
            TallyRow.select(TallyRow.kind, TallyRow.name, TallyRow.n)
            .where(TallyRow.campaign == self._campaigns.key(campaign).id)
            .tuples()
            .execute(self._database.db)
        )
        tables: dict[str, dict[str, int]] = {}
        for kind, name, n in rows:
            table = tables.setdefault(kind, {})
            table[name] = table.get(name, 0) + n  # over the shards
        outcomes = {name: n for name, n in tables.get("outcome", {}).items() if n}
        attempts = tables.get("attempt", {}).get("saved", 0)
        return StatusCounts(
            targets={name: n for name, n in tables.get("target", {}).items() if n},
            attempts=attempts,
            live=attempts - sum(outcomes.values()),
            outcomes=outcomes,
            done={name: n for name, n in tables.get("done", {}).items() if n},
            promises=tables.get("promise", {}).get("made", 0),
        )

    @property
    def why(self) -> WhyStore:
        """For the commands that explain."""
        return WhyStore(
            self._database, self._vault, self._lender, self._targets, self._stops, self._known
        )

    def reading(self) -> AbstractContextManager[None]:
        """`with store.reading():` one snapshot, so that a report's sums agree."""
        return self._database.reading()

    def attempts(
        self,
        campaign: str,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        unseal: bool = False,
    ) -> Iterator[AttemptRecord]:
        """By time saved, since <= saved_at < until. unseal: with contract, name and phone."""
        vault = self._vault if unseal else None
        key = self._campaigns.key(campaign)
        return report_rows.attempts(self._database, vault, key.id, since, until)

    def targets(self, campaign: str) -> Iterator[TargetSummary]:
        """Every target of the campaign, for the report."""
        return report_rows.targets(self._database, self._campaigns.key(campaign).id)


__all__ = [
    "ApplyResult",
    "DaemonTwice",
    "Load",
    "News",
    "NoSuchCampaign",
    "StatusCounts",
    "StoppedNumber",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoredCampaign",
    "TakenOver",
    "TargetRow",
]
