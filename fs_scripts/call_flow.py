"""The dialogue: steps, keys, repeats, and what the result says of them. No FreeSWITCH in here."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fs_scripts.contract import (
    ACTIONS,
    ANSWER,
    CALLEE_HUNG_UP,
    CLAIMS_PAID,
    COMPLETED,
    CUT_OFF,
    ERROR,
    KEY,
    OPT_OUT,
    PROMISE,
    REPEAT,
    RESULT_VARIABLE,
    TRANSFER,
    Brief,
    KeyAction,
    KeyPress,
    Result,
    Step,
    unsafe_sound,
)
from fs_scripts.spoken_answer import NOTHING, Heard

CALL_MAX_MS = 86_400_000  # a day; FreeSWITCH takes 32-bit milliseconds
KEYS_MAX = 100  # key presses remembered; who presses more is not answering
_UNFINISHED = "script did not finish"
# What the callee decided with such a key must outlive the switch.
DECIDING = frozenset({OPT_OUT, CLAIMS_PAID, PROMISE, TRANSFER})
_STEP_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_SPOKEN = re.compile(r"[a-z0-9]{1,8}\Z")


class Line(Protocol):
    """What the dialogue needs of a call; `session_io.SessionIO` is it."""

    def ready(self) -> bool: ...
    def set(self, name: str, value: str | None) -> None: ...
    def play(self, sounds: Sequence[str]) -> None: ...
    def listen(self, wait_ms: int) -> str: ...
    def listen_for_words(self, wait_ms: int, words: Mapping[str, str]) -> Heard: ...
    def play_and_listen(self, sounds: Sequence[str], wait_ms: int) -> str: ...
    def forget_keys(self) -> None: ...
    def limit_sound(self, limit_s: int | None) -> None: ...
    def progress(self, what: str, step: str) -> None: ...
    def write_down(self, result: Result) -> None: ...


class BriefError(ValueError):
    """A brief that must not be played: an unsafe path, a sound that is not there, odd numbers.

    Found before the first word is said, because half a message is worse than none.
    """


class _Over(Exception):
    """The dialogue ends here. Never leaves this module."""


class Dialogue:
    """One call's dialogue. run() once; the result is set on the call as it comes to be known.

    clock: seconds of a clock that never steps (time.monotonic).
    """

    def __init__(self, line: Line, brief: Brief, clock: Callable[[], float]) -> None:
        self._line = line
        self._brief = brief
        self._clock = clock
        self._began = clock()
        self._keys: list[KeyPress] = []
        self._answers: dict[str, str] = {}
        self._heard_ms = 0
        self._ended_by = ERROR
        self._action = ""
        self._error = _UNFINISHED

    def run(self) -> str:
        """Hold it. Returns the action that ended it: TRANSFER means that the callee waits.

        Raises BriefError before anything is said; SoundError when a sound would not play.
        """
        check(self._brief)
        self._publish()
        try:
            for step in self._brief.steps:
                self._step(step)
            self._end(COMPLETED)
            self._line.play(self._brief.goodbye)
        except _Over:
            pass
        self._line.limit_sound(None)
        self._publish()
        self._line.progress("end", self._ended_by)
        return self._action if self._line.ready() else ""

    def failed(self, error: str) -> str:
        """Something went wrong in run(): keep what was known before it. Returns as run() does.

        A key that was pressed stays pressed, even where the sound that should follow was broken.
        """
        if self._ended_by not in (KEY, COMPLETED):
            self._ended_by = ERROR
        self._error = error
        self._publish()
        return self._action if self._line.ready() else ""

    # ---- one step

    def _step(self, step: Step) -> None:
        """Until a key moves on, or everything was said as often as it may be."""
        self._line.progress("step", step.id)
        self._line.forget_keys()  # what was pressed before was not meant for this
        repeats = step.repeats
        heard = self._say(step)
        while True:
            action = step.keys.get(heard.key)
            if heard.key:
                self._pressed(heard, step, meant=action is not None)
            if action is not None and action.do != REPEAT:
                self._act(action, step)
                return
            if action is not None:  # asked for it again: as often as the call's length allows
                heard = self._say(step, first=action.say)
            elif repeats and step.keys:
                repeats -= 1
                heard = self._say(step, first=step.invalid if heard.key else ())
            else:
                if heard.key:
                    self._play(step.invalid)
                return

    def _say(self, step: Step, first: Sequence[str] = ()) -> Heard:
        """Say the step (after `first`), and return the key pressed or spoken, or NOTHING."""
        if first:
            listen = step.barge_in and bool(step.keys)
            heard = self._sound(first, 0, 1 if listen else 0, listen=listen)
            if heard.key:
                return heard
            self._check_line()
        began = self._clock()
        wait_ms = step.wait_ms if step.keys else 0
        heard = self._sound(step.say, step.say_ms, wait_ms, listen=step.barge_in, words=step.spoken)
        if step is self._brief.steps[0]:
            played_ms = int((self._clock() - began) * 1000)
            self._heard_ms = max(self._heard_ms, min(played_ms, step.say_ms))
        if not heard.key:  # a key pressed in the very moment of hanging up is a key
            self._check_line()
        return self._confirmed(heard, step)

    def _confirmed(self, heard: Heard, step: Step) -> Heard:
        """A word that has to be confirmed: itself, said twice; or the key pressed instead."""
        if not heard.word or not step.confirm:
            return heard
        again = self._sound(step.confirm, 0, step.wait_ms, listen=step.barge_in, words=step.spoken)
        if not again.key:
            self._check_line()
        return NOTHING if again.word and again.key != heard.key else again

    def _play(self, sounds: Sequence[str]) -> None:
        if sounds:
            self._sound(sounds, 0, 0, listen=False)
            self._check_line()

    def _sound(
        self,
        sounds: Sequence[str],
        say_ms: int,
        wait_ms: int,
        *,
        listen: bool,
        words: Mapping[str, str] | None = None,
    ) -> Heard:
        """Play; a key stops it if we `listen`. wait_ms: silence to wait after it, 0 for none.
        words: heard in that silence, beside keys."""
        left_ms = self._left_ms()
        if say_ms + 1_000 > left_ms:
            self._line.limit_sound(-(-left_ms // 1000))
        if listen and wait_ms:
            after_ms = 1 if words else max(1, min(wait_ms, left_ms - say_ms))
            key = self._line.play_and_listen(sounds, after_ms)
            if key or not words:
                return Heard(key)
        else:
            self._line.play(sounds)
        if not wait_ms or not self._line.ready():
            return NOTHING
        wait_ms = max(1, min(wait_ms, self._left_ms()))
        if words:
            return self._line.listen_for_words(wait_ms, words)
        return Heard(self._line.listen(wait_ms))

    # ---- what a key does

    def _act(self, action: KeyAction, step: Step) -> None:
        if action.do == ANSWER:
            self._answers[step.id] = action.value
            self._publish()
            self._line.write_down(self._result(CUT_OFF, ""))
            self._play(action.say)
            return
        # Known before the sound: who hangs up in it has pressed the key nevertheless. And on disk:
        # the switch may die in it, and everything that it remembers with it.
        self._action = action.do
        self._end(KEY)
        if action.do in DECIDING:
            self._line.write_down(self._result(KEY, ""))
        self._line.play(action.say)
        raise _Over

    def _pressed(self, heard: Heard, step: Step, meant: bool) -> None:
        if len(self._keys) < KEYS_MAX:
            at_ms, sureness = self._now_ms(), round(heard.sureness, 3)
            press = KeyPress(heard.key, at_ms, step.id, meant, heard.word, sureness)
            self._keys.append(press)
        self._line.progress("key", step.id)

    # ---- how it ends

    def _check_line(self) -> None:
        if not self._line.ready():
            self._end(CALLEE_HUNG_UP)
            raise _Over
        if self._left_ms() <= 0:
            if self._heard_ms < self._brief.steps[0].say_ms:
                raise BriefError("max_call_ms is too short for the message")
            self._end(COMPLETED)
            raise _Over

    def _end(self, ended_by: str) -> None:
        self._ended_by = ended_by
        self._error = ""
        self._publish()

    def _publish(self) -> None:
        """Set the result as far as it is known."""
        result = self._result(self._ended_by, self._error)
        self._line.set(RESULT_VARIABLE, result.encode())

    def _result(self, ended_by: str, error: str) -> Result:
        return Result(
            attempt_id=self._brief.attempt_id,
            ended_by=ended_by,
            action=self._action,
            keys=tuple(self._keys),
            answers=self._answers,
            heard_ms=self._heard_ms,
            message_ms=self._brief.steps[0].say_ms if self._brief.steps else 0,
            talk_ms=self._now_ms(),
            error=error,
        )

    def _now_ms(self) -> int:
        return int((self._clock() - self._began) * 1000)

    def _left_ms(self) -> int:
        return self._brief.max_call_ms - self._now_ms()


def check(brief: Brief) -> None:
    """Raise BriefError for a brief that must not be played. Its text names no contact data."""
    if not brief.steps:
        raise BriefError("no steps")
    for step in brief.steps:
        if not _STEP_ID.match(step.id):
            raise BriefError("a step id is not a word")
        if not all(action.do in ACTIONS for action in step.keys.values()):
            raise BriefError("a key does what is not known")
        if not (0 <= step.wait_ms <= CALL_MAX_MS and 0 <= step.say_ms <= CALL_MAX_MS):
            raise BriefError("wait_ms or say_ms out of bounds")
        if not set(step.spoken.values()) <= set(step.keys):
            raise BriefError("a word stands for a key without meaning")
        if not all(_SPOKEN.match(word) for word in step.spoken):
            raise BriefError("a spoken word is not one")
    if not 0 < brief.max_call_ms <= CALL_MAX_MS:
        raise BriefError("max_call_ms out of bounds")
    if brief.listener and unsafe_sound(brief.listener):
        raise BriefError("the listener's path is not safe")
    for path in set(brief.sounds()):
        if unsafe_sound(path):
            raise BriefError("a sound path is not safe")
        if not os.access(path, os.R_OK):
            raise BriefError("a sound cannot be read")
