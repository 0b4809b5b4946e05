"""Messages by DPD bucket: who hears which, and which buckets a selection can pick."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from duecall.core.campaign import Campaign, Selection
from duecall.core.contact import dpd_bucket
from duecall.core.eligibility import ever_selected
from tests.core import building


def by_bucket(**changes: Any) -> Campaign:
    messages = {"4": [{"text": "four"}], "1": [{"text": "one"}]}
    return building.campaign(message=[{"text": "all"}], message_by_bucket=messages, **changes)


def test_a_bucket_hears_its_message_and_the_others_the_message() -> None:
    campaign = by_bucket()
    heard = [campaign.message_for(bucket)[0].text for bucket in range(6)]
    assert heard == ["all", "one", "all", "all", "four", "all"]
    assert building.campaign().message_for(3) == building.campaign().message


def test_every_message_is_among_the_sayings_with_its_place() -> None:
    placed = {place: piece.text for place, piece in by_bucket(keys={}).sayings()}
    assert placed[("message", 0)] == "all"
    assert placed[("message_by_bucket", "4", 0)] == "four"
    assert placed[("message_by_bucket", "1", 0)] == "one"


def test_it_is_the_same_after_it_was_stored() -> None:
    campaign = by_bucket()
    assert Campaign.model_validate_json(campaign.model_dump_json(by_alias=True)) == campaign


@pytest.mark.parametrize("bucket", [0, 6, "x", "01", 1.5, "", None, True])
def test_what_is_no_bucket_is_refused(bucket: object) -> None:
    with pytest.raises(ValidationError, match="no DPD bucket"):
        building.campaign(message_by_bucket={bucket: [{"text": "x"}]})


@pytest.mark.parametrize(
    ("selection", "picked"),
    [
        ({}, {0, 1, 2, 3, 4, 5}),
        ({"dpd_buckets": [2, 3]}, {2, 3}),
        ({"dpd": {"min": 1}}, {1, 2, 3, 4, 5}),
        ({"dpd": {"min": 10}}, {2, 3, 4, 5}),
        ({"dpd": {"min": "9.5"}}, {2, 3, 4, 5}),
        ({"dpd": {"max": 9}}, {0, 1}),
        ({"dpd": {"min": -3, "max": 0}}, {0, 1}),
        ({"dpd": {"max": -1}}, {0}),
        ({"dpd": {"min": 180}}, {5}),
        ({"dpd_buckets": [1, 4], "dpd": {"max": 90}}, {1, 4}),
        ({"dpd_buckets": [1], "dpd": {"min": 90}}, set()),
    ],
)
def test_the_buckets_that_a_selection_picks(selection: dict[str, Any], picked: set[int]) -> None:
    assert Selection.model_validate(selection).buckets() == picked


@given(
    st.lists(st.integers(1, 5), max_size=3),
    st.none() | st.integers(-50, 250),
    st.none() | st.integers(0, 250),
)
def test_the_same_by_trying_every_day(
    buckets: list[int], low: int | None, more: int | None
) -> None:
    high = None if more is None else (low or 0) + more
    limits = {"min": low, "max": high}
    selection = Selection.model_validate({"dpd_buckets": buckets, "dpd": limits})
    assert selection.dpd is not None
    tried = {
        dpd_bucket(dpd)
        for dpd in range(-1000, 1000)
        if selection.dpd.holds(dpd) and (not buckets or dpd_bucket(dpd) in buckets)
    }
    assert selection.buckets() == tried


def test_a_message_for_a_bucket_that_is_never_picked_is_refused() -> None:
    with pytest.raises(ValidationError, match="never picks an account of bucket 4"):
        by_bucket(selection={"dpd": {"max": 30}})
    assert by_bucket(selection={"dpd_buckets": [1, 4]})


def test_what_no_day_changes_decides_who_is_ever_selected() -> None:
    account = building.target().account
    for wanted, ever in (
        ({}, True),
        ({"dpd_buckets": [5]}, True),  # it may grow into it
        ({"balance": {"max": 1_000_000}}, False),
        ({"balance": {"min": 1_000_000}}, True),
        ({"fields": {"branch": ["Hue"]}}, False),
    ):
        assert ever_selected(Selection.model_validate(wanted), account) is ever
