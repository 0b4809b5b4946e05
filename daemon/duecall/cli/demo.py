"""`duecall demo`: a campaign over real SIP and sound, to callees that behave in known ways."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import yaml
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from duecall.cli import cli
from duecall.cli.common import console, errors, fail
from duecall.cli.status_view import status_view
from duecall.core.campaign import MESSAGE_STEP
from duecall.core.contact_phone import parse_phone
from duecall.shell import control
from duecall.shell.loopback_site import REPOSITORY, LoopbackSite, SwitchKind

CAMPAIGN = REPOSITORY / "campaigns" / "overdue-vi.yaml"
FOLDER = REPOSITORY / "var" / "demo"
RETRY_S, RING_S, LONGEST_S = 3, 8, 240
ATTEMPTS = 3
TELL_S = 10  # where there is no terminal to draw on
CHANGED = (
    f"For the demo these are changed in a copy of {CAMPAIGN.name}: instead of a country's calling "
    f"rules a gap of {RETRY_S - 1} s and {ATTEMPTS} calls a day, calling hours all day, retries "
    f"after {RETRY_S} s, ring time {RING_S} s, the message said once, every call recorded."
)


@dataclass(frozen=True)
class Row:
    """One contact of the demo: what its callee is and should lead to, and what it led to."""

    contact: str
    number: str
    callee: str
    expected: str
    actual: str
    attempts: int
    keys: str

    @property
    def agrees(self) -> bool:
        return self.expected == self.actual


@cli.command()
@click.option(
    "--switch",
    "kind",
    type=click.Choice(["pocket", "freeswitch"]),
    default="pocket",
    show_default=True,
    help="The pocket switch needs no FreeSWITCH; it is not one.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    help="Where everything is written.",
    show_default="var/demo",
)
@click.option("--keep", default=3, show_default=True, help="Earlier demos to keep.")
def demo(kind: SwitchKind, folder: Path, keep: int) -> None:
    """Call some forty contacts who answer, press keys, are busy, hang up, and so on.

    All of it happens on this machine, over 127.0.0.1: real SIP, real sound, SIPp as callees. It
    ends with a table of what was expected and what came, then the audit of the log. It exits 0 only
    if all agree and every call was lawful.

    \b
    Example:
      duecall demo
      duecall demo --switch freeswitch
    """
    try:
        from sipp_scenarios.field import Field, Timing
        from sipp_scenarios.number_plan import NumberPlan, read_rows
    except ImportError:
        fail("sipp_scenarios/ is not beside the program: run the demo from a checkout")
    started = time.monotonic()
    _make_room(folder, keep)
    work = folder / datetime.now().strftime("%Y%m%d-%H%M%S")
    work.mkdir(parents=True)
    rows = _contacts(CAMPAIGN)
    console.print(
        f"[bold]Duecall demo[/bold]: {len(rows)} contacts of {CAMPAIGN.name}, {_name(kind)}"
    )
    console.print(CHANGED, highlight=False)
    plan = NumberPlan(read_rows())
    people = {row["phone"]: plan.row_of(row["phone"]) for row in rows}
    callees = {callee for person in people.values() if person for callee in person.callees}
    timing = Timing(ring_ms=1_000, late_ring_ms=RING_S * 1_000 - 2_500)
    with Field(work / "callees", callees=callees, timing=timing) as field:
        # The first agent is always busy: every transfer goes on to the second one.
        agents = [field.agents["agent-busy"], field.agents["agent-answers"]]
        site = LoopbackSite(
            work, kind, proxy=field.proxy, agents=agents, channels=16, calls_per_second=6
        )
        with site:
            site.start_switch()
            campaign = _shortened(CAMPAIGN, work)
            site.start_daemon()
            done = site.duecall("start", str(campaign))
            if done.returncode:
                fail(f"the campaign did not start:\n{done.stdout}{done.stderr}")
            calling = time.monotonic()
            _watch(site, campaign.stem)
            seconds = time.monotonic() - calling
            report = work / "report.csv"
            printed = site.duecall("report", campaign.stem, "--csv", str(report), "--full-phones")
            if printed.returncode:
                fail(f"the report failed:\n{printed.stdout}{printed.stderr}")
            table = list(_compare(report, rows, people))
            audited = site.duecall("audit")
    _show(table)
    console.print()
    console.print(printed.stdout, highlight=False, markup=False, end="")
    recordings = sorted(site.path("recordings").rglob("*.wav"))
    console.print(f"report:     {report}", highlight=False, soft_wrap=True)
    console.print(
        f"recordings: {site.path('recordings')} ({len(recordings)} calls)",
        highlight=False,
        soft_wrap=True,
    )
    console.print()
    console.print(audited.stdout + audited.stderr, highlight=False, markup=False, end="")
    wrong = [row for row in table if not row.agrees]
    console.print(
        f"{len(table) - len(wrong)} of {len(table)} contacts as expected; calling took "
        f"{seconds:.0f} s, all together {time.monotonic() - started:.0f} s, {_name(kind)}",
        highlight=False,
    )
    sys.exit(1 if wrong or not recordings or audited.returncode else 0)


def _name(kind: SwitchKind) -> str:
    if kind == "pocket":
        return "on Duecall's pocket switch (it stands in for FreeSWITCH; it is not FreeSWITCH)"
    return "on FreeSWITCH"


def _contacts(campaign: Path) -> list[dict[str, str]]:
    name = yaml.safe_load(campaign.read_text(encoding="utf-8"))["contacts"]
    with (campaign.parent / name).open(encoding="utf-8-sig", newline="") as source:
        # The file writes numbers in all the ways that people do; numbers.csv has them as E.164.
        return [
            {**row, "phone": parse_phone(row["phone"], "VN").e164} for row in csv.DictReader(source)
        ]


def _shortened(campaign: Path, work: Path) -> Path:
    """A copy of the campaign that does in two minutes what takes days, and its files."""
    raw: dict[str, Any] = yaml.safe_load(campaign.read_text(encoding="utf-8"))
    folder = work / "campaigns"
    shutil.copytree(campaign.parent, folder, ignore=shutil.ignore_patterns("*.yaml"))
    raw["calendar"] = {"hours": [{"from": "00:00", "to": "24:00"}]}
    raw["rules"] = {
        "pack": "none",
        "pack_reason": "demo: callees on this machine",
        "gaps": [{"id": "demo.gap", "per": "number", "gap": f"{RETRY_S - 1}s"}],
        "caps": [
            {
                "id": "demo.day",
                "counts": ["attempt"],
                "per": ["number", "contact"],
                "window": {"rolling_hours": 24},
                "max": ATTEMPTS,
            }
        ],
    }
    raw["ring"] = f"{RING_S}s"
    raw["wait"] = "3s"
    raw["repeats"] = 0
    raw["record"] = True
    raw["retry"] = {
        "max_attempts": ATTEMPTS,
        "by_outcome": {
            outcome: {"every": f"{RETRY_S}s", "times": 2}
            for outcome in ("busy", "no_answer", "unreachable", "congestion", "rejected")
        },
    }
    path = folder / campaign.name
    path.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def _watch(site: LoopbackSite, campaign: str) -> None:
    """Live progress until every contact is done with."""
    began = told = time.monotonic()
    deadline = began + LONGEST_S
    with Live(console=errors, auto_refresh=False, transient=True) as live:
        while True:
            status = control.ask(site.path("var") / "duecall.sock", {"do": "status"})
            if errors.is_terminal:
                live.update(status_view(status), refresh=True)
            elif time.monotonic() - told >= TELL_S:
                told = time.monotonic()
                live_calls = sum(status["live"].values())
                errors.print(
                    f"{told - began:.0f} s: {status['settled']} attempts settled, "
                    f"{live_calls} calls live"
                )
            mine = [c for c in status["campaigns"] if c["name"] == campaign]
            if mine and mine[0]["state"] == "finished":
                return
            if time.monotonic() > deadline:
                fail(f"not finished after {LONGEST_S} s:\n{json.dumps(status, indent=1)}")
            time.sleep(0.5)


def _compare(report: Path, contacts: list[dict[str, str]], people: dict[str, Any]) -> Iterator[Row]:
    """people: number -> its row of numbers.csv."""
    attempts: dict[str, list[dict[str, str]]] = {}
    with report.open(encoding="utf-8-sig", newline="") as source:
        for line in csv.DictReader(source):
            attempts.setdefault(line["contract"], []).append(line)
    for contact in contacts:
        mine = sorted(attempts.get(contact["contract_number"], []), key=lambda a: int(a["number"]))
        person = people[contact["phone"]]
        yield Row(
            contact=contact["name"],
            number=contact["phone"],
            callee="|".join(person.callees) if person else "nobody",
            expected=person.expected_outcome if person else "invalid",
            actual=mine[-1]["outcome"] if mine else "not called",
            attempts=len(mine),
            keys=" ".join(a["keys"] for a in mine if a["keys"]),
        )


def _show(rows: list[Row]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("contact", overflow="fold")
    table.add_column("callee", overflow="fold")
    for title in ("expected", "came", "calls", "keys", ""):
        table.add_column(title, justify="right" if title == "calls" else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            escape(row.contact[:24]),
            # numbers.csv has `busy|presses-1`; words with blanks wrap where words end.
            row.callee.replace("|", ", then ").replace("-", " "),
            row.expected,
            row.actual,
            str(row.attempts),
            row.keys.replace(f"{MESSAGE_STEP}:", ""),
            "[green]ok[/green]" if row.agrees else "[red]DIFFERS[/red]",
        )
    console.print(table)


def _make_room(folder: Path, keep: int) -> None:
    earlier = sorted(path for path in folder.glob("2*") if path.is_dir())
    for path in earlier[: max(0, len(earlier) - keep)]:
        shutil.rmtree(path)
