"""A real FreeSWITCH of our own for these tests: own folder, own ports, loopback only."""

from __future__ import annotations

import json
import socket
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from duecall.core.site import Site
from duecall.shell.freeswitch_install import write_minimal
from duecall.shell.freeswitch_process import (
    FreeSwitchProcess,
    find_freeswitch,
    why_no_freeswitch,
)
from duecall.shell.loopback_site import rtp_range
from fs_scripts.contract import Brief, Result
from tests.freeswitch.esl import Esl

PASSWORD = "for-tests-only-0123456789"
EVENTS = (
    "event json CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_PARK CHANNEL_HANGUP "
    "CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB CUSTOM duecall::progress"
)


@dataclass
class Switch:
    """A running switch, an Event Socket link as the daemon (with events), and one as its admin."""

    process: FreeSwitchProcess
    folder: Path
    esl_port: int
    sip_port: int
    daemon: Esl
    admin: Esl

    def sound(self, name: str, ms: int) -> str:
        """A file of silence so long."""
        path = self.folder / "sounds" / f"{name}-{ms}.wav"
        if not path.exists():
            with wave.open(str(path), "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(8000)
                out.writeframes(bytes(16 * ms))
        return str(path)

    def start_call(
        self, brief: Brief | str, *, apps: str = "python:fs_scripts.entry,park:", more: str = ""
    ) -> str:
        """Call a line that answers at once and says nothing; returns the leg's uuid."""
        leg = str(uuid4())
        text = brief if isinstance(brief, str) else brief.encode()
        self.daemon.bgapi(
            f"originate {{origination_uuid={leg},presence_data=duecall:test,"
            f"ignore_early_media=true,originate_timeout=30,park_timeout=20:ALLOTTED_TIMEOUT,{more}"
            f"duecall_brief={text}}}null/1 '{apps}' inline"
        )
        return leg

    def press(self, leg: str, key: str) -> None:
        assert self.admin.api(f"uuid_recv_dtmf {leg} {key}").startswith("+OK")

    def progress(self, leg: str, what: str, step: str = "") -> dict[str, Any]:
        return self.daemon.wait(
            lambda e: (
                e.get("Event-Subclass") == "duecall::progress"
                and e["Unique-ID"] == leg
                and e["Duecall-What"] == what
                and step in ("", e["Duecall-Step"])
            )
        )

    def ended(self, leg: str) -> tuple[Result | None, dict[str, Any]]:
        """Wait for the leg's end. Its result and the event that told."""
        event = self.daemon.wait_for("CHANNEL_HANGUP_COMPLETE", leg)
        text = event.get("variable_duecall_result")
        return (Result.decode(text) if text else None), event

    def result(self, leg: str) -> Result:
        result, _ = self.ended(leg)
        assert result is not None, "answered, and no result"
        return result

    def record(self, leg: str) -> dict[str, Any]:
        """The call record on disk."""
        path = self.folder / "var" / "cdr" / f"{leg}.cdr.json"
        return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]


def free_port() -> int:
    """One that is free for TCP and UDP now."""
    while True:
        with socket.socket() as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                try:
                    udp.bind(("127.0.0.1", port))
                except OSError:
                    continue
            return port


@pytest.fixture(scope="session")
def site() -> Site:
    trunk = {"proxy": "127.0.0.1:9", "channels": 50, "calls_per_second": 20}
    return Site.model_validate({"trunks": {"carrier": trunk}})


def running(
    folder: Path, site: Site, before: Callable[[Path], None] = lambda _: None
) -> Iterator[Switch]:
    """Start one; `before` may change what was written into its folder."""
    prefix = find_freeswitch()
    if prefix is None:
        pytest.skip(why_no_freeswitch())
    esl_port, sip_port = free_port(), free_port()
    write_minimal(
        folder, site, sip_port=sip_port, esl_port=esl_port, password=PASSWORD,
        rtp_ports=rtp_range(),
    )  # fmt: skip
    before(folder)
    with (
        FreeSwitchProcess(prefix, folder, esl_port) as process,
        Esl(esl_port, f"userauth {site.switch.user}:{PASSWORD}") as daemon,
        Esl(esl_port, f"auth {PASSWORD}") as admin,
    ):
        assert daemon.command(EVENTS).startswith("+OK")
        yield Switch(process, folder, esl_port, sip_port, daemon, admin)


@pytest.fixture(scope="session")
def shared_switch(tmp_path_factory: pytest.TempPathFactory, site: Site) -> Iterator[Switch]:
    yield from running(tmp_path_factory.mktemp("freeswitch"), site)


@pytest.fixture
def switch(shared_switch: Switch) -> Iterator[Switch]:
    """The shared one, which must have outlived the test."""
    shared_switch.daemon.events.clear()
    yield shared_switch
    assert shared_switch.process.alive, shared_switch.process.log()
