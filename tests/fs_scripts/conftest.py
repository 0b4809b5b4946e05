"""Scripts loaded against the fake `freeswitch`, with sounds that exist."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from fs_scripts.contract import Brief, Result
from tests.fs_scripts import fake_freeswitch
from tests.fs_scripts.fake_freeswitch import Callee, Log, Session

_SCRIPTS = ("entry", "one_call", "session_io", "startup")


class Switch:
    """Places fake calls. `sound` makes a sound of a given length."""

    def __init__(self, folder: Path, log: Log, one_call: types.ModuleType) -> None:
        self.folder = folder
        self.log = log
        self.lengths: dict[str, int] = {}
        self.one_call = one_call
        self.session: Session | None = None

    def sound(self, name: str, ms: int) -> str:
        path = self.folder / f"{name}.wav"
        path.touch()
        self.lengths[str(path)] = ms
        return str(path)

    def session_of(self, callee: Callee, variables: dict[str, str]) -> Session:
        self.session = Session(callee, self.lengths, variables, self.log)
        clock = types.SimpleNamespace(monotonic=lambda: self.session.now_ms / 1000)
        self.one_call.time = clock  # type: ignore[attr-defined]
        return self.session

    def call(self, brief: Brief | str, callee: Callee) -> Result:
        """One call through the entry module. Fails where nothing, or no result, was left behind."""
        text = brief if isinstance(brief, str) else brief.encode()
        session = self.session_of(callee, {"duecall_brief": text, "presence_data": "duecall:test"})
        fake_freeswitch.call(sys.modules["fs_scripts.entry"], [session])
        assert "duecall_brief" not in session.variables
        return Result.decode(session.variables["duecall_result"])

    def heard(self) -> list[str]:
        """Names of the sounds played, in order, without those that were cut at their start."""
        return [Path(heard.path).stem for heard in self.log.heard if heard.ms > 0]


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    log = Log()
    monkeypatch.setitem(sys.modules, "freeswitch", fake_freeswitch.make_module(log))
    for name in _SCRIPTS:
        monkeypatch.delitem(sys.modules, f"fs_scripts.{name}", raising=False)
    one_call = importlib.import_module("fs_scripts.one_call")
    importlib.import_module("fs_scripts.entry")
    yield Switch(tmp_path, log, one_call)
    for name in _SCRIPTS:  # they hold the fake; nobody else may find them
        sys.modules.pop(f"fs_scripts.{name}", None)
