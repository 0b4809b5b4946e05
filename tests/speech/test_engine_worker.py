"""Engines in processes of their own: real child programs that work, hang, die and send rubbish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import psutil
import pytest
import soundfile

from duecall.speech.engines import worker
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineError, EngineMissing
from duecall.speech.prompts import PromptBook, TextPart
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Name

# A voice of its own: as many samples as the text has characters, each of them 0.25.
VOICE = """
import os, sys, time
from duecall.speech.engines.child import Loaded, serve
from duecall.speech.faults import EngineError, EngineMissing

def load(settings):
    import numpy
    print("a library greets")          # must not break a frame
    os.write(1, b"and so does C")
    def speak(text):
        print("[loud]", text, flush=True)
        os.write(2, b"not well")
        %(speak)s
        return numpy.full(len(text), 0.25)
    %(load)s
    return Loaded("7.%%s" %% settings.get("pace", 0), 16_000, speak)

serve(load)
"""


def child(tmp_path, speak="pass", load="pass"):
    program = tmp_path / "child.py"
    program.write_text(VOICE % {"speak": speak, "load": load}, encoding="utf-8")
    return [sys.executable, str(program)]


def raw_child(tmp_path, body):
    program = tmp_path / "raw.py"
    program.write_text(textwrap.dedent(body), encoding="utf-8")
    return [sys.executable, str(program)]


@pytest.fixture
def made():
    """Engines that are closed at the end of the test."""
    engines = []

    def make(line, **settings):
        engines.append(WorkerEngine("xyz", "anna", line, {"pace": 3}, **settings))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def process_of(engine):
    return engine._places[0].child._process


def test_it_speaks_with_one_process_for_many_texts(made, tmp_path):
    engine = made(child(tmp_path))
    assert engine.version() == "7.3"
    first = process_of(engine).pid
    for text in ("một", "王先生", "x" * 20_000):
        samples, rate_hz = engine.synthesize(text)
        assert rate_hz == 16_000
        assert samples.dtype == np.float32
        assert samples.tolist() == [0.25] * len(text)
    assert process_of(engine).pid == first


def test_a_version_that_is_known_starts_nothing(made, tmp_path):
    engine = made(child(tmp_path), version=lambda: "model-9")
    assert engine.version() == "model-9"
    assert not engine._places


def test_what_it_cannot_say_is_an_error_of_this_text_alone(made, tmp_path):
    engine = made(child(tmp_path, speak="if 'Ы' in text: raise EngineError('no letter for it')"))
    with pytest.raises(EngineError, match="engine xyz: no letter for it"):
        engine.synthesize("Ы")
    before = process_of(engine).pid
    assert engine.synthesize("a")[0].size == 1
    assert process_of(engine).pid == before


def test_the_message_of_a_strange_error_is_not_passed_on(made, tmp_path):
    engine = made(child(tmp_path, speak="raise ValueError(text)"))
    with pytest.raises(EngineError, match=r"ValueError at child\.py:\d+") as caught:
        engine.synthesize("Nguyễn Văn An owes")
    assert "Nguy" not in str(caught.value)


def test_no_sound_and_no_numbers_are_errors(made, tmp_path):
    engine = made(child(tmp_path, speak="return numpy.zeros(0) if text == 'a' else [float('nan')]"))
    with pytest.raises(EngineError, match="made no sound"):
        engine.synthesize("a")
    with pytest.raises(EngineError, match="no numbers"):
        engine.synthesize("b")


def test_missing_is_told_with_its_remedy(made, tmp_path):
    engine = made(child(tmp_path, load="raise EngineMissing('no model; put one there')"))
    with pytest.raises(EngineMissing, match="engine xyz: no model; put one there"):
        engine.version()
    engine = made(child(tmp_path, load="import a_library_that_is_not_there"))
    with pytest.raises(EngineMissing, match="a_library_that_is_not_there"):
        engine.synthesize("a")


def test_an_engine_that_hangs_is_killed_and_started_anew(made, tmp_path):
    engine = made(child(tmp_path, speak="time.sleep(60 * ('h' in text))"), text_timeout_s=0.5)
    engine.synthesize("a")
    hanging = process_of(engine)
    begin = time.monotonic()
    with pytest.raises(EngineError, match=r"gave no sound for a text within 0\.5 s.*voice try"):
        engine.synthesize("h")
    assert time.monotonic() - begin < 5
    assert hanging.poll() is not None, "it still runs"
    assert engine.synthesize("abc")[0].size == 3


def test_one_that_does_not_load_in_time_is_killed(made, tmp_path):
    engine = made(child(tmp_path, load="time.sleep(60)"), start_timeout_s=0.5)
    with pytest.raises(EngineError, match=r"did not start within 0\.5 s"):
        engine.version()
    assert engine._places[0].child is None


def test_killed_from_outside_it_starts_anew_and_says_the_text(made, tmp_path):
    engine = made(child(tmp_path))
    engine.synthesize("a")
    first = process_of(engine)
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    assert engine.synthesize("abc")[0].size == 3
    assert process_of(engine).pid != first.pid


def test_killed_in_the_middle_of_a_text_it_says_it_again(made, tmp_path):
    once = tmp_path / "once"
    speak = (
        f"if not os.path.exists({str(once)!r}): "
        f"open({str(once)!r}, 'x').close(); os.kill(os.getpid(), 9)"
    )
    engine = made(child(tmp_path, speak=speak))
    assert engine.synthesize("abc")[0].size == 3
    assert once.exists()


def test_after_three_deaths_in_a_row_it_is_given_up_for_a_while(made, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "REST_S", 0.7)
    count = tmp_path / "count"
    speak = f"open({str(count)!r}, 'a').write('x'); os._exit(9)"
    engine = made(child(tmp_path, speak=f"if 'd' in text: {speak}"))
    with pytest.raises(EngineError, match="ended with code 9") as caught:
        engine.synthesize("d")
    assert not isinstance(caught.value, EngineMissing), "one text is not the whole engine"
    with pytest.raises(EngineMissing, match=r"ended with code 9.*3 times in a row"):
        engine.synthesize("d")
    assert len(count.read_text()) == 3
    with pytest.raises(EngineMissing):
        engine.synthesize("a")  # at rest: nothing is started
    time.sleep(0.8)
    assert engine.synthesize("abc")[0].size == 3, "it is tried again"
    with pytest.raises(EngineError) as caught:
        engine.synthesize("d")
    assert not isinstance(caught.value, EngineMissing), "a success wipes the deaths out"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; print('Loading the model...' * 99, flush=True); sys.stdin.read()", "header"),
        ("import os; os.write(1, b'\\0\\0\\0\\5hello'); os.read(0, 1)", "no JSON"),
        ("import os; os.write(1, b'\\0\\0\\0\\2[]'); os.read(0, 1)", "no object"),
        ("import os; os.write(1, b'\\0\\0\\0\\2{}'); os.read(0, 1)", "says nothing of its version"),
        ("import os; os.write(1, b'\\0\\0\\0\\x0e{\"bytes\":9999999999}'); os.read(0, 1)", "JSON"),
        ("import os; os.write(1, b'\\0\\0')", "ended with code 0"),
        ("raise SystemExit('out of tune')", r"ended with code 1 \(out of tune\)"),
    ],
)
def test_rubbish_instead_of_frames_is_named(made, tmp_path, body, said):
    engine = made(raw_child(tmp_path, body), start_timeout_s=10)
    with pytest.raises(EngineError, match=said):
        engine.synthesize("a")
    assert engine._places[0].child is None


def test_a_sound_with_a_wrong_rate_or_length_is_rubbish(made, tmp_path):
    body = """
        import os
        from duecall.speech.engines import frames
        def read(size):
            return frames.exactly(lambda some: os.read(0, some), size)
        os.write(1, frames.packed({"ready": True, "version": "1", "rate_hz": 8000}))
        while True:
            text = frames.read_frame(read)[0]["text"]
            rate = 8000 if text == "length" else "fast"
            os.write(1, frames.packed({"rate_hz": rate}, b"12345"))
    """
    engine = made(raw_child(tmp_path, body))
    for text in ("length", "rate"):
        with pytest.raises(EngineError, match="wrong rate or length"):
            engine.synthesize(text)
        engine._deaths = 0


def test_a_program_that_is_not_there_is_named(made):
    with pytest.raises(EngineMissing, match="cannot be started: No such file"):
        made(["/nowhere/engine"]).synthesize("a")


def versioned(tmp_path):
    """A child of the version that a file says when it loads; it makes longer sounds by it."""
    model = tmp_path / "model"
    model.write_text("1")
    program = tmp_path / "versioned.py"
    program.write_text(VERSIONED % str(model), encoding="utf-8")
    return [sys.executable, str(program)], model


VERSIONED = """
from duecall.speech.engines.child import Loaded, serve

