"""Start the test field by hand and leave it running until Ctrl-C: python -m sipp_scenarios"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from dataclasses import fields
from pathlib import Path

from sipp_scenarios.field import Field, FieldError
from sipp_scenarios.timing import Timing


def _end(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: the processes are being ended
    sys.exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m sipp_scenarios", description="Callees, exchange and agents on 127.0.0.1."
    )
    parser.add_argument("--listen", default="127.0.0.1:5080", help="the exchange; port 0: any")
    parser.add_argument("--work-dir", type=Path, help="logs go there; default: a temporary folder")
    parser.add_argument("--trace-messages", action="store_true", help="log all SIP messages")
    for field in fields(Timing):
        option = "--" + field.name.replace("_", "-")
        parser.add_argument(option, type=int, default=field.default, help=f"{field.default}")
    arguments = parser.parse_args()
    timing = Timing(**{field.name: getattr(arguments, field.name) for field in fields(Timing)})
    signal.signal(signal.SIGTERM, _end)
    try:
        with Field(
            arguments.work_dir,
            listen=arguments.listen,
            timing=timing,
            trace_messages=arguments.trace_messages,
        ) as running:
            print(f"proxy  {running.proxy}")
            for name, address in running.agents.items():
                print(f"agent  {name}  {address}")
            print(f"logs   {running.work_dir}", flush=True)
            while True:
                time.sleep(1.0)
                running.check_alive()
    except KeyboardInterrupt:
        pass
    except FieldError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
