"""A process beside the command that proves rows (shell/proving.py): `… IN OUT`, two pipes.

First comes the ProofOrder, then block by block of records, each of which is answered.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from multiprocessing.connection import Connection

from duecall.shell.row_prover import RowProver

BEHIND = 5  # nice: a daemon on the same machine goes first


def serve(take: Connection, give: Connection) -> None:
    """Until the parent has closed, or is gone."""
    with suppress(EOFError, OSError):
        prover = RowProver(take.recv())
        while True:
            give.send(prover.prove(take.recv()))


def main() -> None:
    os.nice(BEHIND)
    serve(
        Connection(int(sys.argv[1]), writable=False), Connection(int(sys.argv[2]), readable=False)
    )


if __name__ == "__main__":
    main()
