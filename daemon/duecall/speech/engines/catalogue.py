"""Which file holds which engine, and the engines of a voice in their order.

Each engine's file has `engine(choice, language, programs) -> Engine`. It is imported when the
engine is first asked for, so that nothing heavy is loaded for a voice that nobody uses.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping
from typing import cast

from duecall.core.campaign import Language
from duecall.core.voice import EngineName, Voice, VoiceChoice
from duecall.speech.audio import Samples
from duecall.speech.engine import Engine
from duecall.speech.engines.recorded_voice import RecordedEngine
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineMissing

Programs = Mapping[str, tuple[str, ...]]  # config.yaml: name -> argument list

_FILES: dict[EngineName, str] = {
    "espeak": "espeak",
    "festival": "festival",
    "hibari": "hibari",
    "kokoro": "kokoro",
    "piper": "piper",
    "coqui": "coqui",
    "recorded": "recorded_voice",
    "command": "command",
}
_INSTALL: dict[EngineName, str] = {
    "espeak": "apt-get install espeak-ng",
    "festival": "apt-get install festival festvox-ru",
    "hibari": "pip install 'duecall[voice-en]'",
    "kokoro": "pip install 'duecall[voice-zh]'",
    "piper": "pip install 'duecall[piper]'",
    "coqui": "pip install 'duecall[coqui]'",
}
_Key = tuple[VoiceChoice, Language, tuple[str, ...], int]
_made: dict[_Key, Engine] = {}  # one of each kind in a process: a loaded model is large
_guard = threading.Lock()


class AbsentEngine:
    """Stands where an engine cannot work at all; says why at every use."""

    def __init__(self, choice: VoiceChoice, why: str) -> None:
        self.name: str = choice.engine
        self.voice = choice.name or "default"
        self.why = why

    def version(self) -> str:
        raise EngineMissing(self.why)

    def settings(self) -> dict[str, int | str]:
        return {}

    def synthesize(self, text: str) -> tuple[Samples, int]:
        raise EngineMissing(self.why)


def engine_of(
    choice: VoiceChoice, language: Language, programs: Programs | None = None, processes: int = 1
) -> Engine:
    """The engine of this choice; the same object for the same choice.

    processes: of an engine that stays loaded. EngineMissing, with the remedy, for one that can
    never work; one whose program is missing says so at its first use.
    """
    name = choice.engine or "espeak"
    choice = choice.plain().model_copy(update={"engine": name})
    argv = (programs or {}).get(choice.name.partition(":")[0], ()) if name == "command" else ()
    key = (choice, language, argv, processes)
    with _guard:
        engine = _made.get(key)
        if engine is None:
            engine = _made[key] = _new(name, choice, language, programs or {})
            if isinstance(engine, WorkerEngine):
                engine.processes = processes
        return engine


def engines_of(
    voice: Voice, language: Language, programs: Programs | None = None, processes: int = 1
) -> tuple[Engine, ...]:
    """The chosen engine, then its fallbacks. One that cannot work is an AbsentEngine."""
    engines: list[Engine] = []
    for choice in voice.choices():
        try:
            engine = engine_of(choice, language, programs, processes)
            if isinstance(engine, RecordedEngine) and voice.personal.engine:
                names = engine_of(voice.personal, language, programs, processes)
                engine = engine.with_personal(names)
            engines.append(engine)
        except EngineMissing as error:
            engines.append(AbsentEngine(choice, str(error)))
    return tuple(engines)


def close_all() -> None:
    """Ends the processes of all engines; they start again when asked."""
    with _guard:
        engines = list(_made.values())
        _made.clear()
    for engine in engines:
        if isinstance(engine, WorkerEngine):
            engine.close()


def _new(name: EngineName, choice: VoiceChoice, language: Language, programs: Programs) -> Engine:
    try:
        module = importlib.import_module(f"duecall.speech.engines.{_FILES[name]}")
    except ImportError as error:
        missing = error.name or "a library of it"
        raise EngineMissing(
            f"engine {name} cannot be loaded: {missing} is missing; {install_hint(name)}"
        ) from None
    return cast(Engine, module.engine(choice, language, programs))


def install_hint(name: EngineName) -> str:
    """How to install the engine, as a remedy."""
    if name not in _INSTALL:
        return "install Duecall anew"
    return f"install it ({_INSTALL[name]}), or choose another engine or a fallback in `voice:`"


def install_command(name: EngineName) -> str:
    """What to type to install it; empty for an engine that needs nothing."""
    return _INSTALL.get(name, "")
