"""What turns words into sound: the interface. The engines are in `speech/engines/`."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from duecall.speech.audio import Samples


class Engine(Protocol):
    """A voice that speaks. Safe to call from several threads at once."""

    name: str  # "espeak"
    voice: str  # within the engine

    def version(self) -> str:
        """Of engine and voice data; EngineMissing where it cannot work. It changes where its
        process had to be started anew and has found another voice: what was made in between may be
        of either."""

    def settings(self) -> dict[str, int | str]:
        """All else that changes the sound; part of the cache key."""

    def synthesize(self, text: str) -> tuple[Samples, int]:
        """Sound and its rate in Hz. EngineError, with the remedy."""


@runtime_checkable
class ReadsSomeLetters(Protocol):
    """A voice that reads less than others of the language, and knows it before it speaks."""

    def readable(self, text: str) -> str:
        """The text as the voice takes it. Unspeakable, with the reason, where it cannot."""
