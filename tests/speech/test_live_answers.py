"""Words in live calls: where somebody speaks, what counts as an answer, and the service itself."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import soundfile
import soxr

from duecall.core.campaign import Language
from duecall.core.recognition import RecogniserChoice
from duecall.speech.audio import Samples
from duecall.speech.recognition import live_service, live_words
from duecall.speech.recognition.catalogue import recogniser_of
from duecall.speech.recognition.live_service import ListeningServer
from duecall.speech.recognition.live_sound import Utterances, WavStream
from duecall.speech.recognition.live_words import DIGITS, WORDS, grammar_of, word_of
from duecall.speech.recognition.recogniser import Answer, Grammar, RecogniserError

LANGUAGES: tuple[Language, ...] = get_args(Language)
YES_NO = ("yes", "no")


def noise(ms: int, level_db: float = -60.0, seed: int = 1) -> Samples:
    samples = np.random.default_rng(seed).standard_normal(ms * 8).astype(np.float32)
    return samples * np.float32(10 ** (level_db / 20))


def utterances(*parts: Samples, size: int = 1_600) -> list[int]:
    """Milliseconds of each that was found in these sounds, fed in pieces of this size."""
    found, ears = [], Utterances()
    sound = np.concatenate(parts)
    for start in range(0, sound.size, size):
        found += [one.size // 8 for one in ears.feed(sound[start : start + size])]
    return found


# ---- where somebody speaks


@pytest.mark.parametrize("size", [37, 160, 1_600, 80_000])
def test_a_word_in_the_line_noise_is_found_whole(size: int) -> None:
    (found,) = utterances(noise(1_000), noise(400, -20), noise(1_500), size=size)
    assert 400 + 500 <= found <= 400 + 500 + 320  # the word, the pause that ended it, some before


def test_a_short_pause_does_not_part_an_answer() -> None:
    word = noise(300, -20)
    assert len(utterances(noise(500), word, noise(300), word, noise(1_000))) == 1
    assert len(utterances(noise(500), word, noise(900), word, noise(1_000))) == 2


@pytest.mark.parametrize("ms", [20, 80])
def test_a_click_is_no_word(ms: int) -> None:
    assert utterances(noise(500), noise(ms, -10), noise(1_500)) == []


def test_who_talks_for_long_does_not_answer() -> None:
    assert utterances(noise(500), noise(4_000, -20), noise(1_500)) == []
    assert utterances(noise(500), noise(30_000, -20), noise(1_500)) == []


@pytest.mark.parametrize("level_db", [-60.0, -45.0, -35.0])
def test_noise_alone_is_nothing_and_words_are_found_in_it(level_db: float) -> None:
    """A line may be noisy from the beginning; after its first seconds a word stands out."""
    assert utterances(noise(20_000, level_db)) == []
    word = noise(400, -15)
    assert len(utterances(noise(20_000, level_db), word, noise(1_500, level_db))) == 1


def test_a_phone_that_sends_nothing_in_pauses() -> None:
    ears = Utterances()
    assert ears.feed(np.concatenate([noise(300), noise(400, -20)])) == []
    assert ears.speaking
    last = ears.end()
    assert last is not None
    assert last.size >= 400 * 8
    assert not ears.speaking


def test_a_wav_file_as_it_grows() -> None:
    samples = noise(500, -20)
    file = io.BytesIO()
    soundfile.write(file, samples, 8_000, "PCM_16", format="WAV")
    data, stream = file.getvalue(), WavStream()
    got = np.concatenate([stream.feed(data[at : at + 33]) for at in range(0, len(data), 33)])
    assert np.allclose(got, samples, atol=1e-4)


@pytest.mark.parametrize("data", [b"ID3 no sound", b"RIFF" + b"x" * 5_000])
def test_what_is_no_wav_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="WAV"):
        WavStream().feed(data)


# ---- what counts as an answer


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_stands_for_two_words_or_is_a_decoy(language: Language) -> None:
    for words in (YES_NO, DIGITS, WORDS):
        meant = [
            [word for word in words if word_of(language, [word], Answer((phrase,), 1.0), "x")[0]]
            for phrase in grammar_of(language, words).phrases
        ]
        assert all(len(one) <= 1 for one in meant)
        assert sum(not one for one in meant) >= 20, "too few decoys"
        assert {one[0] for one in meant if one} == set(words)


def test_decoys_unsure_answers_and_rows_of_words_are_nothing() -> None:
    def heard(*words: str, sureness: float = 0.9) -> tuple[str, float]:
        return word_of("en", YES_NO, Answer(words, sureness), "any")

    assert heard("yeah") == ("yes", 0.9)
    assert heard("stop calling me") == heard() == heard("yes", "no") == ("", 0.0)
    assert heard("yes", sureness=0.59) == ("", 0.0)
    assert word_of("en", ("no",), Answer(("yes",), 1.0), "any") == ("", 0.0)


# ---- the service


class Scripted:
    """A recogniser that does as it is told."""

    name = "any"
    languages: tuple[Language, ...] = ("en",)

    def __init__(self, answer: Answer | Exception, takes_s: float = 0.0) -> None:
        self.answer, self.takes_s = answer, takes_s
        self.asked: list[Grammar] = []

    def version(self) -> str:
        return "1"

    def model(self) -> str:
        return ""

    def transcribe(self, samples: Samples, rate_hz: int, language: Language) -> Any:
        raise NotImplementedError

    def recognise_short(
        self, samples: Samples, rate_hz: int, language: Language, grammar: Grammar
    ) -> Answer:
        self.asked.append(grammar)
        time.sleep(self.takes_s)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        return None


def wav(*parts: Samples) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.concatenate(parts), 8_000, "PCM_16", format="WAV")
    return file.getvalue()


def ask(path: str, sound: bytes, asked: object = None, wait_s: float = 5.0) -> list[dict[str, Any]]:
    """What the service says of an utterance; nothing where it hangs up before it does."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(wait_s)
        link.connect(path)
        first = asked if asked is not None else {"language": "en", "words": list(YES_NO)}
        said, data = [], b""
        try:
            link.sendall((json.dumps(first) if not isinstance(first, bytes) else "").encode())
            link.sendall((first if isinstance(first, bytes) else b"") + b"\n" + sound)
            while not said and (got := link.recv(4_096)):
                data += got
                lines = [json.loads(line) for line in data.splitlines()]
                said = [line for line in lines if "speaking" not in line]
        except (TimeoutError, ConnectionError):
            pass
        return said