def load(settings):
    import numpy
    version = open(%r).read()
    sound = numpy.tile([0.25, -0.25], 1000 * int(version))
    return Loaded(version, 8_000, lambda text: sound)

serve(load)
"""


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait(10)


def test_one_that_is_started_anew_with_another_model_says_another_version(made, tmp_path):
    line, model = versioned(tmp_path)
    engine = made(line)
    assert engine.synthesize("a")[0].size == 2000
    assert engine.version() == "1"
    model.write_text("2")
    assert engine.version() == "1", "the one that runs still speaks as before"
    kill(process_of(engine))
    assert engine.synthesize("a")[0].size == 4000
    assert engine.version() == "2"


def test_a_version_that_is_told_without_a_process_is_told_anew_with_each_one(made, tmp_path):
    line, model = versioned(tmp_path)
    engine = made(line, version=lambda: f"file-{model.read_text()}")
    assert engine.version() == "file-1"
    model.write_text("2")
    engine.synthesize("a")
    assert engine.version() == "file-2"
    model.write_text("3")
    engine.synthesize("a")
    assert engine.version() == "file-2", "the one that runs still speaks as before"
    kill(process_of(engine))
    engine.synthesize("a")
    assert engine.version() == "file-3"


def test_of_several_processes_none_goes_on_with_the_version_of_before(made, tmp_path):
    line, model = versioned(tmp_path)
    engine = made(line, processes=2)
    engine._open_places()
    first, second = engine._places
    for place in engine._places:
        engine._asked(place, lambda child: None)
    old = second.child._process
    model.write_text("2")
    kill(first.child._process)
    engine._asked(first, lambda child: None)
    assert engine.version() == "2" and old.poll() is None
    for _ in engine._places:
        assert engine.synthesize("a")[0].size == 4000
    assert engine._asked(second, lambda child: child._process.pid) != old.pid
    assert old.poll() is not None


def test_the_sounds_of_two_versions_are_never_taken_for_each_other(made, tmp_path):
    line, model = versioned(tmp_path)
    engine = made(line)
    book = PromptBook(tmp_path / "cache", "en", engine=engine)
    old = book.get("long ago")
    assert 200 <= old.ms < 300
    model.write_text("2")
    kill(process_of(engine))
    # It is started anew in the middle: asked by the key of the old one, it speaks as the new one.
    new = book.get("just now")
    assert 450 <= new.ms < 550
    assert book.get("long ago").ms == new.ms, "also what was spoken before"
    # And each is found by its own version alone.
    model.write_text("1")
    before = PromptBook(tmp_path / "cache", "en", engine=made(line))
    assert before.get("long ago") == old
    assert before.get("just now").ms == old.ms
    model.write_text("2")
    now = PromptBook(tmp_path / "cache", "en", engine=made(line))
    assert (now.get("just now"), now.get("long ago").ms) == (new, new.ms)


def test_a_message_is_of_one_version_from_its_first_sound_to_its_last(made, tmp_path):
    line, model = versioned(tmp_path)
    engine = made(line)
    book = PromptBook(tmp_path / "cache", "en", engine=engine)
    parts = (TextPart(MessageTemplate("Good morning {{ name }}.", "en")),)

    def lengths(name):
        paths = book.render(parts, {"name": Name(name)}).paths
        sizes = [soundfile.info(path).frames for path in paths if "/silence/" not in path]
        assert len(sizes) == 2
        return sizes

    first = lengths("Ann")
    model.write_text("2")
    kill(process_of(engine))
    second = lengths("Bea")  # the words before the name were spoken by the old one
    assert all(later > 1.4 * earlier for earlier, later in zip(first, second, strict=True))


def test_no_library_of_a_child_may_use_the_network(made, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("DUECALL_KEY", "secret")
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "ORT_DISABLE_TELEMETRY", "DUECALL_KEY")
    body = f"""
        import os
        from duecall.speech.engines import frames
        told = ",".join(os.environ.get(name, "-") for name in {names})
        os.write(1, frames.packed({{"ready": True, "version": told, "rate_hz": 8000}}))
        os.read(0, 1)
    """
    assert made(raw_child(tmp_path, body)).version() == "1,1,1,-"


def test_several_threads_get_each_their_own_sound(made, tmp_path):
    engine = made(child(tmp_path), processes=2)
    wrong = []

    def speak(seed):
        for n in range(30):
            length = 1 + (seed * 37 + n * 101) % 3000
            if engine.synthesize("x" * length)[0].size != length:
                wrong.append(length)

    threads = [threading.Thread(target=speak, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    running = [place.child._process.pid for place in engine._places if place.child]
    assert len(running) == len(set(running)) == 2


def test_several_processes_speak_at_the_same_time(made, tmp_path):
    engine = made(child(tmp_path, speak="time.sleep(1)"), processes=3)
    threads = [threading.Thread(target=engine.synthesize, args=("warm",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    begin = time.monotonic()
    threads = [threading.Thread(target=engine.synthesize, args=("a",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begin < 2, "one after the other would take 3 s"


def test_closing_ends_the_process_and_the_next_text_starts_one(made, tmp_path):
    engine = made(child(tmp_path))
    engine.synthesize("a")
    process = process_of(engine)
    engine.close()
    assert process.poll() is not None
    assert engine.synthesize("abc")[0].size == 3


PARENT = """
import sys, threading
from duecall.speech.engines.worker import WorkerEngine
engine = WorkerEngine("xyz", "anna", {line!r}, {{}})
engine.synthesize("a")
print(engine._places[0].child._process.pid, flush=True)
threading.Thread(target=engine.synthesize, args=("h",), daemon=True).start()
sys.stdin.read()
"""


@pytest.mark.parametrize("speak", ["pass", "time.sleep(600 * ('h' in text))"])
def test_when_the_parent_is_killed_the_child_ends(tmp_path, speak):
    """Also while it is busy with a text that takes for ever."""
    source = PARENT.format(line=child(tmp_path, speak=speak))
    parent = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.3)
    assert process.is_running()
    parent.kill()
    parent.communicate()
    gone, _ = psutil.wait_procs([process], timeout=10)
    assert gone


UNDER_GEVENT = """
from gevent import monkey; monkey.patch_all()
import time, gevent
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineError
engine = WorkerEngine("xyz", "anna", {line!r}, {{}}, processes=2, text_timeout_s=3)
engine.synthesize("a")
ticks, longest = 0, 0.0

