"""The quick loop picks the tests of what changed since the last commit."""

from pathlib import Path
import shutil
import subprocess

import pytest

from scripts.shared.paths import ROOT
from scripts.shared.quick import _MOST_USERS, _TESTS, changed_files, picked_tests

INTEGRATION = Path("custom_components/plex_auth")
ITEMS = INTEGRATION / "api" / "items.py"
RESPONSES = INTEGRATION / "responses.py"
CONST = INTEGRATION / "const.py"

FILES = {
    ITEMS: "",
    RESPONSES: "",
    CONST: "RESPONSES = 1",
    INTEGRATION / "__init__.py": "from .const import RESPONSES",
    INTEGRATION
    / "services.py": "from . import (\n    const,\n    responses as made,\n)",
    Path("tests/api/test_items.py"): "",
    Path("tests/test_init.py"): "",
    Path("tests/test_services.py"): "",
    Path("tests/conftest.py"): "",
    Path("tests/home.py"): "",
    Path(
        "tests/behavior/test_starting.py"
    ): "from tests.home import Home\nfrom tests.conftest import Dns",
    **{
        Path(f"tests/test_user_{number}.py"): "    import custom_components.const"
        for number in range(_MOST_USERS - 1)
    },
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a small repository."""
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    return tmp_path


@pytest.mark.parametrize(
    ("path", "tests"),
    [
        # A module has the tests of its name, a test module itself.
        (ITEMS, {"tests/api/test_items.py"}),
        (INTEGRATION / "__init__.py", {"tests/test_init.py"}),
        (Path("tests/api/test_items.py"), {"tests/api/test_items.py"}),
        # What has none is tested by what imports it.
        (RESPONSES, {"tests/test_services.py"}),
        (Path("tests/home.py"), {"tests/behavior/test_starting.py"}),
        # What nearly everything uses would take too long.
        (CONST, set()),
        (Path("tests/conftest.py"), set()),
        # Not Python, or gone.
        (Path("README.md"), set()),
        (Path("tests/test_gone.py"), set()),
    ],
    ids=str,
)
def test_picked(root: Path, path: Path, tests: set[str]) -> None:
    """A changed file picks its tests, and no more than a few."""
    assert picked_tests(path, root) == tests


def test_places() -> None:
    """The folders are those of this repository."""
    for folder, tests in _TESTS.items():
        assert (ROOT / folder).is_dir()
        assert (ROOT / tests).is_dir()
    assert picked_tests(ITEMS, ROOT) == {"tests/api/test_items.py"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git says what changed")
def test_changed_files(root: Path) -> None:
    """Changed, staged, new and removed files count; ignored and committed ones do not."""

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        subprocess.run(
            ["git", *who, *arguments], cwd=root, capture_output=True, check=True
        )

    (root / ".gitignore").write_text("/.cache/\n")
    git("init")
    git("add", ".")
    git("commit", "--message", "x")
    assert changed_files(root) == []
    (root / ITEMS).write_text("changed")
    (root / RESPONSES).write_text("staged")
    git("add", str(RESPONSES))
    (root / CONST).unlink()
    (root / "new.py").write_text("")
    (root / ".cache").mkdir()
    (root / ".cache" / "kept.py").write_text("")
    assert changed_files(root) == sorted(
        [str(ITEMS), str(RESPONSES), str(CONST), "new.py"]
    )
