"""The order in which a campaign calls its contacts."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from itertools import islice
from typing import Any

from duecall.core.campaign import OrderBy
from duecall.core.contact import Account, Contact
from duecall.core.ranking import OrderKey, order_keys, ranked
from duecall.shell.column_values import TargetState
from duecall.shell.contact_json import contact_of
from duecall.shell.database import Database, chunks, marks
from duecall.shell.import_contacts import BATCH, BREATH_S
from duecall.shell.vault import Vault

PAGE = 20_000
SHARED_MAX = 10_000  # sort keys that are kept once for all who have them
PLAIN_FIELDS = frozenset({"dpd", "due_date", "balance", "interest_rate", "currency"})
S = TargetState
Progress = Callable[[int, int], None]


class Ranker:
    """Of one lender. Made to run beside a daemon, as the import is."""

    def __init__(self, database: Database, vault: Vault, lender: int) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender

    def rank(
        self, campaign: int, order: tuple[OrderBy, ...], progress: Progress | None = None
    ) -> int:
        """Give every target its place and make the new ones ready. How many were moved.

        Reads and sorts without the lock; writes only what differs. progress: (done, in all).
        """
        unseal = any(entry.field not in PLAIN_FIELDS for entry in order)
        sealed = "'', '', '', ''"
        if unseal:
            sealed = "a.contract_hash, a.sealed, c.person_hash, c.sealed"
        sql = f"""SELECT t.id, t.rank, t.state, a.balance_minor, a.currency, a.interest_rate,
            a.due_date, {sealed} FROM target t JOIN account a ON a.id = t.account_id
            JOIN contact c ON c.id = a.contact_id WHERE t.campaign_id = ? AND t.id > ?
            ORDER BY t.id LIMIT {PAGE}"""
        rows: list[tuple[int, tuple[OrderKey, ...]]] = []
        ranks: dict[int, int] = {}  # of those that have one
        fresh: set[int] = set()
        shared: dict[OrderKey, OrderKey] = {}
        for target, rank, state, *columns in self._pages(sql, campaign):
            keys = order_keys(*self._read(*columns), order)
            rows.append((target, tuple(_once(key, shared) for key in keys)))
            if rank is not None:
                ranks[target] = rank
            if state == S.NEW.value:
                fresh.add(target)
        placed = ranked(rows, order)
        del rows  # by far the most of it all

        def moves() -> Iterator[tuple[int, int]]:
            for place, target in enumerate(placed, 1):
                if ranks.get(target) != place or target in fresh:
                    yield place, target

        count, done = sum(1 for _ in moves()), 0
        ahead = moves()
        while some := list(islice(ahead, BATCH)):
            if progress is not None:
                progress(done, count)
            self._database.repeated(partial(self._place, campaign, some, fresh))
            done += len(some)
            time.sleep(BREATH_S)
        if progress is not None:
            progress(count, count)
        if count:
            self._database.analyse()
        return count

    def _pages(self, sql: str, campaign: int) -> Iterator[Sequence[Any]]:
        """All rows, by their first column; a server would else send a million of them at once."""
        last = 0
        while True:
            page = self._database.run(sql, (campaign, last)).fetchall()
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1][0]

    def _place(self, campaign: int, moves: Any, fresh: set[int]) -> None:
        with self._database.writing():
            self._place_some(campaign, moves, fresh)

    def _place_some(self, campaign: int, moves: Any, fresh: set[int]) -> None:
        self._database.run_many("UPDATE target SET rank = ? WHERE id = ?", moves)
        made = [target for _, target in moves if target in fresh]
        for some in chunks(made):
            cursor = self._database.run(
                f"UPDATE target SET state = 'ready' WHERE state = 'new' AND id IN ({marks(some)})",
                some,
            )
            self._database.moved(self._lender, campaign, S.NEW, S.READY, cursor.rowcount)

    def _read(
        self,
        balance_minor: int,
        currency: str,
        interest_rate: str,
        due_date: str,
        contract_hash: str,
        account_sealed: bytes,
        person_hash: str,
        contact_sealed: bytes,
    ) -> tuple[Contact, Account]:
        """As far as the order needs them: sealed parts are empty where none were selected."""
        contact = Contact(name="", phone="")
        rest: dict[str, Any] = {"contract_number": ""}
        if account_sealed:
            rest = json.loads(self._vault.open(account_sealed, f"account:{contract_hash}"))
            rest = {name: rest[name] for name in ("contract_number", "card_number", "fields")}
            contact = contact_of(self._vault.open(contact_sealed, f"contact:{person_hash}"))
        return contact, Account(
            balance_minor=balance_minor,
            currency=currency,
            interest_rate=interest_rate,
            due_date=date.fromisoformat(due_date),
            **rest,
        )


def _once(key: OrderKey, shared: dict[OrderKey, OrderKey]) -> OrderKey:
    """The same key that others have already: a million contacts share a few hundred due days."""
    if len(shared) < SHARED_MAX:
        return shared.setdefault(key, key)
    return shared.get(key, key)
