"""Is everything in place for calling? One finding a line, each with its remedy."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from duecall.core.campaign import Language
from duecall.core.rule_check import overdue_review
from duecall.core.site import Site
from duecall.core.voice import Voice, VoiceChoice, chosen_voice
from duecall.shell.clock import now
from duecall.shell.config_voices import fault_of
from duecall.shell.esl_errors import LinkError
from duecall.shell.esl_link import EslLink
from duecall.shell.store import Store
from duecall.speech.engines.catalogue import engines_of
from fs_scripts.contract import ENTRY_MODULE, unsafe_sound

Verdict = Literal["ok", "warning", "wrong"]
MODULES = (
    "mod_sofia",
    "mod_event_socket",
    "mod_python3",
    "mod_json_cdr",
    "mod_dptools",
    "mod_sndfile",
)
INSTALL = "run: duecall freeswitch install, and restart FreeSWITCH"
DISK_MIN_MB = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """what: the thing looked at. remedy: empty where nothing is to be done."""

    verdict: Verdict
    what: str
    detail: str
    remedy: str = ""


def examine(
    site: Site, *, password: str | None, open_store: Callable[[], Store]
) -> Iterator[Finding]:
    """Look at everything, the switch last; a fault in one thing does not hide the others.

    password: of the Event Socket; None where it is not known.
    """
    yield _database(site, open_store)
    for name in ("recordings", "cdr", "tts_cache"):
        yield _folder(name, Path(getattr(site.folders, name)))
    yield _disk(Path(site.folders.recordings))
    yield _rules(site, now().wall.date())
    yield from _voices(site, open_store)
    if password is None:
        yield Finding(
            "wrong",
            "Event Socket password",
            "not known",
            f"set DUECALL_ESL_PASSWORD, or write it to {site.switch.password_file} (mode 600)",
        )
        return
    yield from _switch(site, password)


def _database(site: Site, open_store: Callable[[], Store]) -> Finding:
    try:
        store = open_store()
        try:
            store.check_writable()
        finally:
            store.close()
    except Exception as error:
        return Finding("wrong", "database", str(error), f"make {site.database} writable for us")
    return Finding("ok", "database", f"{site.database} can be written")


def _folder(name: str, path: Path) -> Finding:
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o770)
        with tempfile.NamedTemporaryFile(dir=path):
            pass
    except OSError as error:
        return Finding("wrong", f"folder {name}", str(error), f"make {path} writable for us")
    return Finding("ok", f"folder {name}", str(path))


def _disk(path: Path) -> Finding:
    free_mb = shutil.disk_usage(path).free // 1_000_000
    if free_mb < DISK_MIN_MB:
        return Finding(
            "warning",
            "disk",
            f"{free_mb} MB free for recordings",
            "free some room: a recorded minute takes 2 MB",
        )
    return Finding("ok", "disk", f"{free_mb:,} MB free for recordings")


def _rules(site: Site, today: date) -> Finding:
    """Packs that nobody is called by any more; which ones the campaigns use is not known here."""
    overdue = sorted(name for name, pack in site.packs.items() if overdue_review(pack, today))
    if overdue:
        detail = f"to be reviewed by a lawyer, nobody is called by them: {', '.join(overdue)}"
        remedy = f"put checked copies with a later review_by into {site.folders.rules}"
        return Finding("warning", "rule packs", detail, remedy)
    return Finding("ok", "rule packs", ", ".join(sorted(site.packs)))


def _voices(site: Site, open_store: Callable[[], Store]) -> Iterator[Finding]:
    """Each engine that the site or a campaign of the database may speak with, started."""
    wanted = [(language, voice, "config.yaml") for language, voice in site.voices.items()]
    with suppress(Exception):  # what is wrong with the database has been said
        store = open_store()
        try:
            rows = store.campaigns()
        finally:
            store.close()
        for row in rows:
            campaign = row.campaign
            wanted.append((campaign.language, chosen_voice(site, campaign), campaign.name))
    users: dict[tuple[Language, VoiceChoice], list[str]] = {}
    for language, voice, user in wanted or [("en", Voice(engine="espeak"), "default")]:
        for choice in voice.choices():
            names = users.setdefault((language, choice), [])
            if user not in names:
                names.append(user)
    for (language, choice), names in users.items():
        chosen = Voice(**choice.model_dump())
        (engine,) = engines_of(chosen, language, site.programs, site.voice_processes)
        what = f"voice {engine.name}:{engine.voice}"
        if why := fault_of(engine):
            remedy = f"used by {', '.join(names)}; `duecall voice list` shows what there is"
            yield Finding("wrong", what, why, remedy)
        else:
            yield Finding("ok", what, f"version {engine.version()}, used by {', '.join(names)}")


def _switch(site: Site, password: str) -> Iterator[Finding]:
    settings = site.switch
    where = f"{settings.host}:{settings.port}"
    link = EslLink(
        settings.host, settings.port, settings.user, password, password_source="the password file"
    )
    try:
        link.connect()
    except LinkError as error:
        yield Finding("wrong", "switch", str(error), f"is it running? {INSTALL}")
        return
    try:
        version = link.api("version").strip()
        pocket = "pocket switch" in version.lower()
        if pocket:
            yield Finding(
                "warning",
                "switch",
                f"{version}, at {where}",
                "for demo and tests only: production needs FreeSWITCH (docs/freeswitch.md)",
            )
        else:
            yield Finding("ok", "switch", f"{version}, at {where}")
        for module in MODULES:
            there = link.api(f"module_exists {module}").strip() == "true"
            yield (
                Finding("ok", f"module {module}", "loaded")
                if there
                else Finding("wrong", f"module {module}", "not loaded", INSTALL)
            )
        yield _script(link)
        yield _prompts(link, Path(site.folders.tts_cache))
        yield from _records(link, Path(site.folders.cdr))
        for name in site.trunks:
            yield _gateway(link, name)
    except LinkError as error:
        yield Finding("wrong", "switch", f"the link broke: {error}", "see the switch's log")
    finally:
        link.close()


def _script(link: EslLink) -> Finding:
    """The scripts folder of the switch holds the dialogue, and the same version of it as ours."""
    folder = link.api("global_getvar script_dir").strip()
    entry = Path(folder) / Path(*ENTRY_MODULE.split(".")).with_suffix(".py")
    if not entry.is_file():
        return Finding("wrong", "scripts", f"no {entry}", INSTALL)
    ours = Path(__file__).resolve().parents[3] / "fs_scripts"
    for mine in sorted(ours.glob("*.py")):
        theirs = entry.parent / mine.name
        if not theirs.is_file() or theirs.read_bytes() != mine.read_bytes():
            return Finding("wrong", "scripts", f"{theirs} is not this version's", INSTALL)
    return Finding("ok", "scripts", str(entry.parent))


def _prompts(link: EslLink, cache: Path) -> Finding:
    """A sound file put where prompts are: does the switch, which may be another user, find it?"""
    remedy = f"let the user that the switch runs as read {cache} and enter the folders above it"
    try:
        with tempfile.NamedTemporaryFile(dir=cache, prefix="doctor-", suffix=".wav") as probe:
            Path(probe.name).chmod(0o644)
            seen = link.api(f"file_exists {probe.name}").strip()
    except (OSError, ValueError) as error:
        return Finding("wrong", "prompts", str(error), remedy)
    if seen != "true":
        return Finding("wrong", "prompts", f"the switch does not see files in {cache}", remedy)
    return Finding("ok", "prompts", f"the switch sees {cache}")


def _records(link: EslLink, folder: Path) -> Iterator[Finding]:
    """Call records and keys that decided something are written there by the switch's own user."""
    if unsafe_sound(str(folder)):
        yield Finding(
            "wrong",
            "records",
            f"{folder} has more in it than letters, digits and _.+@/-: keys are not written there",
            "choose another folder: folders.cdr of config.yaml",
        )
        return
    owner = _switch_user(link)
    if owner is None:
        return  # another machine's, or no FreeSWITCH
    uid, groups = owner
    if _may_write(folder, uid, groups):
        yield Finding("ok", "records", f"the switch may write in {folder}")
    else:
        remedy = f"give {folder} to a group that both belong to, with mode 770"
        detail = f"the switch's user (uid {uid}) may not write in {folder}"
        yield Finding("wrong", "records", detail, remedy)


def _switch_user(link: EslLink) -> tuple[int, set[int]] | None:
    """(uid, groups) of FreeSWITCH's process, where it runs on this machine."""
    run_dir = link.api("global_getvar run_dir").strip()
    try:
        pid = int((Path(run_dir) / "freeswitch.pid").read_text().split()[0])
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        uid, gid = (int(status[name].split()[1]) for name in ("Uid", "Gid"))  # the effective ones
        return uid, {gid, *map(int, status["Groups"].split())}
    except (OSError, ValueError, IndexError, KeyError):
        return None


def _may_write(folder: Path, uid: int, groups: set[int]) -> bool:
    """By the bits of its mode."""
    seen = folder.stat()
    if uid == 0:
        return True
    shift = 6 if seen.st_uid == uid else 3 if seen.st_gid in groups else 0
    return (seen.st_mode >> shift) & 0o3 == 0o3


def _gateway(link: EslLink, name: str) -> Finding:
    answer = link.api(f"sofia status gateway {name}")
    if "Invalid Gateway" in answer:
        return Finding("wrong", f"trunk {name}", "the switch has no such gateway", INSTALL)
    return Finding("ok", f"trunk {name}", "known to the switch")
