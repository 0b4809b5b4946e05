"""`duecall demo`: a campaign over real SIP and sound, to callees that behave in known ways."""

from __future__ import annotations

import csv
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from duecall.cli import cli
from duecall.cli.common import console, errors, fail
from duecall.cli.demo_campaigns import (
    CHANGED,
    MAIN,
    OTHERS,
    DemoCampaign,
    read_campaign,
    write_copy,
)
from duecall.cli.demo_sound import Spoken, spoken
from duecall.cli.status_view import status_view
from duecall.core.campaign import MESSAGE_STEP
from duecall.shell import control
from duecall.shell.loopback_site import REPOSITORY, LoopbackSite, SwitchKind

FOLDER = REPOSITORY / "var" / "demo"
RING_MS, LATE_RING_MS = 1_000, 5_500
LONGEST_S = 240
TELL_S = 10  # where there is no terminal to draw on


@dataclass(frozen=True)
class Row:
    """One contact of the demo: what its callee is and should lead to, and what it led to.

    spoken: what its recording holds; None where nobody answered.
    """

    language: str
    contact: str
    number: str
    callee: str
    expected: str
    actual: str
    attempts: int
    keys: str
    spoken: Spoken | None

    @property
    def agrees(self) -> bool:
        unspoken = self.spoken is not None and not self.spoken.right
        return self.expected == self.actual and not unspoken


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
    """Call some sixty contacts in four languages: they answer, press keys, are busy, hang up …

    All of it happens on this machine, over 127.0.0.1: real SIP, real sound, SIPp as callees. It
    ends with a table of what was expected and what came, then the audit of the log. Each recording
    is held against the message that its contact should have heard. It exits 0 only if all agree
    and every call was lawful.

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
    plan = NumberPlan(read_rows())
    callee_of = {row.number: "|".join(row.callees) for row in read_rows()}
    campaigns = [read_campaign(MAIN), *(read_campaign(name, callee_of) for name in OTHERS)]
    contacts = sum(len(campaign.rows) for campaign in campaigns)
    console.print(
        f"[bold]Duecall demo[/bold]: {contacts} contacts of {len(campaigns)} campaigns in "
        f"{len({campaign.language for campaign in campaigns})} languages, {_name(kind)}"
    )
    console.print(CHANGED, highlight=False)
    numbers = [row["phone"] for campaign in campaigns for row in campaign.rows]
    people = {number: plan.row_of(number) for number in numbers}
    callees = {callee for person in people.values() if person for callee in person.callees}
    timing = Timing(ring_ms=RING_MS, late_ring_ms=LATE_RING_MS)
    with Field(work / "callees", callees=callees, timing=timing) as field:
        # The first agent is always busy: every transfer goes on to the second one.
        agents = [field.agents["agent-busy"], field.agents["agent-answers"]]
        site = LoopbackSite(
            work,
            kind,
            proxy=field.proxy,
            agents=agents,
            channels=24,
            calls_per_second=6,
            agent_wait_s=60,
        )
        with site:
            site.start_switch()
            paths = [write_copy(campaign, work) for campaign in campaigns]
            site.start_daemon()
            # All sounds first: a machine that is busy making them is late with playing them.
            with ThreadPoolExecutor(len(paths)) as pool:
                list(pool.map(lambda path: _start_paused(site, path), paths))
            calling = time.monotonic()
            daemon = site.path("var") / "duecall.sock"
            for path in paths:
                control.ask(daemon, {"do": "resume", "campaign": path.stem})
            _watch(site, [path.stem for path in paths])
            seconds = time.monotonic() - calling
            with ThreadPoolExecutor(len(paths)) as pool:
                told = list(pool.map(lambda *one: _came(site, people, *one), campaigns, paths))
            audited = site.duecall("audit")
    printed = "".join(report for report, _ in told)
    table = [row for _, rows in told for row in rows]
    _show(table)
    console.print()
    console.print(printed, highlight=False, markup=False, end="")
    recordings = sorted(site.path("recordings").rglob("*.wav"))
    for label, place in (("reports", work), ("recordings", site.path("recordings"))):
        more = f" ({len(recordings)} calls)" if label == "recordings" else "/report-….csv"
        console.print(f"{label + ':':11} {place}{more}", highlight=False, soft_wrap=True)
    console.print()
    console.print(audited.stdout + audited.stderr, highlight=False, markup=False, end="")
    wrong = [row for row in table if not row.agrees]
    _tell_spoken(table)
    console.print(
        f"{len(table) - len(wrong)} of {len(table)} contacts as expected; calling took "
        f"{seconds:.0f} s, all together {time.monotonic() - started:.0f} s, {_name(kind)}",
        highlight=False,
    )
    mute = {row.language for row in table} - {row.language for row in table if _whole(row)}
    sys.exit(1 if wrong or mute or not recordings or audited.returncode else 0)


def _start_paused(site: LoopbackSite, path: Path) -> None:
    _run(site, "the campaign did not start", "start", str(path), "--paused")


def _came(
    site: LoopbackSite, people: dict[str, Any], campaign: DemoCampaign, path: Path
) -> tuple[str, list[Row]]:
    """The campaign's report, and what came of each of its contacts."""
    report = site.folder / f"report-{campaign.name}.csv"
    told = ("report", path.stem, "--csv", str(report), "--full-phones")
    printed = _run(site, "the report failed", *told)
    attempts = _attempts(report)
    sounds = spoken_of(site, campaign, path, attempts)
    return printed, list(_compare(campaign, attempts, people, sounds))


