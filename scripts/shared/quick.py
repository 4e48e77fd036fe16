"""`scripts/quick`: style, types, and the tests of what changed since the last commit."""

from pathlib import Path
import re
import sys

from .checks import Checks
from .commands import run
from .environment import TEST, prepare
from .paths import ROOT

# Where the tests of a folder's modules are.
_TESTS = {
    Path("custom_components/plex_auth"): Path("tests"),
    Path("scripts/shared"): Path("tests/scripts"),
    Path("tests/plex_simulator"): Path("tests/plex_simulator_tests"),
}
_IMPORT = re.compile(r"^ *(?:from \S+ )?import (?:\([^)]*\)|.*)", re.MULTILINE)
# What is imported more often takes too long to test.
_MOST_USERS = 10


def main() -> int:
    """Check style and types, run the changed files' tests, and return the exit code.

    Arguments go to pytest.
    """
    prepare(TEST)
    checks = Checks(TEST)
    checks.check_code()
    tests = {path: picked_tests(Path(path), ROOT) for path in changed_files(ROOT)}
    if picked := sorted(set[str]().union(*tests.values())):
        checks.run("pytest", [TEST.program("pytest"), *picked, *sys.argv[1:]])
    code = checks.summarize()
    for path in (path for path in tests if not tests[path]):
        print(f"no tests picked for {path}")
    return code


def changed_files(root: Path) -> list[str]:
    """Return the paths of a repository that differ from the last commit, new ones too."""
    changed = run(["git", "diff", "--name-only", "HEAD"], "ask git", cwd=root)
    new = ["git", "ls-files", "--others", "--exclude-standard"]
    return sorted({*changed.splitlines(), *run(new, "ask git", cwd=root).splitlines()})


def picked_tests(path: Path, root: Path) -> set[str]:
    """Return the test modules of a file of a repository.

    A test module stands for itself, and a module has the one of its name. A module that
    has none is tested by what imports it, unless that is nearly everything.
    """
    if path.suffix != ".py" or path.name == "conftest.py":
        return set()
    if own := _own_tests(path, root):
        return own
    name = re.compile(rf"\b{path.stem}\b")
    users = {
        file.relative_to(root)
        for folder in (*_TESTS, Path("tests"))
        for file in (root / folder).rglob("*.py")
        if any(map(name.search, _IMPORT.findall(file.read_text())))
    }
    if len(users) > _MOST_USERS:
        return set()
    return {test for user in users for test in _own_tests(user, root)}


def _own_tests(path: Path, root: Path) -> set[str]:
    places = [
        tests / path.relative_to(folder).with_name(f"test_{path.stem.strip('_')}.py")
        for folder, tests in _TESTS.items()
        if path.is_relative_to(folder)
    ]
    if path.name.startswith("test_"):
        places.append(path)
    return {str(place) for place in places if (root / place).exists()}
