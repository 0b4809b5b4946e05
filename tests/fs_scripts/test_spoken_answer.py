"""Words instead of keys: the dialogue in virtual time, a listener over a real socket."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Result, Step
from fs_scripts.spoken_answer import AFTER_MS
from tests.fs_scripts import scripted_listener as by
from tests.fs_scripts.conftest import Switch
from tests.fs_scripts.fake_freeswitch import Callee
from tests.fs_scripts.scripted_listener import Behaviour, Conversation, ScriptedListener

MESSAGE_MS, WAIT_MS = 4_000, 5_000


def message(switch: Switch, **changes: object) -> Step:
    keys = {
        "1": KeyAction("promise", (switch.sound("thanks", 1_000),)),
        "2": KeyAction("hang_up"),
        "0": KeyAction("repeat"),
    }
    parts: dict[str, object] = {
        "id": "message", "say": (switch.sound("debt", MESSAGE_MS),), "say_ms": MESSAGE_MS,
        "keys": keys, "wait_ms": WAIT_MS, "invalid": (switch.sound("invalid", 500),),
        "spoken": {"yes": "1", "no": "2", "0": "0"},
    }  # fmt: skip
    return Step(**(parts | changes))  # type: ignore[arg-type]


def call(
    switch: Switch, folder: Path, behaviour: Behaviour, callee: Callee, *steps: Step,
    **changes: object,
) -> tuple[Result, ScriptedListener]:  # fmt: skip
    with ScriptedListener(folder / "listening", behaviour) as listener:
        brief = Brief(
            "attempt-1", steps or (message(switch),), (switch.sound("goodbye", 700),), "en",
            listener=listener.path, **changes,  # type: ignore[arg-type]
        )  # fmt: skip
        result = switch.call(brief, callee)
        assert os.listdir(folder / "listening") == ["socket"], "what was said is still there"
        if callee.hangs_up_ms is None:
            assert switch.session is not None
            assert not switch.session.recording, "it goes on being recorded"
    return result, listener


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One for each time that is listened."""
    left = list(behaviours)
    return lambda talk: left.pop(0)(talk)


def test_a_word_stands_for_its_key(switch: Switch, tmp_path: Path) -> None:
    result, listener = call(switch, tmp_path, by.hears("yes", 0.8349, after=16_000), Callee())
    assert (result.ended_by, result.action) == (contract.KEY, "promise")
    (press,) = result.keys
    assert (press.key, press.step, press.meant) == ("1", "message", True)
    assert (press.spoken, press.sureness) == ("yes", 0.835)
    assert MESSAGE_MS + 1_000 <= press.at_ms <= MESSAGE_MS + 2_500
    assert switch.heard() == ["debt", "thanks"]
    assert listener.asked == [{"language": "en", "words": ["yes", "no", "0"]}]


def test_nobody_listens_while_the_message_is_said(switch: Switch, tmp_path: Path) -> None:
    _, listener = call(switch, tmp_path, by.hears_nothing, Callee())
    assert len(listener.talks[0].sound) <= 16 * (WAIT_MS + 200)
    assert len(listener.talks[0].sound) >= 16 * (WAIT_MS - 400)


def test_the_recording_is_of_the_callee_and_the_calls_own_goes_on(
    switch: Switch, tmp_path: Path
) -> None:
    call(switch, tmp_path, by.hears("no"), Callee())
    (recorded,) = switch.log.recorded
    assert recorded["RECORD_READ_ONLY"] == "true"
    assert recorded["RECORD_STEREO"] == "false"
    assert recorded["path"] == str(tmp_path / "listening" / "attempt-1-1.wav")
    assert switch.session is not None
    assert not [name for name in switch.session.variables if name.lower().startswith("record_")]


@pytest.mark.parametrize("at_ms", [1_000, MESSAGE_MS + 1, MESSAGE_MS + 3_333])
def test_a_key_comes_first_where_it_does(switch: Switch, tmp_path: Path, at_ms: int) -> None:
    callee = Callee(keys=((at_ms, "2"),))
    result, _ = call(switch, tmp_path, by.speaks_on_and_on, callee)
    assert (result.action, result.keys[0].at_ms, result.keys[0].spoken) == ("hang_up", at_ms, "")


