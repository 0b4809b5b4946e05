"""festival, loaded once: its own Scheme reader on a pipe, and the sound through memory.

festival is told one function at the start. Each text is then one line: that function with the text
as a string. What comes back on the pipe is only the number of the text; the sound itself is written
to a file in memory, so no print of a library and no error can be taken for sound.
"""

from __future__ import annotations

import os
from typing import Any

from duecall.speech.engines.child import Loaded, serve
from duecall.speech.engines.program import Program, samples_of
from duecall.speech.faults import EngineError, EngineMissing

LOAD = "Load"  # the number of no text
_BYTES_MAX = 2 * 48_000 * 600


class Festival:
    """One festival with one voice; started anew after a text that it failed at."""

    def __init__(self, program: str, voice: str) -> None:
        self._line = (program, "--pipe")
        self._voice = voice
        self._sound = os.memfd_create("duecall-festival")
        self._texts = 0
        self._program = self._start()

    def speak(self, text: str) -> tuple[Any, int]:
        """Samples and rate. EngineError where festival made none."""
        os.ftruncate(self._sound, 0)
        self._texts += 1
        try:
            self._program.write(f"(duecall_say {quoted(text)})\n(duecall_told {self._texts})\n")
            self._wait_for(str(self._texts))
            return samples_of(os.pread(self._sound, _BYTES_MAX, 0))
        except EngineError:
            # It may be out of step, or in a state of which only a new start is sure.
            self._program.close()
            self._program = self._start()
            raise

    def _start(self) -> Program:
        program = Program(
            self._line,
            keep=(self._sound,),
            environment={"HOME": "/nonexistent", "LC_ALL": "C.UTF-8"},  # nobody's ~/.festivalrc
        )
        program.write(
            # `Utterance` does not evaluate what it is given, so the form is made and then run.
            "(define (duecall_say text)"
            " (set! duecall_said (utt.synth (eval (list 'Utterance 'Text text))))"
            f' (utt.save.wave duecall_said "/dev/fd/{self._sound}" \'riff)'
            " (set! duecall_said nil))\n"
            '(define (duecall_told n) (format t "duecall %l\\n" n) (fflush nil))\n'
            f"(if (member '{self._voice} (voice.list)) (voice_{self._voice})"
            ' (begin (format t "duecall no voice\\n") (fflush nil)))\n'
            f"(duecall_told '{LOAD})\n"
        )
        self._program = program
        try:
            self._wait_for(LOAD)
        except EngineMissing:
            program.close()
            raise
        return program

    def _wait_for(self, told: str) -> None:
        while True:
            line = self._program.read_line()
            if line == f"duecall {told}":
                return
            if line == "duecall no voice":
                raise EngineMissing(
                    f"festival has no voice {self._voice}; install it (Debian, Ubuntu: apt-get "
                    "install festvox-ru), or leave out voice.name"
                )


def quoted(text: str) -> str:
    """A string of Scheme, whatever the text; festival.py lets letters and marks through only."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def load(settings: dict[str, Any]) -> Loaded:
    festival = Festival(str(settings["program"]), str(settings["voice"]))
    return Loaded("", 16_000, festival.speak)


if __name__ == "__main__":
    serve(load)
