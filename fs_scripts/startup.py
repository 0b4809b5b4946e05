"""Run once when mod_python3 loads (`startup-script`): import everything, and calm the GIL.

Every thread that waits for the GIL wakes up each switch interval. With the default of 5 ms some
2,000 calls bring FreeSWITCH to a stand; with 50 ms they do not.
"""

from __future__ import annotations

import sys

import freeswitch

SWITCH_INTERVAL_S = 0.05


def runtime(args: str) -> None:
    try:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        # Read and compiled here, not by the first call in its small stack.
        import fs_scripts.entry
        import fs_scripts.one_call  # noqa: F401

        freeswitch.consoleLog("notice", "duecall: scripts are ready\n")
    except BaseException as error:
        freeswitch.consoleLog("crit", f"duecall: startup: {type(error).__name__}\n")
