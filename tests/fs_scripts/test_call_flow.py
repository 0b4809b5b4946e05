"""The dialogue, key by key and hang-up by hang-up. Times are virtual: milliseconds of the call."""

from __future__ import annotations

import pytest

from fs_scripts import contract
from fs_scripts.contract import Brief, KeyAction, Result, Step
from tests.fs_scripts.conftest import Switch
from tests.fs_scripts.fake_freeswitch import Callee

MESSAGE_MS, SAY_MS, WAIT_MS = 10_000, 2_000, 5_000
FINAL = ("transfer", "opt_out", "claims_paid", "promise", "hang_up")


def message(switch: Switch, **changes: object) -> Step:
    """Two sounds of 4 s and 6 s; each key's action says something of 2 s."""
    keys = {
        str(number): KeyAction(do, (switch.sound(f"said-{do}", SAY_MS),))
        for number, do in enumerate(FINAL, start=1)
    }
    keys["0"] = KeyAction("repeat")
    parts: dict[str, object] = {
        "id": "message",
        "say": (switch.sound("hello", 4_000), switch.sound("debt", 6_000)),
        "say_ms": MESSAGE_MS,
        "keys": keys,
        "wait_ms": WAIT_MS,
        "invalid": (switch.sound("invalid", 1_000),),
    }
    return Step(**(parts | changes))  # type: ignore[arg-type]


def question(switch: Switch, name: str = "reason", **changes: object) -> Step:
    keys = {
        "1": KeyAction("answer", (switch.sound("thanks", 1_000),), "no_money"),
        "2": KeyAction("answer", (), "forgot"),
    }
    parts: dict[str, object] = {
        "id": name,
        "say": (switch.sound(name, 3_000),),
        "say_ms": 3_000,
        "keys": keys,
        "wait_ms": WAIT_MS,
    }
    return Step(**(parts | changes))  # type: ignore[arg-type]


def brief(switch: Switch, *steps: Step, **changes: object) -> Brief:
    goodbye = (switch.sound("goodbye", 1_500),)
    return Brief("attempt-1", steps, goodbye, **changes)  # type: ignore[arg-type]


# ---- no key


def test_all_is_said_and_the_script_hangs_up(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch)), Callee())
    assert result.ended_by == contract.COMPLETED
    assert (result.heard_ms, result.message_ms) == (MESSAGE_MS, MESSAGE_MS)
    assert result.talk_ms == MESSAGE_MS + WAIT_MS + 1_500
    assert result.attempt_id == "attempt-1"
    assert result.error == ""
    assert switch.heard() == ["hello", "debt", "goodbye"]
    assert switch.session is not None
    assert switch.session.hung_up_by == "script"


def test_without_a_key_the_step_is_said_again_so_often_as_it_may(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch, repeats=2)), Callee())
    assert switch.heard() == ["hello", "debt"] * 3 + ["goodbye"]
    assert result.talk_ms == 3 * (MESSAGE_MS + WAIT_MS) + 1_500


def test_a_step_without_keys_is_said_once_and_not_waited_for(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch, keys={}, repeats=3)), Callee())
    assert switch.heard() == ["hello", "debt", "goodbye"]
    assert result.talk_ms == MESSAGE_MS + 1_500


def test_more_sounds_than_freeswitch_plays_in_one(switch: Switch) -> None:
    many = tuple(switch.sound(f"part{n}", 100) for n in range(300))
    result = switch.call(brief(switch, message(switch, say=many, say_ms=30_000)), Callee())
    assert result.heard_ms == 30_000
    assert switch.heard() == [f"part{n}" for n in range(300)] + ["goodbye"]


# ---- the callee hangs up


@pytest.mark.parametrize("barge_in", [True, False])
@pytest.mark.parametrize("at_ms", [1, 3_999, 4_000, 9_999])
def test_hanging_up_within_the_message(switch: Switch, at_ms: int, barge_in: bool) -> None:
    step = message(switch, barge_in=barge_in)
    result = switch.call(brief(switch, step), Callee(hangs_up_ms=at_ms))
    assert result.ended_by == contract.CALLEE_HUNG_UP
    assert result.heard_ms == at_ms
    assert result.talk_ms == at_ms


def test_hanging_up_while_waited_for(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch)), Callee(hangs_up_ms=12_000))
    assert (result.ended_by, result.share_heard) == (contract.CALLEE_HUNG_UP, 1.0)


def test_hanging_up_in_the_goodbye_is_a_completed_call(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch)), Callee(hangs_up_ms=15_700))
    assert result.ended_by == contract.COMPLETED


def test_gone_before_the_script_began(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch)), Callee(hangs_up_ms=0))
    assert (result.ended_by, result.heard_ms) == (contract.CALLEE_HUNG_UP, 0)