def test_a_word_may_ask_for_it_again(switch: Switch, tmp_path: Path) -> None:
    behaviour = in_turn(by.hears("0"), by.hears("no"))
    result, _ = call(switch, tmp_path, behaviour, Callee())
    assert [key.spoken for key in result.keys] == ["0", "no"]
    assert switch.heard() == ["debt", "debt"]


def test_words_answer_questions_one_after_another(switch: Switch, tmp_path: Path) -> None:
    keys = {"1": KeyAction("answer", (), "a"), "2": KeyAction("answer", (), "b")}
    say = (switch.sound("question", 1_000),)
    steps = [
        Step(name, say, 1_000, keys, spoken={"yes": "1", "no": "2"}) for name in ("one", "two")
    ]
    behaviour = in_turn(by.hears("yes"), by.hears("no"))
    result, listener = call(switch, tmp_path, behaviour, Callee(), *steps)
    assert result.answers == {"one": "a", "two": "b"}
    assert len({recorded["path"] for recorded in switch.log.recorded}) == 2
    assert len(listener.asked) == 2


# ---- nothing heard


@pytest.mark.parametrize(
    "behaviour",
    [
        by.hears(""), by.hears("maybe"), by.hears_nothing, by.dies_at_once, by.talks_rubbish,
        lambda talk: talk.link.sendall(b'{"word": "yes"}\n'),
        lambda talk: talk.link.sendall(b'{"word": "yes", "sureness": "very"}\n'),
        lambda talk: talk.link.sendall(b"[1]\n" + b"x" * 5_000),
    ],
    ids=["unsure", "unknown", "silent", "dies", "rubbish", "no-sureness", "odd", "endless"],
)  # fmt: skip
def test_the_ordinary_dialogue_follows(
    switch: Switch, tmp_path: Path, behaviour: Behaviour
) -> None:
    """As where no key was pressed: said again, without `invalid`; and keys work."""
    callee = Callee(keys=((2 * MESSAGE_MS + WAIT_MS + 2_000, "2"),))
    result, _ = call(switch, tmp_path, behaviour, callee, message(switch, repeats=1))
    assert result.action == "hang_up"
    assert [key.spoken for key in result.keys] == [""]
    assert switch.heard() == ["debt", "debt"]


def test_without_a_listener_the_wait_is_as_long_as_ever(switch: Switch, tmp_path: Path) -> None:
    brief = Brief("attempt-1", (message(switch),), listener=str(tmp_path / "nobody"))
    result = switch.call(brief, Callee())
    assert 0 <= result.talk_ms - MESSAGE_MS - WAIT_MS <= 1
    assert switch.log.recorded == []


def test_a_recording_that_cannot_be_made(switch: Switch, tmp_path: Path) -> None:
    """The folder is not there, or full: the switch goes on, and so do we."""
    with ScriptedListener(tmp_path, by.hears("yes")) as listener:
        elsewhere = tmp_path / "gone"
        elsewhere.mkdir()
        os.link(listener.path, elsewhere / "socket")
        brief = Brief("attempt-1", (message(switch),), listener=str(elsewhere / "socket"))
        (elsewhere / "attempt-1-1.wav").mkdir()  # cannot be written
        callee = Callee(keys=((MESSAGE_MS + 2_000, "1"),))
        assert switch.call(brief, callee).action == "promise"


def test_who_speaks_at_the_end_of_the_wait_is_heard_out(switch: Switch, tmp_path: Path) -> None:
    def behave(talk: Conversation) -> None:
        talk.take(16 * (WAIT_MS - 400))
        talk.say(speaking=True)
        talk.take(16 * (WAIT_MS + 1_000))
        talk.say(word="yes", sureness=1)

    result, _ = call(switch, tmp_path, behave, Callee())
    assert result.action == "promise"
    assert result.keys[0].at_ms > MESSAGE_MS + WAIT_MS


def test_but_not_for_ever(switch: Switch, tmp_path: Path) -> None:
    result, _ = call(switch, tmp_path, by.speaks_on_and_on, Callee())
    assert result.ended_by == contract.COMPLETED
    assert result.talk_ms <= MESSAGE_MS + WAIT_MS + AFTER_MS + 700 + 1


def test_hanging_up_while_speaking(switch: Switch, tmp_path: Path) -> None:
    callee = Callee(hangs_up_ms=MESSAGE_MS + 1_234)
    result, _ = call(switch, tmp_path, by.speaks_on_and_on, callee)
    assert (result.ended_by, result.talk_ms) == (contract.CALLEE_HUNG_UP, MESSAGE_MS + 1_234)
    assert result.share_heard == 1.0


