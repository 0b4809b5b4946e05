"""L9: the books agree: attempts that were saved = sent + settled without being sent; the database's
own sums = what was written, attempt by attempt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from duecall.sim.truth import Story


def check(story: Story) -> Iterator[str]:
    saved = [entry.attempt for entry in story.of("saved")]
    settled = {entry.attempt: entry.value for entry in story.of("settled")}
    sent = {entry.attempt for entry in story.of("sent")}
    unsent = [name for name in saved if name not in sent and name in settled]
    opened = set(story.books.open_attempts)
    rest = [name for name in saved if name not in sent and name not in settled]
    if len(saved) != len(sent) + len(unsent) + len(rest) or set(rest) - opened:
        yield f"{len(saved)} attempts saved, {len(sent)} sent, {len(unsent)} settled unsent"
    counted = dict(story.books.counted)
    if counted.pop("saved", 0) != len(saved):
        yield f"the books count {story.books.counted.get('saved')} attempts, not {len(saved)}"
    if counted != Counter(settled.values()):
        yield f"the books count outcomes {counted}, not {dict(Counter(settled.values()))}"
    strangers = set(settled) - set(saved)
    if strangers:
        yield f"outcomes of attempts that were never saved: {sorted(strangers)[:3]}"
    if len(saved) != len(settled) + len(opened):
        yield f"{len(saved)} attempts, {len(settled)} outcomes, {len(opened)} open"
