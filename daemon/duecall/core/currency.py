"""Currencies and amounts of money as people write them in a contacts file.

Amounts are whole minor units everywhere else. How many digits those have is ISO 4217's: the dong
has none, so 1 minor unit of VND is 1 dong.
"""

from __future__ import annotations

import re

from duecall.core.money import exponent

# The currencies a campaign may name (ISO 4217); money.exponent knows the digits of each one.
# fmt: off
CURRENCIES = frozenset({
    "AED", "AMD", "AZN", "BYN", "CNY", "EUR", "GBP", "HKD", "IDR", "INR", "JPY", "KGS", "KHR",
    "KRW", "KZT", "LAK", "MMK", "MNT", "MYR", "PHP", "RUB", "SGD", "THB", "TJS", "TWD", "USD",
    "UZS", "VND",
})
# fmt: on
MAX_DIGITS = 15  # of the whole units; beyond, a column was mixed up
_MOST = "1" + MAX_DIGITS * "0"  # this one still has words in all languages

_BLANKS = re.compile(r"[ \u00a0\u202f]")  # plain, no-break and narrow no-break space
_GROUPED = {
    separator: re.compile(rf"[0-9]{{1,3}}(?:{re.escape(separator)}[0-9]{{3}})+")
    for separator in (" ", ".", ",")
}


class AmountError(ValueError):
    """problem: what is wrong with the amount; remedy: how to write it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy


def amount_form(currency: str) -> str:
    """How an amount of this currency is written, as a remedy."""
    return "write 1234567" + (" or 1234567.89" if exponent(currency) else "")


def parse_amount(text: str, currency: str) -> int:
    """Whole minor units of an amount such as `1234567`, `1234567.89`, `1 234 567`, `1.234.567`.

    A form that two readers could read as two sums is refused: `1.234` in a currency with cents,
    `1,234.5` beside `1.234,5`. Raises AmountError. `currency`: one of CURRENCIES.
    """
    form = amount_form(currency)
    digits = exponent(currency)
    text = _BLANKS.sub(" ", text).strip()
    _refuse_strange(text, form)
    whole, fraction = _split(text, digits, currency, form)
    whole = whole.lstrip("0") or "0"
    if len(whole) > MAX_DIGITS and whole != _MOST:
        raise AmountError(f"more than {MAX_DIGITS} digits", "look whether two columns ran together")
    # 1234567.00 is a spreadsheet's way for whole units. 1234567.000 is not taken: the same column
    # would hold 500.000, which is read as five hundred thousand where there are no fractions.
    if len(fraction) > max(digits, 2) or (len(fraction) > digits and fraction.strip("0")):
        if not digits:
            raise AmountError(f"{currency} has no fractions", form)
        raise AmountError(f"{len(fraction)} decimals, {currency} has {digits}", form)
    return int(whole + fraction[:digits].ljust(digits, "0"))


def _refuse_strange(text: str, form: str) -> None:
    if not text:
        raise AmountError("the amount is empty", form)
    if any(c.isdigit() and not c.isascii() for c in text):
        raise AmountError("digits other than 0-9", form)
    if re.fullmatch(r"[+-]?(nan|inf|infinity)", text, re.IGNORECASE):
        raise AmountError("not a number", form)
    if re.fullmatch(r"[+-]?[0-9.,]+[eE][+-]?[0-9]+", text):
        raise AmountError("written with an exponent", form + "; in a spreadsheet, as a number")
    if text.startswith(("-", "+", "\u2212", "(")):
        raise AmountError("has a sign", form + "; what is owed has none")
    if not re.fullmatch(r"[0-9., ]+", text):
        raise AmountError("has other characters than digits", form + ", without the currency")


def _split(text: str, digits: int, currency: str, form: str) -> tuple[str, str]:
    """(whole units without separators, fraction)."""
    if text.isdigit():
        return text, ""
    separators = {c for c in text if not c.isdigit()}
    if separators == {".", ","}:
        raise AmountError("both a dot and a comma: two readings", form)
    for separator, grouped in _GROUPED.items():
        if separators == {separator} and grouped.fullmatch(text):
            if separator != " " and text.count(separator) == 1 and digits:
                # 1.234: a thousand and more, or one and a fraction that was not rounded?
                raise AmountError(f"{separator!r} with three digits after it: two readings", form)
            return text.replace(separator, ""), ""
    head, point, fraction = text.replace(",", ".").partition(".")
    if point and fraction.isdigit() and (head.isdigit() or _GROUPED[" "].fullmatch(head)):
        return head.replace(" ", ""), fraction
    raise AmountError(f"not an amount of {currency}", form)
