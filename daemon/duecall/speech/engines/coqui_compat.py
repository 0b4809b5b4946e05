"""What has to be so before coqui-tts 0.28 can be imported and may be trusted with a model.

Only for the child process: `prepare` changes the whole of it and cannot be undone.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import logging
import os
import socket
import sys
import types
import warnings
from typing import Any

from duecall.speech.engines.offline import OFFLINE
from duecall.speech.faults import EngineMissing

_INSTALL = "install it (make test-coqui shows how, or pip install 'duecall[coqui]')"
# distribution -> why it is wanted; coqui-tts 0.28 declares none of these three.
_UNDECLARED = {
    "torchaudio": "pip install --no-deps 'torchaudio>=2.11,<2.12'",
    "torchcodec": "pip install --no-deps 'torchcodec>=0.17,<0.18'",
    "six": "pip install six",
}
_QUIET = {
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_REFUSED = "refused: a voice's process has no network"


def prepare(threads: int) -> str:
    """Makes `import TTS` work, and this process deaf to the network. The library with its version.

    EngineMissing, with the remedy, where something is not installed.
    """
    no_network()
    for name in ("TTS", "torch"):
        if importlib.util.find_spec(name) is None:
            raise EngineMissing(f"coqui-tts is not installed: {_INSTALL}")
    for name, remedy in _UNDECLARED.items():
        if importlib.util.find_spec(name) is None:
            raise EngineMissing(f"coqui-tts needs {name}, which it does not bring: {remedy}")
    # coqui-tts and its libraries write texts into their logs, and here texts are personal.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    # Before torch is loaded: it reads these once.
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    stub_torchaudio()
    weights_only()
    import torch

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.set_grad_enabled(False)
    return f"coqui-tts {importlib.metadata.version('coqui-tts')}"


def no_network() -> None:
    """No socket but those of this machine's own files, in Python code, for good.

    coqui-tts downloads models by name, and opens any path of a config.json through fsspec, which
    takes URLs. An audit hook stands below all of that and cannot be taken off again.
    """
    os.environ.update({**OFFLINE, **_QUIET})
    sys.addaudithook(_refuse_network)


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        raise PermissionError(_REFUSED)
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
        family = getattr(arguments[0], "family", None)
        if family != socket.AF_UNIX:
            raise PermissionError(_REFUSED)


def stub_torchaudio() -> None:
    """A module in place of torchaudio's own loader of its compiled part.

    The wheel of PyPI is linked with CUDA and does not load beside a torch for CPUs alone. Models
    use its resampling and spectra, which are plain torch.
    """
    stub = types.ModuleType("torchaudio._extension")
    stub.__dict__.update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=lambda function: function,
    )
    sys.modules["torchaudio._extension"] = stub


def weights_only() -> None:
    """torch.load takes numbers and never code, whatever its caller or the environment says.

    coqui-tts asks for that nearly everywhere; this leaves out "nearly".
    """
    import torch

    os.environ.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    load = torch.load

    @functools.wraps(load)
    def load_weights(*arguments: Any, **options: Any) -> Any:
        options["weights_only"] = True
        return load(*arguments, **options)

    torch.load = load_weights
