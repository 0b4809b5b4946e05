"""Numbers of a stop list come out as a contact's number does, or they would never be found."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType as Kind

from duecall.core.contact_phone import PhoneError, parse_phone
from duecall.core.stop_phone import stop_phone

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
KINDS = (Kind.MOBILE, Kind.FIXED_LINE)
E164 = phonenumbers.PhoneNumberFormat.E164


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_in_full_is_as_a_contacts_file_would_have_it(region: str) -> None:
    for kind in KINDS:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        text = phonenumbers.format_number(example, E164)
        assert stop_phone(text) == text


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(REGIONS),
    st.sampled_from(KINDS),
    st.integers(0, 12),
    st.sampled_from("0123456789"),
    st.sampled_from(["", "0", "1", "8", "9", "15", "(0) ", " 0"]),
)
def test_whatever_a_contacts_file_takes_comes_out_the_same(
    region: str, kind: int, place: int, digit: str, trunk_prefix: str
) -> None:
    example = phonenumbers.example_number_for_type(region, kind)
    if example is None:
        return
    code = f"+{example.country_code}"
    rest = list(phonenumbers.format_number(example, E164)[len(code) :])
    rest[place % len(rest)] = digit
    text = code + trunk_prefix + "".join(rest)
    try:
        expected = parse_phone(text, region).e164
    except PhoneError:
        return
    assert stop_phone(text) == expected


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+84901234567", "", "+84901234567"),
        ("+840901234567", "", "+84901234567"),
        ("+84 (0) 90-123-45-67", "", "+84901234567"),
        ("+44 07911 123456", "", "+447911123456"),
        ("\uff0b84901234567", "", "+84901234567"),
        ("090 123 45 67", "VN", "+84901234567"),
        ("8 916 123-45-67", "RU", "+79161234567"),
        ("+84901999999", "RU", "+84901999999"),
    ],
)
def test_other_ways_to_write_it(text: str, country: str, expected: str) -> None:
    assert stop_phone(text, country) == expected


@pytest.mark.parametrize(
    ("text", "country", "why"),
    [
        ("0901234567", "", "without [+] and country code"),
        ("84901234567", "", "without [+] and country code"),
        ("+8490", "", "too short"),
        ("+84901234567890", "", "too long"),
        ("+99912345678", "", "of no country"),
        ("nobody", "VN", "not a phone number"),
        ("+84901234567, +84901234568", "", "several numbers"),
        ("8.49E+10", "VN", "exponent"),
    ],
)
def test_what_is_no_number_is_refused_without_repeating_it(
    text: str, country: str, why: str
) -> None:
    with pytest.raises(PhoneError, match=why) as caught:
        stop_phone(text, country)
    assert text not in str(caught.value)
