"""Callees made of SIPp: one small scenario each, written here so that a test reads in one place."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from sipp_scenarios.sipp import udp_port_is_bound
from tests.pocket_switch.pocket import free_port

PCAPS = Path("/usr/share/sip-tester")  # where Debian's sip-tester keeps its recorded keys
CALLEE_HZ, AGENT_HZ = 1_000, 700
_STARTS_MAX = 5

_HEADS = """[last_Via:]
[last_From:]
[last_To:]{tag}
[last_Call-ID:]
[last_CSeq:]
"""
_SDP = """v=0
o=callee 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0{number}
a=rtpmap:0 PCMU/8000
{mapping}"""
_IN_DIALOG = """{method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From:[$2];tag=[pid]T[call_number]
To:[$1]
Call-ID: [call_id]
CSeq: {number} {method}
Max-Forwards: 70
"""


def _send(text: str, retrans: bool = False) -> str:
    again = ' retrans="500"' if retrans else ""
    return f"<send{again}><![CDATA[\n\n{text}\n]]></send>\n"


def _answer(status: int, phrase: str, more: str = "", keys: bool | None = None) -> str:
    """keys: with an SDP answer that takes (True) or leaves (False) telephone-event."""
    head = f"SIP/2.0 {status} {phrase}\n" + _HEADS.format(tag=";tag=[pid]T[call_number]") + more
    if keys is None:
        return _send(head + "Content-Length: 0\n")
    mapping = "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n" if keys else ""
    body = _SDP.format(number=" 101" if keys else "", mapping=mapping)
    contact = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>\n"
    content = f"Content-Type: application/sdp\nContent-Length: [len]\n\n{body}"
    return _send(head + contact + content, retrans=status == 200)


def _request(method: str, number: int, body: str = "", kind: str = "") -> str:
    head = _IN_DIALOG.format(method=method, number=number)
    content = f"Content-Type: {kind}\n" if kind else ""
    text = head + content + "Content-Length: [len]\n\n" + body
    return _send(text, retrans=True) + '<recv response="200"/>\n'


def _pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>\n'


_INVITED = """<recv request="INVITE" crlf="true" rrs="true"><action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="1"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="2"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="3"/>
</action></recv>
"""
_ACK = '<recv request="ACK" crlf="true"/>\n'
_OK = _send("SIP/2.0 200 OK\n" + _HEADS.format(tag="") + "Content-Length: 0\n")
_BYE = '<recv request="BYE"/>\n' + _OK
_RINGING = _answer(180, "Ringing")
_ANSWERED = _RINGING + _pause(100) + _answer(200, "OK", keys=True) + _ACK
_TERMINATED = _answer(487, "Request Terminated").replace("[last_CSeq:]", "CSeq:[$3]")
_CANCELLED = '<recv request="CANCEL"/>\n' + _OK + _TERMINATED + _ACK
_ONE_BY_INFO = _request("INFO", 1, "Signal=1\nDuration=160\n", "application/dtmf-relay")


def _exec(what: str) -> str:
    return f"<nop><action><exec {what}/></action></nop>\n"


_PRESS_1 = _exec(f'play_pcap_audio="{PCAPS}/dtmf_2833_1.pcap"')

SCENARIOS = {
    "busy": _RINGING + _pause(100) + _answer(486, "Busy Here") + _ACK,
    "gone": _answer(404, "Not Found") + _ACK,
    "q850": _answer(480, "Gone", "Reason: Q.850;cause=1;text=x\n") + _ACK,
    "moved": _answer(302, "Moved", "Contact: <sip:9@127.0.0.1:9>\n") + _ACK,
    "silent": _RINGING + _CANCELLED,
    "listens": _ANSWERED + _BYE,
    "presses-1": _ANSWERED + _pause(600) + _PRESS_1 + _BYE,
    "info-1": _RINGING + _answer(200, "OK", keys=False) + _ACK + _pause(600) + _ONE_BY_INFO + _BYE,
    "hangs-up": _ANSWERED + _pause(700) + _request("BYE", 2),
    "early": _answer(183, "Progress", keys=True) + _pause(700) + _answer(200, "OK", keys=True)
    + _ACK + _BYE,
    "stays-early": _answer(183, "Progress", keys=True) + _CANCELLED,
    "talks": _ANSWERED + _exec('rtp_stream="{callee}"') + _BYE,
    "talks-presses-1": _ANSWERED + _pause(600) + _PRESS_1 + _pause(300)
    + _exec('rtp_stream="{callee}"') + _BYE,
    "agent": _RINGING + _pause(300) + _answer(200, "OK", keys=True) + _ACK
    + _exec('rtp_stream="{agent}"') + _pause(2500) + _request("BYE", 2),
}  # fmt: skip


class Callees:
    """port("busy"): a running SIPp that behaves so. echo: it also sends back what it hears."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports: dict[str, int] = {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._tones = {"callee": _tone(folder, CALLEE_HZ), "agent": _tone(folder, AGENT_HZ)}

    def port(self, name: str, *, echo: bool = False) -> int:
        if name not in self._ports:
            self._ports[name] = self._start(name, echo)
        return self._ports[name]

    def address(self, name: str, *, echo: bool = False) -> str:
        return f"sofia/duecall/100@127.0.0.1:{self.port(name, echo=echo)}"

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:  # else its number may be another's by now
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def _start(self, name: str, echo: bool) -> int:
        text = SCENARIOS[name]
        for tone, path in self._tones.items():
            text = text.replace("{" + tone + "}", f"{path},-1,0")
        scenario = self._folder / f"{name}.xml"
        scenario.write_text(
            f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="{name}">\n'
            + f'{_INVITED}{text}<Reference variables="1,2,3"/>\n</scenario>\n'
        )
        errors = self._folder / f"{name}.err"
        for _ in range(_STARTS_MAX):
            port = self._start_once(scenario, errors, echo)
            if port:
                return port
        raise AssertionError(f"SIPp did not start as {name}:\n" + errors.read_text())

    def _start_once(self, scenario: Path, errors: Path, echo: bool) -> int:
        """Its port; 0 when it ended at once, as it does when a port was taken meanwhile."""
        port, control = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
        media = _free_media_port()
        command = [
            *("sipp", "-sf", str(scenario), "-i", "127.0.0.1", "-p", str(port)),
            *("-mp", str(media), "-cp", str(control), "-nostdin", *(["-rtp_echo"] if echo else [])),
        ]
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            env={**os.environ, "TERM": "dumb"},
            stdout=subprocess.DEVNULL,
            stderr=errors.open("ab"),
            start_new_session=True,
        )
        self._processes.append(process)
        return port if _comes_up(process, (port, control)) else 0


