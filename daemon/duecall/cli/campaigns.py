"""Before the first call: check a campaign, load its contacts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import click
from rich.progress import Progress

from duecall.cli import cli
from duecall.cli.common import Context, console, fail, pass_context, progress
from duecall.cli.row_faults import RowFaults, tell_line
from duecall.core.campaign import Campaign
from duecall.core.contact_row import ParsedRow, RowFault
from duecall.core.contact_words import RuleWords
from duecall.core.rule_check import overdue_review, refused_to_all
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import EffectiveRules
from duecall.shell import config_file
from duecall.shell.campaign_files import campaign_file
from duecall.shell.clock import now
from duecall.shell.config_references import columns_used
from duecall.shell.config_voices import check_voices
from duecall.shell.contacts_csv import ContactsFileError, Taken, check_text, read_contacts
from duecall.shell.import_contacts import ImportCounts
from duecall.shell.proving import prove_rows, read_rows
from duecall.shell.row_prover import ProofOrder, ProvenRow

CAMPAIGN = click.argument("campaign", type=click.Path(path_type=Path))


@cli.command()
@CAMPAIGN
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def check(context: Context, campaign: Path, as_json: bool) -> None:
    """Is this campaign right? The file, its rules, its contacts, and that every row can be spoken.

    The words of every value are parsed again and must give the value back. Every fault is shown at
    once, with its place and what is allowed; rules that would refuse every call are told as well.
    Nothing is changed or called.

    \b
    Example:
      duecall check campaigns/overdue-vi.yaml
    """
    loaded = config_file.load_campaign(campaign_file(campaign, context.root), context.site)
    check_voices(campaign_file(campaign, context.root), context.site, loaded)
    rules = rules_of(context.site, loaded)
    refusing, overdue = _refused_to_all(loaded, rules)
    right = 0
    faults, notes = RowFaults(), RowFaults()
    with progress("bytes") as bar:
        for row in proven_rows(context, loaded, bar, words=RuleWords.of(rules)):
            if isinstance(row, RowFault):
                faults.add(row)
                continue
            notes.add(*row.notes)
            if row.mute is None:
                right += 1
                continue
            reason = f"cannot be spoken: {row.mute.why}"
            faults.add(RowFault(row.row, row.mute.variable, reason, "mend the row"))
    if as_json:
        shown = [
            {"row": f.row, "field": f.field, "reason": f.reason, "remedy": f.remedy} for f in faults
        ]
        of_rules = {"pack": rules.pack.jurisdiction, "refusing": refusing, "review": overdue}
        told = {"campaign": loaded.name, "right": right, "refused": faults.rows, "faults": shown}
        click.echo(json.dumps({**told, "fault_count": faults.count, "rules": of_rules}))
    else:
        faults.tell("refused")
        notes.tell("note")
        _tell_rules(refusing, overdue)
        console.print(
            f"{loaded.name}: the file is right; {right} contacts can be called, "
            f"{faults.rows} rows are refused",
            highlight=False,
        )
    raise SystemExit(1 if faults.count or refusing or overdue or not right else 0)


@cli.command("import")
@CAMPAIGN
@pass_context
def import_(context: Context, campaign: Path) -> None:
    """Load the campaign's contacts. The same file twice changes nothing.

    Rows that are not right are refused, each with its reason; the rest is loaded.

    \b
    Example:
      duecall import campaigns/overdue-vi.yaml
    """
    path = campaign_file(campaign, context.root)
    loaded = config_file.load_campaign(path, context.site)
    _ = context.socket  # a path that can never be one is told before anything is loaded
    counts = load_contacts(context, loaded, path)
    console.print(f"contacts: {counts}", highlight=False)
    # Where no daemon runs: the next one looks into the store when it starts.
    context.ask_if_there({"do": "imported", "campaign": loaded.name})


def load_contacts(context: Context, loaded: Campaign, path: Path) -> str:
    """Import with a progress bar; refused rows go to the screen. A line that says what was done.

    path: of the campaign's file. A contacts file that is no text to its end changes nothing.
    """
    try:
        check_text(Path(loaded.contacts))
    except ContactsFileError as error:
        fail(f"{error}; nothing of it was loaded")
    faults, notes = RowFaults(), RowFaults()
    rules = rules_of(context.site, loaded)
    words = RuleWords.of(rules)
    sha256 = hashlib.sha256()

    def right(bar: Progress) -> Iterator[ParsedRow]:
        for row in loaded_rows(context, loaded, bar, words=words, taken=sha256.update):
            if isinstance(row, RowFault):
                faults.add(row)
            else:
                notes.add(*row.notes)
                yield row

    store = context.store()
    try:
        store.put_campaign(loaded, path.read_text(encoding="utf-8"))
        counts = ImportCounts()
        with progress("bytes") as bar:
            rows = right(bar)
            while block := list(islice(rows, 10_000)):
                counts += store.import_rows(loaded.name, block)
        store.imported(loaded.name, sha256.hexdigest(), counts, faults.rows)
        with progress("contacts") as bar:
            task = bar.add_task("order", total=None)
            bar.update(task)  # shown while the rows are read and sorted
            store.rank(loaded.name, lambda done, all_: bar.update(task, completed=done, total=all_))
    finally:
        store.close()
    faults.tell("refused")
    notes.tell("note")
    _tell_rules(*_refused_to_all(loaded, rules))
    if not counts.new + counts.changed + counts.unchanged:
        fail(f"no row of {loaded.contacts} is right ({faults.rows} refused)")
    return (
        f"{counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged, "
        f"{faults.rows} rows refused"
    )


def rows_of(
    campaign: Campaign,
    bar: Progress | None,
) -> Iterator[ParsedRow | RowFault]:
    """The campaign's contacts file, read on the lender's day; a useless file ends the command."""
    path = Path(campaign.contacts)
    try:
        yield from read_contacts(
            path,
            campaign,
            today=_today(campaign),
            needed=columns_used(campaign),
            progress=_bytes_of(path, bar, ""),
        )
    except ContactsFileError as error:
        fail(str(error))


def loaded_rows(
    context: Context, campaign: Campaign, bar: Progress, *, words: RuleWords, taken: Taken
) -> Iterator[ParsedRow | RowFault]:
    """The same, by all cores. words, taken: as `read_contacts` has them."""
    path = Path(campaign.contacts)
    order = ProofOrder(context.site, campaign, _today(campaign), words)
    try:
        yield from read_rows(path, order, _bytes_of(path, bar, "loading"), taken=taken)
    except ContactsFileError as error:
        fail(str(error))


def proven_rows(
    context: Context,
    campaign: Campaign,
    bar: Progress,
    *,
    words: RuleWords | None = None,
    asked: Literal["all", "selected"] = "all",
) -> Iterator[ProvenRow | RowFault]:
    """The same, and whether each row can be spoken. words, asked: as ProofOrder has them."""
    path = Path(campaign.contacts)
    order = ProofOrder(context.site, campaign, _today(campaign), words, asked)
    try:
        yield from prove_rows(path, order, _bytes_of(path, bar, "proving"))
    except ContactsFileError as error:
        fail(str(error))


def _today(campaign: Campaign) -> date:
    return now().wall.astimezone(ZoneInfo(campaign.zone)).date()


def _bytes_of(path: Path, bar: Progress | None, doing: str) -> Callable[[int, int], None] | None:
    """Tells the bar, which has a line for this file from now on."""
    if bar is None:
        return None
    shown = f"{doing} {path.name}".strip()
    task = bar.add_task(shown, total=path.stat().st_size if path.exists() else None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def _refused_to_all(campaign: Campaign, rules: EffectiveRules) -> tuple[list[str], str]:
    """(why every call would be refused, that the pack's review is overdue), as of now."""
    at = now().wall
    refusing = [one.reason for one in refused_to_all(campaign, rules, at)]
    return refusing, overdue_review(rules.pack, at.astimezone(ZoneInfo(campaign.zone)).date())


def _tell_rules(refusing: list[str], overdue: str) -> None:
    for reason in refusing:
        tell_line(f"nobody would be called: {reason}")
    if overdue:
        tell_line(f"too old: {overdue}")
