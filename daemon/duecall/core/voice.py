"""Which voice speaks: engine, voice within it, speed and pitch; and which ones stand in for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from duecall.core.model import Model
from duecall.core.scalars import Flag, matching, refusal, refuse

if TYPE_CHECKING:  # both are made of voices
    from duecall.core.campaign import Campaign
    from duecall.core.site import Site

EngineName = Literal[
    "espeak", "festival", "hibari", "kokoro", "piper", "coqui", "recorded", "command"
]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)
WORDS_PER_MINUTE = 150
PITCH = 50
# What a voice of the engine can be told; for all others a setting is refused, not passed over.
TAKES_SPEED: frozenset[EngineName] = frozenset(
    {"espeak", "hibari", "kokoro", "piper", "coqui", "command"}
)
TAKES_PITCH: frozenset[EngineName] = frozenset({"espeak", "command"})
TAKES_MODEL: frozenset[EngineName] = frozenset({"piper", "coqui", "recorded"})
NEEDS_MODEL: frozenset[EngineName] = frozenset({"coqui", "recorded"})

_Problem = tuple[tuple[str | int, ...], str, str]


class VoiceChoice(Model):
    """One voice of one engine. engine: empty where none is chosen."""

    engine: Literal[EngineName, ""] = ""
    # A voice or speaker within the engine; empty: its best for the language. With `command` the
    # name of a program of config.yaml, and after a colon that program's own name of a voice.
    name: Annotated[
        str,
        matching(
            r"([A-Za-z0-9][A-Za-z0-9 _.:+-]{0,79})?", "letters a-z, digits, spaces and _ . : + -"
        ),
    ] = ""
    model: str = ""  # file or folder of the operator's own; the loader makes it absolute
    words_per_minute: Annotated[int, Field(ge=80, le=300)] = WORDS_PER_MINUTE
    pitch: Annotated[int, Field(ge=0, le=99)] = PITCH

    @model_validator(mode="after")
    def _check_choice(self) -> VoiceChoice:
        refuse("VoiceChoice", problems_of(self))
        return self

    def plain(self) -> VoiceChoice:
        """The choice alone, without what a Voice adds to it."""
        return VoiceChoice.model_construct(
            **{name: getattr(self, name) for name in VoiceChoice.model_fields}
        )


def problems_of(choice: VoiceChoice) -> Iterator[_Problem]:
    """What its engine cannot do of this choice: place within it, problem, what is allowed."""
    engine = choice.engine
    if not engine:
        for key in ("name", "model"):
            if getattr(choice, key):
                yield (key,), f"{key} without the engine that it belongs to", "engine: beside it"
        return
    for key, default, takers in (
        ("words_per_minute", WORDS_PER_MINUTE, TAKES_SPEED),
        ("pitch", PITCH, TAKES_PITCH),
    ):
        if getattr(choice, key) != default and engine not in takers:
            allowed = f"leave it out, or one of the engines {', '.join(sorted(takers))}"
            yield (key,), f"{engine} cannot change it", allowed
    if choice.model and engine not in TAKES_MODEL:
        allowed = f"only with the engines {', '.join(sorted(TAKES_MODEL))}"
        yield ("model",), f"{engine} takes no model", allowed
    if not choice.model and engine in NEEDS_MODEL:
        yield (), f"{engine} without `model`", "model: the folder, seen from this file's own"
    if engine == "command" and not choice.name:
        yield (), "command without `name`", "name: one of `programs` in config.yaml"


def _as_choice(value: Any) -> Any:
    return {"engine": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict) else value


_Fallback = Annotated[VoiceChoice, BeforeValidator(_as_choice)]


class Voice(VoiceChoice):
    """fallback: who speaks, in turn, where the engine cannot; an engine's name alone will do.
    personal: with `recorded`, who speaks names and free text that nobody has recorded.
    region: whose words numbers are said in; Vietnamese only. whole_sentences: a clause with its
    values is spoken in one go, not joined of fragments."""

    region: Literal["", "north", "south"] = ""
    fallback: Annotated[tuple[_Fallback, ...], BeforeValidator(_as_list), Field(max_length=5)] = ()
    personal: Annotated[VoiceChoice, BeforeValidator(_as_choice)] = VoiceChoice()
    whole_sentences: Flag = False

    @model_validator(mode="after")
    def _check_voice(self) -> Voice:
        refuse("Voice", self._problems())
        return self

    def _problems(self) -> Iterator[_Problem]:
        seen = {self.plain()}
        for number, choice in enumerate(self.fallback):
            if not choice.engine:
                allowed = f"one of {', '.join(ENGINE_NAMES)}"
                yield ("fallback", number), "a fallback without an engine", allowed
            elif choice in seen:
                yield ("fallback", number), f"{choice.engine} as before", "each voice once"
            seen.add(choice)
        if self.fallback and not self.engine:
            problem = "a fallback for no engine"
            yield ("fallback",), problem, "engine: the one that speaks as long as it can"
        if self.personal.engine and "recorded" not in {one.engine for one in self.choices()}:
            problem = "an engine for names beside no recorded voice"
            yield ("personal",), problem, "only with `engine: recorded`; or leave it out"
        if self.personal.engine == "recorded":
            yield ("personal",), "names cannot all be recorded", "an engine that reads any text"
        if self.whole_sentences and self.engine == "recorded":
            problem = "a recorded voice has fragments only"
            yield ("whole_sentences",), problem, "leave it out"

    def choices(self) -> tuple[VoiceChoice, ...]:
        """The chosen one, then those that stand in for it."""
        return (self.plain(), *self.fallback)


def chosen_voice(site: Site, campaign: Campaign) -> Voice:
    """The campaign's, where it names an engine; else the site's for the language; else espeak.

    A campaign without an engine of its own may still set speed, pitch and region. Not checked
    again: see problems_of.
    """
    own = campaign.voice
    if own.engine:
        return own
    voice = site.voices.get(campaign.language, Voice(engine="espeak"))
    update: dict[str, Any] = {"region": own.region}
    if own.words_per_minute != WORDS_PER_MINUTE:
        update["words_per_minute"] = own.words_per_minute
    if own.pitch != PITCH:
        update["pitch"] = own.pitch
    if own.whole_sentences:
        update["whole_sentences"] = True
    return voice.model_copy(update=update)


def program_of(choice: VoiceChoice) -> tuple[str, str]:
    """Of a `command` choice: the program's name in config.yaml, and the voice that it is told."""
    program, _, voice = choice.name.partition(":")
    return program, voice


PLACEHOLDERS = ("language", "voice", "words_per_minute", "pitch")  # of a program's arguments


def program_argument(text: str) -> str:
    """Validator of one argument of a program: its placeholders are known ones."""
    rest = text
    for name in PLACEHOLDERS:
        rest = rest.replace("{" + name + "}", "")
    if "{" in rest or "}" in rest or "\0" in rest:
        allowed = ", ".join("{" + name + "}" for name in PLACEHOLDERS)
        raise refusal(f"{text!r} holds a placeholder that is not known", allowed)
    return text
