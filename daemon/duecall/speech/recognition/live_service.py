"""The listening service: a process beside the daemon that hears single words in live calls.

`python -m duecall.speech.recognition.live_service '<settings as JSON>'`; it ends when its standard
input does. It says one line of JSON on standard output: {"ready": true}, or {"missing": "why"}.

A script in the switch connects to the Unix socket once for each answer that it waits for. It sends
one line, {"language": "en", "words": ["yes", "no"]}, then a WAV file as it is being recorded. It is
told, a line each: {"speaking": true} when somebody begins to speak, and when he has ended {"word":
"yes", "sureness": 0.9}, or {} for nothing that counts. The sound is kept nowhere.

Whatever is too much for it is not heard: connections above CONNECTIONS_MAX, utterances that wait
for a recogniser longer than ANSWER_S.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, get_args

from duecall.core.campaign import Language
from duecall.core.recognition import RecogniserChoice
from duecall.speech.audio import Samples
from duecall.speech.recognition.catalogue import recogniser_of
from duecall.speech.recognition.live_sound import RATE_HZ, Utterances, WavStream
from duecall.speech.recognition.live_words import WORDS, grammar_of, word_of
from duecall.speech.recognition.recogniser import Recogniser, RecogniserError, RecogniserMissing

log = logging.getLogger(__name__)
CONNECTIONS_MAX = 400
QUEUE_MAX = 16  # utterances that wait for each recogniser
ANSWER_S = 4.0  # a verdict that comes later helps nobody: the script asks again
SILENT_S = 0.6  # a phone that sends nothing in pauses: what was being said has ended
WHOLE_S = 120.0  # no wait for an answer is longer
_ASK_MAX = 1_024
_SOUND_MAX = 65_536
_SOCKET_MODE = 0o660  # the switch may be another user of the folder's group


@dataclass
class _Job:
    """One utterance on its way through a recogniser. words: that it may stand for."""

    samples: Samples
    language: Language
    words: tuple[str, ...]
    give_up: float  # by the monotonic clock
    done: threading.Event = field(default_factory=threading.Event)
    heard: tuple[str, float] = ("", 0.0)  # word, sureness


class ListeningServer:
    """recognisers: of each language; each is asked by a thread of its own, one utterance at a
    time."""

    def __init__(self, path: str, recognisers: Mapping[Language, Sequence[Recogniser]]) -> None:
        """Raises OSError where the socket cannot be."""
        self._jobs: dict[Language, queue.Queue[_Job]] = {
            language: queue.Queue(maxsize=QUEUE_MAX * len(some))
            for language, some in recognisers.items()
        }
        self._connections = threading.Semaphore(CONNECTIONS_MAX)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # of a service that was killed
        self._socket.bind(path)
        os.chmod(path, _SOCKET_MODE)
        self._socket.listen(128)
        for language, some in recognisers.items():
            for recogniser in some:
                _spawn(self._recognise, self._jobs[language], recogniser)
        _spawn(self._accept)

    def close(self) -> None:
        """No more connections; those that there are end with the process."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    # ---- recognisers

    @staticmethod
    def _recognise(jobs: queue.Queue[_Job], recogniser: Recogniser) -> None:
        while True:
            job = jobs.get()
            if time.monotonic() < job.give_up:
                try:
                    grammar = grammar_of(job.language, job.words)
                    answer = recogniser.recognise_short(job.samples, RATE_HZ, job.language, grammar)
                    job.heard = word_of(job.language, job.words, answer, recogniser.name)
                except RecogniserError as error:
                    log.warning("an answer could not be recognised: %s", error)
                except Exception as error:  # its thread must not end: kept from all that follow
                    log.error("the recogniser failed: kind=%s", type(error).__name__)
            job.done.set()

    def _judged(self, samples: Samples, language: Language, words: tuple[str, ...]) -> bytes:
        """What the script is told of one utterance."""
        job = _Job(samples, language, words, time.monotonic() + ANSWER_S)
        try:
            self._jobs[language].put_nowait(job)
        except queue.Full:
            log.warning("more callees speak at once than can be recognised")
            return _NOTHING
        if not job.done.wait(ANSWER_S):
            log.warning("an answer was not recognised in time")
        word, sureness = job.heard
        return _line({"word": word, "sureness": sureness}) if word else _NOTHING

    # ---- connections

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError as error:
                if self._socket.fileno() < 0 or error.errno == errno.EINVAL:
                    return  # closed
                time.sleep(0.1)  # no more files may be opened, for now
                continue
            if self._connections.acquire(blocking=False):
                _spawn(self._serve, link)
            else:
                log.warning("more callees are listened to at once than can be")
                link.close()

    def _serve(self, link: socket.socket) -> None:
        try:
            with link:
                self._hear(link)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.info("a connection ended: kind=%s", type(error).__name__)
        finally:
            self._connections.release()

    def _hear(self, link: socket.socket) -> None:
        """One connection, to its end."""
        language, words, data = _asked(link)
        if language not in self._jobs:
            raise ValueError("a language that nobody hears")
        stream, utterances = WavStream(), Utterances()
        until = time.monotonic() + WHOLE_S
        told = False
        while time.monotonic() < until:
            ended = utterances.feed(stream.feed(data)) if data else []
            if not data and (last := utterances.end()) is not None:
                ended = [last]
            for samples in ended:
                link.sendall(self._judged(samples, language, words))
                told = False
            if utterances.speaking and not told:
                link.sendall(_line({"speaking": True}))
            elif told and not utterances.speaking:
                link.sendall(_NOTHING)  # a cough, or a speech
            told = utterances.speaking
            try:
                data = link.recv(_SOUND_MAX)
                if not data:
                    return
            except TimeoutError:
                data = b""


def _asked(link: socket.socket) -> tuple[Language, tuple[str, ...], bytes]:
    """(language, words, the first of the sound). ValueError for what is no such line."""
    link.settimeout(SILENT_S)
    data = b""
    while b"\n" not in data:
        got = link.recv(_ASK_MAX)
        data += got
        if not got or len(data) > _ASK_MAX + _SOUND_MAX:
            raise ValueError("not asked for anything")
    line, _, sound = data.partition(b"\n")
    asked = json.loads(line)
    language, words = asked["language"], tuple(asked["words"])
    if language not in get_args(Language) or not words or not set(words) <= set(WORDS):
        raise ValueError("asked for what is not known")
    return cast(Language, language), words, sound


def _line(what: dict[str, Any]) -> bytes:
    return json.dumps(what).encode("ascii") + b"\n"


_NOTHING = _line({})


def _spawn(run: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=run, args=arguments, daemon=True).start()


# ---- the process


def main() -> None:
    """settings: {"socket": path, "recognition": {language: RecogniserChoice}, "processes": n}."""
    settings = json.loads(sys.argv[1])
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    recognisers: dict[Language, list[Recogniser]] = {}
    try:
        for language, raw in settings["recognition"].items():
            choice = RecogniserChoice.model_validate(raw)
            some: list[Recogniser] = [
                recogniser_of(choice, language) for _ in range(settings["processes"])
            ]
            recognisers[language] = some
            for recogniser in some:
                recogniser.version()  # loads it: the first callee does not wait for that
        server = ListeningServer(settings["socket"], recognisers)
    except (RecogniserMissing, OSError) as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        sys.exit(3)
    print(json.dumps({"ready": True}), flush=True)
    while os.read(0, 1):
        pass
    server.close()
    for some in recognisers.values():
        for recogniser in some:
            recogniser.close()


if __name__ == "__main__":
    main()
