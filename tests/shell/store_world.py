"""Builds what the store's tests need: a real database, a vault, contacts all different."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from duecall.core.attempt import Attempt, attempt_id
from duecall.core.campaign import Campaign
from duecall.core.commands import SaveAttempt, SaveOutcome
from duecall.core.contact import Account, Contact
from duecall.core.outcome import Ending, Outcome
from duecall.shell.store import Store, TargetRow
from duecall.shell.vault import Vault
from fs_scripts.contract import Brief, Result

NOON = datetime(2026, 11, 23, 5, 0, tzinfo=timezone.utc)
NAME = "overdue"
URL_FILE = "database.url"


@dataclass(frozen=True, slots=True)
class Row:
    contact: Contact
    account: Account


def row(n: int, **changes: Any) -> Row:
    """The n-th contact with its account; `phone`, `name`, … override."""
    contact = Contact(
        name=changes.get("name", f"Nguyễn Văn {n}"),
        phone=changes.get("phone", f"+849{n:08d}"),
        zone=changes.get("zone", ""),
        language=changes.get("language", ""),
        customer_id=changes.get("customer_id", ""),
        region=changes.get("region", ""),
        line=changes.get("line", ""),
        consents=changes.get("consents", ()),
        flags=changes.get("flags", ()),
    )
    account = Account(
        contract_number=changes.get("contract", f"HD-{n:07d}"),
        balance_minor=changes.get("balance_minor", 1_000_000 + n * 7919 % 1_000_003),
        currency="VND",
        interest_rate="18.5",
        due_date=changes.get("due", date(2026, 11, 1) - timedelta(days=n % 200)),
        card_number=f"4000{n:012d}",
        fields=changes.get("fields", {"city": f"city {n % 50}"}),
    )
    return Row(contact, account)


def rows(count: int, start: int = 1) -> Iterator[Row]:
    return (row(n) for n in range(start, start + count))


def campaign(**changes: Any) -> Campaign:
    raw: dict[str, Any] = {
        "name": NAME,
        "contacts": "overdue.csv",
        "language": "vi",
        "country": "VN",
        "rules": {"pack": "none", "pack_reason": "a test of the store"},
        "currency": "VND",
        "zone": "Asia/Ho_Chi_Minh",
        "calendar": {"hours": [{"from": "08:00", "to": "20:00"}]},
        "message": [{"text": "xin chao"}],
        "keys": {"1": {"do": "transfer", "to": "front-desk"}, "9": {"do": "opt_out"}},
        "retry": {"max_attempts": 3, "by_outcome": {"busy": {"every": 900, "times": 2}}},
        "caller_id": "842412345678",
        "trunk": "demo",
        "order": [{"field": "dpd", "descending": True}],
    }
    return Campaign.model_validate({**raw, **changes})


def url_of(folder: Path) -> str:
    """SQLite, where no file in the folder names another one."""
    chosen = folder / URL_FILE
    return chosen.read_text() if chosen.exists() else f"sqlite:///{folder}/duecall.db"


def open_store(folder: Path, daemon: str = "main", lender: str = "bank") -> Store:
    vault = Vault.load(folder / "duecall.key", {})
    return Store(url_of(folder), vault, lender, daemon)


def loaded(folder: Path, count: int, **changes: Any) -> Store:
    """A store whose campaign has `count` ranked targets."""
    store = open_store(folder)
    store.put_campaign(campaign(**changes), "name: overdue\n")
    store.import_rows(NAME, rows(count))
    store.rank(NAME)
    return store


def attempt(target: TargetRow, at: datetime = NOON) -> Attempt:
    number = target.past.tries + 1
    identity = attempt_id(target.lender, target.campaign, target.account.contract_number, number)
    return Attempt(identity, number, target.as_target(Brief("", ())), at)


def save(target: TargetRow, at: datetime = NOON) -> SaveAttempt:
    return SaveAttempt(attempt(target, at))


def outcome(
    of: Attempt,
    result: Outcome = Outcome.BUSY,
    next_due: datetime | None = None,
    at: datetime = NOON,
    said: Result | None = None,
    **changes: Any,
) -> SaveOutcome:
    ending = Ending(cause="USER_BUSY", sip_status=486, answered=said is not None, result=said)
    return SaveOutcome(
        attempt=of,
        outcome=result,
        ending=ending,
        at=at,
        next_due=next_due,
        reason=f"retry after {result.value}" if next_due else result.value,
        **changes,
    )
