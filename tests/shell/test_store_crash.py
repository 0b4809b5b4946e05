"""What was reported durable is there after kill -9; two processes work on one file."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from duecall.core.attempt import Stage
from duecall.core.outcome import Outcome
from tests.shell.store_world import NAME, NOON, attempt, loaded, open_store, outcome, row, rows

pytestmark = pytest.mark.usefixtures("database")

ROOT = Path(__file__).parents[2]

# Saves, settles some, and says what is durable only after `apply` has returned.
WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.shell.store_world import NAME, NOON, attempt, open_store, outcome, save

store = open_store(Path(sys.argv[1]))
for old, stage in store.recover():
    store.apply([outcome(old, next_due=NOON)])
print("ready", flush=True)
while targets := store.due_targets(NAME, NOON, 7):
    plans = [attempt(target) for target in targets]
    done = store.apply([save(target) for target in targets])
    for attempt_id in done.saved:
        print("saved", attempt_id, flush=True)
    later = NOON + timedelta(hours=1)
    done = store.apply([outcome(plan, next_due=later) for plan in plans[::2]])
    for attempt_id in done.settled:
        print("settled", attempt_id, flush=True)
    store.apply([outcome(plan, next_due=NOON) for plan in plans[1::2][:2]])
"""

# Imports one list after another, and says how it went.
IMPORTER = """
import sys
from pathlib import Path
from tests.shell.store_world import NAME, open_store, rows

store = open_store(Path(sys.argv[1]), daemon="cli")
print("ready", flush=True)
counts = store.import_rows(NAME, rows(int(sys.argv[2]), start=1000))
print(counts.new, store.rank(NAME), flush=True)
"""


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A second Python; its whole group is gone afterwards."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


@pytest.mark.parametrize("reported", [1, 40, 90, 230, 400])
def test_all_that_was_reported_survives_kill_9(
    tmp_path: Path, reported: int, database: str
) -> None:
    loaded(tmp_path, 1_200).close()
    said: set[tuple[str, str]] = set()
    for life in range(2):
        with process(WRITER, tmp_path) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            for _ in range(reported):
                said.add(tuple(child.stdout.readline().split()))  # type: ignore[arg-type]
            os.kill(child.pid, signal.SIGKILL)  # in the middle of what it does next
            for line in child.stdout.read().splitlines():  # what it said before it died
                if line.count(" ") == 1 and len(line.split()[1]) == 36:
                    said.add(tuple(line.split()))  # type: ignore[arg-type]
            assert child.wait() == -signal.SIGKILL, life
    store = open_store(tmp_path)
    if database == "sqlite":
        assert store._database.run("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = {record.id: record for record in store.attempts(NAME)}
    saved = {attempt_id for what, attempt_id in said if what == "saved"}
    settled = {attempt_id for what, attempt_id in said if what == "settled"}
    assert len(said) >= 2 * reported
    assert saved <= set(kept)
    assert all(kept[attempt_id].outcome is Outcome.BUSY for attempt_id in settled)
    # And nothing is half done: the books agree, and what is open is known.
    counts = store.status_counts(NAME)
    open_now = store.recover()
    assert counts.attempts == len(kept)
    assert counts.live == len(open_now) == sum(r.outcome is None for r in kept.values())
    assert counts.targets.get("calling", 0) == counts.live
    assert all(stage is Stage.SAVED for _, stage in open_now)
    # Nor can one of them be sent again: its id is taken.
    for planned, _ in open_now:
        assert store.save_attempts([planned])[planned.id] is not None


@pytest.mark.sqlite
def test_every_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    pragmas = {
        name: store._database.run(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


SYNCED = """
import os, sys
from pathlib import Path
from tests.shell.store_world import NAME, NOON, loaded, save

store = loaded(Path(sys.argv[1]), 40)
targets = store.due_targets(NAME, NOON, 40)
os.write(1, b"BEGIN")
for start in range(0, 40, 10):
    store.apply([save(target) for target in targets[start : start + 10]])
    os.write(1, b"DURABLE")
"""


@pytest.mark.sqlite
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_one_sync_a_batch_and_before_it_is_reported(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=fsync,fdatasync,write"]
    ran = subprocess.run(
        [*command, sys.executable, "-c", SYNCED, str(tmp_path)], cwd=ROOT, capture_output=True
    )
    if b"ptrace" in ran.stderr:
        pytest.skip("this machine does not let strace look")
    assert ran.returncode == 0, ran.stderr
    calls = trace.read_text().split("BEGIN")[1]
    seen = re.findall("fdatasync|fsync|DURABLE", calls)
    first_four = [what.replace("fdatasync", "fsync") for what in seen[:8]]
    assert first_four == ["fsync", "DURABLE"] * 4


def test_import_beside_a_daemon_that_writes(tmp_path: Path) -> None:
    store = loaded(tmp_path, 200)
    turns, longest_s, made = 0, 0.0, 0
    with process(IMPORTER, tmp_path, 6_000) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        while child.poll() is None:
            began = time.monotonic()
            targets = store.due_targets(NAME, NOON, 2)
            plans = [attempt(target) for target in targets]
            made += sum(refused is None for refused in store.save_attempts(plans).values())
            store.apply([outcome(plan, next_due=NOON) for plan in plans])
            longest_s = max(longest_s, time.monotonic() - began)
            turns += 1
        assert child.stdout.read().startswith("6000 ")
    print(f"{turns} turns of the daemon during the import, the longest {longest_s:.3f} s")
    counts = store.status_counts(NAME)
    assert turns > 5 and made == counts.attempts > 0
    assert sum(counts.targets.values()) == 6_200
    assert "new" not in counts.targets


def test_reader_sees_one_moment_while_the_daemon_writes(tmp_path: Path) -> None:
    daemon, reader = loaded(tmp_path, 20), open_store(tmp_path, daemon="cli")
    with reader.reading():
        before = reader.status_counts(NAME).attempts
        plans = [attempt(target) for target in daemon.due_targets(NAME, NOON, 20)]
        assert None in daemon.save_attempts(plans).values()
        assert len(list(reader.attempts(NAME))) == before == 0
    assert len(list(reader.attempts(NAME))) == reader.status_counts(NAME).attempts == 20


def test_many_open_a_fresh_file_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.shell.store_world import open_store;"
        "sys.stdin.read(); s = open_store(Path(sys.argv[1])); print(s.campaigns()); s.close()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    openers = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(5)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.close()
        opener.stdin = None
    assert [opener.communicate(timeout=120)[0] for opener in openers] == ["[]\n"] * 5
    store = open_store(tmp_path)
    assert store._database.run("SELECT count(*) FROM lender").fetchone() == (1,)


def test_import_cut_off_is_finished_by_the_next_one(tmp_path: Path) -> None:
    store = loaded(tmp_path, 0)

    def torn() -> Iterator[object]:
        yield from rows(2_500)
        raise ConnectionError("the disk with the file was pulled")

    with pytest.raises(ConnectionError):
        store.import_rows(NAME, torn())  # type: ignore[arg-type]
    assert store.status_counts(NAME).targets == {"new": 2_000}
    assert store.due_targets(NAME, NOON, 9) == []  # not in an order yet
    counts = store.import_rows(NAME, rows(2_500))
    assert (counts.new, counts.changed, counts.unchanged) == (500, 0, 2_000)
    assert store.rank(NAME) == 2_500
    assert json.loads(json.dumps(store.status_counts(NAME).targets)) == {"ready": 2_500}
    assert row(1).account.contract_number.startswith("HD-")
