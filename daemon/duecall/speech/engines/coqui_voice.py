"""One loaded Coqui model: from a text to samples. Runs in the child process alone.

coqui-tts passes over what it cannot say: a letter that the model's alphabet lacks is left out with
a line in a log, a model that was trained badly returns NaN or goes on for minutes. In a message
about money each of these is an error.
"""

from __future__ import annotations

import json
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from duecall.core.campaign import Language
from duecall.speech.audio import Samples
from duecall.speech.engines.coqui_folder import (
    CONFIG,
    VOCAB,
    ModelFiles,
    declared_languages,
)
from duecall.speech.faults import EngineError, EngineMissing

NORMAL_WORDS_PER_MINUTE = 150  # a model's own speed counts as this
# A person says 15 letters a second, and 4 Chinese characters.
_RUNAWAY_S, _RUNAWAY_LETTER_S = 5.0, 1.0
_LETTERS_NAMED_MAX = 8
_NAMES_SHOWN_MAX = 20
_NO_LETTER = "the text holds no letter, so there is nothing to say"
# ISO 639-3 names, as some models have them.
_CODES: dict[Language, tuple[str, ...]] = {
    "vi": ("vi", "vie"),
    "ru": ("ru", "rus"),
    "zh": ("zh", "zho", "cmn"),
    "en": ("en", "eng"),
}


@dataclass(frozen=True)
class Wanted:
    """name: `speaker`, `speaker:language` or, of a model without speakers, `language`."""

    language: Language
    name: str = ""
    words_per_minute: int = NORMAL_WORDS_PER_MINUTE
    seed: int = 0


class CoquiVoice:
    """Speaks one text at a time; the same text always in the same way."""

    def __init__(self, files: ModelFiles, wanted: Wanted) -> None:
        """EngineMissing for a model that cannot be loaded, or that has no such voice."""
        import torch

        self._torch = torch
        self._synthesizer = _load(files)
        self._model = self._synthesizer.tts_model
        _refuse_broken(self._synthesizer, files)
        self.rate_hz = int(self._synthesizer.output_sample_rate)
        known = sorted(self._model.language_manager.language_names)
        declared = not files.mms and declared_languages(files.config)
        self._speaker, self._language = chosen(
            wanted.language, wanted.name, _speakers(self._model), known if declared else []
        )
        self._seed = wanted.seed
        self._pace = wanted.words_per_minute / NORMAL_WORDS_PER_MINUTE
        self._model.length_scale = self._model.length_scale / self._pace
        if hasattr(self._model, "max_inference_len"):
            self._model.max_inference_len = None  # what is longer would be cut off
        tokenizer = self._model.tokenizer
        tokenizer.encode = _strict_encode(tokenizer.characters.char_to_id)

    def speak(self, text: str) -> Samples:
        """EngineError: the model cannot say this text, or what it said is no speech."""
        if not any(_is_letter(char) for char in text):
            raise EngineError(_NO_LETTER)
        self._torch.manual_seed(self._seed)
        try:
            with self._torch.inference_mode():
                made = self._synthesizer.tts(
                    text,
                    speaker_name=self._speaker,
                    language_name=self._language,
                    split_sentences=False,
                )
        except EngineError:
            raise
        except (MemoryError, RuntimeError) as error:
            raise EngineError(
                f"the model failed at a text ({type(error).__name__}); is there memory left, and "
                "is the text a sentence?"
            ) from None
        return self._checked(np.asarray(made, np.float32), len(text))

    def _checked(self, samples: Samples, letters: int) -> Samples:
        samples = np.trim_zeros(samples, "b")  # the library adds some silence
        if not samples.size:
            raise EngineError("the model made no sound of a text")
        seconds = samples.size / self.rate_hz
        if seconds > (_RUNAWAY_S + _RUNAWAY_LETTER_S * letters) / min(1.0, self._pace):
            raise EngineError(
                f"the model spoke for {seconds:.0f} s and did not come to an end; train it longer, "
                "or take another checkpoint"
            )
        return samples


def chosen(
    language: Language, name: str, speakers: Sequence[str], languages: Sequence[str]
) -> tuple[str | None, str | None]:
    """The model's own names of speaker and language, None where it has no choice.

    languages: those that it is known to speak. EngineMissing where the name fits nothing.
    """
    speaker, _, of_model = name.partition(":") if speakers else ("", "", name)
    return _speaker_of(speaker.strip(), speakers), _language_of(
        language, of_model.strip(), languages, "the speaker, a colon and " if speakers else ""
    )


def _speaker_of(speaker: str, speakers: Sequence[str]) -> str | None:
    if not speakers or (len(speakers) == 1 and not speaker):
        return None
    found = next((one for one in speakers if one.strip() == speaker), None)
    if found is None:
        raise EngineMissing(
            f"the model has these speakers: {_listed(speakers)}; voice.name names one of them"
        )
    return found if len(speakers) > 1 else None


