"""A fresh key while others work: nothing is ever sealed with a key that somebody does not know, and
nothing is lost, wherever it is cut off."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from duecall.core.attempt import Stage
from duecall.core.outcome import Outcome
from duecall.shell import key_file
from duecall.shell.column_values import to_us
from duecall.shell.journal_file import SNAPSHOT, SegmentWriter, keys_of_segments
from duecall.shell.key_rotation import KeyRotation, Rotated, RotationError
from duecall.shell.life import Life
from duecall.shell.store import Store, StoreError
from duecall.shell.vault import KEY_VARIABLE, Vault, VaultError, key_text, new_key, parse_key
from tests.shell.store_world import (
    NAME,
    NOON,
    attempt,
    loaded,
    outcome,
    row,
    save,
    url_of,
)

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("database")


def open_store(folder: Path) -> Store:
    """With the key file as it is now, which is not held: this process is no daemon."""
    return Store(url_of(folder), Vault((folder / "duecall.key").read_text()), "bank")


def contacts(folder: Path, count: int) -> None:
    store = loaded(folder, count)
    store.close()
    store.parts.vault._held.close()


def filled(folder: Path, count: int = 60) -> Store:
    """Contacts, settled and open attempts, a stop."""
    contacts(folder, count)
    store = open_store(folder)
    targets = store.due_targets(NAME, NOON, 20)
    store.apply([save(target) for target in targets])
    store.apply([outcome(attempt(target)) for target in targets[:15]])
    store.stop_number("+84900999999", "dnc", "a letter", NOON)
    return store


def rotation(folder: Path, **changes: Any) -> KeyRotation:
    values: dict[str, Any] = {
        "environ": {},
        "tell": lambda what, done, total: None,
        "daemon_keys": lambda: None,
        "now_us": lambda: to_us(NOON),
        "wait_s": 0.5,
        **changes,
    }

    def open_with(vault: Vault) -> Store:
        return Store(url_of(folder), vault, "bank", "cli")

    return KeyRotation(folder / "duecall.key", open_with, folder / "journal", **values)


def sealing(store: Store) -> set[bytes]:
    """Ids of the keys that seal anything."""
    found = set()
    for table in ("contact", "account", "attempt", "stop"):
        rows = store.parts.database.run(f"SELECT sealed FROM {table}").fetchall()
        found |= {bytes(sealed)[1:5] for (sealed,) in rows if sealed}
    return found


def all_clear(store: Store) -> list[Any]:
    """Everything that is sealed, in the clear."""
    rows = [(one.id, one.phone, one.name) for one in store.attempts(NAME, unseal=True)]
    ready = [
        (one.id, one.contact.phone, one.account.contract_number)
        for one in store.next_up(NAME, 1_000)
    ]
    stops = [(one.phone, one.reason) for one in store.stopped_numbers()]
    return [rows, ready, stops]


def ids_in(path: Path) -> list[str]:
    return list(Vault(path.read_text()).key_ids)


def test_all_is_sealed_anew_and_the_old_key_is_gone(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before, path = all_clear(store), tmp_path / "duecall.key"
    old = ids_in(path)
    store.close()
    told: list[tuple[int, int]] = []
    done = rotation(tmp_path, tell=lambda what, n, total: told.append((n, total))).rotate()
    rows = 60 + 60 + 20 + 1
    assert done == Rotated(key=ids_in(path)[0], rows=rows, dropped=tuple(old))
    assert told[-1] == (rows, rows)
    assert ids_in(path) != old and len(ids_in(path)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = sorted(name for name in os.listdir(tmp_path) if "key" in name)
    assert keys == ["duecall.key", "duecall.key.lock"]  # the second one is empty
    again = open_store(tmp_path)
    assert sealing(again) == {bytes.fromhex(done.key)}
    assert all_clear(again) == before
    entry = again.parts.database.run("SELECT kind, body FROM ledger WHERE kind = 'key'").fetchall()
    assert [(kind, json.loads(body)) for kind, body in entry] == [
        ("key", {"did": "rotated", "key_id": done.key})
    ]


def test_twice_in_a_row(tmp_path: Path) -> None:
    filled(tmp_path).close()
    first, second = rotation(tmp_path).rotate(), rotation(tmp_path).rotate()
    assert second.dropped == (first.key,)
    assert sealing(open_store(tmp_path)) == {bytes.fromhex(second.key)}


def test_a_key_from_the_environment_is_refused_with_the_remedy(tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    with pytest.raises(RotationError, match=f"{KEY_VARIABLE}.*write it to .*duecall.key"):
        rotation(tmp_path, environ={KEY_VARIABLE: (tmp_path / "duecall.key").read_text()})


# ---- beside others

HOLDER = """
import sys
from pathlib import Path
from duecall.shell.vault import Vault

