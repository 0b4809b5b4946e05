"""Stops: who must not be called, by number, contact, account or prefix, in one campaign or in all,
for ever or until a moment.

The gate asks for them twice: with the targets that are claimed, and after the commit of an attempt.
The commit itself refuses what is stopped by then (attempt_store.py). A number that is stopped for
ever in all campaigns has its targets done with at once, so that nobody ever looks at them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from duecall.core.gate_types import Stop
from duecall.shell.campaign_store import CONTACTS
from duecall.shell.column_values import to_us
from duecall.shell.database import Database, chunks, marks
from duecall.shell.former_stops import FormerStops
from duecall.shell.ledger import Ledger
from duecall.shell.stop_types import ALL_CAMPAIGNS, KeyKind, NewStop, StoredStop, scope_of
from duecall.shell.target_store import TargetStore
from duecall.shell.vault import Vault, VaultError

NUMBER = "number"  # kind of news: a number that is never called again
STOPS = "stops"  # kind of news: stops were entered or lifted, of any kind and many at once
PREFIX_DIGITS = 9  # a longer one names a person, and would stand there in clear
OPTED_OUT = "opted_out"
FORGOTTEN = "forgotten"  # shell/person_erasing.py
ERASED = "(erased)"  # in place of a number or contract, once its owner is forgotten
NUMBER_STOPPED = "number is on the stop list"  # reason of targets that come in later
STOPPED = "it is on the stop list"  # reasons of an attempt that was not saved
STOPPED_FOR_NOW = "it is on the stop list for now"
PAGE = 20_000

INSERT = """INSERT INTO stop (lender_id, key_kind, key, campaign_id, kind, expires_at, sealed,
    source, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
# Who stops twice is not called until the later of the two; the row tells since when that holds
# without a break, and who made it so long.
LONGER = """ ON CONFLICT (lender_id, key_kind, key, campaign_id, kind) DO UPDATE
    SET expires_at = excluded.expires_at, source = excluded.source,
        at = CASE WHEN stop.expires_at < excluded.at THEN excluded.at ELSE stop.at END
    WHERE stop.expires_at IS NOT NULL
        AND (excluded.expires_at IS NULL OR excluded.expires_at > stop.expires_at)"""
FIND = """SELECT s.key, s.campaign_id, s.kind, s.expires_at, s.source, k.name FROM stop s
    LEFT JOIN campaign k ON k.id = s.campaign_id WHERE s.lender_id = ? AND s.key_kind = ?
    AND s.key IN ({}) AND (s.expires_at IS NULL OR s.expires_at > ?)"""
# Each key by itself, for a look at the index each.
_HOLDS = """SELECT expires_at FROM stop WHERE lender_id = ? AND key_kind = '{}' AND key IN ({})
    AND campaign_id IN (0, ?) AND (expires_at IS NULL OR expires_at > ?)"""
HOLDING = " UNION ALL ".join(_HOLDS.format(kind, "?") for kind in ("number", "contact", "account"))
HOLDING_OR_PREFIX = f"{HOLDING} UNION ALL {_HOLDS.format('prefix', marks('?' * PREFIX_DIGITS))}"
STOPPED_FOR_EVER = """SELECT key, kind FROM stop WHERE lender_id = ? AND key_kind = 'number'
    AND key IN ({}) AND campaign_id = 0 AND expires_at IS NULL ORDER BY id DESC"""
ALL = """SELECT s.id, s.key_kind, s.key, s.campaign_id, s.kind, s.expires_at, s.sealed, s.source,
    s.at, k.name FROM stop s LEFT JOIN campaign k ON k.id = s.campaign_id
    WHERE s.lender_id = ? AND s.id > ?{} ORDER BY s.id LIMIT ?"""


class StopKeys(NamedTuple):
    """All by which one call may be stopped. number: the phone's hash; contact, account: keys of the
    caps; phone: E.164, for the prefixes, empty where it cannot be read; campaign: its id."""

    number: str
    contact: str
    account: str
    phone: str
    campaign: int


class StopStore:
    """Of one lender. All within the caller's transaction; what only reads needs none."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        lender: int,
        targets: TargetStore,
        ledger: Ledger | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender
        self._targets = targets
        self._ledger = ledger
        self.former = FormerStops(database, lender)

    # ---- what the gate asks

    def of(self, asked: Sequence[StopKeys], now_us: int) -> list[tuple[Stop, ...]]:
        """The stops of each that hold at `now_us`, in the order of `asked`; those for ever first.
        A few questions to the database, however many are asked about."""
        found: dict[tuple[str, str], list[tuple[int, Stop]]] = {}
        wanted: dict[KeyKind, dict[str, None]] = {
            "number": dict.fromkeys(one.number for one in asked),
            "contact": dict.fromkeys(one.contact for one in asked),
            "account": dict.fromkeys(one.account for one in asked),
        }
        if self._has_prefixes():
            phones = {one.phone for one in asked}
            wanted["prefix"] = dict.fromkeys(key for phone in phones for key in prefixes_of(phone))
        for key_kind, keys in wanted.items():
            for some in chunks([key for key in keys if key]):
                sql = FIND.format(marks(some))
                rows = self._database.run(sql, (self._lender, key_kind, *some, now_us)).fetchall()
                for key, campaign_id, kind, expires_at, source, name in rows:
                    stop = Stop(kind, scope_of(key_kind, key, name), expires_at, source)
                    found.setdefault((key_kind, key), []).append((campaign_id, stop))
        return [_theirs(one, found) for one in asked] if found else [()] * len(asked)

    def _has_prefixes(self) -> bool:
        sql = "SELECT 1 FROM stop WHERE lender_id = ? AND key_kind = 'prefix' LIMIT 1"
        return self._database.run(sql, (self._lender,)).fetchone() is not None

    def holding(self, call: StopKeys, at_us: int) -> bool | None:
        """None: nothing stops this call at that moment. True: something does for ever, False: for
        a while."""
        sql, asked = HOLDING, [[call.number], [call.contact], [call.account]]
        if self._has_prefixes():
            prefixes = prefixes_of(call.phone)
            asked.append(prefixes + [""] * (PREFIX_DIGITS - len(prefixes)))
            sql = HOLDING_OR_PREFIX
        values: list[Any] = []
        for keys in asked:
            values += (self._lender, *keys, call.campaign, at_us)
        rows = self._database.run(sql, values).fetchall()
        return any(expires_at is None for (expires_at,) in rows) if rows else None

    def stopped_for_ever(self, numbers: Sequence[str]) -> dict[str, str]:
        """Of these hashes, those that are never called in any campaign, each with the kind of its
        oldest stop."""
        found: dict[str, str] = {}
        for some in chunks(numbers):
            sql = STOPPED_FOR_EVER.format(marks(some))
            found.update(self._database.run(sql, (self._lender, *some)).fetchall())
        return found

    def any(self) -> bool:
        """Whether there are any."""
        sql = "SELECT 1 FROM stop WHERE lender_id = ? LIMIT 1"
        return self._database.run(sql, (self._lender,)).fetchone() is not None

    def count(self) -> int:
        sql = "SELECT count(*) FROM stop WHERE lender_id = ?"
        return int(self._database.run(sql, (self._lender,)).fetchone()[0])

    # ---- entering and lifting

    def add(self, stop: NewStop, at_us: int, attempt_id: str = "") -> bool:
        """False: it was stopped before, as long or longer. attempt_id: the call that led to it."""
        sealed = self.seal(stop)
        values = (stop.key_kind, stop.key, stop.campaign_id, stop.kind, stop.expires_us, sealed)
        self.former.replaced([stop], at_us)
        cursor = self._database.run(INSERT + LONGER, (self._lender, *values, stop.source, at_us))
        self.end_targets([stop])
        if cursor.rowcount != 1:
            return False
        if stop.ends_targets:
            self._database.tell(self._lender, NUMBER, stop.key)
        else:
            self._database.tell(self._lender, STOPS, "")
        self._note(stop, at_us, attempt_id=attempt_id)
        return True

    def stop_number(
        self, phone: str, phone_hash: str, kind: str, source: str, at: datetime
    ) -> bool:
        """Never again to this number, by any campaign. source: may be an attempt's id."""
        stop = NewStop("number", phone_hash, kind, phone, source=source)
        return self.add(stop, to_us(at), source if kind == OPTED_OUT else "")

    def end_targets(self, stops: Sequence[NewStop]) -> None:
        """Done with at once, where nobody has to look at them ever again. All of one kind."""
        numbers = [stop.key for stop in stops if stop.ends_targets]
        if numbers:
            self._targets.stop_numbers(numbers, stops[0].kind)

    def seal(self, stop: NewStop) -> bytes:
        """What `sealed` holds of it."""
        return self._vault.seal(stop.clear.encode(), f"stop:{stop.key}") if stop.clear else b""

    def lift(self, stored: StoredStop, source: str, at_us: int) -> bool:
        """It may be called again, as far as this stop goes: targets that only it kept back are open
        again. source: who says so. False: another was faster."""
        if not self.former.lift(stored.id, source, at_us):
            return False
        self.open_targets([stored.stop], stored.campaign)
        self._database.tell(self._lender, STOPS, "")
        self._note(stored.stop, at_us, lifted_by=source)
        return True

    def _note(
        self, stop: NewStop, at_us: int, *, attempt_id: str = "", lifted_by: str | None = None
    ) -> None:
        if self._ledger is None:
            return
        body = {
            "key_kind": stop.key_kind,
            "key": stop.key,
            "campaign": self._campaign_name(stop.campaign_id),
            "kind": stop.kind,
            "expires": stop.expires_us,
            "source": stop.source if lifted_by is None else lifted_by,
            "lifted": lifted_by is not None,
        }
        self._ledger.add("stop", body, at_us, attempt_id=attempt_id)

    def _campaign_name(self, campaign_id: int) -> str:
        if campaign_id == ALL_CAMPAIGNS:
            return ""
        sql = "SELECT name FROM campaign WHERE id = ?"
        return str(self._database.run(sql, (campaign_id,)).fetchone()[0])

    def open_targets(self, stops: Sequence[NewStop], campaign: str) -> int:
        """Targets that were kept back by these lifted stops, all of one kind and scope, are open
        again, for the gate to judge. How many. campaign: the name of theirs, empty for all."""
        first = stops[0]
        opened = 0
        for some in chunks(stops):
            keys = [stop.key for stop in some]
            if first.key_kind == "number":
                opened += self._open(first, "t.phone_hash IN", keys, campaign)
            elif first.key_kind == "account":
                opened += self._open(first, "t.account_id IN", [int(key) for key in keys], campaign)
            elif first.key_kind == "contact":
                whose = """t.account_id IN (SELECT a.id FROM account a JOIN contact c
                    ON c.id = a.contact_id WHERE c.lender_id = t.lender_id AND c.contact_key IN"""
                opened += self._open(first, whose, keys, campaign, end=")")
            else:
                opened += self._open(first, "'' IN", [""], campaign)
            if first.ends_targets:
                for number, kind in self.stopped_for_ever(keys).items():  # by another stop
                    self._targets.stop_numbers([number], kind)
        return opened

    def _open(
        self, stop: NewStop, whose: str, keys: Sequence[Any], campaign: str, end: str = ""
    ) -> int:
        """Those of the keys whose reason is this kind of stop: the gate's words, or the kind alone
        where the number's targets were done with at once; and those refused without a word of it.
        """
        scope = scope_of(stop.key_kind, stop.key, campaign)
        said = f"stopped for {scope}: {stop.kind} ("
        reasons = "substr(t.reason, 1, ?) = ? OR t.reason IN (?, ?)"
        refused = (STOPPED, STOPPED_FOR_NOW)  # as an attempt of it was saved
        values: list[Any] = [self._lender, *keys, len(said), said, *refused]
        if stop.ends_targets:
            at_once = "t.state = 'done' AND t.reason IN (?, ?) AND t.last_outcome <> t.reason"
            reasons = f"{reasons} OR ({at_once})"
            values += (stop.kind, NUMBER_STOPPED)
        only = ""
        if stop.campaign_id != ALL_CAMPAIGNS:
            only = "AND t.campaign_id = ?"
            values.append(stop.campaign_id)
        sql = f"""SELECT t.id, t.campaign_id, t.state, t.reason, t.rank, t.due_at FROM target t
            WHERE t.lender_id = ? AND {whose} ({marks(keys)}){end}
            AND t.state IN ('done', 'waiting') AND ({reasons}) {only} ORDER BY t.id"""
        rows = self._database.run(sql + self._database.keeping, values).fetchall()
        for campaign_id in {row[1] for row in rows}:
            self._database.tell(self._lender, CONTACTS, self._campaign_name(campaign_id))
        return self._targets.open_stopped(rows)

    # ---- the list

    def all(self, where: str = "", values: Sequence[Any] = ()) -> Iterator[StoredStop]:
        """In the order in which they were entered; VaultError where one cannot be opened."""
        last = 0
        sql = ALL.format(f" AND {where}" if where else "")
        while True:
            page = self._database.run(sql, (self._lender, last, *values, PAGE)).fetchall()
            for row in page:
                yield self._stored(row)
            if len(page) < PAGE:
                return
            last = page[-1][0]

    def _stored(self, row: Sequence[Any]) -> StoredStop:
        row_id, key_kind, key, campaign_id, kind, expires_at, sealed, source, at_us, name = row
        clear = self._open_sealed(bytes(sealed), key) if sealed else ""
        stop = NewStop(key_kind, key, kind, clear, campaign_id, expires_at, source)
        shown = clear or (key if key_kind == "prefix" else ERASED)
        return StoredStop(row_id, stop, name or "", shown, at_us)

    def _open_sealed(self, sealed: bytes, key: str) -> str:
        try:
            return self._vault.open(sealed, f"stop:{key}").decode()
        except VaultError:  # of before there were stops of other kinds than numbers
            return self._vault.open(sealed, f"suppression:{key}").decode()


def prefixes_of(phone: str) -> list[str]:
    """ "+84901…" -> "+8", "+84", … up to PREFIX_DIGITS; none of an empty one."""
    return [phone[:length] for length in range(2, min(len(phone), PREFIX_DIGITS + 1) + 1)]


def _theirs(
    asked: StopKeys, found: dict[tuple[str, str], list[tuple[int, Stop]]]
) -> tuple[Stop, ...]:
    keys: Iterable[tuple[str, str]] = (
        ("number", asked.number),
        ("contact", asked.contact),
        ("account", asked.account),
        *(("prefix", prefix) for prefix in prefixes_of(asked.phone)),
    )
    stops = [
        stop
        for key in keys
        for campaign_id, stop in found.get(key, ())
        if campaign_id in (ALL_CAMPAIGNS, asked.campaign)
    ]
    return tuple(sorted(stops, key=lambda stop: (stop.expires_us is not None, stop.kind)))
