"""The few things a dialogue does with a call, over FreeSWITCH's session.

Rules, each paid for elsewhere (docs/freeswitch.md): no API(), no msleep (both hold the GIL for all
calls), no hook, no callback (both corrupt memory). The calls used here let go of the GIL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import freeswitch

from fs_scripts import key_record
from fs_scripts.contract import PROGRESS_EVENT, Result
from fs_scripts.spoken_answer import Ear, Heard, Listener

# mod_dptools plays at most 128 parts of one file_string:// and drops the rest without a word.
PARTS_MAX = 100
_ONE_KEY = (1, 1)
_NO_TERMINATORS = ""  # else `#` would end the input instead of being a key


class SoundError(Exception):
    """FreeSWITCH would not play a sound. The message names no file: paths may be personal."""


class SessionIO:
    """Holds the session only as long as the caller holds this."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.keys_folder = ""  # of the brief
        self._listener: Listener | None = None
        self._presence = session.getVariable("presence_data") or ""

    def uuid(self) -> str:
        return str(self._session.get_uuid())

    def ready(self) -> bool:
        """False once the callee hung up, or the call was taken away from the script."""
        return bool(self._session.ready())

    def get(self, name: str) -> str:
        """A channel variable; empty where there is none."""
        return str(self._session.getVariable(name) or "")

    def set(self, name: str, value: str | None) -> None:
        """None deletes it. The value must be free of `$`: FreeSWITCH would expand it on use."""
        self._session.setVariable(name, value)

    def play(self, sounds: Sequence[str]) -> None:
        """Play to the end. Keys pressed meanwhile wait to be listened for."""
        for path in joined(sounds):
            if self._session.streamFile(path, 0) != 1 and self.ready() and not self._limited():
                raise SoundError("a sound would not play")

    def listen(self, wait_ms: int) -> str:
        """The next key, one of 0-9*#, or empty after that much silence (or when hung up)."""
        return self._read("", wait_ms)

    def listens_by(self, socket: str, attempt_id: str, language: str) -> None:
        """Where words are recognised; an empty socket: nowhere."""
        self._listener = Listener(socket, attempt_id, language) if socket else None

    def listen_for_words(self, wait_ms: int, words: Mapping[str, str]) -> Heard:
        """The next key, or a word that stands for one (word -> key), whichever comes first. Without
        a listener it is `listen`."""
        if self._listener is None:
            return Heard(self.listen(wait_ms))
        with Ear(self._session, self._listener, words) as ear:
            return ear.hear(self.listen, self.ready, wait_ms)

    def play_and_listen(self, sounds: Sequence[str], wait_ms: int) -> str:
        """Play, stop at the first key, wait for one after the last sound. As `listen`."""
        paths = joined(sounds)
        key = ""
        for number, path in enumerate(paths, start=1):
            wait = wait_ms if number == len(paths) else 1
            key = self._read(path, wait)
            if key or not self.ready():
                break
            if not self.get("read_result") and not self._limited():
                raise SoundError("a sound would not play")  # `read` gave up before listening
        return key if paths else self.listen(wait_ms)

    def forget_keys(self) -> None:
        """Drop what was pressed before now, so that it does not answer the next question."""
        self._session.flushDigits()

    def limit_sound(self, limit_s: int | None) -> None:
        """No sound is played longer than this (2 s or more); None: to its end again."""
        self.set("playback_timeout_sec", None if limit_s is None else str(max(2, limit_s)))

    def hang_up(self) -> None:
        self._session.hangup()

    def progress(self, what: str, step: str) -> None:
        """Tell live displays. May get lost, so it may fail; carries no key and no personal data."""
        try:
            event = freeswitch.Event("CUSTOM", PROGRESS_EVENT)
            event.addHeader("Unique-ID", self.uuid())
            event.addHeader("Channel-Presence-Data", self._presence)
            event.addHeader("Duecall-What", what)
            event.addHeader("Duecall-Step", step)
            event.fire()
        except Exception:
            return

    def write_down(self, result: Result) -> None:
        """On disk, so that it outlives the switch. A fault of the disk never stops the dialogue:
        the result goes its usual ways as well."""
        if not self.keys_folder:
            return
        try:
            key_record.write(self.keys_folder, result)
        except Exception as error:
            kind = type(error).__name__
            freeswitch.consoleLog("err", f"duecall: a key was not written down: {kind}\n")

    def _read(self, path: str, wait_ms: int) -> str:
        """`read` returns the key of an earlier read when the callee has hung up since
        (CoreSession::read does not clear its buffer); `read_result` tells a new key from that."""
        key = str(self._session.read(*_ONE_KEY, path, wait_ms, _NO_TERMINATORS, 0))
        return key if self.get("read_result") == "success" else ""

    def _limited(self) -> bool:
        return bool(self.get("playback_timeout_sec"))


def joined(sounds: Sequence[str]) -> list[str]:
    """Sound files as FreeSWITCH wants several: `file_string://a!b`, in parts it will not cut."""
    parts = [sounds[start : start + PARTS_MAX] for start in range(0, len(sounds), PARTS_MAX)]
    return [part[0] if len(part) == 1 else "file_string://" + "!".join(part) for part in parts]
