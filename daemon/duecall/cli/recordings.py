"""Recordings and what was said in them: list, search, read, transcribe, look after."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

import click

from duecall.cli import cli
from duecall.cli.common import (
    Context,
    errors,
    fail,
    pass_context,
    progress,
)
from duecall.cli.recordings_view import print_entry, print_transcript, tell
from duecall.core.campaign import Language
from duecall.core.outcome import Outcome
from duecall.core.recognition import chosen_recogniser
from duecall.shell.call_files import CallFiles
from duecall.shell.campaign_files import campaign_name
from duecall.shell.clock import now
from duecall.shell.column_values import to_us
from duecall.shell.life import own_daemon_id
from duecall.shell.recording_checking import check_files
from duecall.shell.recording_index import CHANGED, MISSING, THERE
from duecall.shell.recording_search import (
    NoSuchRecording,
    RecordingSearch,
    Wanted,
)
from duecall.shell.store import Store
from duecall.shell.transcribing import Transcribing
from duecall.shell.transcripts import Transcripts
from duecall.speech.recognition.catalogue import recogniser_of
from duecall.speech.recognition.recogniser import Recogniser, RecogniserMissing

DAY = click.DateTime(["%Y-%m-%d"])
SHOWN = 50
PROBLEMS_SHOWN = 20
EVER = datetime(9000, 1, 1, tzinfo=timezone.utc)
JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")
CAMPAIGN = click.option("--campaign", default="", help="Its name or file.")
FROM = click.option(
    "--from", "from_day", type=DAY, metavar="DAY", help="Calls of this day (UTC) on."
)
TO = click.option("--to", "to_day", type=DAY, metavar="DAY", help="Calls up to this day, included.")


@cli.group()
def recordings() -> None:
    """Recordings of calls: which there are, and what was said in them.

    \b
    Example:
      duecall recordings list --campaign overdue-vi --from 2026-11-20
      duecall recordings find "already paid"
      duecall recordings show 5f1c9a02
      duecall recordings transcribe --jobs 2      (at night)
    """


def filters(command: Callable[..., None]) -> Callable[..., None]:
    """Options that narrow the search down; the command is given `wanted`."""

    @wraps(command)
    def narrowed(*args: Any, **options: Any) -> None:
        options["wanted"] = _wanted(**{name: options.pop(name) for name in (
            "contract", "number", "campaign", "from_day", "to_day", "outcome", "min_length", "state"
        )})  # fmt: skip
        command(*args, **options)

    for option in reversed((
        click.option("--contract", default="", help="Of this contract."),
        click.option("--number", default="", help="Of this phone number, such as +84901234567."),
        CAMPAIGN,
        FROM,
        TO,
        click.option(
            "--outcome", type=click.Choice([one.value for one in Outcome]), default=None,
            metavar="OUTCOME", help="Of calls that ended so.",
        ),
        click.option("--min-length", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS",
                     help="At least so long."),
        click.option("--state", type=click.Choice([THERE, MISSING, CHANGED]), multiple=True,
                     help="Of the file, as it was last looked at; may be repeated."),
    )):  # fmt: skip
        narrowed = option(narrowed)
    return narrowed


@recordings.command("list")
@filters
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN, show_default=True)
@JSON
@pass_context
def list_(context: Context, wanted: Wanted, limit: int, as_json: bool) -> None:
    """Which recordings there are, the newest first. Times are in UTC.

    \b
    Example:
      duecall recordings list --outcome promised --min-length 20
      duecall recordings list --state missing --state changed
    """
    with _search(context) as (_, search):
        found = list(islice(search.find(wanted), limit))
    tell(found, limit, as_json)


@recordings.command()
@click.argument("text")
@filters
@click.option("--any-accents", is_flag=True, help="`da tra` finds `đã trả`.")
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN, show_default=True)
@JSON
@pass_context
def find(
    context: Context, text: str, wanted: Wanted, any_accents: bool, limit: int, as_json: bool
) -> None:
    """In whose transcripts this was said. Each one that is looked at is opened, so narrow it down.

    The ledger notes who searched and how many were found, not what for.

    \b
    Example:
      duecall recordings find "đã trả" --campaign overdue-vi --from 2026-11-20
      duecall recordings find "da tra" --any-accents
    """
    if not text.strip():
        fail("an empty text is in every transcript; `duecall recordings list` shows them all")
    with _search(context) as (_, search):
        found = list(islice(search.with_text(wanted, text, any_accents=any_accents), limit))
        search.note_searched(len(found), _user(), now().wall)
    tell([entry for entry, _ in found], limit, as_json)


@recordings.command()
@click.argument("attempt")
@JSON
@pass_context
def show(context: Context, attempt: str, as_json: bool) -> None:
    """One recording, and what was said in it by both sides. ATTEMPT: its first letters will do.

    The ledger notes who read it.

    \b
    Example:
      duecall recordings show 5f1c9a02
    """
    with _search(context) as (_, search):
        try:
            entry = search.one(attempt)
        except NoSuchRecording as error:
            fail(str(error))
        transcript = search.transcript(entry.attempt)
        if transcript is not None:
            search.note_read(entry.attempt, _user(), now().wall)
    path = Path(context.site.folders.recordings) / entry.name
    if as_json:
        told = {**entry.data(), "file": str(path)}
        told["transcript"] = transcript.data() if transcript else None
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    print_entry(entry, path)
    print_transcript(transcript)


@recordings.command()
@CAMPAIGN
@FROM
@TO
@click.option("--limit", type=click.IntRange(min=1), help="So many at most.")
@click.option("--jobs", type=click.IntRange(1, 16), default=1, show_default=True,
              help="Recognisers at the same time, each on one core.")  # fmt: skip
@click.option("--again", is_flag=True, help="Also those at which a recogniser failed before.")
@JSON
@pass_context
def transcribe(
    context: Context,
    campaign: str,
    from_day: datetime | None,
    to_day: datetime | None,
    limit: int | None,
    jobs: int,
    again: bool,
    as_json: bool,
) -> None:
    """Listen to all recordings that have no transcript yet, oldest first. For the night.

    It works at low priority beside a running daemon. Ctrl-C is safe: the next run goes on. A
    recogniser for each language stands in config.yaml under `recognition`; it is a program and
    errs, more so on a bad line.

    \b
    Example:
      duecall recordings transcribe --jobs 2
      duecall recordings transcribe --campaign overdue-en --limit 500
    """
    wanted = _wanted(campaign, from_day, to_day)
    since, until = to_us(wanted.since) if wanted.since else 0, to_us(wanted.until or EVER)
    made = failed = 0
    problems: dict[str, int] = {}
    store = context.store()
    try:
        transcripts = Transcripts(store.parts)
        if again:
            transcripts.drop_failed(since, until, wanted.campaign)
        narrowed = (since, until, wanted.campaign, _whose(context, store))
        total = transcripts.count_to_do(*narrowed)
        total = min(total, limit) if limit else total
        languages: dict[str, Language] = {
            one.name: one.campaign.language for one in store.campaigns()
        }
        work = Transcribing(
            store.parts,
            _files(context),
            languages,
            _chooser(context),
            jobs=min(jobs, total) or 1,
        )
        with progress("recordings") as bar:
            task = bar.add_task("transcripts", total=total)
            for done in work.run(islice(transcripts.to_do(*narrowed), total)):
                bar.update(task, advance=1)
                made += not done.problem
                failed += bool(done.problem)
                if done.problem:
                    problems[done.problem] = problems.get(done.problem, 0) + 1
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps({"made": made, "failed": failed, "problems": problems}))
    else:
        click.echo(f"transcripts: {made} made, {failed} not")
        for problem, count in list(problems.items())[:PROBLEMS_SHOWN]:
            errors.print(f"{count} x {problem}", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(1 if failed else 0)


@recordings.command()
@CAMPAIGN
@FROM
@TO
@JSON
@pass_context
def check(
    context: Context,
    campaign: str,
    from_day: datetime | None,
    to_day: datetime | None,
    as_json: bool,
) -> None:
    """Look at each file again: is it there, and is it the one that was made?

    Those that were made before there was an index come into it. Ends with 1 where one is missing
    or changed.

    \b
    Example:
      duecall recordings check --from 2026-11-01
    """
    wanted = _wanted(campaign, from_day, to_day)
    counts = dict.fromkeys((THERE, MISSING, CHANGED), 0)
    bad: list[str] = []
    store = context.store()
    try:
        with progress("files") as bar:
            task = bar.add_task("recordings", total=None)
            for one, state in check_files(
                store.parts, _files(context), wanted, now().wall, _whose(context, store)
            ):
                counts[state] += 1
                if state != THERE:
                    bad.append(f"{state}: {one.name}")
                bar.update(task, advance=1)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps({**counts, "bad": bad}))
    else:
        click.echo(f"recordings: {counts[THERE]} there, {counts[MISSING]} missing, "
                   f"{counts[CHANGED]} changed")  # fmt: skip
        for text in bad[:PROBLEMS_SHOWN]:
            errors.print(text, highlight=False, markup=False, soft_wrap=True)
        if len(bad) > PROBLEMS_SHOWN:
            errors.print(
                "… duecall recordings list --state missing --state changed", highlight=False
            )
    raise SystemExit(1 if bad else 0)


# ---- what they share


@contextmanager
def _search(context: Context) -> Iterator[tuple[Store, RecordingSearch]]:
    store = context.store()
    try:
        yield store, RecordingSearch(store.parts)
    except ValueError as error:  # a number that is none
        fail(str(error))
    finally:
        store.close()


def _wanted(
    campaign: str,
    from_day: datetime | None,
    to_day: datetime | None,
    contract: str = "",
    number: str = "",
    outcome: str | None = None,
    min_length: float = 0.0,
    state: Iterable[str] = (),
) -> Wanted:
    return Wanted(
        since=from_day.replace(tzinfo=timezone.utc) if from_day else None,
        until=to_day.replace(tzinfo=timezone.utc) + timedelta(days=1) if to_day else None,
        contract=contract,
        number=number,
        campaign=campaign_name(campaign) if campaign else "",
        outcome=outcome or "",
        min_ms=round(min_length * 1000),
        states=tuple(state),
    )


def _chooser(context: Context) -> Callable[[Language], Recogniser]:
    def choose(language: Language) -> Recogniser:
        choice = chosen_recogniser(context.site, language)
        if choice is None:
            raise RecogniserMissing(
                f"no recogniser for {language}: name one in {context.config} under "
                f"recognition: {language}"
            )
        return recogniser_of(choice, language, low_priority=True)

    return choose


def _whose(context: Context, store: Store) -> str:
    """The daemon whose recordings are on this machine, where daemons share the database."""
    return own_daemon_id(context.folder("var")) if store.parts.database.shared else ""


def _files(context: Context) -> CallFiles:
    folders = context.site.folders
    return CallFiles(Path(folders.recordings), Path(folders.cdr))


def _user() -> str:
    """Of the operating system; no environment can say otherwise."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
