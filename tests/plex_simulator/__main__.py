"""Run the simulator alone: `python -m tests.plex_simulator`."""

import argparse
import asyncio
import json
from pathlib import Path
import signal
import sys

from .control import describe
from .simulator import PlexSimulator
from .worlds import WORLDS


def main() -> int:
    """Read the command line, run until SIGINT or SIGTERM, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.plex_simulator",
        description="Play plex.tv and some Plex Media Servers on this machine. "
        "Prints one line of JSON when ready.",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port of plex.tv (default: any free one)"
    )
    parser.add_argument(
        "--https", action="store_true", help="let plex.tv take TLS connections only"
    )
    parser.add_argument(
        "--world",
        choices=sorted(WORLDS),
        default="demo",
        help="population (default: %(default)s)",
    )
    parser.add_argument(
        "--ca-file",
        type=Path,
        help="write the certificate of the simulator's authority there",
    )
    arguments = parser.parse_args()
    try:
        asyncio.run(_run(arguments))
    except OSError as error:
        print(
            f"The simulator cannot start: {error.strerror or error} ({_place(arguments, error)})",
            file=sys.stderr,
        )
        return 1
    return 0


async def _run(arguments: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    simulator = PlexSimulator(
        https=arguments.https, host=arguments.host, port=arguments.port
    )
    async with simulator:
        await WORLDS[arguments.world](simulator)
        description = describe(simulator)
        if arguments.ca_file is not None:
            arguments.ca_file.write_bytes(simulator.ca_pem())
            description["ca_file"] = str(arguments.ca_file.resolve())
        print(json.dumps(description), flush=True)
        await stopped.wait()


def _place(arguments: argparse.Namespace, error: OSError) -> str:
    return (
        str(error.filename) if error.filename else f"{arguments.host}:{arguments.port}"
    )


if __name__ == "__main__":
    sys.exit(main())
