"""What a stop is: as it is entered, as it is stored, and in people's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KeyKind = Literal["number", "contact", "account", "prefix"]
ALL_CAMPAIGNS = 0
SCOPES = {
    "number": "this number",
    "contact": "this person",
    "account": "this contract",
    "prefix": "numbers with {}",
}


@dataclass(frozen=True, slots=True)
class NewStop:
    """To be entered. key: as table `stop` has it. clear: what people call it: the number, or the
    contract; empty for a prefix. campaign_id: ALL_CAMPAIGNS or one. expires_us: None is never.
    """

    key_kind: KeyKind
    key: str
    kind: str
    clear: str = ""
    campaign_id: int = ALL_CAMPAIGNS
    expires_us: int | None = None
    source: str = ""

    @property
    def ends_targets(self) -> bool:
        """Nobody has to look at its targets ever again."""
        everywhere = self.campaign_id == ALL_CAMPAIGNS and self.expires_us is None
        return self.key_kind == "number" and everywhere


@dataclass(frozen=True, slots=True)
class StoredStop:
    """A row of the table. campaign: its name, empty for all. clear: number, contract or prefix, in
    the clear: mask a number before it is shown; ERASED. at_us: when it was entered."""

    id: int
    stop: NewStop
    campaign: str
    clear: str
    at_us: int


def scope_of(key_kind: KeyKind, key: str, campaign: str | None) -> str:
    """What a stop is for, as people say it. campaign: its name, empty or None for all."""
    where = f"in campaign {campaign}" if campaign else "in all campaigns"
    return f"{SCOPES[key_kind].format(key)} {where}"
