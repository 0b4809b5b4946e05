"""The house: imports run downhill, the core has no clock, files stay of a size one can know."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "daemon" / "duecall" / "core"
LINES_MAX = 450
PRESCRIBED = (
    "fs_scripts",
    "daemon",
    "dialplan",
    "tts_cache",
    "config.yaml",
    "Makefile",
    "setup.cfg",
    "tests",
    "sipp_scenarios",
)
# In the core, time comes with the event and chance with nothing.
FORBIDDEN_CALLS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "sleep"),
    ("uuid", "uuid4"),
    ("uuid", "uuid1"),
    ("os", "environ"),
    ("os", "getenv"),
}
FORBIDDEN_NAMES = {"open", "print", "input"}
STANDARD_ONLY = set(sys.stdlib_module_names) | {"fs_scripts", "freeswitch"}


def sources(*folders: str) -> list[Path]:
    found: list[Path] = []
    for folder in folders:
        found += sorted((ROOT / folder).rglob("*.py"))
    return found


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def test_the_floors_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", sources("daemon/duecall/core"), ids=lambda path: path.stem)
def test_the_core_has_no_clock_no_chance_and_no_world(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            where = f"{path.name}:{node.lineno}"
            assert (node.value.id, node.attr) not in FORBIDDEN_CALLS, where
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_NAMES, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", sources("fs_scripts"), ids=lambda path: path.stem)
def test_scripts_in_freeswitch_use_the_standard_library_alone(path: Path) -> None:
    for name in imports(path):
        assert name.partition(".")[0] in STANDARD_ONLY, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sources("daemon/pocket_switch"), ids=lambda path: path.stem)
def test_the_pocket_switch_stands_beside_the_house(path: Path) -> None:
    for name in imports(path):
        assert name.partition(".")[0] != "duecall", f"{path.name} imports {name}"


def test_files_stay_of_a_size_one_can_know() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sources("daemon", "fs_scripts", "sipp_scenarios")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LINES_MAX
    }
    assert not long


def test_what_the_owner_prescribed_is_where_it_was_prescribed() -> None:
    assert not [name for name in PRESCRIBED if not (ROOT / name).exists()]
    # A package called `daemon` would clobber python-daemon.
    assert not (ROOT / "daemon" / "__init__.py").exists()


def test_every_package_is_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    there = {
        ".".join(path.parent.relative_to(base).parts)
        for base in (ROOT / "daemon", ROOT)
        for path in base.rglob("__init__.py")
        if not {"tests", ".venv", "daemon", "var"} & set(path.parent.relative_to(base).parts)
        and "site-packages" not in path.parts
    }
    assert there == listed
