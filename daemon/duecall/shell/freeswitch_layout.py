"""Where an installed FreeSWITCH keeps its parts, and whether it has what Duecall needs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

NEEDED_MODULES = ("mod_python3", "mod_json_cdr", "mod_sofia", "mod_event_socket")
PREFIX_VARIABLE = "FREESWITCH_PREFIX"
_USUAL_PREFIXES = (Path("/usr/local/freeswitch"), Path("/usr"))


class FreeSwitchMissing(RuntimeError):
    """No FreeSWITCH at this prefix, or one that lacks a module. The message says which."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one installation. `conf` and `scripts` need not exist yet."""

    prefix: Path
    binary: Path
    modules: Path
    conf: Path
    scripts: Path

    @property
    def python_version(self) -> str:
        """The Python inside mod_python3, as "3.11"; empty where it cannot be told."""
        return _linked_python(self.modules / "mod_python3.so")


def _candidates(prefix: Path) -> tuple[Layout, ...]:
    """The three layouts FreeSWITCH is built with: Debian's, `--enable-fhs`, and a flat prefix."""
    binary = prefix / "bin" / "freeswitch"
    debian_or_fhs = Layout(
        prefix,
        binary,
        prefix / "lib" / "freeswitch" / "mod",
        Path("/etc/freeswitch") if prefix == Path("/usr") else prefix / "etc" / "freeswitch",
        prefix / "share" / "freeswitch" / "scripts",
    )
    flat = Layout(prefix, binary, prefix / "mod", prefix / "conf", prefix / "scripts")
    return debian_or_fhs, flat


def layout_of(prefix: Path) -> Layout:
    """The layout of the FreeSWITCH at `prefix`. Raises FreeSwitchMissing, saying what is not there.

    A path to the program itself (`/usr/bin/freeswitch`) is taken as well.
    """
    if prefix.name == "freeswitch" and prefix.parent.name == "bin":
        prefix = prefix.parent.parent
    binary = prefix / "bin" / "freeswitch"
    if not os.access(binary, os.X_OK):
        raise FreeSwitchMissing(f"{binary}: no such program")
    for layout in _candidates(prefix):
        if layout.modules.is_dir():
            break
    else:
        folders = " or ".join(str(layout.modules) for layout in _candidates(prefix))
        raise FreeSwitchMissing(f"{prefix}: no modules in {folders}")
    lacking = [name for name in NEEDED_MODULES if not (layout.modules / f"{name}.so").exists()]
    if lacking:
        raise FreeSwitchMissing(
            f"{layout.modules}: lacks {', '.join(lacking)}; "
            "docs/freeswitch.md says how to build FreeSWITCH with them"
        )
    return layout


def prefixes() -> tuple[Path, ...]:
    """Where to look: $FREESWITCH_PREFIX and nowhere else when it is set, else the usual places."""
    wanted = os.environ.get(PREFIX_VARIABLE, "")
    return (Path(wanted),) if wanted else _USUAL_PREFIXES


def find_freeswitch() -> Path | None:
    """The prefix of a FreeSWITCH that has all that Duecall needs; None where there is none."""
    for prefix in prefixes():
        try:
            return layout_of(prefix).prefix
        except FreeSwitchMissing:
            continue
    return None


def why_no_freeswitch() -> str:
    """For each place looked at, what is missing there. Empty when a FreeSWITCH was found."""
    reasons = []
    for prefix in prefixes():
        try:
            layout_of(prefix)
        except FreeSwitchMissing as error:
            reasons.append(str(error))
        else:
            return ""
    return "; ".join(reasons)


def _linked_python(module: Path) -> str:
    """Version in the name of the libpython that a module is linked to."""
    try:
        found = re.search(rb"libpython(3\.\d+)\.so", module.read_bytes())
    except OSError:
        return ""
    return found.group(1).decode("ascii") if found else ""
