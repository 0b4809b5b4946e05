"""Engine `coqui`: a neural voice of the operator's own, as a folder that coqui-tts has trained.

Nothing is ever downloaded: the folder holds all, and the process that loads it has no network.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from duecall.core.campaign import Language
from duecall.core.voice import PITCH, VoiceChoice
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineMissing

CHILD = "duecall.speech.engines.coqui_child"
THREADS = 1  # of one process; more voices at once are more processes
SEED = 20261122  # any other is as good, and makes another sound
START_TIMEOUT_S = 300.0  # torch and a large model from a slow disk


def engine(
    choice: VoiceChoice,
    language: Language,
    programs: Mapping[str, tuple[str, ...]] | None = None,
    threads: int = THREADS,
) -> WorkerEngine:
    """EngineMissing for a choice that no model can fulfil."""
    if not choice.model:
        raise EngineMissing(
            "engine coqui speaks by a model of your own; voice.model is its folder, with model.pth "
            "and config.json"
        )
    if choice.pitch != PITCH:
        raise EngineMissing("engine coqui cannot change the pitch; leave voice.pitch out")
    folder = Path(choice.model)
    return WorkerEngine(
        "coqui",
        folder.name + (f":{choice.name}" if choice.name else ""),
        CHILD,
        {"language": language, "words_per_minute": choice.words_per_minute, "seed": SEED},
        told={"model": str(folder), "name": choice.name, "threads": threads},
        start_timeout_s=START_TIMEOUT_S,
    )
