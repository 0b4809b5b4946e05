"""`plan` as tables that fit 80 columns, and as JSON; colours only repeat what the words say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from duecall.cli.plan_reading import Planning, Plans, TrunkUse
from duecall.core.eligibility import Eligibility
from duecall.core.planning import Opening, Planned, held_by
from duecall.core.rule_difference import campaign_differences, rule_differences
from duecall.shell.vault import mask_phone
from duecall.shell.why_store import OpenTarget

VALUE_SHOWN = 60  # characters of a changed value


def plan_view(plans: Plans) -> RenderableType:
    """Each campaign, then the trunks that they share."""
    parts: list[RenderableType] = []
    for planning in plans.plannings:
        parts += [*_campaign(planning, plans.at, plans.by), Text()]
    parts += [Text(_trunk(trunk)) for trunk in plans.trunks]
    return Group(*parts)


def _campaign(planning: Planning, at: datetime, by: datetime) -> Iterator[RenderableType]:
    campaign, plan = planning.now.campaign, planning.plan
    zone = ZoneInfo(campaign.zone)
    rules = planning.now.eligibility.rules
    yield Text(f"{campaign.name} ({planning.stored.state.value})", style="bold")
    start, end = (moment.astimezone(zone) for moment in (at, by))
    yield Text(f"from {start:%a %Y-%m-%d %H:%M:%S} to {end:%a %Y-%m-%d %H:%M:%S} {campaign.zone}")
    yield Text(f"rules: {rules.pack.jurisdiction}, {rules.digest[:12]}")
    for note in planning.notes:
        yield Text(f"note: {note}", style="yellow")
    yield Text(
        f"{plan.open:,} open: {plan.now:,} may be called now, {plan.later:,} later in this time, "
        f"{plan.calling:,} in a call"
    )
    if rows := list(plan.first):
        yield Text()
        yield _first(planning, rows)
    if plan.held:
        yield Text()
        yield _held(planning)
    if planning.before is not None:
        yield Text()
        yield from _against(planning)


def _first(planning: Planning, rows: Sequence[Planned[OpenTarget]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("contract", overflow="fold")
    table.add_column("phone", no_wrap=True)
    table.add_column("from, at the callee", no_wrap=True)
    table.add_column("held back by", overflow="fold")
    for number, planned in enumerate(rows, 1):
        row = planned.row.row
        table.add_row(
            str(number),
            escape(row.account.contract_number),
            mask_phone(row.contact.phone),
            _there(planning.now.eligibility, planned.row, planned.opening),
            escape(held_by(planned.opening)),
        )
    return table


def _there(eligibility: Eligibility, target: OpenTarget, opening: Opening) -> str:
    """The start by the callee's clock; of several, by the first."""
    start = opening.start
    if start is None:
        return "not in this time"
    zones = eligibility.proposal(target.target(), start).zones
    more = " +" if len(zones) > 1 else ""
    return f"{start.astimezone(ZoneInfo(zones[0])):%a %H:%M:%S %Z}{more}"


def _held(planning: Planning) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("held back by", overflow="fold")
    for title in ("until later in this time", "for longer", "for ever"):
        table.add_column(title, justify="right")
    for rule, held in planning.plan.held_back():
        counts = (held.later, held.not_yet, held.never)
        table.add_row(escape(rule), *(f"{count:,}" for count in counts))
    return table


def _trunk(trunk: TrunkUse) -> str:
    source = "of late" if trunk.measured else "the ring time, for there were no calls yet"
    return (
        f"trunk {trunk.name}: {trunk.traffic.total:,} calls may start in this time, "
        f"{trunk.fits:,} fit: {trunk.rate:.3g} a second\n"
        f"  (a call takes {trunk.call_s:.0f} s, {source})"
    )


# ---- against an older file


def _against(planning: Planning) -> Iterator[RenderableType]:
    assert planning.before and planning.comparison and planning.first_before
    found = planning.comparison
    yield Text("by the older file", style="bold")
    yield from (Text(line) for line in _changes(planning))
    more, fewer = sum(found.more.values()), sum(found.fewer.values())
    yield Text(
        f"now {more:,} more may be called in this time, and {fewer:,} fewer; "
        f"{found.earlier:,} earlier, {found.later:,} later; {found.same:,} as before"
    )
    yield from _counts("more, held back before by", found.more)
    yield from _counts("fewer, held back now by", found.fewer)
    other = {f"{old}, now {new}": n for (old, new), n in found.otherwise.items()}
    yield from _counts("held back all the same, before by", other)
    if found.examples:
        table = Table(box=None, pad_edge=False)
        for title in ("such as", "phone", "before", "now"):
            table.add_column(title, overflow="fold")
        before, after = planning.before.eligibility, planning.now.eligibility
        for one in found.examples:
            table.add_row(
                escape(one.row.row.account.contract_number),
                mask_phone(one.row.row.contact.phone),
                escape(_in_short(before, one.row, one.before)),
                escape(_in_short(after, one.row, one.after)),
            )
        yield Text()
        yield table
    yield from _order(planning)


def _in_short(eligibility: Eligibility, target: OpenTarget, opening: Opening) -> str:
    if opening.start is None:
        return f"no: {held_by(opening)}"
    return _there(eligibility, target, opening)


