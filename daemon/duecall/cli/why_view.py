"""`why` as tables that fit 80 columns, and as JSON; colours only repeat what the words say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from duecall.cli.why_answer import Answer
from duecall.core.gate_types import Finding
from duecall.core.verdict import Denied
from duecall.shell.column_values import CampaignState, TargetState, from_us, maybe_from_us
from duecall.shell.former_stops import StopThen
from duecall.shell.stop_types import scope_of
from duecall.shell.vault import mask_phone
from duecall.shell.why_store import Entry

ZONES_SHOWN = 3
MARKS = {True: "NO", False: "ok"}


def local(at: datetime, zone: str) -> str:
    """A moment by the clock on a wall, with its zone."""
    return f"{at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M:%S} {zone}"


def answer_view(answer: Answer) -> RenderableType:
    """One target: who and where it is, the answer, the next start, each rule."""
    found = answer.found
    row = found.row
    parts: list[RenderableType] = [
        Text(
            f"{row.account.contract_number or '(erased)'}  {mask_phone(row.contact.phone)}  "
            f"{found.campaign.name} ({answer.stored.state.value})",
            style="bold",
        )
    ]
    if answer.then is None:
        parts.append(Text(_state(answer)))
    parts += [Text(line) for line in _clocks(answer, answer.at)]
    good = answer.headline.startswith("It ")
    parts += [Text(), Text(answer.headline, style="green" if good else "red")]
    if answer.then is None:
        parts += [Text(line) for line in _next(answer)]
    else:
        parts += [*_start_then(answer), *_stops_then(answer.then.stops), *_ledger(answer)]
    parts += [Text(), _findings(answer)]
    rules = f"rules: {answer.rules.pack.jurisdiction}, {answer.rules.digest[:12]}"
    parts.append(Text(f"\n{rules}"))
    if answer.then is not None:
        parts += [Text(f"note: {note}") for note in answer.then.notes]
    return Group(*parts)


def _state(answer: Answer) -> str:
    found, past = answer.found, answer.found.row.past
    tries = (
        f"{past.tries} tries, {past.counted} of {answer.stored.campaign.retry.max_attempts} count"
    )
    zone = answer.stored.campaign.zone
    due = maybe_from_us(found.due_us)
    where = {
        TargetState.NEW: "not ranked yet",
        TargetState.WAITING: f"waits until {local(due, zone)}" if due else "waits",
        TargetState.READY: f"ready, {found.rank}. in the order",
        TargetState.HELD: f"claimed by daemon {found.held_by}",
        TargetState.CALLING: f"in a call, made by daemon {found.held_by}",
        TargetState.DONE: "done with",
    }[found.state]
    why = f": {found.reason}" if found.reason and found.state is not TargetState.READY else ""
    return f"{where}{why}\n{tries}"


def _clocks(answer: Answer, at: datetime) -> Iterator[str]:
    """A moment for the lender, and for the callee where that is another clock."""
    zone = answer.stored.campaign.zone
    yield f"at {local(at, zone)} (lender)"
    for callee in _others(answer):
        yield f"   {local(at, callee)} (callee)"
    if not answer.zones:
        yield "   where the callee is, is not known"


def _others(answer: Answer) -> list[str]:
    """The callee's zones other than the lender's, the first few."""
    others = [zone for zone in answer.zones if zone != answer.stored.campaign.zone]
    return [zone for zone in others if _known(zone)][:ZONES_SHOWN]


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return True


def _next(answer: Answer) -> Iterator[str]:
    """When a call may start."""
    opening = answer.opening
    if opening is None:
        return
    if opening.start is None:
        if opening.never:
            yield "No call may start any more, as things stand."
        else:
            yield "No call may start in the next two months, as things stand."
        return
    runs = answer.stored.state is CampaignState.RUNNING
    once = "" if runs else ", once the campaign runs"
    if opening.start <= answer.at:
        yield f"A call may start {'now' if answer.asked == 'now' else 'then'}{once}."
        return
    zone = answer.stored.campaign.zone
    yield f"A call may start: {local(opening.start, zone)} (lender){once}"
    for callee in _others(answer):
        yield f"                  {local(opening.start, callee)} (callee)"


def _findings(answer: Answer) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("rule", overflow="fold")
    table.add_column("level", no_wrap=True)
    table.add_column("verdict", overflow="fold", ratio=1)
    explanation = answer.explanation
    zone = answer.zones[0] if answer.zones and _known(answer.zones[0]) else "UTC"
    for finding in explanation.findings:
        deciding = finding is explanation.deciding
        mark = MARKS[finding.denies] if finding.applies else "-"
        style = "bold red" if deciding else "red" if finding.denies else ""
        style = style if finding.applies else "dim"
        table.add_row(
            mark + (" >" if deciding else ""),
            escape(finding.rule),
            finding.level,
            escape(_says(finding, zone)),
            style=style,
        )
    return table


def _says(finding: Finding, zone: str) -> str:
    text = finding.reason.removeprefix(f"{finding.rule}: ")
    if finding.denies and finding.until_us is not None:
        text += f"; until {local(from_us(finding.until_us), zone)}"
    values = dict(finding.values)
    if "used" in values:
        text += f" ({values['used']} of {values['of']}, by {values['by']})"
    return text


# ---- the past


def _start_then(answer: Answer) -> Iterator[RenderableType]:
    """When a call might have started, as far as was known then."""
    verdict = answer.explanation.verdict
    if isinstance(verdict, Denied) and verdict.until is not None:
        zone = answer.stored.campaign.zone
        yield Text(f"By what was known then, not before {local(verdict.until, zone)} (lender)")


def _stops_then(stops: Sequence[StopThen]) -> Iterator[RenderableType]:
    if stops:
        yield Text("\nstops that held then:")
    for stop in stops:
        yield Text(f"  {_stop_text(stop)}")


def _ledger(answer: Answer) -> Iterator[RenderableType]:
    then = answer.then
    assert then is not None
    zone = answer.stored.campaign.zone
    if not then.entries:
        yield Text("The ledger has no entry about it.")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    for entry in then.entries:
        chosen = entry is then.decision or (then.decision is not None and entry == then.decision)
        moment = f"{from_us(entry.at_us).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"
        table.add_row(
            ("> " if chosen else "  ") + moment,
            entry.kind,
            escape(entry_text(entry)),
            style="bold" if chosen else "",
        )
    yield Text(f"\nthe ledger (times in {zone}):")
    yield table


def entry_text(entry: Entry) -> str:
    """What an entry says, in one line."""
    body = entry.body
    if entry.kind == "call":
        zones = ", ".join(body.get("zones", ())) or "unknown"
        consents = ", ".join(body.get("consents", ())) or "none"
        flags = "".join(f", flag {flag}" for flag in body.get("flags", ()))
        return (
            f"try {body['try']}, judged by rules {body['rules'][:12]}; zones {zones}; "
            f"consents {consents}{flags}"
        )
    if entry.kind == "refused":
        until = "never" if body["until"] is None else f"{from_us(body['until']):%Y-%m-%d %H:%M:%SZ}"
        return f"{body['reason']}; until {until}"
    if entry.kind == "ended":
        heard = "answered" if body["answered"] else "rang" if body["rang"] else "did not ring"
        return f"{body['outcome']}, {heard}; {body['reason']}"
    if entry.kind == "stop":
        scope = scope_of(body["key_kind"], body["key"], body["campaign"])
        done = "lifted" if body["lifted"] else "entered"
        return f"{body['kind']}, for {scope}: {done} ({body['source'] or 'no source'})"
    return ", ".join(f"{key} {value}" for key, value in body.items() if value)


# ---- only on the stop list


def stops_view(
    stops: Sequence[tuple[str, StopThen]], campaign: str | None, at: datetime | None = None
) -> RenderableType:
    """Numbers that nobody calls anyway: in no campaign, and stopped; at a moment that is past."""
    listed = "on the stop list" if at is None else f"was on the stop list at {at:%Y-%m-%d %H:%MZ}"
    where = f"campaign {campaign}" if campaign else "any campaign"
    parts: list[RenderableType] = []
    for phone in dict.fromkeys(phone for phone, _ in stops):
        head = f"{mask_phone(phone)} is in no target of {where}, and {listed}:"
        parts.append(Text(head))
        for one, stop in stops:
            if one == phone:
                parts.append(Text(f"  {_stop_text(stop)}"))
    return Group(*parts)


def _stop_text(then: StopThen) -> str:
    stop = then.stop
    text = f"{stop.kind}, for {then.scope}"
    if stop.expires_us is not None:
        text += f", until {_minute(stop.expires_us)}"
    text += f"; since {_minute(then.since_us)} ({stop.source or 'no source'})"
    if then.list_sha256:
        text += f", from a list, SHA-256 {then.list_sha256[:12]}"
    if then.lifted_us is not None:
        text += f"; lifted {_minute(then.lifted_us)} ({then.lifted_by or 'no source'})"
    return text


def _minute(us: int) -> str:
    return f"{from_us(us):%Y-%m-%d %H:%MZ}"


def plain_stop(phone: str, then: StopThen) -> dict[str, Any]:
    """For scripts."""
    return {"phone": mask_phone(phone), **_plain_stop(then)}


def _plain_stop(then: StopThen) -> dict[str, Any]:
    return {
        "kind": then.stop.kind,
        "scope": then.scope,
        "campaign": then.campaign or None,
        "expires": _iso(maybe_from_us(then.stop.expires_us)),
        "source": then.stop.source,
        "since": _iso(from_us(then.since_us)),
        "list_sha256": then.list_sha256 or None,
        "lifted": _iso(maybe_from_us(then.lifted_us)),
        "lifted_by": then.lifted_by,
    }


# ---- for scripts


def plain_answer(answer: Answer) -> dict[str, Any]:
    """One target. Moments are ISO with their offset; `local` ones by the callee's clocks."""
    found, row, verdict = answer.found, answer.found.row, answer.explanation.verdict
    denied = verdict if isinstance(verdict, Denied) else None
    start = answer.opening.start if answer.opening else None
    deciding = answer.explanation.deciding
    return {
        "campaign": found.campaign.name,
        "campaign_state": answer.stored.state.value,
        "contract": row.account.contract_number,
        "phone": mask_phone(row.contact.phone),
        "zones": list(answer.zones),
        "lender_zone": answer.stored.campaign.zone,
        "state": found.state.value,
        "due": _iso(maybe_from_us(found.due_us)),
        "held_by": found.held_by,
        "state_reason": found.reason,
        "rank": found.rank,
        "tries": row.past.tries,
        "counted": row.past.counted,
        "max_attempts": answer.stored.campaign.retry.max_attempts,
        "asked": answer.asked,
        "at": _iso(answer.at),
        "answer": answer.headline,
        "allowed": answer.allowed,
        "rule": deciding.rule if deciding else None,
        "reason": denied.reason if denied else "",
        "until": _iso(denied.until) if denied else None,
        "next_start": _iso(start),
        "next_start_local": {
            zone: start.astimezone(ZoneInfo(zone)).isoformat()
            for zone in (answer.zones if start else ())
            if start is not None
        },
        "pack": answer.rules.pack.jurisdiction,
        "rules": answer.rules.digest,
        "findings": [_plain_finding(one) for one in answer.explanation.findings],
        "then": _plain_then(answer),
    }


def _plain_finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "kind": finding.kind,
        "level": finding.level,
        "applies": finding.applies,
        "denies": finding.denies,
        "reason": finding.reason,
        "until": _iso(maybe_from_us(finding.until_us)) if finding.denies else None,
        "values": dict(finding.values),
    }


def _plain_then(answer: Answer) -> dict[str, Any] | None:
    then = answer.then
    if then is None:
        return None
    return {
        "decision": None if then.decision is None else _plain_entry(then.decision),
        "made_then": then.own,
        "going_on": then.going_on,
        "stops": [_plain_stop(stop) for stop in then.stops],
        "entries": [_plain_entry(entry) for entry in then.entries],
        "notes": list(then.notes),
    }


def _plain_entry(entry: Entry) -> dict[str, Any]:
    return {
        "at": _iso(from_us(entry.at_us)),
        "kind": entry.kind,
        "attempt": entry.attempt_id or None,
        "body": entry.body,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
