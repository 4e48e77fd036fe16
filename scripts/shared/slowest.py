"""The slowest tests of a run, from the report that pytest writes as JUnit's XML."""

from heapq import nlargest
from pathlib import Path
import re
from xml.etree import ElementTree as ET

_GROUP = re.compile(r"@\w+$")


def show_slowest(report: Path, number: int = 10) -> None:
    """Print the slowest tests with their seconds, if there is a report."""
    if not report.exists():
        return
    print("\n── Slowest tests")
    for seconds, name in slowest(report, number):
        print(f"{seconds:8.1f} s  {name}")


def slowest(report: Path, number: int) -> list[tuple[float, str]]:
    """Return the seconds and the names of the slowest tests, set-up included.

    pytest takes a name as an argument: a group for pytest-xdist is not part of it.
    """
    cases = ET.parse(report).iter("testcase")  # noqa: S314 - our own pytest wrote it
    return nlargest(
        number,
        (
            (
                float(case.attrib["time"]),
                f"{case.attrib['classname'].replace('.', '/')}.py::"
                f"{_GROUP.sub('', case.attrib['name'])}",
            )
            for case in cases
        ),
    )
