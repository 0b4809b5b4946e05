"""A copy of a finished log, and what people may do to it who have the database, or the key too."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from duecall.audit.chains import Anchor
from duecall.audit.proofs import prove
from duecall.audit.reader import Key, read
from duecall.audit.sources import open_source
from duecall.shell.rule_packs import SHIPPED
from duecall.shell.vault import Vault

CHAIN = "main"
MINUTE = 60_000_000
HOUR = 60 * MINUTE


class Copy:
    """All statements are committed at once."""

    def __init__(self, honest: Path, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "duecall.db"
        shutil.copy(honest / "duecall.key", folder)
        source = sqlite3.connect(honest / "duecall.db")
        self._db = sqlite3.connect(self.path, isolation_level=None)
        source.backup(self._db)
        source.close()
        self.key_text = (folder / "duecall.key").read_text()
        self.chains, self.ends = self._read(())[1:]

    def run(self, sql: str, *values: Any) -> list[Any]:
        return self._db.execute(sql, values).fetchall()

    def one(self, sql: str, *values: Any) -> Any:
        (found, *_) = self.run(sql, *values)
        return found[0] if len(found) == 1 else found

    def _read(self, anchors: Iterable[Anchor], key_text: str = "") -> tuple[Any, Any, Any]:
        source = open_source(f"sqlite:///{self.path}")
        try:
            key = Key.of(key_text or self.key_text)
            found = read(source, "bank", key, [SHIPPED], anchors)
        finally:
            source.close()
        return found.log, found.chains, found.ends

    def audited(self, anchors: Iterable[Anchor] = (), key_text: str = "") -> set[tuple[str, str]]:
        """(law, rule) of all violations."""
        log, chains, _ = self._read(anchors, key_text)
        return {(one.law, one.rule) for one in (*chains, *prove(log).violations)}

    def notes(self) -> tuple[Anchor, ...]:
        """What an auditor would write down now."""
        found: tuple[Anchor, ...] = self._read(())[2]
        return found

    # ---- of one who has the database alone

    def seq(self, kind: str, number: int = 0) -> int:
        """Of the n-th entry of a kind; from the end where it is negative."""
        found = self.run("SELECT seq FROM ledger WHERE kind = ? ORDER BY seq", kind)
        return int(found[number][0])

    def body(self, seq: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.one("SELECT body FROM ledger WHERE seq = ?", seq))
        return found

    def write(self, seq: int, body: dict[str, Any]) -> None:
        """Spelled as the ledger spells it."""
        text = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        self.run("UPDATE ledger SET body = ? WHERE seq = ?", text, seq)

    def move(self, seq: int, to: int) -> None:
        self.run("UPDATE ledger SET seq = ? WHERE seq = ?", to, seq)

    def cut(self, entries: int) -> None:
        """The last entries are gone, and the head says so, as far as it can."""
        last = self.one("SELECT seq FROM chain")
        self.run("DELETE FROM ledger WHERE seq > ?", last - entries)
        newest = self.one("SELECT hash FROM ledger ORDER BY seq DESC LIMIT 1")
        self.run("UPDATE chain SET seq = ?, hash = ?", last - entries, newest)

    def replace_document(self, kind: str, old: str, new: str) -> None:
        """Under the digest that it had."""
        sql = "UPDATE document SET text = replace(text, ?, ?) WHERE kind = ?"
        before = self._db.total_changes
        self.run(sql, old, new, kind)
        assert self._db.total_changes > before

    # ---- of one who has the key as well

    def rehash(self, ties_from: int = 1) -> None:
        """All of the chain is written anew, without a gap. ties_from: entries before this one
        carry on from each other as they did before there were ties."""
        vault = Vault(self.key_text)
        tie = vault.ledger_tie("") if ties_from == 1 else ""
        rows = self.run(
            "SELECT seq, at, kind, target_id, attempt_id, body FROM ledger ORDER BY seq"
        )
        for number, (old, at, kind, target, attempt, body) in enumerate(rows, 1):
            parts = (tie, CHAIN, number, at, kind, target, attempt, body)
            known = vault.ledger_hash("\n".join(map(str, parts)))
            sql = "UPDATE ledger SET seq = ?, hash = ? WHERE seq = ?"
            self.run(sql, number, known, old)
            tie = vault.ledger_tie(known) if number >= ties_from - 1 else known
        self.run("UPDATE chain SET seq = ?, hash = ?", len(rows), tie)

    def swap_rules(self, old: str, new: str) -> None:
        """Another rule set, and all that names it follows; but for the key it looks honest."""
        before, text = self.one("SELECT digest, text FROM document WHERE kind = 'rules'")
        assert old in text
        changed = text.replace(old, new)
        digest = hashlib.sha256(changed.encode()).hexdigest()
        self.run(
            "UPDATE document SET digest = ?, text = ? WHERE digest = ?", digest, changed, before
        )
        self.run("UPDATE ledger SET body = replace(body, ?, ?)", before, digest)
        self.rehash()

    def change_entry(self, **fields: Any) -> None:
        """The first change that the `rules` entry lists."""
        seq = self.seq("rules")
        body = self.body(seq)
        body["changes"][next(
            n for n, one in enumerate(body["changes"]) if one["kind"] == "changed"
        )].update(fields)  # fmt: skip
        self.write(seq, body)
        self.rehash()
