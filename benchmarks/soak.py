"""450 calls a minute with a 15-second message and real sound, for ten minutes.

Callees behave by the last digit of their number (numbers.csv, +84911*): most listen, some are
busy, do not answer, cannot be reached, or press 1 and talk to an agent. At the end every attempt
must be settled, every outcome must be what the callee did, and memory must not have grown.

    python benchmarks/soak.py [--switch freeswitch] [--minutes 10]
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import yaml

from duecall.shell import control
from duecall.shell.freeswitch_layout import find_freeswitch, why_no_freeswitch
from duecall.shell.loopback_site import LoopbackSite
from sipp_scenarios.field import Field, Timing
from sipp_scenarios.number_plan import NumberPlan, read_rows

CALLS_PER_SECOND = 8
NEEDED_PER_MINUTE = 450
MESSAGE_S = 15
RING_S = 10
AGENTS = 30
GROWTH_MAX = 1.10
TEXT = (
    "Kính chào {{ name }}. Đây là cuộc gọi nhắc nợ tự động của ngân hàng. Quý khách hiện có khoản "
    "vay đã quá hạn, số tiền cần thanh toán là {{ balance }}. Kính mong quý khách thanh toán sớm. "
    "Bấm phím 1 để gặp nhân viên của chúng tôi."
)


def write_campaign(folder: Path, calls: int) -> list[str]:
    """quick.yaml and its contacts; the numbers that will be called."""
    numbers = [f"+84911{n:06d}" for n in range(100_000, 100_000 + calls)]
    (folder / "soak.yaml").write_text(
        yaml.safe_dump(
            {
                "name": "soak",
                "contacts": "soak.csv",
                "contacts_as_of": "2026-11-22",
                "language": "vi",
                "country": "VN",
                "rules": {"pack": "none", "pack_reason": "callees on this machine"},
                "currency": "VND",
                "zone": "Asia/Ho_Chi_Minh",
                "calendar": {"hours": [{"from": "00:00", "to": "24:00"}]},
                "message": [TEXT],
                "wait": "1s",
                "repeats": 0,
                "keys": {1: {"do": "transfer", "to": "front-desk"}},
                "no_agent": "Xin lỗi, không có nhân viên nào rảnh.",
                "retry": {"max_attempts": 1},
                "caller_id": "842412345678",
                "trunk": "demo",
                "ring": f"{RING_S}s",
            },
            allow_unicode=True,
        )
    )
    with (folder / "soak.csv").open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(
            ["name", "contract_number", "balance", "interest_rate", "due_date", "dpd", "phone"]
        )
        for n, number in enumerate(numbers):
            rows.writerow(
                [
                    f"Trần Văn {chr(65 + n % 26)}",
                    f"HD-{n:06d}",
                    1_000_000 + n % 50 * 1_000,
                    "18.5",
                    "2026-11-01",
                    21,
                    number,
                ]
            )
    return numbers


def memory_mb(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(p.memory_info().rss for p in [process, *process.children(recursive=True)]) / 1e6


def cpu_s(pid: int) -> float:
    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(sum(p.cpu_times()[:2]) for p in every)


def growth(samples: list[float]) -> float:
    """The last fifth over the second fifth: the first is still filling up."""
    fifth = max(1, len(samples) // 5)
    return statistics.median(samples[-fifth:]) / statistics.median(samples[fifth : 2 * fifth])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "--switch",
        choices=("freeswitch",),
        default="freeswitch",
        help="the pocket switch holds 32 calls",
    )
    options.add_argument("--minutes", type=float, default=10)
    options.add_argument("--channels", type=int, default=250)
    options.add_argument("--keep", type=Path, help="work there, and leave everything there")
    given = options.parse_args()
    if find_freeswitch() is None:
        options.error(f"no FreeSWITCH ({why_no_freeswitch()}); the pocket switch holds 32 calls")
    calls = int(given.minutes * 60 * CALLS_PER_SECOND)
    folder = given.keep or Path(tempfile.mkdtemp(prefix="duecall-soak-"))
    try:
        ok = soak(folder, given.switch, given.channels, calls)
    finally:
        if given.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(not ok)


def soak(folder: Path, kind: str, channels: int, calls: int) -> bool:
    plan = NumberPlan(read_rows())
    folder.mkdir(parents=True, exist_ok=True)
    numbers = write_campaign(folder, calls)
    callees = {callee for number in numbers for callee in plan.row_of(number).callees}
    timing = Timing(ring_ms=1_000, press_after_ms=4_000, talk_ms=5_000)
    with Field(folder / "callees", callees=callees, timing=timing) as field:
        host = field.agents["agent-answers"].partition("@")[2]
        agents = [f"sip:agent-{n}@{host}" for n in range(AGENTS)]
        with LoopbackSite(
            folder,
            kind,
            proxy=field.proxy,
            agents=agents,
            channels=channels,
            calls_per_second=CALLS_PER_SECOND,
        ) as site:
            site.start_switch()
            site.start_daemon()
            began_cpu = cpu_s(site.daemon_pid), cpu_s(site.switch_pid)
            started = site.duecall("start", str(folder / "soak.yaml"), timeout=600)
            if started.returncode:
                raise RuntimeError(started.stdout + started.stderr)
            memory = watch(site, calls)
            used = [
                now - before
                for now, before in zip(
                    (cpu_s(site.daemon_pid), cpu_s(site.switch_pid)), began_cpu, strict=True
                )
            ]
            report = folder / "report.csv"
            site.duecall("report", "soak", "--csv", str(report), "--full-phones", timeout=600)
            status = control.ask(site.path("var") / "duecall.sock", {"do": "status"})
        invites = [invite for invite in field.invites() if not invite.repeat]
    with report.open(encoding="utf-8-sig", newline="") as source:
        attempts = list(csv.DictReader(source))
    wrong = Counter(
        (plan.row_of(row["phone"].lstrip("'")).expected_outcome, row["outcome"], row["cause"])
        for row in attempts
        if plan.row_of(row["phone"].lstrip("'")).expected_outcome != row["outcome"]
    )
    times = sorted(invite.unix_time for invite in invites)
    per_minute = (len(times) - 1) / (times[-1] - times[0]) * 60
    rung = Counter(invite.number for invite in invites)
    print(f"\n{len(attempts)} attempts, {len(times)} INVITEs, {per_minute:.0f} calls a minute")
    print("outcomes:", dict(Counter(row["outcome"] for row in attempts)))
    print("not what the callee did:", dict(wrong) or "none")
    growths = []
    for name, samples, cpu in zip(
        ("daemon", "switch"), zip(*memory, strict=True), used, strict=True
    ):
        growths.append(growth(list(samples)))
        print(
            f"{name}: {cpu / calls * 1000:.1f} s of processor a 1,000 calls, memory at most "
            f"{max(samples):.0f} MB, end over begin {growths[-1]:.3f}"
        )
    print("alarms:", status["alarms"] or "none")
    return (
        len(attempts) == calls
        and all(row["outcome"] for row in attempts)
        and not wrong
        and set(rung.values()) == {1}
        and len(rung) == calls
        and per_minute >= NEEDED_PER_MINUTE
        and max(growths) <= GROWTH_MAX
        and not status["alarms"]
    )


def watch(site: LoopbackSite, calls: int) -> list[tuple[float, float]]:
    """Memory of daemon and switch, each 5 s, until all calls are settled."""
    memory: list[tuple[float, float]] = []
    began = told = time.monotonic()
    while True:
        status = control.ask(site.path("var") / "duecall.sock", {"do": "status"})
        memory.append((memory_mb(site.daemon_pid), memory_mb(site.switch_pid)))
        if time.monotonic() - told >= 30 or status["settled"] >= calls:
            told = time.monotonic()
            print(
                f"{told - began:5.0f} s: {status['settled']} of {calls} settled, "
                f"{sum(status['live'].values())} live, memory daemon {memory[-1][0]:.0f} MB, "
                f"switch {memory[-1][1]:.0f} MB",
                flush=True,
            )
        if status["settled"] >= calls:
            return memory
        if time.monotonic() - began > calls / CALLS_PER_SECOND * 2 + 120:
            raise RuntimeError(f"not all settled in time: {status}")
        time.sleep(5)


if __name__ == "__main__":
    main()
