"""`duecall plan`: who would be called in the time to come, and what a change would alter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

from duecall.cli import cli
from duecall.cli.common import Context, console, errors, fail, pass_context
from duecall.cli.plan_reading import read_plans
from duecall.cli.plan_view import plain_plan, plan_view
from duecall.core.campaign import Campaign
from duecall.core.scalars import DURATION_FORM, seconds_of
from duecall.shell import config_file
from duecall.shell.campaign_files import campaign_file, campaign_name
from duecall.shell.clock import now
from duecall.shell.column_values import CampaignState
from duecall.shell.store import Store, StoredCampaign

LONGEST_S = 14 * 86_400
SHOWN_MAX = 1_000
LIVE = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.LOADED)


@cli.command()
@click.argument("campaigns", nargs=-1, metavar="[CAMPAIGN]...")
@click.option("--next", "next_text", default="1h", show_default=True, metavar="DURATION")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0, SHOWN_MAX))
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    help="An older campaign file, or config.yaml: what would be otherwise by it?",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def plan(
    context: Context,
    campaigns: tuple[str, ...],
    next_text: str,
    limit: int,
    against: Path | None,
    as_json: bool,
) -> None:
    """Who would be called in the time to come, in order, and who is held back by which rule.

    A campaign's name means what the database has; its file, what stands in the file now. Without
    any: all that are not stopped or finished. Nobody is claimed or called.

    \b
    Example:
      duecall plan
      duecall plan overdue-vi --next 4h --limit 50
      duecall plan campaigns/overdue-vi.yaml --against overdue-vi.old.yaml
    """
    at = now().wall
    by = at + timedelta(seconds=_seconds(next_text))
    store = context.store()
    try:
        chosen = _chosen(context, store, campaigns)
        plans = read_plans(context.site, store, chosen, at, by, limit, against)
    finally:
        store.close()
    if as_json:
        click.echo(json.dumps(plain_plan(plans), ensure_ascii=False, indent=2))
    else:
        console.print(plan_view(plans))
    if plans.unreadable:
        errors.print(f"{plans.unreadable} contacts cannot be unsealed, and are left out")


def _seconds(text: str) -> int:
    try:
        seconds = seconds_of(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= LONGEST_S:
        fail(f"--next {text!r}: from 1s to 14d are allowed, as {DURATION_FORM}")
    return seconds


def _chosen(
    context: Context, store: Store, given: Sequence[str]
) -> list[tuple[StoredCampaign, Campaign]]:
    """What the database has of each, and what it is to be planned by."""
    stored = {one.name: one for one in store.campaigns()}
    if not given:
        found = [(one, one.campaign) for one in stored.values() if one.state in LIVE]
        if not found:
            fail("no campaign is loaded; begin with: duecall import campaigns/NAME.yaml")
        return found
    chosen = []
    for text in given:
        name = campaign_name(text)
        if name not in stored:
            known = ", ".join(stored) or "none"
            fail(f"campaign {name} is not in the database; there are: {known}")
        campaign = stored[name].campaign
        if Path(text).suffix in (".yaml", ".yml"):
            campaign = config_file.load_campaign(
                campaign_file(Path(text), context.root), context.site
            )
        chosen.append((stored[name], campaign))
    return chosen
