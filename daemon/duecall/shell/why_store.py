"""What the store knows of one person's calls, today and at an earlier moment; and all open targets,
page by page. For the commands that explain: reads alone, and claims nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from duecall.core.attempt import Target
from duecall.core.call_events import CallKey
from duecall.core.eligibility import Answered
from duecall.core.gate_types import Horizon, Snapshot
from duecall.core.hindsight import AttemptThen
from duecall.core.outcome import Outcome
from duecall.shell.campaign_store import CampaignStore
from duecall.shell.column_values import TargetState
from duecall.shell.database import Database, chunks, marks
from duecall.shell.former_stops import StopThen
from duecall.shell.past_store import COLUMNS, Known, PastStore
from duecall.shell.stop_store import StopStore, prefixes_of
from duecall.shell.stop_types import NewStop
from duecall.shell.target_store import (
    TARGET_COLUMNS,
    TARGET_JOINS,
    CampaignKey,
    TargetRow,
    TargetStore,
)
from duecall.shell.vault import Vault, VaultError
from fs_scripts.contract import Brief

PAGE = 2_000
STOPS_MAX = 1_000  # of one contact, in the ledger
CALLS_MEASURED = 1_000  # the latest of a campaign, for how long a call takes
STATE = "t.state, t.due_at, t.held_by, t.reason, t.rank"
FOUND = f"""SELECT k.id, k.name, k.trunk, {STATE}, {TARGET_COLUMNS} FROM target t {TARGET_JOINS}
    JOIN campaign k ON k.id = t.campaign_id WHERE t.lender_id = ? AND """
# By the table's own order: `+` keeps SQLite from sorting a whole campaign for each page.
OPEN = f"""SELECT {STATE}, {TARGET_COLUMNS} FROM target t {TARGET_JOINS}
    WHERE +t.campaign_id = ? AND t.id > ? AND t.state <> 'done' ORDER BY t.id LIMIT ?"""
DURATION = """SELECT avg(x.settled_at - x.sent_at) FROM (SELECT settled_at, sent_at FROM attempt
    WHERE campaign_id = ? AND settled_at IS NOT NULL AND sent_at IS NOT NULL
    ORDER BY saved_at DESC LIMIT ?) x"""
ENTRIES = """SELECT at, kind, target_id, attempt_id, body FROM ledger
    WHERE lender_id = ? AND target_id IN ({}) AND at > ? AND at <= ?{}
    ORDER BY at {}, seq {} LIMIT ?"""


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """A target and where it is. due_us: where it waits. held_by: the daemon that has it. rank: None
    before it was ranked."""

    campaign: CampaignKey
    row: TargetRow
    state: TargetState
    due_us: int | None
    held_by: str
    reason: str
    rank: int | None

    def target(self) -> Target:
        """As the gate is asked about it: nothing is made ready to be said."""
        return self.row.as_target(Brief("", ()))


@dataclass(frozen=True, slots=True)
class Entry:
    """One of the ledger (shell/ledger_entries.py has the bodies)."""

    at_us: int
    kind: str
    target_id: int
    attempt_id: str
    body: dict[str, Any]


class WhyStore:
    """Of one lender."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        lender: int,
        targets: TargetStore,
        stops: StopStore,
        known: Known,
    ) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender
        self._targets = targets
        self._past = PastStore(database, lender)
        self._campaigns = CampaignStore(database, lender)
        self._former = stops.former
        self._known = known
        self.unreadable = 0  # targets that could not be unsealed

    # ---- one person

    def by_contract(self, contract_number: str) -> list[OpenTarget]:
        """In all campaigns, by their names; also those that are done with."""
        digest = self._vault.keyed_hash("contract", contract_number)
        return self._find("a.lender_id = ? AND a.contract_hash = ?", [self._lender, digest])

    def by_phone(self, phone: str) -> list[OpenTarget]:
        """The same for all accounts at a number. phone: E.164."""
        return self._find("t.phone_hash = ?", [self._vault.phone_hash(phone)])

    def _find(self, where: str, values: Sequence[Any]) -> list[OpenTarget]:
        sql = f"{FOUND}{where} ORDER BY k.name, t.id"
        rows = self._database.run(sql, (self._lender, *values)).fetchall()
        return [self._read(CampaignKey(*row[:3]), row[3:]) for row in rows]

    def _read(self, campaign: CampaignKey, row: Sequence[Any]) -> OpenTarget:
        """VaultError where it cannot be opened."""
        state, due_us, held_by, reason, rank, *columns = row
        found = self._targets.read_target(campaign.name, columns)
        return OpenTarget(campaign, found, TargetState(state), due_us, held_by, reason, rank)

    def stops_of(self, phone: str, at_us: int | None = None) -> list[StopThen]:
        """All that stops this number as such, and the prefixes it begins with: what the list has
        today, or what held at that moment."""
        keys = [("number", self._vault.phone_hash(phone))]
        keys += [("prefix", prefix) for prefix in prefixes_of(phone)]
        return self._former.of(keys, at_us)

    # ---- as the daemon knows it

    def campaign(self, name: str) -> CampaignKey:
        """NoSuchCampaign where there is none."""
        return self._campaigns.key(name)

    def known(
        self, campaign: CampaignKey, rows: Sequence[TargetRow], horizon: Horizon, now_us: int
    ) -> list[Snapshot]:
        """Calls and stops of each, as a daemon would be given them."""
        return self._known.of(campaign, rows, horizon, now_us)

    def answered(self, campaign: CampaignKey) -> Answered:
        """Its answered and abandoned calls by day."""
        return {day: (live, lost) for day, live, lost in self._past.answered(campaign.id)}

    def open_targets(self, campaign: CampaignKey, page: int = PAGE) -> Iterator[list[OpenTarget]]:
        """All that are not done with, each once; those that cannot be unsealed are counted."""
        last = 0
        while True:
            rows = self._database.run(OPEN, (campaign.id, last, page)).fetchall()
            found = []
            for row in rows:
                try:
                    found.append(self._read(campaign, row))
                except VaultError:
                    self.unreadable += 1
            yield found
            if len(rows) < page:
                return
            last = rows[-1][5]

    def call_s(self, campaign: CampaignKey) -> float | None:
        """How long its calls took of late, in seconds; None where there were none."""
        (us,) = self._database.run(DURATION, (campaign.id, CALLS_MEASURED)).fetchone()
        return None if us is None else float(us) / 1e6

    # ---- at an earlier moment

    def attempts(
        self, keys: Iterable[CallKey], since_us: int, before_us: int
    ) -> dict[CallKey, list[AttemptThen]]:
        """Those saved in [since_us, before_us), by key, as they are today."""
        found: dict[CallKey, list[AttemptThen]] = {}
        for key in keys:
            value: Any = int(key.value) if key.kind == "account" else key.value
            found[key] = self._attempts(f"{COLUMNS[key.kind]} = ?", value, since_us, before_us)
        return found

    def attempts_of(self, target_id: int, before_us: int) -> list[AttemptThen]:
        """All of one target that were saved before."""
        return self._attempts("target_id = ?", target_id, 0, before_us)

    def _attempts(self, where: str, value: Any, since_us: int, before_us: int) -> list[AttemptThen]:
        sql = f"""SELECT saved_at, settled_at, events, channels, outcome FROM attempt
            WHERE lender_id = ? AND {where} AND saved_at >= ? AND saved_at < ? ORDER BY saved_at"""
        rows = self._database.run(sql, (self._lender, value, since_us, before_us)).fetchall()
        return [
            AttemptThen(saved, settled, events, channels, Outcome(outcome) if outcome else None)
            for saved, settled, events, channels, outcome in rows
        ]

    def entries(
        self,
        target_ids: Sequence[int],
        after_us: int,
        to_us: int,
        limit: int,
        *,
        first: bool = False,
    ) -> list[Entry]:
        """Of the ledger, about these targets, at moments in (after_us, to_us]: the last `limit`, or
        the first; in the order of time."""
        found: list[Entry] = []
        for some in chunks(target_ids):
            found += self._entries(some, after_us, to_us, limit, first=first)
        found.sort(key=lambda entry: entry.at_us)
        return found[:limit] if first else found[-limit:]

    def stop_entries(self, found: OpenTarget, after_us: int, to_us: int) -> list[Entry]:
        """Stops that were entered or lifted one by one in (after_us, to_us], of all by which its
        calls may be stopped."""
        keys = [key for _, key in _stop_keys(found.row)]
        named = " OR ".join("body LIKE ?" for _ in keys)
        values = [f'%"key":{json.dumps(key)}%' for key in keys]
        also = f" AND kind = 'stop' AND ({named})"
        entries = self._entries([0], after_us, to_us, STOPS_MAX, also, *values)
        return sorted(entries, key=lambda entry: entry.at_us)

    def _entries(
        self,
        targets: Sequence[int],
        after_us: int,
        to_us: int,
        limit: int,
        also: str = "",
        *values: Any,
        first: bool = False,
    ) -> list[Entry]:
        way = "ASC" if first else "DESC"
        sql = ENTRIES.format(marks(targets), also, way, way)
        given = (self._lender, *targets, after_us, to_us, *values, limit)
        rows = self._database.run(sql, given).fetchall()
        return [
            Entry(at_us, kind, target_id, attempt_id, json.loads(body))
            for at_us, kind, target_id, attempt_id, body in rows
        ]

    def rules_then(self, campaign: str, at_us: int) -> Entry | None:
        """By which rules the campaign was judged from a moment before `at_us` on."""
        also = " AND kind = 'rules' AND body LIKE ?"
        value = f'%"campaign":{json.dumps(campaign)}%'
        found = self._entries([0], -1, at_us, 1, also, value)
        return found[0] if found else None

    def document(self, digest: str) -> str | None:
        """A text that the ledger names."""
        sql = "SELECT text FROM document WHERE lender_id = ? AND digest = ?"
        row = self._database.run(sql, (self._lender, digest)).fetchone()
        return None if row is None else str(row[0])

    def stops_then(self, found: OpenTarget, at_us: int) -> tuple[list[StopThen], list[Entry]]:
        """What stopped its calls at that moment, and what was lifted since of which is not known
        whether it held then: lists' stops, lifted before this was kept."""
        campaign = found.campaign
        keys = _stop_keys(found.row)
        stops = self._former.of(keys, at_us, campaign.id)
        kept = self._former.liftings(keys)
        before = self.stop_entries(found, -1, at_us)
        doubtful = []
        for entry in self.stop_entries(found, at_us, _END_OF_TIME):
            body = entry.body
            known = (body["key"], body["kind"], body["campaign"], entry.at_us) in kept
            if known or not body["lifted"] or body["campaign"] not in ("", campaign.name):
                continue
            # It was lifted by a Duecall that kept none of it but the ledger's entries.
            same = ("key", "kind", "campaign")
            entered = [one for one in before if all(one.body[k] == body[k] for k in same)]
            if not entered:
                doubtful.append(entry)
            elif not entered[-1].body["lifted"]:
                stops.append(_of_ledger(entered[-1], entry))
        stops.sort(key=lambda one: (one.stop.expires_us is not None, one.stop.kind))
        return stops, doubtful


def _of_ledger(entered: Entry, lifted: Entry) -> StopThen:
    body = lifted.body
    named = NewStop(
        body["key_kind"],
        body["key"],
        body["kind"],
        expires_us=body["expires"],
        source=entered.body["source"],
    )
    return StopThen(
        named, body["campaign"], entered.at_us, lifted_us=lifted.at_us, lifted_by=body["source"]
    )


_END_OF_TIME = 2**62


def _stop_keys(row: TargetRow) -> list[tuple[str, str]]:
    """(kind, key) of all by which its calls may be stopped."""
    keys = [
        ("number", row.phone_hash),
        ("contact", row.contact_key),
        ("account", row.account_key),
        *(("prefix", prefix) for prefix in prefixes_of(row.contact.phone)),
    ]
    return [(kind, key) for kind, key in keys if key]