vault = Vault.load(Path(sys.argv[1]) / "duecall.key", {})
print("holds", flush=True)
for line in sys.stdin:
    print(vault.refresh(), *vault.key_ids, flush=True)
"""


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_while_a_process_holds_the_old_text_nothing_is_sealed_with_the_new_key(
    tmp_path: Path,
) -> None:
    filled(tmp_path).close()
    old = ids_in(tmp_path / "duecall.key")
    with process(HOLDER, tmp_path) as holder:
        assert holder.stdin and holder.stdout
        assert holder.stdout.readline() == "holds\n"
        with pytest.raises(RotationError, match=rf"\({holder.pid}\).*duecall key rotate"):
            rotation(tmp_path).rotate()
        seen = ids_in(tmp_path / "duecall.key")
        assert seen[0] == old[0] and len(seen) == 2  # known to all who come now, and seals nothing
        assert sealing(open_store(tmp_path)) == {bytes.fromhex(old[0])}
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline().split() == ["True", *seen]
        # Now it knows both, and is waited for once more: it still seals with the old one.
        with pytest.raises(RotationError, match="still works with the key file of before"):
            rotation(tmp_path).rotate()
        assert ids_in(tmp_path / "duecall.key") == seen[::-1]
        assert sealing(open_store(tmp_path)) == {bytes.fromhex(old[0])}
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline().split() == ["True", *seen[::-1]]
        done = rotation(tmp_path).rotate()
    assert done.key == seen[1] and done.dropped == (old[0],)


def test_a_process_that_has_missed_the_last_change_is_waited_for_at_the_next(
    tmp_path: Path,
) -> None:
    """It may keep the dropped key in memory, where it does no harm; it has to hear of the next."""
    filled(tmp_path).close()
    path = tmp_path / "duecall.key"
    key_file.replace(path, key_text([*parse_key(path.read_text()), new_key()]))
    key_file.forget_former(path)
    with process(HOLDER, tmp_path) as holder:
        assert holder.stdout and holder.stdout.readline() == "holds\n"
        assert rotation(tmp_path).finish().dropped
        with pytest.raises(RotationError, match="still works with the key file of before"):
            rotation(tmp_path).rotate()
        assert len(ids_in(path)) == 1
    assert (tmp_path / "duecall.key.former").read_text() == ""
    rotation(tmp_path).rotate()
    assert not (tmp_path / "duecall.key.former").exists()


def test_a_process_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with process(HOLDER, tmp_path) as holder:
        assert holder.stdout and holder.stdout.readline() == "holds\n"
    assert rotation(tmp_path).rotate().dropped


def test_the_daemon_is_asked_what_it_knows(tmp_path: Path) -> None:
    """Its key may come from the environment: then it holds no file."""
    filled(tmp_path).close()
    known = ids_in(tmp_path / "duecall.key")
    with pytest.raises(RotationError, match=f"does not take up .*{KEY_VARIABLE}"):
        rotation(tmp_path, daemon_keys=lambda: known).rotate()
    assert sealing(open_store(tmp_path)) == {bytes.fromhex(known[0])}
    assert ids_in(tmp_path / "duecall.key")[0] == known[0]

    def taken_up() -> Sequence[str]:
        return ids_in(tmp_path / "duecall.key")

    assert rotation(tmp_path, daemon_keys=taken_up).rotate().dropped == (known[0],)


@pytest.mark.postgres
def test_a_daemon_on_another_machine_is_waited_for(tmp_path: Path) -> None:
    store = filled(tmp_path)
    old = ids_in(tmp_path / "duecall.key")[0]
    elsewhere = Store(url_of(tmp_path), Vault((tmp_path / "duecall.key").read_text()), "bank", "b")
    elsewhere.join(Life("far/boot", 1, "1", "x"))
    store.close()
    with pytest.raises(RotationError, match="the daemon on far has another key file: copy"):
        rotation(tmp_path).rotate()
    assert sealing(elsewhere) == {bytes.fromhex(old)}
    assert ids_in(tmp_path / "duecall.key")[0] == old
    elsewhere.leave()
    assert rotation(tmp_path).rotate().dropped == (old,)


def test_who_does_not_know_the_new_key_cannot_open_the_database(tmp_path: Path) -> None:
    """Else targets would be given up as unreadable, and opt-outs be sealed with a key that is
    dropped."""
    filled(tmp_path).close()
    former = (tmp_path / "duecall.key").read_text()
    done = rotation(tmp_path).rotate()
    with pytest.raises(StoreError, match=f"sealed with key {done.key}.*key file of that time"):
        Store(url_of(tmp_path), Vault(former), "bank")
    both = key_text([*parse_key(former), parse_key((tmp_path / "duecall.key").read_text())[1]])
    Store(url_of(tmp_path), Vault(both), "bank").close()


def test_a_vault_takes_up_a_new_file_but_not_that_of_another_database(tmp_path: Path) -> None:
    path = tmp_path / "some.key"
    vault = Vault.load(path, {})
    sealed = vault.seal(b"data", "a")
    assert not vault.refresh()
    hash_key, old = parse_key(path.read_text())
    key_file.replace(path, key_text([hash_key, new_key(), old]))
    assert vault.replaced and vault.refresh() and not vault.replaced
    assert vault.key_ids == tuple(ids_in(path))
    assert vault.open(sealed, "a") == b"data"
    assert vault.seal(b"data", "a")[1:5].hex() == vault.key_ids[0]
    key_file.replace(path, key_text([new_key(), old]))
    with pytest.raises(VaultError, match="key of another database"):
        vault.refresh()
    assert vault.open(sealed, "a") == b"data"


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    filled(tmp_path, 20).close()
    before = (tmp_path / "duecall.key").read_text()
    with (
        key_file.changing(tmp_path / "duecall.key"),
        pytest.raises(RotationError, match="another `duecall key rotate` is at it"),
    ):
        rotation(tmp_path).rotate()
    assert (tmp_path / "duecall.key").read_text() == before
    rotation(tmp_path).rotate()


def test_on_a_file_system_without_locks_nothing_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, 20).close()
    path = tmp_path / "duecall.key"
    real = key_file.fcntl.flock

    def none(handle: int, operation: int) -> None:
        if not os.readlink(f"/proc/self/fd/{handle}").endswith(".lock"):
            raise OSError(37, "No locks available")
        real(handle, operation)

    monkeypatch.setattr(key_file.fcntl, "flock", none)
    old = ids_in(path)[0]
    assert Vault.load(path, {}).key_ids == (old,)
    with pytest.raises(RotationError, match="a process of this installation still works"):
        rotation(tmp_path).rotate()
    assert ids_in(path)[0] == old and sealing(open_store(tmp_path)) == {bytes.fromhex(old)}


# ---- the journal


def segment(folder: Path, number: int, vault: Vault) -> Path:
    writer = SegmentWriter(folder, f"{number:08d}-x", vault, {})
    writer.write(SNAPSHOT, b"{}" * 1_000)
    writer.close()
    return writer.path


def test_the_old_key_stays_while_the_journal_needs_it(tmp_path: Path) -> None:
    filled(tmp_path).close()
    path = tmp_path / "duecall.key"
    old = ids_in(path)[0]
    needed = segment(tmp_path / "journal", 1, Vault(path.read_text()))
    done = rotation(tmp_path).rotate()
    assert done.segments == (needed,) and not done.dropped
    assert ids_in(path) == [done.key, old]
    fresh = segment(tmp_path / "journal", 2, Vault(path.read_text()))
    assert keys_of_segments(tmp_path / "journal") == [(needed, {old}), (fresh, {done.key})]
    with pytest.raises(RotationError, match=f"1 files of the journal.*{needed.name}"):
        rotation(tmp_path).finish()
    needed.unlink()
    assert rotation(tmp_path).finish().dropped == (old,)
    assert ids_in(path) == [done.key]


def test_finish_before_all_is_sealed_anew_is_refused(tmp_path: Path) -> None:
    store = filled(tmp_path)
    path = tmp_path / "duecall.key"
    key_file.replace(path, key_text([*parse_key(path.read_text())[:1], new_key(),
                                     parse_key(path.read_text())[1]]))  # fmt: skip
    key_file.forget_former(path)
    store.close()
    with pytest.raises(RotationError, match="not changed everywhere yet: duecall key rotate"):
        rotation(tmp_path).finish()


def test_rows_that_no_key_opens_are_told_and_left(tmp_path: Path) -> None:
    store = filled(tmp_path)
    damaged = b"\x01" + b"\x00" * 60
    with store.parts.database.writing():
        store.parts.database.run("UPDATE contact SET sealed = ? WHERE id = 3", (damaged,))
    store.close()
    done = rotation(tmp_path).rotate()
    assert done.unreadable == 1 and done.dropped
    found = open_store(tmp_path).parts.database.run("SELECT sealed FROM contact WHERE id = 3")
    assert bytes(found.fetchone()[0]) == damaged


# ---- cut off anywhere


class Cut(BaseException):
    """As a kill at this place, but for what the system does with it."""


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("nth", range(4))
@pytest.mark.parametrize("name", ["_write", "_say", "_page"])
def test_cut_off_anywhere_the_next_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, nth: int, before: bool
) -> None:
    store = filled(tmp_path)
    clear = all_clear(store)
    store.close()
    real = getattr(KeyRotation, name)
    calls = 0

    def cut(self: KeyRotation, *values: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth + 1 and before:
            raise Cut
        answer = real(self, *values)
        if calls == nth + 1:
            raise Cut
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(KeyRotation, name, cut)
        try:
            rotation(tmp_path).rotate()
        except Cut:
            pass
        else:
            assert nth + 1 > calls, "nothing was cut off"
    middle = open_store(tmp_path)  # whoever starts now can read everything
    assert all_clear(middle) == clear
    assert middle.save_attempts([attempt(middle.due_targets(NAME, NOON, 1)[0])])
    middle.close()
    done = rotation(tmp_path).rotate()
    after = open_store(tmp_path)
    assert (
        sealing(after) == {bytes.fromhex(done.key)} and len(ids_in(tmp_path / "duecall.key")) == 1
    )
    assert len(list(after.attempts(NAME, unseal=True))) == 21


ROTATOR = """
import sys
from pathlib import Path
from tests.shell.test_key_rotation import rotation

