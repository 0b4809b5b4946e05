"""Which pack a campaign is judged by, and the rules in effect for it."""

from __future__ import annotations

from duecall.core.campaign import Campaign
from duecall.core.rule_merge import (
    Change,
    EffectiveRules,
    MergeProblem,
    MergeProblems,
    Origin,
    merge,
)
from duecall.core.rule_pack import RulePack
from duecall.core.scalars import did_you_mean
from duecall.core.site import Site


def rules_of(site: Site, campaign: Campaign) -> EffectiveRules:
    """Pack, site and campaign together. Raises MergeProblems, each with its place."""
    pack, choice = _chosen(site, campaign)
    others = site.packs.values()
    return merge(pack, site.rules, campaign.rules, choice=choice, others=others)


def pack_of(site: Site, campaign: Campaign) -> RulePack:
    """The campaign's own choice, else the site's, else that of the campaign's country.

    Another pack than that of the country takes the law away, so it needs a reason. Raises
    MergeProblems.
    """
    return _chosen(site, campaign)[0]


def site_problems(site: Site) -> list[MergeProblem]:
    """What is wrong with the site's own `rules:`, whatever campaign they are for."""
    found: dict[MergeProblem, None] = {}
    name = site.rules.pack
    if name is not None and name not in site.packs:
        problem = f"no rules for {name!r}" + did_you_mean(name, sorted(site.packs))
        found[MergeProblem("site", ("pack",), problem, ", ".join(sorted(site.packs)))] = None
    for pack in site.packs.values():
        try:
            merge(pack, site.rules, others=site.packs.values())
        except MergeProblems as error:
            found.update(dict.fromkeys(error.problems))
    return list(found)


def _chosen(site: Site, campaign: Campaign) -> tuple[RulePack, Change | None]:
    """The pack; and the choice as a change, where it is not the pack of the country."""
    country = campaign.country.lower()
    lawful = country if country in site.packs else ""
    origin: Origin = "campaign" if campaign.rules.pack else "site"
    chosen = campaign.rules if campaign.rules.pack else site.rules
    name = chosen.pack or lawful
    allowed = ", ".join(sorted(site.packs))
    if not name:
        problem = f"no rule pack for {campaign.country}, and none is named"
        raise MergeProblems([MergeProblem("campaign", (), problem, f"`pack:` one of {allowed}")])
    if name not in site.packs:
        problem = f"no rules for {name!r}" + did_you_mean(name, sorted(site.packs))
        raise MergeProblems([MergeProblem(origin, ("pack",), problem, allowed)])
    reason = chosen.pack_reason.strip()
    if lawful and name != lawful and not reason:
        problem = f"{name!r} in place of the law of {campaign.country}, and no reason"
        remedy = f"pack_reason: why, or pack: {lawful}"
        raise MergeProblems([MergeProblem(origin, ("pack",), problem, remedy)])
    choice = Change(origin, "pack", "", "", reason, "", lawful, name) if name != lawful else None
    return site.packs[name], choice
