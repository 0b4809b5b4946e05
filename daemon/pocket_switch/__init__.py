"""A small SIP switch that stands in for FreeSWITCH on a machine that has none.

It speaks the part of the Event Socket protocol that Duecall uses, places real SIP calls with real
RTP by PJSIP, and runs the same call scripts. It is not FreeSWITCH and says so wherever asked.

Floors, top to bottom: __main__ → broker (parent process: Event Socket, limits, which call lives
where) → worker (child process: calls) → channel (one call leg) → line (SIP or null) and sounds.
"""

VERSION = "0.1"
NAME = "Duecall pocket switch"
VERSION_TEXT = f"{NAME} {VERSION} (stands in for FreeSWITCH)"
BANNER = (
    f"This is Duecall's pocket switch {VERSION}, NOT FreeSWITCH: "
    "for demos, tests and first tries, never for real traffic."
)
