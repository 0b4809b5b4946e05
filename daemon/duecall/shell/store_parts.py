"""What the parts of the store share: one connection, one lender, one vault."""

from __future__ import annotations

from typing import NamedTuple

from duecall.shell.database import Database
from duecall.shell.ledger import Ledger
from duecall.shell.stop_store import StopStore
from duecall.shell.target_store import TargetStore
from duecall.shell.vault import Vault

BEGUN = ">"  # in `lender.seal_key`: "this one seals, that one is about to"


class StoreParts(NamedTuple):
    """For one thread at a time, as the store that they are of. lender: its id."""

    database: Database
    vault: Vault
    lender: int
    targets: TargetStore
    stops: StopStore
    ledger: Ledger


def missing_seal_key(seal_key: str, vault: Vault) -> str:
    """Why this vault must not be used with rows that this key seals; empty: it may."""
    wanted = seal_key.partition(BEGUN)[0]
    if not wanted or wanted in vault.key_ids:
        return ""
    return (
        f"is sealed with key {wanted}, which is not in this key file: `duecall key rotate` has "
        "changed it. Copy the key file from where that was done; for a backup of the database, "
        "put the key file of that time back"
    )
