"""axe-core, which finds what is not accessible on a page: fetched with npm."""

from pathlib import Path
import shutil

from .commands import run
from .failure import Failure
from .paths import CACHE
from .progress import step

_PIN = "axe-core@4.14.1"
_OPTIONS = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit")


def find_axe() -> Path:
    """Return the script of the pinned version, from the cache or fetched into it.

    Raises `Failure` when npm is missing or cannot fetch it.
    """
    folder = CACHE / "tools" / _PIN
    if not folder.exists():
        aside = folder.with_name(f"{_PIN}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        if not shutil.which("npm"):
            raise Failure("npm is missing: install it (Debian: apt install npm)")
        with step("Fetching axe-core"):
            run(
                ["npm", "install", *_OPTIONS, "--prefix", aside, _PIN],
                "fetch axe-core with npm",
                timeout=120,
            )
        aside.rename(folder)
    return folder / "node_modules/axe-core/axe.min.js"
