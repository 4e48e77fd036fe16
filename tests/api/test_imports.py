"""The client stands by itself: aiohttp, what aiohttp needs, and the standard library."""

import json
from pathlib import Path
import subprocess
import sys

from custom_components.plex_auth import api

PROGRAM = """
import importlib, json, pkgutil, sys, types

import aiohttp, yarl

before = set(sys.modules)
parent = types.ModuleType("plex_auth")
parent.__path__ = [sys.argv[1]]
sys.modules["plex_auth"] = parent
package = importlib.import_module("plex_auth.api")
names = [found.name for found in pkgutil.walk_packages(package.__path__, "plex_auth.api.")]
for name in names:
    importlib.import_module(name)
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
foreign = loaded - set(sys.stdlib_module_names) - {"plex_auth"}
print(json.dumps([sorted(names), sorted(foreign), "homeassistant" in sys.modules]))
"""


def test_client_loads_nothing_of_home_assistant() -> None:
    """All modules of the client import without anything but aiohttp and Python's own."""
    folder = Path(api.__file__).parent
    answer = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, str(folder.parent)],
        check=True,
        capture_output=True,
        text=True,
    )
    names, foreign, has_home_assistant = json.loads(answer.stdout)
    modules = {f"plex_auth.api.{path.stem}" for path in folder.glob("*.py")}
    assert set(names) == modules - {"plex_auth.api.__init__"}
    assert foreign == []
    assert not has_home_assistant
