"""Which recogniser hears a language: engine and model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import model_validator

from duecall.core.model import Model
from duecall.core.scalars import refuse

if TYPE_CHECKING:  # both are made of this
    from duecall.core.campaign import Language
    from duecall.core.site import Site

RecogniserName = Literal["pocketsphinx", "vosk", "whisper"]
RECOGNISER_NAMES: tuple[RecogniserName, ...] = get_args(RecogniserName)
BUNDLED: RecogniserName = "pocketsphinx"  # comes with a model of American English


class RecogniserChoice(Model):
    """model: a folder of the operator's own; the loader makes it absolute."""

    engine: RecogniserName
    model: str = ""

    @model_validator(mode="after")
    def _check(self) -> RecogniserChoice:
        refuse("RecogniserChoice", self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
        if not self.model and self.engine != BUNDLED:
            yield (
                (),
                f"{self.engine} without `model`",
                "model: the folder, seen from this file's own",
            )


def problem_of(language: Language, choice: RecogniserChoice) -> str:
    """Why it cannot hear this language; empty: nothing speaks against it."""
    if choice.engine == BUNDLED and not choice.model and language != "en":
        return f"{BUNDLED} comes with a model of English alone"
    return ""


def chosen_recogniser(site: Site, language: Language) -> RecogniserChoice | None:
    """The site's for the language; for English, where it names none, the one with its own model."""
    found = site.recognition.get(language)
    if found is None and language == "en":
        return RecogniserChoice(engine=BUNDLED)
    return found
