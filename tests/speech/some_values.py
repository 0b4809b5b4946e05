"""Hypothesis strategies: values of every type, as files of debts have them, and the edges."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from duecall.speech.grammar import CASES, GENDERS
from duecall.speech.values import (
    BENDING,
    Count,
    Day,
    DaysCount,
    Digits,
    Inflected,
    Money,
    Ordinal,
    Percent,
    Phone,
    TimeOfDay,
)
from duecall.speech.words import SPOKEN_MAX

# Random integers are nearly all of fifteen digits and hold few zeros; people's debts do not.
_GROUPS = st.lists(
    st.sampled_from([0, 0, 0, 1, 2, 4, 5, 10, 11, 12, 14, 15, 20, 21, 24, 25, 99, 100, 101, 104,
                     105, 110, 111, 115, 121, 200, 202, 222, 500, 505, 999]),
    min_size=1,
    max_size=5,
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(0, SPOKEN_MAX),
    st.integers(0, 20_000),
    _GROUPS.map(lambda groups: sum(g * 1000**i for i, g in enumerate(groups))),
    st.integers(0, 15).map(lambda power: 10**power),
)
SIGNED = st.builds(lambda number, sign: number * sign, NUMBERS, st.sampled_from([1, 1, -1]))
CURRENCIES = ("VND", "RUB", "CNY", "USD", "EUR")


@st.composite
def money(draw: st.DrawFn) -> Money:
    currency = draw(st.sampled_from(CURRENCIES))
    if currency == "VND":
        return Money(draw(SIGNED), currency)
    major, minor = draw(NUMBERS), draw(st.one_of(st.just(0), st.integers(0, 99)))
    whole = min(major * 100 + minor, SPOKEN_MAX * 100)
    return Money(whole * draw(st.sampled_from([1, 1, -1])), currency)


_DATES = st.one_of(st.dates(), st.dates(date(1990, 1, 1), date(2100, 12, 31)))
DAYS = st.one_of(
    st.builds(Day, _DATES, st.booleans()),
    st.builds(
        lambda day, away, with_year: Day(day, with_year, day + timedelta(away)),
        st.dates(date(2000, 1, 1), date(2100, 1, 1)),
        st.integers(-4, 4),
        st.booleans(),
    ),
)
TIMES = st.builds(TimeOfDay, st.integers(0, 23), st.integers(0, 59))
PERCENTS = st.builds(
    lambda number, places, yearly: Percent(Decimal(number).scaleb(-places), yearly),
    st.one_of(st.integers(-(10**9), 10**9), st.integers(0, 3000)),
    st.integers(0, 6),
    st.booleans(),
)
PHONES = st.builds(
    lambda plus, digits: Phone(plus + digits),
    st.sampled_from(["", "+"]),
    st.one_of(
        st.text("0123456789", min_size=2, max_size=15),
        st.sampled_from(["84912345678", "79161234567", "8613912345678", "12025550123"]),
    ),
)
SPELLED = st.builds(
    lambda text, end: Digits(text + end),
    st.text("0123456789ABCDEHXYZabc- /", max_size=30),
    st.sampled_from("0123456789"),
)
VALUES = {
    Money: money(),
    Day: DAYS,
    TimeOfDay: TIMES,
    DaysCount: st.builds(DaysCount, SIGNED),
    Count: st.builds(Count, SIGNED),
    Ordinal: st.builds(Ordinal, NUMBERS.filter(bool)),
    Percent: PERCENTS,
    Phone: PHONES,
    Digits: SPELLED,
}


@st.composite
def inflected(draw: st.DrawFn) -> Inflected:
    kind = draw(st.sampled_from(BENDING))
    gender = draw(st.sampled_from(GENDERS)) if kind in (Count, Ordinal) else "masculine"
    return Inflected(draw(VALUES[kind]), draw(st.sampled_from(CASES)), gender)
