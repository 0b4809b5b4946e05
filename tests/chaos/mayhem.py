"""What is done to whom, and when: a plan drawn from a seed, and the hands that carry it out.

Each part has its own list of steps and its own thread, so that one may be killed while another is
frozen. A step waits until the campaign has come so far (`after`: share of the contacts done with),
so that the faults lie all over it, however fast the machine is. The part with the most steps leads:
it waits only so long, and with it the others come, too.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from tests.chaos.esl_relay import EslRelay
from tests.chaos.parts import DaemonPart, Diary, Part, wait_until

LAST = 0.9  # the last step comes when so many contacts are done with; then it heals
PATIENCE_S = 10.0  # a step of the leader comes so long after the last one anyway
CALL_S = 5.0  # a step that wants a call waits so long for one
READY_S = 60.0
FROZEN_S = (1.0, 20.0)
STALLED_S = (1.0, 20.0)


@dataclass(frozen=True)
class Amounts:
    """How often what is done in one run."""

    daemon_kills: int
    switch_kills: int
    database_kills: int
    daemon_freezes: int
    switch_freezes: int
    database_freezes: int
    drains: int  # SIGTERM, then a start
    hurried: int  # SIGTERM twice, then a start
    cuts: int
    tears: int  # a cut in the middle of a word
    stalls: int
    frozen_max_s: float = FROZEN_S[1]


@dataclass(frozen=True)
class Step:
    """after: share of the contacts. up_s: how long the part has been up, or `ready`, before.
    last_s: how long it is down, frozen or stalled. starting: hit it while it is still starting.
    in_call: wait for a call that is up; not for ever, there may be none left.
    """

    part: str
    what: str  # kill, freeze, drain, hurry, cut, tear, stall
    after: float
    up_s: float
    last_s: float
    starting: bool = False
    in_call: bool = False


def plan(amounts: Amounts, seed: int) -> dict[str, list[Step]]:
    """part -> its steps, in order. The same seed gives the same plan.

    The daemon is killed first of all, in a call: a short campaign on a slow machine may have no
    calls left when its later steps come.
    """
    chance = random.Random(f"mayhem {seed}")
    wanted = {
        "daemon": Counter(
            kill=amounts.daemon_kills,
            freeze=amounts.daemon_freezes,
            drain=amounts.drains,
            hurry=amounts.hurried,
        ),
        "switch": Counter(kill=amounts.switch_kills, freeze=amounts.switch_freezes),
        "database": Counter(kill=amounts.database_kills, freeze=amounts.database_freezes),
        "link": Counter(cut=amounts.cuts, tear=amounts.tears, stall=amounts.stalls),
    }
    plans: dict[str, list[Step]] = {}
    for part, counts in wanted.items():
        kinds = [what for what in sorted(counts) for _ in range(counts[what])]
        chance.shuffle(kinds)
        moments = sorted(chance.uniform(0.0, LAST) for _ in kinds)
        plans[part] = [
            _step(chance, part, what, after, amounts)
            for what, after in zip(kinds, moments, strict=True)
        ]
    plans["daemon"] = _kill_first(plans["daemon"])
    return plans


def _kill_first(steps: list[Step]) -> list[Step]:
    """Its first kill changes places with its first step."""
    kills = [index for index, step in enumerate(steps) if step.what == "kill"]
    if not kills:
        return steps
    moved = list(steps)
    moved[kills[0]] = replace(steps[0], after=steps[kills[0]].after)
    moved[0] = replace(steps[kills[0]], after=0.0, starting=False, in_call=True)
    return moved


def _step(chance: random.Random, part: str, what: str, after: float, amounts: Amounts) -> Step:
    if what in ("freeze", "stall"):
        low, high = FROZEN_S[0], min(FROZEN_S[1], amounts.frozen_max_s)
        last_s = low * (high / low) ** chance.random()  # short ones more often than long ones
    elif what in ("cut", "tear"):
        last_s = 0.0
    else:
        last_s = chance.choice((0.0, 0.0, chance.uniform(0.2, 1.0), chance.uniform(1.0, 5.0)))
    starting = what == "kill" and part == "daemon" and chance.random() < 0.15
    up_s = chance.uniform(0.0, 1.5) if starting else chance.expovariate(1 / 2.5)
    in_call = part == "daemon" and not starting and chance.random() < 0.5
    return Step(part, what, after, min(up_s, 8.0), last_s, starting, in_call)


class Mayhem:
    """share_done(): how far the campaign is; the last known value where that cannot be asked.

    trouble(text): something that must not happen, such as an exit code that is not 0.
    """

    def __init__(
        self,
        plans: dict[str, list[Step]],
        parts: dict[str, Part],
        relay: EslRelay,
        diary: Diary,
        share_done: Callable[[], float],
        trouble: Callable[[str], None],
    ) -> None:
        self._plans = plans
        self._parts = parts
        self._relay = relay
        self._diary = diary
        self._share_done = share_done
        self._trouble = trouble
        self._given_up = threading.Event()
        self.total = sum(len(steps) for steps in plans.values())
        self.done = 0
        self._leader = max(plans, key=lambda part: len(plans[part]))
        self._led = 0
        self._threads = [
            threading.Thread(target=self._run, args=(part,), name=f"mayhem-{part}", daemon=True)
            for part, steps in plans.items()
            if steps
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def give_up(self) -> None:
        """No further steps; those under way come to their end."""
        self._given_up.set()
        for thread in self._threads:
            thread.join()

    def _run(self, part: str) -> None:
        for step in self._plans[part]:
            began = time.monotonic()
            while self._progress < step.after:
                if part == self._leader and time.monotonic() - began > PATIENCE_S:
                    break
                if self._given_up.wait(0.1):
                    return
            if self._given_up.is_set():
                return
            try:
                self._carry_out(step)
            except Exception as error:
                self._trouble(f"{step.part} {step.what}: {type(error).__name__}: {error}")
            self.done += 1
            self._led += part == self._leader

    @property
    def _progress(self) -> float:
        """Of the campaign, or of the leader's steps where these are further."""
        return max(self._share_done(), LAST * self._led / len(self._plans[self._leader]))

    def _carry_out(self, step: Step) -> None:
        if step.part == "link":
            self._hit_link(step)
            return
        part = self._parts[step.part]
        wait_until(lambda: self._may_be_hit(part, step), READY_S, f"{step.part} is up")
        self._given_up.wait(step.up_s)
        if step.in_call and isinstance(part, DaemonPart):
            with contextlib.suppress(RuntimeError):
                wait_until(lambda: self._given_up.is_set() or part.in_call(), CALL_S, "a call")
        with part.lock:
            if not part.up:
                return  # it ended by itself just now: the keeper sees to it
            for _ in self._hit(part, step):
                time.sleep(step.last_s)

    def _may_be_hit(self, part: Part, step: Step) -> bool:
        if self._given_up.is_set():
            return True
        if isinstance(part, DaemonPart) and not step.starting:
            return part.ready()
        return part.up

    def _hit(self, part: Part, step: Step) -> Iterator[None]:
        """Do it; yield while it lasts; undo it."""
        if step.what == "freeze":
            part.freeze()
            yield
            part.thaw()
            return
        if step.what == "kill":
            part.kill()
        else:
            assert isinstance(part, DaemonPart)
            hurry_s = min(2.0, step.up_s) if step.what == "hurry" else None
            code = part.end(hurry_after_s=hurry_s)
            if code != 0:
                self._trouble(f"the daemon was asked to end and ended with {code}")
        yield
        part.start()

    def _hit_link(self, step: Step) -> None:
        self._given_up.wait(step.up_s)
        self._diary.note("link", step.what)
        if step.what == "cut":
            self._relay.cut()
        elif step.what == "tear":
            self._relay.tear()
        else:
            self._relay.stall()
            self._given_up.wait(step.last_s)
            self._relay.flow()
            self._diary.note("link", "flows")
