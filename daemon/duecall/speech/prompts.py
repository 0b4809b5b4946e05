"""`PromptBook`: a campaign's messages as sound files, one list of files for each contact."""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from duecall.core.campaign import Language, Say, Voice
from duecall.speech import audio
from duecall.speech.cache import PERSONAL, Fragment, WavCache, read_pcm, write_wav
from duecall.speech.engine import Engine, ReadsSomeLetters
from duecall.speech.engines.catalogue import engine_of
from duecall.speech.engines.recorded_voice import speaker_of
from duecall.speech.faults import EngineError, Unspeakable
from duecall.speech.fragments_known import KnownFragments
from duecall.speech.grammar import Region
from duecall.speech.planner import Planner, Utterance
from duecall.speech.proof import prove_all
from duecall.speech.recorded import file_digest, telephone_sound
from duecall.speech.template import MessageTemplate, Piece, text_of
from duecall.speech.values import Values
from duecall.speech.voices_in_turn import Speaker, VoicesInTurn

# One `file_string://` plays so many (fs_scripts/session_io.py); after it is a pause of 0.3 s.
SOUNDS_MAX = 100
VERSIONS_MAX = 3  # of a voice during one message
JOINED = "joined"
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
    """What a call plays. paths: sound files in order, absolute. voice: who speaks (`espeak:vi`),
    empty where nobody does; turn: of those that the campaign names, from 0.
    """

    paths: tuple[str, ...]
    ms: int
    words: Callable[[], str] = field(compare=False, repr=False)
    voice: str = ""
    turn: int = 0

    @property
    def text(self) -> str:
        """The same in words; put together when asked for, as few ask."""
        return self.words()


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
    """The voices of one language over one cache. Safe to use from several threads."""

    def __init__(
        self,
        cache: Path | WavCache,
        language: Language,
        voice: Voice | None = None,
        engine: Engine | None = None,
        region: Region = "",
        voices: VoicesInTurn | None = None,
    ) -> None:
        """voices: who speaks, in turn; left out, `engine` alone, or the one that `voice` names.
        Nothing is started before the first text. region: whose words numbers are said in;
        Vietnamese only.

        CacheError or EngineMissing for a cache path or a voice name that can never work.
        """
        self.language: Language = language
        self.region: Region = region
        self.cache = cache if isinstance(cache, WavCache) else WavCache(cache)
        self.voices = voices or VoicesInTurn([engine or engine_of(voice or Voice(), language)])
        whole = voice is not None and voice.whole_sentences
        self._planner = Planner(language, region, whole=whole)
        self._fine_planner = Planner(language, region, fine=True)
        self._known = [KnownFragments() for _ in self.voices.speakers]
        self._versions = ["" for _ in self.voices.speakers]  # as each spoke last; of recordings ""
        self._recorded: dict[tuple[str, int, int], str] = {}  # path, size, mtime_ns -> digest
        self._recorded_lock = threading.Lock()

    def render(
        self, parts: Sequence[Part], values: Values, speaker: Speaker | None = None
    ) -> Manifest:
        """Every file made where it was not there yet, all in one voice.

        speaker: whose, given by `voices.speak`; left out, the first that can.
        TemplateFault or Unspeakable: this contact cannot be spoken to. EngineError, CacheError:
        nobody can.
        """
        if speaker is None:
            return self.voices.speak(lambda one: self.render(parts, values, one))
        rendered = _rendered(parts, values)
        steps = self._planned(rendered, speaker)
        spoken = any(isinstance(step, Utterance) and step.text for step in steps)
        for _ in range(VERSIONS_MAX):
            version = self._versions[speaker.turn]
            fragments = self._found_or_made(steps, speaker)
            if self._versions[speaker.turn] == version:
                break  # else its first sounds and its last ones may be of two voices
        if len(fragments) > SOUNDS_MAX:
            fragments = self._joined(fragments)
        return Manifest(
            tuple([fragment.path for fragment in fragments]),
            sum([fragment.ms for fragment in fragments]),
            lambda: self._text(rendered),
            speaker.label if spoken else "",
            speaker.turn if spoken else 0,
        )

    def text(self, parts: Sequence[Part], values: Values) -> str:
        """The message in words; a recording is shown as [its file name]. No sound is made."""
        return self._text(_rendered(parts, values))

    def _text(self, rendered: Sequence[list[Piece] | Path]) -> str:
        shown = [
            f"[{one.name}]" if isinstance(one, Path) else text_of(one, self.language, self.region)
            for one in rendered
        ]
        return " ".join(text for text in shown if text)

    def proven(self, parts: Sequence[Part], values: Values) -> str:
        """`text`, once the words of every value have been parsed and given the value back.

        Misread (an Unspeakable) where they do not; Unspeakable for letters that the chosen voice
        cannot read.
        """
        for part in parts:
            if isinstance(part, TextPart):
                prove_all(part.template.render(values), self.language, self.region)
        engine = self.voices.first.engine
        if isinstance(engine, ReadsSomeLetters):
            for step in self.steps(parts, values):
                if isinstance(step, Utterance) and step.text:
                    engine.readable(step.text)
        return self.text(parts, values)

    def steps(
        self, parts: Sequence[Part], values: Values, speaker: Speaker | None = None
    ) -> list[Utterance | Path]:
        """What has to be there to play these parts: utterances and recordings, in order.

        speaker: whose sounds; left out, the chosen voice's.
        """
        return self._planned(_rendered(parts, values), speaker or self.voices.first)

    def _planned(
        self, rendered: Sequence[list[Piece] | Path], speaker: Speaker
    ) -> list[Utterance | Path]:
        planner = self._fine_planner if speaker.engine.name == RECORDED else self._planner
        steps: list[Utterance | Path] = []
        for one in rendered:
            if isinstance(one, Path):
                steps.append(one)
            else:
                steps += planner.plan(one)
        return steps

    def get(self, text: str, *, personal: bool = False) -> Fragment:
        """One text as one sound file, without silence around it."""
        return self.fragment(Utterance(text, personal=personal))

    def fragment(self, step: Utterance | Path) -> Fragment:
        """The sound of one step."""
        return self.voices.speak(lambda speaker: self._fragment(step, speaker))

    def prepare(self, step: Utterance | Path, speaker: Speaker | None = None) -> bool:
        """Makes the file of one step; False where it was there, or another thread made it.

        speaker: who speaks it; left out, the first that can.
        """
        if speaker is None:
            return self.voices.speak(lambda one: self._obtained(step, one)[1])
        return self._obtained(step, speaker)[1]

    def _found_or_made(self, steps: Sequence[Utterance | Path], speaker: Speaker) -> list[Fragment]:
        version = self._versions[speaker.turn]
        known = self._known[speaker.turn].find([_as_known(step, version) for step in steps])
        return [
            found or self._fragment(step, speaker) for step, found in zip(steps, known, strict=True)
        ]

    def _fragment(self, step: Utterance | Path, speaker: Speaker) -> Fragment:
        found, _ = self._obtained(step, speaker)
        if speaker.engine.name != RECORDED:  # else people may record it anew at any time
            self._known[speaker.turn].put(_as_known(step, self._versions[speaker.turn]), found)
        return found

    def _obtained(self, step: Utterance | Path, speaker: Speaker) -> tuple[Fragment, bool]:
        """The file of one step, and whether it was made now."""
        for _ in range(VERSIONS_MAX):
            with suppress(_AnotherVersion):
                return self._obtained_once(step, speaker)
        raise EngineError(
            f"voice {speaker.label} was another version at each of {VERSIONS_MAX} tries; "
            "is its model being changed?"
        )

    def _obtained_once(self, step: Utterance | Path, speaker: Speaker) -> tuple[Fragment, bool]:
        place, made = self._place(step, speaker), False

        def make() -> audio.Pcm:
            nonlocal made
            sound = self._made(step, speaker)
            if self._place(step, speaker) != place:  # it was started anew, and is another one
                raise _AnotherVersion
            made = True
            return sound

        return self.cache.obtain(*place, make), made

    def _joined(self, fragments: Sequence[Fragment]) -> list[Fragment]:
        """Fewer: some in a row as one file. Personal ones stay as they are, to be found again."""
        size = -(-len(fragments) // (SOUNDS_MAX // 2))
        joined: list[Fragment] = []
        run: list[Fragment] = []
        for fragment in (*fragments, None):
            personal = fragment is not None and f"/{PERSONAL}/" in fragment.path
            if run and (fragment is None or personal or len(run) == size):
                joined.append(self._as_one(run) if len(run) > 1 else run[0])
                run = []
            if personal and fragment is not None:
                joined.append(fragment)
            elif fragment is not None:
                run.append(fragment)
        return joined

    def _as_one(self, run: Sequence[Fragment]) -> Fragment:
        paths = [fragment.path for fragment in run]
        key = self.cache.key({"joined": [os.path.relpath(path, self.cache.root) for path in paths]})
        return self.cache.obtain(
            JOINED, key, lambda: np.frombuffer(b"".join(map(read_pcm, paths)), "<i2")
        )

    def _made(self, step: Utterance | Path, speaker: Speaker) -> audio.Pcm:
        if isinstance(step, Path):
            return telephone_sound(step)
        return self._spoken(step, speaker) if step.text else audio.silence(step.lead_ms)

    def _spoken(self, step: Utterance, speaker: Speaker) -> audio.Pcm:
        engine = speaker_of(speaker.engine, step.text, personal=step.personal)
        samples, rate_hz = engine.synthesize(step.text)
        try:
            sound = audio.telephone(samples, rate_hz)
        except audio.SilentSound:
            what = "a value" if not step.static else f"“{step.text}”"
            raise Unspeakable(
                f"voice {speaker.label} says nothing at {what}; "
                "write it in letters of the campaign's language"
            ) from None
        return audio.pcm16(sound, step.lead_ms, step.tail_ms)

    def _place(self, step: Utterance | Path, speaker: Speaker) -> tuple[str, str]:
        """Folder and key in the cache."""
        if isinstance(step, Path):
            return RECORDED, self._recorded_key(step)
        if not step.text:
            return SILENCE, self.cache.key({"ms": step.lead_ms, "rate_hz": audio.RATE_HZ})
        engine = speaker_of(speaker.engine, step.text, personal=step.personal)
        version = engine.version()
        if speaker.engine.name != RECORDED:
            self._versions[speaker.turn] = version
        key = self.cache.key(
            {
                "engine": engine.name,
                "engine_version": version,
                "voice": engine.voice,
                "settings": engine.settings(),
                "text": unicodedata.normalize("NFC", step.text),
                "lead_ms": step.lead_ms,
                "tail_ms": step.tail_ms,
                "rate_hz": audio.RATE_HZ,
                "audio_version": audio.VERSION,
            },
            personal=step.personal,
            of=step.of,
        )
        return f"{speaker.folder}/{PERSONAL}" if step.personal else speaker.folder, key

    def _recorded_key(self, path: Path) -> str:
        """By content; the content is read again only when size or time of the file changed."""
        known = _state(path)
        with self._recorded_lock:
            digest = self._recorded.get(known)
        if digest is None:
            digest = file_digest(path)
            with self._recorded_lock:
                self._recorded[known] = digest
        return self.cache.key({"recorded": digest, "audio_version": audio.VERSION})


class _AnotherVersion(Exception):
    """The voice spoke, and is not the one any more whose sound was wanted."""


def _as_known(step: Utterance | Path, version: str) -> Hashable:
    """A recording may be replaced by another one of this name, a voice by its next version."""
    if isinstance(step, Path):
        return _state(step)
    return (version, step) if step.text else step


def _state(path: Path) -> tuple[str, int, int]:
    """Another one where the file was written anew."""
    name = str(path)
    try:
        state = os.stat(name)
    except OSError:
        return name, -1, -1  # file_digest says what is wrong with it
    return name, state.st_size, state.st_mtime_ns


def _rendered(parts: Sequence[Part], values: Values) -> list[list[Piece] | Path]:
    """The pieces of each text, and recordings."""
    return [
        part.path if isinstance(part, SoundPart) else part.template.render(values) for part in parts
    ]


def join(manifest: Manifest, out_path: Path) -> int:
    """Writes the whole message as one WAV, for listening; its length in milliseconds."""
    data = b"".join(read_pcm(path) for path in manifest.paths)
    pcm = np.frombuffer(data, "<i2")
    write_wav(out_path, pcm)
    return len(pcm) * 1000 // audio.RATE_HZ
