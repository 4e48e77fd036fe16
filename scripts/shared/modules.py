"""Modules of the tests, run as programs that read what there is."""

from collections.abc import Mapping
import json
import subprocess

from .environment import Environment
from .paths import ROOT


def run_module(
    module: str, environment: Environment, given: Mapping[str, object]
) -> int:
    """Run a module in an environment, and return its exit code.

    It finds `given` as JSON on its standard input.
    """
    return subprocess.run(
        [environment.program("python"), "-m", module],
        cwd=ROOT,
        env={**environment.variables(), "PYTHONUNBUFFERED": "1"},
        input=json.dumps(given),
        text=True,
        check=False,
    ).returncode
