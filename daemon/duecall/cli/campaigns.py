"""Before the first call: check a campaign, load its contacts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from rich.progress import Progress

from duecall.cli import cli
from duecall.cli.common import Context, console, errors, fail, pass_context, progress
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
from duecall.shell.preparer import Preparer
from duecall.shell.prover import Prover

FAULTS_SHOWN = 50
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
    prover = Prover(Preparer(context.site), loaded)
    right = 0
    faults: list[RowFault] = []
    notes: list[RowFault] = []
    with progress("bytes") as bar:
        for row in rows_of(loaded, bar, words=RuleWords.of(rules)):
            if isinstance(row, RowFault):
                faults.append(row)
                continue
            notes.extend(row.notes)
            mute = prover.fault(row.contact, row.account)
            if mute is None:
                right += 1
                continue
            reason = f"cannot be spoken: {mute.why}"
            faults.append(RowFault(row.row, mute.variable, reason, "mend the row"))
    if as_json:
        shown = [
            {"row": f.row, "field": f.field, "reason": f.reason, "remedy": f.remedy} for f in faults
        ]
        of_rules = {"pack": rules.pack.jurisdiction, "refusing": refusing, "review": overdue}
        told = {"campaign": loaded.name, "right": right, "faults": shown, "rules": of_rules}
        click.echo(json.dumps(told))
    else:
        _print_rows(faults, notes)
        _tell_rules(refusing, overdue)
        console.print(
            f"{loaded.name}: the file is right; {right} contacts can be called, "
            f"{len({fault.row for fault in faults})} rows are refused",
            highlight=False,
        )
    raise SystemExit(1 if faults or refusing or not right else 0)


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
    faults: list[RowFault] = []
    notes: list[RowFault] = []
    rules = rules_of(context.site, loaded)
    words = RuleWords.of(rules)
    sha256 = hashlib.sha256()

    def right(bar: Progress) -> Iterator[ParsedRow]:
        for row in rows_of(loaded, bar, words=words, taken=sha256.update):
            if isinstance(row, RowFault):
                faults.append(row)
            else:
                notes.extend(row.notes)
                yield row

    store = context.store()
    try:
        store.put_campaign(loaded, path.read_text(encoding="utf-8"))
        counts = ImportCounts()
        with progress("bytes") as bar:
            rows = right(bar)
            while block := list(islice(rows, 10_000)):
                counts += store.import_rows(loaded.name, block)
        refused = len({fault.row for fault in faults})
        store.imported(loaded.name, sha256.hexdigest(), counts, refused)
        store.rank(loaded.name)
    finally:
        store.close()
    _print_rows(faults, notes)
    _tell_rules(*_refused_to_all(loaded, rules))
    if not counts.new + counts.changed + counts.unchanged:
        fail(f"no row of {loaded.contacts} is right ({refused} refused)")
    return (
        f"{counts.new} new, {counts.changed} changed, {counts.unchanged} unchanged, "
        f"{refused} rows refused"
    )


def rows_of(
    campaign: Campaign,
    bar: Progress | None,
    *,
    words: RuleWords | None = None,
    taken: Taken | None = None,
) -> Iterator[ParsedRow | RowFault]:
    """The campaign's contacts file, read on the lender's day; a useless file ends the command.

    words, taken: as `read_contacts` has them.
    """
    today = now().wall.astimezone(ZoneInfo(campaign.zone)).date()
    path = Path(campaign.contacts)
    task = bar.add_task(path.name, total=path.stat().st_size) if bar else None

    def tell(done: int, total: int) -> None:
        if bar is not None and task is not None:
            bar.update(task, completed=done, total=total)

    try:
        yield from read_contacts(
            path,
            campaign,
            today=today,
            needed=columns_used(campaign),
            words=words,
            progress=tell,
            taken=taken,
        )
    except ContactsFileError as error:
        fail(str(error))


def _refused_to_all(campaign: Campaign, rules: EffectiveRules) -> tuple[list[str], str]:
    """(why every call would be refused, that the pack's review is overdue), as of now."""
    at = now().wall
    refusing = [one.reason for one in refused_to_all(campaign, rules, at)]
    return refusing, overdue_review(rules.pack, at.astimezone(ZoneInfo(campaign.zone)).date())


def _tell_rules(refusing: list[str], overdue: str) -> None:
    for reason in refusing:
        _tell(f"nobody would be called: {reason}")
    if overdue:
        _tell(f"note: {overdue}")


def _tell(line: str) -> None:
    errors.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_rows(faults: list[RowFault], notes: list[RowFault]) -> None:
    for title, rows in (("refused", faults), ("note", notes)):
        for row in rows[:FAULTS_SHOWN]:
            _tell(f"{title}: {row}")
        if len(rows) > FAULTS_SHOWN:
            _tell(f"{title}: and {len(rows) - FAULTS_SHOWN} more")
