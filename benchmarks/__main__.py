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
from .installed import absent_modules
from .plan import ACCOUNTS, FLOODED_ACCOUNTS, IMPORTS, OUTAGES, RUNS, SERVERS
from .processes import ROOT, run_replay, run_section, run_world
from .report import report
from .targets import check

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
    figures = {
        "calls": _calls(),
        "imports": _imports(),
        "inside": _inside(),
        "growth": _growth(),
        "manners": _manners(),
        "listening": _listening(),
        "load": [load, os.getloadavg()[0]],
    }
    if arguments.figures is not None:
        arguments.figures.write_text(json.dumps(figures))
    text = report(figures, time.monotonic() - start)
    arguments.output.write_text(text)
    print(text)
    is_missed = any(not target.is_met for target in check(figures))
    return int(arguments.strict and is_missed)


def _calls() -> Any:
    _say("calls")
    options = ("--accounts=2", "--servers=20")
    with (
        run_world(*options, "--record") as checked,
        run_world(*options) as world,
        run_replay(world) as replay,
    ):
        return run_section("calls", checked, world, replay)


def _imports() -> dict[str, list[Any]]:
    """Return what loading the integrations adds, in turn; the first turn only warms up."""
    _say("imports")
    absent = absent_modules("plex")
    found: dict[str, list[Any]] = {OURS: [], CORE: []}
    for number in range(-1, IMPORTS):
        for name, runs in found.items():
            one = run_section("imports", name, *absent)
            if number >= 0:
                runs.append(one)
    return found


def _inside() -> Any:
    _say("inside Home Assistant")
    with run_world(f"--servers={SERVERS}", "--https") as world:
        return run_section("inside", world)


def _growth() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {str(count): [] for count in ACCOUNTS}
    for number in range(RUNS):
        for count, runs in found.items():
            _say(f"growth, run {number + 1} of {RUNS}: {count}")
            # A fresh one for each: its records and tokens grow.
            options = (f"--accounts={int(count) + 1}", f"--servers={SERVERS}")
            with run_world(*options, "--https", "--record") as world:
                runs.append(run_section("growth", world, count))
    return found


def _manners() -> Any:
    _say("manners")
    options = ("--servers=2", "--https", "--record")
    with run_world(*options) as world, run_world(*options, "--no-sockets") as polled:
        return run_section("manners", world, polled)


def _listening() -> dict[str, Any]:
    outages = f"--servers={OUTAGES}", "--https"
    _say("outages")
    with (
        run_world(*outages) as world,
        run_world(*outages, "--no-sockets") as polled,
        ThreadPoolExecutor() as pool,
    ):
        # Both do nearly nothing but wait.
        waiting = {
            "sockets": pool.submit(run_section, "outages", world),
            "polling": pool.submit(run_section, "outages", polled, "polling"),
        }
        found = {key: one.result() for key, one in waiting.items()}
    for whose in ("ours", "core"):
        _say(f"flood, {whose}")
        options = (f"--accounts={FLOODED_ACCOUNTS}", f"--servers={SERVERS}")
        with run_world(*options, "--https") as world:
            found[whose] = run_section("flood", world, whose)
    _say("reconnects")
    with run_world(f"--servers={SERVERS}", "--https") as world:
        found["reconnects"] = run_section("reconnects", world)
    return found


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
