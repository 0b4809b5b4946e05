"""A private PostgreSQL server on a loopback port: for tests and benchmarks, with fsync as in life.

with PostgresServer() as server:
    url = server.create_database()      # postgresql://duecall@127.0.0.1:PORT/NAME
    server.kill(); server.start()       # SIGKILL of all its processes, as a power cut would
    server.freeze(); server.thaw()      # SIGSTOP, SIGCONT
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

USER = "duecall"
GUARDED = "guarded"  # a user who has to give a password
DEBIAN = Path("/usr/lib/postgresql")
UNPRIVILEGED = ("postgres", "nobody")  # whom the server runs as, where root starts it
START_S = 180
PR_SET_PDEATHSIG = 1


def find_postgres() -> Path | None:
    """The folder of the server's programs, the newest; None where there is no server."""
    versions = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if versions:
        return max(versions, key=lambda path: float(path.parent.name))
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def why_no_postgres() -> str:
    """Why no server can be started here; empty where one can."""
    if find_postgres() is None:
        return "no PostgreSQL server here (Debian: apt-get install postgresql)"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "no driver here (pip install 'duecall[postgres]')"
    return ""


class PostgresServer:
    """Made anew, with its data in a temporary folder; gone with `stop`, and with this process."""

    def __init__(self) -> None:
        programs = find_postgres()
        if programs is None:
            raise RuntimeError(why_no_postgres())
        self._programs = programs
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="duecall-postgres-"))
        self._as: dict[str, Any] = _unprivileged()
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        try:
            self._run(
                "initdb", "--username", USER, "--auth", "trust", "--encoding", "UTF8",
                "--locale", "C", "--pgdata", str(self.folder / "data"),
            )  # fmt: skip
            rules = self.folder / "data" / "pg_hba.conf"
            guarded = f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n"
            rules.write_text(guarded + rules.read_text())
            self.start()
        except BaseException:
            self.stop()
            raise

    # ---- life

    def start(self) -> None:
        """Returns when it answers; after a kill it first repairs itself."""
        assert self._process is None, "it runs"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "max_connections": 60,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self.folder / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
                cwd=self.folder,
                **self._as,
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("PostgreSQL did not start:\n" + self.log())
            time.sleep(0.05)

    def stop(self) -> None:
        """For good: its data goes, too."""
        if self._process is not None:
            self.thaw()
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL, every process of it. `start` brings it back."""
        if self._process is None:
            return
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(processes, 10)
        self._process = None

    def restart(self) -> None:
        """In order, but without waiting for its clients: each loses its connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_S)
        self._process = None
        self.start()

    def freeze(self) -> None:
        """It stands still; its connections stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- databases

    def create_database(self) -> str:
        """A new one; its URL."""
        name = f"duecall_{os.getpid()}_{next(self._names)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str, user: str = USER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Past all code of ours."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=10) as link:
            cursor = link.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def break_connections(self, database: str) -> int:
        """Ends all sessions on it, as a cut network would; how many."""
        found = self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        )
        return len(found)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    # ---- inner

    def _processes(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _answers(self) -> bool:
        done = subprocess.run(
            [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            check=False,
        )
        return done.returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **self._as,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")


def database_name(url: str) -> str:
    return url.rpartition("/")[2]


def _unprivileged() -> dict[str, Any]:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise RuntimeError("no unprivileged user to run PostgreSQL as")


def _end_with_parent() -> None:
    """So that a killed test run leaves no server behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
