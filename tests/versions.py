"""The code of versions of the integration that were released."""

from pathlib import Path
import tarfile

from scripts.shared.commands import run
from scripts.shared.paths import ROOT

V0_1_0 = "ff6086815a2ad3d8eba61e41d6cd258902e461b3"
V0_2_0 = "b0bf98e24e619e7506ab4f20e21c0632aaf52b8e"


def unpack(commit: str, folder: Path) -> Path:
    """Return the folder with the code of a version, given by its commit.

    It is one of its own in `folder`. Raises `Failure` without the history.
    """
    unpacked = folder / commit
    if not unpacked.exists():
        folder.mkdir(exist_ok=True)
        archive = folder / f"{commit}.tar"
        git = ["git", "archive", f"--output={archive}", commit, "custom_components"]
        run(git, "read the history of the repository", cwd=ROOT)
        with tarfile.open(archive) as opened:
            opened.extractall(unpacked, filter="data")
    return unpacked
