"""The plan of some campaigns: all their open targets, asked about at the gate page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.progress import Progress, TaskID

from duecall.cli.common import fail, progress
from duecall.core.campaign import Campaign
from duecall.core.eligibility import Answered, Eligibility
from duecall.core.gate_types import Horizon, Snapshot
from duecall.core.local_day import to_us
from duecall.core.planning import (
    Comparison,
    First,
    Opening,
    Place,
    Plan,
    Planned,
    Traffic,
    opening_of_waiting,
    trunk_rate,
)
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import MergeProblems
from duecall.core.site import Site
from duecall.shell import config_file
from duecall.shell.column_values import CampaignState, TargetState, maybe_from_us
from duecall.shell.model_faults import validated
from duecall.shell.store import Store, StoredCampaign
from duecall.shell.why_store import OpenTarget, WhyStore
from duecall.shell.yaml_tree import read_tree

UNRANKED = 2**62  # behind all that are ranked: an import is at work


@dataclass
class Version:
    """A campaign as one file has it. own_order: it is not the order by which the store ranks."""

    campaign: Campaign
    eligibility: Eligibility
    own_order: bool

    def place(self, target: OpenTarget) -> Any:
        """Comparable with those of this campaign."""
        row = target.row
        if self.own_order:
            return Place.of(row.contact, row.account, self.campaign.order, row.id)
        return UNRANKED + row.id if target.rank is None else target.rank


@dataclass
class Planning:
    """One campaign. before: by the file that it is held against; None: it is held against none."""

    stored: StoredCampaign
    now: Version
    plan: Plan[OpenTarget]
    before: Version | None = None
    comparison: Comparison[OpenTarget] | None = None
    first_before: First[OpenTarget] | None = None
    notes: list[str] = field(default_factory=list)


@dataclass
class TrunkUse:
    """traffic: the calls that may start within the time, of the campaigns shown. fits: how many of
    them the trunk can start. call_s: how long a call holds its channel; measured: of late."""

    name: str
    traffic: Traffic
    call_s: float
    measured: bool
    rate: float
    fits: int = 0


@dataclass(frozen=True)
class Plans:
    """unreadable: targets that could not be unsealed, and are in no plan."""

    at: datetime
    by: datetime
    plannings: list[Planning]
    trunks: list[TrunkUse]
    unreadable: int


def read_plans(
    site: Site,
    store: Store,
    chosen: Sequence[tuple[StoredCampaign, Campaign]],
    at: datetime,
    by: datetime,
    limit: int,
    against: Path | None = None,
) -> Plans:
    """chosen: what the database has of each campaign, and what it is to be planned by. at, by:
    aware. limit: how many of the first are told. against: an older campaign file or config.yaml.
    Ends the command where a campaign or file is of no use."""
    reader = store.why
    trunks: dict[str, TrunkUse] = {}
    plannings = [
        _planning(site, reader, stored, campaign, (at, by), limit, trunks)
        for stored, campaign in chosen
    ]
    if against is not None:
        _hold_against(site, plannings, against, limit)
    _read(store, reader, plannings, at, by)
    for trunk in trunks.values():
        trunk.fits = trunk.traffic.fits(trunk.rate)
    return Plans(at, by, plannings, list(trunks.values()), reader.unreadable)


def _planning(
    site: Site,
    reader: WhyStore,
    stored: StoredCampaign,
    campaign: Campaign,
    time: tuple[datetime, datetime],
    limit: int,
    trunks: dict[str, TrunkUse],
) -> Planning:
    """time: its beginning and its end."""
    version = _version(site, campaign, stored)
    settings = site.trunks.get(campaign.trunk)
    if settings is None:
        fail(f"trunk {campaign.trunk} of campaign {campaign.name} is not in config.yaml: add it")
    took_s = reader.call_s(reader.campaign(stored.name))
    call_s = float(campaign.ring) if took_s is None else took_s
    use = trunks.get(campaign.trunk)
    if use is None:
        rate = trunk_rate(settings, call_s)
        use = TrunkUse(campaign.trunk, Traffic(*time), call_s, took_s is not None, rate)
        trunks[campaign.trunk] = use
    elif call_s > use.call_s:  # of several campaigns, the one whose calls take longest
        use.call_s, use.measured = call_s, took_s is not None
        use.rate = trunk_rate(settings, call_s)
    found = Planning(stored, version, Plan(limit, use.traffic))
    if campaign != stored.campaign:
        found.notes.append("by its file, which is not what the daemon has: start it again")
    if stored.state is not CampaignState.RUNNING:
        found.notes.append(f"the campaign is {stored.state.value}: nobody is called until it runs")
    return found


def _version(site: Site, campaign: Campaign, stored: StoredCampaign) -> Version:
    try:
        rules = rules_of(site, campaign)
    except MergeProblems as error:
        fail(f"the rules of campaign {campaign.name}: {error}; see: duecall check {campaign.name}")
    own_order = campaign.order != stored.campaign.order
    return Version(campaign, Eligibility(campaign, rules), own_order)


def _hold_against(site: Site, plannings: list[Planning], path: Path, limit: int) -> None:
    """path: an older config.yaml holds for all campaigns, an older campaign file for its own."""
    if not path.exists():
        fail(f"{path} does not exist; name an older campaign file, or an older config.yaml")
    campaign = None
    tree = read_tree(path)
    if "trunks" in tree.data:
        site = config_file.load_site(path)
    else:
        name = tree.data.get("name", path.stem)
        if len(plannings) != 1:
            plannings[:] = [one for one in plannings if one.stored.name == name]
        if len(plannings) != 1:
            fail(f"{path}: which campaign is it to be held against? Name it: duecall plan CAMPAIGN")
        # An old file may lie anywhere, under any name: what it names need not be there any more.
        tree.data["name"] = plannings[0].stored.name
        campaign = validated(Campaign, path, tree, list(tree.faults))
    for planning in plannings:
        old = campaign or planning.now.campaign
        planning.before = _version(site, old, planning.stored)
        planning.comparison = Comparison(limit)
        planning.first_before = First(limit)


# ---- reading


def _read(
    store: Store,
    reader: WhyStore,
    plannings: Sequence[Planning],
    at: datetime,
    by: datetime,
) -> None:
    with progress("contacts") as bar:
        for planning in plannings:
            counts = store.status_counts(planning.stored.name).targets
            total = sum(n for state, n in counts.items() if state != TargetState.DONE.value)
            task = bar.add_task(planning.stored.name, total=total)
            _read_one(reader, planning, at, by, bar, task)


def _read_one(
    reader: WhyStore,
    planning: Planning,
    at: datetime,
    by: datetime,
    bar: Progress,
    task: TaskID,
) -> None:
    key = reader.campaign(planning.stored.name)
    answered = reader.answered(key)
    versions = [planning.now, *([planning.before] if planning.before else [])]
    horizon = _widest([one.eligibility.horizon(at) for one in versions])
    for page in reader.open_targets(key):
        known = reader.known(key, [one.row for one in page], horizon, to_us(at))
        for target, past in zip(page, known, strict=True):
            if target.state is TargetState.CALLING:
                planning.plan.calling += 1
                continue
            after = _opening(planning.now, target, past, answered, at, by)
            planning.plan.add(after, planning.now.place(target), target)
            if planning.before is not None:
                before = _opening(planning.before, target, past, answered, at, by)
                _compare(planning, target, before, after)
        bar.update(task, advance=len(page))


def _compare(planning: Planning, target: OpenTarget, before: Opening, after: Opening) -> None:
    assert planning.before and planning.comparison and planning.first_before
    planning.comparison.add(target, before, after)
    if before.start is not None:
        planning.first_before.add(Planned(before, planning.before.place(target), target))


def _opening(
    version: Version,
    target: OpenTarget,
    known: Snapshot,
    answered: Answered,
    at: datetime,
    by: datetime,
) -> Opening:
    asked = target.target()
    check = version.eligibility.check
    return opening_of_waiting(
        lambda moment: check(asked, known, moment, answered),
        at,
        by,
        maybe_from_us(target.due_us) if target.state is TargetState.WAITING else None,
        target.reason,
    )


def _widest(horizons: Sequence[Horizon]) -> Horizon:
    """That which reads all that any of them needs."""

    def least(values: Iterator[int | None]) -> int | None:
        return min((value for value in values if value is not None), default=None)

    return Horizon(
        number=least(one.number for one in horizons),
        contact=least(one.contact for one in horizons),
        account=least(one.account for one in horizons),
    )
