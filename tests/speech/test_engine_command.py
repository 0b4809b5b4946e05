"""Any program as a voice: real scripts that speak, hang, fail and write rubbish."""

from __future__ import annotations

import os
import stat
import sys
import textwrap
import time

import numpy as np
import psutil
import pytest

from duecall.core.voice import VoiceChoice
from duecall.speech.engines import run_once
from duecall.speech.engines.command import CommandEngine
from duecall.speech.faults import EngineError, EngineMissing

ESPEAK = ("espeak-ng", "-v", "{voice}", "-s", "{words_per_minute}", "--stdin", "--stdout")


def command(line, timeout_s=20.0, name="tts", **choice):
    choice = VoiceChoice(engine="command", name=name, **choice)
    return CommandEngine(choice, "ru", {"tts": tuple(line)}, timeout_s)


def python(body):
    """Standard output is `out`, the text's bytes are `text`."""
    head = "import sys, os, time; out = sys.stdout.buffer; text = sys.stdin.buffer.read()\n"
    return (sys.executable, "-c", head + textwrap.dedent(body))


def test_a_program_speaks():
    samples, rate_hz = command(ESPEAK, name="tts:ru").synthesize("один миллион рублей")
    assert rate_hz == 22_050
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert samples.size > rate_hz / 2
    assert np.abs(samples).max() > 0.1


def test_speed_goes_by_its_placeholder():
    slow = command(ESPEAK, name="tts:ru", words_per_minute=90).synthesize("один миллион")[0]
    fast = command(ESPEAK, name="tts:ru", words_per_minute=280).synthesize("один миллион")[0]
    assert slow.size > 1.5 * fast.size


def test_the_text_goes_by_stdin_as_one_line_of_utf_8(tmp_path):
    seen = tmp_path / "seen"
    engine = command(python(f"open({str(seen)!r}, 'wb').write(text); sys.exit(7)"))
    with pytest.raises(EngineError, match="ended with code 7"):
        engine.synthesize("-v Иван\nПетров\0\ud800; $(id)")
    assert seen.read_bytes() == "-v Иван Петров ; $(id)\n".encode()


def test_arguments_hold_the_checked_values_and_nothing_else(tmp_path):
    seen = tmp_path / "seen"
    body = f"open({str(seen)!r}, 'w').write('|'.join(sys.argv[1:])); sys.exit(1)"
    told = ("{language}", "--v={voice}", "{words_per_minute}-{pitch}", "$HOME")
    engine = command((*python(body), *told), name="tts:anna 2", words_per_minute=90, pitch=60)
    with pytest.raises(EngineError):
        engine.synthesize("a")
    assert seen.read_text() == "ru|--v=anna 2|90-60|$HOME"


def test_our_secrets_are_not_in_its_environment(tmp_path, monkeypatch):
    seen = tmp_path / "seen"
    monkeypatch.setenv("DUECALL_KEY", "secret")
    monkeypatch.setenv("OTHER", "seen")
    engine = command(python(f"open({str(seen)!r}, 'w').write(str(dict(os.environ)))"))
    with pytest.raises(EngineError):
        engine.synthesize("a")
    assert "OTHER" in seen.read_text()
    assert "DUECALL_KEY" not in seen.read_text()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "made no sound"),
        ("out.write(b'RIFF is what I write' * 99)", "1980 bytes that are no sound file"),
        ("out.write(b'\\0' * 5000)", "no sound file"),
        ("sys.exit(3)", "ended with code 3"),
        ("os.kill(os.getpid(), 11)", "killed by signal 11"),
        ("time.sleep(60)", r"more than 1 s for one text"),
        ("out.close(); os.close(1); time.sleep(60)", r"more than 1 s for one text"),
        (
            "import wave; w = wave.open(out, 'wb'); w.setparams((1, 2, 8000, 0, 'NONE', ''));"
            "w.writeframes(b'\\0\\0' * 8000)",
            "made silence",
        ),
        (
            "import wave; w = wave.open(out, 'wb'); w.setparams((1, 2, 8000, 0, 'NONE', ''));"
            "w.writeframes(b'\\0\\x40' * 80)",
            "made 10 ms of sound",
        ),
    ],
)
def test_what_is_no_speech_is_named(body, said):
    begin = time.monotonic()
    with pytest.raises(EngineError, match=f"program tts .*{said}"):
        command(python(body), timeout_s=1).synthesize("a")
    assert time.monotonic() - begin < 5


def test_what_hangs_is_ended_with_all_that_it_has_started(tmp_path):
    pids = tmp_path / "pids"
    script = tmp_path / "hang"
    script.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {pids}\nwait\n", encoding="ascii")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(EngineError, match=r"more than 0\.5 s"):
        command((str(script),), timeout_s=0.5).synthesize("a")
    left = [pid for pid in map(int, pids.read_text().split()) if psutil.pid_exists(pid)]
    running = [pid for pid in left if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert not running


def test_one_that_writes_without_end_is_ended(monkeypatch):
    monkeypatch.setattr(run_once, "STDOUT_MAX", 1_000_000)
    with pytest.raises(EngineError, match="more than 1000000 bytes"):
        command(("yes",)).synthesize("a")


def test_one_that_never_reads_a_long_text_does_not_block():
    line = (sys.executable, "-c", "print('x' * 300000); import sys; sys.exit(4)")
    with pytest.raises(EngineError, match="code 4"):
        command(line).synthesize("а" * 500_000)


def test_no_descriptor_is_left_open():
    engine = command(python("sys.exit(3)"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(EngineError):
            engine.synthesize("a")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_that_is_not_there_or_not_named(tmp_path):
    (tmp_path / "plain").write_text("no program", encoding="ascii")
    (tmp_path / "plain").chmod(0o644)
    for line in ("no-such-program-here", str(tmp_path / "plain"), str(tmp_path)):
        engine = command((line,))
        with pytest.raises(EngineMissing, match="install it or correct"):
            engine.version()
        with pytest.raises(EngineMissing, match=r"is not there|cannot be started"):
            engine.synthesize("a")
    with pytest.raises(EngineMissing, match=r"none of `programs`.*did you mean tts\?.*there: tts"):
        command(("true",), name="tss")


@pytest.mark.parametrize(
    ("line", "choice", "said"),
    [
        (("true",), {"name": "tts:anna"}, "cannot be told its voice"),
        (("true",), {"pitch": 70}, "cannot be told its pitch"),
        (("true",), {"words_per_minute": 90}, "cannot be told its words_per_minute"),
        (("true", "{voice}"), {}, "needs a voice"),
        (("true", "{voice}"), {"name": "tts:--output"}, "characters that are not allowed"),
    ],
)
def test_what_it_cannot_be_told_is_refused(line, choice, said):
    with pytest.raises(EngineMissing, match=said):
        command(line, **choice)


def test_another_file_or_argument_is_another_version(tmp_path):
    script = tmp_path / "voice"
    script.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    script.chmod(0o755)
    model = tmp_path / "model"
    model.write_bytes(b"one")
    versions = [command((str(script), str(model))).version() for _ in range(2)]
    versions.append(command((str(script), str(model), "-x")).version())
    model.write_bytes(b"two")
    versions.append(command((str(script), str(model))).version())
    script.write_text("#!/bin/sh\nexit 2\n", encoding="ascii")
    versions.append(command((str(script), str(model))).version())
    assert versions[0] == versions[1]
    assert len(set(versions)) == 4
