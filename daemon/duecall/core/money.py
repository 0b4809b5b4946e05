"""Money is an integer of minor units with its ISO 4217 currency; never a float."""

from __future__ import annotations

from decimal import Decimal

# ISO 4217 exponents that are not two, of the currencies Duecall is likely to meet.
_EXPONENTS = {"VND": 0, "JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "TND": 3}


def exponent(currency: str) -> int:
    """Digits of the minor unit: 2 for cents, kopecks and fen, 0 for the dong."""
    return _EXPONENTS.get(currency, 2)


def major_units(minor: int, currency: str) -> Decimal:
    """123456 USD minor -> Decimal('1234.56')."""
    return Decimal(minor).scaleb(-exponent(currency))


def minor_units(major: Decimal, currency: str) -> int:
    """Decimal('1234.56') USD -> 123456. ValueError where the currency has no such small unit."""
    scaled = major.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise ValueError(f"{currency} has {exponent(currency)} decimal places")
    return int(scaled)