def _language_of(
    language: Language, of_model: str, languages: Sequence[str], before: str
) -> str | None:
    """of_model: the language as voice.name has it, in words of the model."""
    if not languages:
        if of_model:
            raise EngineMissing(
                f"the model names no language; leave {of_model!r} out of voice.name"
            )
        return None
    if of_model:
        fitting = [one for one in languages if one == of_model]
    else:
        codes = _CODES[language]
        fitting = [one for one in languages if one.replace("_", "-").split("-")[0] in codes]
        fitting.sort(key=lambda one: one not in codes)  # "en" before "en-us"
    if not fitting:
        raise EngineMissing(
            f"the model speaks {_listed(languages)}, and not {of_model or language}; where one of "
            f"these is right all the same, voice.name is {before}the model's name of it"
        )
    return fitting[0] if len(languages) > 1 else None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name.strip() for name in names[:_NAMES_SHOWN_MAX])
    return shown + (f" and {len(names) - _NAMES_SHOWN_MAX} more" if names[20:] else "")


def _speakers(model: Any) -> list[str]:
    manager = model.speaker_manager
    if manager is None:
        return []
    names = manager.name_to_id or getattr(manager, "embedding_names", ())
    return [str(name) for name in names]


def _is_letter(char: str) -> bool:
    """Or a digit, or what combines with a letter: whatever is a part of a word."""
    return unicodedata.category(char)[0] in "LMN"


def _strict_encode(char_to_id: Callable[[str], int]) -> Callable[[str], list[int]]:
    """In place of the tokeniser's own, which leaves letters out that it does not know.

    A mark that the model does not know is a pause lost. A letter is tried as it is, then small,
    then taken apart (ế as e, circumflex, acute): alphabets differ in these.
    """

    def known(text: str) -> list[int] | None:
        try:
            return [char_to_id(char) for char in text]
        except KeyError:
            return None

    def encode(text: str) -> list[int]:
        ids: list[int] = []
        lacking: set[str] = set()
        for char in text:
            forms = (char, char.lower(), unicodedata.normalize("NFD", char.lower()))
            found = next((some for form in forms if (some := known(form)) is not None), None)
            if found is not None:
                ids += found
            elif _is_letter(char):
                lacking.add(char)
        if lacking:
            raise EngineError(lacking_words(lacking))
        if not ids:
            raise EngineError(_NO_LETTER)
        return ids

    return encode


def lacking_words(lacking: Iterable[str]) -> str:
    """Which letters; sorted, so that they do not give the text away."""
    letters = sorted(lacking)
    shown = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in letters[:_LETTERS_NAMED_MAX])
    more = f" and {len(letters) - _LETTERS_NAMED_MAX} more" if letters[_LETTERS_NAMED_MAX:] else ""
    return (
        f"the model's alphabet lacks {shown}{more}, so the text cannot be said whole; "
        "train it with these letters, or choose another voice"
    )


def _refuse_broken(synthesizer: Any, files: ModelFiles) -> None:
    """EngineMissing where weights are NaN or infinite: a training that went wrong."""
    for name, weight in synthesizer.state_dict().items():
        if weight.is_floating_point() and not bool(weight.isfinite().all()):
            raise EngineMissing(
                f"the model in {files.checkpoint.parent} has weights that are no numbers ({name}), "
                "its training went wrong; take an earlier checkpoint"
            )


def _load(files: ModelFiles) -> Any:
    """TTS' own synthesiser. It is shown a folder of links, whose config is the one we have read;
    and it takes for MMS whatever has "fairseq" in its path, and nothing else."""
    from TTS.utils.synthesizer import Synthesizer

    with tempfile.TemporaryDirectory(prefix="duecall-") as name:
        shown = Path(name) / ("fairseq" if files.mms else "model")
        checkpoint = _show(files, shown)
        options: dict[str, Path] = {}
        if files.vocoder:
            vocoder = _show(files.vocoder, shown / "vocoder")
            options = {
                "vocoder_checkpoint": vocoder,
                "vocoder_config": vocoder.with_name(CONFIG),
            }
        try:
            synthesizer = Synthesizer(
                tts_checkpoint=checkpoint, tts_config_path=checkpoint.with_name(CONFIG), **options
            )
        except Exception as error:
            raise EngineMissing(_refusal(error, files)) from None
    # On by default, and cuts off all that follows a pause of 0.8 s, or the whole of a quiet voice.
    synthesizer.tts_config.audio.do_trim_silence = False
    return synthesizer


def _show(files: ModelFiles, folder: Path) -> Path:
    folder.mkdir()
    (folder / CONFIG).write_text(json.dumps(files.config), encoding="utf-8")
    if files.mms:
        (folder / VOCAB).symlink_to(files.checkpoint.with_name(VOCAB).resolve())
    checkpoint = folder / files.checkpoint.name
    checkpoint.symlink_to(files.checkpoint.resolve())
    return checkpoint


def _refusal(error: Exception, files: ModelFiles) -> str:
    """Why it cannot be loaded, in words that help."""
    where = f"the model in {files.checkpoint.parent}"
    told = " ".join(str(error).split())[:300]
    if "weights_only" in told or "Weights only" in told:
        return (
            f"{where} holds more than numbers, which may be code and is not loaded; save it anew "
            "with its weights alone: torch.save({'model': state['model']}, path)"
        )
    if "Error(s) in loading state_dict" in told:
        return f"{where} does not fit its {CONFIG}; copy both from the same training ({told})"
    if type(error).__name__ in ("UnpicklingError", "EOFError") or "zip archive" in told:
        return f"{where} is damaged; copy it again ({type(error).__name__})"
    return f"{where} cannot be loaded: {type(error).__name__}: {told}"
