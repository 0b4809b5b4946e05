"""What `parse_phone` finds out by fewer questions is what phonenumbers answers to all of them."""

from __future__ import annotations

from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType, timezone

from duecall.core.contact_phone import PhoneError, parse_phone

REFUSED = {
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.UAN,
    PhoneNumberType.VOICEMAIL,
    PhoneNumberType.PAGER,
}


def examples() -> Iterator[phonenumbers.PhoneNumber]:
    """One of each kind in each country, and beside each one that may be in no use."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                yield number
                yield phonenumbers.PhoneNumber(
                    country_code=number.country_code, national_number=number.national_number + 7_000
                )


def test_as_the_library_judges_one_of_each_kind_in_each_country() -> None:
    taken = refused = 0
    for number in examples():
        written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        again = phonenumbers.parse(written, "VN")
        right = phonenumbers.is_valid_number(again)
        if not right or phonenumbers.number_type(again) in REFUSED:
            refused += 1
            with pytest.raises(PhoneError):
                parse_phone(written, "VN")
            continue
        taken += 1
        found = parse_phone(written, "VN")
        assert found.e164 == written
        assert found.country == (phonenumbers.region_code_for_number(again) or "")
        zones = timezone.time_zones_for_number(again)
        assert found.zone_known == any(zone != "Etc/Unknown" for zone in zones)
    assert taken > 1_000
    assert refused > 500
