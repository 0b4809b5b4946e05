"""The carrier: one UDP address that leads each call to the callee of the dialled number.

A relay, not a proxy: datagrams are passed on as they are, by Call-ID. SIPp answers to where a
packet came from, so its replies come back here and go on to the caller; what the caller sends
inside an answered call goes straight to the callee's Contact.

Every INVITE is written to a CSV log: what the network saw, to be held against what the daemon
believes. With --wire-log it stays in the way of a call until its end, by putting its own address
where the callee says "Contact", and writes down what followed the INVITE: answers, CANCEL, BYE.
By hand:

    python -m sipp_scenarios.exchange --listen 127.0.0.1:5080 --callee busy=127.0.0.1:6001 …
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import ipaddress
import re
import socket
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

from sipp_scenarios.number_plan import NUMBERS_CSV, NumberPlan, normal_number, read_rows

Address = tuple[str, int]

LOG_COLUMNS = ("time_utc", "unix_time", "number", "call_id", "callee", "repeat")
WIRE_COLUMNS = ("unix_time", "call_id", "side", "what")  # side: caller, callee; what: BYE, 200 BYE…
DIALOGS_MAX = 50_000
DIALOG_IDLE_S = 1800.0  # a call is over by then, or its BYE goes straight to the other side
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024

_CALL_ID = re.compile(rb"^(?:Call-ID|i)[ \t]*:[ \t]*([^\s]+)", re.I | re.M)
_TO = re.compile(rb"^(?:To|t)[ \t]*:[ \t]*([^\r\n]*)", re.I | re.M)
_CSEQ = re.compile(rb"^CSeq[ \t]*:[ \t]*([0-9]+)[ \t]+([A-Z]+)", re.I | re.M)
_REQUEST = re.compile(rb"([A-Z]+) (?:sips?:([^@>\s]*)@)?[^\s]+ SIP/2\.0\r?\n")
_CONTACT = re.compile(rb"^(?:Contact|m)[ \t]*:[^\r\n]*", re.I | re.M)
_ECHOED = re.compile(rb"^(?:Via|v|From|f|To|t|Call-ID|i|CSeq)[ \t]*:[^\r\n]*", re.I | re.M)


@dataclass(slots=True)
class Dialog:
    """One call on its way through. callee_address None: the exchange itself refused it."""

    caller: Address
    callee: str
    callee_address: Address | None
    used_s: float
    refusal: bytes = b""
    final: bool = False  # the callee has given its final answer
    noted: set[tuple[str, bytes]] = field(default_factory=set)  # (side, what and CSeq) in the log


class Exchange:
    """Decides where a datagram goes. No socket in here: `handle` returns what to send."""

    def __init__(
        self,
        plan: NumberPlan,
        callees: dict[str, Address],
        log: TextIO,
        home: str = "84",
        dialogs_max: int = DIALOGS_MAX,
        wire_log: TextIO | None = None,
        own: Address | None = None,
    ) -> None:
        """own: where the exchange listens; only wanted with a wire_log."""
        self._wire_file = wire_log
        self._contact = b"Contact: <sip:callee@%s:%d>" % (
            (own[0].encode(), own[1]) if own else (b"", 0)
        )
        if wire_log is not None:
            self._wire = csv.writer(wire_log, lineterminator="\n")
            self._wire.writerow(WIRE_COLUMNS)
            wire_log.flush()
        self._plan = plan
        self._callees = callees
        self._log = csv.writer(log, lineterminator="\n")
        self._log_file = log
        self._home = home
        self._dialogs_max = dialogs_max
        self._dialogs: OrderedDict[bytes, Dialog] = OrderedDict()
        self._log.writerow(LOG_COLUMNS)
        log.flush()

    def __len__(self) -> int:
        return len(self._dialogs)

    def handle(self, data: bytes, source: Address, now_s: float) -> tuple[bytes, Address] | None:
        """now_s: Unix time. Returns (datagram, where to), or None when nothing is to be sent."""
        found = _CALL_ID.search(data)
        if found is None:
            return None  # a keep-alive, or not SIP
        call_id = found.group(1)
        dialog = self._dialogs.get(call_id)
        if dialog is not None:
            dialog.used_s = now_s
            self._dialogs.move_to_end(call_id)
            self._note(call_id, dialog, data, source, now_s)
        if data.startswith(b"SIP/2.0 "):
            return self._response(data, source, dialog)
        request = _REQUEST.match(data)
        if request is None:
            return None
        method = request.group(1)
        if method == b"INVITE" and not _has_tag(data):
            return self._invite(data, source, call_id, request.group(2) or b"", dialog, now_s)
        if dialog is None:
            if method == b"ACK":
                return None
            if method == b"OPTIONS":
                return _reply(data, "200 OK"), source
            return _reply(data, "481 Call/Transaction Does Not Exist"), source
        if dialog.callee_address is None:  # refused here; the ACK of it, or a CANCEL too late
            return None if method == b"ACK" else (_reply(data, "200 OK"), source)
        return data, _other_side(dialog, source)

    def _response(
        self, data: bytes, source: Address, dialog: Dialog | None
    ) -> tuple[bytes, Address] | None:
        if dialog is None or dialog.callee_address is None:
            return None
        if source == dialog.callee_address and data[8:9] in b"23456":
            cseq = _CSEQ.search(data)
            if cseq is not None and cseq.group(2) == b"INVITE":
                dialog.final = True
        if self._wire_file is not None and source == dialog.callee_address:
            data = _CONTACT.sub(self._contact, data, count=1)
        return data, _other_side(dialog, source)

    def _invite(
        self,
        data: bytes,
        source: Address,
        call_id: bytes,
        user: bytes,
        dialog: Dialog | None,
        now_s: float,
    ) -> tuple[bytes, Address] | None:
        number = normal_number(user.decode("ascii", "replace"), self._home)
        repeat = dialog is not None
        if dialog is None:
            dialog = self._connect(number, data, source, now_s)
            self._remember(call_id, dialog, now_s)
            if dialog.refusal:
                self._note(call_id, dialog, dialog.refusal, None, now_s)
        self._write(number, call_id, dialog.callee, repeat, now_s)
        if dialog.callee_address is None:
            return dialog.refusal, source
        if dialog.final:
            # SIPp takes an INVITE repeated after its final answer for a fault. The answer is on
            # its way: SIPp repeats it until the ACK.
            return None
        return data, dialog.callee_address

    def _connect(self, number: str, data: bytes, source: Address, now_s: float) -> Dialog:
        callee = self._plan.next_callee(number)
        if callee is None:
            return Dialog(source, "", None, now_s, _reply(data, "404 Not Found"))
        address = self._callees.get(callee)
        if address is None:
            refusal = _reply(data, "503 Service Unavailable", f"callee {callee} was not started")
            return Dialog(source, callee, None, now_s, refusal)
        return Dialog(source, callee, address, now_s)

    def _remember(self, call_id: bytes, dialog: Dialog, now_s: float) -> None:
        self._dialogs[call_id] = dialog
        while self._dialogs:
            oldest = next(iter(self._dialogs.values()))
            idle = now_s - oldest.used_s > DIALOG_IDLE_S
            if not idle and len(self._dialogs) <= self._dialogs_max:
                return
            self._dialogs.popitem(last=False)

    def _note(
        self, call_id: bytes, dialog: Dialog, data: bytes, source: Address | None, now_s: float
    ) -> None:
        """What followed an INVITE, each thing once however often it is repeated."""
        cseq = _CSEQ.search(data)
        if self._wire_file is None or cseq is None:
            return
        number, method = cseq.groups()
        answer = data.startswith(b"SIP/2.0 ")
        what = data[8:11] + b" " + method if answer else method
        side = "callee" if source in (None, dialog.callee_address) else "caller"
        if what == b"INVITE" and not _has_tag(data):
            return  # stands in the log of INVITEs
        if (side, key := what + b" " + number) in dialog.noted:
            return
        dialog.noted.add((side, key))
        name = call_id.decode("utf-8", "replace")
        self._wire.writerow((f"{now_s:.3f}", name, side, what.decode("ascii", "replace")))
        self._wire_file.flush()

    def _write(self, number: str, call_id: bytes, callee: str, repeat: bool, now_s: float) -> None:
        when = datetime.fromtimestamp(now_s, timezone.utc).isoformat(timespec="milliseconds")
        self._log.writerow(
            (when, f"{now_s:.3f}", number, call_id.decode("utf-8", "replace"), callee, int(repeat))
        )
        self._log_file.flush()  # the log must be whole even if this process is killed


def _has_tag(data: bytes) -> bool:
    to = _TO.search(data)
    return to is not None and b";tag=" in to.group(1)


def _other_side(dialog: Dialog, source: Address) -> Address:
    assert dialog.callee_address is not None
    return dialog.caller if source == dialog.callee_address else dialog.callee_address


def _reply(request: bytes, status: str, warning: str = "") -> bytes:
    """A response of our own: the request's headers that a response repeats, and a To tag."""
    lines = [f"SIP/2.0 {status}".encode()]
    for line in _ECHOED.findall(request):
        is_to = line[:3].lower().startswith((b"to", b"t:", b"t "))
        lines.append(line + b";tag=exchange" if is_to and b";tag=" not in line else line)
    if warning:
        lines.append(f'Warning: 399 exchange "{warning}"'.encode())
    return b"\r\n".join([*lines, b"Content-Length: 0", b"", b""])


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{text}: not a loopback address; the exchange serves this machine only")
    return host, int(port)


