"""The stop list, for people and files: stops of what is named in clear, one by one or a million.

Made to run beside a daemon, as an import of contacts is: hashes and seals are made before the write
lock is taken, and it is held for a few milliseconds at a time.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Literal, NamedTuple

from duecall.shell.campaign_store import CampaignStore, NoSuchCampaign
from duecall.shell.column_values import to_us
from duecall.shell.database import Database, chunks, marks
from duecall.shell.import_contacts import BREATH_S
from duecall.shell.ledger import Ledger
from duecall.shell.stop_store import LONGER, PREFIX_DIGITS, STOPS, StopStore
from duecall.shell.stop_types import ALL_CAMPAIGNS, KeyKind, NewStop, StoredStop
from duecall.shell.vault import Vault, VaultError

What = Literal["number", "prefix", "contract", "person"]
KEY_KINDS: dict[What, KeyKind] = {
    "number": "number",
    "prefix": "prefix",
    "contract": "account",
    "person": "contact",
}
WHATS: dict[KeyKind, What] = {kind: what for what, kind in KEY_KINDS.items()}
BLOCK = 250_000  # in memory at once: sorted, for neighbours in the index are written together
BATCH = 2_000  # in one statement and transaction
_PREFIX = re.compile(rf"\+[1-9][0-9]{{0,{PREFIX_DIGITS - 1}}}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")

# What they have in common stands once.
INSERT_MANY = (
    """INSERT INTO stop (lender_id, key_kind, key, campaign_id, kind, expires_at, sealed,
    source, at) SELECT CAST(? AS BIGINT), ?, v.column1, CAST(? AS BIGINT), ?, CAST(? AS BIGINT),
    v.column2, ?, CAST(? AS BIGINT) FROM {} WHERE 1 = 1"""
    + LONGER
)
# Which are there, and whether for as long or longer.
KNOWN = """SELECT key, expires_at IS NULL
    OR expires_at >= coalesce(CAST(? AS BIGINT), 9223372036854775807) FROM stop
    WHERE lender_id = ? AND key_kind = ? AND key IN ({}) AND campaign_id = ? AND kind = ?"""


class StopError(ValueError):
    """problem and remedy; neither repeats a phone number."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class Named(NamedTuple):
    """A stop in people's words. value: E.164, a prefix with its plus, or a contract number, of the
    person's where `what` is person. campaign: empty for all. until_us: None is never. line: of a
    file; 0 where there is none."""

    what: What
    value: str
    kind: str
    campaign: str = ""
    until_us: int | None = None
    source: str = ""
    line: int = 0


@dataclass(slots=True)
class StopCounts:
    """added: not stopped before, or not for so long. faults: (line, why) of those refused."""

    added: int = 0
    known: int = 0
    lifted: int = 0
    faults: list[tuple[int, StopError]] = field(default_factory=list)


