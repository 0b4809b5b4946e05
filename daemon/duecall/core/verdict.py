"""The gate's answer: may this be called now, and if not, why, and when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Allowed:
    pass


@dataclass(frozen=True, slots=True)
class Denied:
    """reason: for people, static but for values. until: look again then; None: never again.

    rule: the id of the rule that decides; empty where no rule of a pack or list does.
    """

    reason: str
    until: datetime | None
    rule: str = ""


Verdict: TypeAlias = Allowed | Denied
