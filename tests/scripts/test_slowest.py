"""The slowest tests are listed by names that pytest takes."""

import os
from pathlib import Path
import subprocess
import sys

import pytest

from scripts.shared.slowest import show_slowest

TESTS = """
from time import sleep

import pytest


@pytest.fixture
def slow():
    sleep(0.4)


def test_quick():
    pass


def test_slow_set_up(slow):
    pass


@pytest.mark.xdist_group("time")
@pytest.mark.parametrize("seconds", [0.2], ids=["a@b"])
def test_slow(seconds):
    sleep(seconds)
"""


def test_names_and_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The slowest is first, its set-up included; groups of processes are not shown."""
    (tmp_path / "tests" / "deep").mkdir(parents=True)
    (tmp_path / "tests" / "deep" / "test_naps.py").write_text(TESTS)
    report = tmp_path / "report.xml"
    options = ["-p", "xdist", "-n", "1", "--dist", "loadgroup"]
    options += ["--rootdir", str(tmp_path), f"--junit-xml={report}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "tests"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        check=True,
    )
    show_slowest(report, 2)
    lines = capsys.readouterr().out.split("── Slowest tests\n")[1].splitlines()
    assert [line.split(" s  ")[1] for line in lines] == [
        "tests/deep/test_naps.py::test_slow_set_up",
        "tests/deep/test_naps.py::test_slow[a@b]",
    ]
    assert float(lines[0].split(" s  ")[0]) >= 0.4


def test_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that ended before there was a report has no list."""
    show_slowest(tmp_path / "report.xml")
    assert capsys.readouterr().out == ""
