"""Finds a campaign's file by what an operator types: a path, or the campaign's name."""

from __future__ import annotations

from pathlib import Path

FOLDER = "campaigns"


def campaign_file(given: Path, root: Path) -> Path:
    """`campaigns/overdue-vi.yaml` and `overdue-vi` are the same file. FileNotFoundError names both
    places that were looked at."""
    if given.exists():
        return given
    by_name = root / FOLDER / f"{given.name}.yaml"
    if by_name.exists():
        return by_name
    raise FileNotFoundError(f"no campaign file {given}, and no {by_name}")
