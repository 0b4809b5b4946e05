"""Spoken answers, from the campaign's file to the brief, and the process that listens."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import gevent
import psutil
import pytest

from duecall.core import commands as c
from duecall.core.site import Site
from duecall.shell import listening_service
from duecall.shell.listening_service import ListeningService
from duecall.shell.preparer import Preparer
from fs_scripts.contract import Brief
from tests.shell.test_config_file import campaign_text, faults_of, good
from tests.shell.test_preparer import row

needs_sphinx = pytest.mark.skipif(
    importlib.util.find_spec("pocketsphinx") is None,
    reason="no pocketsphinx: pip install 'duecall[recognition]'",
)
KEYS = "keys:\n  1: {do: promise}\n  2: {do: hang_up}\n  '#': {do: repeat}\n"
EN = {"language": "language: en", "message": "message: Hello.", "no_agent": ""}


def site(folder: Path, **changes: Any) -> Site:
    trunk = {"proxy": "127.0.0.1:5080", "channels": 2, "calls_per_second": 1}
    folders = {"cdr": str(folder / "cdr"), "tts_cache": str(folder / "tts")}
    raw: dict[str, Any] = {"trunks": {"demo": trunk}, "folders": folders, **changes}
    return Site.model_validate(raw)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cdr").mkdir()
    return tmp_path


# ---- the campaign's file


@pytest.mark.parametrize(
    "spoken, problem",
    [
        ("spoken:\n  answers: {yes: ^7}\n  confirm: Sure?", "yes stands for a key without meaning"),
        ("spoken: ^\n  answers: {yes: 1}", "a word stands for key 1 (promise) and counts at once"),
        ("spoken:\n  confirm: ^Sure?", "there is no word to confirm"),
        ("spoken:\n  answers: {^maybe: 1}\n  confirm: Sure?", "maybe"),
        ("spoken:\n  digits: ^perhaps", "perhaps"),
    ],
)
def test_what_cannot_be_meant_is_told(folder: Path, spoken: str, problem: str) -> None:
    text = campaign_text(**EN, keys=KEYS, spoken=spoken.replace("^", ""))
    told = faults_of(folder, text, None)
    assert problem in str(told)
    assert "spoken" in str(told)


def test_a_question_has_words_of_its_own(folder: Path) -> None:
    ask = "questions:\n  - id: one\n    ask: Well?\n    keys: {'*': {do: repeat}}\n"
    told = faults_of(folder, campaign_text(**EN, q=ask + "    spoken: {digits: true}\n"), None)
    assert "no digit is among the keys here" in str(told)
    assert "questions[0].spoken.digits" in str(told)


def test_words_that_nobody_hears_are_told(folder: Path) -> None:
    spoken = "spoken:\n  answers: {no: 2}"
    told = str(faults_of(folder, campaign_text(keys=KEYS, spoken=spoken), site(folder)))
    assert "config.yaml names no recogniser that hears vi" in told
    assert "recognition: vi:" in told


def test_a_recogniser_that_is_not_installed_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from duecall.speech.recognition import live_choice

    monkeypatch.setattr(live_choice, "find_spec", lambda name: None)
    text = campaign_text(**EN, keys=KEYS, spoken="spoken:\n  answers: {no: 2}")
    told = str(faults_of(folder, text, site(folder)))
    assert "the recogniser pocketsphinx is not installed" in told
    assert "pip install 'duecall[recognition]'" in told


def test_words_stand_for_keys(folder: Path) -> None:
    spoken = "spoken: {answers: {yes: 1, no: 2}, digits: true, confirm: 'Sure?'}"
    campaign = good(folder, campaign_text(**EN, keys=KEYS, spoken=spoken), None)
    words = campaign.spoken.words(campaign.keys)
    assert words == {"yes": "1", "no": "2", "1": "1", "2": "2"}
    assert campaign.listens()
    assert not good(folder, campaign_text(**EN, keys=KEYS), None).listens()


# ---- the brief


def brief_of(folder: Path, socket_path: str) -> Brief:
    spoken = "spoken: {answers: {yes: 1}, confirm: 'Are you sure?'}"
    ask = "questions:\n  - id: one\n    ask: Well?\n    keys: {5: {do: answer, value: five}}\n"
    ask += "    spoken: {digits: true}\n"
    campaign = good(folder, campaign_text(**EN, keys=KEYS, spoken=spoken, q=ask), None)
    (target,), _ = Preparer(site(folder), listener=lambda language: socket_path).prepare(
        campaign, [row(1)]
    )
    return target.brief


def test_the_brief_tells_words_and_listener(folder: Path) -> None:
    brief = brief_of(folder, "/var/cdr/listening/socket")
    assert brief.listener == "/var/cdr/listening/socket"
    assert [step.spoken for step in brief.steps] == [{"yes": "1"}, {"5": "5"}]
    assert [len(step.confirm) > 0 for step in brief.steps] == [True, False]
    assert Brief.decode(brief.encode()) == brief


def test_without_a_listener_there_are_keys_alone(folder: Path) -> None:
    brief = brief_of(folder, "")
    assert [step.spoken for step in brief.steps] == [{}, {}]
    assert set(brief.steps[0].keys) == {"1", "2", "#"}


# ---- the process


class Listening(ListeningService):
    """With its alarms, and ended with the test."""

    def __init__(self, its: Site) -> None:
        self.alarms: list[c.Alarm] = []
        super().__init__(its, self.alarms.append)

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def connects(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(path)
        except OSError:
            return False
        return True


def until(check: Any, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < deadline
        gevent.sleep(0.05)


@needs_sphinx
def test_it_listens_when_it_is_asked_for_and_comes_back(folder: Path) -> None:
    left = folder / "cdr" / "listening" / "of-a-killed-switch.wav"
    left.parent.mkdir()
    left.write_bytes(b"what somebody said")
    with Listening(site(folder)) as service:
        path = service.listener("en")
        assert connects(path)
        assert service.listener("en") == path
        assert not left.exists()
        children = psutil.Process().children()
        (process,) = [p for p in children if "live_service" in " ".join(p.cmdline())]
        process.send_signal(signal.SIGKILL)
        until(lambda: service.alarms)
        assert "ended with code -9" in str(service.alarms[0].fields)
        until(lambda: connects(path))
    assert not connects(path)
    assert not [p for p in psutil.Process().children(recursive=True) if "live" in p.name()]


def test_one_that_cannot_work_is_told_once_and_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening_service, "AGAIN_S", (0.05,))
    monkeypatch.setattr(listening_service, "why_unheard", lambda *_: ("", ""))
    model = {"engine": "pocketsphinx", "model": "/nowhere"}
    with Listening(site(folder, recognition={"en": model})) as service:
        assert service.listener("en")  # the socket is told: it may come to be
        until(lambda: service.alarms)
        gevent.sleep(3)
        assert [alarm.what for alarm in service.alarms] == ["nobody listens for spoken answers"]


@pytest.mark.parametrize("name", ["x" * 100, "a b"])
def test_a_folder_that_cannot_hold_the_socket(folder: Path, name: str) -> None:
    its = site(folder, folders={"cdr": str(folder / name)}, recognition={})
    with Listening(its) as service:
        assert service.listener("en") == service.listener("en") == ""
        assert len(service.alarms) == 1
        assert "folders.cdr" in str(service.alarms[0].fields)


def test_a_language_that_nobody_hears_is_told_once(folder: Path) -> None:
    with Listening(site(folder)) as service:
        assert service.listener("vi") == service.listener("vi") == ""
        assert len(service.alarms) == 1
    assert not os.path.exists(folder / "cdr" / "listening")
