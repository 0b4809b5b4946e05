"""A whole installation on loopback addresses: switch, callees, config.yaml and folders of its own.

The demo, the end-to-end tests and the benchmarks all stand on it, so that what is shown, what is
tested and what is measured is the same thing. Nothing here ever leaves 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from math import ceil
from pathlib import Path
from typing import Any, Literal

import yaml

from duecall.core.site import Site
from duecall.shell import control
from duecall.shell.config_file import load_site
from duecall.shell.daemon_start import WAITING
from duecall.shell.freeswitch_install import hold_music_path, write_minimal
from duecall.shell.freeswitch_process import FreeSwitchProcess, find_freeswitch, why_no_freeswitch
from duecall.shell.hold_music import write_hold_music
from duecall.shell.process_start import START_S, wait_for_start

SwitchKind = Literal["pocket", "freeswitch"]
REPOSITORY = Path(__file__).resolve().parents[3]


class LoopbackSite:
    """folder: everything is written below it. proxy: where the callees are (host:port)."""

    def __init__(
        self,
        folder: Path,
        kind: SwitchKind,
        *,
        proxy: str,
        agents: Iterable[str] = (),
        channels: int = 10,
        calls_per_second: float = 10,
        agent_ring_s: int = 10,
        agent_wait_s: int = 20,
        tts_cache: Path | None = None,
        database: str = "sqlite:///var/duecall.db",
    ) -> None:
        self.folder = folder.resolve()
        self.kind: SwitchKind = kind
        self.esl_port = free_port()
        self.password = secrets.token_urlsafe(24)
        self.config = self.folder / "config.yaml"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._switch: FreeSwitchProcess | PocketProcess | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        raw: dict[str, Any] = {
            "lender": "demo",
            "database": database,
            "switch": {"port": self.esl_port},
            "folders": {"tts_cache": str(tts_cache or self.folder / "tts_cache")},
            "trunks": {
                "demo": {
                    "proxy": proxy,
                    "channels": channels,
                    "calls_per_second": calls_per_second,
                }
            },
        }
        members = list(agents)
        if members:
            raw["agents"] = {
                "front-desk": {
                    "members": members,
                    "ring": f"{agent_ring_s}s",
                    "wait": f"{agent_wait_s}s",
                }
            }
        self.config.write_text(yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))
        self.site: Site = load_site(self.config)
        password_file = Path(self.site.switch.password_file)
        password_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        for name in ("recordings", "cdr", "tts_cache"):
            self.path(name).mkdir(parents=True, exist_ok=True)
        music = hold_music_path(self.site, self.folder)
        if not music.exists():
            write_hold_music(music)

    def path(self, folder: str) -> Path:
        """One of the site's folders (`var`, `recordings`, `cdr`, `tts_cache`)."""
        return Path(getattr(self.site.folders, folder))

    # ---- the switch

    def start_switch(self) -> None:
        """One that was killed comes back on the ports it had; one that was stopped, on others."""
        if self._switch is None:
            self._switch = self._freeswitch() if self.kind == "freeswitch" else self._pocket()
        self._switch.start()

    def stop_switch(self) -> None:
        if self._switch is not None:
            self._switch.stop()
            self._switch = None

    @property
    def switch_process(self) -> subprocess.Popen[bytes] | None:
        """Of the switch that was started last, alive or not; the leader of its process group."""
        return None if self._switch is None else self._switch.process

    @property
    def switch_pid(self) -> int:
        assert self._switch is not None and self._switch.process is not None
        return self._switch.process.pid

    def _freeswitch(self) -> FreeSwitchProcess:
        prefix = find_freeswitch()
        if prefix is None:
            raise RuntimeError(f"no FreeSWITCH that Duecall can use: {why_no_freeswitch()}")
        run_dir = self.folder / "freeswitch"
        write_minimal(
            run_dir,
            self.site,
            sip_port=free_port(),
            esl_port=self.esl_port,
            password=self.password,
            rtp_ports=rtp_range(),
        )
        return FreeSwitchProcess(prefix, run_dir, self.esl_port, recordings=self.path("recordings"))

    def _pocket(self) -> PocketProcess:
        return PocketProcess(self)

    # ---- the daemon

    def duecall(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run one of the operator's commands on this installation."""
        options.setdefault("timeout", 300)
        return subprocess.run(
            [*COMMAND, "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            check=False,
            **options,
        )

    def start_daemon(self, *options: str, timeout_s: float = START_S) -> None:
        """Returns when the daemon has begun. options: of `duecall run`."""
        self._daemon = subprocess.Popen(
            [
                *COMMAND,
                "--config",
                str(self.config),
                "run",
                "--log-file",
                str(self.folder / "daemon.log"),
                *options,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "daemon.err").open("wb"),
            start_new_session=True,
        )
        socket_path = self.path("var") / "duecall.sock"
        wait_for_start(
            "the daemon",
            self._daemon,
            lambda: _has_begun(socket_path),
            self.folder / "daemon.err",
            timeout_s,
        )

    @property
    def daemon_pid(self) -> int:
        assert self._daemon is not None
        return self._daemon.pid

    def stop_daemon(self, timeout_s: float = 60.0) -> int:
        """SIGTERM; its exit code."""
        if self._daemon is None:
            return 0
        daemon, self._daemon = self._daemon, None
        daemon.terminate()
        try:
            return daemon.wait(timeout_s)
        except subprocess.TimeoutExpired:
            daemon.kill()
            return daemon.wait()

    def kill_daemon(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
            self._daemon = None

    def stop(self) -> None:
        with contextlib.suppress(Exception):
            self.stop_daemon(timeout_s=15)
        self.stop_switch()

    def __enter__(self) -> LoopbackSite:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


COMMAND = (sys.executable, "-m", "duecall")


class PocketProcess:
    """The pocket switch as a process, with the settings of a LoopbackSite."""

    def __init__(self, owner: LoopbackSite) -> None:
        site = owner.site
        self._music = hold_music_path(site, owner.folder)
        self._port = owner.esl_port
        self._log = owner.folder / "pocket_switch.log"
        self._environment = {**os.environ, "DUECALL_ESL_PASSWORD": owner.password}
        self._command = [
            sys.executable,
            "-m",
            "pocket_switch",
            "--esl-port",
            str(owner.esl_port),
            "--sip-port-base",
            str(free_port()),
            "--user",
            site.switch.user,
            "--scripts",
            str(REPOSITORY),
            "--cdr",
            str(owner.path("cdr")),
            "--hold-music",
            str(self._music),
            "--max-sessions",
            str(max(t.channels for t in site.trunks.values()) * 2),
            "--calls-per-second",  # one that is refused by the switch looks like a dead trunk
            str(max(30, ceil(sum(t.calls_per_second for t in site.trunks.values()) * 2))),
        ]
        for name, trunk in site.trunks.items():
            self._command += ["--gateway", f"{name}={trunk.proxy}"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # Other ports for sound than in an earlier life: its callees may still be talking to those.
        self.process = subprocess.Popen(
            [*self._command, "--rtp-port-base", str(rtp_range()[0])],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_for_start("the pocket switch", self.process, self._answers, self._log)

    def _answers(self) -> bool:
        return _accepts(("127.0.0.1", self._port))

    def stop(self) -> None:
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is not None:
            return  # long ago perhaps: its number, and so its group's, may be another's by now
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _has_begun(path: Path) -> bool:
    """path: the control socket of a daemon, or where it will be."""
    try:
        return bool(control.ask(path, {"do": "status"}, 5.0)["state"] != WAITING)
    except (control.NoDaemon, control.ControlError):
        return False


def _accepts(address: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        try:
            probe.connect(address)
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that is free now for both TCP and UDP on loopback."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with (
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
                contextlib.suppress(OSError),
            ):
                udp.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("no free port on 127.0.0.1")


# Below the ports that the kernel hands out by itself (32768 and up): those would be taken from
# under the switch in the middle of a call.
RTP_FIRST, RTP_LAST, RTP_PORTS = 10_000, 32_000, 800
_CLAIMS_KEPT = 4  # a switch that starts anew leaves its range to callees who talk to it still
_slot = os.getpid()
_claims: deque[socket.socket] = deque(maxlen=_CLAIMS_KEPT)


def rtp_range() -> tuple[int, int]:
    """RTP_PORTS UDP ports for sound that are free now; another range at each call.

    Claimed against other sites of this machine: a switch holds the port of a call only while there
    is one, and what another site's callee sends there after that hides the keys of the next callee.
    """
    global _slot
    slots = (RTP_LAST - RTP_FIRST) // RTP_PORTS
    for _ in range(slots):
        start = RTP_FIRST + (_slot % slots) * RTP_PORTS
        _slot += 1
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", start + RTP_PORTS - 1))
        except OSError:
            claim.close()
            continue
        if all(_is_free(port) for port in range(start, start + RTP_PORTS - 2, 20)):
            _claims.append(claim)
            return start, start + RTP_PORTS - 4
        claim.close()
    raise RuntimeError(f"no {RTP_PORTS} free UDP ports between {RTP_FIRST} and {RTP_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
