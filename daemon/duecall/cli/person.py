"""One person: forget them, give out all that is held of them, prove what was done."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import click

from duecall.cli import cli
from duecall.cli.common import Context, console, errors, fail, hang, pass_context, print_lines
from duecall.shell.call_files import CallFiles, sum_of
from duecall.shell.clock import now
from duecall.shell.evidence import EvidenceWriter
from duecall.shell.journal import journal_folder
from duecall.shell.journal_file import segments_in
from duecall.shell.keeping_rules import keeping_of
from duecall.shell.person_erasing import Erased, Eraser, ForgetPlan, PersonBusy, kept_counts
from duecall.shell.person_export import PersonExport, note
from duecall.shell.person_store import NoSuchPerson, Person, PersonStore
from duecall.shell.personal_sounds import PersonalSounds
from duecall.shell.store import Store

LABEL = 9
WHO = click.argument("who", metavar="CONTRACT|NUMBER|CUSTOMER_ID")
JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@cli.command()
@WHO
@click.option(
    "--reason", default="asked for it", show_default=True, help="No name: for the ledger."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@pass_context
def forget(context: Context, who: str, reason: str, yes: bool, as_json: bool) -> None:
    """Erase what the law lets us erase of a person, and say what it tells us to keep.

    They are never called again. Names, numbers, cards and fields are erased, recordings deleted;
    times and outcomes stay, without a name. What a law keeps is named with its day, and is erased
    by the daemon after it. Cut off, or said twice: it goes on, and does no harm.

    \b
    Example:
      duecall forget MA-2025-10401
      duecall forget +84901234567 --yes --reason "letter of 19 November"
    """
    store = context.store()
    try:
        person = _find(store, who)
        at = now().wall
        stored = store.campaigns()
        sounds = PersonalSounds(context.site, (one.campaign for one in stored))
        keeping = keeping_of(context.site, stored)
        eraser = Eraser(store.parts, _files(context), keeping, at, sounds)
        plan = eraser.plan(person)
        notes = _notes(context, store, person)
        if not as_json:
            _print_plan(plan, notes)
        if not yes:
            if as_json:
                fail("nothing was erased: with --json it takes --yes as well")
            try:
                sure = click.confirm("Erase it?", default=False)
            except click.Abort:  # nobody is there to answer
                sure = False
            if not sure:
                fail("nothing was erased")
        try:
            done = eraser.forget(plan, reason)
        except PersonBusy as error:
            fail(str(error))
        kept = kept_counts(eraser.plan(PersonStore(store.parts).person(person.key)))
    finally:
        store.close()
    if as_json:
        told = {"erased": done.counts, "kept": kept, "elsewhere": done.elsewhere, "notes": notes}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        _print_erased(done)
    if done.elsewhere:
        errors.print(
            f"{len(done.elsewhere)} recordings lie on another machine: its daemon deletes them "
            "within a day",
            highlight=False,
        )
    raise SystemExit(1 if done.elsewhere else 0)


@cli.command("export-person")
@WHO
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="A file.  [default: stdout]"
)
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder, to copy the recordings into.",
)
@pass_context
def export_person(context: Context, who: str, out: Path | None, recordings: Path | None) -> None:
    """All that is held of a person, as one JSON document, numbers and names in the clear.

    \b
    Example:
      duecall export-person MA-2025-10401 --out person.json --recordings calls
    """
    store = context.store()
    try:
        with store.reading():
            person = _find(store, who)
            told = PersonExport(store.parts).of(person)
        told["recordings"] = _recordings(_files(context), person, recordings)
        note(store.parts, "exported", person, now().wall)
    finally:
        store.close()
    text = json.dumps(told, ensure_ascii=False, indent=2)
    if out is None:
        click.echo(text)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    console.print(f"written: {out}", highlight=False, markup=False, soft_wrap=True)


@cli.command()
@click.argument("contract")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to make.  [default: evidence-CONTRACT-DAY here]",
)
@click.option("--full-phones", is_flag=True, help="Phone numbers whole, not masked.")
@JSON
@pass_context
def evidence(
    context: Context, contract: str, out: Path | None, full_phones: bool, as_json: bool
) -> None:
    """One folder with all that was done about a contract, and why: for a complaint or a court.

    A summary for people by the callee's clock, attempts, keys, promises, the ledger's entries with
    their hashes, the rules in force, recordings, and SHA256SUMS over all. Each recording is
    compared with the ledger: what differs or is missing is told, and the exit code is 1.

    \b
    Example:
      duecall evidence MA-2025-10401 --out complaint-17
    """
    at = now().wall
    name = "".join(c if c.isalnum() else "-" for c in contract)
    out = out or Path(f"evidence-{name}-{at:%Y-%m-%d}")
    store = context.store()
    try:
        with store.reading():
            person = _find(store, contract)
            wanted = store.parts.vault.keyed_hash("contract", contract.strip())
            account = next((a for a in person.accounts if a.contract_hash == wanted), None)
            if account is None:
                fail(f"{contract} is no contract number; evidence is made for one contract")
            writer = EvidenceWriter(store.parts, _files(context), at, full_phones=full_phones)
            done = writer.write(person, account, contract, out)
        note(store.parts, "evidence", person, at)
    finally:
        store.close()
    if as_json:
        told = {
            "folder": str(done.folder),
            "attempts": done.attempts,
            "ledger_entries": done.entries,
            "recordings": done.recordings,
            "problems": done.problems,
        }
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        console.print(
            f"{done.attempts} attempts, {done.entries} entries of the ledger, {done.recordings} "
            f"recordings: {done.folder}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    for problem in done.problems:
        errors.print(f"PROBLEM: {problem}", style="red", highlight=False, markup=False,
                     soft_wrap=True)  # fmt: skip
    raise SystemExit(1 if done.problems else 0)


def _find(store: Store, who: str) -> Person:
    try:
        return PersonStore(store.parts).find(who)
    except NoSuchPerson as error:
        fail(str(error))


def _files(context: Context) -> CallFiles:
    folders = context.site.folders
    return CallFiles(Path(folders.recordings), Path(folders.cdr))


def _print_plan(plan: ForgetPlan, notes: list[str]) -> None:
    numbers = sum(one.erases_number for one in plan.attempts)
    recordings = sum(one.erases_recording for one in plan.attempts)
    records = sum(one.erases_records for one in plan.attempts)
    kept = kept_counts(plan)
    erased = (
        f"name, number and what the contacts file said of {_count(plan.contacts, 'contact')} and "
        f"{_count(plan.accounts, 'account')}; the number in {_count(numbers, 'attempt')}; "
        f"{_count(recordings, 'recording')}; the switch's records of {_count(records, 'call')}"
    )
    stays = (
        f"times, outcomes and keys of {_count(kept['attempts'], 'attempt')}, promises and the "
        "ledger, without a name; that this person must not be called"
    )
    lines = [hang("erased", erased, LABEL), hang("kept", stays, LABEL)]
    if kept["until"]:
        law = (
            f"{_count(kept['numbers'], 'number')} and {_count(kept['recordings'], 'recording')}, "
            f"the last until {kept['until']} ({', '.join(kept['rules'])})"
        )
        lines.append(hang("by law", law, LABEL))
    lines += [hang("note", text, LABEL) for text in notes]
    print_lines(lines)


def _print_erased(done: Erased) -> None:
    told = ", ".join(_count(n, name[:-1]) for name, n in done.counts.items() if n)
    console.print(f"[green]forgotten[/green]: {told or 'nothing was left'}", highlight=False)


def _count(n: int, name: str) -> str:
    return f"{n} {name}" if n == 1 else f"{n} {name}s"


def _notes(context: Context, store: Store, person: Person) -> list[str]:
    """What is not ours to erase, or goes by itself."""
    notes = []
    targets = PersonExport(store.parts).targets(person.account_ids)
    names = {target["campaign"] for target in targets}
    files = sorted({one.campaign.contacts for one in store.campaigns() if one.name in names})
    if files:
        notes.append(f"take the row out of the contacts files, too: {', '.join(files)}")
    if count := len(segments_in(journal_folder(context.site))):
        notes.append(
            f"the journal ({count} files, sealed) knows them until its files are old; all but the "
            "newest may be deleted"
        )
    notes.append("backups of the database and of its key know them until you delete those")
    return notes


def _recordings(files: CallFiles, person: Person, folder: Path | None) -> list[dict[str, Any]]:
    """Listed, and copied where a folder is given."""
    found = []
    for attempt in person.attempts:
        if not attempt.recording:
            continue
        entry: dict[str, Any] = {"attempt": attempt.id, "name": attempt.recording}
        try:
            path = files.recording(attempt.recording)
            its = sum_of(path)
            entry |= {"sha256": its.sha256, "bytes": its.size}
            if folder is not None:
                target = folder / attempt.recording
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                shutil.copyfile(path, target)
        except FileNotFoundError:
            entry["missing"] = True
        found.append(entry)
    return found