def test_the_longest_call_bounds_the_wait(switch: Switch, tmp_path: Path) -> None:
    steps = message(switch, wait_ms=60_000)
    result, _ = call(switch, tmp_path, by.hears_nothing, Callee(), steps, max_call_ms=9_000)
    assert (result.ended_by, result.talk_ms <= 9_200) == (contract.COMPLETED, True)


# ---- confirmed


def confirmed(switch: Switch) -> Step:
    return message(switch, confirm=(switch.sound("sure", 800),))


def test_a_word_that_is_said_twice_counts(switch: Switch, tmp_path: Path) -> None:
    behaviour = in_turn(by.hears("yes", 0.6), by.hears("yes", 0.9))
    result, _ = call(switch, tmp_path, behaviour, Callee(), confirmed(switch))
    assert result.action == "promise"
    assert [(key.spoken, key.sureness) for key in result.keys] == [("yes", 0.9)]
    assert switch.heard() == ["debt", "sure", "thanks"]


@pytest.mark.parametrize(
    "second", [by.hears("no"), by.hears_nothing, by.hears(""), by.dies_at_once]
)
def test_a_word_that_is_not_confirmed_is_nothing(
    switch: Switch, tmp_path: Path, second: Behaviour
) -> None:
    result, _ = call(
        switch, tmp_path, in_turn(by.hears("yes"), second), Callee(), confirmed(switch)
    )
    assert (result.ended_by, result.keys) == (contract.COMPLETED, ())
    assert switch.heard() == ["debt", "sure", "goodbye"]


@pytest.mark.parametrize("key, action", [("1", "promise"), ("2", "hang_up")])
def test_a_key_confirms_or_corrects(switch: Switch, tmp_path: Path, key: str, action: str) -> None:
    callee = Callee(keys=((MESSAGE_MS + 3_000, key),))
    behaviour = in_turn(by.hears("yes"), by.hears_nothing)
    result, _ = call(switch, tmp_path, behaviour, callee, confirmed(switch))
    assert (result.action, [one.spoken for one in result.keys]) == (action, [""])


def test_a_key_needs_no_confirmation(switch: Switch, tmp_path: Path) -> None:
    callee = Callee(keys=((MESSAGE_MS + 500, "1"),))
    result, _ = call(switch, tmp_path, by.hears_nothing, callee, confirmed(switch))
    assert result.action == "promise"
    assert switch.heard() == ["debt", "thanks"]


def test_hanging_up_before_it_is_confirmed_is_no_promise(switch: Switch, tmp_path: Path) -> None:
    callee = Callee(hangs_up_ms=MESSAGE_MS + 2_500)
    behaviour = in_turn(by.hears("yes"), by.hears_nothing)
    result, _ = call(switch, tmp_path, behaviour, callee, confirmed(switch))
    assert (result.ended_by, result.action) == (contract.CALLEE_HUNG_UP, "")


# ---- the contract


@pytest.mark.parametrize(
    "changes, listener",
    [
        ({"spoken": {"yes": "7"}}, "/var/socket"),
        ({"spoken": {"a b": "1"}}, "/var/socket"),
        ({"spoken": {"x" * 9: "1"}}, "/var/socket"),
        ({}, "/var/${x}"),
        ({}, "socket"),
    ],
)
def test_a_brief_that_must_not_be_played(
    switch: Switch, changes: dict[str, object], listener: str
) -> None:
    result = switch.call(Brief("a", (message(switch, **changes),), listener=listener), Callee())
    assert (result.ended_by, switch.heard()) == (contract.ERROR, [])


def test_an_attempt_id_that_is_no_name_is_not_listened_to(switch: Switch, tmp_path: Path) -> None:
    with ScriptedListener(tmp_path, by.hears("yes")) as listener:
        brief = Brief("../../etc/x", (message(switch),), listener=listener.path)
        assert switch.call(brief, Callee()).ended_by == contract.COMPLETED
    assert switch.log.recorded == []


def test_a_result_of_an_earlier_script_is_understood() -> None:
    old = Result("a", contract.KEY, "promise", (contract.KeyPress("1", 5, "message"),))
    raw = old.as_json().replace(b',"spoken":"","sureness":0.0', b"")
    assert b"spoken" not in raw
    assert Result.from_json(raw) == old
