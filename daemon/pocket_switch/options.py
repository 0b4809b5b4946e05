"""What the switch was started with. Travels to the workers as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

CALLS_PER_WORKER = 4  # the pjsua2-python wheel is built with PJSUA_MAX_CALLS=4
RTP_PORTS_PER_WORKER = 40
WORKERS_MAX = 8  # unless told otherwise
SIP_PORT_TRIES = 10
DTMF_PAYLOAD = 101
PASSWORD_VARIABLE = "DUECALL_ESL_PASSWORD"  # the daemon reads the same one


@dataclass(frozen=True)
class Options:
    """gateways: name → host:port. password is never part of what is printed or sent on.

    null_speed: how much faster than real time sounds, silences and waits run on null lines.
    """

    host: str = "127.0.0.1"
    esl_port: int = 8021
    sip_port_base: int = 5070
    rtp_port_base: int = 17_000
    user: str = "duecall@duecall"
    scripts: str = "."
    cdr: str = "cdr"
    gateways: dict[str, str] = field(default_factory=dict)
    calls_per_second: int = 30
    max_sessions: int = 1_000
    workers: int = 4  # SIP workers at most; CALLS_PER_WORKER legs each
    hold_music: str = ""
    null_speed: float = 1.0
    log: str = "INFO"
    core_uuid: str = ""

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str) -> Options:
        return cls(**json.loads(text))
