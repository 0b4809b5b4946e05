"""Put Duecall into an installed FreeSWITCH, or write a FreeSWITCH of its own into one folder.

Of what is there only `freeswitch.xml` (the root of the configuration) is replaced, after a backup;
everything else goes into folders named duecall and fs_scripts. Doing it again changes nothing.
"""

from __future__ import annotations

import os
import py_compile
import secrets
import shutil
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import fs_scripts
from duecall.core.site import Site
from duecall.shell.freeswitch_config import FOLDER, ROOT, ConfigError, SwitchConfig, render
from duecall.shell.freeswitch_layout import Layout, layout_of
from duecall.shell.hold_music import write_hold_music

HOLD_MUSIC = "hold_music.wav"
_BACKUPS = "before-duecall"
_ADMIN_PASSWORD = "freeswitch-admin.password"
_SECRET_FILES = frozenset({"event_socket.conf.xml", "sofia.conf.xml", "duecall.xml"})
# Where `uuid_recv_dtmf` and loopback calls serve the tests; a production switch has neither.
TEST_MODULES = ("mod_loopback",)
TEST_INTERFACES = ("mod_commands.uuid_recv_dtmf.api",)


class Action(NamedTuple):
    """One thing done (or, in a dry run, to be done). note: why, or what to do about it."""

    action: Literal["write", "backup", "make folder", "remove", "unchanged"]
    path: Path
    note: str = ""


@dataclass
class _Changes:
    """Writes files only where they differ, keeps what they held, and remembers what it did."""

    dry_run: bool
    backups: Path
    actions: list[Action] = field(default_factory=list)

    def write(self, path: Path, data: bytes, mode: int = 0o644, note: str = "") -> None:
        if path.is_file() and path.read_bytes() == data:
            self._private(path, mode)
            self.actions.append(Action("unchanged", path, note))
            return
        if path.is_file():
            self._backup(path)
        self.actions.append(Action("write", path, note))
        if not self.dry_run:
            write_atomically(path, data, mode)
            self._owner_of_folder(path)

    def folder(self, path: Path, mode: int, note: str) -> None:
        if path.is_dir():
            self.actions.append(Action("unchanged", path, note))
            return
        self.actions.append(Action("make folder", path, note))
        if not self.dry_run:
            path.mkdir(mode=mode, parents=True)

    def remove(self, path: Path, note: str) -> None:
        self.actions.append(Action("remove", path, note))
        if not self.dry_run:
            path.unlink()

    def _backup(self, path: Path) -> None:
        name = str(path).lstrip("/").replace("/", "%")
        self.actions.append(Action("backup", self.backups / name, f"what {path} held"))
        if not self.dry_run:
            self.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(path, self.backups / name)

    def _private(self, path: Path, mode: int) -> None:
        if not self.dry_run and path.stat().st_mode & 0o777 & ~mode:
            path.chmod(mode)

    def _owner_of_folder(self, path: Path) -> None:
        """Debian's FreeSWITCH runs as a user of its own, which owns its configuration folder."""
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid)


def install(
    prefix: Path,
    site: Site,
    base: Path,
    *,
    config: SwitchConfig | None = None,
    dry_run: bool = False,
) -> list[Action]:
    """Put configuration, scripts, hold music and the Event Socket password in place.

    prefix: where FreeSWITCH is (/usr/local/freeswitch, or /usr for Debian's layout). base: the
    folder of config.yaml, which its relative paths are seen from. config: addresses and ports; its
    passwords, folders and trunk passwords are filled in here. Returns what was done, in order;
    with dry_run nothing is. Raises FreeSwitchMissing, ConfigError, OSError.
    """
    layout = layout_of(prefix)
    backups = layout.conf / f"{_BACKUPS}-{time.strftime('%Y%m%d-%H%M%S')}"
    changes = _Changes(dry_run, backups)
    var = base / site.folders.var
    settings = replace(
        config or SwitchConfig(),
        esl_password=_password(changes, base / site.switch.password_file, "the daemon's"),
        admin_password=_password(changes, var / _ADMIN_PASSWORD, "for fs_cli"),
        cdr_dir=(base / site.folders.cdr).resolve(),
        trunk_passwords=_trunk_passwords(site, base),
    )
    files = render(site, settings)  # before the first change: a fault in it changes nothing
    for folder in (site.folders.cdr, site.folders.recordings):
        changes.folder((base / folder).resolve(), 0o770, "FreeSWITCH must be able to write here")
    _put_scripts(changes, layout.scripts, layout)
    _put_hold_music(changes, hold_music_path(site, base))
    for name in sorted(files, key=lambda name: name == ROOT):  # the root last: all or nothing
        secret = Path(name).name in _SECRET_FILES
        changes.write(
            layout.conf / name, files[name].encode(), 0o640 if secret else 0o644, _note(name)
        )
    return changes.actions


