"""An upgrade that goes wrong: cut off, begun twice, without room or rights. The older database is
unharmed, and the next start does it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from duecall.shell import migrations
from duecall.shell.database import StoreError, open_database
from duecall.shell.migrations import MIGRATIONS, VERSION
from tests.shell import store_world
from tests.shell import upgrade_world as world
from tests.small_disk import small_disk

pytestmark = pytest.mark.usefixtures("database")
ROOT = Path(__file__).parents[2]
# Kills itself before the n-th statement of the upgrade, 1, 2, …, until one comes to its end.
KILLER = """
import os, signal, sys
from duecall.shell import migrations
from duecall.shell.database import open_database

url, migrate = sys.argv[1], migrations.migrate

def cut_off(db, n):
    run, count = db.execute_sql, 0
    def counted(*values):
        nonlocal count
        count += 1
        if count == n:
            os.kill(os.getpid(), signal.SIGKILL)
        return run(*values)
    db.execute_sql = counted
    return migrate(db)

for n in range(1, 1000):
    child = os.fork()
    if child == 0:
        migrations.migrate = lambda db: cut_off(db, n)
        open_database(url).close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status == 0:
        print(n - 1)
        break
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
    print("killed", flush=True)
    sys.stdin.readline()
"""


def as_it_was(url: str, version: int) -> None:
    """Version and rows of before; `integrity_check` where there is one."""
    assert world.version_of(url) == version
    before = world.tables(url, version)
    assert set(world.tables_of(url)) == set(before)
    if url.startswith("sqlite"):
        link = world.connect(url)
        assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        link.close()
    for table, rows in world.rows_of(url, sorted(before)).items():
        assert sorted(map(repr, rows)) == sorted(map(repr, before[table])), table


def test_killed_between_any_two_statements_nothing_has_happened(tmp_path: Path) -> None:
    url = world.build(tmp_path, 1)
    killer = subprocess.Popen(
        [sys.executable, "-c", KILLER, url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert killer.stdin is not None and killer.stdout is not None
    kills = 0
    while (line := killer.stdout.readline().strip()) == "killed":
        kills += 1
        if kills % 7 == 1:  # to look costs more than the upgrade
            as_it_was(url, 1)
        killer.stdin.write("\n")
        killer.stdin.flush()
    assert killer.wait(60) == 0
    statements = sum(len([s for s in text.split(";") if s.strip()]) for text in MIGRATIONS[1:])
    assert int(line) == kills >= statements
    assert world.version_of(url) == VERSION
    store_world.open_store(tmp_path).close()


@pytest.mark.parametrize("version", (1, VERSION - 1))
def test_two_that_start_at_once_upgrade_it_once(tmp_path: Path, version: int) -> None:
    """Each would fail at a table that is there already."""
    url = world.build(tmp_path, version)
    command = [
        sys.executable,
        "-c",
        "import sys; sys.stdin.readline()\n"
        "from duecall.shell.database import open_database\n"
        "open_database(sys.argv[1]).close()",
        url,
    ]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    ended = []
    for one in both:
        assert one.stdin is not None
        one.stdin.write(b"\n")
        one.stdin.flush()
    for one in both:
        _, error = one.communicate(timeout=120)
        ended.append((one.returncode, error))
    assert ended == [(0, b"")] * 2
    versions = world.rows_of(url, ["schema_version"])["schema_version"]
    assert [one["version"] for one in versions] == list(range(1, VERSION + 1))


def slowly(seconds: float, entered: threading.Event) -> Callable[[Any], int]:
    """An upgrade of a large database."""
    import time

    migrate = migrations.migrate

    def slow(db: Any) -> int:
        entered.set()
        time.sleep(seconds)
        return migrate(db)

    return slow


@pytest.mark.postgres
def test_who_comes_second_waits_as_long_as_an_upgrade_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than it would wait for a row."""
    url = world.build(tmp_path, 2)
    from duecall.shell import database_postgres

    monkeypatch.setattr(database_postgres, "BUSY_S", 1)
    entered = threading.Event()
    monkeypatch.setattr(migrations, "migrate", slowly(3.0, entered))
    first = threading.Thread(target=lambda: open_database(url).close())
    first.start()
    assert entered.wait(30)
    open_database(url).close()
    first.join(30)
    assert world.version_of(url) == VERSION


@pytest.mark.parametrize("version", world.OLDER)
def test_one_of_tomorrow_is_refused_and_left_alone(tmp_path: Path, version: int) -> None:
    url = world.build(tmp_path, version)
    link = world.connect(url)
    link.execute(f"INSERT INTO schema_version VALUES ({VERSION + 1}, 'tomorrow')")
    link.commit()
    link.close()
    before = world.rows_of(url, world.tables_of(url))
    with pytest.raises(StoreError) as error:
        store_world.open_store(tmp_path)
    assert f"has schema version {VERSION + 1}, this Duecall knows {VERSION}" in str(error.value)
    assert "use the newer Duecall, or restore the backup" in str(error.value)
    assert world.rows_of(url, world.tables_of(url)) == before


# ---- the disk


@pytest.mark.sqlite
def test_where_nothing_may_be_written_it_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 4_000):
        url = world.build(folder, 3)
        mount(folder, "remount,ro")
        with pytest.raises(StoreError, match=r"cannot be opened: .*[Rr]ead-only.*check its rights"):
            open_database(url)
        mount(folder, "remount,rw")
        as_it_was(url, 3)
        open_database(url).close()
        assert world.version_of(url) == VERSION


@pytest.mark.sqlite
def test_a_folder_of_somebody_else_is_told(tmp_path: Path) -> None:
    """The file may be written, the folder beside it may not: SQLite needs both."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    url = world.build(tmp_path, 3)
    for name, mode in (("duecall.db", 0o666), (".", 0o555)):
        (tmp_path / name).chmod(mode)
    for above in tmp_path.parents:
        if above.stat().st_mode & 0o001 == 0:
            above.chmod(above.stat().st_mode | 0o011)
    script = f"""
import os
from duecall.shell.database import StoreError, open_database
os.setuid(65534)
try:
    open_database({url!r})
except StoreError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert "check its rights" in done.stdout, done
    as_it_was(url, 3)


@pytest.mark.sqlite
def test_without_room_on_the_disk_it_says_so_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, 4_000):
        url = world.build(folder, 1)
        link = world.connect(url)
        link.execute("PRAGMA journal_mode = wal")
        link.close()
        room = shutil.disk_usage(folder).free
        ballast = folder / "ballast"
        ballast.write_bytes(b"x" * (room - 120_000))
        with pytest.raises(StoreError, match=r"disk is full|disk I/O error") as error:
            open_database(url)
        assert "the space on its disk" in str(error.value)
        ballast.unlink()
        as_it_was(url, 1)
        open_database(url).close()
        assert world.version_of(url) == VERSION


def mount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", options, str(folder)], check=True)


def test_an_error_in_the_middle_takes_all_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = world.build(tmp_path, 2)
    torn = (*MIGRATIONS[:-1], MIGRATIONS[-1] + "; ALTER TABLE gone ADD x {id}")
    monkeypatch.setattr(migrations, "MIGRATIONS", torn)
    with pytest.raises(StoreError, match="gone"):
        store_world.open_store(tmp_path)
    as_it_was(url, 2)
    monkeypatch.undo()
    store_world.open_store(tmp_path).close()
    assert world.version_of(url) == VERSION
