"""`duecall run` where its database is not there yet: real processes, a real server."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from duecall.cli import EXIT_CODES
from duecall.shell import control
from duecall.shell.daemon_start import WAITING
from duecall.shell.loopback_site import LoopbackSite
from tests.cli.desk import Desk, answer_of
from tests.postgres_server import PostgresServer

Run = Callable[[str], "Running"]


class Running:
    """`duecall run` in a folder of its own, on the database of this URL."""

    def __init__(self, folder: Path, database: str) -> None:
        self.site = LoopbackSite(folder, "pocket", proxy="127.0.0.1:9", database=database)
        self.desk = Desk(folder, self.site)
        self.process = self.begin()

    def begin(self) -> subprocess.Popen[str]:
        return self.desk.start("run", "--log-file", self.desk.folder / "daemon.log")

    def status(self) -> dict[str, Any]:
        return control.ask(self.site.path("var") / "duecall.sock", {"do": "status"}, 5.0)

    def until(self, check: Callable[[dict[str, Any]], bool], timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            assert self.process.poll() is None, self.process.communicate()
            try:
                status = self.status()
                if check(status):
                    return
            except control.NoDaemon:
                status = {}
            assert time.monotonic() < deadline, status
            time.sleep(0.05)

    def until_it_waits(self, words: str = "") -> None:
        self.until(lambda status: status["state"] == WAITING and words in status["database"])

    def until_it_runs(self) -> None:
        self.until(lambda status: status["state"] == "running")

    def end(self) -> None:
        """SIGTERM, at which it ends within seconds, in order, and without a word."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        answer = answer_of(self.process)
        assert (answer.code, answer.err) == (0, "")
        assert time.monotonic() - began < 15
        assert "Traceback" not in self.log()

    def log(self) -> str:
        return (self.desk.folder / "daemon.log").read_text()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made: list[Running] = []

    def begin(database: str = "sqlite:///var/duecall.db") -> Running:
        made.append(Running(tmp_path, database))
        return made[-1]

    yield begin
    for one in made:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    yield postgres_server
    if postgres_server._process is None:
        postgres_server.start()
    postgres_server.thaw()


def test_the_daemon_first_and_then_the_server(run: Run, server: PostgresServer) -> None:
    url = server.create_database()
    server.kill()
    daemon = run(url)
    daemon.until_it_waits("cannot be reached")
    shown, script, refused = daemon.desk.run_all(
        [("status",), ("status", "--json"), ("pause", "x")]
    )
    assert shown.good.startswith(f"{WAITING}; nobody is called\n  since ")
    assert "cannot be reached" in shown.good
    assert json.loads(script.good)["state"] == WAITING
    assert refused.code == 1 and f"the daemon is {WAITING} since " in refused.err
    server.start()
    daemon.until_it_runs()
    assert "switch: " in daemon.desk.run("status").good
    daemon.end()
    assert "waiting for the database: " in daemon.log()
    assert "the database is there, after " in daemon.log()


@pytest.mark.parametrize("server_is", ["dead", "frozen"])
def test_a_daemon_that_waits_ends_by_sigterm_with_0(
    run: Run, server: PostgresServer, server_is: str
) -> None:
    url = server.create_database()
    if server_is == "dead":
        server.kill()
    else:
        server.freeze()
    daemon = run(url)
    daemon.until_it_waits()
    daemon.end()
    assert "asked to end while waiting for the database" in daemon.log()


def test_what_no_waiting_mends_ends_it_with_a_clear_word(run: Run, server: PostgresServer) -> None:
    daemon = run(server.url("no_such_database"))
    answer = answer_of(daemon.process)
    assert answer.code == 1 and EXIT_CODES[1].startswith("it failed")
    assert "no_such_database" in answer.error
    # Also where that is known only after a while.
    server.kill()
    daemon.process = daemon.begin()
    daemon.until_it_waits("cannot be reached")
    server.start()
    answer = answer_of(daemon.process)
    assert answer.code == 1 and "no_such_database" in answer.error
    assert "waiting for the database is of no use: " in daemon.log()


def test_a_file_that_another_program_writes_to_is_waited_for(run: Run, tmp_path: Path) -> None:
    daemon = run()
    daemon.until_it_runs()
    daemon.end()
    other = sqlite3.connect(tmp_path / "var" / "duecall.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as an import of a program that has stopped in mid-write
    daemon.process = daemon.begin()
    daemon.until_it_waits("it gives no answer")
    daemon.end()
    daemon.process = daemon.begin()
    daemon.until_it_waits()
    other.execute("ROLLBACK")
    other.close()
    daemon.until_it_runs()
    daemon.end()
