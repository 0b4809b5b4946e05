"""Recognisers in processes of their own: real child programs that work, hang, die, send rubbish."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time

import numpy as np
import psutil
import pytest

from duecall.core.recognition import RecogniserChoice
from duecall.speech.audio import RATE_HZ
from duecall.speech.recognition.catalogue import recogniser_of
from duecall.speech.recognition.recogniser import (
    Answer,
    Grammar,
    RecogniserError,
    RecogniserMissing,
)
from duecall.speech.recognition.worker import WorkerRecogniser

# It hears one phrase in all that it is given: how many samples there were.
EAR = """
import os, sys, time
from duecall.speech.recognition.child import Loaded, serve
from duecall.speech.recognition.recogniser import *

def load(settings):
    print("a library greets")          # must not break a frame
    os.write(1, b"and so does C")
    def transcribe(pcm, rate_hz):
        os.write(1, b"loud"); os.write(2, b"not well")
        %(transcribe)s
        return [Phrase(0, 10**9, str(pcm.size), 2.0)]
    def short(pcm, rate_hz, grammar):
        return Answer(%(short)s, 0.5)
    %(load)s
    return Loaded("ear 1 nice %%d" %% os.nice(0), "ab", transcribe, short)

serve(load)
"""
GRAMMAR = Grammar(("yes", "no"))
LOUD = np.tile(np.float32([0.3, -0.3]), RATE_HZ // 2)  # a second
QUIET = np.zeros(RATE_HZ, np.float32)


@pytest.fixture
def ear(tmp_path):
    """Makes recognisers that are closed at the end of the test."""
    made = []

    def make(transcribe="pass", short="grammar.phrases[:1]", load="pass", body="", **options):
        program = tmp_path / f"child{len(made)}.py"
        code = textwrap.dedent(body) or EAR % {
            "transcribe": transcribe, "short": short, "load": load,
        }  # fmt: skip
        program.write_text(code, encoding="utf-8")
        settings = options.pop("settings", {})
        made.append(
            WorkerRecogniser("ear", ("en",), [sys.executable, str(program)], settings, **options)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_phrases_come_with_times_within_the_whole_sound(ear):
    sound = np.concatenate((QUIET, LOUD, QUIET, QUIET, LOUD))
    first, second = ear().transcribe(sound, RATE_HZ, "en")
    assert (first.from_ms, second.from_ms) == (760, 3760)
    assert (first.to_ms, second.to_ms) == (2240, 5000)  # within what it was given
    assert first.text == str(RATE_HZ * 148 // 100) and first.sureness == 1.0


def test_silence_starts_nothing(ear):
    one = ear(load="raise ValueError")
    assert one.transcribe(QUIET, RATE_HZ, "en") == ()
    assert one.recognise_short(QUIET, RATE_HZ, "en", GRAMMAR) == Answer((), 0.0)


def test_a_short_answer_is_of_the_grammar_s_words(ear):
    assert ear().recognise_short(LOUD, RATE_HZ, "en", GRAMMAR) == Answer(("yes",), 0.5)
    with pytest.raises(RecogniserError, match="words of its own"):
        ear(short="('maybe',)").recognise_short(LOUD, RATE_HZ, "en", GRAMMAR)


def test_it_gives_way_to_others_where_so_wanted(ear):
    assert ear().version() == f"ear 1 nice {os.nice(0)}"
    assert (
        ear(settings={"low_priority": True}).version() == f"ear 1 nice {min(19, os.nice(0) + 15)}"
    )


def test_one_that_cannot_load_says_why(ear):
    with pytest.raises(RecogniserMissing, match="ear: no such model"):
        ear(load="raise RecogniserMissing('no such model')").version()
    with pytest.raises(RecogniserMissing, match="ZeroDivisionError"):
        ear(load="1 / 0").model()
    with pytest.raises(RecogniserMissing, match=r"ended with code 7 .*oh dear"):
        ear(body="import sys; sys.stderr.write('oh dear'); sys.exit(7)").version()


def test_a_fault_spoils_one_sound_and_does_not_repeat_it(ear):
    one = ear(transcribe="\n        if pcm.size < 9_000: raise ValueError('what she said')")
    with pytest.raises(RecogniserError, match="ValueError at") as told:
        one.transcribe(LOUD[:RATE_HZ], RATE_HZ, "en")
    assert "she said" not in str(told.value)
    process = one._child._process.pid
    assert one.transcribe(np.concatenate((LOUD, LOUD)), RATE_HZ, "en")
    assert one._child._process.pid == process


@pytest.mark.parametrize(
    ("fault", "said"),
    [("os._exit(5)", "ended with code 5"), ("os.kill(os.getpid(), 9)", "killed by signal 9")],
)
def test_one_that_dies_is_started_anew(ear, tmp_path, fault, said):
    flag = tmp_path / "once"
    flag.touch()
    one = ear(
        transcribe=f"(os.unlink({str(flag)!r}), {fault}) if os.path.exists({str(flag)!r}) else 0"
    )
    with pytest.raises(RecogniserError, match=said):
        one.transcribe(LOUD, RATE_HZ, "en")
    assert len(one.transcribe(LOUD, RATE_HZ, "en")) == 1


def test_one_that_hangs_is_killed(ear):
    one = ear(short="time.sleep(600)", short_timeout_s=1.0)
    one.version()
    process = psutil.Process(one._child._process.pid)
    with pytest.raises(RecogniserError, match="no answer within 1 s"):
        one.recognise_short(LOUD, RATE_HZ, "en", GRAMMAR)
    process.wait(10)


def test_rubbish_is_refused(ear):
    one = ear(body="import os, time; os.write(1, b'hello hello hello'); time.sleep(60)")
    with pytest.raises(RecogniserMissing, match="no answer"):
        one.version()


def test_it_ends_with_whoever_started_it(ear):
    one = ear(transcribe="time.sleep(600)")
    one.version()
    process = psutil.Process(one._child._process.pid)
    told: list[str] = []

    def wait():
        try:
            one.transcribe(LOUD, RATE_HZ, "en")
        except RecogniserError as error:
            told.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.3)
    one.close()
    waiting.join(10)
    assert told and not process.is_running()


def test_what_it_was_not_loaded_for_is_refused(ear):
    with pytest.raises(RecogniserError, match="not loaded for vi"):
        ear().transcribe(LOUD, RATE_HZ, "vi")
    with pytest.raises(RecogniserError, match="4000 Hz"):
        ear().transcribe(LOUD, 4_000, "en")
    with pytest.raises(RecogniserError, match="short answer"):
        ear().recognise_short(np.tile(LOUD, 40), RATE_HZ, "en", GRAMMAR)


@pytest.mark.parametrize("engine", ["vosk", "whisper"])
def test_an_engine_or_model_that_is_not_there_is_named(tmp_path, engine):
    one = recogniser_of(RecogniserChoice(engine=engine, model=str(tmp_path)), "vi")
    with pytest.raises(
        RecogniserMissing, match=r"not installed: pip install|is no folder of a model"
    ):
        one.version()


def test_english_alone_needs_no_model():
    with pytest.raises(RecogniserMissing, match="English alone"):
        recogniser_of(RecogniserChoice(engine="pocketsphinx"), "vi")
    with pytest.raises(ValueError, match="without `model`"):
        RecogniserChoice(engine="vosk")