def test_taken_away_by_the_daemon_ends_the_script_at_once(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch)), Callee(taken_ms=2_000))
    assert (result.ended_by, result.talk_ms) == (contract.CALLEE_HUNG_UP, 2_000)


# ---- keys that end it


@pytest.mark.parametrize("at_ms", [100, 4_500, 9_999, 10_001, 14_900])
@pytest.mark.parametrize("do", FINAL)
def test_a_key_stops_the_sound_and_does_what_it_does(switch: Switch, do: str, at_ms: int) -> None:
    key = str(FINAL.index(do) + 1)
    result = switch.call(brief(switch, message(switch)), Callee(keys=((at_ms, key),)))
    assert (result.ended_by, result.action) == (contract.KEY, do)
    assert [(k.key, k.at_ms, k.step, k.meant) for k in result.keys] == [
        (key, at_ms, "message", True)
    ]
    assert result.heard_ms == min(at_ms, MESSAGE_MS)
    assert result.talk_ms == at_ms + SAY_MS
    assert switch.heard()[-1] == f"said-{do}"
    assert "goodbye" not in switch.heard()


@pytest.mark.parametrize("do", FINAL)
def test_only_a_transfer_leaves_the_call_up(switch: Switch, do: str) -> None:
    key = str(FINAL.index(do) + 1)
    switch.call(brief(switch, message(switch)), Callee(keys=((100, key),)))
    assert switch.session is not None
    assert switch.session.hung_up_by == ("" if do == "transfer" else "script")


@pytest.mark.parametrize("do", FINAL)
def test_the_key_counts_though_the_callee_hangs_up_in_what_follows(switch: Switch, do: str) -> None:
    key = str(FINAL.index(do) + 1)
    callee = Callee(keys=((3_000, key),), hangs_up_ms=3_010)
    result = switch.call(brief(switch, message(switch)), callee)
    assert (result.ended_by, result.action) == (contract.KEY, do)


@pytest.mark.parametrize("do", FINAL)
def test_a_key_pressed_in_the_moment_of_hanging_up_is_a_key(switch: Switch, do: str) -> None:
    key = str(FINAL.index(do) + 1)
    callee = Callee(keys=((3_000, key),), hangs_up_ms=3_000)
    result = switch.call(brief(switch, message(switch)), callee)
    assert (result.ended_by, result.action) == (contract.KEY, do)


@pytest.mark.parametrize("do", FINAL)
def test_the_key_is_on_record_before_its_sound_is_played(switch: Switch, do: str) -> None:
    key = str(FINAL.index(do) + 1)
    switch.call(brief(switch, message(switch)), Callee(keys=((3_000, key),)))
    before_the_sound = [Result.decode(text) for text in switch.log.results][-2]
    assert (before_the_sound.ended_by, before_the_sound.action) == (contract.KEY, do)
    assert before_the_sound.talk_ms == 3_000


def test_hash_and_star_are_keys_like_others(switch: Switch) -> None:
    for key in "#*":
        step = message(switch, keys={key: KeyAction("opt_out")})
        result = switch.call(brief(switch, step), Callee(keys=((500, key),)))
        assert result.action == "opt_out"


# ---- repeat, invalid, barge-in


def test_repeat_says_it_again_and_costs_no_repeats(switch: Switch) -> None:
    callee = Callee(keys=((5_000, "0"), (8_000, "0"), (9_000, "2")))
    result = switch.call(brief(switch, message(switch, repeats=0)), callee)
    assert result.action == "opt_out"
    assert [key.key for key in result.keys] == ["0", "0", "2"]
    assert switch.heard() == ["hello", "debt", "hello", "hello", "said-opt_out"]


def test_heard_is_the_longest_of_the_times_it_was_said(switch: Switch) -> None:
    callee = Callee(keys=((5_000, "0"), (6_000, "2")))
    assert switch.call(brief(switch, message(switch)), callee).heard_ms == 5_000


def test_a_key_without_meaning_is_told_and_costs_a_repeat(switch: Switch) -> None:
    callee = Callee(keys=((1_000, "7"), (4_000, "8")))
    result = switch.call(brief(switch, message(switch, repeats=1)), callee)
    assert result.ended_by == contract.COMPLETED
    assert [(key.key, key.meant) for key in result.keys] == [("7", False), ("8", False)]
    assert switch.heard() == ["hello", "invalid", "hello", "invalid", "goodbye"]


def test_the_right_key_pressed_while_told_that_one_was_wrong(switch: Switch) -> None:
    callee = Callee(keys=((1_000, "7"), (1_500, "2")))
    result = switch.call(brief(switch, message(switch, repeats=1)), callee)
    assert result.action == "opt_out"
    assert switch.heard() == ["hello", "invalid", "said-opt_out"]


