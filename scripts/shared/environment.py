"""Python environments, kept until what they are made from changes."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
import hashlib
import json
import os
from pathlib import Path
import shutil

from .commands import run
from .locks import Lock
from .paths import CACHE, ROOT
from .progress import step
from .python import find_python, version_of
from .tools import find_tool, uv_settings

_RECIPE = "1"  # raised when environments are to be made in another way
_in_use: list[Lock] = []


@dataclass(frozen=True)
class Environment:
    """What an environment is made from.

    `requirements` is a file of pins. `components` are integrations of Home Assistant's
    core whose requirements come on top, as their manifests name them. `stand_ins` are
    modules without a wheel, each with the class that Home Assistant imports of it.
    """

    name: str
    requirements: Path
    components: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Return where the environment is."""
        return CACHE / "envs" / self.name

    def program(self, name: str) -> Path:
        """Return a program of the environment."""
        return self.folder / "bin" / name

    def variables(self) -> dict[str, str]:
        """Return the variables for its programs: no setting for another Python.

        Compiled code is kept, whatever the user's setting, but in the environment.
        """
        kept = {key: os.environ[key] for key in os.environ if key[:6] != "PYTHON"}
        return {**kept, "PYTHONPYCACHEPREFIX": str(self.folder / "pycache")}


TEST = Environment("test", ROOT / "requirements_test.txt")
DEMO = Environment(
    "demo",
    ROOT / "scripts/requirements_demo.txt",
    # Home Assistant sets up its frontend and all its entity domains in any case, and
    # these need packages. Those of assist_pipeline need a compiler, but the pages load
    # only if it can be imported: its two modules get stand-ins.
    components=(
        "camera",
        "conversation",
        "ffmpeg",
        "frontend",
        "hassio",
        "infrared",
        "radio_frequency",
        "tts",
    ),
    stand_ins=("pymicro_vad.MicroVad", "pyspeex_noise.AudioProcessor"),
)
DEMO_OLDEST = replace(
    DEMO,
    name="demo-oldest",
    requirements=ROOT / "scripts/requirements_demo_oldest.txt",
)
BENCH = Environment("bench", ROOT / "scripts/requirements_bench.txt")
BROWSER = Environment("browser", ROOT / "scripts/requirements_browser.txt")
HASSCHECK = Environment("hasscheck", ROOT / "scripts/requirements_hasscheck.txt")


def prepare(environment: Environment) -> None:
    """Make an environment unless it is there, and keep it until the script ends.

    Raises `Failure` when Python or a package cannot be had.
    """
    with Lock(CACHE / "tools.lock").alone():
        uv, python = find_tool("uv"), find_python()
    key = _key(environment, python)
    marker = environment.folder / "made-from"
    lock = Lock(CACHE / "envs" / f"{environment.name}.lock").share()
    if not _is_made(marker, key):
        with lock.alone():
            if not _is_made(marker, key):
                _make(environment, uv, python)
                marker.write_text(key)
    _in_use.append(lock)


def _is_made(marker: Path, key: str) -> bool:
    return marker.exists() and marker.read_text() == key


def _make(environment: Environment, uv: Path, python: Path) -> None:
    settings = uv_settings()
    install = [
        str(uv),
        "pip",
        "install",
        "--python",
        str(environment.program("python")),
    ]
    with step(f"Making the {environment.name} environment"):
        shutil.rmtree(environment.folder, ignore_errors=True)
        run([uv, "venv", "--python", python, environment.folder], "make an environment")
        name = environment.requirements.name
        run(
            [*install, "--requirements", environment.requirements],
            f"install {name}",
            env=settings,
        )
        if environment.components:
            core = next(environment.folder.glob("lib/*/site-packages/homeassistant"))
            packages = _required(core / "components", environment.components)
            run(
                [
                    *install,
                    "--constraints",
                    core / "package_constraints.txt",
                    *packages,
                ],
                f"complete {name}",
                env=settings,
            )
        for stand_in in environment.stand_ins:
            module, name = stand_in.split(".")
            site = next(environment.folder.glob("lib/*/site-packages"))
            text = f'"""Stand-in for a package without a wheel."""\n\n\nclass {name}: ...\n'
            (site / f"{module}.py").write_text(text)


def _required(folder: Path, components: Iterable[str]) -> list[str]:
    """Return the packages that integrations of Home Assistant's core require."""
    packages: set[str] = set()
    for component in components:
        manifest = json.loads((folder / component / "manifest.json").read_text())
        packages.update(manifest.get("requirements", ()))
    return sorted(packages)


def _key(environment: Environment, python: Path) -> str:
    parts = (
        _RECIPE,
        *environment.stand_ins,
        str(environment.folder),
        str(python),
        str(version_of(python)),
        environment.requirements.read_text(),
        *environment.components,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
