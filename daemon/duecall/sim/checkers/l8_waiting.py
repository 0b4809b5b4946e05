"""L8: nobody who asked for an agent is left waiting.

From the moment in which the callee waits, he is bridged, or told, within the agents' promised wait
(ALONE_S more where no fault was met). Whatever fails, the switch itself ends his wait within the
grace that was given to it, but for the time in which it stood still.
"""

from __future__ import annotations

from collections.abc import Iterator

from duecall.sim.truth import Story

ALONE_S = 3.0
GRACE_S = 2.0
ENDS = frozenset(("bridged", "said", "gone"))


def check(story: Story) -> Iterator[str]:
    promised_s = story.rules.agent_wait_s + ALONE_S
    longest_s = story.rules.agent_wait_s + story.rules.park_grace_s + GRACE_S
    waits: dict[str, float] = {}
    frozen: dict[str, float] = {}
    stood_s: dict[str, float] = {}  # switch -> seconds that it stood still, ever
    began: dict[str, float] = {}  # attempt -> stood_s when its wait began
    for entry in story.log:
        if entry.what == "frozen":
            frozen[entry.daemon] = entry.at_s
        elif entry.what == "thawed" and entry.daemon in frozen:
            still_s = entry.at_s - frozen.pop(entry.daemon)
            stood_s[entry.daemon] = stood_s.get(entry.daemon, 0.0) + still_s
        elif entry.what == "parked":
            waits[entry.attempt] = entry.at_s
            began[entry.attempt] = stood_s.get(entry.daemon, 0.0)
        elif entry.what in ENDS and entry.attempt in waits:
            waited_s = entry.at_s - waits.pop(entry.attempt)
            still_s = stood_s.get(entry.daemon, 0.0) - began[entry.attempt]
            bound_s = promised_s if story.calm else longest_s + still_s
            if waited_s > bound_s:
                yield f"{entry.attempt} waited {waited_s:.1f} s for an agent, not {bound_s:.0f}"
    for name, since_s in waits.items():
        yield f"{name} waits for an agent for ever, since {since_s:.2f} s"
