"""Whatever stands in a brief, FreeSWITCH carries it and runs none of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Step
from tests.freeswitch.conftest import Switch

pytestmark = pytest.mark.freeswitch

NASTY = {
    "expand": "${{system touch {file}}}",
    "expand twice": "${{${{x}}system touch {file}}}",
    "global": "$${{base_dir}}",
    "back quote": "`touch {file}`",
    "braces": "}}{{origination_uuid=x}}[y=1]<z=2>",
    "quotes": "'\"\\' ; touch {file} #",
    "commas": "a,b,execute_on_answer=system touch {file}",
    "newlines": "x\n\napi system touch {file}\n\n",
    "crlf": "x\r\n\r\nbgapi system touch {file}\r\n\r\n",
    "bars": "|touch {file}|:_:|ARRAY::a|:b",
    "nul": "x\x00y",
    "file name": "{{loops=2}}say:hello!tone_stream://%(1000,0,440)",
    "percent": "%0Aapi%20system%20touch",
    "unicode": "Nguyễn Văn Ấn ☎ 张伟 Жанна \U0001f4b8",
    "surrogate": "caf\udce9",
    "long": "${{system touch {file}}}" * 400,
    "10,000 characters": "x" * 10_000,
}


@pytest.fixture(params=sorted(NASTY))
def nasty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return NASTY[request.param].format(file=tmp_path / "touched")


def test_texts_pass_through_unharmed(switch: Switch, nasty: str, tmp_path: Path) -> None:
    """An option's name goes down in the brief and comes up in the result."""
    value = nasty[:10_000]
    keys = {"1": KeyAction("answer", (), value)}
    step = Step("message", (switch.sound("ask", 500),), 500, keys)
    leg = switch.start_call(Brief("attempt " + value[:50], (step,), language=value[:100]))
    switch.progress(leg, "step")
    switch.press(leg, "1")
    result, event = switch.ended(leg)
    assert result is not None
    assert result.ended_by == contract.COMPLETED
    assert result.answers == {"message": value}
    assert switch.record(leg)["variables"]["duecall_result"] == event["variable_duecall_result"]
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("place", ["say", "key", "invalid", "goodbye"])
def test_a_path_that_is_more_than_a_path_is_refused(
    switch: Switch, nasty: str, place: str, tmp_path: Path
) -> None:
    good = (switch.sound("ask", 200),)
    bad = ("/" + nasty[:10_000],)
    step = Step("message", good, 200, {"1": KeyAction("opt_out")}, wait_ms=300)
    brief = Brief("attempt", (step,), good)
    if place == "goodbye":
        brief = dataclasses.replace(brief, goodbye=bad)
    elif place == "key":
        keys = {"1": KeyAction("opt_out", bad)}
        brief = dataclasses.replace(brief, steps=(dataclasses.replace(step, keys=keys),))
    else:
        changed = dataclasses.replace(step, **{place: bad})  # type: ignore[arg-type]
        brief = dataclasses.replace(brief, steps=(changed,))
    result = switch.result(switch.start_call(brief))
    assert result.ended_by == contract.ERROR
    assert result.heard_ms == 0
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    "brief",
    ["", "A", "eyJ2IjoxfQ", "-" * 1_000, "A" * 43_000, "W" * 30_000],
    ids=["none", "one letter", "no fields", "dashes", "long", "letters"],
)
def test_a_variable_that_is_no_brief(switch: Switch, brief: str) -> None:
    leg = switch.start_call(brief)
    result = switch.result(leg)
    assert result.ended_by == contract.ERROR
    assert result.attempt_id == leg
