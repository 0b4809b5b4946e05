"""How fast are the switch's events read, beside greenswitch as it comes?

A child process plays a switch on loopback and sends the CHANNEL_HANGUP_COMPLETE of a recorded
FreeSWITCH call (tests/data/events), over and over, as fast as it is taken: as JSON to EslLink,
which also translates it into what the dialer is told, and url-encoded ("plain") to greenswitch,
which cannot read JSON. In turns, so that a noisy machine disturbs both alike. Prints the medians of
events a second of processor time and of wall time, the ratio, and the longest time in which no
other greenlet got its turn.

    python benchmarks/esl_parse.py [--events 5000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gevent
import greenswitch

from duecall.shell.clock import now
from duecall.shell.esl_link import EslLink
from duecall.shell.switch_events import SwitchEars

RECORDED = Path(__file__).resolve().parents[1] / "tests" / "data" / "events" / "agent-answers.jsonl"
OK = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"


def event() -> dict[str, Any]:
    rows = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return next(
        row
        for row in rows
        if row["Event-Name"] == "CHANNEL_HANGUP_COMPLETE" and "variable_duecall_result" in row
    )


def frame(kind: str) -> bytes:
    if kind == "json":
        body = json.dumps(event(), ensure_ascii=False, separators=(",", ":")).encode()
    else:
        lines = (f"{name}: {quote(str(value))}\n" for name, value in event().items())
        body = "".join(lines).encode() + b"\n"
    head = f"Content-Length: {len(body)}\nContent-Type: text/event-{kind}\n\n"
    return head.encode() + body


def serve(kind: str, count: int, report: Connection) -> None:
    """One client: log it in, and when it subscribes send `count` events."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        report.send(server.getsockname()[1])
        peer, _ = server.accept()
        with peer:
            peer.sendall(b"Content-Type: auth/request\n\n")
            for _ in range(2):  # the login, the subscription
                data = b""
                while not data.endswith(b"\n\n"):
                    data += peer.recv(4096)
                peer.sendall(OK)
            chunk = frame(kind) * 50
            for _ in range(count // 50):
                peer.sendall(chunk)
            report.recv()


@dataclass
class Run:
    cpu_s: float
    wall_s: float
    longest_gap_s: float


def measure(kind: str, count: int, client: Callable[[int, int], None]) -> Run:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(kind, count, theirs), daemon=True)
    server.start()
    port = ours.recv()
    gap = [0.0]

    def tick() -> None:
        last = time.perf_counter()
        while True:
            gevent.sleep(0.001)
            gap[0], last = max(gap[0], time.perf_counter() - last), time.perf_counter()

    ticker = gevent.spawn(tick)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    client(port, count)
    run = Run(time.process_time() - cpu_s, time.perf_counter() - wall_s, gap[0])
    gevent.sleep(0.01)  # a gap that lasted to the end counts too
    ticker.kill()
    ours.send("done")
    server.join()
    return run


def with_esl_link(port: int, count: int) -> None:
    link = EslLink("127.0.0.1", port, "", "x")
    link.connect()
    link.subscribe(("ALL",))
    for seen, heard in enumerate(link.events(), 1):
        SwitchEars("duecall:d1").hear(heard, now())  # new ears: none of these is a doubled one
        if seen == count:
            break
    link.close()


def with_greenswitch(port: int, count: int) -> None:
    link = greenswitch.InboundESL("127.0.0.1", port, "x")
    link.connect()
    done = gevent.event.Event()
    seen = [0]

    def on_event(heard: Any) -> None:
        assert heard.headers["Event-Name"] == "CHANNEL_HANGUP_COMPLETE"
        seen[0] += 1
        if seen[0] == count:
            done.set()

    link.register_handle("*", on_event)
    link.send("event plain ALL")
    done.wait()
    link._run = False
    link._process_events_greenlet.kill()
    link._receive_events_greenlet.kill()
    link.sock.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--events", type=int, default=5_000, help="a round; a multiple of 50")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    runs: dict[str, list[Run]] = {"EslLink": [], "greenswitch": []}
    for _ in range(options.rounds):
        runs["greenswitch"].append(measure("plain", options.events, with_greenswitch))
        runs["EslLink"].append(measure("json", options.events, with_esl_link))
    print(
        f"{options.events} events a round, {len(event())} headers, "
        f"{len(frame('json'))} bytes as JSON, {len(frame('plain'))} plain; medians of "
        f"{options.rounds} rounds"
    )
    speed = {}
    for name, done in runs.items():
        speed[name] = options.events / statistics.median(run.cpu_s for run in done)
        wall = options.events / statistics.median(run.wall_s for run in done)
        gap_ms = max(run.longest_gap_s for run in done) * 1000
        print(
            f"{name:12} {speed[name]:8.0f} events a second of processor time, {wall:8.0f} of wall "
            f"time; others waited up to {gap_ms:.0f} ms"
        )
    print(f"ratio        {speed['EslLink'] / speed['greenswitch']:8.2f}")


if __name__ == "__main__":
    main()
