"""Level, trim, fades, format of the sound that goes over the telephone."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from duecall.speech import audio


def tone(length_ms, amplitude=0.3, rate_hz=8000, frequency_hz=440.0):
    at = np.arange(rate_hz * length_ms // 1000) / rate_hz
    return (amplitude * np.sin(2 * np.pi * frequency_hz * at)).astype(np.float32)


def quiet(length_ms, rate_hz=8000):
    return np.zeros(rate_hz * length_ms // 1000, np.float32)


def test_level_of_a_full_scale_sine_is_three_below_a_square_wave():
    assert audio.active_level_dbov(tone(1000, 1.0)) == pytest.approx(-3.01, abs=0.05)


def test_active_level_does_not_count_the_pauses():
    speech = tone(1000)
    with_pauses = np.concatenate((speech, quiet(3000), speech))
    assert audio.active_level_dbov(with_pauses) == pytest.approx(
        audio.active_level_dbov(speech), abs=0.1
    )


@pytest.mark.parametrize("amplitude", [0.01, 0.3, 1.0])
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 48_000])
def test_all_sounds_come_out_at_one_level(amplitude, rate_hz):
    sound = audio.telephone(tone(700, amplitude, rate_hz), rate_hz)
    assert audio.active_level_dbov(sound) == pytest.approx(audio.LEVEL_DBOV, abs=0.5)
    assert sound.size == pytest.approx(0.7 * 8000, abs=100)


def test_what_comes_out_begins_and_ends_without_a_click():
    square = np.sign(tone(300, 1.0)) * np.float32(0.5)
    sound = audio.telephone(square, 8000)
    loud = np.abs(sound).max()
    assert max(abs(sound[0]), abs(sound[-1])) < 0.05 * loud


def test_peaks_stay_below_full_scale():
    spiky = quiet(1000)
    spiky[::800] = 1.0
    assert np.abs(audio.level(spiky)).max() <= audio.PEAK_MAX + 1e-6


def test_silence_at_the_ends_goes_and_silence_within_stays():
    sound = np.concatenate((quiet(500), tone(300), quiet(400), tone(300), quiet(700)))
    trimmed = audio.trim(sound)
    assert trimmed.size / 8 == pytest.approx(1000, abs=2 * 20)


def test_soft_beginnings_are_kept():
    sound = np.concatenate((quiet(200), tone(100, 0.005), tone(300, 0.3)))  # 36 dB softer
    assert audio.trim(sound).size / 8 >= 400


@pytest.mark.parametrize(
    "nothing",
    [
        quiet(500),
        quiet(0),
        tone(500, 1e-5),
        tone(6),
        np.concatenate((quiet(400), tone(5), quiet(400))),
    ],
)
def test_nothing_to_hear_is_said(nothing):
    with pytest.raises(audio.SilentSound):
        audio.telephone(nothing, 8000)


def test_fades_begin_and_end_near_zero_and_leave_the_middle():
    steady = np.ones(800, np.float32)
    faded = audio.fade(steady)
    assert faded[0] < 0.05
    assert faded[-1] < 0.05
    assert (faded[40:-40] == 1).all()
    assert (steady == 1).all()
    assert audio.fade(np.ones(1, np.float32)).size == 1


def test_wav_is_8_khz_mono_pcm16_with_the_silence_asked_for():
    pcm = audio.pcm16(tone(100), lead_ms=60, tail_ms=400)
    data = audio.wav_bytes(pcm)
    info = soundfile.info(io.BytesIO(data))
    assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "PCM_16")
    assert info.frames == 8 * 560
    samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    assert not samples[: 8 * 60].any()
    assert samples[8 * 60 : 8 * 160].any()
    assert not samples[-8 * 400 :].any()
    assert audio.duration_ms(len(data)) == 560


def test_whole_files_are_told_from_broken_ones():
    data = audio.wav_bytes(audio.pcm16(tone(100)))
    head = data[: audio.HEADER_BYTES]
    assert audio.is_telephone_wav(head, len(data))
    assert not audio.is_telephone_wav(head, len(data) - 2)
    assert not audio.is_telephone_wav(head, len(data) + 2)
    assert not audio.is_telephone_wav(bytes(44), len(data))
    assert not audio.is_telephone_wav(data[:10], 10)
    assert not audio.is_telephone_wav(audio.wav_header(0), 44)


def test_samples_beyond_full_scale_do_not_wrap_around():
    assert audio.pcm16(np.array([2.0, -2.0], np.float32)).tolist() == [32767, -32768]
