"""Python 3.14 of Debian testing in a private folder; the system stays as it is."""

from collections.abc import Iterator
from pathlib import Path
import shutil

from .commands import run
from .failure import Failure

_SUITE = "forky"
_PACKAGES = ("python3.14", "python3.14-dev", "libstdc++6", "libgcc-s1")
_KEYRINGS = Path("/usr/share/keyrings")


def interpreter(folder: Path) -> Path:
    """Return where `unpack_python` leaves the interpreter; it need not be there yet."""
    return folder / "usr/bin/python3.14"


def unpack_python(folder: Path, patchelf: Path) -> Path:
    """Fetch Python and all it needs, the C library too, and return the interpreter.

    apt checks signatures as ever, but with lists and a cache of its own. Raises
    `Failure` when there is no apt or no mirror of Debian that answers.
    """
    work = folder.with_name("debian.work")
    aside = folder.with_name("debian.partial")
    for old in (work, aside, folder):
        shutil.rmtree(old, ignore_errors=True)
    for package in _Apt(work).download(_PACKAGES):
        run(["dpkg-deb", "-x", package, aside], f"unpack {package.name}")
    loader = next(aside.glob("usr/lib/*-linux-gnu*/ld-linux*.so.*"))
    final_loader = folder / loader.relative_to(aside)
    patch: list[str | Path] = [patchelf, "--set-interpreter", final_loader]
    patch += ["--force-rpath", "--set-rpath", final_loader.parent, interpreter(aside)]
    run(patch, "prepare Debian's Python")
    aside.rename(folder)
    shutil.rmtree(work)
    return interpreter(folder)


class _Apt:
    """apt with a source list, package lists, a cache and an empty status of its own."""

    def __init__(self, work: Path) -> None:
        self._work = work
        for new in ("debs", "lists/partial", "cache/archives/partial"):
            (work / new).mkdir(parents=True)
        (work / "status").touch()

    def download(self, packages: tuple[str, ...]) -> list[Path]:
        """Download packages with everything they depend on, and return the files."""
        self._update()
        plan = self._run("--simulate", "install", *packages).splitlines()
        names = [line.split()[1] for line in plan if line.startswith("Inst ")]
        self._run("download", *names)
        return sorted((self._work / "debs").glob("*.deb"))

    def _update(self) -> None:
        """Read the package list of the first configured mirror that has the suite."""
        architecture = run(["dpkg", "--print-architecture"], "ask dpkg").strip()
        options = [f"arch={architecture}", "target=Packages"]
        if keyrings := sorted(_KEYRINGS.glob("debian-archive-keyring.*")):
            options.append(f"signed-by={keyrings[0]}")
        reasons = []
        for mirror in _mirrors():
            source = f"deb [{' '.join(options)}] {mirror} {_SUITE} main\n"
            (self._work / "sources.list").write_text(source)
            try:
                self._run("update")
            except Failure as error:
                reasons.append(error)
            else:
                return
        raise next(iter(reasons), Failure("apt is configured with no mirror"))

    def _run(self, *arguments: str) -> str:
        options = {
            "Dir::Etc::SourceList": self._work / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::State::Lists": self._work / "lists",
            "Dir::State::status": self._work / "status",
            "Dir::Cache": self._work / "cache",
            "Acquire::Retries": "2",
            "APT::Install-Recommends": "false",
            "APT::Update::Error-Mode": "any",
            # Started by root, apt downloads as a user who may not write to this folder.
            "APT::Sandbox::User": "root",
        }
        settings = [f"--option={key}={value}" for key, value in options.items()]
        command = ["apt-get", *settings, *arguments]
        return run(command, "fetch it with apt", cwd=self._work / "debs")


def _mirrors() -> Iterator[str]:
    """Yield the base addresses that apt is configured with.

    They are read from what an update would fetch: `apt-get indextargets` names only
    lists that have been fetched, and a fresh machine has none.
    """
    plan = run(["apt-get", "--print-uris", "update"], "ask apt for its mirrors")
    bases = [line.strip("'").partition("/dists/")[0] for line in plan.splitlines()]
    yield from dict.fromkeys(base for base in bases if "://" in base)
