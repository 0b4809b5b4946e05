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
ZONES_MANY = 4  # in so many zones at once there may be no hour that fits all


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
    barred = barred_for_ever(story)
    for target, state in story.books.targets.items():
        if state != "done":
            yield f"target {target} is {state} for ever"
            continue
        number = story.books.number_of[target]
        if number in story.books.stopped or target in barred or not story.rules.zones[number]:
            continue
        reason = story.books.reasons[target]
        mine = outcomes.get(target, [])
        if not mine:
            far_and_wide = "no hour fits" in reason and len(story.rules.zones[number]) > ZONES_MANY
            if not reason.startswith(UNCALLED) and not far_and_wide:
                yield f"target {target} was never called: {reason}"
            continue
        rules = story.rules.campaigns[story.books.campaign_of[target]]
        last, past = mine[-1], Counter(mine)
        counted = sum(n for outcome, n in past.items() if outcome not in NOT_COUNTED)
        spent = counted >= rules.max_attempts or past[last] > rules.times.get(last, 0)
        if last not in ENDS and not spent:
            yield f"target {target} was given up too early, after {mine}: {reason}"


def barred_for_ever(story: Story) -> set[int]:
    """Targets with a stop that nobody lifted, or that was lifted as they were done already."""
    return {entry.target for entry in story.of("barred") if not entry.value}
