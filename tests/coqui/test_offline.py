"""No model is ever fetched: the engine's process has no network, and asks for none."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from duecall.speech.engines import coqui
from duecall.speech.engines.worker import WorkerEngine
from duecall.speech.faults import EngineMissing
from tests.coqui.conftest import ROOT, NewEngine
from tests.coqui.needs import skip_without_coqui

skip_without_coqui()

NO_NETWORK = ("unshare", "--user", "--map-root-user", "--net")


class Listener:
    """Counts who connects to it."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def test_a_voice_works_where_there_is_no_network_at_all(models: dict[str, Path]) -> None:
    """In a network namespace of its own, in which even loopback is down."""
    if subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespaces")
    engine = WorkerEngine(
        "coqui",
        "alone",
        [*NO_NETWORK, sys.executable, "-m", coqui.CHILD],
        {"language": "vi", "words_per_minute": 150, "seed": 1},
        told={"model": str(models["vits"]), "name": "", "threads": 1},
    )
    try:
        assert engine.synthesize("kính chào quý khách")[0].size
    finally:
        engine.close()


TRIES = """
import json, socket, sys, urllib.request
from duecall.speech.engines import coqui_compat
port = int(sys.argv[1])
with socket.create_connection(("127.0.0.1", port)): pass
coqui_compat.prepare(1)
import fsspec, torch
from TTS.utils.manage import ModelManager
from trainer.io import load_fsspec
url = f"http://127.0.0.1:{port}/model.pth"
tries = {
    "connect": lambda: socket.create_connection(("127.0.0.1", port)),
    "connect_ex": lambda: socket.socket().connect_ex(("127.0.0.1", port)),
    "resolve": lambda: socket.getaddrinfo("example.org", 443),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"?", ("127.0.0.1", port)),
    "urllib": lambda: urllib.request.urlopen(url),
    "fsspec": lambda: fsspec.open(url).open(),
    "weights": lambda: load_fsspec(url, cache=False),
    "hub": lambda: torch.hub.load_state_dict_from_url(url, model_dir=sys.argv[2]),
    "by name": lambda: ModelManager(output_prefix=sys.argv[2], progress_bar=False).download_model(
        "tts_models/en/ljspeech/vits"
    ),
}
told = {}
for name, attempt in tries.items():
    try:
        attempt()
    except Exception as error:
        causes = []
        while error is not None:
            causes.append(str(error))
            error = error.__cause__ or error.__context__
        told[name] = "refused" if "no network" in " ".join(causes) else causes
    else:
        told[name] = "went through"
print()
print(json.dumps(told))
"""


def test_every_way_out_is_closed(listener: Listener, tmp_path: Path) -> None:
    line = [sys.executable, "-c", TRIES, str(listener.port), str(tmp_path)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == 9
    assert [name for name in told if told[name] != "refused"] == [], told
    assert listener.connections == 1, "the one before the door was closed"


def test_an_address_in_a_config_is_not_asked(
    listener: Listener, new_engine: NewEngine, models: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "voice"
    shutil.copytree(models["many_voices"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["model_args"]["speakers_file"] = f"http://127.0.0.1:{listener.port}/their_speakers.pth"
    (folder / "config.json").write_text(json.dumps(config))
    assert new_engine(folder, name="anna").synthesize("xin chào")[0].size, "it is in the folder"
    (folder / "speakers.pth").unlink()
    with pytest.raises(EngineMissing, match=r"their_speakers\.pth', which is not there"):
        new_engine(folder, name="anna").synthesize("xin chào")
    assert listener.connections == 0


def test_whoever_loads_weights_gets_numbers_only(models: dict[str, Path]) -> None:
    """Also where a library asks for more, or the environment does."""
    code = (
        "import sys\n"
        "from duecall.speech.engines import coqui_compat\n"
        "coqui_compat.prepare(1)\n"
        "import torch\n"
        "torch.load(sys.argv[1], weights_only=False)\n"
    )
    line = [sys.executable, "-c", code, str(models["trap"] / "model.pth")]
    environment = {**os.environ, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    done = subprocess.run(
        line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "Weights only load failed" in done.stderr
    assert not (models["trap"] / "executed").exists()
