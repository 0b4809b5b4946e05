"""`duecall listen`: hear what people will hear, before anybody is called."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from duecall.cli import cli
from duecall.cli.campaigns import CAMPAIGN, rows_of
from duecall.cli.common import Context, console, errors, fail, pass_context, progress
from duecall.cli.listen_page import Sound, make_folder, write_pages
from duecall.core.campaign import Campaign
from duecall.core.contact import dpd_bucket, dpd_on
from duecall.core.contact_row import ParsedRow
from duecall.core.recognition import chosen_recogniser
from duecall.shell import config_file
from duecall.shell.campaign_files import campaign_file
from duecall.shell.clock import now
from duecall.shell.preparer import Preparer
from duecall.speech.faults import CacheError, EngineError, SpeechError, TemplateFault, Unspeakable
from duecall.speech.likeness import heard_otherwise
from duecall.speech.odd_ones import Heard, OddOnes
from duecall.speech.planner import Planner
from duecall.speech.prompts import Manifest, Part, PromptBook, TextPart, join
from duecall.speech.recognition.catalogue import recogniser_of
from duecall.speech.recorded import read_sound
from duecall.speech.template import Piece, text_of
from duecall.speech.values import Value

SAMPLE_MAX = 500
MESSAGE = "message"
_EVERYBODYS = {"lender", "today", "tomorrow"}  # variables that are the same for all contacts


@dataclass(frozen=True)
class _Wanted:
    """Whom to hear. why: by contract number, for those of a sample."""

    rows: list[ParsedRow]
    why: dict[str, tuple[str, ...]]
    read: int = 0
    mute: int = 0  # rows that cannot be spoken


@cli.command()
@CAMPAIGN
@click.option(
    "--contact", "contracts", multiple=True, help="A contract number; may be given several times."
)
@click.option(
    "--sample",
    type=click.IntRange(1, SAMPLE_MAX),
    help="So many of all rows: the longest, the shortest, the oddest.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The WAV to write, or the folder for several.  [default: CONTRACT.wav or "
    "CAMPAIGN-sounds here]",
)
@click.option("--all-parts", is_flag=True, help="Also questions, answers to keys, goodbye.")
@click.option("--recognise", is_flag=True, help="Let a recogniser hear it, and count its errors.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def listen(
    context: Context,
    campaign: Path,
    contracts: tuple[str, ...],
    sample: int | None,
    out: Path | None,
    all_parts: bool,
    recognise: bool,
    as_json: bool,
) -> None:
    """Hear what contacts will hear: writes WAVs, and says their text.

    One contact (the first, where none is named) is one WAV of the message. Several, or all parts
    of one, are a folder with a page to click through (index.html) and a table (index.csv). Of
    several, answers to keys that say something of the contact, such as the sum, are heard too.
    They hold names and debts in clear: the folder is yours alone, delete it when you have heard it.

    \b
    Example:
      duecall listen campaigns/overdue-vi.yaml
      duecall listen overdue-vi --contact MA-2025-10401 --out hear.wav
      duecall listen overdue-vi --sample 20
    """
    if sample and contracts:
        raise click.UsageError("--sample chooses by itself: leave --contact out")
    loaded = config_file.load_campaign(campaign_file(campaign, context.root), context.site)
    preparer = Preparer(context.site)
    hear = _recogniser(context, loaded) if recognise else None
    wanted = _sample(loaded, preparer, sample) if sample else _named(loaded, contracts, campaign)
    alone = not sample and not all_parts and len(wanted.rows) == 1
    if alone:
        path = out or Path(_file_name(wanted.rows[0].account.contract_number))
        folder, names = path.parent, [path.name]
    else:
        folder, names = out or Path(f"{loaded.name}-sounds"), []
        make_folder(folder)
    sounds = list(_sounds(loaded, preparer, wanted, folder, names, all_parts, alone, hear))
    more = _further(loaded, preparer, wanted.rows[0]) if alone else []
    page = None if alone else write_pages(folder, _title(loaded), sounds, loaded.language)
    if as_json:
        _tell_json(loaded, wanted, folder, sounds)
    else:
        _tell(loaded, wanted, folder, sounds, page)
        if more:
            _say(f"said of this contact as well, to hear with --all-parts: {', '.join(more)}")
    if any(sound.fault for sound in sounds):
        raise SystemExit(1)


# ---- whom


def _named(campaign: Campaign, contracts: Sequence[str], asked: Path) -> _Wanted:
    """These, in the order in which they are named; the first right row, where none is."""
    found: dict[str, ParsedRow] = {}
    for row in _right_rows(campaign):
        if contracts and row.account.contract_number not in contracts:
            continue
        found.setdefault(row.account.contract_number, row)
        if len(found) == max(1, len(set(contracts))):
            break
    missing = [contract for contract in contracts if contract not in found]
    if missing:
        fail(f"no contact with contract number {', '.join(missing)} in {campaign.contacts}")
    if not found:
        fail(f"no contact of {campaign.contacts} is right; see: duecall check {asked}")
    return _Wanted([found[contract] for contract in dict.fromkeys(contracts or found)], {})


def _right_rows(campaign: Campaign) -> Iterator[ParsedRow]:
    return (row for row in rows_of(campaign, None) if isinstance(row, ParsedRow))


def _sample(campaign: Campaign, preparer: Preparer, size: int) -> _Wanted:
    """Chosen by text, of all rows; then their rows, from a second reading of the file."""
    odd: OddOnes[str] = OddOnes(size)
    planner = Planner(campaign.language, campaign.voice.region)
    today = now().wall.astimezone(ZoneInfo(campaign.zone)).date()
    read = mute = 0
    with progress("bytes") as bar:
        for row in rows_of(campaign, bar):
            if not isinstance(row, ParsedRow):
                continue
            read += 1
            try:
                heard = _heard(campaign, preparer, planner, row, today)
            except (Unspeakable, TemplateFault):
                mute += 1
                continue
            odd.add(row.account.contract_number, heard, row.account.contract_number)
    why = {choice.key: choice.why for choice in odd.chosen()}
    if not why:
        fail(f"no contact of {campaign.contacts} can be spoken to; see: duecall check")
    rows: dict[str, ParsedRow] = {}
    for row in _right_rows(campaign):
        if row.account.contract_number in why:
            rows.setdefault(row.account.contract_number, row)
    return _Wanted([rows[contract] for contract in why if contract in rows], why, read, mute)


def _heard(
    campaign: Campaign, preparer: Preparer, planner: Planner, row: ParsedRow, today: date
) -> Heard:
    _, sayings, values = preparer.sayings(campaign, row.contact, row.account)
    pieces: list[Piece] = []
    sounds = 0
    for name in (MESSAGE, *_own_parts(campaign, sayings)):
        for part in sayings[name]:
            if isinstance(part, TextPart):
                pieces += part.template.render(values)
            else:
                sounds += 1
    sounds += sum(1 for one in planner.plan(pieces) if one.text)
    bucket = dpd_bucket(dpd_on(row.account.due_date, today))
    text = text_of(pieces, campaign.language, campaign.voice.region)
    return Heard(pieces, text, sounds, bucket)


def _own_parts(campaign: Campaign, sayings: Mapping[str, Sequence[Part]]) -> list[str]:
    """What is said of this contact besides the message, such as the sum on the key of the right
    person; not what all contacts hear alike."""
    alike = {*campaign.variables, *_EVERYBODYS}
    return [
        name
        for name, parts in sayings.items()
        if name != MESSAGE
        and any(isinstance(part, TextPart) and part.template.variables() - alike for part in parts)
    ]


# ---- the sounds


def _sounds(
    campaign: Campaign,
    preparer: Preparer,
    wanted: _Wanted,
    folder: Path,
    names: list[str],
    all_parts: bool,
    alone: bool,
    hear: Callable[[Path], str] | None,
) -> Iterator[Sound]:
    with progress("contacts") as bar:
        task = bar.add_task("sounds", total=len(wanted.rows))
        number = 0
        for row in wanted.rows:
            book, sayings, values = preparer.sayings(campaign, row.contact, row.account)
            own = [] if alone else _own_parts(campaign, sayings)
            for part, says in sayings.items():
                if part != MESSAGE and part not in own and not all_parts:
                    continue
                number += 1
                name = names[0] if names else f"{number:03d}.wav"
                why = ", ".join(wanted.why.get(row.account.contract_number, ()))
                blank = Sound(name, row.row, row.account.contract_number, part, why, "")
                yield _sound(book, says, values, blank, folder, alone, hear, campaign)
            bar.update(task, advance=1)


def _sound(
    book: PromptBook,
    says: Sequence[Part],
    values: dict[str, Value],
    blank: Sound,
    folder: Path,
    alone: bool,
    hear: Callable[[Path], str] | None,
    campaign: Campaign,
) -> Sound:
    """Made and written; a contact of several who cannot be spoken to is told with the reason."""
    try:
        spoken = book.render(says, values)
    except (Unspeakable, TemplateFault, EngineError) as error:
        if alone:
            raise
        text = "" if isinstance(error, (Unspeakable, TemplateFault)) else book.text(says, values)
        return replace(blank, file="", text=text, fault=str(error))
    path = folder / blank.file
    _write(spoken, path)
    sound = replace(blank, text=spoken.text, ms=spoken.ms, voice=spoken.voice)
    if hear is None:
        return sound
    heard = hear(path)
    said = book.text([part for part in says if isinstance(part, TextPart)], values)
    wrong = heard_otherwise(said, heard, campaign.language)
    return replace(sound, heard=heard, errors=wrong)


def _write(spoken: Manifest, path: Path) -> None:
    try:
        join(spoken, path)
    except CacheError as error:
        why = error.__context__  # the cache speaks of itself, and this file is not in it
        fail(f"{path}: {why.strerror}" if isinstance(why, OSError) else str(error))


def _recogniser(context: Context, campaign: Campaign) -> Callable[[Path], str]:
    """Hears a file. Ends the command where there is no recogniser for the language."""
    choice = chosen_recogniser(context.site, campaign.language)
    if choice is None:
        fail(
            f"no recogniser hears {campaign.language!r}: name an engine and its model under "
            "`recognition` in config.yaml (docs/speech.md)"
        )
    try:
        recogniser = recogniser_of(choice, campaign.language)
        recogniser.version()
    except SpeechError as error:
        fail(str(error))

    def hear(path: Path) -> str:
        samples, rate_hz = read_sound(path)
        phrases = recogniser.transcribe(samples, rate_hz, campaign.language)
        return " ".join(phrase.text for phrase in phrases)

    return hear


def _further(campaign: Campaign, preparer: Preparer, row: ParsedRow) -> list[str]:
    _, sayings, _ = preparer.sayings(campaign, row.contact, row.account)
    return _own_parts(campaign, sayings)


# ---- what is said of it


def _file_name(contract: str) -> str:
    return f"{''.join(c if c.isalnum() else '-' for c in contract)}.wav"


def _title(campaign: Campaign) -> str:
    return f"{campaign.name}: {campaign.title}" if campaign.title else campaign.name


def _tell(
    campaign: Campaign, wanted: _Wanted, folder: Path, sounds: list[Sound], page: Path | None
) -> None:
    for sound in sounds:
        if page is not None:
            why = f": {sound.why}" if sound.why else ""
            _say(f"{sound.contract} (row {sound.row}), {sound.part}{why}")
        if sound.text and not wanted.why:
            _say(sound.text)
        if sound.fault:
            errors.print(f"no sound: {sound.fault}", highlight=False, markup=False, soft_wrap=True)
        else:
            _say(f"{sound.ms / 1000:.1f} s: {folder / sound.file}")
        if sound.errors is not None:
            _say(f"recognised, {sound.errors:.0%} of the words otherwise: {sound.heard}")
    if wanted.read:
        _say(f"{len(wanted.rows)} of {wanted.read} rows chosen by their text")
    if wanted.mute:
        _say(f"{wanted.mute} rows cannot be spoken; see: duecall check {campaign.name}")
    if page is not None:
        _say(f"to hear and read: {page} (names and debts in clear: delete the folder afterwards)")


def _say(line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _tell_json(campaign: Campaign, wanted: _Wanted, folder: Path, sounds: list[Sound]) -> None:
    told = {
        "campaign": campaign.name,
        "language": campaign.language,
        "folder": str(folder),
        "rows": wanted.read,
        "cannot_be_spoken": wanted.mute,
        "sounds": [asdict(sound) for sound in sounds],
    }
    click.echo(json.dumps(told, ensure_ascii=False))
