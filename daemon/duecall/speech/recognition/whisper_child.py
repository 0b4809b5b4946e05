"""The process in which a Whisper model listens, by faster-whisper. model: a CTranslate2 folder."""

from __future__ import annotations

import math
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from duecall.speech.audio import Pcm, Samples
from duecall.speech.recognition.agreement import split_into
from duecall.speech.recognition.child import Loaded, folder_digest, serve
from duecall.speech.recognition.recogniser import Answer, Grammar, Phrase, RecogniserMissing

MODEL_RATE_HZ = 16_000
WORDS_PER_S = 8  # nobody says more; a model that goes in circles does


class Whisper:
    def __init__(self, model: Path, language: str, threads: int) -> None:
        from faster_whisper import WhisperModel

        self._model = WhisperModel(
            str(model), device="cpu", compute_type="int8", cpu_threads=threads,
            local_files_only=True,
        )  # fmt: skip
        self._language = language if self._model.model.is_multilingual else "en"
        vocabulary = self._model.hf_tokenizer.get_vocab()
        self._signs = [n for word, n in vocabulary.items() if any(c.isdigit() for c in word)
                       and not word.startswith("<|")]  # fmt: skip

    def transcribe(self, pcm: Pcm, rate_hz: int) -> Iterable[Phrase]:
        for one in self._segments(pcm, rate_hz):
            yield Phrase(
                round(one.start * 1000), round(one.end * 1000), one.text.strip(), _sureness(one)
            )

    def short(self, pcm: Pcm, rate_hz: int, grammar: Grammar) -> Answer:
        """Numbers in words: digits are kept from being written as signs."""
        prompt = ", ".join(grammar.phrases)
        found = list(self._segments(pcm, rate_hz, prompt, [-1, *self._signs]))
        words = "".join(c if c.isalnum() or c in "' " else " " for one in found for c in one.text)
        phrases = split_into(grammar.phrases, words.lower())
        if not phrases or len(phrases) > grammar.longest:
            return Answer((), 0.0)
        return Answer(phrases, min(map(_sureness, found)))

    def _segments(
        self, pcm: Pcm, rate_hz: int, prompt: str = "", suppressed: list[int] | None = None
    ) -> Iterable[Any]:
        seconds = pcm.size / rate_hz
        segments, _ = self._model.transcribe(
            _at_model_rate(pcm, rate_hz),
            language=self._language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            max_new_tokens=int(20 + 3 * WORDS_PER_S * seconds),
            initial_prompt=prompt or None,
            suppress_tokens=suppressed or [-1],
        )
        return cast(Iterable[Any], segments)


def _sureness(segment: Any) -> float:
    return float(math.exp(min(0.0, segment.avg_logprob)) * (1 - segment.no_speech_prob))


def load(settings: dict[str, Any]) -> Loaded:
    try:
        import faster_whisper  # noqa: F401 - whether it is there
    except ImportError:
        raise RecogniserMissing(
            "faster-whisper is not installed: pip install 'duecall[recognition-whisper]'"
        ) from None
    model = Path(settings["model"])
    if not (model / "model.bin").is_file():
        raise RecogniserMissing(f"{model} is no folder of a model for faster-whisper (model.bin)")
    whisper = Whisper(model, settings["language"], int(settings["threads"]))
    told = f"faster-whisper {version('faster-whisper')}"
    return Loaded(told, folder_digest(model), whisper.transcribe, whisper.short)


def _at_model_rate(pcm: Pcm, rate_hz: int) -> Samples:
    import numpy as np
    import soxr

    sound: Samples = pcm.astype(np.float32) / np.float32(32768)
    if rate_hz != MODEL_RATE_HZ:
        sound = np.asarray(soxr.resample(sound, rate_hz, MODEL_RATE_HZ), np.float32)
    return sound


if __name__ == "__main__":
    serve(load)
