from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duecall.shell.loopback_site import LoopbackSite
from tests.cli.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def daemon_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk whose daemon runs, without a switch: no call can be placed."""
    folder = tmp_path_factory.mktemp("desk")
    with LoopbackSite(folder, "pocket", proxy="127.0.0.1:9") as site:
        desk = Desk(folder, site)
        site.start_daemon()
        yield desk
