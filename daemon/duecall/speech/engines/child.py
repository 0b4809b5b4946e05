"""The side of an engine that runs in a process of its own: `serve(load)` is the whole program.

    # duecall/speech/engines/xyz_child.py, started as `python -m … '{"voice": "anna"}'`
    def load(settings):
        import xyz                      # heavy libraries are imported in here, never above
        model = xyz.load(settings["voice"])
        return Loaded(xyz.__version__, 22_050, lambda text: model.speak(text))

    if __name__ == "__main__":
        serve(load)

Standard library only at the top: what libraries print must find stdout already moved.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from duecall.speech.engines import child_link
from duecall.speech.faults import EngineError, EngineMissing


@dataclass(frozen=True, slots=True)
class Loaded:
    """version: of engine and voice data, part of the cache key. speak: from a text to samples
    (numpy float, one dimension, full scale ±1.0) at rate_hz, or to (samples, rate) itself."""

    version: str
    rate_hz: int
    speak: Callable[[str], Any]


def serve(load: Callable[[dict[str, Any]], Loaded]) -> NoReturn:
    """Loads once and answers until the parent closes or is gone; then the process ends.

    load: gets the settings of the command line; EngineMissing, or whatever it raises, is told to
    the parent. A fault of `speak` spoils one text only; its message is not passed on unless it is
    an EngineError, as others may repeat the text.
    """
    link = os.dup(0)
    child_link.replace(0, os.O_RDONLY)
    os.dup2(2, 1)  # whatever prints from here on cannot break a frame
    threading.Thread(target=child_link.end_with_parent, args=(link,), daemon=True).start()
    try:
        settings = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
        loaded = load(settings)
    except EngineMissing as error:
        child_link.send(link, {"missing": str(error)})
        os._exit(3)
    except BaseException as error:  # whatever a library throws; the parent has to hear of it
        traceback.print_exc()
        child_link.send(link, {"missing": _named(error, with_text=True)})
        os._exit(3)
    # From now on there are texts of contacts: nothing that a library prints is kept anywhere.
    child_link.replace(1, os.O_WRONLY)
    child_link.replace(2, os.O_WRONLY)
    child_link.send(link, {"ready": True, "version": loaded.version, "rate_hz": loaded.rate_hz})
    while True:
        asked, _ = child_link.receive(link)
        header, payload = _answer(loaded, str(asked.get("text", "")))
        child_link.send(link, header, payload)


def _answer(loaded: Loaded, text: str) -> tuple[dict[str, Any], bytes]:
    import numpy as np  # a library, so not above

    try:
        made = loaded.speak(text)
        samples, rate_hz = made if isinstance(made, tuple) else (made, loaded.rate_hz)
        sound = np.ascontiguousarray(np.asarray(samples).reshape(-1), "<f4")
        if not np.isfinite(sound).all():
            return {"error": "the voice made samples that are no numbers"}, b""
        return {"rate_hz": int(rate_hz)}, sound.tobytes()
    except EngineError as error:
        return {"error": str(error)}, b""
    except Exception as error:
        return {"error": _named(error, with_text=False)}, b""


def _named(error: BaseException, *, with_text: bool) -> str:
    """`ValueError at synthesis.py:57`; the message of the error only where it is asked for."""
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" at {os.path.basename(frame[0].filename)}:{frame[0].lineno}" if frame else ""
    text = f": {error}"[:300] if with_text and str(error) else ""
    return f"{type(error).__name__}{where}{text}"
