"""Chromium: the one on the PATH, else Debian's package."""

import os
from pathlib import Path
import shutil

from .commands import run
from .failure import Failure
from .progress import step

_PACKAGE = "chromium"
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> Path:
    """Return the browser; root gets it installed when it is missing.

    Raises `Failure` when there is none.
    """
    if found := _present():
        return found
    if os.geteuid() != 0:
        raise Failure(f"install the package {_PACKAGE}")
    try:
        with step(f"Installing the package {_PACKAGE}"):
            run(["apt-get", "update"], "read apt's package lists")
            options = ["--yes", "--no-install-recommends"]
            settings = {"DEBIAN_FRONTEND": "noninteractive"}
            run(["apt-get", "install", *options, _PACKAGE], "install it", env=settings)
    except Failure as error:
        raise Failure(f"install the package {_PACKAGE} ({error})") from None
    if found := _present():
        return found
    raise Failure(f"the package {_PACKAGE} has no program of that name")


def _present() -> Path | None:
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return Path(found) if found else None
