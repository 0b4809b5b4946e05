"""A daemon in this process: a real store, real prompts, and a switch that is not there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from duecall.core.campaign import Campaign
from duecall.core.site import Site
from duecall.shell.daemon_start import begin
from duecall.shell.service import Service
from duecall.shell.store import Store
from duecall.shell.vault import Vault
from tests.shell import store_world as build


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def campaign(**changes: Any) -> Campaign:
    """Calls at any hour; says the name, so that a row can be unspeakable."""
    changes.setdefault("message", [{"text": "xin chào {{ name }}"}])
    return build.campaign(calendar={"hours": [{"from": "00:00", "to": "24:00"}]}, **changes)


class Daemon:
    """folder: for this daemon alone. Nobody listens on the switch's port."""

    def __init__(self, folder: Path, calls_per_second: float = 50) -> None:
        self.folder = folder
        self.site = Site.model_validate(
            {
                "lender": "bank",
                "switch": {"port": free_port()},
                "folders": {
                    name: str(folder / name) for name in ("var", "recordings", "cdr", "tts_cache")
                },
                "trunks": {
                    "demo": {
                        "proxy": "127.0.0.1:5080",
                        "channels": 20,
                        "calls_per_second": calls_per_second,
                    }
                },
                "agents": {"front-desk": {"members": ["sip:anna@127.0.0.1:5090"]}},
            }
        )
        for name in ("cdr", "tts_cache"):
            (folder / name).mkdir(exist_ok=True)

    def fill(self, rows: Any, state: str = "running", **changes: Any) -> None:
        """The database as an import leaves it."""
        store = self.store()
        store.put_campaign(campaign(**changes), "name: overdue\n")
        store.import_rows(build.NAME, rows)
        store.rank(build.NAME)
        store.set_campaign_state(build.NAME, state)
        store.close()

    def store(self) -> Store:
        return build.open_store(self.folder)

    def start(self, vault: Vault | None = None) -> None:
        """vault: with one, it keeps a journal."""
        self.service = Service(
            self.site,
            begun=begin(self.store),
            password="x",
            daemon_id="test",
            root=self.folder,
            vault=vault,
        )
        self.running = gevent.spawn(self.service.run, 5.0)

    def stop(self) -> None:
        """As SIGTERM does."""
        self.service.stop()
        self.running.join(30)
        assert self.running.successful(), self.running.exception


def until(check: Callable[[], Any], timeout_s: float = 20.0) -> None:
    """Waits on the hub; fails where it never holds."""
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline, "it never came to be"
        gevent.sleep(0.01)
