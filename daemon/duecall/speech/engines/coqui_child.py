"""The process in which a Coqui model is loaded: see duecall.speech.engines.child."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duecall.speech.engines.child import Loaded, serve


def load(settings: dict[str, Any]) -> Loaded:
    """settings: model (a folder), language, name, words_per_minute, seed, threads."""
    from duecall.speech.engines import coqui_compat, coqui_folder

    files = coqui_folder.read_folder(Path(settings["model"]))  # its faults without a long wait
    library = coqui_compat.prepare(int(settings["threads"]))
    from duecall.speech.engines.coqui_voice import CoquiVoice, Wanted

    voice = CoquiVoice(
        files,
        Wanted(
            settings["language"],
            settings["name"],
            int(settings["words_per_minute"]),
            int(settings["seed"]),
        ),
    )
    model = coqui_folder.digest(files.paths())
    return Loaded(f"{library}, model {model}", voice.rate_hz, voice.speak)


if __name__ == "__main__":
    serve(load)
