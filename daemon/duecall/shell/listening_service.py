"""Keeps the listening service alive beside the daemon, while a campaign takes spoken answers.

Nothing rests on it: while it is not there, the scripts in the switch hear keys alone.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gevent
import gevent.event
from gevent import subprocess

from duecall.core import commands as c
from duecall.core.campaign import Language
from duecall.core.recognition import chosen_recogniser
from duecall.core.site import Site
from duecall.speech.engines.run_once import environment
from duecall.speech.recognition.live_choice import why_unheard
from fs_scripts.contract import unsafe_sound

log = logging.getLogger(__name__)
FOLDER = "listening"  # in folders.cdr, where the switch may write
SOCKET = "socket"
PATH_MAX = 100  # bytes; the system takes 107 for a socket's path
PROCESSES = 2  # recognisers of each language; a word costs one of them up to a second
AGAIN_S = (1.0, 1.0, 5.0, 30.0, 300.0)  # until it is started again, after so many failures
SETTLED_S = 600.0  # an end after so long is no failure to start
START_S = 60.0
END_S = 5.0


class ListeningService:
    """Started by the first brief that needs it. alarm: told when nobody listens."""

    def __init__(self, site: Site, alarm: Callable[[c.Alarm], None]) -> None:
        self._site = site
        self._alarm = alarm
        self._folder = Path(site.folders.cdr) / FOLDER
        self._languages: set[Language] = set()
        self._refused: set[Language] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: gevent.Greenlet | None = None
        self._tried = gevent.event.Event()  # it listens, or is known not to

    def listener(self, language: Language) -> str:
        """The socket for briefs of this language; empty where nobody can hear it. The first time it
        waits until the recogniser is loaded, START_S at most."""
        if language in self._refused:
            return ""
        if language not in self._languages:
            if problem := self._problem(language):
                self._refused.add(language)
                self._nobody_listens(problem)
                return ""
            self._languages.add(language)
            self.stop()  # it is to know this language, too
            self._tried.clear()
            self._keeper = gevent.spawn(self._keep)
        self._tried.wait(START_S)  # else the campaign's first callees would be heard by nobody
        return str(self._folder / SOCKET)

    def stop(self) -> None:
        """End it; calls go on with keys."""
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper = None
        self._end()

    # ---- the process

    def _keep(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            why = self._run()
            self._tried.set()
            failures = 0 if time.monotonic() - began > SETTLED_S else failures + 1
            if failures <= 1:  # those that follow at once are the same again
                self._nobody_listens(why)
            gevent.sleep(AGAIN_S[min(failures, len(AGAIN_S) - 1)])

    def _run(self) -> str:
        """One life of it, to its end. Returns why it is not there."""
        settings = {
            "socket": str(self._folder / SOCKET),
            "recognition": {
                language: choice.model_dump()
                for language in sorted(self._languages)
                if (choice := chosen_recogniser(self._site, language)) is not None
            },
            "processes": PROCESSES,
        }
        try:
            self._make_folder()
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "duecall.speech.recognition.live_service",
                    json.dumps(settings),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment(),
                start_new_session=True,  # Ctrl-C is for the daemon, which then ends it
            )
            line = self._process.stdout.readline()
            told = json.loads(line) if line else {"missing": "the service ended at its start"}
            if "ready" not in told:
                return str(told.get("missing"))
            log.info("spoken answers are listened for")
            self._tried.set()
            code = self._process.wait()
        except (OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            self._end()
        return f"the listening service has ended with code {code}"

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.stdin.close()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def _make_folder(self) -> None:
        """The switch must write there, too. What a switch that was killed left behind is removed:
        somebody's voice may be in it."""
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True)
            self._folder.chmod(self._folder.parent.stat().st_mode & 0o7777)
        for left in self._folder.glob("*.wav"):
            left.unlink(missing_ok=True)

    def _problem(self, language: Language) -> str:
        path = str(self._folder / SOCKET)
        if unsafe_sound(path):
            return "the path of folders.cdr holds what FreeSWITCH would take for more than a name"
        if len(path.encode()) > PATH_MAX:
            return f"the path of folders.cdr is too long for a socket: {len(path)} characters"
        problem, remedy = why_unheard(self._site, language)
        return f"{problem}; {remedy}" if problem else ""

    def _nobody_listens(self, why: str) -> None:
        self._alarm(c.Alarm("nobody listens for spoken answers", (("why", why),)))
