"""Calls a second through the whole daemon, beside the raw limit of the same switch.

A call here is: INVITE, answer, the dialogue script with a short sound, BYE, and durably settled.
Raw: the same originate line, pipelined on one Event Socket connection by a loop that only keeps so
many in flight; no daemon, no database. Both in the same run, in turns, over the same SIPp callee,
with the same number of calls in flight; the best of several windows stands for the raw limit.

    python benchmarks/dial_rate.py [--switch freeswitch] [--calls 4000] [--windows 40,80,160]
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402
import csv  # noqa: E402
import shutil  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import uuid  # noqa: E402
import wave  # noqa: E402
from dataclasses import dataclass, replace  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402
import gevent.lock  # noqa: E402
import psutil  # noqa: E402
import yaml  # noqa: E402

from duecall.core import commands as c  # noqa: E402
from duecall.core.attempt import Attempt, Past, Target  # noqa: E402
from duecall.core.contact import Account, Contact  # noqa: E402
from duecall.shell import control, originate_line  # noqa: E402
from duecall.shell.clock import now  # noqa: E402
from duecall.shell.config_file import load_campaign  # noqa: E402
from duecall.shell.esl_link import EslLink  # noqa: E402
from duecall.shell.freeswitch_layout import find_freeswitch  # noqa: E402
from duecall.shell.loopback_site import LoopbackSite, SwitchKind  # noqa: E402
from duecall.shell.preparer import Preparer  # noqa: E402
from duecall.shell.switch_events import EVENT_NAMES  # noqa: E402
from duecall.shell.target_store import TargetRow  # noqa: E402
from fs_scripts.contract import Brief  # noqa: E402
from sipp_scenarios.field import Field  # noqa: E402

SOUND_MS = 200
PREFIX = "+84912"  # numbers.csv: bench-answer
EDGE = 0.1  # the first and last tenth of a run are not counted: filling up and running empty


@dataclass(frozen=True)
class Cost:
    """Of one run. rate: calls a second. cpu_s: a 1,000 calls; peak_mb: resident memory."""

    rate: float
    daemon_cpu_s: float = 0.0
    daemon_peak_mb: float = 0.0
    switch_cpu_s: float = 0.0
    switch_peak_mb: float = 0.0


def middle_rate(ends: list[float]) -> float:
    """Calls a second, between the first and last tenth of these moments of ending."""
    ends = sorted(ends)
    low, high = int(len(ends) * EDGE), int(len(ends) * (1 - EDGE)) - 1
    return (high - low) / (ends[high] - ends[low])


class Meter:
    """Processor time and peak memory of a process and its children, while it runs."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.peak_mb = 0.0
        self._began = self._cpu()
        self._greenlet = gevent.spawn(self._watch)

    def stop(self) -> float:
        """Processor seconds since the start."""
        self._greenlet.kill()
        return self._cpu() - self._began

    def _all(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _cpu(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self._all())

    def _watch(self) -> None:
        while True:
            rss = sum(process.memory_info().rss for process in self._all())
            self.peak_mb = max(self.peak_mb, rss / 1e6)
            gevent.sleep(0.25)


class Bench:
    def __init__(self, folder: Path, kind: SwitchKind, proxy: str, window: int) -> None:
        self.folder, self.kind, self.window = folder, kind, window
        self.site = LoopbackSite(
            folder,
            kind,
            proxy=proxy,
            channels=window,
            calls_per_second=500,
            tts_cache=folder.parent / "tts_cache",
        )
        sound = folder / "beep.wav"
        with wave.open(str(sound), "wb") as out:
            out.setparams((1, 2, 8000, 0, "NONE", ""))
            loud = b"\x00\x10" * 8 + b"\x00\xf0" * 8
            out.writeframes(loud * (SOUND_MS * 8 // 16))
        self.campaign = folder / "bench.yaml"
        self.campaign.write_text(
            yaml.safe_dump(
                {
                    "name": "bench",
                    "contacts": "bench.csv",
                    "contacts_as_of": "2026-11-22",
                    "language": "en",
                    "country": "VN",
                    "rules": {"pack": "none", "pack_reason": "callees on this machine"},
                    "currency": "VND",
                    "zone": "Asia/Ho_Chi_Minh",
                    "calendar": {"hours": [{"from": "00:00", "to": "24:00"}]},
                    "message": [{"sound": "beep.wav"}],
                    "retry": {"max_attempts": 1},
                    "caller_id": "842412345678",
                    "trunk": "demo",
                }
            )
        )

    def write_contacts(self, calls: int) -> None:
        with (self.folder / "bench.csv").open("w", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(
                ["name", "contract_number", "balance", "interest_rate", "due_date", "dpd", "phone"]
            )
            for n in range(calls):
                rows.writerow(
                    ["Anh", f"HD-{n:06d}", 1_000_000, "18.5", "2026-11-01", 21, f"{PREFIX}{n:06d}"]
                )

    # ---- raw

    def raw(self, calls: int) -> Cost:
        """One connection sends, another hears; nothing is decided and nothing is stored."""
        settings = self.site.site.switch
        links = []
        for _ in range(2):
            link = EslLink(
                settings.host,
                settings.port,
                settings.user,
                self.site.password,
                password_source="the benchmark",
            )
            link.connect()
            links.append(link)
        command, events = links
        events.subscribe(EVENT_NAMES, (), (("Channel-Presence-Data", "duecall:raw"),))
        ends: list[float] = []
        room = gevent.lock.Semaphore(self.window)

        def hear() -> None:
            for event in events.events():
                if event.get("Event-Name") == "CHANNEL_HANGUP_COMPLETE":
                    ends.append(time.monotonic())
                    room.release()

        ears = gevent.spawn(hear)
        campaign = load_campaign(self.campaign, self.site.site)
        contact = Contact("Anh", f"{PREFIX}000000")
        account = Account("HD", 1_000_000, "VND", "18.5", now().wall.date())
        row = TargetRow(0, "demo", "bench", contact, account, "hash", Past())
        (target,), _ = Preparer(self.site.site).prepare(campaign, [row])
        switch = Meter(self.site.switch_pid)
        pending = []
        for n in range(calls):
            if not room.acquire(timeout=60):
                raise RuntimeError(f"raw: no call ended for 60 s; {n} were sent")
            line, job = self._line(target.brief, n)
            pending.append(command.start_bgapi(line, job))
        give_up = time.monotonic() + 60
        while len(ends) < calls and time.monotonic() < give_up:
            gevent.sleep(0.05)
        cpu = switch.stop()
        ears.kill()
        for link in links:
            link.close()
        if len(ends) < 0.995 * calls:  # one that the switch refused says so to nobody here
            raise RuntimeError(f"raw: {calls - len(ends)} calls of {calls} never ended")
        return Cost(
            middle_rate(ends), switch_cpu_s=cpu / calls * 1000, switch_peak_mb=switch.peak_mb
        )

    def _line(self, brief: Brief, n: int) -> tuple[str, str]:
        attempt_id = str(uuid.uuid4())
        target = Target(
            n,
            "demo",
            "bench",
            Contact("Anh", f"{PREFIX}{n:06d}"),
            Account("HD", 1, "VND", "1", now().wall.date()),
            "hash",
            Past(),
            replace(brief, attempt_id=attempt_id),
        )
        command = c.Originate(
            Attempt(attempt_id, 1, target, now().wall),
            "demo",
            "842412345678",
            "",
            30,
            300,
            record=False,
            transfer_wait_s=0,
        )
        trunk = self.site.site.trunks["demo"]
        line = originate_line.originate(command, trunk, presence="duecall:raw", recording=None)
        return line, attempt_id

    # ---- the daemon

    def through_daemon(self, calls: int) -> Cost:
        """The whole way: CSV, database, gate, write-ahead, call, settle."""
        self.write_contacts(calls)
        for old in self.site.path("var").glob("duecall.db*"):
            old.unlink()
        self.site.start_daemon()
        try:
            daemon, switch = Meter(self.site.daemon_pid), Meter(self.site.switch_pid)
            started = self.site.duecall("start", str(self.campaign))
            if started.returncode:
                raise RuntimeError(started.stdout + started.stderr)
            socket = self.site.path("var") / "duecall.sock"
            ticks: list[tuple[float, int]] = []
            give_up = time.monotonic() + 600
            while time.monotonic() < give_up:
                status = control.ask(socket, {"do": "status"})
                ticks.append((time.monotonic(), status["settled"]))
                if status["settled"] >= calls:
                    break
                gevent.sleep(0.25)
            cpu, switch_cpu = daemon.stop(), switch.stop()
            if status["outcomes"] != {"delivered": calls}:
                raise RuntimeError(f"not all were delivered: {status['outcomes']}")
        finally:
            self.site.stop_daemon()
        inner = [tick for tick in ticks if EDGE * calls <= tick[1] <= (1 - EDGE) * calls]
        rate = (inner[-1][1] - inner[0][1]) / (inner[-1][0] - inner[0][0])
        per = 1000 / calls
        return Cost(rate, cpu * per, daemon.peak_mb, switch_cpu * per, switch.peak_mb)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    found = "freeswitch" if find_freeswitch() else "pocket"
    options.add_argument("--switch", choices=("pocket", "freeswitch"), default=found)
    options.add_argument("--calls", type=int, default=4000)
    options.add_argument("--windows", help="calls in flight; default 40,80,160 (pocket: 10,20)")
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    usual = "40,80,160" if given.switch == "freeswitch" else "10,20"
    windows = [int(window) for window in (given.windows or usual).split(",")]
    folder = Path(tempfile.mkdtemp(prefix="duecall-rate-"))
    raw: dict[int, list[float]] = {window: [] for window in windows}
    whole: dict[int, list[Cost]] = {window: [] for window in windows}
    switch_cost: list[Cost] = []
    try:
        with Field(folder / "callees", callees=["bench-answer"], agents=[]) as field:
            for window in windows:
                bench = Bench(folder / f"w{window}", given.switch, field.proxy, window)
                with bench.site as site:
                    site.start_switch()
                    bench.write_contacts(10)
                    bench.raw(given.calls // 4)  # warm
                    for _ in range(given.rounds):
                        cost = bench.raw(given.calls)
                        raw[window].append(cost.rate)
                        switch_cost.append(cost)
                        whole[window].append(bench.through_daemon(given.calls))
                        print(
                            f"window {window}: raw {raw[window][-1]:.0f}/s, "
                            f"through the daemon {whole[window][-1].rate:.0f}/s",
                            flush=True,
                        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    best_raw = max(windows, key=lambda window: statistics.median(raw[window]))
    best = max(windows, key=lambda window: statistics.median(x.rate for x in whole[window]))
    raw_rate = statistics.median(raw[best_raw])
    rate = statistics.median(cost.rate for cost in whole[best])
    costs = whole[best]
    print(f"\nswitch: {given.switch}; {given.calls} calls a run, medians of {given.rounds}")
    print(f"raw limit:          {raw_rate:6.1f} calls/s (window {best_raw})")
    print(f"through the daemon: {rate:6.1f} calls/s (window {best})")
    print(
        "a 1,000 calls: daemon "
        f"{statistics.median(x.daemon_cpu_s for x in costs):.1f} s of processor, switch "
        f"{statistics.median(x.switch_cpu_s for x in costs):.1f} s "
        f"(raw {statistics.median(x.switch_cpu_s for x in switch_cost):.1f} s)"
    )
    print(
        f"peak memory: daemon {max(x.daemon_peak_mb for x in costs):.0f} MB, "
        f"switch {max(x.switch_peak_mb for x in costs):.0f} MB"
    )
    ratio = rate / raw_rate
    print(f"ratio {ratio:.2f} (at least 0.8 on FreeSWITCH)")
    sys.exit(given.switch == "freeswitch" and ratio < 0.8)


if __name__ == "__main__":
    main()
