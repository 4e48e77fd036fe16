"""The repository keeps the rules that a machine can check."""

import json
from pathlib import Path
import re
import struct
import tomllib
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.components.brands.const import ALLOWED_IMAGES
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict
from scripts.shared.failure import Failure
from scripts.shared.release import release_notes

from .documentation import INTEGRATION, ROOT

BRONZE = """
action-setup appropriate-polling brands common-modules config-flow
config-flow-test-coverage dependency-transparency docs-actions docs-conditions
docs-high-level-description docs-installation-instructions docs-removal-instructions
docs-triggers entity-event-setup entity-unique-id has-entity-name runtime-data
test-before-configure test-before-setup unique-config-entry
"""
SILVER = """
action-exceptions config-entry-unloading docs-configuration-parameters
docs-installation-parameters entity-unavailable integration-owner log-when-unavailable
parallel-updates reauthentication-flow test-coverage
"""
GOLD = """
devices diagnostics discovery discovery-update-info docs-data-update docs-examples
docs-known-limitations docs-supported-devices docs-supported-functions
docs-troubleshooting docs-use-cases dynamic-devices entity-category entity-device-class
entity-disabled-by-default entity-translations exception-translations icon-translations
reconfiguration-flow repair-issues stale-devices
"""
PLATINUM = "async-dependency inject-websession strict-typing"
RULES = f"{BRONZE} {SILVER} {GOLD} {PLATINUM}".split()


def _json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file."""
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_quality_scale() -> None:
    """Each of the 54 rules is kept, or exempt for a reason that is given."""
    rules = load_yaml_dict(str(INTEGRATION / "quality_scale.yaml"))["rules"]
    assert len(RULES) == 54
    assert sorted(rules) == sorted(RULES)
    for rule, status in rules.items():
        if status != "done":
            assert status["status"] in ("done", "exempt"), rule
            assert status["comment"].strip(), rule


def test_manifest() -> None:
    """The manifest has a code owner and a version of three numbers, and requires nothing."""
    manifest = _json(INTEGRATION / "manifest.json")
    assert manifest["requirements"] == []
    assert manifest["codeowners"] == ["@seed-6e2aef77"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])


def test_hacs() -> None:
    """HACS and the Marketplace find what they read."""
    assert _json(ROOT / "hacs.json") == {
        "name": "Plex Auth",
        "homeassistant": "2026.10.0",
    }
    assert not (INTEGRATION / "strings.json").exists()
    assert (ROOT / "LICENSE").read_text().split()[:3] == [
        "Apache",
        "License",
        "Version",
    ]


async def test_brand_images(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> None:
    """Home Assistant serves each image: a PNG with transparency, of the size it asks for."""
    folder = INTEGRATION / "brand"
    assert {path.name for path in folder.iterdir()} == set(ALLOWED_IMAGES)
    assert await async_setup_component(hass, "http", {})
    assert await async_setup_component(hass, "brands", {})
    client = await hass_client()
    for name in ALLOWED_IMAGES:
        response = await client.get(f"/api/brands/integration/plex_auth/{name}")
        image = await response.read()
        assert image == (folder / name).read_bytes(), name
        signature, width, height, colours = struct.unpack_from(">8s8xIIxB", image)
        assert signature == b"\x89PNG\r\n\x1a\n", name
        assert colours == 6, name  # red, green, blue and alpha
        scale = 2 if "@2x" in name else 1
        size = (256, 256) if "icon" in name else (466, 160)
        assert (width / scale, height / scale) == size, name


def test_release_notes() -> None:
    """The changelog has the manifest's version, and other tags are refused."""
    version = _json(INTEGRATION / "manifest.json")["version"]
    notes = release_notes(ROOT, f"v{version}")
    assert notes.startswith("### ")
    assert "]: " not in notes
    with pytest.raises(Failure, match="the manifest says"):
        release_notes(ROOT, "v0.0.0")


@pytest.mark.parametrize(
    ("changelog", "reason"),
    [
        ("# Changelog\n", "does not name"),
        ("## [1.0.0]\n\n- x\n", "no date"),
        ("## [1.0.0] - 2026-11-24\n\n## [0.9.0] - 2026-11-23\n\n- x\n", "says nothing"),
        ("## [1.0.0] - 2026-11-24\n\n[1.0.0]: x\n", "says nothing"),
    ],
)
def test_release_refused(tmp_path: Path, changelog: str, reason: str) -> None:
    """A changelog that does not go with the manifest is told as such."""
    folder = tmp_path / "custom_components" / "plex_auth"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"version": "1.0.0"}')
    (tmp_path / "CHANGELOG.md").write_text(changelog)
    with pytest.raises(Failure, match=reason):
        release_notes(tmp_path, "v1.0.0")


def test_python_floor() -> None:
    """Lint and types are checked for the Python that Home Assistant needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["ruff"]["target-version"] == "py314"
    assert project["tool"]["mypy"]["python_version"] == "3.14"
