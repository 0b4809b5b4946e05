"""`PromptBook`: a campaign's messages as sound files, one list of files for each contact."""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from duecall.core.campaign import Language, Say, Voice
from duecall.speech import audio
from duecall.speech.cache import PERSONAL, Fragment, WavCache, folder_name, read_pcm, write_wav
from duecall.speech.engine import Engine, EspeakEngine
from duecall.speech.faults import Unspeakable
from duecall.speech.grammar import Region
from duecall.speech.planner import Utterance, plan
from duecall.speech.proof import prove_all
from duecall.speech.recorded import file_digest, telephone_sound
from duecall.speech.template import MessageTemplate, text_of
from duecall.speech.values import Values

RECORDED, SILENCE = "recorded", "silence"


@dataclass(frozen=True, slots=True)
class TextPart:
    """To be spoken by the voice."""

    template: MessageTemplate


@dataclass(frozen=True, slots=True)
class SoundPart:
    """A recorded file, played as it is (trimmed, and at the level of the voice)."""

    path: Path


Part: TypeAlias = "TextPart | SoundPart"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a call plays. paths: sound files in order, absolute. text: the same in words."""

    paths: tuple[str, ...]
    ms: int
    text: str


def parts_of(says: Sequence[Say], folder: Path, language: Language) -> tuple[Part, ...]:
    """The parts of a campaign's `message`, `ask`, `say`…; sounds lie relative to `folder`.

    TemplateFault for a template that cannot be used.
    """
    parts: list[Part] = []
    for say in says:
        if say.text is not None:
            parts.append(TextPart(MessageTemplate(say.text, language)))
        if say.sound is not None:
            parts.append(SoundPart(folder / say.sound))
    return tuple(parts)


class PromptBook:
    """One voice of one language over one cache. Safe to use from several threads."""

    def __init__(
        self,
        cache: Path | WavCache,
        language: Language,
        voice: Voice | None = None,
        engine: Engine | None = None,
        region: Region = "",
    ) -> None:
        """engine: left out, the one that `voice` names. Nothing is started before the first text.
        region: whose words numbers are said in; Vietnamese only.

        CacheError or EngineMissing for a cache path or a voice name that can never work.
        """
        self.language: Language = language
        self.region: Region = region
        self.cache = cache if isinstance(cache, WavCache) else WavCache(cache)
        self.engine: Engine = engine or EspeakEngine(language, voice)
        self.folder = folder_name(f"{self.engine.name}-{self.engine.voice}")
        self._recorded: dict[tuple[str, int, int], str] = {}  # path, size, mtime_ns -> digest
        self._recorded_lock = threading.Lock()

    def render(self, parts: Sequence[Part], values: Values) -> Manifest:
        """Every file made where it was not there yet.

        TemplateFault or Unspeakable: this contact cannot be spoken to. EngineError, CacheError:
        nobody can.
        """
        fragments = [self._fragment(step) for step in self.steps(parts, values)]
        return Manifest(
            tuple(fragment.path for fragment in fragments),
            sum(fragment.ms for fragment in fragments),
            self.text(parts, values),
        )

    def text(self, parts: Sequence[Part], values: Values) -> str:
        """The message in words; a recording is shown as [its file name]. No sound is made."""
        shown = [
            f"[{part.path.name}]"
            if isinstance(part, SoundPart)
            else text_of(part.template.render(values), self.language, self.region)
            for part in parts
        ]
        return " ".join(text for text in shown if text)

    def proven(self, parts: Sequence[Part], values: Values) -> str:
        """`text`, once the words of every value have been parsed and given the value back.

        Misread (an Unspeakable) where they do not.
        """
        for part in parts:
            if isinstance(part, TextPart):
                prove_all(part.template.render(values), self.language, self.region)
        return self.text(parts, values)

    def steps(self, parts: Sequence[Part], values: Values) -> Iterator[Utterance | Path]:
        """What has to be there to play these parts: utterances and recordings, in order."""
        for part in parts:
            if isinstance(part, SoundPart):
                yield part.path
            else:
                yield from plan(part.template.render(values), self.language, self.region)

    def get(self, text: str, *, personal: bool = False) -> Fragment:
        """One text as one sound file, without silence around it."""
        return self._fragment(Utterance(text, personal=personal))

    def prepare(self, step: Utterance | Path) -> bool:
        """Makes the file of one step; False where it was there, or another thread made it."""
        made = False

        def make() -> audio.Pcm:
            nonlocal made
            made = True
            return self._made(step)

        self.cache.obtain(*self._place(step), make)
        return made

    def _fragment(self, step: Utterance | Path) -> Fragment:
        return self.cache.obtain(*self._place(step), lambda: self._made(step))

    def _made(self, step: Utterance | Path) -> audio.Pcm:
        if isinstance(step, Path):
            return telephone_sound(step)
        return self._spoken(step) if step.text else audio.silence(step.lead_ms)

    def _spoken(self, step: Utterance) -> audio.Pcm:
        samples, rate_hz = self.engine.synthesize(step.text)
        try:
            sound = audio.telephone(samples, rate_hz)
        except audio.SilentSound:
            what = "a value" if not step.static else f"“{step.text}”"
            raise Unspeakable(
                f"voice {self.engine.voice} says nothing at {what}; "
                "write it in letters of the campaign's language"
            ) from None
        return audio.pcm16(sound, step.lead_ms, step.tail_ms)

    def _place(self, step: Utterance | Path) -> tuple[str, str]:
        """Folder and key in the cache."""
        if isinstance(step, Path):
            return RECORDED, self._recorded_key(step)
        if not step.text:
            return SILENCE, self.cache.key({"ms": step.lead_ms, "rate_hz": audio.RATE_HZ})
        key = self.cache.key(
            {
                "engine": self.engine.name,
                "engine_version": self.engine.version(),
                "voice": self.engine.voice,
                "settings": self.engine.settings(),
                "text": unicodedata.normalize("NFC", step.text),
                "lead_ms": step.lead_ms,
                "tail_ms": step.tail_ms,
                "rate_hz": audio.RATE_HZ,
                "audio_version": audio.VERSION,
            },
            personal=step.personal,
        )
        return f"{self.folder}/{PERSONAL}" if step.personal else self.folder, key

    def _recorded_key(self, path: Path) -> str:
        """By content; the content is read again only when size or time of the file changed."""
        try:
            state = path.stat()
            known = (str(path), state.st_size, state.st_mtime_ns)
        except OSError:
            known = (str(path), -1, -1)  # file_digest says what is wrong with it
        with self._recorded_lock:
            digest = self._recorded.get(known)
        if digest is None:
            digest = file_digest(path)
            with self._recorded_lock:
                self._recorded[known] = digest
        return self.cache.key({"recorded": digest, "audio_version": audio.VERSION})


def join(manifest: Manifest, out_path: Path) -> int:
    """Writes the whole message as one WAV, for listening; its length in milliseconds."""
    data = b"".join(read_pcm(path) for path in manifest.paths)
    pcm = np.frombuffer(data, "<i2")
    write_wav(out_path, pcm)
    return len(pcm) * 1000 // audio.RATE_HZ