def _changes(planning: Planning) -> Iterator[str]:
    assert planning.before is not None
    before, after = planning.before, planning.now
    for key, old, new in campaign_differences(before.campaign, after.campaign):
        yield f"  changed: {key}: {_value(old)} -> {_value(new)}"
    for one in rule_differences(before.eligibility.rules, after.eligibility.rules):
        level = f" ({one.level})" if one.level else ""
        if not one.fields:
            yield f"  {one.kind}: {one.rule}{level}"
        for name, old, new in one.fields:
            what = one.rule if name == one.rule else f"{one.rule}{level}, {name}"
            yield f"  {one.kind}: {what}: {_value(old)} -> {_value(new)}"


def _value(text: str) -> str:
    return text if len(text) <= VALUE_SHOWN else f"{text[: VALUE_SHOWN - 1]}…"


def _counts(title: str, counts: Mapping[str, int]) -> Iterator[RenderableType]:
    if not counts:
        return
    table = Table(box=None, pad_edge=False)
    table.add_column(title, overflow="fold")
    table.add_column("contacts", justify="right", no_wrap=True)
    for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(escape(name), f"{count:,}")
    yield Text()
    yield table


def moved(planning: Planning) -> list[tuple[int | None, int | None, OpenTarget]]:
    """(place before, place now, whom) of those among the first that are so in one file alone, or at
    another place."""
    assert planning.first_before is not None
    before = {one.row.row.id: n for n, one in enumerate(planning.first_before, 1)}
    after = {one.row.row.id: n for n, one in enumerate(planning.plan.first, 1)}
    rows = {one.row.row.id: one.row for one in (*planning.plan.first, *planning.first_before)}
    places = [(before.get(name), after.get(name), row) for name, row in rows.items()]
    return [place for place in places if place[0] != place[1]]


def _order(planning: Planning) -> Iterator[RenderableType]:
    places = moved(planning)
    if not places:
        yield Text("The first are called in the same order.")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("place before", justify="right", no_wrap=True)
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("contract", overflow="fold")
    for old, new, target in places:
        contract = target.row.account.contract_number
        table.add_row(str(old or "-"), str(new or "-"), escape(contract))
    yield Text()
    yield table


# ---- for scripts


def plain_plan(plans: Plans) -> dict[str, Any]:
    """Moments are ISO with their offset."""
    return {
        "from": plans.at.isoformat(),
        "to": plans.by.isoformat(),
        "unreadable": plans.unreadable,
        "campaigns": [_plain_campaign(planning) for planning in plans.plannings],
        "trunks": [
            {
                "trunk": trunk.name,
                "calls": trunk.traffic.total,
                "fit": trunk.fits,
                "calls_per_second": trunk.rate,
                "call_s": trunk.call_s,
                "call_s_measured": trunk.measured,
            }
            for trunk in plans.trunks
        ],
    }


def _plain_campaign(planning: Planning) -> dict[str, Any]:
    plan, now = planning.plan, planning.now
    rules = now.eligibility.rules
    return {
        "campaign": now.campaign.name,
        "state": planning.stored.state.value,
        "pack": rules.pack.jurisdiction,
        "rules": rules.digest,
        "notes": planning.notes,
        "open": plan.open,
        "now": plan.now,
        "later": plan.later,
        "calling": plan.calling,
        "first": [_plain_target(now.eligibility, one.row, one.opening) for one in plan.first],
        "held_back": [
            {"rule": rule, "later": held.later, "longer": held.not_yet, "never": held.never}
            for rule, held in plan.held_back()
        ],
        "against": None if planning.before is None else _plain_against(planning),
    }


def _plain_target(eligibility: Eligibility, target: OpenTarget, opening: Opening) -> dict[str, Any]:
    zones = eligibility.proposal(target.target(), opening.start).zones if opening.start else ()
    return {
        "contract": target.row.account.contract_number,
        "phone": mask_phone(target.row.contact.phone),
        "rank": target.rank,
        "zones": list(zones),
        "start": opening.start.isoformat() if opening.start else None,
        "start_local": [
            opening.start.astimezone(ZoneInfo(zone)).isoformat()
            for zone in zones
            if opening.start is not None
        ],
        "held_back_by": held_by(opening) or None,
        "reason": opening.reason,
    }


def _plain_against(planning: Planning) -> dict[str, Any]:
    assert planning.before and planning.comparison
    before, now, found = planning.before, planning.now, planning.comparison
    return {
        "rules": before.eligibility.rules.digest,
        "campaign_changes": [
            {"key": key, "before": old, "now": new}
            for key, old, new in campaign_differences(before.campaign, now.campaign)
        ],
        "rule_changes": [
            {
                "kind": one.kind,
                "rule": one.rule,
                "level": one.level,
                "fields": [{"field": n, "before": o, "now": w} for n, o, w in one.fields],
            }
            for one in rule_differences(before.eligibility.rules, now.eligibility.rules)
        ],
        "more": found.more,
        "fewer": found.fewer,
        "earlier": found.earlier,
        "later": found.later,
        "same": found.same,
        "otherwise": [
            {"before": old, "now": new, "count": n} for (old, new), n in found.otherwise.items()
        ],
        "examples": [
            {
                "before": _plain_target(before.eligibility, one.row, one.before),
                "now": _plain_target(now.eligibility, one.row, one.after),
            }
            for one in found.examples
        ],
        "moved": [
            {"contract": target.row.account.contract_number, "before": old, "now": new}
            for old, new, target in moved(planning)
        ],
    }