def tick():
    global ticks, longest
    while True:
        begin = time.monotonic()
        gevent.sleep(0.01)
        longest = max(longest, time.monotonic() - begin)
        ticks += 1

ticking = gevent.spawn(tick)
begin = time.monotonic()
speaking = [gevent.spawn(engine.synthesize, "slow" * n) for n in (1, 2, 3, 4)]
gevent.joinall(speaking, raise_error=True)
took = time.monotonic() - begin
assert [one.value[0].size for one in speaking] == [4, 8, 12, 16]
assert 1.8 < took < 4, took                 # two processes, four texts of a second
assert ticks > 100, ticks
cut = gevent.spawn(engine.synthesize, "slow")
gevent.sleep(0.2)
cut.kill()                                  # its answer must not be that of the next text
assert engine.synthesize("xy")[0].size == 2
assert engine.synthesize("xyz")[0].size == 3
try:
    engine.synthesize("hang")
    raise SystemExit("it did not hang")
except EngineError as error:
    assert "within 3 s" in str(error)
engine.close()
print("longest", round(longest, 3))
assert longest < 0.5, longest
"""


def test_under_gevent_the_hub_goes_on_while_a_text_is_spoken(tmp_path):
    speak = "time.sleep(1 if 'slow' in text else 60 if 'hang' in text else 0)"
    source = UNDER_GEVENT.format(line=child(tmp_path, speak=speak))
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("longest")


def test_nothing_of_a_text_is_left_where_libraries_print(made, tmp_path):
    """After loading, what is printed goes nowhere: neither a file nor the daemon's own output."""
    engine = made(child(tmp_path))
    engine.synthesize("a")
    pid = process_of(engine).pid
    assert os.readlink(f"/proc/{pid}/fd/1") == os.devnull
    assert os.readlink(f"/proc/{pid}/fd/2") == os.devnull
    assert engine._places[0].child._errors.closed
