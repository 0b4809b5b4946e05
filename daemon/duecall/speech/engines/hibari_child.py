"""hibari's process."""

from __future__ import annotations

import os
from typing import Any

from duecall.speech.engines.child import Loaded, serve
from duecall.speech.engines.english_letters import with_letter_a
from duecall.speech.faults import EngineMissing

OWN_SPEED = 150  # words a minute


def load(settings: dict[str, Any]) -> Loaded:
    try:
        from hibari import Hibari
        from hibari.voices import VOICES, cache_dir, sha256_of
    except ImportError as error:
        raise EngineMissing(
            f"{error.name or 'hibari-tts'} is not installed; pip install 'duecall[voice-en]'"
        ) from None
    name = str(settings["voice"])
    voice = VOICES.get(name)
    if voice is None:
        raise EngineMissing(f"hibari has no voice {name}; it has {', '.join(VOICES)}")
    if not voice.get("bundled"):
        # Asked for it, hibari would fetch it.
        path = os.path.join(cache_dir(), voice["file"])
        if not os.path.isfile(path):
            raise EngineMissing(
                f"voice {name} is not in hibari's wheel, and nothing is downloaded here; put "
                f"{voice['file']} into {cache_dir()}, or leave out voice.name"
            )
        if sha256_of(path) != voice["sha256"]:
            raise EngineMissing(f"{path} is damaged or another file; its sha256 is not hibari's")
    hibari = Hibari(voice=name, threads=1)
    speed = int(settings["words_per_minute"]) / OWN_SPEED
    seed = int(settings["seed"])

    def speak(text: str) -> Any:
        return hibari(with_letter_a(text), speed=speed, seed=seed)

    speak("Ready.")  # it reads its dictionaries at the first text
    return Loaded("", hibari.sample_rate, speak)


if __name__ == "__main__":
    serve(load)
