"""What loading an integration adds to a running Home Assistant.

`python -m benchmarks.imports NAME` loads what a usual Home Assistant has loaded, and then
the integration: its package, its entity platforms, and the modules that Home Assistant
preloads with every package.
"""

import dataclasses
from functools import partial
import gc
from importlib import import_module
from importlib.util import find_spec
import json
from pathlib import Path
import sys
from typing import Any, Final

from .measure import resident_bytes, timed

OURS: Final = "custom_components.plex_auth"
CORE: Final = "homeassistant.components.plex"

_LOADED: Final = (
    "homeassistant.bootstrap",
    "homeassistant.components.http",
    "homeassistant.helpers.update_coordinator",
)
# plexapi uses it if it is there, but only the test tools bring it.
_ABSENT: Final = "tqdm"


class TimedDataclass:
    """The decorator for dataclasses, which also sums up its CPU time."""

    def __init__(self) -> None:
        """Start at zero."""
        self.count, self.cpu = 0, 0.0
        self._make: Any = dataclasses.dataclass

    def __call__(self, cls: type | None = None, /, **options: bool) -> Any:
        """Return the dataclass made of a class, or a decorator with the options."""
        if cls is None:
            return partial(self, **options)
        with timed() as time:
            made = self._make(cls, **options)
        self.count += 1
        self.cpu += time.cpu
        return made


def main() -> None:
    """Load, then load the integration, and print what that added."""
    name = sys.argv[1]
    sys.modules[_ABSENT] = None  # type: ignore[assignment]
    for one in _LOADED:
        import_module(one)
    for integration in (OURS, CORE):
        for platform in _platforms(integration):
            import_module(f"homeassistant.components.{platform}")
    preloaded = import_module("homeassistant.loader").BASE_PRELOAD_PLATFORMS
    parts = [one for one in preloaded if one in _parts(name)] + _platforms(name)
    timed_dataclass = TimedDataclass()
    dataclasses.dataclass = timed_dataclass
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
                "dataclasses": timed_dataclass.count,
                "dataclasses_cpu": timed_dataclass.cpu,
                "core": core,
                "outside": [one for one in others if one not in core],
            }
        )
    )


def _platforms(name: str) -> list[str]:
    """Return the entity platforms of an integration."""
    platforms = import_module("homeassistant.const").Platform
    return sorted(set(platforms) & _parts(name))


def _parts(name: str) -> set[str]:
    """Return the modules of an integration without importing it."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (folder,) = spec.submodule_search_locations
    return {file.stem for file in Path(folder).glob("*.py")}


if __name__ == "__main__":
    main()