SPOKEN = wav(noise(400), noise(400, -20), noise(900))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "socket")


@pytest.fixture
def servers() -> Iterator[list[ListeningServer]]:
    made: list[ListeningServer] = []
    yield made
    for one in made:
        one.close()


def test_a_word_is_told_with_its_sureness(path: str, servers: list[ListeningServer]) -> None:
    recogniser = Scripted(Answer(("yeah",), 0.75))
    servers.append(ListeningServer(path, {"en": [recogniser]}))
    assert ask(path, SPOKEN) == [{"word": "yes", "sureness": 0.75}]
    assert "stop calling me" in recogniser.asked[0].phrases
    assert oct(Path(path).stat().st_mode)[-3:] == "660"


@pytest.mark.parametrize(
    "answer",
    [Answer(("hello",), 1.0), Answer((), 0.0), RecogniserError("it died"), OSError("odd")],
    ids=["decoy", "nothing", "dead", "odd"],
)
def test_what_is_no_answer_is_told_as_nothing(
    path: str, servers: list[ListeningServer], answer: Answer | Exception
) -> None:
    servers.append(ListeningServer(path, {"en": [Scripted(answer)]}))
    for _ in range(2):  # and it goes on
        assert ask(path, SPOKEN) == [{}]


def test_who_begins_to_speak_is_told_of(path: str, servers: list[ListeningServer]) -> None:
    """So that the script hears him out when its wait is over; also where it was only a cough."""
    servers.append(ListeningServer(path, {"en": [Scripted(Answer(("yes",), 1.0))]}))
    cough = noise(80, -20)
    for sound, after in ((noise(400, -20), {"word": "yes", "sureness": 1.0}), (cough, {})):
        data = wav(noise(400), sound)
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(5)
            link.connect(path)
            link.sendall(b'{"language": "en", "words": ["yes"]}\n' + data)
            assert json.loads(link.recv(4_096)) == {"speaking": True}
            link.sendall(bytes(2 * 8 * 900))
            assert json.loads(link.recv(4_096)) == after


def test_silence_is_not_answered_at_all(path: str, servers: list[ListeningServer]) -> None:
    servers.append(ListeningServer(path, {"en": [Scripted(Answer(("yes",), 1.0))]}))
    assert ask(path, wav(noise(3_000)), wait_s=1.5) == []


