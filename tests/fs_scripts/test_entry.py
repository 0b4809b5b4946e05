"""Nothing escapes from the entry module, whatever happens, and a result always comes up."""

from __future__ import annotations

import base64
import json
import sys
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Result, Step
from tests.fs_scripts import fake_freeswitch
from tests.fs_scripts.conftest import Switch
from tests.fs_scripts.fake_freeswitch import Callee


def good(switch: Switch) -> Brief:
    step = Step("message", (switch.sound("hello", 1_000),), 1_000, {"1": KeyAction("opt_out")})
    return Brief("attempt-1", (step,))


def recurse() -> None:
    recurse()


def bad_texts() -> list[BaseException]:
    return [
        ValueError("x" * 30_000),
        ValueError("caf\udce9"),
        ValueError("name: Nguyễn Văn A, phone +84901234567"),
        SystemExit("bye"),
        KeyboardInterrupt(),
        MemoryError(),
        type("Ngoại", (Exception,), {})("odd class name"),
    ]


@pytest.mark.parametrize("error", bad_texts(), ids=lambda e: type(e).__name__.encode().hex())
def test_no_error_escapes_and_its_text_goes_nowhere(
    switch: Switch, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(switch.one_call.Dialogue, "_step", fail)
    result = switch.call(good(switch), Callee())
    assert (result.attempt_id, result.ended_by) == ("attempt-1", contract.ERROR)
    assert_short_ascii(result.error)
    assert ascii(type(error).__name__)[1:-1] in result.error
    for _, line in switch.log.console:
        assert_short_ascii(line.rstrip("\n"))
        assert "Nguy" not in line
        assert "849" not in line


@pytest.mark.parametrize("error", bad_texts(), ids=lambda e: type(e).__name__.encode().hex())
def test_nor_from_the_guard_itself(
    switch: Switch, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise error

    monkeypatch.setattr(switch.one_call, "run", fail)
    session = switch.session_of(Callee(), {})
    fake_freeswitch.call(sys.modules["fs_scripts.entry"], [session])
    assert session.hung_up_by == "script"
    assert_short_ascii(switch.log.console[-1][1].rstrip("\n"))


def assert_short_ascii(text: str) -> None:
    assert text
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= 600


def test_endless_recursion_is_an_error_result(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch.one_call.Dialogue, "_step", lambda *args: recurse())
    result = switch.call(good(switch), Callee())
    assert result.ended_by == contract.ERROR
    assert result.error.startswith("RecursionError")


@pytest.mark.parametrize("module", ["one_call", "call_flow", "session_io"])
def test_a_package_that_does_not_load_is_survived(
    switch: Switch, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = switch.session_of(Callee(), {"duecall_brief": good(switch).encode()})
    for name in ("one_call", "session_io"):
        monkeypatch.delitem(sys.modules, f"fs_scripts.{name}")
    monkeypatch.setitem(sys.modules, f"fs_scripts.{module}", None)
    fake_freeswitch.call(sys.modules["fs_scripts.entry"], [session])
    assert session.hung_up_by == "script"
    assert switch.log.console[-1][0] == "crit"


def with_sound(switch: Switch, path: str) -> str:
    brief = good(switch)
    step = replace(brief.steps[0], say=(path,))
    return replace(brief, steps=(step,)).encode()


@pytest.mark.parametrize(
    "path",
    [
        "${system touch /tmp/x}", "/a'b", '/"', "/a,b", "/{x}", "/a\nb", "/a|b", "/\x00",
        "/" + "a" * 9_000,
    ],
    ids=["expand", "quote", "double", "comma", "braces", "newline", "bar", "nul", "long"],
)  # fmt: skip
def test_an_unsafe_path_never_reaches_the_switch(switch: Switch, path: str) -> None:
    result = switch.call(with_sound(switch, path), Callee())
    assert result.ended_by == contract.ERROR
    assert "BriefError" in result.error
    assert path[:20] not in result.error
    assert switch.log.heard == []


@pytest.mark.parametrize("name", ["a b", "{x=1}a", "a!b", "a|b", "a,b", "caf\u00e9", "$a"])
def test_an_unsafe_path_is_refused_though_the_file_is_there(switch: Switch, name: str) -> None:
    result = switch.call(with_sound(switch, switch.sound(name, 1_000)), Callee())
    assert "a sound path is not safe" in result.error
    assert switch.log.heard == []


def test_a_sound_that_is_not_there_is_found_before_anything_is_said(switch: Switch) -> None:
    brief = good(switch)
    missing = KeyAction("opt_out", (str(switch.folder / "missing.wav"),))
    step = replace(brief.steps[0], keys={"1": missing})
    result = switch.call(replace(brief, steps=(step,)), Callee())
    assert "a sound cannot be read" in result.error
    assert switch.log.heard == []


def test_a_sound_that_will_not_play_is_an_error_not_a_delivery(switch: Switch) -> None:
    for barge_in in (True, False):
        brief = good(switch)
        step = replace(brief.steps[0], barge_in=barge_in)
        switch.lengths.clear()  # the file is there, FreeSWITCH cannot open it
        result = switch.call(replace(brief, steps=(step,)), Callee())
        assert result.ended_by == contract.ERROR
        assert "SoundError" in result.error


@pytest.mark.parametrize("do", ["opt_out", "transfer"])
def test_a_key_counts_though_the_sound_after_it_is_broken(switch: Switch, do: str) -> None:
    broken = KeyAction(do, (switch.sound("broken", 500),))
    brief = good(switch)
    step = replace(brief.steps[0], keys={"1": broken})
    del switch.lengths[broken.say[0]]
    result = switch.call(replace(brief, steps=(step,)), Callee(keys=((300, "1"),)))
    assert (result.ended_by, result.action, result.heard_ms) == (contract.KEY, do, 300)
    assert "SoundError" in result.error
    assert switch.session is not None
    assert switch.session.ready() == (do == "transfer")


def test_answers_outlive_an_error(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    brief = good(switch)
    first = replace(brief.steps[0], id="one", keys={"1": KeyAction("answer", (), "yes")})
    second = replace(first, id="two", say=(switch.sound("broken", 500),))
    del switch.lengths[second.say[0]]
    result = switch.call(replace(brief, steps=(first, second)), Callee(keys=((300, "1"),)))
    assert result.ended_by == contract.ERROR
    assert result.answers == {"one": "yes"}


def test_no_brief_at_all(switch: Switch) -> None:
    session = switch.session_of(Callee(), {})
    fake_freeswitch.call(sys.modules["fs_scripts.entry"], [session])
    result = Result.decode(session.variables["duecall_result"])
    assert result.attempt_id == session.get_uuid()
    assert result.ended_by == contract.ERROR
    assert session.hung_up_by == "script"


_odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6),
    st.lists(st.text(max_size=3), max_size=3), st.dictionaries(st.text(max_size=2), st.none()),
)  # fmt: skip
_places = st.sampled_from(
    [
        *["v", "attempt_id", "steps", "goodbye", "language", "max_call_ms"],
        *["id", "say", "say_ms", "keys", "barge_in", "wait_ms", "repeats", "invalid"],
    ]
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(place=_places, value=_odd, remove=st.booleans())
def test_any_broken_brief_leaves_a_result_and_a_live_switch(
    switch: Switch, place: str, value: object, remove: bool
) -> None:
    raw = json.loads(base64.urlsafe_b64decode(good(switch).encode() + "=="))
    target = raw if place in raw else raw["steps"][0]
    if remove:
        del target[place]
    else:
        target[place] = value
    text = base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")
    result = switch.call(text, Callee())
    assert result.ended_by in (contract.ERROR, contract.COMPLETED)
    assert switch.session is not None
    assert switch.session.hung_up_by == "script"


def test_calls_share_one_interpreter_and_nothing_else(switch: Switch) -> None:
    """State of one call must not show in the next: all run in one interpreter."""
    for _ in range(3):
        assert switch.call(good(switch), Callee(keys=((10, "1"),))).action == "opt_out"
        assert switch.call(good(switch), Callee(keys=((10, "5"),))).action == ""


def test_the_session_is_held_by_nobody_when_the_call_is_over(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise ValueError

    for break_it in (False, True):
        if break_it:
            monkeypatch.setattr(switch.one_call.Dialogue, "_step", fail)
        session = switch.session_of(Callee(), {"duecall_brief": good(switch).encode()})
        switch.session = None
        before = sys.getrefcount(session)
        handler = sys.modules["fs_scripts.entry"].handler
        monkeypatch.setattr(switch.one_call, "time", time)
        handler(session, "")
        assert sys.getrefcount(session) == before


def test_startup_loads_everything_and_calms_the_gil(switch: Switch) -> None:
    import importlib

    old = sys.getswitchinterval()
    try:
        importlib.import_module("fs_scripts.startup").runtime("")
        assert sys.getswitchinterval() == pytest.approx(0.05)
    finally:
        sys.setswitchinterval(old)
    assert switch.log.console == [("notice", "duecall: scripts are ready\n")]
