"""L10: when faults have healed, every eligible contact is tried in bounded time, as often as the
rules grant, and nothing stays open: no attempt, channel, contact or campaign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from duecall.sim.checkers.l3_caps import NOT_COUNTED
from duecall.sim.checkers.l4_stops import ENDS
from duecall.sim.truth import Story

# What may end a contact without a call, in the words of the product.
UNCALLED = ("number is on the stop list", "no hour fits", "no calling hour")


def check(story: Story) -> Iterator[str]:
    books = story.books
    took_s = story.ended_s - story.healed_s
    if took_s >= story.bound_s:
        yield f"not done {took_s / 3600:.0f} h after all was healed"
    for name, state in books.states.items():
        if state != "finished":
            yield f"campaign {name} is {state} for ever"
    for entry in story.of("finished"):
        if entry.value != "0":
            yield f"campaign {entry.campaign} is finished with {entry.value} targets left"
    for name in books.open_attempts:
        yield f"attempt {name} is open for ever"
    for name in books.channels:
        yield f"channel {name} lives for ever"
    yield from books.left_over
    yield from _targets(story)


def _targets(story: Story) -> Iterator[str]:
    sent = {entry.attempt for entry in story.of("sent")}
    outcomes: dict[int, list[str]] = {}
    for entry in story.of("settled"):
        # Nobody can know that an attempt of unknown outcome was not sent: it counts.
        if entry.attempt in sent or entry.value == "unknown":
            outcomes.setdefault(entry.target, []).append(entry.value)
    for target, state in story.books.targets.items():
        if state != "done":
            yield f"target {target} is {state} for ever"
            continue
        if story.books.number_of[target] in story.books.stopped:
            continue
        reason = story.books.reasons[target]
        mine = outcomes.get(target, [])
        if not mine:
            if not reason.startswith(UNCALLED):
                yield f"target {target} was never called: {reason}"
            continue
        rules = story.rules.campaigns[story.books.campaign_of[target]]
        last, past = mine[-1], Counter(mine)
        counted = sum(n for outcome, n in past.items() if outcome not in NOT_COUNTED)
        spent = counted >= rules.max_attempts or past[last] > rules.times.get(last, 0)
        if last not in ENDS and not spent:
            yield f"target {target} was given up too early, after {mine}: {reason}"
