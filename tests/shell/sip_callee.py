"""A telephone for tests: answers calls over SIP (UDP, loopback) as the dialled number says.

It speaks just enough SIP for FreeSWITCH, and no RTP: what it says is silence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import gevent
from gevent.server import DatagramServer

Address = tuple[str, int]


@dataclass(frozen=True)
class Manner:
    """What the callee does. status: final answer; 0: it rings and rings."""

    status: int = 200
    ring: bool = True
    answer_after_s: float = 0.0
    bye_after_s: float | None = None  # after the ACK; None: waits for the caller's BYE
    headers: tuple[str, ...] = ()  # further header lines of the final answer


class SipCallee(DatagramServer):
    """manners: number -> what it does. A number not there gets 404."""

    def __init__(self, manners: dict[str, Manner]) -> None:
        super().__init__(("127.0.0.1", 0))
        self.manners = manners
        self.invites: list[str] = []  # numbers, in order
        self._calls: dict[str, tuple[Manner, dict[str, str], str]] = {}
        self.start()

    @property
    def port(self) -> int:
        return int(self.server_port)

    def handle(self, data: bytes, address: Address) -> None:
        text = data.decode("utf-8", "replace")
        first, _, rest = text.partition("\r\n")
        heads = _heads(rest)
        call_id = heads["call-id"]
        method = first.split(" ", 1)[0]
        if method == "INVITE":
            if call_id not in self._calls:
                gevent.spawn(self._invited, first, heads, address)
        elif method == "ACK":
            known = self._calls.get(call_id)
            if known and known[0].bye_after_s is not None:
                gevent.spawn_later(known[0].bye_after_s, self._bye, call_id, address)
        elif method == "CANCEL":
            self._reply(heads, 200, address)
            known = self._calls.get(call_id)
            if known:
                self._reply(known[1], 487, address)
        elif method in ("BYE", "OPTIONS"):
            self._reply(heads, 200, address)

    def _invited(self, first: str, heads: dict[str, str], address: Address) -> None:
        match = re.match(r"INVITE sip:([^@]+)@", first)
        number = match.group(1) if match else ""
        self.invites.append(number)
        manner = self.manners.get(number, Manner(status=404, ring=False))
        uri = first.split(" ")[1]
        self._calls[heads["call-id"]] = (manner, heads, uri)
        self._reply(heads, 100, address)
        if manner.ring:
            self._reply(heads, 180, address)
        gevent.sleep(manner.answer_after_s)
        if manner.status:
            self._reply(heads, manner.status, address, manner.headers, sdp=manner.status == 200)

    def _reply(
        self,
        heads: dict[str, str],
        status: int,
        address: Address,
        more: tuple[str, ...] = (),
        sdp: bool = False,
    ) -> None:
        to = heads["to"] + ("" if status == 100 or ";tag=" in heads["to"] else ";tag=callee")
        body = ""
        if sdp:
            body = (
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"
                "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
            )
        lines = [
            f"SIP/2.0 {status} {'OK' if status == 200 else 'Answer'}",
            *(f"Via: {via}" for via in heads["via"].split("\n")),
            f"From: {heads['from']}",
            f"To: {to}",
            f"Call-ID: {heads['call-id']}",
            f"CSeq: {heads['cseq']}",
            f"Contact: <sip:callee@127.0.0.1:{self.port}>",
            *more,
            *(["Content-Type: application/sdp"] if sdp else []),
            f"Content-Length: {len(body)}",
        ]
        self.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), address)

    def _bye(self, call_id: str, address: Address) -> None:
        _, heads, _ = self._calls[call_id]
        contact = re.search(r"<([^>]+)>", heads["contact"])
        target = contact.group(1) if contact else heads["contact"]
        self.sendto(
            (
                f"BYE {target} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call_id[:8]}bye\r\n"
                f"From: {heads['to']};tag=callee\r\nTo: {heads['from']}\r\n"
                f"Call-ID: {call_id}\r\nCSeq: 1 BYE\r\nMax-Forwards: 70\r\n"
                "Content-Length: 0\r\n\r\n"
            ).encode(),
            address,
        )


def _heads(text: str) -> dict[str, str]:
    heads: dict[str, str] = {}
    for line in text.split("\r\n\r\n", 1)[0].split("\r\n"):
        name, _, value = line.partition(":")
        name = name.strip().lower()
        heads[name] = heads[name] + "\n" + value.strip() if name in heads else value.strip()
    return heads
