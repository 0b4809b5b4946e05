"""Stops as they were at an earlier moment. One that is lifted, or made longer, is kept with its
time, and by its hash alone: the number or contract that it named goes at once.

So `duecall why` of a past moment can tell of a stop that held then, whether it came one by one or
with a list of a million, of which the ledger has one entry.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from duecall.core.gate_types import Stop
from duecall.shell.database import Database, chunks, marks
from duecall.shell.stop_types import ALL_CAMPAIGNS, NewStop, scope_of

# Of the same stop, which another is to make longer now; one that is of this very moment never held.
_REPLACED = """INSERT INTO former_stop (lender_id, key_kind, key, campaign_id, kind, expires_at,
    source, at, ended_at) SELECT lender_id, key_kind, key, campaign_id, kind, expires_at, source,
    at, CAST(? AS BIGINT) FROM stop WHERE lender_id = ? AND key_kind = ? AND key IN ({})
    AND campaign_id = ? AND kind = ? AND at < ? AND expires_at IS NOT NULL
    AND expires_at < coalesce(CAST(? AS BIGINT), 9223372036854775807)"""
_LIFT = """DELETE FROM stop WHERE id = ? RETURNING lender_id, key_kind, key, campaign_id, kind,
    expires_at, source, at"""
_LIFTED = """INSERT INTO former_stop (lender_id, key_kind, key, campaign_id, kind, expires_at,
    source, at, ended_at, lifted_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_COLUMNS = "s.key_kind, s.key, s.campaign_id, s.kind, s.expires_at, s.source, s.at, k.name"
_OF = "s LEFT JOIN campaign k ON k.id = s.campaign_id"
_WHERE = "WHERE s.lender_id = ? AND s.key_kind = ? AND s.key = ?"
_SPANS = f"""SELECT {_COLUMNS}, s.ended_at, s.lifted_by FROM former_stop {_OF} {_WHERE}
    UNION ALL SELECT {_COLUMNS}, CAST(NULL AS BIGINT), CAST(NULL AS TEXT) FROM stop {_OF} {_WHERE}
    """
_LIST = """SELECT body FROM ledger WHERE lender_id = ? AND target_id = 0 AND at = ?
    AND kind = 'stops'"""
_FOR_EVER = 1 << 62


@dataclass(frozen=True, slots=True)
class StopThen:
    """A stop as it was at a moment. campaign: its name, empty for all. since_us: from when on it
    held without a break. list_sha256: of the file that it came with; empty where it came singly.
    lifted_us, lifted_by: when it was lifted after that moment, and who said so; else None.
    """

    stop: NewStop
    campaign: str
    since_us: int
    list_sha256: str = ""
    lifted_us: int | None = None
    lifted_by: str | None = None

    @property
    def scope(self) -> str:
        return scope_of(self.stop.key_kind, self.stop.key, self.campaign)

    @property
    def for_gate(self) -> Stop:
        return Stop(self.stop.kind, self.scope, self.stop.expires_us, self.stop.source)


@dataclass(frozen=True, slots=True)
class _Span:
    """A stop as it was for a while. entered_us: when it became like this, after since_us where it
    was only made longer then. ended_us: _FOR_EVER for a row of today."""

    stop: NewStop
    campaign: str
    since_us: int
    entered_us: int
    ended_us: int
    lifted_by: str | None

    def held(self, at_us: int) -> bool:
        expires_us = self.stop.expires_us
        in_time = expires_us is None or expires_us > at_us
        return self.since_us <= at_us < self.ended_us and in_time


class FormerStops:
    """Of one lender. What writes is within the caller's transaction."""

    def __init__(self, database: Database, lender: int) -> None:
        self._database = database
        self._lender = lender

    # ---- as they end

    def replaced(self, stops: Sequence[NewStop], at_us: int) -> None:
        """Before these are written: what they make longer. All alike but for key and clear."""
        first = stops[0]
        for some in chunks([stop.key for stop in stops]):
            whose = (self._lender, first.key_kind, *some, first.campaign_id, first.kind)
            values = (at_us, *whose, at_us, first.expires_us)
            self._database.run(_REPLACED.format(marks(some)), values)

    def lift(self, stop_id: int, lifted_by: str, at_us: int) -> bool:
        """Out of the list of stops. False: another was faster."""
        rows = self._database.run(_LIFT, (stop_id,)).fetchall()
        for row in rows:
            self._database.run(_LIFTED, (*row, at_us, lifted_by))
        return bool(rows)

    def old(self, before_us: int, limit: int) -> list[int]:
        """Ids of some that ended before."""
        sql = "SELECT id FROM former_stop WHERE lender_id = ? AND ended_at < ? LIMIT ?"
        rows = self._database.run(sql, (self._lender, before_us, limit)).fetchall()
        return [row_id for (row_id,) in rows]

    def remove(self, ids: Sequence[int]) -> int:
        """How many were there."""
        removed = 0
        for some in chunks(ids):
            sql = f"DELETE FROM former_stop WHERE id IN ({marks(some)})"
            removed += int(self._database.run(sql, some).rowcount)
        return removed

    # ---- as they were

    def of(
        self, keys: Iterable[tuple[str, str]], at_us: int | None, campaign: int | None = None
    ) -> list[StopThen]:
        """Those that held at `at_us`; None: all rows of today. keys: (key_kind, key). campaign:
        only what holds in it; None: in any."""
        found = []
        for key in keys:
            for spans in self._spans(*key):
                campaign_id = spans[0].stop.campaign_id
                if campaign is None or campaign_id in (ALL_CAMPAIGNS, campaign):
                    found += [self._then(span, at_us) for span in _at(spans, at_us)]
        return found

    def liftings(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str, str, int]]:
        """(key, kind, campaign's name, when) of each lifting that is kept."""
        return {
            (span.stop.key, span.stop.kind, span.campaign, span.ended_us)
            for key in keys
            for spans in self._spans(*key)
            for span in spans
            if span.lifted_by is not None
        }

    def _spans(self, key_kind: str, key: str) -> list[list[_Span]]:
        """By campaign and kind, each in the order of their ends."""
        whose = (self._lender, key_kind, key)
        rows = self._database.run(_SPANS, (*whose, *whose)).fetchall()
        found: dict[tuple[int, str], list[_Span]] = {}
        for row in sorted(rows, key=lambda row: _FOR_EVER if row[8] is None else row[8]):
            of_kind, named, campaign_id, kind, expires_us, source, since, name, ended, by = row
            spans = found.setdefault((campaign_id, kind), [])
            entered = max(since, spans[-1].ended_us) if spans else since
            stop = NewStop(of_kind, named, kind, "", campaign_id, expires_us, source)
            ended_us = _FOR_EVER if ended is None else ended
            spans.append(_Span(stop, name or "", since, entered, ended_us, by))
        return list(found.values())

    def _then(self, span: _Span, at_us: int | None) -> StopThen:
        entered = span.entered_us
        row = self._database.run(_LIST, (self._lender, entered)).fetchone()
        sha256 = str(json.loads(row[0])["file_sha256"]) if row else ""
        lifted = None if span.lifted_by is None else span.ended_us
        return StopThen(span.stop, span.campaign, span.since_us, sha256, lifted, span.lifted_by)


def _at(spans: Sequence[_Span], at_us: int | None) -> Sequence[_Span]:
    """At most one of the same stop: of two that overlap, the one that ended first held then."""
    if at_us is None:
        return [span for span in spans if span.ended_us == _FOR_EVER]
    return [span for span in spans if span.held(at_us)][:1]
