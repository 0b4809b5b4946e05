"""How long until a daemon that was killed is ready to dial, with a million contacts?

    python benchmarks/restart.py [--contacts 1000000] [--open 500] [--rounds 5] [--folder DIR]

Fills a SQLite file and a private PostgreSQL server with contacts, ranks them, leaves attempts open
as a killed daemon does, and measures from the start of the process `duecall run` until it answers
on its socket with its campaign taken up and every open attempt recovered. Beside each the same
daemon with an empty database, in turns; the ratio of the medians says what the contacts cost. Each
daemon is killed with SIGKILL, so that each start is one after a crash. The goal is 2 seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil

from duecall.core.attempt import Stage
from duecall.core.campaign import Campaign
from duecall.core.commands import SaveStage
from duecall.shell import control
from duecall.shell.life import own_daemon_id
from duecall.shell.loopback_site import LoopbackSite, free_port
from duecall.shell.store import Store
from duecall.shell.vault import Vault
from tests.postgres_server import PostgresServer, why_no_postgres
from tests.shell.store_world import NAME, attempt, campaign, rows, save

GOAL_S = 2.0
AHEAD = 2_000  # real contacts behind the open attempts; a hopper takes a few dozen of them
DIGITS = "0" * 57  # behind seven of its own: as long as a real hash
HOURS = {"hours": [{"from": "00:00", "to": "24:00"}]}


class Installation:
    """A site on a database that was filled, or is empty."""

    def __init__(self, folder: Path, database: str) -> None:
        self.site = LoopbackSite(
            folder, "pocket", proxy=f"127.0.0.1:{free_port()}", agents=["sip:a@127.0.0.1:5090"],
            channels=1_000, calls_per_second=20, database=database,
        )  # fmt: skip
        self.open = 0

    def store(self) -> Store:
        var = self.site.path("var")
        vault = Vault.load(var / "duecall.key", {})
        return Store(self.site.site.database, vault, "demo", own_daemon_id(var))

    def fill(self, contacts: int, attempts: int) -> None:
        """The first ones, `attempts` of them open, through the store's own ways; those behind them,
        whom nobody calls here, as copies made by the database."""
        said: Campaign = campaign(calendar=HOURS, message=[{"text": "xin chào"}])
        store = self.store()
        store.put_campaign(said, f"name: {NAME}\n")
        real = min(contacts, attempts + AHEAD)
        store.import_rows(NAME, rows(real))
        store.rank(NAME)
        copy_contacts(store, contacts - real)
        store.set_campaign_state(NAME, "running")
        now = datetime.now(timezone.utc)
        targets = store.due_targets(NAME, now, attempts)
        store.apply([save(target, now) for target in targets])
        store.apply([SaveStage(attempt(target).id, Stage.SENT, now) for target in targets])
        self.open = len(targets)
        store.close()

    def start_s(self) -> tuple[float, float]:
        """Seconds from the start of the process until it is ready, by the clock and of processor
        time; then it is killed."""
        began = time.perf_counter()
        self.site.start_daemon(timeout_s=120)
        while not self._ready():
            if time.perf_counter() - began > 120:
                raise RuntimeError((self.site.folder / "daemon.log").read_text()[-2_000:])
            time.sleep(0.01)
        took_s = time.perf_counter() - began
        used = psutil.Process(self.site.daemon_pid).cpu_times()
        self.site.kill_daemon()
        return took_s, used.user + used.system

    def _ready(self) -> bool:
        try:
            status = control.ask(self.site.path("var") / "duecall.sock", {"do": "status"})
        except (control.NoDaemon, control.ControlError):
            return False
        live = sum(status["live"].values())
        return live >= self.open and len(status["campaigns"]) == (1 if self.open else 0)


def copy_contacts(store: Store, count: int) -> None:
    """Ready targets behind the last rank, each with a contact and an account of its own."""
    if count <= 0:
        return
    database = store._database
    first_contact, first_account, campaign_id, last_rank, lender, sealed = database.run(
        "SELECT (SELECT max(id) FROM contact), (SELECT max(id) FROM account), campaign_id,"
        " max(rank), lender_id, (SELECT sealed FROM contact LIMIT 1) FROM target"
        " GROUP BY campaign_id, lender_id"
    ).fetchone()
    key = f"(1000000 + i) || '{DIGITS}'"
    with database.writing():
        database.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO contact (lender_id, person_hash, phone_hash, contact_key, sealed)"
            f" SELECT {lender}, {key}, {key}, {key}, ? FROM n",
            (count, sealed),
        )
        database.run(
            "INSERT INTO account (lender_id, contact_id, contract_hash, digest, sealed,"
            " balance_minor, currency, interest_rate, due_date) SELECT lender_id, id, person_hash,"
            " person_hash, sealed, 1000000 + id, 'VND', '18.5', '2026-10-01' FROM contact"
            " WHERE id > ?",
            (first_contact,),
        )
        database.run(
            "INSERT INTO target (lender_id, campaign_id, account_id, phone_hash, state, rank)"
            " SELECT lender_id, ?, id, contract_hash, 'ready', id + ? FROM account WHERE id > ?",
            (campaign_id, last_rank, first_account),
        )
        database.count(lender, campaign_id, "target", "ready", count)
    database.analyse()


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[dict[str, tuple[str, str]]]:
    """kind -> URLs of two databases."""
    found = {"SQLite": ("sqlite:///var/duecall.db", "sqlite:///var/duecall.db")}
    if why_no_postgres():
        print(f"PostgreSQL: not measured, {why_no_postgres()}")
        yield found
        return
    with PostgresServer() as server:
        found["PostgreSQL"] = (server.create_database(), server.create_database())
        yield found


def measure(kind: str, full: Installation, empty: Installation, rounds: int) -> bool:
    times: dict[str, list[tuple[float, float]]] = {"full": [], "empty": []}
    for _ in range(rounds):
        times["empty"].append(empty.start_s())
        times["full"].append(full.start_s())

    def median(which: str, column: int) -> float:
        return statistics.median(one[column] for one in times[which])

    took_s, base_s = median("full", 0), median("empty", 0)
    spread = f"{min(times['full'])[0]:.2f}-{max(times['full'])[0]:.2f}"
    print(
        f"{kind}: ready to dial in {took_s:.2f} s ({spread}; processor {median('full', 1):.2f} s);"
        f" with an empty database {base_s:.2f} s (processor {median('empty', 1):.2f} s);"
        f" ratio {took_s / base_s:.2f}",
        flush=True,
    )
    return took_s <= GOAL_S


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--open", type=int, default=500, help="attempts without an outcome")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where to write; its disk is part of it")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        with databases(folder) as urls:
            for kind, (url, other) in urls.items():
                full = Installation(folder / kind / "full", url)
                empty = Installation(folder / kind / "empty", other)
                began = time.perf_counter()
                full.fill(options.contacts, options.open)
                print(
                    f"{kind}: {options.contacts:,} contacts in {time.perf_counter() - began:.0f} s,"
                    f" {full.open} attempts open"
                )
                good &= measure(kind, full, empty, options.rounds)
    print(f"goal {GOAL_S:.0f} s: {'met' if good else 'MISSED'}")


if __name__ == "__main__":
    main()
