"""The pocket switch as a process of its own, ports and folders its own too."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from duecall.shell.loopback_site import rtp_range
from duecall.shell.process_start import wait_for_start
from tests.pocket_switch.client import Client

PASSWORD = "a-password-of-the-tests"
EVENTS = (
    "CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_UNBRIDGE "
    "CHANNEL_PARK CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB HEARTBEAT SHUTDOWN "
    "CUSTOM duecall::progress"
)

# Plays, listens for one key, leaves its result, and hangs up unless the key was 1.
DIALOGUE = """
import freeswitch


def handler(session, args):
    event = freeswitch.Event("CUSTOM", "duecall::progress")
    event.addHeader("Unique-ID", session.get_uuid())
    event.fire()
    key = session.playAndGetDigits(1, 1, 1, 1500, "", args, "", "[0-9]", "", 0, "")
    session.setVariable("duecall_brief", "")
    session.setVariable("duecall_result", "key-" + key)
    if key != "1":
        session.hangup()
"""

# Goes on after the callee has hung up, and says so.
LINGERING = """
import time


def handler(session, args):
    while session.ready():
        session.sleep(100)
    began = time.monotonic()
    played = [session.streamFile(args), session.read(1, 1, args, 5000, "", 0)]
    time.sleep(1.0)
    session.setVariable("duecall_result", "late-%r-%r" % (played[0], played[1]))
"""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Pocket:
    """with Pocket(folder, …) as switch: its client() speaks with it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.cdr, self.recordings = folder / "cdr", folder / "recordings"
        self.scripts = folder / "scripts"
        self.log = folder / "pocket.log"
        self.port = free_port()
        for made in (self.cdr, self.recordings, self.scripts):
            made.mkdir(parents=True, exist_ok=True)
        (self.scripts / "dialogue.py").write_text(DIALOGUE)
        (self.scripts / "lingering.py").write_text(LINGERING)
        self._command = [
            *(sys.executable, "-m", "pocket_switch", "--esl-port", str(self.port)),
            *("--sip-port-base", str(free_port(socket.SOCK_DGRAM))),
            *("--rtp-port-base", str(rtp_range()[0])),
            *("--scripts", str(self.scripts), "--cdr", str(self.cdr), *options),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[Client] = []

    def __enter__(self) -> Pocket:
        environment = {**os.environ, "DUECALL_ESL_PASSWORD": PASSWORD}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, env=environment, stderr=log, start_new_session=True
            )
        try:
            wait_for_start("the pocket switch", self._process, self._answers, self.log)
        except RuntimeError:
            self.__exit__()
            raise
        return self

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def __exit__(self, *exc: object) -> None:
        for client in self._clients:
            client.close()
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self, *, listens: bool = True) -> Client:
        client = Client(self.port, f"userauth duecall@duecall:{PASSWORD}")
        self._clients.append(client)
        assert client.greeting == "+OK accepted"
        if listens:
            reply = client.command("event json " + EVENTS)
            assert reply["Reply-Text"] == "+OK event listener enabled json"
        return client
