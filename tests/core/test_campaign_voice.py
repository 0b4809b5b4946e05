"""The voice of a campaign: what only one language has is refused for the others, with a remedy."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tests.core import building


def test_a_region_belongs_to_vietnamese() -> None:
    assert building.campaign(voice={"region": "south"}).voice.region == "south"
    with pytest.raises(ValidationError) as refused:
        building.campaign(language="en", voice={"region": "south"})
    (fault,) = refused.value.errors()
    assert fault["loc"] == ("voice", "region")
    assert "no regional words in 'en'" in fault["ctx"]["problem"]
    assert fault["ctx"]["allowed"] == "only with `language: vi`"
