"""The `freeswitch` module: strict as the real one, and telling of what must not be used."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocket_switch import freeswitch_module
from pocket_switch.channel import Channel
from pocket_switch.events import Headers
from pocket_switch.freeswitch_module import Forbidden, Session
from pocket_switch.null_line import NullLine
from pocket_switch.options import Options
from tests.pocket_switch.sound_files import write_tone

UUID = "6a1b0f7e-0000-4000-8000-000000000001"


class Around:
    """What a channel needs of its worker; remembers what it was told."""

    def __init__(self) -> None:
        self.options = Options(cdr="")
        self.published: list[tuple[str, Headers]] = []

    def publish(self, name: str, event: Headers) -> None:
        self.published.append((name, event))

    def job_done(self, job: str, reply: str) -> None: ...
    def on_main(self, action: Callable[[], None]) -> None: ...
    def ask_bridge(self, originator: str, callee: str) -> None: ...
    def bridge_over(self, uuid: str) -> None: ...
    def gone(self, uuid: str) -> None: ...


@pytest.fixture
def channel() -> Channel:
    made = Channel(Around(), UUID, "null/1", "1", {}, [("park", "")], "", "")
    made.start(NullLine(made, speed=20.0))
    return made


@pytest.fixture
def session(channel: Channel) -> Session:
    return Session(channel)


@pytest.fixture
def sound(tmp_path: Path) -> str:
    return str(write_tone(tmp_path / "s.wav", 1.0))


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.getVariable(1),
        lambda s: s.setVariable("a", 1),
        lambda s: s.setVariable("a", b"x"),
        lambda s: s.streamFile(b"/a"),
        lambda s: s.streamFile("caf\udce9"),
        lambda s: s.sleep("100"),
        lambda s: s.sleep(0.1),
        lambda s: s.playAndGetDigits(1, 1, 1, 3000, "#", None, "", "", "", 0, ""),
        lambda s: s.playAndGetDigits(1, 1, 1, 3.0, "#", "", "", "", "", 0, ""),
        lambda s: freeswitch_module.consoleLog("info", "caf\udce9"),
        lambda s: freeswitch_module.Event("CUSTOM", "x").addHeader("a", 1),  # type: ignore[arg-type]
    ],
)
def test_wrong_types_are_refused_as_swig_does(
    session: Session, call: Callable[[Any], object]
) -> None:
    with pytest.raises(TypeError, match="argument"):
        call(session)


@pytest.mark.parametrize(
    "call",
    [
        lambda s: freeswitch_module.API(),
        lambda s: freeswitch_module.msleep(1),
        lambda s: freeswitch_module.Session("null/1"),
        lambda s: s.setHangupHook(print),
        lambda s: s.setInputCallback(print),
    ],
)
def test_what_can_kill_the_real_switch_fails_here(
    session: Session, call: Callable[[Any], object]
) -> None:
    with pytest.raises(Forbidden, match="must not be used"):
        call(session)


def test_variables_are_text_or_nothing(session: Session) -> None:
    assert session.getVariable("nothing") is None
    session.setVariable("colour", "blue ${x}")
    assert session.getVariable("colour") == "blue ${x}"
    session.setVariable("colour", "")
    assert session.getVariable("colour") is None
    session.setVariable("colour", None)


def test_a_key_stops_the_sound_and_is_the_answer(
    session: Session, channel: Channel, sound: str
) -> None:
    threading.Timer(0.01, channel.pressed, "5").start()
    key = session.playAndGetDigits(1, 1, 1, 3000, "#", sound, "", r"\d", "k", 0, "")
    assert key == "5"
    assert session.getVariable("k") == "5"
    assert session.getVariable("read_result") == "success"
    assert int(session.getVariable("playback_ms") or "") < 1_000


def test_no_key_is_an_empty_answer_after_each_try(session: Session, sound: str) -> None:
    assert session.playAndGetDigits(1, 1, 2, 100, "#", sound, "", "", "", 0, "") == ""
    assert session.getVariable("read_result") == "failure"  # too few, as FreeSWITCH says it
    assert session.ready()


def test_a_key_that_does_not_fit_is_asked_for_again(session: Session, channel: Channel) -> None:
    channel.pressed("7")
    channel.pressed("2")
    assert session.playAndGetDigits(1, 1, 2, 100, "", "", "", "[12]", "k", 0, "") == "2"
    assert session.getVariable("k_invalid") == "7"


def test_several_digits_and_a_terminator(session: Session, channel: Channel) -> None:
    for digit in "123#4":
        channel.pressed(digit)
    assert session.read(1, 10, "", 1000, "#", 0) == "123"
    assert session.getVariable("read_terminator_used") == "#"
    assert session.getDigits(1, "", 100) == "4"
    assert session.getDigits(1, "", 100) == ""


def test_flushed_keys_answer_nothing(session: Session, channel: Channel) -> None:
    channel.pressed("1")
    session.flushDigits()
    assert session.read(1, 1, "", 100, "", 0) == ""


def test_sounds_end_or_are_missing_or_cut(session: Session, sound: str) -> None:
    assert session.streamFile(sound) == 1
    assert session.streamFile("/nowhere.wav") == -1
    session.setVariable("playback_timeout_sec", "1")
    assert session.streamFile("file_string://" + "!".join([sound] * 30)) == 0
    assert session.read(1, 1, "/nowhere.wav", 100, "", 0) == ""
    assert session.getVariable("read_result") is None  # it gave up before it listened


def test_after_a_hang_up_everything_returns_at_once(
    session: Session, channel: Channel, sound: str
) -> None:
    channel.set_variable("playback_terminators", "none")
    threading.Timer(0.02, channel.hang_up, ("USER_BUSY",)).start()
    assert session.playAndGetDigits(1, 1, 9, 600_000, "", sound, "", "", "", 0, "") == ""
    assert not session.ready()
    began = time.monotonic()
    assert session.streamFile(sound) == 0
    session.sleep(600_000)
    assert session.getDigits(1, "", 600_000) == ""
    session.execute("park")
    session.execute("playback", sound)
    assert time.monotonic() - began < 5  # far less than any of the waits above
    assert session.hangupCause() == "NONE"
    session.setVariable("late", "yes")
    assert channel.variables["late"] == "yes"


def test_a_transfer_takes_the_call_from_the_script(session: Session, channel: Channel) -> None:
    assert session.transfer("sleep:10", "inline") == 1
    assert not session.ready()
    assert channel.cause == ""
