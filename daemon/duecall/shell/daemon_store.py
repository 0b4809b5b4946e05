"""Daemons that share one database: who lives, what the dead have left, what all must hear of.

A daemon has a row with a lease, which it renews every few seconds and with every batch. The clock
is the database's: those of the machines may differ. On SQLite there is one daemon and no lease.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from duecall.core.attempt import Attempt, Stage
from duecall.shell.attempt_store import AttemptStore
from duecall.shell.column_values import MICROSECOND
from duecall.shell.database import Database, StoreError, chunks, marks
from duecall.shell.life import Life
from duecall.shell.target_store import TargetStore
from duecall.shell.vault import Vault

LEASE_S = 15.0
RENEW_S = 3.0
# An attempt of a daemon that is gone may still ring or talk in that daemon's switch.
LONGEST_S = 2 * 3600.0  # of a campaign that nobody knows any more
LONGEST_TALK_S = 4 * 3600.0  # with an agent: nobody ends it
SHARDS = 30_000
NEWS_KEPT = 10_000
NEWS_PAGE = 1_000

FIND = "SELECT id, life, lease_until FROM daemon WHERE lender_id = ? AND name = ?"
# Those whose lease is over, and names without a row, which are of before there were leases.
GONE = """SELECT name FROM daemon WHERE lender_id = ? AND lease_until < ?
    UNION SELECT daemon FROM attempt x WHERE x.lender_id = ? AND x.settled_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM daemon d WHERE d.lender_id = x.lender_id
            AND d.name = x.daemon)
    UNION SELECT held_by FROM target t WHERE t.campaign_id IN (SELECT id FROM campaign
        WHERE lender_id = ?) AND t.state = 'held' AND NOT EXISTS (SELECT 1 FROM daemon d
            WHERE d.lender_id = ? AND d.name = t.held_by)"""
LEFT = """SELECT x.id, x.stage, x.saved_at, k.name FROM attempt x
    JOIN campaign k ON k.id = x.campaign_id
    WHERE x.lender_id = ? AND x.settled_at IS NULL AND x.daemon = ?"""


class DaemonTwice(StoreError):
    """Another daemon lives under this one's name."""


@dataclass(frozen=True, slots=True)
class News:
    """seq: all up to this one is known now. numbers: hashes that are never called again. campaigns:
    changed or started, paused, …; contacts: of these were imported. stops: were entered or lifted.
    missed: there was more than is kept, so that everything has to be looked at."""

    seq: int
    numbers: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    stops: bool = False
    missed: bool = False


@dataclass(slots=True)
class TakenOver:
    """What daemons that are gone have left. targets: how many are ready again."""

    daemons: list[str] = field(default_factory=list)
    targets: int = 0
    attempts: list[tuple[Attempt, Stage]] = field(default_factory=list)


