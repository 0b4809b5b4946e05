"""The recogniser of a choice."""

from __future__ import annotations

from duecall.core.campaign import Language
from duecall.core.recognition import RECOGNISER_NAMES, RecogniserChoice, RecogniserName, problem_of
from duecall.speech.recognition.recogniser import Recogniser, RecogniserMissing
from duecall.speech.recognition.worker import WorkerRecogniser

EXTRAS: dict[RecogniserName, str] = {
    "pocketsphinx": "recognition",
    "vosk": "recognition-vosk",
    "whisper": "recognition-whisper",
}
assert set(EXTRAS) == set(RECOGNISER_NAMES)


def recogniser_of(
    choice: RecogniserChoice, language: Language, *, low_priority: bool = False, threads: int = 1
) -> Recogniser:
    """Its process starts with the first question. low_priority: it gives way to all others.

    RecogniserMissing where it cannot hear this language.
    """
    if problem := problem_of(language, choice):
        raise RecogniserMissing(f"{problem}; name another engine under recognition: {language}")
    settings = {
        "model": choice.model,
        "language": language,
        "low_priority": low_priority,
        "threads": threads,
    }
    child = f"duecall.speech.recognition.{choice.engine}_child"
    return WorkerRecogniser(choice.engine, (language,), child, settings)
