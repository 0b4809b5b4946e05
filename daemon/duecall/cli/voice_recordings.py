"""`duecall voice record-list`: what a speaker has to record for some campaigns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from duecall.cli.campaigns import rows_of
from duecall.cli.common import Context, console, errors, fail, pass_context, progress
from duecall.cli.voice import voice
from duecall.core.campaign import Campaign
from duecall.core.contact_row import ParsedRow
from duecall.core.voice import chosen_voice
from duecall.shell import config_file
from duecall.shell.campaign_files import campaign_file
from duecall.shell.preparer import Preparer
from duecall.speech.engines.recorded_voice import read_recording
from duecall.speech.faults import RecordingFault, TemplateFault, Unspeakable
from duecall.speech.record_list import Line, RecordList, studio_minutes
from duecall.speech.recording_folder import (
    LIST_FILE,
    Recording,
    add_rows,
    normal_form,
    read_list,
    write_list,
)

MISSING_FILE = "missing.csv"
_DIGITS = 4  # of a file's number


@dataclass(frozen=True, slots=True)
class Take:
    """One text and its file. there: it can be played. fault: it is there and cannot be."""

    file: str
    text: str
    contacts: int
    there: bool = False
    fault: str = ""


@voice.command("record-list")
@click.argument("campaigns", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The folder of the voice: writes {LIST_FILE}, keeps the rows that are there.",
)
@click.option("--missing", is_flag=True, help="Only what is not recorded yet, or cannot be played.")
@click.option("--complete", is_flag=True, help="All that any contact could need, not only today's.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def record_list(
    context: Context,
    campaigns: tuple[Path, ...],
    out: Path | None,
    missing: bool,
    complete: bool,
    as_json: bool,
) -> None:
    """What has to be recorded so that these campaigns speak in a person's voice.

    The clauses of the messages in their order, then the fragments of numbers, dates and sums that
    the contacts need. With --out the list is written as CSV: read from it, save each recording
    under the name beside its text (WAV or FLAC, any rate), and it is a voice: `engine: recorded`,
    `model: FOLDER`. Without --out the folder is the campaign's own, if it has such a voice.

    \b
    Example:
      duecall voice record-list campaigns/overdue-vi.yaml --out voices/lan
      duecall voice record-list overdue-vi --out voices/lan --missing
    """
    loaded = [
        config_file.load_campaign(campaign_file(path, context.root), context.site)
        for path in campaigns
    ]
    needed, mute = _needed(context, loaded, complete)
    folder = out or _own_folder(context, loaded)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    listed = read_list(folder) if folder and (folder / LIST_FILE).exists() else ()
    lines = needed.lines(complete=complete)
    takes = _takes(lines, listed, folder)
    if out is not None:
        add_rows(out, _new(listed, takes))
    shown = [take for take in takes if not (missing and take.there)]
    if out is not None and missing:
        write_list(out, (Recording(take.file, take.text) for take in shown), MISSING_FILE)
    minutes = studio_minutes((take.text for take in shown), needed.language)
    told = _Told(needed, mute, takes, shown, folder, minutes)
    if as_json:
        _tell_json(told)
    else:
        _tell(told, out, missing)


@dataclass(frozen=True)
class _Told:
    needed: RecordList
    mute: int
    takes: list[Take]
    shown: list[Take]
    folder: Path | None
    minutes: float

    @property
    def absent(self) -> int:
        return sum(not take.there for take in self.takes)


def _needed(
    context: Context, campaigns: Sequence[Campaign], complete: bool
) -> tuple[RecordList, int]:
    """What all rows need, and how many rows cannot be spoken at all."""
    first = campaigns[0]
    region = chosen_voice(context.site, first).region
    for other in campaigns[1:]:
        if other.language != first.language:
            fail(
                f"{first.name} speaks {first.language!r} and {other.name} {other.language!r}: "
                "a voice has one language; make a list for each"
            )
        if chosen_voice(context.site, other).region != region:
            fail(f"{first.name} and {other.name} have different regions: make a list for each")
    needed = RecordList(first.language, region)
    preparer = Preparer(context.site)
    mute = 0
    with progress("bytes") as bar:
        for campaign in campaigns:
            for row in rows_of(campaign, bar):
                if not isinstance(row, ParsedRow):
                    continue
                try:
                    _, sayings, values = preparer.sayings(campaign, row.contact, row.account)
                    parts = [part for says in sayings.values() for part in says]
                    needed.add(parts, values)
                except (Unspeakable, TemplateFault):
                    mute += 1
            if complete:
                needed.add_branches(preparer.templates(campaign))
    if not needed.contacts:
        fail("no contact can be spoken to; see: duecall check")
    return needed, mute


def _own_folder(context: Context, campaigns: Sequence[Campaign]) -> Path | None:
    """Of the first campaign that speaks by recordings."""
    for campaign in campaigns:
        for choice in chosen_voice(context.site, campaign).choices():
            if choice.engine == "recorded":
                return Path(choice.model)
    return None


def _takes(lines: Sequence[Line], listed: Sequence[Recording], folder: Path | None) -> list[Take]:
    """In the order of the lines; those that the list has not yet get the next free numbers."""
    known = {normal_form(one.text): one for one in listed}
    used = {one.file for one in listed}
    number = 0
    takes: list[Take] = []
    with progress("recordings") as bar:
        task = bar.add_task("looking", total=len(lines))
        for line in lines:
            old = known.get(normal_form(line.text))
            if old is None:
                number += 1
                while (file := f"{number:0{_DIGITS}d}.wav") in used:
                    number += 1
                takes.append(Take(file, line.text, line.contacts))
            else:
                takes.append(_looked_at(old, line, folder))
            bar.update(task, advance=1)
    return takes


def _looked_at(old: Recording, line: Line, folder: Path | None) -> Take:
    path = folder / old.file if folder else None
    if path is None or not path.exists():
        return Take(old.file, old.text, line.contacts)
    try:
        read_recording(path)
    except RecordingFault as fault:
        return Take(old.file, old.text, line.contacts, fault=str(fault))
    return Take(old.file, old.text, line.contacts, there=True)


def _new(listed: Sequence[Recording], takes: Sequence[Take]) -> list[Recording]:
    """Those that the list has not yet. What a campaign no longer needs is kept there."""
    files = {one.file for one in listed}
    return [Recording(take.file, take.text) for take in takes if take.file not in files]


# ---- what is said of it


def _tell(told: _Told, out: Path | None, missing: bool) -> None:
    for take in told.shown:
        if out is None:
            _say(f"{take.file}  {take.text}")
        if take.fault:
            errors.print(
                f"cannot be played: {take.fault}", highlight=False, markup=False, soft_wrap=True
            )
    if told.folder is not None:
        absent = f"{told.absent} of {len(told.takes)} texts are not recorded in {told.folder}"
        _say(absent if told.absent else f"all {len(told.takes)} texts are recorded")
    if told.shown:
        minutes = max(1, round(told.minutes))
        _say(f"{len(told.shown)} texts, about {minutes} minutes at the microphone")
    if told.needed.personal:
        _say(
            f"{told.needed.personal} of {told.needed.contacts} contacts hear a name or free text: "
            "`personal` under `voice` says which engine reads these"
        )
    if told.mute:
        _say(f"{told.mute} rows cannot be spoken and were left out; see: duecall check")
    if out is not None:
        _say(f"to read from: {out / (MISSING_FILE if missing else LIST_FILE)}")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _tell_json(told: _Told) -> None:
    answer = {
        "language": told.needed.language,
        "folder": None if told.folder is None else str(told.folder),
        "texts": len(told.takes),
        "not_recorded": told.absent,
        "minutes": round(told.minutes, 1),
        "contacts": told.needed.contacts,
        "with_personal_texts": told.needed.personal,
        "cannot_be_spoken": told.mute,
        "list": [asdict(take) for take in told.shown],
    }
    click.echo(json.dumps(answer, ensure_ascii=False))
