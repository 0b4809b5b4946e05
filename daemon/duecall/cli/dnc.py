"""The stop list: who must not be called, one by one and by files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from duecall.cli import cli
from duecall.cli.common import Context, console, errors, fail, pass_context, progress
from duecall.core.contact_phone import PhoneError
from duecall.shell.campaign_files import campaign_name
from duecall.shell.clock import now
from duecall.shell.column_values import from_us, to_us
from duecall.shell.stop_files import (
    Defaults,
    Fault,
    StopFileError,
    file_sha256,
    read_stops,
    stop_value,
    until_of,
    write_stops,
)
from duecall.shell.stop_list import WHATS, Named, StopCounts, StopError, What
from duecall.shell.stop_types import StoredStop
from duecall.shell.store import Store
from duecall.shell.vault import mask_phone

FAULTS_SHOWN = 50
KINDS = "dnc, opted_out, dispute, bankrupt, deceased, wrong_party, third_party, or a word of yours"
VALUE = click.argument("value")
FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
CAMPAIGN = click.option("--campaign", "-C", default="", help="In this one only.  [default: in all]")
SOURCE = click.option(
    "--source", default="operator", show_default=True, help="Who says so; no names of callees."
)
UNTIL = click.option(
    "--until",
    default="",
    help="Last day (2026-12-31) or moment (2026-12-31T18:00+07:00).  [default: for ever]",
)
COUNTRY = click.option(
    "--country", default="", help="Of national numbers, such as VN.  [default: the campaign's]"
)


def what_options(command: Any) -> Any:
    """What VALUE is."""
    for what, text in (
        ("prefix", "VALUE begins the numbers that are meant, such as +8490."),
        ("person", "VALUE is a contract number: the person and all their contracts."),
        ("contract", "VALUE is a contract number: that account alone."),
    ):
        command = click.option(f"--{what}", "what", flag_value=what, help=text)(command)
    return command


@cli.group()
def dnc() -> None:
    """Who must not be called: the stop list (do not call).

    A stop is for a number, a contract, a person or a prefix; in all campaigns or one; for ever or
    until a day. It holds at once, also for calls that are about to be made.

    \b
    Example:
      duecall dnc add +84901234567
      duecall dnc import dnc.csv
      duecall dnc list
    """


@dnc.command()
@VALUE
@what_options
@CAMPAIGN
@click.option("--kind", "-k", default="dnc", show_default=True, help=f"{KINDS}.")
@UNTIL
@SOURCE
@COUNTRY
@pass_context
def add(
    context: Context,
    value: str,
    what: What | None,
    campaign: str,
    kind: str,
    until: str,
    source: str,
    country: str,
) -> None:
    """Never call VALUE: a number, or what the options say. Twice is as good as once.

    \b
    Example:
      duecall dnc add +84901234567
      duecall dnc add HD-000123 --contract --kind dispute --until 2026-12-31
      duecall dnc add +8490 --prefix --campaign survey
    """
    with stop_list(context) as store:
        defaults = _defaults(store, kind, campaign, until, source, country)
        named = _named(what or "number", value, defaults)
        added = store.stop_list.add(named, now().wall)
    if not added:
        console.print("it was stopped before, as long or longer; nothing was changed")
        return
    whose = f"in campaign {named.campaign}" if named.campaign else "in all campaigns"
    end = "for ever" if named.until_us is None else f"until {_moment(named.until_us)}"
    click.echo(f"stopped: {_masked(named.what, named.value)} {whose} {end}: {named.kind}")


@dnc.command()
@VALUE
@what_options
@CAMPAIGN
@click.option("--kind", "-k", default="", help="Only this; needed where there are several.")
@SOURCE
@COUNTRY
@pass_context
def lift(
    context: Context,
    value: str,
    what: What | None,
    campaign: str,
    kind: str,
    source: str,
    country: str,
) -> None:
    """Take a stop away. Targets that only it kept back are called again. The ledger keeps both.

    \b
    Example:
      duecall dnc lift +84901234567 --kind dnc --source "letter of 2026-11-20"
    """
    with stop_list(context) as store:
        defaults = _defaults(store, kind, campaign, "", source, country)
        found = store.stop_list.find(_named(what or "number", value, defaults))
        if not found:
            fail("no such stop; see: duecall dnc list")
        kinds = sorted({stored.stop.kind for stored in found})
        if len(kinds) > 1:
            fail(f"it is stopped for several reasons: {', '.join(kinds)}; name one with --kind")
        store.stop_list.lift(found, source, now().wall)
    stop = found[0].stop
    left = "" if stop.kind != "opted_out" else "; whoever opted out has to ask for it themselves"
    click.echo(f"lifted: {_masked(WHATS[stop.key_kind], found[0].clear)}: {stop.kind}{left}")


@dnc.command("list")
@CAMPAIGN
@click.option("--kind", "-k", default="", help="Only this.")
@click.option("--full-phones", is_flag=True, help="Phone numbers whole, not masked.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def list_(context: Context, campaign: str, kind: str, full_phones: bool, as_json: bool) -> None:
    """All stops, in the order in which they were entered; phone numbers masked.

    \b
    Example:
      duecall dnc list --kind dispute
      duecall dnc list --json --full-phones
    """
    name = campaign_name(campaign) if campaign else ""
    at_us = to_us(now().wall)
    with stop_list(context) as store:
        count = 0
        for count, stored in enumerate(store.stop_list.all(kind, name), 1):
            shown = _shown(stored, full_phones, at_us)
            if as_json:
                start = "[" if count == 1 else ",\n "
                click.echo(start + json.dumps(shown, ensure_ascii=False), nl=False)
            else:
                click.echo(_line(shown))
    if as_json:
        click.echo("]" if count else "[]")
    elif not count:
        click.echo("nobody is stopped")


@dnc.command("import")
@FILE
@CAMPAIGN
@click.option("--kind", "-k", default="dnc", show_default=True, help="Where a row has none.")
@UNTIL
@click.option("--source", default="", help="Where a row has none.  [default: the file's name]")
@COUNTRY
@pass_context
def import_(
    context: Context,
    file: Path,
    campaign: str,
    kind: str,
    until: str,
    source: str,
    country: str,
) -> None:
    """Take in a file: one number a line, or CSV. The same file twice changes nothing.

    Columns of a CSV: number (or prefix, contract, person), and if need be kind, until, campaign,
    source. Lines that are not right are told, each with its reason; the rest is taken in.

    \b
    Example:
      duecall dnc import register-2026-11.txt --source "national register"
      duecall dnc import disputes.csv --kind dispute
    """
    faults: list[Fault] = []
    over: list[int] = []
    with stop_list(context) as store:
        defaults = _defaults(store, kind, campaign, until, source or file.name, country)
        digest = file_sha256(file)
        with progress("bytes") as bar:
            rows = _rows(file, defaults, bar, faults, over)
            counts = store.stop_list.take_in(rows, now().wall, kind=kind, sha256=digest)
    _tell(faults, counts)
    refused = len(faults) + len(counts.faults)
    if not counts.added + counts.known:
        fail(f"no line of {file} is right ({refused} refused)")
    click.echo(f"stops: {counts.added} added, {counts.known} known, {refused} lines refused")
    if over:
        text = f"note: {len(over)} of them are over already and stop nobody, such as line {over[0]}"
        errors.print(text, highlight=False, soft_wrap=True)


@dnc.command()
@FILE
@CAMPAIGN
@click.option("--kind", "-k", default="", help="Only this.")
@pass_context
def export(context: Context, file: Path, campaign: str, kind: str) -> None:
    """Write all stops to a CSV that `dnc import` reads: phone numbers whole, so keep it safe.

    \b
    Example:
      duecall dnc export stops.csv --kind opted_out
    """
    name = campaign_name(campaign) if campaign else ""
    count = 0
    with stop_list(context) as store:
        total = store.stop_list.count()
        stops = store.stop_list.all(kind, name)
        with store.reading(), progress("stops") as bar, _written(file) as out:
            task = bar.add_task(file.name, total=total)
            for count in write_stops(out, stops):
                if count % 1_000 == 0:
                    bar.update(task, completed=count)
            bar.update(task, completed=count, total=count)
    click.echo(f"stops: {count} written to {file}")


# ---- what they share


@contextmanager
def stop_list(context: Context) -> Iterator[Store]:
    """The store; what is wrong with a stop ends the command."""
    store = context.store()
    try:
        yield store
    except (StopError, PhoneError, StopFileError) as error:
        fail(str(error))
    finally:
        store.close()


def _defaults(
    store: Store, kind: str, campaign: str, until: str, source: str, country: str
) -> Defaults:
    """With country and zones of the campaign, or of all that are known."""
    name = campaign_name(campaign) if campaign else ""
    stored = [one.campaign for one in store.campaigns() if one.name == name or not name]
    countries = {one.country for one in stored}
    zones = tuple(sorted({one.zone for one in stored}))
    if not country and len(countries) == 1:
        (country,) = countries
    until_us = until_of(until, zones) if until else None
    if until_us is not None and until_us <= to_us(now().wall):
        problem = f"--until {until} is over already, and would stop nobody"
        raise StopError(problem, "write a later day, or leave it out: for ever")
    return Defaults(kind, name, until_us, source, country.upper(), zones)


def _named(what: What, value: str, defaults: Defaults) -> Named:
    return Named(
        what,
        stop_value(what, value.strip(), defaults.country),
        defaults.kind,
        defaults.campaign,
        defaults.until_us,
        defaults.source,
    )


def _rows(
    file: Path, defaults: Defaults, bar: Progress, faults: list[Fault], over: list[int]
) -> Iterator[Named]:
    """over: gets the lines whose day has passed."""
    at_us = to_us(now().wall)
    task = bar.add_task(file.name, total=file.stat().st_size)

    def tell(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)

    for row in read_stops(file, defaults, tell):
        if isinstance(row, Fault):
            faults.append(row)
        else:
            if row.until_us is not None and row.until_us <= at_us:
                over.append(row.line)
            yield row


def _tell(faults: list[Fault], counts: StopCounts) -> None:
    found = [(fault.line, str(fault)) for fault in faults]
    found += [(line, str(Fault(line, why.problem, why.remedy))) for line, why in counts.faults]
    for _, text in sorted(found)[:FAULTS_SHOWN]:
        errors.print(f"refused: {text}", highlight=False, markup=False, soft_wrap=True)
    if len(found) > FAULTS_SHOWN:
        errors.print(f"refused: and {len(found) - FAULTS_SHOWN} more")


def _shown(stored: StoredStop, full_phones: bool, at_us: int) -> dict[str, Any]:
    stop = stored.stop
    what = WHATS[stop.key_kind]
    return {
        "what": what,
        "value": stored.clear if full_phones else _masked(what, stored.clear),
        "kind": stop.kind,
        "campaign": stored.campaign or None,
        "until": None if stop.expires_us is None else from_us(stop.expires_us).isoformat(),
        "expired": stop.expires_us is not None and stop.expires_us <= at_us,
        "source": stop.source,
        "at": from_us(stored.at_us).isoformat(),
    }


def _line(shown: dict[str, Any]) -> str:
    end = "for ever" if shown["until"] is None else f"until {shown['until'][:16]}Z"
    where = f"in campaign {shown['campaign']}" if shown["campaign"] else "in all campaigns"
    late = " (expired)" if shown["expired"] else ""
    named = f"{shown['what']} {shown['value']}"
    return f"{named:<30} {shown['kind']:<12} {where}, {end}{late}: {shown['source']}"


def _masked(what: What, clear: str) -> str:
    return mask_phone(clear) if what == "number" else clear


def _moment(us: int) -> str:
    return from_us(us).strftime("%Y-%m-%d %H:%M UTC")


@contextmanager
def _written(file: Path) -> Iterator[Any]:
    """Whole or not at all, for its owner's eyes only."""
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        part.touch(mode=0o600, exist_ok=False)
        with part.open("w", encoding="utf-8", newline="") as out:
            yield out
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
