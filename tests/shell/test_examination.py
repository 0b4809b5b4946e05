"""What the doctor finds out by himself; the rest is seen on real switches (tests/e2e)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from duecall.shell.examination import _may_write


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "may"),
    [
        (0o770, "owner", set(), True),
        (0o570, "owner", set(), False),
        (0o770, "other", {"group"}, True),
        (0o750, "other", {"group"}, False),
        (0o770, "other", set(), False),
        (0o773, "other", set(), True),
        (0o077, "owner", set(), False),  # the owner's own bits count, not the wider ones
        (0o000, "root", set(), True),
    ],
)
def test_who_may_write_in_a_folder(
    tmp_path: Path, mode: int, uid: str, groups: set[str], may: bool
) -> None:
    folder = tmp_path / "cdr"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, 4001, 4002)
    owner, group = folder.stat().st_uid, folder.stat().st_gid
    folder.chmod(mode)
    ids = {"owner": owner, "other": owner + 10_000, "root": 0}
    assert _may_write(folder, ids[uid], {group} if groups else {group + 10_000}) is may
