"""Ends with an error where there is no FreeSWITCH that Duecall can use (`make test-freeswitch`)."""

import sys

from duecall.shell.freeswitch_layout import find_freeswitch, why_no_freeswitch

found = find_freeswitch()
if found is None:
    sys.exit(f"no FreeSWITCH to test on: {why_no_freeswitch()}; see docs/freeswitch.md")
print(f"testing on FreeSWITCH at {found}")
