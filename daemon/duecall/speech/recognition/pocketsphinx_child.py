"""The process in which pocketsphinx listens; its wheel brings a model of American English.

model: a folder of the same make: `acoustic/`, `words.dict`, `language.lm.bin`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from duecall.speech.audio import Pcm, Samples
from duecall.speech.recognition.agreement import agreement, split_into
from duecall.speech.recognition.child import Loaded, folder_digest, serve
from duecall.speech.recognition.recogniser import Answer, Grammar, Phrase, RecogniserMissing

MODEL_RATE_HZ = 16_000
FRAMES_PER_S = 100
GRAMMARS_MAX = 50
FREE = "free"
PEAK = 0.35
NOISE = 0.0008  # no line is as silent as zeros, in which the model hears words


class Sphinx:
    def __init__(self, model: Path, acoustic: str, dictionary: str, words: str) -> None:
        from pocketsphinx import Decoder

        for part in (acoustic, dictionary, words):
            if not (model / part).exists():
                raise RecogniserMissing(f"no {part} in {model}: it is no model of pocketsphinx")
        self._decoder = Decoder(
            hmm=str(model / acoustic),
            dict=str(model / dictionary),
            lm=None,
            samprate=MODEL_RATE_HZ,
            cmn="batch",  # each sound by itself: a telephone's level changes from call to call
            loglevel="FATAL",
        )
        self._decoder.add_lm_file(FREE, str(model / words))
        self._grammars: dict[Grammar, tuple[str, tuple[str, ...]]] = {}

    def transcribe(self, pcm: Pcm, rate_hz: int) -> Iterable[Phrase]:
        words = self._heard(FREE, _at_model_rate(pcm, rate_hz))
        if not words:
            return []
        spoken = " ".join(_plain(word) for word, *_ in words)
        sureness = math.exp(sum(math.log(max(p, 1e-9)) for *_, p in words) / len(words))
        first, last = words[0][1], words[-1][2] + 1
        return [Phrase(first * 1000 // FRAMES_PER_S, last * 1000 // FRAMES_PER_S, spoken, sureness)]

    def short(self, pcm: Pcm, rate_hz: int, grammar: Grammar) -> Answer:
        search, phrases = self._search(grammar)
        sound = _at_model_rate(pcm, rate_hz)
        text = " ".join(_plain(word) for word, *_ in self._heard(search, sound))
        found = split_into(phrases, text)  # half of a phrase is none
        if not found:
            return Answer((), 0.0)
        freely = [word for word, *_ in self._heard(FREE, sound)]
        return Answer(found, agreement(self._sounds(text.split()), self._sounds(freely)))

    def _search(self, grammar: Grammar) -> tuple[str, tuple[str, ...]]:
        """Its name, and the phrases of it whose words are known."""
        if grammar not in self._grammars:
            if len(self._grammars) >= GRAMMARS_MAX:
                for name, _ in self._grammars.values():
                    self._decoder.remove_search(name)
                self._grammars.clear()
            known = tuple(phrase for phrase in grammar.phrases if self._knows(phrase))
            if not known:
                raise RecogniserMissing("no phrase of the grammar is in the dictionary")
            name = f"g{len(self._grammars)}"
            self._decoder.add_jsgf_string(name, jsgf(known, grammar.longest))
            self._grammars[grammar] = (name, known)
        return self._grammars[grammar]

    def _knows(self, phrase: str) -> bool:
        return all(word.isalpha() and self._decoder.lookup_word(word) for word in phrase.split())

    def _heard(self, search: str, pcm: bytes) -> list[tuple[str, int, int, float]]:
        """(word, first frame, last frame, probability), without silence and noise."""
        self._decoder.activate_search(search)
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return []
        return [
            (one.word, one.start_frame, one.end_frame, one.prob)
            for one in self._decoder.seg()
            if one.word[0] not in "<["
        ]

    def _sounds(self, words: Iterable[str]) -> list[str]:
        return [s for word in words for s in (self._decoder.lookup_word(word) or "").split()]


def jsgf(phrases: Iterable[str], longest: int) -> str:
    """A grammar of one to `longest` of these phrases."""
    row = "<phrase>" + " [<phrase>" * (longest - 1) + "]" * (longest - 1)
    return f"#JSGF V1.0; grammar short; public <answer> = {row}; <phrase> = {' | '.join(phrases)};"


def load(settings: dict[str, Any]) -> Loaded:
    try:
        import pocketsphinx
    except ImportError:
        raise RecogniserMissing(
            "pocketsphinx is not installed: pip install 'duecall[recognition]'"
        ) from None
    if settings["model"]:
        model = Path(settings["model"])
        sphinx = Sphinx(model, "acoustic", "words.dict", "language.lm.bin")
    else:
        model = Path(pocketsphinx.get_model_path()) / "en-us"
        sphinx = Sphinx(model, "en-us", "cmudict-en-us.dict", "en-us.lm.bin")
    told = f"pocketsphinx {version('pocketsphinx')}"
    return Loaded(told, folder_digest(model), sphinx.transcribe, sphinx.short)


def _plain(word: str) -> str:
    """`hello(2)`, its second pronunciation, is `hello`."""
    return word.partition("(")[0]


def _at_model_rate(pcm: Pcm, rate_hz: int) -> bytes:
    import numpy as np
    import soxr

    sound: Samples = pcm.astype(np.float32) / np.float32(32768)
    if rate_hz != MODEL_RATE_HZ:
        sound = np.asarray(soxr.resample(sound, rate_hz, MODEL_RATE_HZ), np.float32)
    peak = float(np.abs(sound).max(initial=0.0))
    if peak > 0:
        sound = sound * np.float32(PEAK / peak)
    noise = np.random.default_rng(0).normal(0, NOISE, sound.size).astype(np.float32)
    sound = sound + noise
    pcm16 = np.clip(np.rint(sound * 32767.0), -32768, 32767).astype("<i2")
    return bytes(pcm16.tobytes())


if __name__ == "__main__":
    serve(load)
