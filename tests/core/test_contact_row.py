"""One row of a contacts file: taken as meant, or refused with every reason."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.core.contact import Consent
from duecall.core.contact_phone import PhoneError, parse_phone
from duecall.core.contact_row import (
    NAME_MAX,
    TEXT_MAX,
    ParsedRow,
    RowDefaults,
    RowFault,
    clean_text,
    parse_row,
)
from duecall.core.contact_words import RuleWords
from duecall.core.rule_merge import merge
from duecall.core.rule_pack import RulePack
from duecall.core.variables import COLUMNS
from tests.core.rule_world import small_pack

DEFAULTS = RowDefaults("VN", "VND", "Asia/Ho_Chi_Minh", "vi", date(2026, 4, 19))
ROW = {
    "name": "Nguyễn Văn An",
    "contract_number": "MA-1001",
    "card_number": "",
    "balance": "1500000",
    "interest_rate": "18.5",
    "due_date": "2026-04-09",
    "dpd": "10",
    "phone": "0912345678",
    "branch": "Huế",
}


def parsed(defaults: RowDefaults = DEFAULTS, **changes: str) -> ParsedRow:
    row = parse_row({**ROW, **changes}, row=7, defaults=defaults)
    assert isinstance(row, ParsedRow), "; ".join(map(str, row))
    return row


def refused(defaults: RowDefaults = DEFAULTS, **changes: str) -> list[RowFault]:
    faults = parse_row({**ROW, **changes}, row=7, defaults=defaults)
    assert isinstance(faults, list), f"taken: {faults}"
    assert all(fault.row == 7 and fault.reason and fault.remedy for fault in faults)
    return faults


def test_a_good_row() -> None:
    row = parsed()
    assert row.contact.name == "Nguyễn Văn An"
    assert row.contact.phone == "+84912345678"
    assert row.contact.zone == ""  # the number tells it
    assert row.contact.language == "vi"
    assert row.account.balance_minor == 1_500_000
    assert row.account.currency == "VND"
    assert row.account.interest_rate == "18.5"
    assert row.account.due_date == date(2026, 4, 9)
    assert row.account.fields == {"branch": "Huế"}
    assert row.notes == ()


@pytest.mark.parametrize(
    "column", ["name", "contract_number", "interest_rate", "due_date", "dpd", "phone", "balance"]
)
@pytest.mark.parametrize("blank", ["", "  ", "\u00a0"])
def test_required(column: str, blank: str) -> None:
    """Features A19: a row without one of them is refused (balance: here without a card too)."""
    (fault,) = refused(**{column: blank})
    assert fault.field == column
    assert "empty" in fault.reason


def test_a_column_that_is_not_there_is_empty() -> None:
    cells = {key: value for key, value in ROW.items() if key != "phone"}
    (fault,) = parse_row(cells, row=2, defaults=DEFAULTS)  # type: ignore[misc]
    assert fault == RowFault(2, "phone", "is empty", "fill it; every row needs it")


def test_all_reasons_at_once() -> None:
    faults = refused(balance="1e6", due_date="31/02/2026", phone="12", interest_rate="much")
    assert [fault.field for fault in faults] == ["balance", "interest_rate", "due_date", "phone"]


def test_balance_or_card_number() -> None:
    row = parsed(balance="", card_number="970436******1234")
    assert row.account.balance_minor == 0
    assert row.account.card_number == "970436******1234"
    needy = RowDefaults(
        "VN", "VND", "Asia/Ho_Chi_Minh", "vi", date(2026, 4, 19), frozenset({"balance"})
    )
    (fault,) = refused(needy, balance="", card_number="970436******1234")
    assert (fault.field, fault.reason) == ("balance", "is empty")


def test_needed_columns_are_told_once() -> None:
    needy = RowDefaults(
        "VN", "VND", "", "vi", date(2026, 4, 19), frozenset({"balance", "branch", "name"})
    )
    assert [fault.field for fault in refused(needy, branch=" ", balance="x")] == [
        "balance",
        "branch",
    ]


# ---- days


@pytest.mark.parametrize(
    ("written", "dpd", "meant"),
    [
        ("2026-04-09", "10", date(2026, 4, 9)),
        ("09/04/2026", "10", date(2026, 4, 9)),
        ("9/4/2026", "10", date(2026, 4, 9)),
        ("31/03/2026", "19", date(2026, 3, 31)),
        ("2026-04-19", "0", date(2026, 4, 19)),
        ("2026-04-22", "-3", date(2026, 4, 22)),
        ("2024-02-29", "780", date(2024, 2, 29)),
    ],
)
def test_due_dates(written: str, dpd: str, meant: date) -> None:
    assert parsed(due_date=written, dpd=dpd).account.due_date == meant


@pytest.mark.parametrize(
    "written",
    [
        "04/19/2026",
        "2026-02-30",
        "30/02/2026",
        "2026/04/09",
        "09.04.2026",
        "09-04-26",
        "20260409",
        "2026-04-09 00:00:00",
        "46121",
        "٠٩/٠٤/٢٠٢٦",
        "0226-04-09",
        "tomorrow",
    ],
)
def test_due_dates_that_are_none(written: str) -> None:
    (fault,) = refused(due_date=written)
    assert fault.field == "due_date"
    assert "2026-04-19" in fault.remedy


@pytest.mark.parametrize("dpd", ["9", "11", "0", "-10"])
def test_dpd_must_agree_with_the_due_date(dpd: str) -> None:
    """Features A16: one day off is off, and the right number is named."""
    (fault,) = refused(dpd=dpd)
    assert fault.field == "dpd"
    assert "it is 10 days" in fault.reason
    assert "write 10" in fault.remedy


def test_dpd_is_reckoned_on_the_day_of_the_file() -> None:
    tomorrow = RowDefaults("VN", "VND", "Asia/Ho_Chi_Minh", "vi", date(2026, 4, 20))
    (fault,) = refused(tomorrow)
    assert "contacts_as_of" in fault.remedy
    assert parsed(tomorrow, dpd="11")


@pytest.mark.parametrize("dpd", ["ten", "10.0", "1e1", "١٠", "+10", "10 days"])
def test_dpd_that_is_no_number(dpd: str) -> None:
    (fault,) = refused(dpd=dpd)
    assert (fault.field, fault.reason) == ("dpd", "not a number of days")


# ---- phones


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("0912345678", "+84912345678"),
        ("+84912345678", "+84912345678"),
        ("84912345678", "+84912345678"),
        ("912345678", "+84912345678"),  # a spreadsheet ate the zero
        ("0912 345 678", "+84912345678"),
        ("(091) 234-5678", "+84912345678"),
        ("024 3826 1234", "+842438261234"),
        ("+7 916 123-45-67", "+79161234567"),
        ("+86 139 0000 0101", "+8613900000101"),
    ],
)
def test_phones(written: str, e164: str) -> None:
    assert parse_phone(written, "VN").e164 == e164


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("19001234", "premium-rate"),
        ("1900 1234", "premium-rate"),
        ("18001234", "toll-free"),
        ("0120 123 4567", "not in use"),
        ("091234", "too short"),
        ("09123456789012", "too long"),
        ("+99912345678", "of no country"),
        ("8.4912E+10", "exponent"),
        ("0912345678; 0987654321", "several numbers"),
        ("0912345678/0987654321", "several numbers"),
        ("0912345678 ext 5", "not a phone number"),
        ("call me", "not a phone number"),
        ("٠٩١٢٣٤٥٦٧٨", "digits other than 0-9"),
        ("0912345678\n", "not a phone number"),
        ("${hostname}", "not a phone number"),
        ("+", "not a phone number"),
    ],
)
def test_phones_that_are_refused(written: str, problem: str) -> None:
    with pytest.raises(PhoneError) as caught:
        parse_phone(written, "VN")
    assert problem in caught.value.problem
    assert not any(digits in str(caught.value) for digits in ("091234", "19001234"))


def test_shared_cost_is_refused() -> None:
    with pytest.raises(PhoneError, match="shared-cost"):
        parse_phone("+41 840 123 456", "CH")


def test_zones() -> None:
    assert parsed(zone="Asia/Bangkok").contact.zone == "Asia/Bangkok"
    # Sixteen zones: the gate takes the hours that all of them share.
    assert parsed(phone="+79161234567").contact.zone == ""
    (fault,) = refused(zone="Asia/Saigonn")
    assert fault.field == "zone"
    assert "did you mean" in fault.reason


# ---- money, rates, numbers


def test_currency_of_the_row() -> None:
    row = parsed(currency="usd", balance="12.34")
    assert (row.account.balance_minor, row.account.currency) == (1_234, "USD")
    (fault,) = refused(currency="XYZ")
    assert fault.field == "currency"


@pytest.mark.parametrize(
    ("written", "kept"), [("18.5", "18.5"), ("18,5", "18.5"), ("18.5%", "18.5"), ("0", "0")]
)
def test_rates(written: str, kept: str) -> None:
    assert parsed(interest_rate=written).account.interest_rate == kept


@pytest.mark.parametrize("written", ["NaN", "-1", "1e2", "1500000", "1001", "18.5.1", "١٨"])
def test_rates_that_are_refused(written: str) -> None:
    (fault,) = refused(interest_rate=written)
    assert fault.field == "interest_rate"


@pytest.mark.parametrize("number", ["1.23457E+11", "9E9", "x" * 65, "a\x00b", "a\nb"])
def test_contract_numbers_that_are_refused(number: str) -> None:
    (fault,) = refused(contract_number=number)
    assert fault.field == "contract_number"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("4111 1111 1111 1111", "************1111"),  # a payment card: Luhn's sum is right
        ("4111111111111112", "4111111111111112"),  # not one
        ("LOAN-00123", "LOAN00123"),
        ("**** 1234", "****1234"),
    ],
)
def test_card_numbers(written: str, kept: str) -> None:
    assert parsed(card_number=written).account.card_number == kept


def test_language_of_another_campaign() -> None:
    assert parsed(language="VI")
    (fault,) = refused(language="ru")
    assert (fault.field, fault.remedy) == (
        "language",
        "put the row into a campaign of its language",
    )


# ---- names are never a reason to refuse


@pytest.mark.parametrize(
    "name",
    [
        "${hostname}",
        "{{ 7 * 7 }}",
        'Nguyễn "Tèo" Văn',
        "Lê, Thị",
        "O'Brien",
        "🙂 An",
        "=cmd()",
        "Иван",
        "王小丽",
        "{}[]!^",
        "A",
    ],
)
def test_names_stay_as_they_are(name: str) -> None:
    row = parsed(name=name)
    assert row.contact.name == name
    assert row.notes == ()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("An\nNguyễn", "An Nguyễn"),
        ("An\r\n\r\nuuid_kill", "An uuid_kill"),
        ("An\x00Ba", "An Ba"),
        ("An\u200bBa", "AnBa"),
        ("\u202eevil", "evil"),
    ],
)
def test_names_lose_what_cannot_be_printed(written: str, kept: str) -> None:
    row = parsed(name=written)
    assert row.contact.name == kept
    (note,) = row.notes
    assert note.reason == "control characters taken out"


def test_a_name_of_ten_thousand_characters_is_cut() -> None:
    row = parsed(name="Ă" * 10_000)
    assert row.contact.name == "Ă" * NAME_MAX
    (note,) = row.notes
    assert note.reason == f"10000 characters cut to {NAME_MAX}"
    assert len(parsed(branch="x" * 9_999).account.fields["branch"]) == TEXT_MAX


def test_names_are_composed() -> None:
    assert parsed(name="Nguye\u0302\u0303n").contact.name == "Nguyễn"


def test_no_break_spaces_are_blanks() -> None:
    row = parsed(name="Nguyễn\u00a0Văn An")
    assert row.contact.name == "Nguyễn Văn An"
    assert row.notes == ()


# ---- what rules ask about


def test_what_rules_ask_about() -> None:
    contact = parsed(
        customer_id=" KH-77 ",
        region="us-ma",
        line="Cell",
        consents="recorded, called_back = 2027-06-30;Prior_Express",
        flags="third_party;third_party bankrupt",
    ).contact
    assert (contact.customer_id, contact.region, contact.line) == ("KH-77", "US-MA", "mobile")
    assert contact.consents == (
        Consent("called_back", date(2027, 6, 30)),
        Consent("prior_express"),
        Consent("recorded"),
    )
    assert contact.flags == ("bankrupt", "third_party")
    assert parsed(line="fixed").contact.line == "landline"
    bare = parsed().contact
    assert (bare.customer_id, bare.region, bare.line, bare.consents, bare.flags) == (
        *("",) * 3,
        *((),) * 2,
    )


@pytest.mark.parametrize(
    ("column", "written", "reason"),
    [
        ("customer_id", "8.4E+11", "written with an exponent by a spreadsheet"),
        ("customer_id", "x" * 65, "too long or not printable"),
        ("customer_id", "N/A", "a sign for no value"),
        ("customer_id", "0", "a sign for no value"),
        ("customer_id", "--", "a sign for no value"),
        ("region", "ZZ", "not a region"),
        ("region", "Massachusetts", "not a region"),
        ("region", "USA-MA", "not a region"),
        ("line", "home", "not a kind of line"),
        ("consents", "recorded called-back", "word 2 is not a word that a rule could ask for"),
        ("consents", "=2027-06-30", "word 1 is not a word that a rule could ask for"),
        ("consents", "recorded=30/06/2027", "what follows the = of word 1 is no day"),
        ("consents", "recorded=", "what follows the = of word 1 is no day"),
        ("consents", "recorded=2027-02-30", "what follows the = of word 1 is no day"),
        ("consents", "recorded=٢٠٢٧-06-30", "what follows the = of word 1 is no day"),
        ("consents", "recorded recorded=2027-06-30", "word 2 stands there twice"),
        ("consents", "yes " * 40, "40 words"),
        ("flags", "bankrupt=2027-06-30", "word 1 is not a word that a rule could ask for"),
        ("flags", "Nguyễn", "word 1 is not a word that a rule could ask for"),
    ],
)
def test_what_rules_cannot_use_is_refused(column: str, written: str, reason: str) -> None:
    (fault,) = refused(**{column: written})
    assert (fault.field, fault.reason) == (column, reason)
    assert written not in str(fault)


def test_a_region_is_written_as_packs_write_it() -> None:
    (fault,) = refused(region="MA")
    assert "US-MA" in fault.remedy


def test_words_of_the_rules_in_effect() -> None:
    pack = small_pack(
        require=[{"on_file": "recorded"}, {"not_flagged": "bankrupt"}, {"attested": "licensed"}],
        gaps=[{"per": "number", "gap": "1h", "unless": ["asked_to_call"]}],
    )
    known = RuleWords.of(merge(RulePack.model_validate(pack)))
    assert known == RuleWords(frozenset({"recorded", "asked_to_call"}), frozenset({"bankrupt"}))
    contact = parsed(consents="recorded ask_to_call", flags="licensed bankrupt").contact
    assert known.unknown(contact) == [
        ("consents", "ask_to_call", " (did you mean asked_to_call?)"),
        ("flags", "licensed", ""),
    ]


@given(st.text(max_size=400))
def test_clean_text_is_printable_bounded_and_stable(text: str) -> None:
    clean, _ = clean_text(text, 200)
    assert len(clean) <= 200
    assert clean.isprintable()
    assert clean_text(clean, 200) == (clean, "")


@given(st.dictionaries(st.sampled_from([*COLUMNS, "branch"]), st.text(max_size=30)))
def test_any_row_is_taken_or_refused(cells: dict[str, str]) -> None:
    result = parse_row(cells, row=3, defaults=DEFAULTS)
    assert isinstance(result, ParsedRow) or (result and all(fault.row == 3 for fault in result))


def test_reasons_hold_no_names_or_numbers() -> None:
    for fault in refused(name="", phone="0912345678 or so", dpd="5"):
        assert "0912345678" not in str(fault)
    assert "0912345678" not in str(refused(dpd="5")[0])
