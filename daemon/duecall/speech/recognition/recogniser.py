"""What turns sound into words: the interface, and what it answers.

Two jobs on one interface: the whole of a call afterwards (`transcribe`), and one short answer while
a call lasts (`recognise_short`), for which the recogniser is told all that may be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

from duecall.core.campaign import Language
from duecall.speech.audio import Samples
from duecall.speech.faults import SpeechError

Side: TypeAlias = Literal["callee", "us"]


class RecogniserError(SpeechError):
    """It failed at one sound: it died, took too long, or refused it."""


class RecogniserMissing(RecogniserError):
    """It cannot work at all: not installed, no model, or a model of another make."""


class Phrase(NamedTuple):
    """What was said in one go. Times count from the beginning of the sound, in milliseconds.

    sureness: 0 to 1, as the recogniser tells it; those of two recognisers cannot be compared.
    """

    from_ms: int
    to_ms: int
    text: str
    sureness: float


class SidePhrase(NamedTuple):
    """A phrase, and who said it: the callee, or we (message and agent)."""

    side: Side
    phrase: Phrase


class Answer(NamedTuple):
    """words: phrases of the grammar in the order in which they were said; empty: none of them was.

    sureness: 0 to 1, of the least sure one.
    """

    words: tuple[str, ...]
    sureness: float


@dataclass(frozen=True, slots=True)
class Grammar:
    """All that a short answer may be. phrases: in words of the language, lower case, without
    digits or signs: ("yes", "yes please", "no"). longest: so many phrases may follow each other:
    1 for yes or no, 10 for the digits of a number.
    """

    phrases: tuple[str, ...]
    longest: int = 1


class Recogniser(Protocol):
    """Safe to call from several threads or greenlets at once: they wait for each other. It never
    blocks gevent's hub. Samples are mono, float32, full scale ±1.0; any rate from 8 kHz up."""

    name: str  # "pocketsphinx"
    languages: tuple[Language, ...]

    def version(self) -> str:
        """Of the engine. RecogniserMissing where it cannot work."""

    def model(self) -> str:
        """SHA-256 of the model's files, hex. RecogniserMissing."""

    def transcribe(self, samples: Samples, rate_hz: int, language: Language) -> tuple[Phrase, ...]:
        """All that is said, in the order of time. RecogniserError."""

    def recognise_short(
        self, samples: Samples, rate_hz: int, language: Language, grammar: Grammar
    ) -> Answer:
        """Which of these phrases was said in a few seconds of sound. RecogniserError."""

    def close(self) -> None:
        """End its process. It starts again when it is asked again."""
