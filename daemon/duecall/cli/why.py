"""`duecall why`: why somebody is called, or not, or was: each rule with its verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import click

from duecall.cli import cli
from duecall.cli.common import Context, console, fail, pass_context
from duecall.cli.why_answer import A_MINUTE, Answer, answer_of
from duecall.cli.why_view import answer_view, plain_answer, plain_stop, stops_view
from duecall.core.callee_zones import candidate_zones
from duecall.core.contact_phone import PhoneError, parse_phone
from duecall.core.moment_text import MomentError, read_moment
from duecall.shell.clock import now
from duecall.shell.column_values import to_us
from duecall.shell.former_stops import StopThen
from duecall.shell.store import Store, StoredCampaign
from duecall.shell.vault import mask_phone
from duecall.shell.why_store import OpenTarget

PHONE_DIGITS = 6  # what has so many may be a number, and is masked


@cli.command()
@click.argument("who", metavar="NUMBER|CONTRACT")
@click.option("--campaign", help="Only this campaign.  [default: all]")
@click.option("--at", "at_text", metavar="TIME", help="Another moment, past or to come.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def why(
    context: Context, who: str, campaign: str | None, at_text: str | None, as_json: bool
) -> None:
    """Why is, or was, this number or contract called, or not? Each rule in order, and the one that
    decides; when a call may start next.

    TIME is 2026-11-22 10:15, or 10:15 of today, where the lender keeps its books, or with an offset
    as in 2026-11-22T10:15+07:00. Of the past tells the ledger, with the rules and stops of then.

    \b
    Example:
      duecall why +84901234567
      duecall why MA-2025-10401 --campaign overdue-vi --at "2026-11-22 07:05"
    """
    store = context.store()
    try:
        with store.reading():
            stored = {one.name: one for one in store.campaigns()}
            if campaign is not None and campaign not in stored:
                known = ", ".join(stored) or "none"
                fail(f"campaign {campaign} is not in the database; there are: {known}")
            found, phones = _find(store, who, list(stored.values()))
            if campaign is not None:
                found = [one for one in found if one.campaign.name == campaign]
            present = now().wall
            asked = {one.campaign.name for one in found} or set(stored)
            zones = {stored[name].campaign.zone for name in asked} or {"UTC"}
            at, minute = _moment(at_text, zones, present)
            past = at if at < present - (A_MINUTE if minute else timedelta()) else None
            if not found:
                _nobody(_stops(store, phones, past), who, phones, campaign, past, as_json)
                return
            answers = [
                answer_of(
                    context.site,
                    store.why,
                    one,
                    stored[one.campaign.name],
                    at,
                    present,
                    minute=minute,
                )
                for one in found
            ]
            whose = [*phones, *(one.row.contact.phone for one in found)]
            stops = _stops(store, whose, past)
    finally:
        store.close()
    if as_json:
        _print_json(answers, stops)
        return
    for number, answer in enumerate(answers):
        if number:
            console.print()
        console.print(answer_view(answer))


def _find(
    store: Store, who: str, campaigns: Sequence[StoredCampaign]
) -> tuple[list[OpenTarget], list[str]]:
    """Its targets; and the numbers (E.164) that `who` may be, where it is no contract."""
    found = store.why.by_contract(who)
    if found:
        return _of_stored(found, campaigns), []
    phones: dict[str, None] = {}
    for country in {one.campaign.country: None for one in campaigns} or {"VN": None}:
        try:
            phones[parse_phone(who, country).e164] = None
        except PhoneError:
            continue
    by_phone = [one for phone in phones for one in store.why.by_phone(phone)]
    return _of_stored(by_phone, campaigns), list(phones)


def _of_stored(found: list[OpenTarget], campaigns: Sequence[StoredCampaign]) -> list[OpenTarget]:
    """Without those of campaigns that this Duecall cannot read."""
    names = {one.name for one in campaigns}
    return [one for one in found if one.campaign.name in names]


def _stops(
    store: Store, phones: Sequence[str], past: datetime | None
) -> list[tuple[str, StopThen]]:
    """Of today's list, or those that held at a moment that is past."""
    known = [phone for phone in dict.fromkeys(phones) if phone]  # empty: the person is forgotten
    at_us = None if past is None else to_us(past)
    return [(phone, stop) for phone in known for stop in store.why.stops_of(phone, at_us)]


def _print_json(answers: Sequence[Answer], stops: Sequence[tuple[str, StopThen]]) -> None:
    shown = {
        "targets": [plain_answer(answer) for answer in answers],
        "stops": [plain_stop(phone, stop) for phone, stop in stops],
    }
    click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


def _nobody(
    stops: Sequence[tuple[str, StopThen]],
    who: str,
    phones: list[str],
    campaign: str | None,
    past: datetime | None,
    as_json: bool,
) -> None:
    """In no campaign: it may be on the stop list all the same, or have been at `past`."""
    if stops and as_json:
        _print_json([], stops)
    elif stops:
        console.print(stops_view(stops, campaign, past))
    else:
        digits = sum(c.isdigit() for c in who) >= PHONE_DIGITS and not any(map(str.isalpha, who))
        shown = mask_phone(phones[0]) if phones else mask_phone(who) if digits else who
        where = f"campaign {campaign}" if campaign else "any campaign"
        then = "" if past is None else " then"
        if phones and not any(candidate_zones(phone, "") for phone in phones):
            fail(
                f"{shown} is in no campaign, and not called: no time zone is known for such a "
                "number; give its contact a `zone` in the contacts file and load it: duecall import"
            )
        fail(
            f"{shown} is neither a number nor a contract of {where}, nor on the stop list{then}; "
            "write a number with + and country code, a contract as its file has it, or load it: "
            "duecall import"
        )


def _moment(text: str | None, zones: set[str], present: datetime) -> tuple[datetime, bool]:
    """(the moment asked about, whether the whole minute is meant)."""
    if text is None:
        return present, False
    try:
        return read_moment(text, zones, present)
    except MomentError as error:
        fail(f"--at {text!r}: {error}")
