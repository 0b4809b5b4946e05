"""`duecall voice`: who can speak here, how it sounds, and what a person has to record."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import numpy as np
import pydantic

from duecall.cli import cli
from duecall.cli.common import Context, console, fail, hang, pass_context, print_lines
from duecall.core.campaign import Language
from duecall.core.site import Site
from duecall.core.voice import ENGINE_NAMES, Voice, VoiceChoice, chosen_voice
from duecall.shell import config_file
from duecall.shell.campaign_files import campaign_file
from duecall.speech import audio
from duecall.speech.cache import read_pcm
from duecall.speech.engines.catalogue import AbsentEngine, close_all, engines_of
from duecall.speech.engines.known import BEST, KNOWN, LANGUAGES, Known
from duecall.speech.engines.recorded_voice import RecordedEngine
from duecall.speech.faults import CacheError, EngineMissing, TemplateFault, Unspeakable
from duecall.speech.prompts import PromptBook, TextPart, join
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Day, Money, Value

LABEL = 11  # columns
# Polite, with a sum and a date: what a voice has to be able to say.
SENTENCES: Mapping[Language, str] = MappingProxyType(
    {
        "vi": "Kính chào quý khách. Khoản thanh toán của quý khách là {{ balance }}, "
        "đến hạn vào {{ due_date }}. Xin cảm ơn.",
        "ru": "Здравствуйте. Сумма вашего платежа: {{ balance }}. "
        "Просим оплатить до {{ due_date }}. Спасибо.",
        "zh": "您好。您本期应还款{{ balance }}，还款日是{{ due_date }}。谢谢。",
        "en": "Hello. Your payment of {{ balance }} is due on {{ due_date }}. Thank you.",
    }
)
VALUES: Mapping[Language, Money] = MappingProxyType(
    {
        "vi": Money(12_345_678, "VND"),
        "ru": Money(1_234_567, "RUB"),
        "zh": Money(1_234_567, "CNY"),
        "en": Money(123_456, "USD"),
    }
)
DUE = date(2026, 4, 19)
_WARM_UP: Mapping[Language, str] = MappingProxyType(
    {"vi": "một", "ru": "один", "zh": "一", "en": "one"}
)


@cli.group()
def voice() -> None:
    """Voices: what is installed, how it sounds, what has to be recorded.

    \b
    Example:
      duecall voice list
      duecall voice try vi
    """


# ---- list


@voice.command("list")
@click.option("--language", type=click.Choice(LANGUAGES), help="Only engines that speak it.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def list_(context: Context, language: Language | None, as_json: bool) -> None:
    """Every engine: is it here, what does it speak, what can be set, what does it cost.

    Which one speaks is chosen in config.yaml (`voices`) or by the campaign (`voice`); where none
    is chosen, it is espeak. Nothing is changed, started or loaded.

    \b
    Example:
      duecall voice list
      duecall voice list --language ru
    """
    site = context.site if context.config.exists() else None
    programs = site.programs if site else {}
    engines = [one for one in KNOWN if language is None or not one.voices or language in one.voices]
    missing = {one.name: one.missing(programs) for one in engines}
    languages = (language,) if language else LANGUAGES
    advice = {one: _advice(one, programs) for one in languages}
    if as_json:
        told = {
            "engines": [_as_json(one, missing[one.name]) for one in engines],
            "languages": {
                one: {"chosen": _chosen(site, one), "best": best, "installed": there}
                for one, (best, there) in advice.items()
            },
        }
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    for one in engines:
        print_lines(
            [
                hang(f"[bold]{one.name:<{LABEL}}[/bold]", _state(one, missing[one.name]), LABEL),
                hang(" " * LABEL, _abilities(one), LABEL),
            ]
        )
    console.print()
    for each, (best, there) in advice.items():
        print_lines([hang(f"{each:<{LABEL}}", _advised(site, each, best, there), LABEL)])


def _state(one: Known, missing: str) -> str:
    if not missing:
        return "installed" if one.install else "ready"
    if one.install and one.install not in missing:
        missing = f"{missing}; {one.install}"
    return f"not here: {missing}"


def _abilities(one: Known) -> str:
    voices = ", ".join(
        f"{' '.join(speak)}: {' '.join(names)}" for names, speak in _by_voices(one).items()
    )
    lines = [voices] if voices else []
    if one.own:
        lines.append(f"{'also ' if voices else ''}{one.own}")
    can = [
        name for name, takes in (("speed", one.takes_speed), ("pitch", one.takes_pitch)) if takes
    ]
    lines.append(f"can be set: {' and '.join(can) or 'nothing'}; licence: {one.licence}")
    if one.cpu:
        lines.append(f"{one.cpu:g} s of one core a second of speech, {one.memory_mb} MB")
    return "\n".join(lines)


def _by_voices(one: Known) -> dict[tuple[str, ...], list[Language]]:
    """Languages with the same voices together."""
    grouped: dict[tuple[str, ...], list[Language]] = {}
    for language in one.languages:
        grouped.setdefault(one.voices[language], []).append(language)
    return grouped


def _advice(language: Language, programs: Mapping[str, tuple[str, ...]]) -> tuple[str, bool]:
    """The best engine of all for the language; whether it is here."""
    best = BEST[language][0]
    return best, not next(one for one in KNOWN if one.name == best).missing(programs)


def _chosen(site: Site | None, language: Language) -> str:
    own = site.voices.get(language) if site else None
    return own.engine if own else "espeak"


def _advised(site: Site | None, language: Language, best: str, there: bool) -> str:
    chosen = _chosen(site, language)
    text = f"{chosen} speaks, where a campaign names no engine"
    if chosen == best:
        return f"{text}: the best that can be installed"
    install = next(one for one in KNOWN if one.name == best).install
    first = "" if there else f"{install}, then "
    return f"{text}; better: {first}voices: {{{language}: {{engine: {best}}}}} in config.yaml"


def _as_json(one: Known, missing: str) -> dict[str, Any]:
    return {
        "engine": one.name,
        "here": not missing,
        "missing": missing,
        "install": one.install,
        "voices": dict(one.voices),
        "speed": one.takes_speed,
        "pitch": one.takes_pitch,
        "needs_model": one.needs_model,
        "licence": one.licence,
        "cpu_s_per_s": one.cpu or None,
        "memory_mb": one.memory_mb or None,
    }


# ---- try


@dataclass(frozen=True)
class _Spoken:
    text: str
    load_s: float
    took_s: float
    length_s: float
    level_dbov: float


@voice.command("try")
@click.argument("what", metavar="LANGUAGE|CAMPAIGN")
@click.option("--engine", type=click.Choice(ENGINE_NAMES), help="Instead of the chosen one.")
@click.option("--name", help="A voice or speaker within the engine.")
@click.option("--model", type=click.Path(path_type=Path), help="A model or folder of your own.")
@click.option("--text", help="A message with values, instead of a polite sentence.")
@click.option("--words-per-minute", type=int, help="80 to 300, where the engine can.")
@click.option("--pitch", type=int, help="0 to 99, where the engine can.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The WAV to write.  [default: voice-LANGUAGE-ENGINE.wav here]",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@pass_context
def try_(
    context: Context,
    what: str,
    engine: str | None,
    name: str | None,
    model: Path | None,
    text: str | None,
    words_per_minute: int | None,
    pitch: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Hear a voice as the callee does: writes a WAV of 8 kHz, says what it took.

    With a language the voice is the one of config.yaml, with a campaign the campaign's. Fallbacks
    are not asked: a voice that cannot speak says why. Nothing of it is kept in the cache.

    \b
    Example:
      duecall voice try vi
      duecall voice try ru --engine festival --out ru.wav
      duecall voice try en --text "You owe {{ '12.50' | money('USD') }}."
    """
    language, chosen, region = _who(context, what)
    asked = {"name": name, "words_per_minute": words_per_minute, "pitch": pitch}
    settings = {key: value for key, value in asked.items() if value is not None}
    if model is not None:
        settings["model"] = str(model.absolute())
    spoken_by = _choice(chosen, engine, settings)
    template = _template(text or SENTENCES[language], language)
    values: dict[str, Value] = {"balance": VALUES[language], "due_date": Day(DUE)}
    programs = context.site.programs if context.config.exists() else {}
    path = out or Path(f"voice-{language}-{spoken_by.engine}.wav")
    try:
        spoken = _speak(spoken_by, language, region, programs, template, values, path)
    except (Unspeakable, TemplateFault) as error:
        fail(f"{spoken_by.engine} cannot say this: {error}")
    finally:
        close_all()
    _tell(spoken, spoken_by, language, path, as_json)


