"""The tiny models, made once in a process of their own, and engines that end with their test."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from duecall.core.campaign import Language
from duecall.core.voice import VoiceChoice
from duecall.speech.engines import coqui
from duecall.speech.engines.worker import WorkerEngine
from tests.coqui.tiny_models import KINDS

ROOT = Path(__file__).resolve().parents[2]
NewEngine = Callable[..., WorkerEngine]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """kind -> folder; see tiny_models."""
    root = tmp_path_factory.mktemp("models")
    folders = {kind: root / kind for kind in KINDS}
    words = [word for kind, folder in folders.items() for word in (kind, str(folder))]
    line = [sys.executable, "-m", "tests.coqui.tiny_models", *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return folders


@pytest.fixture
def new_engine(models: dict[str, Path]) -> Iterator[NewEngine]:
    """`new_engine(kind or folder, language, **of the choice)`: one that is not loaded yet."""
    with _maker(models) as new:
        yield new


@pytest.fixture(scope="module")
def an_engine(models: dict[str, Path]) -> Iterator[NewEngine]:
    """The same; one that a test of this file has loaded will do, as loading takes seconds."""
    with _maker(models) as new:
        yield functools.cache(new)


@contextmanager
def _maker(models: dict[str, Path]) -> Iterator[NewEngine]:
    made: list[WorkerEngine] = []

    def new(model: str | Path, language: Language = "vi", **choice: Any) -> WorkerEngine:
        folder = models[model] if isinstance(model, str) else model
        engine = coqui.engine(VoiceChoice(engine="coqui", model=str(folder), **choice), language)
        made.append(engine)
        return engine

    yield new
    for engine in made:
        engine.close()
