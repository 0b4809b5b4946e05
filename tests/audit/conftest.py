"""Finished logs, made once for all tests of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.real_log import make_log
from tests.audit.tampering import Copy
from tests.shell.conftest import database, pytest_generate_tests

__all__ = ["database", "pytest_generate_tests"]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database of a finished log, which nobody may change, and its key."""
    folder = tmp_path_factory.mktemp("honest")
    make_log(folder).close()
    return folder


@pytest.fixture
def copied(honest: Path, tmp_path: Path) -> Callable[[], Copy]:
    """Makes a copy of it to be tampered with."""
    return lambda: Copy(honest, tmp_path)