def _who(context: Context, what: str) -> tuple[Language, Voice, Any]:
    """Language, voice and region that are spoken in."""
    for language in LANGUAGES:
        if what == language:
            site = context.site if context.config.exists() else None
            own = site.voices.get(language) if site else None
            return language, own or Voice(engine="espeak"), ""
    try:
        path = campaign_file(Path(what), context.root)
    except FileNotFoundError as error:
        fail(f"{what} is no language ({', '.join(LANGUAGES)}): {error}")
    campaign = config_file.load_campaign(path, context.site)
    chosen = chosen_voice(context.site, campaign)
    return campaign.language, chosen, chosen.region


def _choice(chosen: Voice, engine: str | None, settings: dict[str, Any]) -> Voice:
    """The chosen voice with what the command line says; another engine begins from nothing."""
    if engine is None or engine == chosen.engine:
        kept = chosen.model_dump(exclude={"fallback", "region"})
    else:
        kept = {"engine": engine}
    try:
        return Voice(**{**kept, **settings})
    except pydantic.ValidationError as error:
        told = [
            f"--{'-'.join(map(str, fault['loc'])).replace('_', '-') or 'engine'}: {fault['msg']}"
            for fault in error.errors()
        ]
        fail("; ".join(told))


def _template(text: str, language: Language) -> MessageTemplate:
    try:
        template = MessageTemplate(text, language)
        for fault in (
            *template.undefined_faults({"balance", "due_date"}),
            *template.static_number_faults(),
        ):
            raise fault
    except TemplateFault as error:
        fail(f"--text: {error}")
    return template


