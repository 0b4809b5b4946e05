"""Vietnamese: values to words.

mốt, tư and lăm after mươi; hundreds of inner groups are named also when they are zero. Regions:
north nghìn and linh, south ngàn, lẻ and hai mươi bốn; where none is set nghìn, lẻ and tư, which
are understood everywhere and are CLDR's. Sources: tests/speech/test_golden_*.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

from duecall.core.money import exponent
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import Region
from duecall.speech.values import Day, Money, TimeOfDay, decimal_parts

_DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
_NEAR = {-2: "hôm kia", -1: "hôm qua", 0: "hôm nay", 1: "ngày mai"}
_CURRENCIES = {  # major, minor
    "VND": ("đồng", ""),
    "RUB": ("rúp", "kô-pếch"),
    "CNY": ("nhân dân tệ", "xu"),
    "USD": ("đô la Mỹ", "xu"),
    "EUR": ("ơ-rô", "xu"),
}


@dataclass(frozen=True)
class Vietnamese:
    """What differs between the regions: zero_tens as in "một trăm lẻ năm", four after mươi."""

    thousand: str = "nghìn"
    zero_tens: str = "lẻ"
    four: str = "tư"
    in_two_days: str = "ngày kia"

    DIGIT_WORDS = _DIGITS
    GROUP_PAUSE = ", "
    DIGIT_GAP = " "
    PLUS = "cộng"
    LETTERS: ClassVar[Mapping[str, str]] = MappingProxyType({})
    PHONE_GROUPS = {7: (3, 4), 8: (4, 4), 9: (3, 3, 3), 10: (4, 3, 3), 11: (4, 4, 3)}

    def integer(self, number: int) -> str:
        if number < 0:
            return "âm " + self.integer(-number)
        if number == 0:
            return _DIGITS[0]
        billions, rest = divmod(number, 10**9)
        words = [self.integer(billions), "tỷ"] if billions else []
        return " ".join(words + self._under_billion(rest, padded=bool(billions)))

    def ordinal(self, number: int) -> str:
        """1 -> thứ nhất, 2 -> thứ hai, 4 -> thứ tư."""
        irregular = {1: "nhất", 4: "tư"}
        return "thứ " + (irregular.get(number) or self.integer(number))

    def money(self, value: Money) -> str:
        """123456789 VND -> "… bảy trăm tám mươi chín đồng"; minor units follow where not zero."""
        if value.currency not in _CURRENCIES:
            raise Unspeakable(f"no Vietnamese words for {value.currency}")
        major_word, minor_word = _CURRENCIES[value.currency]
        major, minor = divmod(abs(value.minor), 10 ** exponent(value.currency))
        words = ["âm"] if value.minor < 0 else []
        if major or not minor:
            words += [self.integer(major), major_word]
        if minor:
            words += [self.integer(minor), minor_word]
        return " ".join(words)

    def day(self, value: Day) -> str:
        """2025-04-19 -> ngày mười chín tháng tư năm hai nghìn không trăm hai mươi lăm."""
        near = value.days_from_today
        if near is not None:
            return _NEAR.get(near, self.in_two_days)
        day, month = value.date.day, value.date.month
        day_word = self.integer(day) if day > 10 else "mùng " + self.integer(day)
        words = f"ngày {day_word} tháng {'tư' if month == 4 else self.integer(month)}"
        return f"{words} năm {self.integer(value.date.year)}" if value.with_year else words

    def time(self, value: TimeOfDay) -> str:
        """14:30 -> mười bốn giờ ba mươi phút; 9:00 -> chín giờ."""
        words = self.integer(value.hour) + " giờ"
        return f"{words} {self.integer(value.minute)} phút" if value.minute else words

    def days(self, number: int) -> str:
        return self.integer(number) + " ngày"

    def percent(self, value: Decimal, *, yearly: bool = False) -> str:
        """18.25 -> mười tám phẩy hai mươi lăm phần trăm; 18.05 -> … phẩy không năm …"""
        negative, whole, decimals = decimal_parts(value)
        words = ["âm"] if negative else []
        words.append(self.integer(whole))
        if decimals:
            words.append("phẩy")
            if len(decimals) == 2 and decimals[0] != "0":
                words.append(self.integer(int(decimals)))
            else:
                words += [_DIGITS[int(digit)] for digit in decimals]
        return " ".join(words) + (" phần trăm một năm" if yearly else " phần trăm")

    def _under_billion(self, number: int, *, padded: bool) -> list[str]:
        """padded: something stands before, so the first group names its hundreds even when zero."""
        words: list[str] = []
        for scale, name in ((10**6, "triệu"), (10**3, self.thousand), (1, "")):
            group = number // scale % 1000
            if group:
                words += self._group(group, padded=padded or bool(words))
                words += [name] if name else []
        return words

    def _group(self, number: int, *, padded: bool) -> list[str]:
        hundreds, tens, units = number // 100, number // 10 % 10, number % 10
        words: list[str] = []
        if hundreds or padded:
            words += [_DIGITS[hundreds], "trăm"]
        if tens == 0:
            if units:
                words += ([self.zero_tens] if words else []) + [_DIGITS[units]]
            return words
        words += ["mười"] if tens == 1 else [_DIGITS[tens], "mươi"]
        if units == 5:
            words.append("lăm")
        elif units == 1 and tens > 1:
            words.append("mốt")
        elif units == 4 and tens > 1:
            words.append(self.four)
        elif units:
            words.append(_DIGITS[units])
        return words


VIETNAMESE: dict[Region, Vietnamese] = {
    "": Vietnamese(),
    "north": Vietnamese(zero_tens="linh"),
    "south": Vietnamese(thousand="ngàn", four="bốn", in_two_days="ngày mốt"),
}
