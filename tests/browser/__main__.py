"""Run the tour: `python -m tests.browser`, with the world as JSON on standard input."""

import json
import sys
import time

from scripts.shared.failure import run_script

from .tour import take


def main() -> int:
    """Read what there is to visit, take the tour, and return the exit code."""
    given = json.load(sys.stdin)
    start = time.monotonic()
    steps = take(given)
    report = {"steps": steps, "seconds": round(time.monotonic() - start, 1)}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


run_script(main)
