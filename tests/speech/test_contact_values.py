"""The variables of one contact."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from duecall.core.contact import Account, Contact
from duecall.speech.contact_values import contact_values
from duecall.speech.faults import Unspeakable
from duecall.speech.values import Day, DaysCount, Digits, Money, Name, Percent, Phone, Text

ACCOUNT = Account(
    contract_number="HD-01",
    balance_minor=123456,
    currency="USD",
    interest_rate="18.5",
    due_date=date(2025, 4, 19),
    card_number="",
    fields={"city": "Huế", "lender": "nobody", "balance": "999", "blank": ""},
)
CONTACT = Contact(name="An", phone="+84912345678")


def test_every_variable_has_its_type():
    assert contact_values(CONTACT, ACCOUNT, date(2025, 4, 29), {"lender": "ABC"}) == {
        "name": Name("An"),
        "phone": Phone("+84912345678"),
        "balance": Money(123456, "USD"),
        "interest_rate": Percent(Decimal("18.5")),
        "due_date": Day(date(2025, 4, 19)),
        "dpd": DaysCount(10),
        "days_left": DaysCount(-10),
        "today": Day(date(2025, 4, 29)),
        "contract_number": Digits("HD-01"),
        "city": Text("Huế"),
        "lender": Text("ABC", personal=False),
    }


def test_a_rate_that_is_none_is_refused():
    account = Account("HD-01", 1, "USD", "18,5", date(2025, 4, 19))
    with pytest.raises(Unspeakable):
        contact_values(CONTACT, account, date(2025, 4, 29))
