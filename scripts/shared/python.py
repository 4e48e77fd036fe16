"""A Python that Home Assistant runs on: 3.14.2 or a newer 3.14."""

from collections.abc import Callable, Iterator
from pathlib import Path
import shutil
import subprocess

from . import debian
from .commands import run
from .failure import Failure
from .paths import CACHE
from .progress import step
from .tools import find_tool, uv_settings

_FOLDER = CACHE / "python"
_SHOW_VERSION = "import ssl, sqlite3, sys; print(*sys.version_info[:3])"


def find_python() -> Path:
    """Return the interpreter of the PATH or the cache, else fetch one into the cache.

    Raises `Failure` when there is none and none can be fetched.
    """
    for python in _present():
        if _is_suitable(python):
            return python
    fetches: tuple[Callable[[], Path], ...] = (_fetch_with_uv, _unpack_from_debian)
    reasons = []
    for fetch in fetches:
        try:
            python = fetch()
        except Failure as error:
            reasons.append(str(error))
            continue
        if _is_suitable(python):
            return python
        reasons.append(f"{python} is no Python 3.14.2 that starts")
    raise Failure(
        f"install Python 3.14.2 or a newer 3.14 as python3.14 ({'; '.join(reasons)})"
    )


def version_of(python: Path) -> tuple[int, ...] | None:
    """Return an interpreter's version; None when it does not start or lacks a part."""
    command = [str(python), "-I", "-c", _SHOW_VERSION]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return tuple(int(part) for part in result.stdout.split())


def _present() -> Iterator[Path]:
    if found := shutil.which("python3.14"):
        yield Path(found)
    yield from _FOLDER.glob("uv/*/bin/python3.14")
    yield debian.interpreter(_FOLDER / "debian")


def _is_suitable(python: Path) -> bool:
    return (3, 14, 2) <= (version_of(python) or ()) < (3, 15)


def _fetch_with_uv() -> Path:
    """Let uv download an interpreter; a closed network shows within seconds."""
    folder = _FOLDER / "uv"
    uv = find_tool("uv")
    settings = {
        **uv_settings(),
        "UV_PYTHON_INSTALL_DIR": str(folder),
        "UV_HTTP_CONNECT_TIMEOUT": "5",
        "UV_HTTP_TIMEOUT": "15",
        "UV_HTTP_RETRIES": "0",
    }
    with step("Fetching Python 3.14 with uv"):
        command = [str(uv), "python", "install", "--no-bin", "3.14"]
        run(command, "fetch it with uv", env=settings, timeout=90)
        return next(folder.glob("*/bin/python3.14"))


def _unpack_from_debian() -> Path:
    patchelf = find_tool("patchelf")
    with step("Fetching Python 3.14 of Debian testing"):
        return debian.unpack_python(_FOLDER / "debian", patchelf)
