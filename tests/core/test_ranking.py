"""The order in which a campaign calls."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.core.campaign import OrderBy
from duecall.core.contact import Account, Contact, dpd_on
from duecall.core.ranking import order_keys, ranked


def account(n: int, **changes: object) -> Account:
    values: dict[str, object] = {
        "contract_number": f"HD-{n}",
        "balance_minor": 100,
        "currency": "VND",
        "interest_rate": "18.5",
        "due_date": date(2026, 11, 1),
    }
    return Account(**{**values, **changes})  # type: ignore[arg-type]


def order_of(accounts: list[Account], *order: OrderBy, names: str = "") -> list[int]:
    contacts = [Contact(name, "+84901234567") for name in names or "x" * len(accounts)]
    rows = [(n, order_keys(contacts[n], one, order)) for n, one in enumerate(accounts)]
    return ranked(rows, order)


def by(field: str, descending: bool = False) -> OrderBy:
    return OrderBy(field=field, descending=descending)


DATES = [date(2026, 11, 5), date(2026, 9, 1), date(2027, 1, 1), date(2026, 9, 1)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((), [0, 1, 2, 3]),
        ((by("dpd", True),), [1, 3, 0, 2]),
        ((by("dpd"),), [2, 0, 1, 3]),
        ((by("due_date"),), [1, 3, 0, 2]),
        ((by("dpd", True), by("balance", True)), [3, 1, 0, 2]),
        ((by("contract_number", True),), [3, 2, 1, 0]),
    ],
)
def test_orders(order: tuple[OrderBy, ...], expected: list[int]) -> None:
    accounts = [account(n, due_date=due, balance_minor=n) for n, due in enumerate(DATES)]
    assert order_of(accounts, *order) == expected


def test_balance_is_compared_in_whole_units() -> None:
    accounts = [
        account(0, balance_minor=500_00, currency="USD"),
        account(1, balance_minor=600, currency="VND"),
    ]
    assert order_of(accounts, by("balance")) == [0, 1]


@pytest.mark.parametrize("descending", [False, True])
def test_missing_values_come_last_either_way(descending: bool) -> None:
    cells = ["", "10", " ", "9", "b", "A"]
    accounts = [account(n, fields={"score": cell}) for n, cell in enumerate(cells)]
    found = order_of(accounts, by("score", descending))
    assert found == ([4, 5, 1, 3, 0, 2] if descending else [3, 1, 5, 4, 0, 2])


def test_dates_in_a_column_and_names_of_contacts() -> None:
    cells = ["2026-02-01", "2025-12-31", "never"]
    accounts = [account(n, fields={"paid": cell}) for n, cell in enumerate(cells)]
    assert order_of(accounts, by("paid")) == [1, 0, 2]
    assert order_of(accounts, by("name"), names="cab") == [1, 2, 0]
    assert order_of(accounts, by("no such column")) == [0, 1, 2]


@given(dues=st.lists(st.dates(date(2020, 1, 1), date(2030, 1, 1)), max_size=20), today=st.dates())
def test_order_by_dpd_holds_on_any_day(dues: list[date], today: date) -> None:
    accounts = [account(n, due_date=due) for n, due in enumerate(dues)]
    found = [dpd_on(dues[n], today) for n in order_of(accounts, by("dpd", True))]
    assert found == sorted(found, reverse=True)


@given(cells=st.lists(st.text(max_size=6), max_size=30), descending=st.booleans())
def test_any_text_has_a_place(cells: list[str], descending: bool) -> None:
    accounts = [account(n, fields={"x": cell}) for n, cell in enumerate(cells)]
    found = order_of(accounts, by("x", descending))
    assert sorted(found) == list(range(len(cells)))