def _speak(
    choice: Voice,
    language: Language,
    region: Any,
    programs: Mapping[str, tuple[str, ...]],
    template: MessageTemplate,
    values: dict[str, Value],
    path: Path,
) -> _Spoken:
    engine = engines_of(choice, language, programs)[0]
    if isinstance(engine, AbsentEngine):
        raise EngineMissing(engine.why)
    with tempfile.TemporaryDirectory() as folder:
        book = PromptBook(Path(folder) / "cache", language, choice, engine=engine, region=region)
        began_s = time.monotonic()
        engine.version()
        if not isinstance(engine, RecordedEngine):
            engine.synthesize(_WARM_UP[language])
        loaded_s = time.monotonic()
        manifest = book.render((TextPart(template),), values)
        if not manifest.ms:
            fail("--text: nothing in it can be spoken; write words")
        done_s = time.monotonic()
        pcm = b"".join(read_pcm(part) for part in manifest.paths)
        try:
            length_ms = join(manifest, path)
        except CacheError as error:
            why = error.__context__  # the cache speaks of itself, and this file is not in it
            fail(f"{path}: {why.strerror}" if isinstance(why, OSError) else str(error))
    samples = np.asarray(np.frombuffer(pcm, "<i2") / 32_768, np.float32)
    return _Spoken(
        manifest.text,
        loaded_s - began_s,
        done_s - loaded_s,
        length_ms / 1000,
        audio.active_level_dbov(samples),
    )


def _tell(
    spoken: _Spoken, choice: VoiceChoice, language: Language, path: Path, as_json: bool
) -> None:
    factor = spoken.took_s / spoken.length_s
    if as_json:
        told = {
            "language": language,
            "engine": choice.engine,
            "text": spoken.text,
            "file": str(path),
            "length_s": round(spoken.length_s, 3),
            "load_s": round(spoken.load_s, 3),
            "took_s": round(spoken.took_s, 3),
            "real_time_factor": round(factor, 4),
            "level_dbov": round(spoken.level_dbov, 1),
        }
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    console.print(spoken.text, highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"{spoken.length_s:.1f} s of speech by {choice.engine} in {spoken.took_s:.2f} s "
        f"(real-time factor {factor:.3f}), after {spoken.load_s:.1f} s to load; "
        f"level {spoken.level_dbov:.1f} dBov",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    console.print(str(path), highlight=False, markup=False, soft_wrap=True)