def test_a_slow_recogniser_is_not_waited_for(
    path: str, servers: list[ListeningServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_service, "ANSWER_S", 0.3)
    servers.append(ListeningServer(path, {"en": [Scripted(Answer(("yes",), 1.0), takes_s=2.0)]}))
    began = time.monotonic()
    assert ask(path, SPOKEN) == [{}]
    assert time.monotonic() - began < 1.5


def test_a_hundred_callees_at_once_and_what_is_too_much_is_nothing(
    path: str, servers: list[ListeningServer]
) -> None:
    """Two recognisers of 50 ms each have 40 answers a second, and room for 32 that wait."""
    slow = [Scripted(Answer(("no",), 0.9), takes_s=0.05) for _ in range(2)]
    servers.append(ListeningServer(path, {"en": slow}))
    got: list[list[dict[str, Any]]] = []
    threads = [
        threading.Thread(target=lambda: got.append(ask(path, SPOKEN, wait_s=10)))
        for _ in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = sum(said[-1].get("word") == "no" for said in got)
    assert len(got) == 100
    assert all(len(said) == 1 for said in got)
    assert 30 <= heard <= 100
    assert ask(path, SPOKEN)[-1]["word"] == "no"


def test_more_connections_than_may_be_are_refused(
    path: str, servers: list[ListeningServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_service, "CONNECTIONS_MAX", 1)
    servers.append(ListeningServer(path, {"en": [Scripted(Answer(("yes",), 1.0))]}))
    with socket.socket(socket.AF_UNIX) as first:
        first.connect(path)
        first.sendall(b"{")
        time.sleep(0.2)
        assert ask(path, SPOKEN) == []
    time.sleep(0.3)
    assert ask(path, SPOKEN)[-1]["word"] == "yes"


@pytest.mark.parametrize(
    "asked",
    [
        b"rubbish", b"[]", b"{}", {"language": "xx", "words": ["yes"]},
        {"language": "en", "words": ["maybe"]}, {"language": "en", "words": []},
        {"language": "ru", "words": ["yes"]}, {"language": [], "words": 5},
    ],
)  # fmt: skip
def test_rubbish_ends_its_own_connection_alone(
    path: str, servers: list[ListeningServer], asked: object
) -> None:
    servers.append(ListeningServer(path, {"en": [Scripted(Answer(("yes",), 1.0))]}))
    assert ask(path, SPOKEN, asked) == []
    assert ask(path, SPOKEN)[-1]["word"] == "yes"


def test_a_socket_left_behind_is_taken_over(path: str, servers: list[ListeningServer]) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    servers.append(ListeningServer(path, {"en": [Scripted(Answer(("yes",), 1.0))]}))
    assert ask(path, SPOKEN)[-1]["word"] == "yes"


def run_service(settings: dict[str, Any]) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "duecall.speech.recognition.live_service", json.dumps(settings)]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def test_the_process_says_what_it_lacks(path: str) -> None:
    choice = {"engine": "pocketsphinx", "model": "/nowhere"}
    with run_service({"socket": path, "recognition": {"en": choice}, "processes": 1}) as process:
        assert process.stdout is not None
        assert "missing" in json.loads(process.stdout.readline())
        assert process.wait(10) == 3


needs_sphinx = pytest.mark.skipif(
    importlib.util.find_spec("pocketsphinx") is None or shutil.which("espeak-ng") is None,
    reason="no pocketsphinx (pip install 'duecall[recognition]'), or no espeak-ng",
)


def spoken(text: str) -> Samples:
    done = subprocess.run(
        ["espeak-ng", "-v", "en-us", "--stdout", text], check=True, capture_output=True
    )
    samples, rate_hz = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    samples = soxr.resample(samples, rate_hz, 8_000)
    return np.asarray(samples * np.float32(0.4 / np.abs(samples).max()), np.float32)


@needs_sphinx
def test_the_process_hears_words_and_ends_with_its_input(path: str) -> None:
    choice = {"engine": "pocketsphinx", "model": ""}
    with run_service({"socket": path, "recognition": {"en": choice}, "processes": 1}) as process:
        assert process.stdout is not None and process.stdin is not None
        assert json.loads(process.stdout.readline()) == {"ready": True}
        for word in YES_NO:
            sound = wav(noise(400), spoken(word), noise(900))
            assert ask(path, sound, wait_s=20)[-1].get("word") == word
        process.stdin.close()
        assert process.wait(10) == 0


@needs_sphinx
def test_most_of_what_is_no_answer_is_taken_for_none() -> None:
    """Without decoys the recogniser takes more than half of these for yes or no."""
    recogniser = recogniser_of(RecogniserChoice(engine="pocketsphinx"), "en")
    others = (
        "hello", "who is this", "call me later", "stop calling me", "wrong number", "next week",
        "good morning", "please repeat", "I already paid", "my name is john smith", "tomorrow",
        "what do you want", "I am at work", "hold on", "operator please", "lunch", "help me",
    )  # fmt: skip
    try:
        taken = []
        for text in others:
            answer = recogniser.recognise_short(spoken(text), 8_000, "en", grammar_of("en", YES_NO))
            word, _ = word_of("en", YES_NO, answer, recogniser.name)
            taken += [text] if word else []
        assert len(taken) <= 2, taken
    finally:
        recogniser.close()


def test_the_recogniser_that_is_measured_has_its_own_least_sureness() -> None:
    assert live_words._LEAST_SURENESS.keys() == {"pocketsphinx"}
