"""The small values of campaign and site files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duecall.core.scalars import MAX_SECONDS, did_you_mean, duration_text, seconds_of, zone_problem


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("15m", 900),
        ("4h", 14_400),
        ("2d", 172_800),
        ("1h30m", 5_400),
        ("1d2h3m4s", 93_784),
        ("0s", 0),
        (" 5m ", 300),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "s", "1.5h", "30m1h", "1h 30m", "-5m", "5min", "1w", "٣٠s", "1h1h"]
)
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError):
        seconds_of(text)


@given(st.integers(0, MAX_SECONDS))
def test_durations_are_written_as_they_are_read(seconds: int) -> None:
    assert seconds_of(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    "name", ["Asia/Ho_Chi_Minh", "Europe/Moscow", "UTC", "America/Indiana/Knox"]
)
def test_zones(name: str) -> None:
    assert zone_problem(name) == ""


@pytest.mark.parametrize(
    "name", ["", "Asia", "Mars/Base", "/etc/passwd", "../UTC", "a\0b", "x" * 500]
)
def test_no_zones(name: str) -> None:
    assert "is not a time zone" in zone_problem(name)


def test_did_you_mean() -> None:
    assert did_you_mean("mesage", ["message", "retry"]) == " (did you mean message?)"
    assert did_you_mean("colour", ["message", "retry"]) == ""