def serve(exchange: Exchange, listening: socket.socket) -> None:
    """Relay until the process is ended."""
    while True:
        try:
            data, source = listening.recvfrom(65_535)
            out = exchange.handle(data, source, time.time())
            if out is not None:
                listening.sendto(*out)
        except ConnectionError:  # ICMP for an earlier datagram: a callee or the caller is gone
            continue


def main() -> None:
    parser = argparse.ArgumentParser(description="Leads calls to SIPp callees by dialled number.")
    parser.add_argument("--listen", default="127.0.0.1:5080", help="port 0: any free one")
    parser.add_argument("--numbers", type=Path, default=NUMBERS_CSV)
    parser.add_argument("--callee", action="append", default=[], metavar="NAME=HOST:PORT")
    parser.add_argument("--log", type=Path, default=Path("invites.csv"))
    parser.add_argument("--wire-log", type=Path, help="what followed each INVITE, as CSV")
    parser.add_argument("--home", default="84", help="country code of numbers that begin with 0")
    arguments = parser.parse_args()
    try:
        listen = _address(arguments.listen)
        callees = {}
        for item in arguments.callee:
            name, _, where = item.partition("=")
            callees[name] = _address(where)
        plan = NumberPlan(read_rows(arguments.numbers))
        listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        listening.bind(listen)
    except (ValueError, OSError) as error:
        sys.exit(f"exchange: {error}")
    with contextlib.ExitStack() as opened:
        log, wire_log = (
            opened.enter_context(path.open("w", encoding="utf-8", newline="")) if path else None
            for path in (arguments.log, arguments.wire_log)
        )
        assert log is not None
        host, port = own = listening.getsockname()
        exchange = Exchange(plan, callees, log, arguments.home, wire_log=wire_log, own=own)
        print(f"ready {host}:{port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            serve(exchange, listening)


if __name__ == "__main__":
    main()
