"""What callees and agents say and press: RTP recordings (pcap files) that SIPp plays.

Each file holds everything one callee sends from the moment of the answer: speech-like sound,
silence, keys. So the moment of a key is exact, and sequence numbers never jump. Written at run
time, PCMU (RTP payload type 0) at 8 kHz, 20 ms a packet; keys are telephone events (RFC 4733).

By hand: python -m sipp_scenarios.sounds FOLDER
"""

from __future__ import annotations

import argparse
import math
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from sipp_scenarios.timing import Timing

RATE_HZ = 8000
PACKET_MS = 20
PACKET_SAMPLES = RATE_HZ * PACKET_MS // 1000
PCMU = 0
# The payload type of keys is the caller's choice: 101 in FreeSWITCH, 120 or 121 in PJSIP, which
# gives 121 where it offers wide-band codecs too.
KEY_TYPES = (101, 120, 121)
KEY_MS = 160
_KEYS = "0123456789*#ABCD"
_SSRC = 0x1D0E_CA11
_PORT = 6000  # replaced by SIPp with the ports of the call

_PRESSES = {
    "presses-1": "1",
    "presses-2": "2",
    "presses-3": "3",
    "presses-9": "9",
    "presses-5-then-hears": "5",
}

# A word, then silence: heard by an agent after the transfer, and in the recording.
_WORD_MS, _PAUSE_MS, _TAIL_MS = 600, 3400, 32_000


@dataclass(frozen=True)
class Part:
    """So many ms of `speech`, `silence`, `beep`, or one of the keys 0-9 * #; or `sound`: mu-law
    bytes of a test's own, as long as they are."""

    kind: str
    ms: int = KEY_MS
    sound: bytes = b""


def parts_of(callee: str, timing: Timing) -> tuple[Part, ...] | None:
    """What this callee sends after the answer. None: nothing of its own."""
    if callee == "presses-1-early":
        return (Part("silence", 200), Part("1"), *_tail())
    if callee == "presses-1-and-2":
        between_ms = max(0, timing.second_answer_ms - timing.first_answer_ms - KEY_MS)
        first = (*_word(timing.first_answer_ms), Part("1"))
        return (*first, Part("silence", between_ms), Part("2"), *_tail())
    if callee in _PRESSES:
        return (*_word(timing.press_after_ms), Part(_PRESSES[callee]), *_tail())
    if callee == "listens":
        return _tail()
    if callee == "answering-machine":
        return (Part("speech", 4000), Part("silence", 300), Part("beep", 500), *_quiet())
    if callee == "agent-answers":
        return (Part("speech", 3000), *_tail())
    return None


def _word(ms: int) -> tuple[Part, ...]:
    """A word, and silence until so many ms have passed."""
    return Part("speech", min(_WORD_MS, ms)), Part("silence", max(0, ms - _WORD_MS))


def _tail() -> tuple[Part, ...]:
    turns = _TAIL_MS // (_WORD_MS + _PAUSE_MS)
    return (Part("speech", _WORD_MS), Part("silence", _PAUSE_MS)) * turns


def _quiet() -> tuple[Part, ...]:
    return (Part("silence", _TAIL_MS),)


def write_sounds(folder: Path, callees: Iterable[str], timing: Timing) -> list[Path]:
    """Write the files that these callees play; names of those that play none are passed over."""
    written = []
    for callee in sorted(set(callees)):
        parts = parts_of(callee, timing)
        if parts is None:
            continue
        if callee.startswith("presses-"):
            for key_type in KEY_TYPES:
                path = folder / f"{callee}-{key_type}.pcap"
                path.write_bytes(pcap(parts, key_type))
                written.append(path)
        else:
            path = folder / f"{callee}.pcap"
            path.write_bytes(pcap(parts))
            written.append(path)
    return written


