"""Rule packs from their YAML files, with all faults at their places.

Packs ship in the folder `rules/` of this package. A site may keep packs of its own in a folder:
they come first, so that a lawyer's corrected copy replaces the one that was shipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import duecall
from duecall.core.rule_pack import RulePack
from duecall.core.scalars import did_you_mean
from duecall.shell.config_faults import ConfigFaults, Fault
from duecall.shell.model_faults import validated
from duecall.shell.yaml_tree import read_tree

SHIPPED = Path(duecall.__file__).resolve().parent / "rules"

__all__ = ["SHIPPED", "ConfigFaults", "find_pack", "load_pack", "load_packs", "pack_names"]


def pack_names(folders: Iterable[Path] = ()) -> list[str]:
    """All jurisdictions there are packs for."""
    return sorted({path.stem for folder in (*folders, SHIPPED) for path in folder.glob("*.yaml")})


def find_pack(jurisdiction: str, folders: Iterable[Path] = ()) -> Path:
    """The file of this pack; the site's own folders first. Raises LookupError with a remedy."""
    folders = tuple(folders)
    for folder in (*folders, SHIPPED):
        path = folder / f"{jurisdiction}.yaml"
        if path.is_file():
            return path
    names = pack_names(folders)
    hint = did_you_mean(jurisdiction, names)
    raise LookupError(f"no rules for {jurisdiction!r}{hint}; there are: {', '.join(names)}")


def load_packs(own: Path) -> dict[str, RulePack]:
    """By jurisdiction: those of this folder, which need not be there, and those that Duecall ships.

    Raises ConfigFaults with the faults of all packs.
    """
    packs: dict[str, RulePack] = {}
    faults: list[Fault] = []
    for name in pack_names((own,)):
        try:
            packs[name] = load_pack(find_pack(name, (own,)))
        except ConfigFaults as error:
            faults += error.faults
    if faults:
        raise ConfigFaults(faults)
    return packs


def load_pack(path: Path) -> RulePack:
    """The pack in this file. Raises ConfigFaults with all faults.

    A pack past its review_by is loaded: past calls are judged by it. It is the gate that does not
    call by it.
    """
    try:
        seen = path.stat()
    except OSError:
        return _read(path)  # which says what is wrong
    return _kept(path, seen.st_mtime_ns, seen.st_size)


@lru_cache(maxsize=100)
def _kept(path: Path, _mtime_ns: int, _size: int) -> RulePack:
    """A pack cannot be changed, so those who read the same file may share it."""
    return _read(path)


def _read(path: Path) -> RulePack:
    tree = read_tree(path, ours=path.parent == SHIPPED)
    faults = list(tree.faults)
    if tree.data.get("jurisdiction") not in (None, path.stem):
        line, column = tree.spot(("jurisdiction",))
        problem = f"{tree.data['jurisdiction']!r} in a file called {path.name}"
        faults.append(Fault(str(path), line, column, "jurisdiction", problem, path.stem))
    return validated(RulePack, path, tree, faults)
