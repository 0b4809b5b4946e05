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
    """reason: for people, static but for values. until: look again then; None: never again."""

    reason: str
    until: datetime | None


Verdict: TypeAlias = Allowed | Denied
