"""The ledger: decisions to call, and refusals that changed something, in chains of hashes.

One chain a writer (a daemon, or `cli`), so that daemons never wait for each other. An entry's hash
is keyed with the vault's and covers the one before it: who has the database alone can neither
change an entry nor take one out or put one in unseen. Nor can he cut a chain off: an entry carries
on from the tie of the one before it, a keyed hash of that one's hash, and the database holds the
tie of the newest entry alone, in `chain`. Entries are written at the very end of the transaction
whose decisions they tell of: both are durable, or neither. `duecall audit` verifies all of it, by
code of its own.

Kinds and their bodies: docs/rules.md. No name, number or contract stands in them in clear.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from duecall.shell.database import Database
from duecall.shell.vault import Vault

CLI = "cli"  # the writer that all commands are

INSERT = """INSERT INTO ledger (lender_id, chain, seq, at, kind, target_id, attempt_id, body, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""


class Ledger:
    """Of one lender and writer, on one connection."""

    def __init__(self, database: Database, vault: Vault, lender: int, writer: str) -> None:
        self._database = database
        self._vault = vault
        self._lender = lender
        self._writer = writer
        self._entries: list[tuple[int, str, int, str, str]] = []
        database.at_end(self._write, self._entries.clear)

    def add(
        self,
        kind: str,
        body: Mapping[str, Any],
        at_us: int,
        *,
        target_id: int = 0,
        attempt_id: str = "",
    ) -> None:
        """Within the caller's transaction. body: JSON values without personal data in clear."""
        if not self._database.is_writing:
            raise RuntimeError("an entry of the ledger needs the transaction of what it tells of")
        self._entries.append((at_us, kind, target_id, attempt_id, canonical(body)))

    def document(self, kind: str, text: str, at_us: int) -> str:
        """Keep a text that entries name by its SHA-256, once. The digest."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        self._database.run(
            "INSERT INTO document (lender_id, digest, kind, text, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (lender_id, digest) DO NOTHING",
            (self._lender, digest, kind, text, at_us),
        )
        return digest

    def _write(self) -> None:
        if not self._entries:
            return
        run = self._database.run
        whose = (self._lender, self._writer)
        sql = "SELECT t.seq, t.hash FROM chain t WHERE t.lender_id = ? AND t.name = ?"
        sql += self._database.keeping
        newest = run(sql, whose).fetchone()
        if newest is None:
            run(
                "INSERT INTO chain (lender_id, name, seq, hash) VALUES (?, ?, 0, '')"
                " ON CONFLICT (lender_id, name) DO NOTHING",
                whose,
            )
            newest = run(sql, whose).fetchone()
        seq, tie = newest
        if not seq:
            tie = self._vault.ledger_tie("")
        rows = []
        for entry in self._entries:
            seq += 1
            known = self._vault.ledger_hash(entry_text(tie, self._writer, seq, *entry))
            rows.append((self._lender, self._writer, seq, *entry, known))
            tie = self._vault.ledger_tie(known)
        self._database.run_many(INSERT, rows)
        run("UPDATE chain SET seq = ?, hash = ? WHERE lender_id = ? AND name = ?",
            (seq, tie, *whose))  # fmt: skip


def entry_text(
    tie: str, chain: str, seq: int, at_us: int, kind: str, target_id: int, attempt_id: str,
    body: str,
) -> str:  # fmt: skip
    """What an entry's hash is of. tie: `Vault.ledger_tie` of the hash of the entry before it; in
    entries of before there were ties, that hash itself."""
    return "\n".join((tie, chain, str(seq), str(at_us), kind, str(target_id), attempt_id, body))


def canonical(body: Mapping[str, Any]) -> str:
    """One spelling for one content."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()
