"""Sees to it that keys are offered on payload 101, as FreeSWITCH does and callees expect.

PJSIP takes the next free number (120). Keys sent on a number that was not offered are not heard,
and much of the world, SIPp's recordings among it, sends them on 101 whatever was offered.
"""

from __future__ import annotations

import re

_MAPPING = re.compile(r"^a=rtpmap:(\d+) telephone-event/8000", re.M)


def offer_payload(sdp: str, payload: int) -> str:
    """The SDP with its telephone-event payload renumbered; unchanged without one."""
    found = _MAPPING.search(sdp)
    if not found or int(found.group(1)) == payload:
        return sdp
    old = found.group(1)
    sdp = re.sub(rf"^(m=audio [^\r\n]*?) {old}(?=\s|$)", rf"\g<1> {payload}", sdp, flags=re.M)
    return re.sub(rf"^a=(rtpmap|fmtp):{old} ", rf"a=\g<1>:{payload} ", sdp, flags=re.M)
