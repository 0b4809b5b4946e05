"""What goes down and comes up is the same at both ends, and nothing else gets through."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fs_scripts import contract
from fs_scripts.contract import Brief, ContractError, KeyAction, KeyPress, Result, Step

_texts = st.text(max_size=20)  # any Unicode, lone surrogates excepted
_paths = st.lists(_texts, max_size=4).map(tuple)
_ms = st.integers(0, 10**7)
_keys = st.sampled_from("0123456789*#")
_actions = st.builds(KeyAction, st.sampled_from(contract.ACTIONS), _paths, _texts)
_steps = st.builds(
    Step, _texts, _paths, _ms, st.dictionaries(_keys, _actions), st.booleans(), _ms,
    st.integers(0, 5), _paths,
)  # fmt: skip
_briefs = st.builds(Brief, _texts, st.lists(_steps, max_size=4).map(tuple), _paths, _texts, _ms)
_presses = st.builds(KeyPress, _keys, _ms, _texts, st.booleans())
_results = st.builds(
    Result, _texts, _texts, _texts, st.lists(_presses, max_size=9).map(tuple),
    st.dictionaries(_texts, _texts), _ms, _ms, _ms, _texts,
)  # fmt: skip


@given(_briefs)
def test_a_brief_arrives_as_it_was_sent(brief: Brief) -> None:
    assert Brief.decode(brief.encode()) == brief


@given(_results)
def test_a_result_arrives_as_it_was_sent(result: Result) -> None:
    assert Result.decode(result.encode()) == result


@given(_briefs, _results)
def test_what_freeswitch_sees_is_free_of_its_syntax(brief: Brief, result: Result) -> None:
    for text in (brief.encode(), result.encode()):
        assert contract.SAFE_TEXT.match(text)


@given(st.text() | st.text(alphabet="eyJ2IjoxfQ-_=", max_size=40))
def test_noise_is_refused_and_nothing_worse(text: str) -> None:
    for kind in (Brief, Result):
        with pytest.raises(ContractError):
            kind.decode(text)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(_briefs, st.data())
def test_a_brief_with_one_odd_field_is_read_or_refused(brief: Brief, data: st.DataObject) -> None:
    raw = json.loads(base64.urlsafe_b64decode(brief.encode() + "=="))
    raw[data.draw(st.sampled_from(sorted(raw)))] = data.draw(_json)
    text = packed(raw)
    try:
        read = Brief.decode(text)
    except ContractError as error:
        assert len(str(error)) < 100  # and so holds nothing of the brief
    else:
        assert Brief.decode(read.encode()) == read


def packed(raw: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        packed([]),
        packed({"v": 2}),
        packed({"v": contract.VERSION}),
        packed("x"),
        base64.urlsafe_b64encode(b"[" * 20_000).decode().rstrip("="),
        "A" * 100_000,
        "%%%",
        "",
    ],
    ids=["list", "version", "empty", "text", "deep", "long", "not base64", "nothing"],
)
def test_what_is_no_brief_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        Brief.decode(text)


def test_a_brief_that_says_too_much_is_refused_when_it_is_made() -> None:
    step = Step("message", tuple(f"/sounds/{n:0>40}.wav" for n in range(1_000)), 1)
    with pytest.raises(ContractError, match="bytes of JSON"):
        Brief("id", (step,)).encode()


@pytest.mark.parametrize("path", ["/a.wav", "/tts_cache/espeak@vi/0f/0f3a-b_c+d.wav"])
def test_plain_absolute_paths_are_sounds(path: str) -> None:
    assert not contract.unsafe_sound(path)


@pytest.mark.parametrize(
    "path",
    [
        "", "a.wav", "/a b.wav", "/a.wav!/b.wav", "{x=1}/a.wav", "say:hello", "/a.wav\n", "/$a.wav",
        "tone_stream://%(1,1,1)", "/a|b.wav", "/a'b.wav", '/a"b.wav', "/a,b.wav", "/\x00.wav",
        "/ä.wav", "http://x/a.wav", "/${system touch x}",
    ],
)  # fmt: skip
def test_what_freeswitch_might_act_on_is_not(path: str) -> None:
    assert contract.unsafe_sound(path)


@pytest.mark.parametrize(
    ("heard", "length", "share"), [(0, 0, 0.0), (5, 10, 0.5), (10, 10, 1.0), (20, 10, 1.0)]
)
def test_share_heard(heard: int, length: int, share: float) -> None:
    result = Result("id", contract.COMPLETED, heard_ms=heard, message_ms=length)
    assert result.share_heard == share
