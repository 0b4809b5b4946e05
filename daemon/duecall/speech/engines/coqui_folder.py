"""A model's folder, as coqui-tts' trainer leaves it, read with suspicion before it is loaded.

    model.pth (or model_file.pth, best_model*.pth, G_*.pth)   weights
    config.json                                               what kind of model, and its alphabet
    speakers.pth, language_ids.json                           of models with several
    vocoder/                                                  a second model that makes the sound
    vocab.txt                                                 beside G_*.pth of MMS

A config.json names files of the machine that trained, and classes to import: here every file is
looked for in the folder alone, and only classes of coqui-tts are let through. Imports no library.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duecall.speech.faults import EngineMissing

# These make sound from letters alone, each letter once and in order, and load nothing but numbers.
# Others want a recording to imitate or hold pickles (xtts, bark, tortoise); or they find their way
# through the text by attention, and may skip a word or say it twice (tacotron).
KINDS = frozenset(
    {"vits", "glow_tts", "fast_pitch", "fast_speech", "fastspeech2", "speedy_speech"}
    | {"align_tts", "forward_tts"}
)
VOCODERS = frozenset(
    {"hifigan", "melgan", "multiband_melgan", "fullband_melgan", "parallel_wavegan", "univnet"}
)
CONFIG = "config.json"
VOCAB = "vocab.txt"
VOCODER = "vocoder"
_CHECKPOINTS = ("model.pth", "model_file.pth", "G_*.pth", "best_model.pth", "best_model*.pth")
_CONFIG_BYTES_MAX = 10_000_000
# Keys of config.json, or of its `model_args`, that name a file; the name it usually has.
_BESIDE = {
    "speakers_file": "speakers.pth",
    "speaker_file": "speakers.pth",
    "d_vector_file": "speakers.pth",
    "language_ids_file": "language_ids.json",
}
# Only wanted while training, and far from here.
_OF_TRAINING = ("speaker_encoder_model_path", "speaker_encoder_config_path")


@dataclass(frozen=True)
class ModelFiles:
    """config: for coqui-tts, with paths of this machine; of MMS as it is. beside: named in it."""

    checkpoint: Path
    config: dict[str, Any]
    mms: bool
    beside: tuple[Path, ...] = ()
    vocoder: ModelFiles | None = None

    def paths(self) -> tuple[Path, ...]:
        """All files that make the voice."""
        own = (self.checkpoint, self.checkpoint.with_name(CONFIG), *self.beside)
        return own + (self.vocoder.paths() if self.vocoder else ())


def read_folder(folder: Path) -> ModelFiles:
    """EngineMissing, with file and remedy, for what cannot be loaded or must not be."""
    if not folder.is_dir():
        raise EngineMissing(
            f"there is no folder {folder}; voice.model is a folder with model.pth and {CONFIG}"
        )
    vocab = folder / VOCAB
    if vocab.is_file():
        config = _read_config(folder)
        if not {"sampling_rate", "training_files", "add_blank"} <= set(config.get("data", ())):
            raise EngineMissing(f"{folder / CONFIG} is not that of an MMS model, and {VOCAB} is")
        return ModelFiles(_checkpoint(folder), config, mms=True, beside=(vocab,))
    files = _read_model(folder, KINDS, "model")
    vocoder = folder / VOCODER
    if not vocoder.is_dir():
        if kind_of(files.config) != "vits":  # without, it takes minutes and rings
            raise EngineMissing(
                f"{folder / CONFIG}: a model {kind_of(files.config)!r} makes no sound without a "
                f"vocoder; put one, with its {CONFIG}, into {vocoder}"
            )
        return files
    of_vocoder = _read_model(vocoder, VOCODERS, "vocoder")
    return ModelFiles(files.checkpoint, files.config, False, files.beside, of_vocoder)


def digest(paths: Iterable[Path]) -> str:
    """Of the content of these files, 16 hexadecimal digits; about a second a gigabyte."""
    whole = hashlib.sha256()
    for path in paths:
        one = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                one.update(chunk)
        whole.update(path.name.encode() + b"\0" + one.digest())
    return whole.hexdigest()[:16]


def kind_of(config: dict[str, Any]) -> str:
    """`vits`, `hifigan` …"""
    kind = config.get("model") or config.get("generator_model") or ""
    return re.sub(r"_(generator|discriminator)\Z", "", str(kind).lower())


def declared_languages(config: dict[str, Any]) -> bool:
    """Whether the file says what the model speaks. Where it does not, coqui-tts takes "en"."""
    of_sets = config.get("datasets") or ()
    return bool(
        config.get("languages")
        or config.get("phoneme_language")
        or _args(config).get("language_ids_file")
        or any(isinstance(one, dict) and one.get("language") for one in of_sets)
    )


def _read_model(folder: Path, kinds: frozenset[str], what: str) -> ModelFiles:
    config = _read_config(folder)
    kind = kind_of(config)
    if kind not in kinds:
        raise EngineMissing(
            f"{folder / CONFIG}: {what} {kind[:40]!r} cannot be used; "
            f"there are: {', '.join(sorted(kinds))}"
        )
    base = config.get("base_model")
    if base is not None and str(base).lower() not in kinds:
        raise EngineMissing(f"{folder / CONFIG}: base_model {str(base)[:40]!r} cannot be used")
    alphabet = (config.get("characters") or {}).get("characters_class")
    if alphabet and not str(alphabet).startswith("TTS.tts."):
        raise EngineMissing(
            f"{folder / CONFIG}: characters_class is code that is no part of coqui-tts; it is not "
            "started"
        )
    if (config.get("audio") or {}).get("stats_path"):
        raise EngineMissing(
            f"{folder / CONFIG}: audio.stats_path is a file that may hold code and is not loaded; "
            "use a model without it"
        )
    for name in _OF_TRAINING:
        for place in (config, _args(config)):
            if name in place:
                place[name] = ""
    if "use_speaker_encoder_as_loss" in _args(config):
        _args(config)["use_speaker_encoder_as_loss"] = False
    return ModelFiles(_checkpoint(folder), config, False, _bring_home(config, folder))


def _args(config: dict[str, Any]) -> dict[str, Any]:
    args = config.get("model_args")
    return args if isinstance(args, dict) else {}


def _several_speakers(config: dict[str, Any]) -> bool:
    """With an embedding each, and without a list of their names in the config itself."""
    wanted = _args(config).get("use_speaker_embedding") or config.get("use_speaker_embedding")
    return bool(wanted) and not config.get("speakers")


def _bring_home(config: dict[str, Any], folder: Path) -> tuple[Path, ...]:
    """Every file that the config names is the one of that name in the folder."""
    found: dict[Path, None] = {}

    def home(named: str, usual: str) -> str:
        # The trainer's machine may have been one with backslashes.
        for name in (re.split(r"[\\/]", named)[-1], usual):
            path = folder / name
            if path.is_file():
                found[path] = None
                return str(path)
        raise EngineMissing(
            f"{folder / CONFIG} names {named[:200]!r}, which is not there; copy it into {folder}"
        )

    speakers = folder / _BESIDE["speakers_file"]
    if _several_speakers(config) and speakers.is_file():  # some trainers leave the key empty
        _args(config).setdefault("speakers_file", "")
        _args(config)["speakers_file"] = _args(config)["speakers_file"] or speakers.name
    for place in (config, _args(config)):
        for key, usual in _BESIDE.items():
            named = place.get(key)
            if isinstance(named, str) and named:
                place[key] = home(named, usual)
            elif isinstance(named, list):
                place[key] = [home(str(one), usual) for one in named]
    return tuple(found)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    try:
        if path.stat().st_size > _CONFIG_BYTES_MAX:
            raise EngineMissing(f"{path} is too large for a config.json of coqui-tts")
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineMissing(
            f"{path}: {error.strerror}; copy it from where the model was trained"
        ) from None
    except ValueError:
        raise EngineMissing(f"{path} is no JSON; copy it again, or take its comments out") from None
    if not isinstance(config, dict):
        raise EngineMissing(f"{path} is no config.json of coqui-tts: it holds no keys")
    return config


def _checkpoint(folder: Path) -> Path:
    """The one that is meant: the final model, else the best, else the furthest."""
    for pattern in _CHECKPOINTS:
        found = sorted((path for path in folder.glob(pattern) if path.is_file()), key=_step)
        if found:
            return found[-1]
    raise EngineMissing(
        f"no weights in {folder}; there should be model.pth, best_model.pth or (MMS) G_….pth"
    )


def _step(path: Path) -> tuple[int, str]:
    """`best_model_2000.pth` -> 2000."""
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else -1, path.name
