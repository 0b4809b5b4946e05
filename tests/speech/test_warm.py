"""Rendering ahead: everything made once, faults by row, nothing lost, and gevent's hub goes on."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from duecall.speech.engines.espeak import EspeakEngine
from duecall.speech.faults import EngineError, EngineMissing, RecordingFault, SoundFault
from duecall.speech.prompts import PromptBook, SoundPart, TextPart
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Count, Name
from duecall.speech.voices_in_turn import VoicesInTurn
from duecall.speech.warm import warm

PARTS = (TextPart(MessageTemplate("Chào {{ name }}, {{ n }}.", "vi")),)


class CountingEngine(EspeakEngine):
    """The real engine, which also remembers what it was asked."""

    def __init__(self, **options):
        super().__init__("vi", **options)
        self.asked = []
        self.lock = threading.Lock()

    def synthesize(self, text):
        with self.lock:
            self.asked.append(text)
        return super().synthesize(text)


def jobs(count):
    names = ("An", "Bình", "Chi", "Dũng")
    return [(PARTS, {"name": Name(names[i % 4]), "n": Count(i)}) for i in range(count)]


def test_each_text_is_rendered_once(tmp_path):
    engine = CountingEngine()
    book = PromptBook(tmp_path / "c", "vi", engine=engine)
    seen = []
    report = warm(book, iter(jobs(12)), workers=4, progress=seen.append)
    assert sorted(engine.asked) == sorted(set(engine.asked))
    assert len(engine.asked) == 1 + 4 + 12  # the words, the names, the numbers
    assert (report.jobs, report.fault_count, report.faults) == (12, 0, ())
    assert report.made == 17 + 2  # and two silences
    assert [progress.jobs for progress in seen] == [*range(1, 13), 12]
    assert seen[-1].made == report.made
    before = list(engine.asked)
    for parts, values in jobs(12):
        book.render(parts, values)
    again = warm(book, jobs(12))
    assert engine.asked == before
    assert again.made == 0


def test_rows_that_cannot_be_spoken_are_named_and_the_others_made(tmp_path):
    rows = jobs(5)
    rows[1] = (PARTS, {"name": Name("🙂"), "n": Count(1)})
    rows[3] = (PARTS, {"name": Name("An")})
    report = warm(PromptBook(tmp_path / "c", "vi"), rows, workers=2)
    assert report.jobs == 5
    assert report.fault_count == 2
    assert [position for position, _ in report.faults] == [1, 3]
    assert "holds no letter" in report.faults[0][1]
    assert "variable n is not defined" in report.faults[1][1]
    assert report.made > 0


def test_one_fault_a_row_when_the_engine_fails_at_a_value(tmp_path):
    class Stumbling(CountingEngine):
        def synthesize(self, text):
            if text in ("ba", "Dũng"):  # both of row 3
                raise EngineError("stumbled")
            return super().synthesize(text)

    report = warm(PromptBook(tmp_path / "c", "vi", engine=Stumbling()), jobs(5), workers=2)
    assert report.faults == ((3, "stumbled"),)
    assert report.fault_count == 1


def test_what_hits_everybody_ends_the_work(tmp_path):
    missing = CountingEngine(program="no-such-program")
    with pytest.raises(EngineMissing):
        warm(PromptBook(tmp_path / "a", "vi", engine=missing), jobs(500))
    assert len(missing.asked) < 100
    with pytest.raises(SoundFault):
        warm(PromptBook(tmp_path / "b", "vi"), [((SoundPart(tmp_path / "no.wav"),), {})])


def test_a_progress_callback_can_stop_it(tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.jobs == 3:
            raise Stop

    engine = CountingEngine()
    with pytest.raises(Stop):
        warm(PromptBook(tmp_path / "c", "vi", engine=engine), jobs(1000), progress=stop)
    assert len(engine.asked) <= 1 + 4 + 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("speech")]


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import sys, gevent
from pathlib import Path
from duecall.speech.prompts import PromptBook, TextPart
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Count
from duecall.speech.warm import warm
turns = 0
def tick():
    global turns
    while True:
        turns += 1
        gevent.sleep(0)
gevent.spawn(tick)
book = PromptBook(Path(sys.argv[1]), "vi")
parts = (TextPart(MessageTemplate("Chào {{ n }}.", "vi")),)
report = warm(book, ((parts, {"n": Count(n)}) for n in range(10)), workers=2)
print(report.made, turns > 20, len(book.render(parts, {"n": Count(3)}).paths))
"""


def test_a_patched_program_may_warm_from_a_greenlet_while_others_run(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT, str(tmp_path / "c")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["12", "True", "3"], done.stderr


def test_names_of_later_jobs_are_left_and_all_else_is_made(tmp_path):
    engine = CountingEngine()
    book = PromptBook(tmp_path / "c", "vi", engine=engine)
    rows = [
        (PARTS, {"name": Name(name), "n": Count(n)})
        for n, name in enumerate(("An", "Bình", "Chi", "Dũng", "Giang"))
    ]
    report = warm(book, rows, personal_jobs=2)
    assert report.later == 3
    assert {"An", "Bình"} <= set(engine.asked)
    assert not {"Chi", "Dũng", "Giang"} & set(engine.asked)
    assert {"không", "một", "hai", "ba", "bốn"} <= set(engine.asked)


class Recorded(CountingEngine):
    """Stands for a voice that has recordings of some texts only."""

    def synthesize(self, text):
        if text in ("Chào", "hai", "Bình"):
            raise RecordingFault(f"no recording of {len(text)} letters")
        return super().synthesize(text)


def test_all_that_is_not_recorded_is_named_but_no_name(tmp_path):
    report = warm(PromptBook(tmp_path / "c", "vi", engine=Recorded()), jobs(4), workers=2)
    assert report.unrecorded == ("Chào", "hai")
    assert report.fault_count >= 1


def test_what_is_not_recorded_does_not_hold_up_where_another_voice_stands_in(tmp_path):
    voices = VoicesInTurn([Recorded(), CountingEngine()])
    report = warm(PromptBook(tmp_path / "c", "vi", voices=voices), jobs(8), workers=2)
    assert report.unrecorded == ("Chào", "hai")
    assert (report.fault_count, report.jobs) == (0, 8)
    first, second = (speaker.engine for speaker in voices.speakers)
    assert "bảy" in first.asked
    assert not second.asked
