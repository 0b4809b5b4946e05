"""A small campaign over a real switch to real SIP callees, and what came of it."""

from __future__ import annotations

import csv
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from duecall.shell import control
from duecall.shell.loopback_site import LoopbackSite, SwitchKind
from sipp_scenarios.field import Field, Timing
from sipp_scenarios.number_plan import Row, read_rows
from tests.loaded_command import loaded_command, plain_environment

RETRIED = ("busy", "no_answer", "unreachable", "congestion", "rejected")
NUMBERS = {row.number: row for row in read_rows()}
WAIT_S = 240.0  # for a fault: what is waited for comes in seconds, on a slow machine in a minute


def rows_with(*callees: str) -> list[Row]:
    """The first Vietnamese number of numbers.csv that meets each of these callees."""
    found = []
    for callee in callees:
        found.append(
            next(
                row
                for row in NUMBERS.values()
                if row.number.startswith("+849") and "|".join(row.callees) == callee
            )
        )
    return found


def campaign(**changes: Any) -> dict[str, Any]:
    """A short campaign that any callee of numbers.csv understands."""
    return {
        "name": "quick",
        "contacts": "quick.csv",
        "contacts_as_of": "2026-11-22",
        "language": "vi",
        "country": "VN",
        "rules": {"pack": "none", "pack_reason": "callees on this machine"},
        "currency": "VND",
        "zone": "Asia/Ho_Chi_Minh",
        "calendar": {"hours": [{"from": "00:00", "to": "24:00"}]},
        "message": [
            "Kính chào {{ name }}. Quý khách còn nợ {{ balance }}. Bấm phím một để gặp nhân viên."
        ],
        "wait": "2s",
        "repeats": 0,
        "keys": {
            1: {"do": "transfer", "to": "front-desk", "say": "Xin chờ."},
            2: {"do": "claims_paid", "say": "Cảm ơn."},
            3: {"do": "promise", "days": 3, "say": "Cảm ơn."},
            9: {"do": "opt_out", "say": "Chúng tôi sẽ không gọi nữa."},
        },
        "no_agent": "Xin lỗi, không có nhân viên nào rảnh.",
        "retry": {
            "max_attempts": 3,
            # technical: of a call that could not be handed over, as its link was cut just then.
            "by_outcome": {
                outcome: {"every": "2s", "times": 2} for outcome in (*RETRIED, "technical")
            },
        },
        "caller_id": "842412345678",
        "trunk": "demo",
        "ring": "6s",
        "record": True,
        **changes,
    }


class Site(LoopbackSite):
    """Whose commands are forked from the loaded one; its daemon and its switch are started."""

    def duecall(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        timeout_s = options.pop("timeout", 300)
        assert not options
        typed = ["--config", str(self.config), *arguments]
        running = loaded_command().start(typed, Path.cwd(), plain_environment())
        return subprocess.CompletedProcess(typed, *running.wait(timeout_s))


@dataclass
class World:
    """folder: for this world alone. rows: whom the campaign calls (of numbers.csv)."""

    folder: Path
    kind: SwitchKind
    rows: list[Row]
    names: dict[str, str] = field(default_factory=dict)  # number -> name
    changes: dict[str, Any] = field(default_factory=dict)  # of the campaign
    channels: int = 8
    calls_per_second: float = 8
    agents: tuple[str, ...] = ("agent-busy", "agent-answers")
    database: str = "sqlite:///var/duecall.db"

    def __enter__(self) -> World:
        callees = {callee for row in self.rows for callee in row.callees}
        timing = Timing(
            ring_ms=500,
            late_ring_ms=3_500,
            press_after_ms=1_500,
            hang_up_after_ms=2_000,
            talk_ms=1_500,
        )
        self.field = Field(
            self.folder / "callees", callees=callees, agents=self.agents, timing=timing
        )
        self.field.start()
        try:
            self.site = Site(
                self.folder,
                self.kind,
                proxy=self.field.proxy,
                agents=[self.field.agents[name] for name in self.agents],
                channels=self.channels,
                calls_per_second=self.calls_per_second,
                agent_ring_s=5,
                agent_wait_s=15,
                database=self.database,
            )
        except BaseException:
            self.field.stop()
            raise
        self.campaign = self.folder / "quick.yaml"
        self.campaign.write_text(yaml.safe_dump(campaign(**self.changes), allow_unicode=True))
        self.write_contacts(self.rows)
        return self

    def __exit__(self, *_: object) -> None:
        self.site.stop()
        self.field.stop()

    def write_contacts(self, rows: Iterable[Row]) -> None:
        with (self.folder / "quick.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(
                ["name", "contract_number", "balance", "interest_rate", "due_date", "dpd", "phone"]
            )
            for row in rows:
                name = self.names.get(row.number, "Nguyễn Văn An")
                contract = "HD-" + row.number[-6:]
                writer.writerow([name, contract, 1_250_000, "18.5", "2026-11-01", 21, row.number])

    def start_everything(self) -> None:
        self.site.start_switch()
        self.site.start_daemon()
        self.start_campaign()

    def start_campaign(self) -> None:
        done = self.site.duecall("start", str(self.campaign))
        assert done.returncode == 0, done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        return control.ask(self.site.path("var") / "duecall.sock", {"do": "status"})

    def wait(self, check: Any, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """Until check(status) holds; the status then. Fails with the last status."""
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status()
            if check(status):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.2)

    def wait_finished(self, timeout_s: float = WAIT_S) -> dict[str, Any]:
        return self.wait(
            lambda s: bool(s["campaigns"]) and s["campaigns"][0]["state"] == "finished", timeout_s
        )

    def report(self) -> list[dict[str, str]]:
        """One dictionary an attempt, phones whole."""
        path = self.folder / "report.csv"
        done = self.site.duecall("report", "quick", "--csv", str(path), "--full-phones")
        assert done.returncode == 0, done.stdout + done.stderr
        with path.open(encoding="utf-8-sig", newline="") as source:
            rows = list(csv.DictReader(source))
        for row in rows:
            row["phone"] = row["phone"].lstrip("'")
        return rows

    def last_outcomes(self) -> dict[str, str]:
        """number -> outcome of its last attempt."""
        rows = sorted(self.report(), key=lambda row: int(row["number"]))
        return {row["phone"]: row["outcome"] for row in rows}

    def rings(self) -> dict[str, int]:
        """number -> how often it was rung, by what the callees received."""
        counts: dict[str, int] = {}
        for invite in self.field.invites():
            if not invite.repeat:
                counts[invite.number] = counts.get(invite.number, 0) + 1
        return counts