def test_without_barge_in_the_message_is_heard_whole_and_the_key_counts_after_it(
    switch: Switch,
) -> None:
    callee = Callee(keys=((1_000, "2"),))
    result = switch.call(brief(switch, message(switch, barge_in=False)), callee)
    assert (result.action, result.heard_ms) == ("opt_out", MESSAGE_MS)
    assert result.keys[0].at_ms == MESSAGE_MS
    assert switch.heard() == ["hello", "debt", "said-opt_out"]


# ---- questions


def test_answers_are_collected_and_the_dialogue_goes_on(switch: Switch) -> None:
    steps = (message(switch, keys={}), question(switch), question(switch, "when"))
    callee = Callee(keys=((11_000, "1"), (16_000, "2")))
    result = switch.call(brief(switch, *steps), callee)
    assert result.ended_by == contract.COMPLETED
    assert result.answers == {"reason": "no_money", "when": "forgot"}
    assert switch.heard() == ["hello", "debt", "reason", "thanks", "when", "goodbye"]


def test_answers_given_are_kept_when_the_callee_hangs_up(switch: Switch) -> None:
    steps = (message(switch, keys={}), question(switch), question(switch, "when"))
    callee = Callee(keys=((11_000, "1"),), hangs_up_ms=11_500)  # in "thanks"
    result = switch.call(brief(switch, *steps), callee)
    assert result.ended_by == contract.CALLEE_HUNG_UP
    assert result.answers == {"reason": "no_money"}
    assert [key.key for key in result.keys] == ["1"]


def test_the_last_key_before_hanging_up_does_not_answer_the_next_question_too(
    switch: Switch,
) -> None:
    """FreeSWITCH's `read` gives the old key once more when the callee is gone."""
    steps = (question(switch), question(switch, "when"))
    callee = Callee(keys=((1_000, "2"),), hangs_up_ms=1_000)
    result = switch.call(brief(switch, *steps), callee)
    assert result.ended_by == contract.CALLEE_HUNG_UP
    assert result.answers == {"reason": "forgot"}
    assert len(result.keys) == 1


def test_a_key_pressed_too_early_does_not_answer_the_next_question(switch: Switch) -> None:
    steps = (message(switch, keys={}), question(switch))
    result = switch.call(brief(switch, *steps), Callee(keys=((9_900, "1"),)))
    assert result.answers == {}
    assert result.keys == ()


def test_the_second_of_two_quick_keys_does_not_answer_the_next_question(switch: Switch) -> None:
    steps = (question(switch), question(switch, "when"))
    callee = Callee(keys=((1_000, "1"), (1_200, "2")))  # the second one falls into "thanks"
    result = switch.call(brief(switch, *steps), callee)
    assert result.answers == {"reason": "no_money"}


def test_a_question_can_end_the_call(switch: Switch) -> None:
    steps = (message(switch, keys={}), question(switch, keys={"9": KeyAction("promise")}))
    result = switch.call(brief(switch, *steps), Callee(keys=((11_000, "9"),)))
    assert (result.ended_by, result.action) == (contract.KEY, "promise")
    assert result.heard_ms == MESSAGE_MS


# ---- bounds


def test_no_call_is_longer_than_it_may_be(switch: Switch) -> None:
    callee = Callee(keys=tuple((at, "0") for at in range(9_000, 400_000, 9_000)))
    result = switch.call(brief(switch, message(switch), max_call_ms=60_000), callee)
    assert result.talk_ms <= 62_000
    assert result.ended_by in (contract.COMPLETED, contract.ERROR)


def test_a_limit_after_the_message_was_heard_completes_the_call(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch), max_call_ms=12_000), Callee())
    assert (result.ended_by, result.heard_ms) == (contract.COMPLETED, MESSAGE_MS)
    assert result.talk_ms <= 12_000


def test_a_limit_within_the_message_is_an_error_not_a_delivery(switch: Switch) -> None:
    result = switch.call(brief(switch, message(switch), max_call_ms=7_000), Callee())
    assert (result.ended_by, result.heard_ms) == (contract.ERROR, 7_000)
    assert "max_call_ms" in result.error


def test_a_callee_who_drums_on_the_keys_fills_no_memory(switch: Switch) -> None:
    callee = Callee(keys=tuple((at, "0") for at in range(100, 250_000, 100)))
    result = switch.call(brief(switch, message(switch)), callee)
    assert len(result.keys) == 100


# ---- what live displays get


def test_progress_tells_steps_but_no_keys(switch: Switch) -> None:
    switch.call(brief(switch, message(switch)), Callee(keys=((500, "2"),)))
    told = [(e["Duecall-What"], e["Duecall-Step"]) for e in switch.log.events]
    assert told == [("step", "message"), ("key", "message"), ("end", "key")]
    assert {e["Event-Subclass"] for e in switch.log.events} == {contract.PROGRESS_EVENT}
    assert {e["Channel-Presence-Data"] for e in switch.log.events} == {"duecall:test"}