def hold_music_path(site: Site, base: Path) -> Path:
    """The file the switch plays to a waiting callee: config.yaml's, or the one Duecall makes."""
    if site.hold_music:
        return (base / site.hold_music).resolve()
    return (base / site.folders.var / HOLD_MUSIC).resolve()


def write_minimal(
    directory: Path,
    site: Site,
    *,
    sip_port: int,
    esl_port: int,
    password: str,
    rtp_ports: tuple[int, int],
    log_level: str = "warning",
) -> None:
    """Write all that a FreeSWITCH of its own needs into one folder: for tests and `duecall demo`.

    Listens on 127.0.0.1 only. Relative folders of `site` are seen from `directory`, as if its
    config.yaml stood there. fs_cli's password is the same one. Passwords of trunks that log in
    are read as for an installation.
    """
    changes = _Changes(dry_run=False, backups=directory / _BACKUPS)
    config = SwitchConfig(
        esl_password=password,
        admin_password=password,
        cdr_dir=(directory / site.folders.cdr).resolve(),
        sip_port=sip_port,
        esl_host="127.0.0.1",
        esl_port=esl_port,
        rtp_ports=rtp_ports,
        log_level=log_level,
        switch_name=f"duecall-{esl_port}",
        trunk_passwords=_trunk_passwords(site, directory),
        extra_modules=TEST_MODULES,
        extra_interfaces=TEST_INTERFACES,
    )
    for name, text in render(site, config).items():
        changes.write(directory / "conf" / name, text.encode(), 0o600)
    for folder in ("log", "db", "run", "temp", "scripts", "sounds", "storage", "cache", "certs"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    for wanted in (site.folders.cdr, site.folders.recordings):
        (directory / wanted).mkdir(parents=True, exist_ok=True)
    _put_scripts(changes, directory / "scripts", None)
    _put_hold_music(changes, hold_music_path(site, directory))


def write_atomically(path: Path, data: bytes, mode: int) -> None:
    """A reader sees the old file or the new one, never half of it; nobody sees a wrong mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(handle, mode)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _note(name: str) -> str:
    if name == ROOT:
        return "the whole configuration; restore the backup to undo"
    return f"part of {FOLDER}/, changed only by this command"


def _password(changes: _Changes, path: Path, whose: str) -> str:
    """Read it, or make a strong one: 0600, 43 letters of base64url."""
    if path.is_file():
        password = path.read_text("utf-8").strip()
        if len(password) < 16:
            raise ConfigError(f"{path}: under 16 characters; delete it, and a new one is made")
        changes.write(path, path.read_bytes(), 0o600, f"Event Socket password, {whose}")
        return password
    password = secrets.token_urlsafe(32)
    changes.write(path, (password + "\n").encode(), 0o600, f"Event Socket password, {whose}")
    return password


def _trunk_passwords(site: Site, base: Path) -> dict[str, str]:
    passwords = {}
    for name, trunk in site.trunks.items():
        if not trunk.password_file:
            continue
        path = base / trunk.password_file
        try:
            passwords[name] = path.read_text("utf-8").strip()
        except OSError as error:
            raise ConfigError(
                f"config.yaml: trunk {name!r}: cannot read password_file {path}: {error.strerror}"
            ) from None
    return passwords


def _put_scripts(changes: _Changes, scripts: Path, layout: Layout | None) -> None:
    """Copy `fs_scripts/`, file by file by atomic rename, `entry.py` last, and compile it."""
    source = Path(fs_scripts.__file__).resolve().parent
    target = scripts / source.name
    names = sorted((path.name for path in source.glob("*.py")), key=lambda n: (n == "entry.py", n))
    for name in names:
        changes.write(target / name, (source / name).read_bytes(), 0o644, "restart FreeSWITCH")
    if changes.dry_run:
        return
    for old in _left_over(target.glob("*.py"), names):
        changes.remove(old, "no longer a part of Duecall")
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if layout is None or layout.python_version == here:
        for name in names:
            py_compile.compile(str(target / name), doraise=True)


def _left_over(files: Iterable[Path], names: list[str]) -> list[Path]:
    return [path for path in files if path.name not in names]


def _put_hold_music(changes: _Changes, path: Path) -> None:
    if path.is_file():
        changes.actions.append(Action("unchanged", path, "hold music"))
    elif path.name != HOLD_MUSIC:
        raise ConfigError(f"config.yaml: hold_music: {path}: no such file")
    else:
        changes.actions.append(Action("write", path, "hold music"))
        if not changes.dry_run:
            write_hold_music(path)
