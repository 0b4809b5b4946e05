"""Finds a campaign's file by what an operator types: a path, or the campaign's name."""

from __future__ import annotations

from pathlib import Path

from duecall.shell.yaml_tree import read_tree

FOLDER = "campaigns"


def campaign_file(given: Path, root: Path) -> Path:
    """`campaigns/overdue-vi.yaml` and `overdue-vi` are the same file. FileNotFoundError names both
    places that were looked at."""
    if given.exists():
        return given
    by_name = root / FOLDER / f"{given.name.removesuffix('.yaml')}.yaml"
    if by_name.exists():
        return by_name
    raise FileNotFoundError(f"no campaign file {given}, and no {by_name}")


def campaign_name(given: str) -> str:
    """The name under which the database has what an operator types, a file or the name itself.

    The file need not be right in all (its contacts may be gone by now); only its name is read.
    """
    path = Path(given)
    if path.suffix not in (".yaml", ".yml"):
        return given
    name = read_tree(path).data.get("name") if path.is_file() else None
    return name if isinstance(name, str) and name else path.stem
