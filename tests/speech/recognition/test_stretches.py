"""Where somebody speaks."""

from __future__ import annotations

import numpy as np
import pytest

from duecall.speech.audio import RATE_HZ
from duecall.speech.recognition.agreement import agreement, split_into
from duecall.speech.recognition.stretches import KEPT_MS, LONGEST_MS, stretches

MS = RATE_HZ // 1000


def tone(length_ms: int, level: float = 0.3) -> np.ndarray:
    at = np.arange(length_ms * MS) / RATE_HZ
    return (level * np.sin(2 * np.pi * 300 * at)).astype(np.float32)


def noise(length_ms: int, level: float = 0.002) -> np.ndarray:
    return np.random.default_rng(1).normal(0, level, length_ms * MS).astype(np.float32)


def in_ms(samples: np.ndarray) -> list[tuple[int, int]]:
    return [(a // MS, b // MS) for a, b in stretches(samples, RATE_HZ)]


@pytest.mark.parametrize("between", [np.zeros(1_000 * MS, np.float32), noise(1_000)])
def test_pauses_part_speech(between):
    sound = np.concatenate((between, tone(400), between, tone(400, 0.1), between))
    assert in_ms(sound) == [
        (1000 - KEPT_MS, 1400 + KEPT_MS), (2400 - KEPT_MS, 2800 + KEPT_MS),
    ]  # fmt: skip


def test_a_short_pause_does_not():
    assert len(in_ms(np.concatenate((tone(300), noise(400), tone(300))))) == 1


def test_clicks_noise_and_nothing_are_no_speech():
    click = np.concatenate((noise(900), tone(40), noise(900)))
    assert in_ms(click) == [] == in_ms(noise(2_000)) == in_ms(np.zeros(0, np.float32))
    assert in_ms(np.zeros(16_000, np.float32)) == []


def test_all_of_it_may_be_speech():
    assert in_ms(tone(1_500)) == [(0, 1500)]


def test_a_long_one_is_cut_where_it_is_softest():
    soft = tone(200, 0.02)
    sound = np.concatenate((tone(15_000), soft, tone(15_000)))
    first, second = in_ms(sound)
    assert 15_000 <= first[1] - KEPT_MS <= 15_250
    assert second[0] <= first[1] and second[1] == 30_200
    assert all(b - a <= LONGEST_MS + 2 * KEPT_MS for a, b in (first, second))


def test_how_alike_two_words_sound():
    assert agreement(["N", "OW"], ["N", "OW"]) == 1
    assert agreement(["N", "OW"], ["M", "OW"]) == 0.75
    assert agreement(["N", "OW"], ["K", "AE", "T", "S"]) == 0
    assert agreement([], ["N"]) == 0


def test_a_text_is_split_into_phrases():
    phrases = ("no", "no thank you", "thank")
    assert split_into(phrases, "no thank you no") == ("no thank you", "no")
    assert split_into(phrases, "no thank") == ("no", "thank")
    assert split_into(phrases, "no you") is None
    assert split_into(phrases, "") == ()
