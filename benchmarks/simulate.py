"""How fast is virtual time? One everyday campaign in the simulator: calling hours each day, retries
over days, the real dialer; one process. Prints virtual over real time, the judging included.

    python benchmarks/simulate.py [--contacts 10000] [--rounds 3] [--first 1]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from duecall.sim.checkers import judge
from duecall.sim.world import run

WANTED = 10_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--contacts", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--first", type=int, default=1)
    given = options.parse_args()
    ratios = []
    for seed in range(given.first, given.first + given.rounds):
        began_s, used_s = time.monotonic(), time.process_time()
        story = run(seed, given.contacts)
        found = judge(story)
        real_s, cpu_s = time.monotonic() - began_s, time.process_time() - used_s
        ratios.append(story.ended_s / real_s)
        print(
            f"seed {seed}: {story.ended_s / 86_400:.1f} virtual days, "
            f"{len(story.of('sent')):,} calls, {real_s:.1f} s ({cpu_s:.1f} s of processor): "
            f"virtual time {ratios[-1]:,.0f} x real time "
            f"({story.ended_s / cpu_s:,.0f} x processor time)",
            flush=True,
        )
        if found:
            sys.exit("\n".join(found))
    median = statistics.median(ratios)
    print(f"median {median:,.0f} x real time (wanted: {WANTED:,} x)")
    sys.exit(median < WANTED)


if __name__ == "__main__":
    main()
