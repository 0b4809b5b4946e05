"""A SIP caller of a few lines: INVITE over UDP, RTP in, nothing that the tests do not need.

Written by the tests and not by SIPp, so that the callees are judged by something else.
"""

from __future__ import annotations

import re
import socket
import struct
import time
import uuid
from dataclasses import dataclass
from types import TracebackType

Address = tuple[str, int]

_STATUS = re.compile(r"SIP/2\.0 (\d{3})")
_CSEQ = re.compile(r"^CSeq: (\d+) (\w+)", re.M | re.I)


@dataclass(frozen=True)
class Message:
    """A SIP message as received."""

    text: str
    source: Address

    @property
    def status(self) -> int:
        """0 for a request."""
        found = _STATUS.match(self.text)
        return int(found.group(1)) if found else 0

    @property
    def method(self) -> str:
        """Of a request, or of the request that a response answers."""
        found = _CSEQ.search(self.text)
        assert found is not None, self.text
        return found.group(2)

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}: *([^\r\n]*)", self.text, re.M | re.I)
        assert found is not None, f"no {name} in {self.text}"
        return found.group(1)


@dataclass(frozen=True)
class Rtp:
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    payload: bytes
    at_s: float  # monotonic


class Caller:
    """One call, seen from the caller's side. key_type: payload type offered for keys."""

    def __init__(self, proxy: str, number: str, key_type: int = 101) -> None:
        host, port = proxy.rsplit(":", 1)
        self._proxy = (host, int(port))
        self._number = number
        self._key_type = key_type
        self._sip = _bound()
        self.rtp = _bound()
        self.call_id = uuid.uuid4().hex
        self._tag = uuid.uuid4().hex[:8]
        self._branch = "z9hG4bK" + uuid.uuid4().hex
        self.log: list[Message] = []
        self.answer: Message | None = None

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sip.close()
        self.rtp.close()

    def invite(self) -> None:
        """Send the INVITE; a second time: the very same again, as after a loss."""
        rtp_port = self.rtp.getsockname()[1]
        body = (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {rtp_port} RTP/AVP 8 0 {self._key_type}\r\n"
            "a=rtpmap:0 PCMU/8000\r\n"
            f"a=rtpmap:{self._key_type} telephone-event/8000\r\n"
        )
        self._send("INVITE", 1, self._branch, self._proxy, body=body)

    def cancel(self) -> None:
        self._send("CANCEL", 1, self._branch, self._proxy)

    def ack(self, response: Message) -> None:
        """For a 2xx straight to the callee's Contact, for others over the proxy."""
        if response.status < 300:
            where, branch = self._contact(response), "z9hG4bK" + uuid.uuid4().hex
        else:
            where, branch = self._proxy, self._branch
        self._send("ACK", 1, branch, where, to=response.header("To"))

    def bye(self) -> None:
        assert self.answer is not None
        branch = "z9hG4bK" + uuid.uuid4().hex
        where = self._contact(self.answer)
        self._send("BYE", 2, branch, where, to=self.answer.header("To"))

    def reply(self, request: Message, status: str = "200 OK") -> None:
        """To the address in the request's Via, as RFC 3261 has it."""
        lines = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):[^\r\n]*", request.text, re.M | re.I)
        sent_by = re.search(r"UDP ([0-9.]+):(\d+)", request.header("Via"))
        assert sent_by is not None
        text = "\r\n".join([f"SIP/2.0 {status}", *lines, "Content-Length: 0", "", ""])
        self._sip.sendto(text.encode(), (sent_by.group(1), int(sent_by.group(2))))

    def wait(self, status: int = 0, method: str = "INVITE", timeout_s: float = 10.0) -> Message:
        """The next response with that status (0: any final one), or request (method) received."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"no {status or 'final'} {method}; got {self.seen()}"
            message = self._receive(left_s)
            if message is None or message.method != method:
                continue
            if message.status == status if status else message.status >= 200:
                return message

    def wait_request(self, method: str, timeout_s: float = 10.0) -> Message:
        deadline_s = time.monotonic() + timeout_s
        while True:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"no {method}; got {self.seen()}"
            message = self._receive(left_s)
            if message is not None and message.status == 0 and message.method == method:
                return message

    def talk(self, timeout_s: float = 10.0) -> Message:
        """INVITE, wait for 200, ACK."""
        self.invite()
        self.answer = self.wait(200, timeout_s=timeout_s)
        self.ack(self.answer)
        return self.answer

    def hear(self, for_s: float) -> list[Rtp]:
        """All RTP packets that arrive in so many seconds."""
        packets = []
        deadline_s = time.monotonic() + for_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            self.rtp.settimeout(left_s)
            try:
                data = self.rtp.recv(2048)
            except TimeoutError:
                break
            _, kind, sequence, timestamp, _ = struct.unpack("!BBHII", data[:12])
            packets.append(
                Rtp(
                    kind & 0x7F, bool(kind & 0x80), sequence, timestamp, data[12:], time.monotonic()
                )
            )
        return packets

    def seen(self) -> list[str]:
        return [message.text.split("\r\n", 1)[0] for message in self.log]

    def _contact(self, response: Message) -> Address:
        found = re.search(r"@([0-9.]+):(\d+)", response.header("Contact"))
        assert found is not None
        return found.group(1), int(found.group(2))

    def _receive(self, timeout_s: float) -> Message | None:
        self._sip.settimeout(timeout_s)
        try:
            data, source = self._sip.recvfrom(65_535)
        except TimeoutError:
            return None
        message = Message(data.decode(), source)
        self.log.append(message)
        return message

    def _send(
        self, method: str, cseq: int, branch: str, where: Address, *, to: str = "", body: str = ""
    ) -> None:
        host, port = self._sip.getsockname()
        uri = f"sip:{self._number}@{self._proxy[0]}:{self._proxy[1]}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:duecall@{host}:{port}>;tag={self._tag}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:duecall@{host}:{port}>",
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines += [f"Content-Length: {len(body)}", "", body]
        self._sip.sendto("\r\n".join(lines).encode(), where)


def _bound() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", 0))
    return found
