"""Campaigns as the store keeps them: their settings, their state, who must hear of a change."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from duecall.core.campaign import Campaign, OrderBy
from duecall.shell.column_values import CampaignState, from_us, to_us
from duecall.shell.database import Database, StoreError
from duecall.shell.models import CampaignRow
from duecall.shell.store_answers import StoredCampaign
from duecall.shell.target_store import CampaignKey

CAMPAIGN, CONTACTS = "campaign", "contacts"  # kinds of news
FINISH = """UPDATE campaign SET state = 'finished' WHERE lender_id = ? AND name = ?
    AND state = 'running' AND NOT EXISTS (SELECT 1 FROM target t WHERE t.campaign_id = campaign.id
        AND t.state IN ('new', 'waiting', 'ready', 'held', 'calling'))"""
REOPEN = """UPDATE campaign SET state = 'running' WHERE lender_id = ? AND name = ?
    AND state = 'finished'"""


class NoSuchCampaign(StoreError):
    """It was never imported."""


class CampaignStore:
    """Of one lender; writes within the caller's transaction."""

    def __init__(self, database: Database, lender: int) -> None:
        self._database = database
        self._lender = lender

    def put(self, campaign: Campaign, yaml_text: str, at: datetime) -> bool:
        """New, or in place of the one of that name, whose state it keeps. True if it differs."""
        digest = hashlib.sha256(yaml_text.encode()).hexdigest()
        values = {
            "digest": digest,
            "trunk": campaign.trunk,
            "yaml_text": yaml_text,
            "settings": campaign.model_dump_json(by_alias=True),
            "loaded_at": to_us(at),
        }
        db = self._database.db
        self._database.alone("duecall campaigns")
        old = (
            CampaignRow.select(CampaignRow.id, CampaignRow.digest, CampaignRow.settings)
            .where(self._named(campaign.name))
            .tuples()
            .first(db)
        )
        if old is None:
            CampaignRow.insert(
                lender=self._lender,
                name=campaign.name,
                state=CampaignState.LOADED.value,
                **values,
            ).execute(db)
        elif old[1:] != (digest, values["settings"]):
            CampaignRow.update(**values).where(CampaignRow.id == old[0]).execute(db)
        else:
            return False
        self._database.tell(self._lender, CAMPAIGN, campaign.name)
        return True

    def all(self) -> tuple[list[StoredCampaign], list[tuple[str, str]]]:
        """By name. And (name, why) of those that this Duecall cannot read."""
        rows = (
            CampaignRow.select()
            .where(CampaignRow.lender == self._lender)
            .order_by(CampaignRow.name)
            .dicts()
            .execute(self._database.db)
        )
        found, faulty = [], []
        for row in rows:
            try:
                campaign = Campaign.model_validate_json(row["settings"])
            except ValidationError as error:
                faulty.append((row["name"], _in_short(error)))
                continue
            found.append(
                StoredCampaign(
                    name=row["name"],
                    state=CampaignState(row["state"]),
                    campaign=campaign,
                    yaml_text=row["yaml_text"],
                    digest=row["digest"],
                    loaded_at=from_us(row["loaded_at"]),
                )
            )
        return found, faulty

    def set_state(self, name: str, state: CampaignState) -> None:
        """NoSuchCampaign where there is none."""
        query = CampaignRow.update(state=state.value).where(self._named(name))
        if not query.execute(self._database.db):
            raise no_campaign(name)
        self._database.tell(self._lender, CAMPAIGN, name)

    def finish(self, name: str) -> None:
        """Only a running one: an operator who has stopped it in the meantime is right. And only
        where no other daemon is busy with it: the last of them says it again."""
        self._database.run(FINISH, (self._lender, name))

    def reopen(self, name: str) -> None:
        """It was finished, and goes on. Daemons that never knew it have to hear of it."""
        if self._database.run(REOPEN, (self._lender, name)).rowcount:
            self._database.tell(self._lender, CAMPAIGN, name)

    def key(self, name: str) -> CampaignKey:
        found = self._database.run(
            "SELECT id, name, trunk FROM campaign WHERE lender_id = ? AND name = ?",
            (self._lender, name),
        ).fetchone()
        if found is None:
            raise no_campaign(name)
        return CampaignKey(*found)

    def text(self, name: str) -> tuple[str, str]:
        """(digest, the YAML file it came of)."""
        found = self._database.run(
            "SELECT digest, yaml_text FROM campaign WHERE lender_id = ? AND name = ?",
            (self._lender, name),
        ).fetchone()
        if found is None:
            raise no_campaign(name)
        return str(found[0]), str(found[1])

    def order(self, name: str) -> tuple[CampaignKey, tuple[OrderBy, ...]]:
        """Of its contacts."""
        settings = (
            CampaignRow.select(CampaignRow.settings)
            .where(self._named(name))
            .scalar(self._database.db)
        )
        if settings is None:
            raise no_campaign(name)
        return self.key(name), Campaign.model_validate_json(settings).order

    def _named(self, name: str) -> Any:
        return (CampaignRow.lender == self._lender) & (CampaignRow.name == name)


def no_campaign(name: str) -> NoSuchCampaign:
    return NoSuchCampaign(f"campaign {name} is not in the database; run: duecall import {name}")


def _in_short(error: ValidationError) -> str:
    """The first fault: its place and what it is."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
