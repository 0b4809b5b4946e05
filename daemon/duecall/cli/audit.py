"""`duecall audit`: was every call lawful? Proved again from the log, by code of its own."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from duecall.audit.chains import Anchor
from duecall.audit.log import Violation
from duecall.audit.proofs import Proof, by_law, prove
from duecall.audit.reader import Key, Reading, read
from duecall.audit.sources import open_source
from duecall.audit.summary import Summary, summarise
from duecall.cli import cli
from duecall.cli.common import Context, console, fail, pass_context, print_lines
from duecall.shell.column_values import from_us, to_us
from duecall.shell.rule_packs import SHIPPED
from duecall.shell.vault import KEY_VARIABLE, read_key_file

PASSWORD = "DUECALL_DATABASE_PASSWORD"
SHOWN = 200  # violations
DAY = click.DateTime(["%Y-%m-%d"])


class AnchorType(click.ParamType):  # type: ignore[type-arg]  # newer ones have an argument
    """CHAIN:SEQ:HASH, as `duecall audit` prints it."""

    name = "anchor"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Anchor:
        chain, _, rest = str(value).partition(":")
        seq, _, hash_ = rest.partition(":")
        if not chain or not seq.isdigit() or len(hash_) != 64:
            self.fail(f"{value!r} is no CHAIN:SEQ:HASH as an earlier audit printed it", param, ctx)
        return Anchor(chain, int(seq), hash_)


@cli.command()
@click.option("--from", "from_day", type=DAY, metavar="DAY", help="Calls of this day (UTC) on.")
@click.option("--to", "to_day", type=DAY, metavar="DAY", help="Calls up to this day (UTC).")
@click.option(
    "--head",
    "anchors",
    type=AnchorType(),
    multiple=True,
    metavar="CHAIN:SEQ:HASH",
    help="An end of a chain that an earlier audit printed; more than one may be given.",
)
@click.option(
    "--packs",
    "former",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    metavar="FOLDER",
    help="Former rule packs, by which rule sets of earlier days are proved.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything, for scripts.")
@pass_context
def audit(
    context: Context,
    from_day: datetime | None,
    to_day: datetime | None,
    anchors: tuple[Anchor, ...],
    former: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Was every call lawful? The ledger is verified, and every law is proved again, from the
    attempts, the ledger and the rule packs alone.

    The daemon may run meanwhile; nothing is changed. Keep the ends of the chains that are printed
    last where nobody who can write to the database reaches them, and give them to the next audit.

    Exit codes: 0 no violation, 1 violations, or there is nothing that can be audited.

    \b
    Example:
      duecall audit
      duecall audit --from 2026-11-01 --to 2026-11-30 --json
    """
    from_us = _day_us(from_day) if from_day else 0
    until_us = _day_us(to_day + timedelta(days=1)) if to_day else 1 << 62
    if from_us >= until_us:
        raise click.UsageError("--to is before --from")
    source = open_source(context.site.database, os.environ.get(PASSWORD, ""))
    folders = (*_own_packs(context), SHIPPED, *former)
    try:
        reading = read(source, context.site.lender, Key.of(_key_text(context)), folders, anchors)
    finally:
        source.close()
    proof = prove(reading.log, from_us, until_us)
    proof.violations[:0] = reading.chains
    summary = summarise(reading.log, from_us, until_us)
    if as_json:
        click.echo(json.dumps(_plain(reading, proof, summary), ensure_ascii=False, indent=2))
    else:
        _show(reading, proof, summary)
    raise SystemExit(bool(proof.violations))


def _day_us(day: datetime) -> int:
    return to_us(day.replace(tzinfo=timezone.utc))


def _own_packs(context: Context) -> list[Path]:
    own = Path(context.site.folders.rules)
    return [own] if own.is_dir() else []


def _key_text(context: Context) -> str:
    """Never made here: an audit with a new key would prove nothing."""
    if text := os.environ.get(KEY_VARIABLE, ""):
        return text
    path = context.key_path
    if not path.exists():
        fail(f"{path} does not exist; the audit needs the key of this database, or {KEY_VARIABLE}")
    text, held = read_key_file(path)
    held.close()
    return text


def _show(reading: Reading, proof: Proof, summary: Summary) -> None:
    _violations(proof.violations)
    _table("campaign", ("attempts", "refusals"), [
        (name, summary.attempts[name], summary.refusals[name])
        for name in sorted({*summary.attempts, *summary.refusals})
    ])  # fmt: skip
    _table("rule set", ("campaign", "pack", "since", "calls"), [
        (one.rules[:12], one.campaign, one.pack, f"{from_us(one.since_us):%F %H:%M}", one.calls)
        for one in summary.taken_up
    ])  # fmt: skip
    _table("made laxer", ("how", "by", "level", "campaign", "reason", "approved by"), [
        (one.rule or one.kind, one.kind, one.origin, one.level, one.campaign, one.reason,
         one.approved_by)
        for one in summary.laxer
    ])  # fmt: skip
    _table("keep this: end of a chain", (), [(":".join(map(str, one)),) for one in reading.ends])
    console.print()
    found = len(proof.violations)
    words = f"{found} violations" if found else "no violation"
    text = f"{proof.attempts} attempts, {proof.judged} judged{_besides(proof)}: {words}"
    print_lines([Text(text, style="red" if found else "green")])


def _besides(proof: Proof) -> str:
    told = (
        (proof.unsent, "taken back before they were sent"),
        (proof.doubtful, "of these maybe never sent"),
        (proof.older, "older than the ledger"),
    )
    return "".join(f", {count} {words}" for count, words in told if count)


def _violations(violations: list[Violation]) -> None:
    for one in violations[:SHOWN]:
        where = " ".join(part for part in (one.attempt, one.entry) if part)
        console.print(
            f"[red]{one.law}[/red] {escape(one.rule)}  {escape(where)}  {escape(one.text)}",
            highlight=False,
            soft_wrap=True,
        )
    if len(violations) > SHOWN:
        print_lines([Text(f"and {len(violations) - SHOWN} more: --json tells all")])


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Nothing is shown where there is nothing."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(title, overflow="fold", no_wrap=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console.print()
    console.print(table)


def _plain(reading: Reading, proof: Proof, summary: Summary) -> dict[str, object]:
    return {
        "violations": [one._asdict() for one in proof.violations],
        "by_law": [
            {"law": law, "rule": rule, "count": count}
            for (law, rule), count in sorted(by_law(proof).items())
        ],
        "attempts": proof.attempts,
        "judged": proof.judged,
        "unsent": proof.unsent,
        "doubtful": proof.doubtful,
        "older": proof.older,
        "campaigns": {
            name: {"attempts": summary.attempts[name], "refusals": summary.refusals[name]}
            for name in sorted({*summary.attempts, *summary.refusals})
        },
        "refusals_by_rule": dict(summary.by_rule.most_common()),
        "entries": dict(sorted(summary.entries.items())),
        "rule_sets": [
            {
                "campaign": one.campaign,
                "pack": one.pack,
                "rules": one.rules,
                "since": from_us(one.since_us).isoformat(),
                "calls": one.calls,
            }
            for one in summary.taken_up
        ],
        "laxer": [one._asdict() for one in summary.laxer],
        "heads": [":".join(map(str, one)) for one in reading.ends],
    }
