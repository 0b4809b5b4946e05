"""Campaign and site files into models, or all that is wrong with them, each fault at its place."""

from __future__ import annotations

from pathlib import Path

from duecall.core.campaign import Campaign
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import MergeProblems
from duecall.core.site import Site
from duecall.shell import config_references, config_voices
from duecall.shell.config_faults import ConfigFaults, Fault, Spot
from duecall.shell.model_faults import fault_at, validated
from duecall.shell.rule_packs import load_packs
from duecall.shell.yaml_tree import read_tree

__all__ = ["ConfigFaults", "Fault", "Spot", "load_campaign", "load_site"]


def load_campaign(path: Path, site: Site | None) -> Campaign:
    """The campaign in this file, its paths made absolute. Raises ConfigFaults with all faults.

    site: whose trunks, agents and rules it may name; None: they are not checked.
    """
    tree = read_tree(path)
    named = "name" in tree.data
    tree.data.setdefault("name", path.stem)
    faults = list(tree.faults)
    for place, problem, allowed, spot in config_references.of_campaign(tree, path.parent, site):
        faults.append(fault_at(path, tree, place, problem, allowed, spot))
    for place, problem, allowed, spot in config_voices.of_campaign(tree, path.parent, site):
        faults.append(fault_at(path, tree, place, problem, allowed, spot))
    config_references.make_absolute(tree, path.parent)
    config_voices.make_absolute(tree, path.parent)
    campaign = validated(Campaign, path, tree, faults, unnamed=not named)
    if site is not None:
        if unfit := list(config_voices.of_both(tree, site, campaign)):
            raise ConfigFaults([fault_at(path, tree, *problem) for problem in unfit])
        try:
            rules_of(site, campaign)
        except MergeProblems as error:
            problems = config_references.of_campaign_rules(tree, error)
            raise ConfigFaults([fault_at(path, tree, *problem) for problem in problems]) from None
    return campaign


def load_site(path: Path) -> Site:
    """The installation in this file, its paths made absolute, with the rule packs that there are.
    Raises ConfigFaults: of this file, or of a pack of its own."""
    tree = read_tree(path)
    faults = list(tree.faults)
    folder = path.resolve().parent
    for place, problem, allowed, spot in config_references.of_site(tree, folder):
        faults.append(fault_at(path, tree, place, problem, allowed, spot))
    for place, problem, allowed, spot in config_voices.of_site(tree, folder):
        faults.append(fault_at(path, tree, place, problem, allowed, spot))
    config_voices.make_absolute(tree, folder)
    site = validated(Site, path, tree, faults)
    site = config_references.absolute_site(site, folder)
    site = site.with_packs(load_packs(Path(site.folders.rules)))
    if wrong := list(config_references.of_site_rules(tree, site)):
        raise ConfigFaults([fault_at(path, tree, *problem) for problem in wrong])
    return site
