"""How often Python looks for objects that hold each other and nobody else does."""

from __future__ import annotations

import gc

# New objects before a look at the young ones, and such looks before one at the older. Python's own
# 700, 10, 10 are a tenth of what a busy daemon computes, which makes hardly any rings.
YOUNG, MIDDLE, OLD = 50_000, 20, 50


def collect_seldom() -> None:
    """For a process that has loaded all its code and goes on for long."""
    gc.collect()
    gc.freeze()  # modules and classes stay: no need to look at them again
    gc.set_threshold(YOUNG, MIDDLE, OLD)
