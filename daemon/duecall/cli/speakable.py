"""Before anything is loaded: can everybody be spoken to whom the campaign may call?"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from duecall.cli.campaigns import proven_rows
from duecall.cli.common import Context, console, errors, fail, progress
from duecall.cli.row_faults import FAULTS_SHOWN
from duecall.core.campaign import Campaign
from duecall.core.contact_row import ParsedRow, RowFault
from duecall.core.money import major_units
from duecall.shell.prover import Mute

VALUE_MAX = 60  # characters shown of a cell
HIDDEN = ("phone", "card_number")
_LIKE_A_NUMBER = re.compile(r"[+(]?[0-9][0-9 ().*-]{7,}")

leave_out = click.option(
    "--leave-out-unspeakable",
    "leave_out",
    is_flag=True,
    help="Start although rows cannot be spoken; these are not called.",
)


def prove_contacts(context: Context, campaign: Campaign, *, leave_out: bool) -> int:
    """How many rows cannot be spoken and are left out. One of them ends the command, unless they
    are to be left out: then nothing was loaded and no sound made.

    A terminal is shown the value at fault, phones and cards masked; a log is not.
    """
    asked = mute = 0
    with progress("bytes") as bar:
        for row in proven_rows(context, campaign, bar, asked="selected"):
            # Rows that cannot be read at all are told, and left, by the import.
            if isinstance(row, RowFault) or not row.asked:
                continue
            asked += 1
            if row.mute is not None and row.parsed is not None:
                mute += 1
                if mute <= FAULTS_SHOWN:
                    _tell(row.parsed, row.mute)
    if mute > FAULTS_SHOWN:
        errors.print(f"cannot be spoken: and {mute - FAULTS_SHOWN} more", highlight=False)
    if mute and not leave_out:
        fail(
            f"{mute} of {asked} rows cannot be spoken, so nothing was loaded or started; mend them,"
            " or say --leave-out-unspeakable to call the others"
        )
    if mute:
        console.print(f"left out: {mute} of {asked} rows cannot be spoken", highlight=False)
    return mute


def _tell(row: ParsedRow, fault: Mute) -> None:
    where = f"row {row.row}: "
    if fault.variable:
        shown = "".join(_shown(row, fault.variable)) if errors.is_terminal else ""
        where += f"{fault.variable}{shown}: "
    errors.print(
        f"cannot be spoken: {where}{fault.why}", highlight=False, markup=False, soft_wrap=True
    )


def _shown(row: ParsedRow, variables: str) -> Iterator[str]:
    """The cells of these variables, as a part of the line; nothing for what no cell gives."""
    for name in variables.split(", "):
        text = _cell(row, name)
        if name in HIDDEN or _LIKE_A_NUMBER.fullmatch(text):
            text = re.sub(r"[0-9](?=.*[0-9]{3})", "*", text)
        if text:
            yield f" “{text[:VALUE_MAX]}{'…' if len(text) > VALUE_MAX else ''}”"


def _cell(row: ParsedRow, name: str) -> str:
    contact, account = row.contact, row.account
    if name in account.fields:
        return account.fields[name]
    if name == "balance":
        return f"{major_units(account.balance_minor, account.currency)} {account.currency}"
    if name in ("name", "phone"):
        return str(getattr(contact, name))
    if name in ("contract_number", "card_number", "interest_rate", "due_date"):
        return str(getattr(account, name))
    return ""