class DaemonStore:
    """For one daemon of one lender."""

    def __init__(
        self,
        database: Database,
        targets: TargetStore,
        attempts: AttemptStore,
        lender: int,
        daemon: str,
        vault: Vault,
    ) -> None:
        self._database = database
        self._vault = vault
        self._targets = targets
        self._attempts = attempts
        self._lender = lender
        self._daemon = daemon
        self._row: int | None = None
        self._life = ""

    @property
    def joined(self) -> bool:
        return self._row is not None

    # ---- the lease; each within the caller's transaction

    def join(self, life: Life) -> None:
        """From now on this is the daemon of its name. DaemonTwice where another one is."""
        self._forget_old_news()
        if not self._database.shared:
            return
        self._database.alone("duecall daemons")
        now_us = self._database.now_us()
        until = now_us + to_microseconds(LEASE_S)
        found = self._database.run(FIND, (self._lender, self._daemon)).fetchone()
        if found is None:
            sql = """INSERT INTO daemon (lender_id, name, life, lease_until, seal_keys)
                VALUES (?, ?, ?, ?, ?) RETURNING id"""
            values = (self._lender, self._daemon, str(life), until, self._seal_keys)
            (self._row,) = self._database.run(sql, values).fetchall()[0]
        else:
            row, other, lease_until = found
            former = Life.parse(other)
            if lease_until > now_us and former is not None and not former.is_known_dead():
                raise DaemonTwice(
                    f"{self._database.name}: another daemon of the name {self._daemon} lives on "
                    f"{former.host} (process {former.pid}). If this installation is a copy of that "
                    "one, remove daemon.id from its folder `var` and start again; if that one is "
                    f"gone, start again in {(lease_until - now_us) / 1e6:.0f} s"
                )
            sql = """UPDATE daemon SET life = ?, lease_until = ?, batch = 0, seal_keys = ?
                WHERE id = ?"""
            self._database.run(sql, (str(life), until, self._seal_keys, row))
            self._row = row
        self._life = str(life)
        assert self._row is not None
        self._database.shard = 1 + (self._row - 1) % SHARDS

    def renew(self) -> None:
        """StoreError where another run of this daemon has begun."""
        if self._row is not None:
            sql = "UPDATE daemon SET lease_until = ?, seal_keys = ? WHERE id = ? AND life = ?"
            until = self._database.now_us() + to_microseconds(LEASE_S)
            values = (until, self._seal_keys, self._row, self._life)
            self._own(self._database.run(sql, values).rowcount)

    @property
    def _seal_keys(self) -> str:
        return " ".join(self._vault.key_ids)

    def leave(self) -> None:
        """It ends in order: nobody has to wait for its lease."""
        if self._row is not None:
            sql = "UPDATE daemon SET life = '', lease_until = 0 WHERE id = ? AND life = ?"
            self._database.run(sql, (self._row, self._life))
            self._row = None

    def mark(self, batch: int) -> None:
        """This transaction carries out the batch of that number; the lease is renewed with it."""
        if self._row is not None:
            sql = f"""UPDATE daemon SET batch = ?, lease_until = {self._database.now_sql} + ?
                WHERE id = ? AND life = ?"""
            values = (batch, to_microseconds(LEASE_S), self._row, self._life)
            self._own(self._database.run(sql, values).rowcount)

    def last_batch(self) -> int:
        """That was committed. Waits for one that the server is still busy with."""
        sql = "SELECT batch FROM daemon WHERE id = ?" + self._database.keeping
        return int(self._database.run(sql, (self._row,)).fetchone()[0])

    def _own(self, rows: int) -> None:
        if rows != 1:
            raise StoreError(
                f"{self._database.name}: another daemon has taken the name {self._daemon}; this "
                "one writes nothing any more, and has to be ended"
            )

    # ---- what others have left

    def take_over(self, longest_s: Mapping[str, float]) -> TakenOver:
        """Of daemons that are gone: their held targets are ready again; their open attempts become
        ours once they cannot be live any more. longest_s: campaign -> of a call, all in all."""
        done = TakenOver()
        shared = self._database.shared
        now_us = self._database.now_us() if shared else 0
        values = (self._lender, now_us, self._lender, self._lender, self._lender)
        names = {row[0] for row in self._database.run(GONE, values).fetchall()}
        for name in sorted(names - {self._daemon}):
            if shared and not self._is_ours_to_judge(name):
                continue
            left = self._database.run(LEFT, (self._lender, name)).fetchall()
            ids = [
                attempt
                for attempt, stage, saved_at, campaign in left
                if not shared or _over_us(stage, saved_at, longest_s.get(campaign)) < now_us
            ]
            targets = self._targets.give_back(name)
            if targets or ids:
                done.daemons.append(name)
            done.targets += targets
            for some in chunks(ids):
                sql = f"""UPDATE attempt SET daemon = ? WHERE id IN ({marks(some)})
                    AND settled_at IS NULL AND daemon = ? RETURNING id"""
                mine = self._database.run(sql, (self._daemon, *some, name)).fetchall()
                done.attempts += self._attempts.open_attempts([row[0] for row in mine])
        return done

    def _is_ours_to_judge(self, name: str) -> bool:
        """One daemon at a time; and not while it writes: then it lives after all."""
        sql = "SELECT t.lease_until < ? FROM daemon t WHERE t.lender_id = ? AND t.name = ?"
        values = (self._database.now_us(), self._lender, name)
        found = self._database.run(sql + self._database.claiming, values).fetchone()
        if found is not None:
            return bool(found[0])
        known = self._database.run(FIND, (self._lender, name)).fetchone()
        return known is None

    # ---- the news

    def news_seq(self) -> int:
        sql = "SELECT news_seq FROM lender WHERE id = ?"
        return int(self._database.run(sql, (self._lender,)).fetchone()[0])

    def news(self, since: int) -> News:
        """What was written behind `since`; a page of it, where it is much."""
        sql = """SELECT seq, kind, name FROM news WHERE lender_id = ? AND seq > ?
            ORDER BY seq LIMIT ?"""
        rows = self._database.run(sql, (self._lender, since, NEWS_PAGE)).fetchall()
        if not rows:
            return News(since)
        return News(
            seq=rows[-1][0],
            numbers=_named("number", rows),
            campaigns=_named("campaign", rows),
            contacts=_named("contacts", rows),
            stops=bool(_named("stops", rows)),
            missed=rows[0][0] != since + 1,
        )

    def _forget_old_news(self) -> None:
        last = self.news_seq() - NEWS_KEPT
        if last > 0:
            sql = "DELETE FROM news WHERE lender_id = ? AND seq <= ?"
            self._database.run(sql, (self._lender, last))


def to_microseconds(seconds: float) -> int:
    return timedelta(seconds=seconds) // MICROSECOND


def _over_us(stage: int, saved_at: int, longest_s: float | None) -> int:
    """By then it cannot be live any more, whatever became of its daemon."""
    longest_s = LONGEST_S if longest_s is None else longest_s
    if stage >= Stage.WAITING:  # an agent may have come in the last moment that was written down
        longest_s += LONGEST_TALK_S
    return saved_at + to_microseconds(longest_s)


def _named(kind: str, rows: Sequence[tuple[int, str, str]]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(name for _, found, name in rows if found == kind))
