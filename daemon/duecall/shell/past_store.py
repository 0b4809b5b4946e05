"""What was done before about those who are to be called: past calls by key, and answered calls by
day, as the caps and bounds of the gate need them.

A key's past is a range of one index that answers alone (migrations, V3): its cost does not depend
on how many attempts there are. Those of many targets are read with one question a kind of key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from duecall.core.attempt import Attempt, Target
from duecall.core.call_events import CallKey, PastCall
from duecall.core.gate_types import Horizon, Snapshot
from duecall.core.proposal import keys_of
from duecall.core.rule_pack import KeyKind
from duecall.shell.attempt_store import ABANDONED, ANSWERED
from duecall.shell.campaign_store import CampaignStore
from duecall.shell.column_values import to_us
from duecall.shell.database import Database, chunks, marks
from duecall.shell.stop_store import StopKeys, StopStore
from duecall.shell.target_store import CampaignKey, TargetRow

COLUMNS: dict[KeyKind, str] = {
    "number": "phone_hash",
    "contact": "contact_key",
    "account": "account_id",
}
EXPIRED_US = 86_400_000_000  # stops that expired so shortly ago are told as well
DAYS_TOLD = 3  # after a commit: those that other daemons' calls may have changed since the claim
DAYS_MAX = 800  # rows of the tally: a year of days, twice


class PastStore:
    """Of one lender. Reads what is committed, or written within the caller's transaction."""

    def __init__(self, database: Database, lender: int) -> None:
        self._database = database
        self._lender = lender

    def calls(
        self, keys: Iterable[CallKey], horizon: Horizon, now_us: int
    ) -> dict[CallKey, tuple[PastCall, ...]]:
        """All calls of these keys within the horizon, by key; a kind that no rule counts by is left
        out. Calls that go on end now, for nobody knows when they will."""
        wanted: dict[KeyKind, dict[Any, CallKey]] = {}
        for key in keys:
            if getattr(horizon, key.kind) is not None:
                value: Any = int(key.value) if key.kind == "account" else key.value
                wanted.setdefault(key.kind, {})[value] = key
        found: dict[CallKey, list[PastCall]] = {}
        for kind, values in wanted.items():
            found.update((key, []) for key in values.values())
            since = getattr(horizon, kind)
            for value, saved, settled, events, channels in self._rows(kind, list(values), since):
                # A clock that was put back may have settled it before it was saved.
                ended = max(saved, now_us if settled is None else settled)
                found[values[value]].append(PastCall(saved, ended, events, channels))
        return {key: tuple(calls) for key, calls in found.items()}

    def _rows(self, kind: KeyKind, values: Sequence[Any], since_us: int) -> Iterable[Sequence[Any]]:
        column = COLUMNS[kind]
        for some in chunks(values):
            sql = f"""SELECT {column}, saved_at, settled_at, events, channels FROM attempt
                WHERE lender_id = ? AND {column} IN ({marks(some)}) AND saved_at >= ?"""
            yield from self._database.run(sql, (self._lender, *some, since_us)).fetchall()

    def answered(self, campaign_id: int) -> tuple[tuple[date, int, int], ...]:
        """(day where the lender is, answered calls, abandoned ones), the latest days."""
        sql = """SELECT name, kind, sum(n) FROM tally WHERE campaign_id = ? AND kind IN (?, ?)
            GROUP BY name, kind ORDER BY name DESC LIMIT ?"""
        days: dict[str, tuple[int, int]] = {}
        rows = self._database.run(sql, (campaign_id, ANSWERED, ABANDONED, DAYS_MAX)).fetchall()
        for name, kind, n in rows:
            live, lost = days.get(name, (0, 0))
            days[name] = (live, int(n)) if kind == ABANDONED else (int(n), lost)
        return tuple(
            (date.fromisoformat(day), live, lost) for day, (live, lost) in sorted(days.items())
        )


def without(calls: Iterable[PastCall], saved_us: int, read_us: int) -> tuple[PastCall, ...]:
    """The same without one open call that was saved then: the one that is asked about."""
    left = list(calls)
    for place, call in enumerate(left):
        if call.at_us == saved_us and call.ended_us == max(saved_us, read_us):
            del left[place]
            break
    return tuple(left)


class Known:
    """Snapshots for the gate: calls and stops of those who are to be called."""

    def __init__(self, past: PastStore, stops: StopStore, campaigns: CampaignStore) -> None:
        self._past = past
        self._stops = stops
        self._campaigns = campaigns

    def of(
        self,
        campaign: CampaignKey,
        targets: Sequence[Target | TargetRow],
        horizon: Horizon,
        now_us: int,
    ) -> list[Snapshot]:
        """One for each of the campaign's targets, in order."""
        keys = [keys_of(target) for target in targets]
        calls = self._past.calls({key for some in keys for key in some}, horizon, now_us)
        asked = [
            StopKeys(
                number=target.phone_hash,
                contact=target.contact_key,
                account=target.account_key,
                phone=target.contact.phone,
                campaign=campaign.id,
            )
            for target in targets
        ]
        # The gate judges whether they have expired; a clock may be put back until it does.
        stops = self._stops.of(asked, now_us - EXPIRED_US)
        return [
            Snapshot({key: calls[key] for key in mine if key in calls}, theirs, now_us)
            for mine, theirs in zip(keys, stops, strict=True)
        ]

    def after_commit(
        self, attempts: Sequence[tuple[Attempt, Horizon]], now_us: int
    ) -> dict[str, Snapshot]:
        """attempt id -> the past of its keys, without itself."""
        found: dict[str, Snapshot] = {}
        groups: dict[tuple[str, Horizon], list[Attempt]] = {}
        for attempt, horizon in attempts:
            groups.setdefault((attempt.target.campaign, horizon), []).append(attempt)
        for (name, horizon), some in groups.items():
            targets = [attempt.target for attempt in some]
            campaign = self._campaigns.key(name)
            snapshots = self.of(campaign, targets, horizon, now_us)
            answered = self._past.answered(campaign.id) if horizon.answered else ()
            for attempt, snapshot in zip(some, snapshots, strict=True):
                saved_us = to_us(attempt.at)
                calls = {
                    key: without(past, saved_us, now_us) for key, past in snapshot.calls.items()
                }
                latest = answered[-DAYS_TOLD:]
                found[attempt.id] = Snapshot(calls, snapshot.stops, now_us, latest)
        return found
