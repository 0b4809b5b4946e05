"""Rule packs from their YAML files, with all faults at their places; and the rules in effect.

Packs ship in the folder `rules/` of this package. A site may keep packs of its own in a folder:
they come first, so that a lawyer's corrected copy replaces the one that was shipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duecall
from duecall.core.rule_merge import EffectiveRules, MergeProblem, MergeProblems, RuleChanges, merge
from duecall.core.rule_pack import RulePack
from duecall.core.scalars import did_you_mean
from duecall.shell.config_faults import ConfigFaults, Fault
from duecall.shell.config_file import validated
from duecall.shell.yaml_tree import Tree, dotted, read_tree

SHIPPED = Path(duecall.__file__).resolve().parent / "rules"

__all__ = ["SHIPPED", "ConfigFaults", "effective", "find_pack", "load_pack", "pack_names"]


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


def load_pack(path: Path) -> RulePack:
    """The pack in this file. Raises ConfigFaults with all faults.

    A pack past its review_by is loaded: past calls are judged by it. It is the gate that does not
    call by it.
    """
    tree = read_tree(path)
    faults = list(tree.faults)
    if tree.data.get("jurisdiction") not in (None, path.stem):
        line, column = tree.spot(("jurisdiction",))
        problem = f"{tree.data['jurisdiction']!r} in a file called {path.name}"
        faults.append(Fault(str(path), line, column, "jurisdiction", problem, path.stem))
    return validated(RulePack, path, tree, faults)


def effective(
    pack: RulePack,
    site: tuple[Path, RuleChanges] | None,
    campaign: tuple[Path, RuleChanges] | None,
) -> EffectiveRules:
    """The rules in effect. site, campaign: the file, and what stands under its `rules:`.

    Raises ConfigFaults with the places in these files.
    """
    files = {"site": site, "campaign": campaign}
    try:
        return merge(pack, *(changes and changes[1] for changes in files.values()))
    except MergeProblems as error:
        trees: dict[str, Tree] = {}
        faults = []
        for problem in error.problems:
            named = files[problem.origin]
            assert named is not None  # a problem comes from changes that there are
            tree = trees.setdefault(problem.origin, read_tree(named[0]))
            faults.append(_fault(named[0], tree, problem))
        raise ConfigFaults(faults) from None


def _fault(path: Path, tree: Tree, problem: MergeProblem) -> Fault:
    place = ("rules", *problem.place)
    line, column = tree.spot(place)
    return Fault(str(path), line, column, dotted(place), problem.problem, problem.allowed)
