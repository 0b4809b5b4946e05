"""Whole messages of a campaign, through the book of prompts into the cache; and who stands in."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import psutil
import pytest

from duecall.core.campaign import Say
from duecall.core.voice import VoiceChoice
from duecall.speech import audio
from duecall.speech.cache import read_pcm
from duecall.speech.engines import coqui
from duecall.speech.engines.catalogue import engine_of
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.prompts import Manifest, Part, PromptBook, parts_of
from duecall.speech.values import Day, Money, Name, Values
from duecall.speech.voices_in_turn import VoiceNews, VoicesInTurn
from duecall.speech.warm import warm
from tests.coqui.conftest import NewEngine
from tests.coqui.needs import skip_without_coqui
from tests.e2e.world import campaign

skip_without_coqui()


def values_of(name: str, balance: int) -> Values:
    return {
        "name": Name(name),
        "balance": Money(balance, "VND"),
        "due_date": Day(date(2026, 11, 1)),
    }


MESSAGE = (
    "Kính chào {{ name }}. Quý khách còn nợ {{ balance }}, đến hạn {{ due_date }}. Bấm phím một."
)
PEOPLE = [
    values_of("Nguyễn Văn An", 1_250_000),
    values_of("Trần Thị Bình", 123_456_789),
    values_of("Phạm Đức Cường", 105),
]


def message(text: str = MESSAGE) -> tuple[Part, ...]:
    return parts_of((Say(text=text),), Path("/"), "vi")


def sound_of(manifest: Manifest) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return np.frombuffer(b"".join(read_pcm(path) for path in manifest.paths), "<i2")


class Killer:
    """Kills the processes of the coqui engine among our children, as soon as they are there."""

    def __init__(self, kills: int) -> None:
        self.killed: set[int] = set()
        self._kills = kills
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._stop.wait(0.02) and len(self.killed) < self._kills:
            for child in psutil.Process(os.getpid()).children():
                try:
                    if coqui.CHILD in child.cmdline() and child.pid not in self.killed:
                        child.send_signal(signal.SIGKILL)
                        self.killed.add(child.pid)
                except psutil.Error:
                    continue

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def engine(new_engine: NewEngine) -> Iterator[WorkerEngine]:
    yield new_engine("vits")


def test_messages_are_made_of_sounds_for_the_telephone(
    engine: WorkerEngine, tmp_path: Path
) -> None:
    book = PromptBook(tmp_path, "vi", engine=engine)
    for person in PEOPLE:
        made = book.render(message(), person)
        assert made.voice == "coqui:vits"
        sound = sound_of(made)
        assert sound.size == made.ms * audio.RATE_HZ // 1000
        letters = len(made.text)
        assert 40 * letters < made.ms < 200 * letters
        level = audio.active_level_dbov(sound.astype(np.float32) / 32768)
        assert level == pytest.approx(audio.LEVEL_DBOV, abs=3)


def test_what_is_in_the_cache_is_not_made_again(
    engine: WorkerEngine, new_engine: NewEngine, tmp_path: Path
) -> None:
    book = PromptBook(tmp_path, "vi", engine=engine)
    report = warm(book, [(message(), person) for person in PEOPLE], workers=2)
    assert report.fault_count == 0 and report.made > 10
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}
    engine.close()
    again = PromptBook(tmp_path, "vi", engine=new_engine("vits"))
    assert [again.render(message(), one).ms for one in PEOPLE] == [
        book.render(message(), one).ms for one in PEOPLE
    ]
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.wav")}


def test_a_whole_campaign_is_spoken(engine: WorkerEngine, tmp_path: Path) -> None:
    """Every saying of it, as the calls of tests/e2e hear them."""
    raw = campaign()
    texts = [*raw["message"], raw["no_agent"], *(key["say"] for key in raw["keys"].values())]
    texts = [re.sub(r"\b1\b", "một", text) for text in texts if text]
    book = PromptBook(tmp_path, "vi", engine=engine)
    for text in texts:
        made = book.render(message(text), PEOPLE[0])
        assert made.ms > 300 and np.abs(sound_of(made)).max() > 1_000


def test_a_letter_that_the_model_lacks_spoils_the_message_and_not_a_syllable(
    engine: WorkerEngine, tmp_path: Path
) -> None:
    """Another voice takes the whole of it; the next one is coqui's again."""
    told: list[VoiceNews] = []
    voices = VoicesInTurn([engine, engine_of(VoiceChoice(engine="espeak"), "vi")], told.append)
    book = PromptBook(tmp_path, "vi", voices=voices)
    foreign = book.render(message(), values_of("Kowalski", 5_000))
    assert (foreign.voice, foreign.turn) == ("espeak:vi", 1)
    assert all("/espeak-vi/" in path or "/silence/" in path for path in foreign.paths)
    assert "'w' (U+0077)" in told[0].why and "Kowalski" not in told[0].why
    assert book.render(message(), PEOPLE[0]).voice == "coqui:vits"


def test_a_process_that_is_killed_once_is_started_again(
    engine: WorkerEngine, tmp_path: Path
) -> None:
    book = PromptBook(tmp_path, "vi", engine=engine)
    book.render(message("Kính chào {{ name }}."), PEOPLE[0])
    with Killer(kills=1) as killer:
        while not killer.killed:
            time.sleep(0.02)
    assert book.render(message(), PEOPLE[1]).voice == "coqui:vits"


def test_a_process_that_is_always_killed_is_stood_in_for(
    engine: WorkerEngine, tmp_path: Path
) -> None:
    """In the middle of a campaign: what was said before stays, what follows is espeak's whole."""
    told: list[VoiceNews] = []
    voices = VoicesInTurn([engine, engine_of(VoiceChoice(engine="espeak"), "vi")], told.append)
    book = PromptBook(tmp_path, "vi", voices=voices)
    assert book.render(message(), PEOPLE[0]).voice == "coqui:vits"
    with Killer(kills=1_000) as killer:
        made = [book.render(message(), person) for person in PEOPLE[1:]]
    assert killer.killed
    for one in made:
        assert (one.voice, one.turn) == ("espeak:vi", 1)
        assert not any("/coqui-vits/" in path for path in one.paths)
    assert told and told[0].instead_of == "coqui:vits"
    assert "killed by signal 9" in told[0].why
