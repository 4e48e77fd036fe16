"""Each home, over a day, a night and an outage of plex.tv, in a network of its own."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
import os
from pathlib import Path
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from .homes import HOMES, Home
from .network import MARK, UNSHARE, is_permitted

ROOT = Path(__file__).parents[2]
STAGES = ("day", "night", "plex_tv_away")

_PROCESSES = 8

type Results = Mapping[str, ET.Element]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Return the results of all homes by the names of their tests.

    Several processes share them, each in namespaces of its own: most of their time they
    wait for machines that do not answer.
    """
    if not is_permitted():
        pytest.skip("homes need a network namespace: be root, with unshare and ip")
    found: dict[str, ET.Element] = {}
    with ExitStack() as stack:
        running = []
        for share in range(_PROCESSES):
            folder = tmp_path_factory.mktemp("homes")
            log = stack.enter_context((folder / "log").open("w"))
            process = _start(HOMES[share::_PROCESSES], folder, log.fileno())
            running.append((folder, process))
        for folder, process in running:
            process.wait()
            report = folder / "report.xml"
            assert report.exists(), (folder / "log").read_text()
            for case in ET.parse(report).iter("testcase"):
                found[case.get("name", "")] = case
    return found


def _start(homes: Iterable[Home], folder: Path, log: int) -> subprocess.Popen[bytes]:
    """Start the tests of some homes in namespaces of their own."""
    options = [
        "--numprocesses=0",
        f"--junit-xml={folder / 'report.xml'}",
        f"--basetemp={folder / 'temporary'}",
        f"--override-ini=cache_dir={folder / 'cache'}",
    ]
    module = Path(__file__).with_name("in_namespace.py")
    tests = [
        f"{module}::test_{stage}[{home.name}]" for home in homes for stage in STAGES
    ]
    return subprocess.Popen(
        [*UNSHARE, sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        env={**_own_environment(), MARK: str(folder)},
        stdout=log,
        stderr=log,
    )


def _own_environment() -> dict[str, str]:
    """Return the environment without what tells pytest that it is a part of a run."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_"))
    }


@pytest.mark.timeout(900)  # the first one waits for all
@pytest.mark.xdist_group("homes")
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("home", [home.name for home in HOMES])
def test_home(results: Results, home: str, stage: str) -> None:
    """The user gets what is right, and no repair that nobody has to act on."""
    case = results[f"test_{stage}[{home}]"]
    wrong = [part for part in case if part.tag in ("failure", "error", "skipped")]
    assert not wrong, "\n".join(str(one.text) for one in wrong)


def test_enough_homes() -> None:
    """There are many homes, each of another name."""
    assert len({home.name for home in HOMES}) == len(HOMES) >= 25
