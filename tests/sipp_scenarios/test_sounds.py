"""The recordings are what RFC 3551, RFC 4733 and G.711 say."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from sipp_scenarios.sipp import scenario_names
from sipp_scenarios.sounds import Part, mu_law, parts_of, pcap, write_sounds
from sipp_scenarios.timing import Timing

HEADERS = 14 + 20 + 8  # Ethernet, IPv4, UDP


def _packets(data: bytes) -> list[tuple[int, bytes]]:
    """(microseconds, RTP packet) of a pcap file."""
    found = []
    at = 24
    while at < len(data):
        seconds, micros, kept, length = struct.unpack_from("<IIII", data, at)
        assert kept == length
        frame = data[at + 16 : at + 16 + length]
        assert struct.unpack_from("!H", frame, 14 + 20 + 4)[0] == len(frame) - 34  # UDP length
        found.append((seconds * 1_000_000 + micros, frame[HEADERS:]))
        at += 16 + length
    return found


def test_sound_is_20_ms_a_packet() -> None:
    packets = _packets(pcap([Part("speech", 1000), Part("silence", 500)]))
    assert [at for at, _ in packets] == [20_000 * n for n in range(75)]
    for index, (_, rtp) in enumerate(packets):
        first, kind, sequence, timestamp = struct.unpack("!BBHI", rtp[:8])
        assert (first, kind & 0x7F, sequence, timestamp) == (0x80, 0, index + 1, index * 160)
        assert len(rtp) == 12 + 160
    assert {rtp[12:] for _, rtp in packets[50:]} == {b"\xff" * 160}


def test_a_key_keeps_its_timestamp_and_ends_three_times() -> None:
    packets = _packets(pcap([Part("silence", 100), Part("#", 60), Part("silence", 20)], 121))
    keys = [(at, rtp) for at, rtp in packets if rtp[1] & 0x7F == 121]
    assert [at for at, _ in keys] == [100_000, 120_000, 140_000, 140_000, 140_000]
    assert [rtp[1] >> 7 for _, rtp in keys] == [1, 0, 0, 0, 0]
    assert {struct.unpack("!I", rtp[4:8])[0] for _, rtp in keys} == {800}
    events = [struct.unpack("!BBH", rtp[12:]) for _, rtp in keys]
    end = 0x80 | 10
    assert events == [(11, 10, 160), (11, 10, 320), (11, end, 480), (11, end, 480), (11, end, 480)]
    assert packets[-1][0] == 160_000  # sound goes on after the key, not under it


@pytest.mark.parametrize(
    ("sample", "byte"),
    [(0, 0xFF), (-1, 0x7F), (32_767, 0x80), (-32_768, 0x00), (1000, 0xCE), (-1000, 0x4E)],
)
def test_mu_law(sample: int, byte: int) -> None:
    assert mu_law(sample) == byte


def test_the_times_of_keys_can_be_set() -> None:
    timing = Timing(press_after_ms=4000, first_answer_ms=5000, second_answer_ms=9000)
    for callee, times_ms in (("presses-9", [4000]), ("presses-1-and-2", [5000, 9000])):
        parts = parts_of(callee, timing)
        assert parts is not None
        keys = [at // 1000 for at, rtp in _packets(pcap(parts)) if rtp[1] == 0x80 | 101]
        assert keys == times_ms


def test_every_file_that_a_scenario_plays_is_written(tmp_path: Path) -> None:
    folder = Path(write_sounds.__code__.co_filename).parent
    written = {path.name for path in write_sounds(tmp_path, scenario_names(), Timing())}
    played = set()
    for path in folder.glob("*.xml"):
        for piece in path.read_text().split('play_pcap_audio="')[1:]:
            played.add(piece.split('"')[0])
    assert played == written
