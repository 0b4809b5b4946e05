from __future__ import annotations

import pytest

from duecall.core.campaign import Language
from duecall.speech.likeness import heard_otherwise


@pytest.mark.parametrize(
    ("said", "heard", "language", "share"),
    [
        ("Hello, Ann!", "hello ann", "en", 0.0),
        ("one two three four", "one two four", "en", 0.25),
        ("one two three four", "one too three for you", "en", 0.75),
        ("one", "one and two", "en", 2.0),
        ("您好，王先生。", "您好王先森", "zh", 0.2),
        ("", "", "en", 0.0),
        ("…", "what", "en", 1.0),
        ("mười", "mươi", "vi", 1.0),
    ],
)
def test_the_share_of_words_heard_otherwise(
    said: str, heard: str, language: Language, share: float
) -> None:
    assert heard_otherwise(said, heard, language) == pytest.approx(share)
