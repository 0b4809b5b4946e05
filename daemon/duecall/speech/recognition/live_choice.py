"""Which recogniser hears the words of live calls, and what keeps it from that."""

from __future__ import annotations

from importlib.util import find_spec

from duecall.core.campaign import Language
from duecall.core.recognition import RecogniserName, chosen_recogniser, problem_of
from duecall.core.site import Site
from duecall.speech.recognition.catalogue import EXTRAS

_PACKAGES: dict[RecogniserName, str] = {
    "pocketsphinx": "pocketsphinx",
    "vosk": "vosk",
    "whisper": "faster_whisper",
}


def why_unheard(site: Site, language: Language) -> tuple[str, str]:
    """(why nobody hears words of this language, what to do about it); both empty: they are."""
    choice = chosen_recogniser(site, language)
    instead = "or leave `spoken` out: keys are heard without it"
    if choice is None:
        problem = f"config.yaml names no recogniser that hears {language}"
        return problem, f"recognition: {language}: there, {instead}"
    if problem := problem_of(language, choice):
        return problem, f"recognition: {language}: another one in config.yaml, {instead}"
    if find_spec(_PACKAGES[choice.engine]) is None:
        problem = f"the recogniser {choice.engine} is not installed"
        return problem, f"pip install 'duecall[{EXTRAS[choice.engine]}]', {instead}"
    return "", ""
