"""Section 2, imports: what loading an integration adds to a Home Assistant that runs.

`python -m benchmarks.imports NAME ABSENT…` loads what a usual Home Assistant has loaded,
and then the integration: its package, its entity platforms and what Home Assistant loads
with every package, if it is there. Modules that are absent cannot be imported.
"""

import gc
from importlib import import_module
from importlib.util import find_spec
import json
from pathlib import Path
import sys
from typing import Final

from .measure import resident_bytes, timed

OURS: Final = "custom_components.plex_auth"
CORE: Final = "homeassistant.components.plex"

_LOADED: Final = (
    "homeassistant.bootstrap",
    "homeassistant.components.http",
    "homeassistant.helpers.update_coordinator",
)


def main() -> None:
    """Load, then load the integration, and print what that added."""
    name, *absent = sys.argv[1:]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]
    for one in _LOADED:
        import_module(one)
    for integration in (OURS, CORE):
        for platform in _platforms(integration):
            import_module(f"homeassistant.components.{platform}")
    preloaded = import_module("homeassistant.loader").BASE_PRELOAD_PLATFORMS
    parts = [one for one in preloaded if one in _parts(name)] + _platforms(name)
    gc.collect()
    gc.freeze()
    before, memory = set(sys.modules), resident_bytes()
    with timed() as time:
        for one in (name, *(f"{name}.{part}" for part in parts)):
            import_module(one)
    gc.collect()
    memory = resident_bytes() - memory
    added = sorted(set(sys.modules) - before)
    own = [one for one in added if f"{one}.".startswith(f"{name}.")]
    others = [one for one in added if one not in own]
    core = [one for one in others if one.startswith("homeassistant.")]
    print(
        json.dumps(
            {
                "wall": time.wall,
                "cpu": time.cpu,
                "memory": memory,
                "own": len(own),
                "core": core,
                "outside": [one for one in others if one not in core],
            }
        )
    )


def _platforms(name: str) -> list[str]:
    """Return the entity platforms that an integration has."""
    platforms = import_module("homeassistant.const").Platform
    return sorted(set(platforms) & _parts(name))


def _parts(name: str) -> set[str]:
    """Return the modules of an integration, which is not imported for that."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    return {file.stem for file in Path(folder).glob("*.py")}


if __name__ == "__main__":
    main()