def _run(site: LoopbackSite, problem: str, *arguments: str) -> str:
    """What one of the operator's commands printed; its failure ends the demo."""
    done = site.duecall(*arguments)
    if done.returncode:
        fail(f"{problem}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _name(kind: SwitchKind) -> str:
    if kind == "pocket":
        return "on Duecall's pocket switch (it stands in for FreeSWITCH; it is not FreeSWITCH)"
    return "on FreeSWITCH"


def _watch(site: LoopbackSite, names: Sequence[str]) -> None:
    """Live progress until every contact of these campaigns is done with."""
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
            states = {c["name"]: c["state"] for c in status["campaigns"]}
            if all(states.get(name) == "finished" for name in names):
                return
            if time.monotonic() > deadline:
                fail(f"not finished after {LONGEST_S} s:\n{json.dumps(status, indent=1)}")
            time.sleep(0.5)


def _attempts(report: Path) -> dict[str, list[dict[str, str]]]:
    """Contract number -> its attempts in their order."""
    found: dict[str, list[dict[str, str]]] = {}
    with report.open(encoding="utf-8-sig", newline="") as source:
        for line in csv.DictReader(source):
            found.setdefault(line["contract"], []).append(line)
    return {
        contract: sorted(lines, key=lambda line: int(line["number"]))
        for contract, lines in found.items()
    }


def spoken_of(
    site: LoopbackSite,
    campaign: DemoCampaign,
    path: Path,
    attempts: dict[str, list[dict[str, str]]],
) -> dict[str, Spoken]:
    """Contract number -> what was recorded of its last call, held against its message."""
    last = {
        contract: lines[-1]
        for contract, lines in attempts.items()
        if lines[-1]["recording"] and lines[-1]["share_heard"]
    }
    if not last:
        return {}
    named = [part for contract in last for part in ("--contact", contract)]
    out = ("--out", str(site.folder / "messages" / campaign.name))
    # --all-parts: a folder also where there is one contact alone.
    told = json.loads(
        _run(site, "no message", "listen", str(path), *named, *out, "--all-parts", "--json")
    )
    return {
        sound["contract"]: spoken(
            site.path("recordings") / last[sound["contract"]]["recording"],
            Path(told["folder"]) / sound["file"],
            float(last[sound["contract"]]["share_heard"]),
        )
        for sound in told["sounds"]
        if sound["part"] == MESSAGE_STEP
    }


def _compare(
    campaign: DemoCampaign,
    attempts: dict[str, list[dict[str, str]]],
    people: dict[str, Any],
    sounds: dict[str, Spoken],
) -> Iterator[Row]:
    """people: number -> its row of numbers.csv."""
    for contact in campaign.rows:
        mine = attempts.get(contact["contract_number"], [])
        person = people[contact["phone"]]
        yield Row(
            language=campaign.language,
            contact=contact["name"],
            number=contact["phone"],
            callee="|".join(person.callees) if person else "nobody",
            expected=person.expected_outcome if person else "invalid",
            actual=mine[-1]["outcome"] if mine else "not called",
            attempts=len(mine),
            keys=" ".join(a["keys"] for a in mine if a["keys"]),
            spoken=sounds.get(contact["contract_number"]),
        )


def _whole(row: Row) -> bool:
    """Whether the whole message was spoken, and is in the recording."""
    said = row.spoken
    return said is not None and bool(said.alike) and said.right and said.heard_ms >= said.message_ms


def _tell_spoken(table: Sequence[Row]) -> None:
    for language in dict.fromkeys(row.language for row in table):
        said = [row.spoken for row in table if row.language == language and row.spoken]
        alike = [one.alike for one in said if one.alike is not None]
        whole = sum(row.language == language and _whole(row) for row in table)
        console.print(
            f"spoken in {language}: {sum(one.heard_ms for one in said) / 1000:.0f} s to "
            f"{len(said)} callees, {whole} heard all; recordings are like the messages, at least "
            f"{min(alike, default=0.0):.2f} of 1",
            highlight=False,
        )


def _show(rows: list[Row]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("contact", overflow="fold")
    table.add_column("callee", overflow="fold")
    for title in ("came", "calls", "keys", "heard", "expected"):
        right = title in ("calls", "heard")
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        table.add_row(
            row.language,
            escape(row.contact[:24]),
            # numbers.csv has `busy|presses-1`; words with blanks wrap where words end.
            row.callee.replace("|", ", then ").replace("-", " "),
            row.actual,
            str(row.attempts),
            row.keys.replace(f"{MESSAGE_STEP}:", ""),
            _heard(row.spoken),
            _judged(row),
        )
    console.print(table)


def _judged(row: Row) -> str:
    if row.agrees:
        return "[green]ok[/green]"
    if row.expected != row.actual:
        return f"[red]NOT {row.expected}[/red]"
    return "[red]NOT the message[/red]"


def _heard(said: Spoken | None) -> str:
    """Seconds of the message that were spoken, and seconds that it has."""
    return f"{said.heard_ms / 1000:.0f}/{said.message_ms / 1000:.0f} s" if said else ""


def _make_room(folder: Path, keep: int) -> None:
    earlier = sorted(path for path in folder.glob("2*") if path.is_dir())
    for path in earlier[: max(0, len(earlier) - keep)]:
        shutil.rmtree(path)
