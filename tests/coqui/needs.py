"""Whether the extra is here. Each file that wants it begins with `skip_without_coqui()`."""

from __future__ import annotations

import importlib.util

import pytest

INSTALLED = importlib.util.find_spec("TTS") is not None


def skip_without_coqui() -> None:
    """Leaves the whole file out, with one line that says why."""
    if not INSTALLED:
        reason = "no coqui-tts here (2 GB with torch): make test-coqui installs and tests it"
        pytest.skip(reason, allow_module_level=True)
