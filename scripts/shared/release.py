"""`scripts/release`: do tag, manifest and changelog agree?"""

import argparse
import json
from pathlib import Path
import re

from .failure import Failure
from .paths import ROOT


def main() -> int:
    """Read the tag from the command line, print its release notes, and return 0."""
    parser = argparse.ArgumentParser(prog="scripts/release", description=__doc__)
    parser.add_argument("tag", help="the tag, like v1.2.3")
    print(release_notes(ROOT, parser.parse_args().tag))
    return 0


def release_notes(root: Path, tag: str) -> str:
    """Return what the changelog says of a tag's version.

    Raises `Failure` unless manifest and changelog name the same version.
    """
    manifest = root / "custom_components" / "plex_auth" / "manifest.json"
    version = json.loads(manifest.read_text())["version"]
    if tag != f"v{version}":
        raise Failure(f"the tag is {tag}, but the manifest says {version}")
    changelog = (root / "CHANGELOG.md").read_text()
    entries = re.split(r"^## \[(.+?)\](.*)$", changelog, flags=re.MULTILINE)
    for name, rest, notes in zip(
        entries[1::3], entries[2::3], entries[3::3], strict=True
    ):
        if name != version:
            continue
        if not re.fullmatch(r" - \d{4}-\d{2}-\d{2}", rest):
            raise Failure(f"the changelog has no date for {version}")
        text = re.sub(r"^\[.+?\]: .*$", "", notes, flags=re.MULTILINE).strip()
        if not text:
            raise Failure(f"the changelog says nothing of {version}")
        return text
    raise Failure(f"the changelog does not name {version}")