def pcap(parts: Iterable[Part], key_type: int = KEY_TYPES[0]) -> bytes:
    """The parts as a pcap file: Ethernet, IPv4, UDP, RTP; one packet each 20 ms."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for sequence, (at_ms, rtp) in enumerate(_packets(parts, key_type)):
        packet = rtp[:2] + struct.pack("!H", (sequence + 1) & 0xFFFF) + rtp[4:]
        udp = struct.pack("!HHHH", _PORT, _PORT, 8 + len(packet), 0) + packet
        ip = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1"
        )
        frame = bytes(12) + b"\x08\x00" + ip + udp
        seconds, ms = divmod(at_ms, 1000)
        out.append(struct.pack("<IIII", seconds, ms * 1000, len(frame), len(frame)) + frame)
    return b"".join(out)


def _packets(parts: Iterable[Part], key_type: int) -> Iterator[tuple[int, bytes]]:
    """(ms since the answer, RTP packet with sequence number 0)."""
    at_ms = 0
    marker = True
    for part in parts:
        count = part.ms // PACKET_MS
        if part.kind in _KEYS:
            yield from _key(part.kind, at_ms, count, key_type)
            at_ms += count * PACKET_MS
            marker = True
            continue
        if part.kind == "sound":
            count = len(part.sound) // PACKET_SAMPLES
        sound = part.sound or _sound(part.kind, count * PACKET_SAMPLES)
        for index in range(count):
            payload = sound[index * PACKET_SAMPLES : (index + 1) * PACKET_SAMPLES]
            yield at_ms, _rtp(PCMU, marker, at_ms) + payload
            marker = False
            at_ms += PACKET_MS


def _key(key: str, at_ms: int, count: int, key_type: int) -> Iterator[tuple[int, bytes]]:
    """RFC 4733: one timestamp for all packets of a key; the last is sent three times."""
    event = _KEYS.index(key)
    for index in range(1, count + 1):
        last = index == count
        payload = struct.pack("!BBH", event, (0x80 if last else 0) | 10, index * PACKET_SAMPLES)
        packet = _rtp(key_type, index == 1, at_ms) + payload
        for _ in range(3 if last else 1):
            yield at_ms + (index - 1) * PACKET_MS, packet


def _rtp(payload_type: int, marker: bool, at_ms: int) -> bytes:
    timestamp = at_ms * RATE_HZ // 1000
    return struct.pack("!BBHII", 0x80, (0x80 if marker else 0) | payload_type, 0, timestamp, _SSRC)


@lru_cache(maxsize=64)  # the same word many times a file, in many files: a second of processor
def _sound(kind: str, samples: int) -> bytes:
    if kind == "silence":
        return b"\xff" * samples
    if kind == "beep":
        step = 2 * math.pi * 1000 / RATE_HZ
        return bytes(mu_law(int(12000 * math.sin(step * n))) for n in range(samples))
    if kind == "speech":
        return bytes(mu_law(_speech_sample(n)) for n in range(samples))
    raise ValueError(f"sound {kind!r}: use speech, silence, beep or a key of {_KEYS}")


def _speech_sample(n: int) -> int:
    """Four syllables a second of a gliding voice around 120 Hz with formant-like overtones."""
    t = n / RATE_HZ
    phase = 2 * math.pi * (120 * t + 1.5 * math.sin(2 * math.pi * 0.7 * t))
    loudness = max(0.0, math.sin(2 * math.pi * 2 * t)) + max(0.0, -math.sin(2 * math.pi * 2 * t))
    voice = sum(
        gain * math.sin(overtone * phase)
        for overtone, gain in ((1, 0.5), (2, 0.3), (5, 0.35), (6, 0.3), (12, 0.15), (19, 0.08))
    )
    return int(9000 * loudness * voice)


def mu_law(sample: int) -> int:
    """One 16-bit sample as a byte (ITU-T G.711 mu-law)."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32_635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | magnitude >> (exponent + 3) & 0x0F) & 0xFF


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the sounds that the callees play.")
    parser.add_argument("folder", type=Path)
    default = Timing()
    names = ("press_after_ms", "first_answer_ms", "second_answer_ms")
    for name in names:
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=int, default=getattr(default, name))
    arguments = parser.parse_args()
    timing = replace(default, **{name: getattr(arguments, name) for name in names})
    arguments.folder.mkdir(parents=True, exist_ok=True)
    callees = [path.stem for path in Path(__file__).resolve().parent.glob("*.xml")]
    for path in write_sounds(arguments.folder, callees, timing):
        print(path)


if __name__ == "__main__":
    main()
