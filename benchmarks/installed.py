"""What is installed here and would not be in a Home Assistant that is used."""

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
import json
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import homeassistant


def absent_modules(component: str) -> list[str]:
    """Return the modules that neither Home Assistant nor a component of it requires.

    They came with the tools of tests, and a library may use one where it finds it.
    """
    folder = Path(homeassistant.__path__[0]) / "components" / component
    manifest = json.loads((folder / "manifest.json").read_text())
    brought = _brought(["homeassistant", *manifest["requirements"]])
    return sorted(
        module
        for module, packages in packages_distributions().items()
        if not brought.intersection(map(canonicalize_name, packages))
    )


def _brought(requirements: Iterable[str]) -> set[str]:
    """Return the names of the packages required, and of all that they require."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(one) for one in requirements]
    while waiting:
        package = waiting.pop()
        for extra in ("", *package.extras):
            if (key := (canonicalize_name(package.name), extra)) in found:
                continue
            found.add(key)
            waiting += [
                one
                for one in map(Requirement, _required(package.name))
                if one.marker is None or one.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in found}


def _required(name: str) -> Iterable[str]:
    """Return what a package requires; nothing if it is not there, for another system."""
    try:
        return requires(name) or ()
    except PackageNotFoundError:
        return ()
