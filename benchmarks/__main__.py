"""Run every section and report: `python -m benchmarks`."""

import argparse
from concurrent.futures import ThreadPoolExecutor
import json
import os
from pathlib import Path
import sys
import time
from typing import Any

from .imports import CORE, OURS
from .plan import ACCOUNTS, IMPORTS, OUTAGES, ROWS, RUNS, SERVERS
from .processes import ROOT, run_section, run_world
from .report import report
from .targets import check

RESULTS = ROOT / "benchmarks/results.md"


def main() -> int:
    """Measure, print and write the report; return 0, with `--strict` 1 for a miss."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure Plex Auth, compare it with core plex, python-plexapi and "
        f"bare aiohttp, and write the report to {RESULTS.relative_to(ROOT)}.",
    )
    parser.add_argument(
        "--output", type=Path, default=RESULTS, help="file for the report"
    )
    parser.add_argument("--figures", type=Path, help="file for all figures, as JSON")
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if a target is missed"
    )
    arguments = parser.parse_args()
    start, load = time.monotonic(), os.getloadavg()[0]
    figures = {
        "outages": _outages(),
        "idle day": _idle_day(),
        "inside": _inside(),
        "memory": _memory(),
        "imports": _imports(),
        "calls": _calls(),
        "long list": _long_list(),
        "load": [load, os.getloadavg()[0]],
    }
    if arguments.figures is not None:
        arguments.figures.write_text(json.dumps(figures))
    text = report(figures, time.monotonic() - start)
    arguments.output.write_text(text)
    print(text)
    is_missed = any(not target.is_met for target in check(figures))
    return int(arguments.strict and is_missed)


def _outages() -> dict[str, Any]:
    _say("outages")
    options = f"--servers={OUTAGES}", "--https"
    with (
        run_world(*options) as world,
        run_world(*options, "--no-sockets") as polled,
        ThreadPoolExecutor() as pool,
    ):
        # Both do little but wait.
        waiting = {
            "sockets": pool.submit(run_section, "outages", world),
            "polling": pool.submit(run_section, "outages", polled, "polling"),
        }
        return {key: one.result() for key, one in waiting.items()}


def _idle_day() -> Any:
    _say("idle days")
    options = ("--servers=2", "--https", "--record")
    with run_world(*options) as world, run_world(*options, "--no-sockets") as polled:
        return run_section("idle_day", world, polled)


def _inside() -> Any:
    _say("set-up, polls and actions")
    with run_world(f"--servers={SERVERS}", "--https") as world:
        return run_section("inside", world)


def _memory() -> list[Any]:
    _say("memory")
    options = (f"--accounts={ACCOUNTS + 1}", f"--servers={SERVERS}", "--https")
    with run_world(*options) as world:
        return [run_section("memory", world) for _ in range(RUNS)]


def _imports() -> dict[str, list[Any]]:
    """Return what loading each integration adds, in turn; the first turn only warms up."""
    _say("imports")
    found: dict[str, list[Any]] = {OURS: [], CORE: []}
    for number in range(-1, IMPORTS):
        for name, runs in found.items():
            one = run_section("imports", name)
            if number >= 0:
                runs.append(one)
    return found


def _calls() -> Any:
    _say("calls")
    options = ("--accounts=2", "--servers=20")
    with run_world(*options, "--record") as checked, run_world(*options) as world:
        return run_section("calls", checked, world)


def _long_list() -> Any:
    _say("a long list")
    options = ("--accounts=2", "--servers=2", f"--phantoms={ROWS}")
    with run_world(*options) as world:
        return run_section("long_list", world)


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
