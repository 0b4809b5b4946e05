"""A word instead of a key: while keys are listened for, the callee's sound goes to the listener.

FreeSWITCH records the callee's side alone into a file (`record_session`, a media bug: `read` goes
on hearing keys beside it). The file loses its name as soon as it is there: what was said is on no
disk when the call is over, however it ends. Its bytes go to the listening service, which answers
when it has heard one of the words that it was told (docs/architecture.md, "Spoken answers").

Whatever goes wrong here means that nothing was heard: keys are listened for as ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fs_scripts.contract import SAFE_SOUND

POLL_MS = 200  # between two looks at file and socket; a key is heard at once all the same
AFTER_MS = 5_000  # more for a callee who is speaking when the wait is over, and for the recogniser
UNSENT_MAX = 65_536  # bytes that the listener has not taken: 4 s of sound; then it is not asked
_CHUNK = 65_536
_LINE_MAX = 4_096

# As `record_session` wants it, all for this one recording only: the callee's side, written at once.
_RECORDING = {
    "RECORD_READ_ONLY": "true",
    "RECORD_STEREO": "false",  # the recording of the whole call has it
    "RECORD_PRE_BUFFER_FRAMES": "1",
    "record_sample_rate": "8000",
    "enable_file_write_buffering": "false",
}


class Heard(NamedTuple):
    """A key; the word that stood for it, empty where it was pressed, and how sure that is."""

    key: str = ""
    word: str = ""
    sureness: float = 0.0


NOTHING = Heard()


class Listener:
    """One call's way to the listening service. socket: its path; recordings are put beside it."""

    def __init__(self, socket: str, attempt_id: str, language: str) -> None:
        self.socket = socket
        self.language = language
        self._attempt_id = attempt_id
        self._times = 0

    def next_path(self) -> str:
        """A file that is not there yet. ValueError for a path that the switch may not be told."""
        self._times += 1
        name = f"{self._attempt_id}-{self._times}.wav"
        path = f"{os.path.dirname(self.socket)}/{name}"
        if "/" in name or not SAFE_SOUND.match(path):
            raise ValueError("not a path for a recording")
        return path


class Ear:
    """Listens for one answer. Used as a context: what it opens is closed at the end.

    words: word -> the key that it stands for.
    """

    def __init__(self, session: Any, listener: Listener, words: Mapping[str, str]) -> None:
        self._session = session
        self._listener = listener
        self._words = words
        self._path = ""
        self._file = -1
        self._link: socket.socket | None = None
        self._unsent = b""
        self._line = b""
        self._speaking = False  # or has spoken, and what it was is not known yet

    def __enter__(self) -> Ear:
        try:
            self._open()
        except Exception:
            self._close()
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def hear(self, listen: Callable[[int], str], ready: Callable[[], bool], wait_ms: int) -> Heard:
        """The key or the word that comes first; NOTHING after so much silence, or when hung up.

        listen: waits so many ms for a key. Who is speaking when the wait is over is heard out.
        """
        left_ms, more_ms = wait_ms, AFTER_MS
        while self._link is not None and (left_ms > 0 or (self._speaking and more_ms > 0)):
            poll_ms = min(POLL_MS, left_ms) if left_ms > 0 else POLL_MS
            key = listen(poll_ms)
            if key or not ready():
                return Heard(key)
            if left_ms > 0:
                left_ms -= poll_ms
            else:
                more_ms -= poll_ms
            heard = self._ask()
            if heard.key:
                return heard
        return Heard(listen(left_ms)) if left_ms > 0 else NOTHING

    # ---- recording and link

    def _open(self) -> None:
        link = self._link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.setblocking(False)
        link.connect(self._listener.socket)  # BlockingIOError: it has more to do than it can
        asked = {"language": self._listener.language, "words": list(self._words)}
        self._unsent = json.dumps(asked).encode("ascii") + b"\n"
        path = self._listener.next_path()
        before = {name: self._session.getVariable(name) for name in _RECORDING}
        for name, value in _RECORDING.items():
            self._session.setVariable(name, value)
        self._path = path
        self._session.execute("record_session", path)
        for name, known in before.items():
            self._session.setVariable(name, known or None)
        try:
            self._file = os.open(path, os.O_RDONLY)
        finally:
            os.unlink(path)

    def _close(self) -> None:
        if self._path:
            self._session.execute("stop_record_session", self._path)
            self._path = ""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._hang_up_link()

    def _hang_up_link(self) -> None:
        self._speaking = False
        if self._link is not None:
            self._link.close()
            self._link = None

    # ---- the listener

    def _ask(self) -> Heard:
        """Hand on what was recorded since, and take what the listener says meanwhile."""
        link = self._link
        if link is None:
            return NOTHING
        try:
            self._unsent += os.read(self._file, _CHUNK)
            with contextlib.suppress(BlockingIOError):
                self._unsent = self._unsent[link.send(self._unsent) :] if self._unsent else b""
            if len(self._unsent) > UNSENT_MAX:
                raise OSError("the listener does not take what it is told")
            return self._answer(link)
        except Exception:
            self._hang_up_link()
            return NOTHING

    def _answer(self, link: socket.socket) -> Heard:
        """ValueError or OSError where the listener is gone, or says what it may not say."""
        try:
            got = link.recv(_LINE_MAX)
        except BlockingIOError:
            return NOTHING
        self._line += got
        if not got or len(self._line) > _LINE_MAX:
            raise OSError("the listener is gone")
        while b"\n" in self._line:
            line, _, self._line = self._line.partition(b"\n")
            said = json.loads(line)
            self._speaking = bool(said.get("speaking"))
            word = str(said.get("word", ""))
            if word in self._words:
                sureness = min(1.0, max(0.0, float(said["sureness"])))
                return Heard(self._words[word], word, sureness)
        return NOTHING
