"""Which voice speaks when the chosen one cannot: in turn, whole messages, and back again."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from duecall.core.campaign import Say
from duecall.core.voice import Voice
from duecall.speech.engines import catalogue
from duecall.speech.engines.espeak import EspeakEngine
from duecall.speech.faults import EngineError, EngineMissing, RecordingFault, Unspeakable
from duecall.speech.prompts import PromptBook, parts_of
from duecall.speech.values import Count, Name
from duecall.speech.voices_in_turn import AGAIN_S, REFUSALS_MAX, VoiceNews, VoicesInTurn


class Named:
    """An engine of which only the name is asked."""

    def __init__(self, name):
        self.name = name
        self.voice = "v"


class World:
    """Three voices; what each of them does when it is asked, and the clock."""

    def __init__(self, count=3):
        self.now = 0.0
        self.fault = {}
        self.asked = []
        self.news = []
        engines = [Named(name) for name in "abc"[:count]]
        self.voices = VoicesInTurn(engines, self.news.append, clock=lambda: self.now)

    def make(self, speaker):
        name = speaker.engine.name
        self.asked.append(name)
        if name in self.fault:
            raise self.fault[name]
        return speaker.label

    def speak(self):
        return self.voices.speak(self.make)


def test_the_chosen_voice_speaks_as_long_as_it_can():
    world = World()
    assert [world.speak() for _ in range(3)] == ["a:v"] * 3
    assert world.asked == ["a"] * 3
    assert world.news == []


def test_one_that_is_missing_rests_and_comes_back():
    world = World()
    world.fault["a"] = EngineMissing("a has died")
    assert world.speak() == world.speak() == "b:v"
    assert world.asked == ["a", "b", "b"], "it is not asked again at once"
    world.now = AGAIN_S - 1
    assert world.speak() == "b:v"
    world.now = AGAIN_S
    assert world.speak() == "b:v"
    assert world.asked[-2:] == ["a", "b"], "tried again, and still dead"
    del world.fault["a"]
    world.now = 2 * AGAIN_S
    assert world.speak() == world.speak() == "a:v"
    assert world.news == [VoiceNews("b:v", "a:v", "a has died"), VoiceNews("a:v")]


def test_each_voice_that_takes_over_is_told_once():
    world = World()
    world.fault["a"] = EngineMissing("no a")
    world.speak()
    world.fault["b"] = EngineMissing("no b")
    assert world.speak() == world.speak() == "c:v"
    assert [news.voice for news in world.news] == ["b:v", "c:v"]


def test_a_text_that_it_refuses_is_said_by_the_next_and_the_voice_goes_on():
    world = World()
    world.fault["a"] = EngineError("no letter for it")
    assert world.speak() == "b:v"
    del world.fault["a"]
    assert world.speak() == "a:v"
    assert world.news == [VoiceNews("b:v", "a:v", "no letter for it", for_now=True)]
    world.fault["a"] = EngineError("no letter for it")
    world.speak()
    assert len(world.news) == 1, "not an alarm a call"
    world.now = AGAIN_S
    world.speak()
    assert len(world.news) == 2


def test_one_that_refuses_all_rests():
    world = World()
    world.fault["a"] = EngineError("out of memory")
    for _ in range(REFUSALS_MAX + 2):
        assert world.speak() == "b:v"
    assert world.asked.count("a") == REFUSALS_MAX
    assert [news.for_now for news in world.news] == [True, False]


def test_a_recording_that_is_missing_is_no_reason_to_rest():
    world = World()
    world.fault["a"] = RecordingFault("no recording of a text")
    for _ in range(REFUSALS_MAX + 2):
        assert world.speak() == "b:v"
    del world.fault["a"]
    assert world.speak() == "a:v"


def test_the_last_one_never_rests():
    world = World(1)
    world.fault["a"] = EngineMissing("gone")
    for _ in range(2):
        with pytest.raises(EngineMissing, match="gone"):
            world.speak()
    del world.fault["a"]
    assert world.speak() == "a:v"
    assert world.news == []


def test_where_none_can_each_says_why():
    world = World()
    world.fault = {name: EngineMissing(f"no {name}") for name in "abc"}
    with pytest.raises(EngineMissing, match="a:v: no a; b:v: no b; c:v: no c"):
        world.speak()
    world.now = AGAIN_S
    world.fault["c"] = EngineError("not this text")
    with pytest.raises(EngineError) as caught:
        world.speak()
    assert not isinstance(caught.value, EngineMissing), "another text may be said"


def test_a_row_that_cannot_be_said_is_no_fault_of_the_voice():
    world = World()
    world.fault["a"] = Unspeakable("no such thing")
    with pytest.raises(Unspeakable):
        world.speak()
    assert world.asked == ["a"]


def test_only_one_message_waits_for_a_voice_that_is_tried_again():
    world = World()
    world.fault["a"] = EngineMissing("hangs")
    world.speak()
    world.now = AGAIN_S
    asked, go_on = threading.Event(), threading.Event()

    def slow(speaker):
        if speaker.turn == 0:
            asked.set()
            go_on.wait(10)
        return world.make(speaker)

    trying = threading.Thread(target=world.voices.speak, args=(slow,))
    trying.start()
    assert asked.wait(10)
    world.asked.clear()
    assert world.speak() == "b:v"
    assert world.asked == ["b"]
    go_on.set()
    trying.join(10)


# ---- with real sound


class Failing(EspeakEngine):
    """espeak-ng that dies at a text with this word in it."""

    name = "failing"

    def __init__(self, word):
        super().__init__("vi")
        self.word = word

    def synthesize(self, text):
        if self.word in text:
            raise EngineError("it died")
        return super().synthesize(text)


def test_a_message_is_of_one_voice_also_where_that_fails_in_its_middle(tmp_path: Path):
    says = (Say(text="Xin chào {{ name }}. Bạn có {{ n | count }} cuộc gọi."),)
    parts = parts_of(says, Path("/"), "vi")
    voices = VoicesInTurn([Failing("Bình"), EspeakEngine("vi")])
    book = PromptBook(tmp_path / "c", "vi", voices=voices)
    first = book.render(parts, {"name": Name("An"), "n": Count(3)})
    second = book.render(parts, {"name": Name("Bình"), "n": Count(3)})
    third = book.render(parts, {"name": Name("An"), "n": Count(3)})
    assert [one.voice for one in (first, second, third)] == [
        "failing:vi",
        "espeak:vi",
        "failing:vi",
    ]
    assert [one.turn for one in (first, second, third)] == [0, 1, 0]
    for manifest, folder in ((first, "failing-vi"), (second, "espeak-vi"), (third, "failing-vi")):
        spoken = [path for path in manifest.paths if "/silence/" not in path]
        assert spoken
        assert all(f"/{folder}/" in path for path in spoken)
    assert first.paths == third.paths


def test_recordings_alone_need_no_voice(tmp_path: Path):
    made = PromptBook(tmp_path / "c", "vi").get("một")
    says = (Say(sound=made.path),)
    missing = catalogue.engines_of(Voice(engine="command", name="none"), "vi", {})
    book = PromptBook(tmp_path / "c", "vi", voices=VoicesInTurn(missing))
    manifest = book.render(parts_of(says, Path("/"), "vi"), {})
    assert manifest.paths
    assert manifest.voice == ""


def test_the_catalogue_gives_one_engine_a_choice_and_says_what_is_missing():
    voice = Voice(engine="command", name="nowhere", fallback=("espeak",))
    absent, espeak = catalogue.engines_of(voice, "ru", {})
    assert isinstance(espeak, EspeakEngine)
    assert espeak is catalogue.engine_of(Voice(), "ru")
    assert espeak is not catalogue.engine_of(Voice(words_per_minute=100), "ru")
    assert espeak is not catalogue.engine_of(Voice(), "vi")
    with pytest.raises(EngineMissing, match=r"none of `programs` in config\.yaml"):
        absent.version()
    with pytest.raises(EngineMissing, match=r"none of `programs` in config\.yaml"):
        absent.synthesize("a")


def test_an_engine_without_its_file_names_the_package(monkeypatch):
    monkeypatch.setitem(catalogue._FILES, "kokoro", "no_such_file")
    with pytest.raises(EngineMissing, match=r"no_such_file is missing; install it \(.*voice-zh"):
        catalogue.engine_of(Voice(engine="kokoro", name="never-used"), "zh")
