"""The side of a recogniser that runs in a process of its own: `serve(load)` is the whole program.

Frames are those of duecall.speech.engines.frames. Child to parent at first: {"ready": true,
"version": "…", "model": "…"} or {"missing": "why, and the remedy"}. Then parent to child
{"do": "transcribe" | "short", "rate_hz": n, "phrases": […], "longest": n} with 16 bit samples
(little-endian, mono), and child to parent {"phrases": [[from_ms, to_ms, text, sureness], …]},
{"words": […], "sureness": x} or {"error": "…"}.

Standard library only at the top: what libraries print must find stdout already moved.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from duecall.speech.engines import child_link

if TYPE_CHECKING:
    from duecall.speech.audio import Pcm
    from duecall.speech.recognition.recogniser import Answer, Grammar, Phrase


@dataclass(frozen=True, slots=True)
class Loaded:
    """version: of the engine. model: SHA-256 of its model. transcribe, short: of samples at a rate
    in Hz, as the Recogniser's."""

    version: str
    model: str
    transcribe: Callable[[Pcm, int], Iterable[Phrase]]
    short: Callable[[Pcm, int, Grammar], Answer]


def serve(load: Callable[[dict[str, Any]], Loaded]) -> NoReturn:
    """Loads once and answers until the parent closes or is gone; then the process ends.

    load: gets the settings of the command line; what it raises is told to the parent. A fault of a
    recogniser spoils one sound; its message is not passed on, as it may repeat what was said.
    """
    link = os.dup(0)
    child_link.replace(0, os.O_RDONLY)
    os.dup2(2, 1)  # whatever prints from here on cannot break a frame
    threading.Thread(target=child_link.end_with_parent, args=(link,), daemon=True).start()
    try:
        settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
        if settings.get("low_priority"):
            os.nice(15)
        loaded = load(settings)
    except BaseException as error:  # whatever a library throws; the parent has to hear of it
        traceback.print_exc()
        plain = type(error).__name__ == "RecogniserMissing"
        child_link.send(
            link, {"missing": str(error) if plain else f"{type(error).__name__}: {error}"[:300]}
        )
        os._exit(3)
    # From now on there is what people said: nothing that a library prints is kept anywhere.
    child_link.replace(1, os.O_WRONLY)
    child_link.replace(2, os.O_WRONLY)
    child_link.send(link, {"ready": True, "version": loaded.version, "model": loaded.model})
    while True:
        header, payload = child_link.receive(link)
        child_link.send(link, _answer(loaded, header, payload))


def folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of all files in it. OSError."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            its = hashlib.file_digest(file, "sha256") if sys.version_info >= (3, 11) else None
            digest = its.hexdigest() if its else hashlib.sha256(file.read()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{digest}\n".encode())
    return total.hexdigest()


def _answer(loaded: Loaded, header: dict[str, Any], payload: bytes) -> dict[str, Any]:
    import numpy as np  # a library, so not above

    from duecall.speech.audio import Pcm
    from duecall.speech.recognition.recogniser import Grammar, RecogniserError

    try:
        samples = cast(Pcm, np.frombuffer(payload, "<i2"))
        rate_hz = int(header["rate_hz"])
        if header["do"] == "short":
            grammar = Grammar(tuple(header["phrases"]), int(header["longest"]))
            words, sureness = loaded.short(samples, rate_hz, grammar)
            return {"words": list(words), "sureness": float(sureness)}
        found = [
            [int(one.from_ms), int(one.to_ms), str(one.text), float(one.sureness)]
            for one in loaded.transcribe(samples, rate_hz)
        ]
        return {"phrases": found}
    except RecogniserError as error:
        return {"error": str(error)}
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1:]
        where = f" at {os.path.basename(frame[0].filename)}:{frame[0].lineno}" if frame else ""
        return {"error": f"{type(error).__name__}{where}"}
