"""piper, loaded once: a line of text in, one WAV file a line out.

piper writes each line's sound to a file of its own in a folder of ours and then tells its path,
whole files only: that is what parts one text from the next. The folder is private to this process,
in memory where the system has such a place, and each file is deleted as soon as it is read.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from duecall.speech.engines.child import Loaded, serve
from duecall.speech.engines.program import Program, samples_of
from duecall.speech.faults import EngineError, EngineMissing

PREFIX = "duecall-piper-"
FIRST = "A."  # spoken once while it loads, so that a model that cannot speak is told at once


class Piper:
    """One piper with one voice; started anew after a text that it died at."""

    def __init__(self, settings: dict[str, Any]) -> None:
        model = str(settings["model"])
        self._line = [
            *settings["program"],
            *("--model", model, "--config", model + ".json"),
            *("--length_scale", f"{float(settings['length_scale']):.4f}"),
        ]
        if settings.get("speaker") is not None:
            self._line += ["--speaker", str(int(settings["speaker"]))]
        self._folder = private_folder()
        self._wrote = re.compile(re.escape(self._folder + os.sep) + r"[^/\s]+\.wav")
        self._program = self._start()

    def speak(self, text: str) -> tuple[Any, int]:
        """Samples and rate. EngineError where piper made none."""
        try:
            return self.spoken(text)
        except EngineError:
            self._program.close()
            self._program = self._start()
            raise

    def spoken(self, text: str) -> tuple[Any, int]:
        """The same; after an EngineError it is of no more use."""
        self._program.write(" ".join(text.split()) + "\n")
        while True:
            found = self._wrote.search(self._program.read_line())
            if found:
                path = Path(found.group())
                try:
                    return samples_of(path.read_bytes())
                except OSError:
                    raise EngineError("piper's sound was gone before it was read") from None
                finally:
                    path.unlink(missing_ok=True)

    @property
    def last_words(self) -> str:
        return self._program.last_words

    def close(self) -> None:
        self._program.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> Program:
        for left in Path(self._folder).iterdir():  # of a text that it died at
            left.unlink(missing_ok=True)
        environment = {"TMPDIR": self._folder, "OMP_NUM_THREADS": "1"}
        line = [*self._line, "--output_dir", self._folder]
        return Program(line, environment=environment, folder=self._folder)


def private_folder() -> str:
    """For this process alone. What earlier ones left behind when they were killed is deleted."""
    root = "/dev/shm" if os.access("/dev/shm", os.W_OK | os.X_OK) else tempfile.gettempdir()
    for old in Path(root).glob(f"{PREFIX}*"):
        number = old.name.removeprefix(PREFIX).split("-")[0]
        if number.isdigit() and not os.path.exists(f"/proc/{number}"):
            shutil.rmtree(old, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root)


def load(settings: dict[str, Any]) -> Loaded:
    piper = Piper(settings)
    try:
        _, rate_hz = piper.spoken(FIRST)
    except EngineError:
        piper.close()
        raise EngineMissing(
            f"{settings['model']}: piper does not speak with it ({piper.last_words})"
        ) from None
    return Loaded("", rate_hz, piper.speak)


if __name__ == "__main__":
    serve(load)
