"""The process in which vosk listens. model: an unpacked folder of a model for vosk."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from duecall.speech.audio import Pcm
from duecall.speech.recognition.agreement import split_into
from duecall.speech.recognition.child import Loaded, folder_digest, serve
from duecall.speech.recognition.recogniser import Answer, Grammar, Phrase, RecogniserMissing

UNKNOWN = "[unk]"  # vosk's word for all that is not of the grammar


class Vosk:
    def __init__(self, model: Path) -> None:
        from vosk import KaldiRecognizer, Model, SetLogLevel

        SetLogLevel(-1)
        self._recogniser = KaldiRecognizer
        self._model = Model(str(model))

    def transcribe(self, pcm: Pcm, rate_hz: int) -> Iterable[Phrase]:
        words = self._words(self._recogniser(self._model, rate_hz), pcm)
        if not words:
            return []
        text = " ".join(one["word"] for one in words)
        sureness = sum(one["conf"] for one in words) / len(words)
        first, last = words[0]["start"], words[-1]["end"]
        return [Phrase(round(first * 1000), round(last * 1000), text, sureness)]

    def short(self, pcm: Pcm, rate_hz: int, grammar: Grammar) -> Answer:
        allowed = json.dumps([*grammar.phrases, UNKNOWN], ensure_ascii=False)
        words = self._words(self._recogniser(self._model, rate_hz, allowed), pcm)
        found = split_into(grammar.phrases, " ".join(one["word"] for one in words))
        if not found or len(found) > grammar.longest:
            return Answer((), 0.0)
        return Answer(found, min(one["conf"] for one in words))

    def _words(self, recogniser: Any, pcm: Pcm) -> list[dict[str, Any]]:
        recogniser.SetWords(True)
        words: list[dict[str, Any]] = []
        if recogniser.AcceptWaveform(pcm.tobytes()):
            words += json.loads(recogniser.Result()).get("result", [])
        words += json.loads(recogniser.FinalResult()).get("result", [])
        return words


def load(settings: dict[str, Any]) -> Loaded:
    try:
        import vosk  # noqa: F401 - whether it is there
    except ImportError:
        raise RecogniserMissing(
            "vosk is not installed: pip install 'duecall[recognition-vosk]'"
        ) from None
    model = Path(settings["model"])
    if not (model / "am").is_dir() and not (model / "final.mdl").is_file():
        raise RecogniserMissing(f"{model} is no folder of a model for vosk (it has no am/)")
    vosk_model = Vosk(model)
    return Loaded(
        f"vosk {version('vosk')}", folder_digest(model), vosk_model.transcribe, vosk_model.short
    )


if __name__ == "__main__":
    serve(load)
