"""Many stories, one after another or on several processors; what was found is kept in files."""

from __future__ import annotations

import json
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from duecall.sim.checkers import judge
from duecall.sim.world import run

FOUND_MAX = 20  # lines of one failing story that are kept
CHUNK = 20  # stories that one process tells before it answers


@dataclass(slots=True)
class Told:
    """What is left of a story that was told: of its log only the sums."""

    seed: int
    found: list[str]
    rates: dict[str, float]
    virtual_s: float
    attempts: int
    met: Counter[str]
    law: str = ""


@dataclass(slots=True)
class Sums:
    """Of all stories so far. virtual_s and attempts are of the stories' own time."""

    stories: int = 0
    virtual_s: float = 0.0
    attempts: int = 0
    met: Counter[str] = field(default_factory=Counter)
    by_law: Counter[str] = field(default_factory=Counter)  # attempts
    failed: list[Told] = field(default_factory=list)

    def add(self, told: Told) -> None:
        self.stories += 1
        self.virtual_s += told.virtual_s
        self.attempts += told.attempts
        self.met.update(told.met)
        self.by_law[told.law] += told.attempts
        if told.found:
            self.failed.append(told)


def tell(seed: int, contacts: int | None = None, law: str | None = None) -> Told:
    """One story, judged."""
    try:
        story = run(seed, contacts, law=law)
    except Exception as error:
        return Told(seed, [f"the simulator raised {error!r}"], {}, 0.0, 0, Counter())
    found = judge(story)[:FOUND_MAX]
    sent = len(story.of("sent"))
    return Told(seed, found, story.rates, story.ended_s, sent, story.met, story.law)


def tell_many(
    first: int, seeds: int, contacts: int | None, jobs: int, law: str | None = None
) -> Iterator[Told]:
    """In order of their seeds, whatever the number of jobs."""
    wanted = range(first, first + seeds)
    if jobs <= 1:
        for seed in wanted:
            yield tell(seed, contacts, law)
        return
    with ProcessPoolExecutor(jobs) as pool:
        same = [contacts] * seeds, [law] * seeds
        yield from pool.map(tell, wanted, *same, chunksize=max(1, min(CHUNK, seeds // (4 * jobs))))


def commit(root: Path) -> str:
    """Of the source; empty where there is no git."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def seed_of(commit: str) -> int:
    """The same commit begins at the same seed, another one elsewhere; 0 where there is none."""
    return int(commit[:7] or "0", 16)


def keep(told: Told, contacts: int | None, folder: Path, source: str) -> Path:
    """A file that is a test from now on: seed, parameters, what was found, versions.

    source: the commit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = str(told.seed) if contacts is None else f"{told.seed}-{contacts}"
    path = folder / f"{name}.json"
    content: dict[str, Any] = {
        "seed": told.seed,
        "contacts": contacts,
        "law": told.law or "none",
        "found": told.found,
        "faults": {fault: round(rate, 4) for fault, rate in told.rates.items()},
        "versions": {"commit": source, "python": platform.python_version()},
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def repeat_line(told: Told, contacts: int | None) -> str:
    """How to see it again."""
    more = "" if contacts is None else f" --contacts {contacts}"
    more += f" --law {told.law}" if told.law else ""
    return f"python -m duecall.sim --first {told.seed} --seeds 1{more}"


class Stopwatch:
    def __init__(self) -> None:
        self._began_s = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began_s