def _free_media_port() -> int:
    """SIPp takes this one for sound and the second after it for pictures, each with its RTCP."""
    while True:
        first = free_port(socket.SOCK_DGRAM) // 2 * 2
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + 4):
                probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                probes.enter_context(probe).bind(("127.0.0.1", port))
            return first


def why_no_sipp() -> str:
    """Empty where these callees can run."""
    if shutil.which("sipp") is None:
        return "needs SIPp: apt-get install sip-tester"
    if not (PCAPS / "dtmf_2833_1.pcap").exists():
        return f"needs sip-tester's recorded keys in {PCAPS}"
    return ""


def _comes_up(process: subprocess.Popen[bytes], ports: tuple[int, int]) -> bool:
    """With its first port, that for SIP, and its last one, for remote control."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if all(udp_port_is_bound(port) for port in ports):
            return True
        time.sleep(0.05)
    return False


def _tone(folder: Path, hertz: int) -> Path:
    """Two seconds of a tone as raw µ-law, which is what SIPp's rtp_stream sends."""
    path = folder / f"{hertz}.ulaw"
    samples = (8_000 * math.sin(2 * math.pi * hertz * n / 8_000) for n in range(16_000))
    path.write_bytes(bytes(_ulaw(int(sample)) for sample in samples))
    return path


def _ulaw(sample: int) -> int:
    """ITU-T G.711."""
    sign = 0x80 if sample < 0 else 0
    level = min(32_635, abs(sample)) + 132
    exponent = level.bit_length() - 8
    return ~(sign | exponent << 4 | level >> (exponent + 3) & 0x0F) & 0xFF
