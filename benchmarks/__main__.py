"""Run every section and report: `python -m benchmarks`."""

import argparse
import json
import os
from pathlib import Path
import sys
import time
from typing import Any

from . import growth, imports
from .report import report
from .simulated import ROOT, run_replay, run_section, run_world
from .targets import check

# Over http a server is asked who it is before it gets a token.
_OVER_HTTP = ("action get_transient_token", "action get_source_connection_information")

RESULTS = ROOT / "benchmarks/results.md"


def main() -> int:
    """Measure, print and write the report; return 0, with `--strict` 1 for a miss."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure Plex Auth beside its peers, print the tables and write them "
        f"to {RESULTS.relative_to(ROOT)}.",
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="file for the tables"
    )
    parser.add_argument("--figures", type=Path, help="file for all figures, as JSON")
    parser.add_argument(
        "--strict", action="store_true", help="exit code 1 if a target is not met"
    )
    arguments = parser.parse_args()
    start, load = time.monotonic(), os.getloadavg()[0]
    figures = _measure()
    figures["load"] = [load, os.getloadavg()[0]]
    if arguments.figures is not None:
        arguments.figures.write_text(json.dumps(figures))
    text = report(figures, time.monotonic() - start)
    arguments.output.write_text(text)
    print(text)
    is_missed = any(not target.is_met for target in check(figures))
    return int(arguments.strict and is_missed)


def _measure() -> dict[str, Any]:
    """Return the figures of all sections."""
    figures: dict[str, Any] = {}
    _say("calls")
    with (
        run_world("--accounts=2", "--servers=20") as world,
        run_replay(world) as replay,
    ):
        figures["calls"] = run_section("calls", [world, replay])
    _say("imports")
    figures["imports"] = _imports()
    _say("inside Home Assistant")
    with run_world("--servers=4", "--https") as world:
        figures["inside"] = run_section("inside", [world, "https"])
        over_http = run_section("inside", [world, "http"])
    figures["inside"] |= {f"{name} over http": over_http[name] for name in _OVER_HTTP}
    figures["growth"] = {str(count): [] for count in growth.COUNTS}
    for number in range(growth.RUNS):
        for count in growth.COUNTS:
            _say(f"growth, run {number + 1} of {growth.RUNS}: {count}")
            # A fresh one for each: its records and tokens grow.
            options = (f"--accounts={count + 1}", f"--servers={growth.SERVERS}")
            with run_world(*options, "--https", "--record") as world:
                found = run_section("growth", [world, str(count)])
            figures["growth"][str(count)].append(found)
    _say("manners")
    with run_world("--servers=2", "--https", "--record") as world:
        figures["manners"] = run_section("manners", [world])
    return figures


def _imports() -> dict[str, list[dict[str, Any]]]:
    """Return what loading the integrations adds, in turn; the first turn only warms up."""
    found: dict[str, list[dict[str, Any]]] = {imports.OURS: [], imports.CORE: []}
    for number in range(-1, imports.ROUNDS):
        for name, runs in found.items():
            one = run_section("imports", [name])
            if number >= 0:
                runs.append(one)
    return found


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
