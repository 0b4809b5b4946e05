"""The retention rules of each stored campaign, as they are in effect today."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from duecall.core.keeping import Keeping
from duecall.core.rule_choice import rules_of
from duecall.core.rule_merge import MergeProblems
from duecall.core.site import Site
from duecall.shell.store_answers import StoredCampaign

log = logging.getLogger(__name__)


def keeping_of(site: Site, campaigns: Iterable[StoredCampaign]) -> dict[str, Keeping | None]:
    """By campaign. None where its rules are not known: then all of it is kept, and it is logged."""
    found: dict[str, Keeping | None] = {}
    for stored in campaigns:
        campaign = stored.campaign
        try:
            rules = rules_of(site, campaign)
        except MergeProblems as error:
            why = str(error).splitlines()[0]
            log.warning("nothing of campaign %s is removed: why=%s", campaign.name, why)
            found[campaign.name] = None
        else:
            found[campaign.name] = Keeping(
                rules.pack.retention, campaign.purpose, campaign.zone, rules.digest
            )
    return found