print("ready", flush=True)
for line in sys.stdin:
    for _ in range(50):
        rotation(Path(sys.argv[1])).rotate()
        print("rotated", flush=True)
"""
CALLER = """
import sys
from pathlib import Path
from tests.shell.store_world import NAME, NOON, attempt, open_store, outcome

store = open_store(Path(sys.argv[1]))
print("ready", flush=True)
while targets := store.due_targets(NAME, NOON, 3):
    store.parts.vault.refresh()
    store.save_attempts([attempt(one) for one in targets])
    store.apply([outcome(attempt(one), next_due=NOON) for one in targets])
    print("called", flush=True)
"""


@pytest.mark.parametrize("rotated", [0, 1, 3])
def test_killed_in_the_middle_beside_a_daemon_that_calls(tmp_path: Path, rotated: int) -> None:
    contacts(tmp_path, 400)
    with process(CALLER, tmp_path) as caller, process(ROTATOR, tmp_path) as rotator:
        for child in (caller, rotator):
            assert child.stdout and child.stdout.readline() == "ready\n"
        assert rotator.stdin and rotator.stdout and caller.stdout
        rotator.stdin.write("\n")
        rotator.stdin.flush()
        for _ in range(rotated):
            assert rotator.stdout.readline() == "rotated\n"
        for _ in range(5):
            assert caller.stdout.readline() == "called\n"
        os.kill(rotator.pid, signal.SIGKILL)  # in the middle of the next one
        for _ in range(5):
            assert caller.stdout.readline() == "called\n"
    done = rotation(tmp_path, wait_s=5.0).rotate()
    store = open_store(tmp_path)
    assert sealing(store) == {bytes.fromhex(done.key)}
    found = list(store.attempts(NAME, unseal=True))  # all of it opens
    assert len(found) >= 30
    assert all(one.outcome in (Outcome.BUSY, None) and one.phone for one in found)
    assert all(stage is Stage.SAVED for _, stage in store.recover()) and not store.faults
    assert {one.phone for one in found} <= {row(n).contact.phone for n in range(1, 401)}
    assert "its data cannot be unsealed" not in store.status_counts(NAME).done
