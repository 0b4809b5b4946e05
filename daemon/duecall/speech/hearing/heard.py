"""What the parsers of all languages give back. Nothing here is shared with the readers."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class HeardDay(NamedTuple):
    """year 0: not said. near: -2 to 2 for "yesterday", "tomorrow" …, with all else 0."""

    year: int = 0
    month: int = 0
    day: int = 0
    near: int | None = None


def decimal_of(sign: int, whole: int, decimals: str, point: str) -> Decimal:
    """point: the word that stood before the decimals, empty where there were none."""
    if bool(point) != bool(decimals):
        raise ValueError("a point without decimals")
    return sign * Decimal(f"{whole}.{decimals or 0}")
