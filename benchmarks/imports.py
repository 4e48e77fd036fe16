"""Section 2, imports: what loading an integration adds to a Home Assistant that runs.

`python -m benchmarks.imports NAME` loads Home Assistant's start, its web server and the
entity domains that either integration uses, and then the integration: its package, its
entity platforms and what Home Assistant loads with every package, if it is there.
"""

import gc
import importlib
import json
import os
from pathlib import Path
import sys
import time
from typing import Final

ROUNDS: Final = 7
OURS: Final = "custom_components.plex_auth"
CORE: Final = "homeassistant.components.plex"

_PLATFORMS: Final = {
    OURS: ("binary_sensor", "event", "sensor"),
    CORE: ("button", "media_player", "sensor", "update"),
}


def main() -> None:
    """Load, then load the integration, and print what that added."""
    name = sys.argv[1]
    importlib.import_module("homeassistant.bootstrap")
    importlib.import_module("homeassistant.components.http")
    for platforms in _PLATFORMS.values():
        for platform in platforms:
            importlib.import_module(f"homeassistant.components.{platform}")
    loader = importlib.import_module("homeassistant.loader")
    root = Path(importlib.import_module(name.rpartition(".")[0]).__path__[0])
    preloaded = [
        one
        for one in loader.BASE_PRELOAD_PLATFORMS
        if (root / name.rpartition(".")[2] / f"{one}.py").exists()
    ]
    names = [name, *(f"{name}.{one}" for one in (*preloaded, *_PLATFORMS[name]))]
    gc.collect()
    gc.freeze()
    before, memory = set(sys.modules), _resident_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    for one in names:
        importlib.import_module(one)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    gc.collect()
    added = sorted(set(sys.modules) - before)
    own = [one for one in added if one == name or one.startswith(f"{name}.")]
    print(
        json.dumps(
            {
                "wall": wall,
                "cpu": cpu,
                "memory": _resident_bytes() - memory,
                "own": len(own),
                "core": [
                    one
                    for one in added
                    if one not in own and one.startswith("homeassistant.")
                ],
                "outside": [
                    one
                    for one in added
                    if one not in own and not one.startswith("homeassistant.")
                ],
            }
        )
    )


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