class StopList:
    """Of one lender. Each method that writes is one transaction, but for `take_in`."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        lender: int,
        stops: StopStore,
        campaigns: CampaignStore,
        ledger: Ledger,
    ) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender
        self._stops = stops
        self._campaigns = campaigns
        self._ledger = ledger

    # ---- one

    def add(self, named: Named, at: datetime) -> bool:
        """False: it was stopped before, as long or longer. StopError where it cannot be."""
        stop = self._stop(named)

        def write() -> bool:
            with self._database.writing():
                return self._stops.add(stop, to_us(at))

        return self._database.repeated(write)

    def number_of(self, attempt_id: str) -> str:
        """E.164, of the callee of this attempt. StopError where there is none."""
        sql = "SELECT sealed FROM attempt WHERE id = ? AND lender_id = ?"
        found = self._database.run(sql, (attempt_id, self._lender)).fetchone()
        if found is None:
            raise StopError("there is no attempt of this id", "name the number itself")
        try:
            return self._vault.open(bytes(found[0]), f"attempt:{attempt_id}").decode()
        except VaultError:
            remedy = "its contact may have been forgotten; name the number itself"
            raise StopError("the number of this attempt cannot be read", remedy) from None

    def find(self, named: Named) -> list[StoredStop]:
        """Those of what is named, of that campaign; of every kind where `kind` is empty."""
        wanted = self._stop(named._replace(kind=named.kind or "any"))
        where = "s.key_kind = ? AND s.campaign_id = ?"
        values: list[object] = [wanted.key_kind, wanted.campaign_id]
        if named.kind:
            where += " AND s.kind = ?"
            values.append(named.kind)
        if named.what != "person":
            where += " AND s.key = ?"
            values.append(wanted.key)
            return list(self._stops.all(where, values))
        # A person whose data have changed may be stopped under an earlier key as well.
        mine = (wanted.key, named.value)
        return [s for s in self._stops.all(where, values) if s.stop.key in mine or s.clear in mine]

    def lift(self, stops: Sequence[StoredStop], source: str, at: datetime) -> int:
        """Targets that only these kept back are open again. source: who says so. How many stops."""

        def write() -> int:
            with self._database.writing():
                return sum(self._stops.lift(stop, source, to_us(at)) for stop in stops)

        return self._database.repeated(write)

    def all(self, kind: str = "", campaign: str | None = None) -> Iterator[StoredStop]:
        """In the order in which they were entered. campaign: only those of it, not of all."""
        where, values = ["1 = 1"], list[object]()
        if kind:
            where.append("s.kind = ?")
            values.append(kind)
        if campaign:
            where.append("s.campaign_id = ?")
            values.append(self._campaign_id(campaign))
        return self._stops.all(" AND ".join(where), values)

    def count(self) -> int:
        """How many stops there are."""
        return self._stops.count()

    # ---- many

    def take_in(
        self, rows: Iterable[Named], at: datetime, *, kind: str = "", sha256: str = ""
    ) -> StopCounts:
        """Any number of stops, in short transactions; what is cut off is done again. The same ones
        twice change nothing. Those that cannot be are told and passed over.

        kind, sha256: of the file, for the ledger, which tells of all of them in one entry.
        """
        counts = StopCounts()
        rows = iter(rows)
        try:
            while block := list(islice(rows, BLOCK)):
                self._take_block(block, to_us(at), counts)
        finally:
            if counts.added:
                self._tell(counts, to_us(at), kind, sha256)
        return counts

    def _tell(self, counts: StopCounts, at_us: int, kind: str, sha256: str) -> None:
        body = {
            "file_sha256": sha256,
            "kind": kind,
            "added": counts.added,
            "known": counts.known,
            "refused": len(counts.faults),
            "lifted": counts.lifted,
        }

        def write() -> None:
            with self._database.writing():
                self._ledger.add("stops", body, at_us)
                self._database.tell(self._lender, STOPS, "")

        self._database.repeated(write)

    def _take_block(self, block: Sequence[Named], at_us: int, counts: StopCounts) -> None:
        accounts = self._accounts(block)
        campaigns: dict[str, int | StopError] = {}
        groups: dict[tuple[object, ...], dict[str, NewStop]] = {}
        for named in block:
            try:
                stop = self._stop_of(named, accounts, campaigns)
            except StopError as error:
                counts.faults.append((named.line, error))
                continue
            shared = (stop.key_kind, stop.campaign_id, stop.kind, stop.expires_us, stop.source)
            if groups.setdefault(shared, {}).setdefault(stop.key, stop) is not stop:
                counts.known += 1
        before, fresh = counts.added, not self._stops.any()
        for stops in groups.values():
            for keys in chunks(sorted(stops), BATCH):
                added = self._put([stops[key] for key in keys], at_us, look=not fresh)
                counts.added += added
                counts.known += len(keys) - added
        if counts.added - before > BATCH:
            self._database.analyse()

    def _put(self, stops: Sequence[NewStop], at_us: int, *, look: bool) -> int:
        """All alike but for key and clear. look: some may be known, which takes no lock."""
        known = self._known(stops) if look else {}
        stops = [stop for stop in stops if not known.get(stop.key)]
        if not stops:
            return 0
        shorter = [stop for stop in stops if stop.key in known]
        first = stops[0]
        values: list[object] = [self._lender, first.key_kind, first.campaign_id, first.kind]
        values += (first.expires_us, first.source, at_us)
        sealed = [(stop.key, self._stops.seal(stop)) for stop in stops]
        table, rows = self._database.table_of(sealed)
        sql = INSERT_MANY.format(table)
        write = partial(self._write, sql, [*values, *rows], stops, shorter, at_us)
        added = self._database.repeated(write)
        time.sleep(BREATH_S)
        return added

    def _write(
        self,
        sql: str,
        values: Sequence[object],
        stops: Sequence[NewStop],
        shorter: Sequence[NewStop],
        at_us: int,
    ) -> int:
        with self._database.writing():
            if shorter:
                self._stops.former.replaced(shorter, at_us)
            added = self._database.run(sql, values).rowcount
            self._stops.end_targets(stops)
        return int(added)

    def _known(self, stops: Sequence[NewStop]) -> dict[str, bool]:
        """key -> whether it is stopped for as long or longer already."""
        first = stops[0]
        found: dict[str, bool] = {}
        for some in chunks([stop.key for stop in stops]):
            whose = (self._lender, first.key_kind, *some, first.campaign_id, first.kind)
            rows = self._database.run(KNOWN.format(marks(some)), (first.expires_us, *whose))
            found.update((key, bool(longer)) for key, longer in rows.fetchall())
        return found

    # ---- from people's words

    def _stop(self, named: Named) -> NewStop:
        return self._stop_of(named, self._accounts([named]), {})

    def _stop_of(
        self,
        named: Named,
        accounts: dict[str, tuple[int, str]],
        campaigns: dict[str, int | StopError],
    ) -> NewStop:
        """accounts: contract number -> (account, its contact's key)."""
        if not _KIND.fullmatch(named.kind):
            raise StopError(
                f"kind {named.kind!r:.60}", "write a word in small letters, such as dnc"
            )
        campaign = ALL_CAMPAIGNS
        if named.campaign:
            if named.campaign not in campaigns:
                campaigns[named.campaign] = self._campaign_or_error(named.campaign)
            known = campaigns[named.campaign]
            if isinstance(known, StopError):
                raise known
            campaign = known
        key, clear = named.value, named.value
        if named.what == "number":
            try:
                key = self._vault.phone_hash(named.value)
            except ValueError:
                raise StopError("not an E.164 number", "write it such as +84901234567") from None
        elif named.what == "prefix":
            clear = ""
            if not _PREFIX.fullmatch(named.value):
                remedy = f"write + and 1 to {PREFIX_DIGITS} digits, such as +8490"
                raise StopError("not a prefix of numbers", remedy)
        else:
            if named.value not in accounts:
                remedy = "import the contacts first, or mend the contract number"
                raise StopError("no account has this contract number", remedy)
            account, contact_key = accounts[named.value]
            key = str(account) if named.what == "contract" else contact_key
        return NewStop(
            key_kind=KEY_KINDS[named.what],
            key=key,
            kind=named.kind,
            clear=clear,
            campaign_id=campaign,
            expires_us=named.until_us,
            source=named.source,
        )

    def _accounts(self, block: Sequence[Named]) -> dict[str, tuple[int, str]]:
        contracts = {
            self._vault.keyed_hash("contract", named.value): named.value
            for named in block
            if named.what in ("contract", "person")
        }
        found: dict[str, tuple[int, str]] = {}
        for some in chunks(list(contracts)):
            sql = f"""SELECT a.contract_hash, a.id, c.contact_key FROM account a
                JOIN contact c ON c.id = a.contact_id
                WHERE a.lender_id = ? AND a.contract_hash IN ({marks(some)})"""
            for contract_hash, account, key in self._database.run(sql, (self._lender, *some)):
                found[contracts[contract_hash]] = account, key
        return found

    def _campaign_id(self, name: str) -> int:
        return self._campaigns.key(name).id

    def _campaign_or_error(self, name: str) -> int | StopError:
        try:
            return self._campaign_id(name)
        except NoSuchCampaign:
            problem = f"campaign {name:.60} is not in the database"
            return StopError(problem, "import its contacts first, or mend its name")
