"""`voice:` of a campaign, `voices:` and `programs:` of config.yaml: what they refer to outside.

Files, folders and programs are looked at here; whether an engine really speaks is tried by
`check_voices`, which starts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from duecall.core.campaign import Campaign
from duecall.core.scalars import did_you_mean
from duecall.core.site import Site
from duecall.core.voice import TAKES_MODEL, chosen_voice, problems_of
from duecall.shell.config_faults import ConfigFaults, Fault
from duecall.shell.config_templates import Place, Reference
from duecall.shell.model_faults import fault_at
from duecall.shell.yaml_tree import Tree, read_tree
from duecall.speech.engine import Engine
from duecall.speech.engines.catalogue import engines_of
from duecall.speech.faults import SpeechError

_FILE_ENGINES = ("piper",)  # their `model` is a file, that of the others a folder


def of_campaign(tree: Tree, folder: Path, site: Site | None) -> Iterator[Reference]:
    """Models and programs of `voice:` that are not there. folder: of the campaign file."""
    programs = None if site is None else list(site.programs)
    yield from _of_voice(("voice",), tree.data.get("voice"), folder, programs)


def of_site(tree: Tree, folder: Path) -> Iterator[Reference]:
    """The same of `voices:`."""
    programs = tree.data.get("programs")
    names = list(programs) if isinstance(programs, dict) else []
    voices = tree.data.get("voices")
    for language, voice in voices.items() if isinstance(voices, dict) else ():
        yield from _of_voice(("voices", language), voice, folder, names)


def of_both(tree: Tree, site: Site, campaign: Campaign) -> Iterator[Reference]:
    """What the campaign wants of the site's voice and that its engine cannot do."""
    if campaign.voice.engine:
        return  # judged by itself
    voice = chosen_voice(site, campaign)
    for place, problem, allowed in problems_of(voice):
        where: Place = ("voice", *place) if "voice" in tree.data else ("language",)
        yield where, f"{problem} (engine of config.yaml)", allowed, None


def make_absolute(tree: Tree, folder: Path) -> None:
    """Models and programs in the data of either file, relative to its folder, become absolute."""
    folder = folder.resolve()
    voices = tree.data.get("voices")
    holders = [tree.data.get("voice"), *(voices.values() if isinstance(voices, dict) else ())]
    for holder in holders:
        for _, choice in _choices((), holder):
            if isinstance(model := choice.get("model"), str) and model.strip():
                choice["model"] = str(folder / model)
    programs = tree.data.get("programs")
    for line in programs.values() if isinstance(programs, dict) else ():
        if isinstance(line, list) and line and isinstance(line[0], str) and "/" in line[0]:
            line[0] = str(folder / line[0])


def check_voices(path: Path, site: Site, campaign: Campaign) -> None:
    """Starts each engine that the campaign may speak with. ConfigFaults for those that cannot.

    path: of the campaign's file.
    """
    tree = read_tree(path)
    own = bool(campaign.voice.engine)
    voice = chosen_voice(site, campaign)
    faults: list[Fault] = []
    engines = engines_of(voice, campaign.language, site.programs, site.voice_processes)
    for number, engine in enumerate(engines):
        if why := fault_of(engine):
            place: Place = ("voice",) if own else ("language",)
            if own and number:
                listed = isinstance(tree.at(("voice", "fallback")), list)
                place = ("voice", "fallback", number - 1) if listed else ("voice", "fallback")
            where = "" if own else f"voice of {campaign.language} in config.yaml: "
            allowed = "a voice that is installed (`duecall voice list`)"
            faults.append(fault_at(path, tree, place, where + why, allowed))
    if faults:
        raise ConfigFaults(faults)


def fault_of(engine: Engine) -> str:
    """Why the engine cannot speak; empty where it can. Loads it, where it stays loaded."""
    try:
        engine.version()
        if ready := getattr(engine, "ready", None):
            ready()
    except SpeechError as error:
        return str(error)
    return ""


def _choices(place: Place, voice: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The voice itself and what stands in for it, where they are written out."""
    if not isinstance(voice, dict):
        return
    yield place, voice
    fallback = voice.get("fallback")
    if isinstance(fallback, dict):
        yield (*place, "fallback"), fallback
    elif isinstance(fallback, list):
        for number, one in enumerate(fallback):
            if isinstance(one, dict):
                yield (*place, "fallback", number), one
    if isinstance(personal := voice.get("personal"), dict):
        yield (*place, "personal"), personal


def _of_voice(
    place: Place, voice: Any, folder: Path, programs: list[str] | None
) -> Iterator[Reference]:
    for where, choice in _choices(place, voice):
        model, engine, name = (choice.get(key) for key in ("model", "engine", "name"))
        if isinstance(model, str) and model.strip() and engine in TAKES_MODEL:
            path = folder / model
            if engine in _FILE_ENGINES and not path.is_file():
                allowed = "a model's file, seen from this file's folder"
                yield (*where, "model"), f"no file {path}", allowed, None
            elif engine not in _FILE_ENGINES and not path.is_dir():
                allowed = "a folder, seen from this file's own"
                yield (*where, "model"), f"no folder {path}", allowed, None
        if engine == "command" and isinstance(name, str) and name and programs is not None:
            program = name.partition(":")[0]
            if program not in programs:
                hint = did_you_mean(program, programs)
                problem = f"{program!r} is none of `programs` in config.yaml{hint}"
                yield (*where, "name"), problem, ", ".join(sorted(programs)) or "(none there)", None
