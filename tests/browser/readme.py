"""What the README tells a person to paste."""

import re

from scripts.shared.paths import ROOT


def to_paste(chapter: str) -> list[str]:
    """Return the examples in YAML of a chapter of the README, as text."""
    readme = (ROOT / "README.md").read_text()
    _, _, rest = readme.partition(f"\n## {chapter}\n")
    text, _, _ = rest.partition("\n## ")
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
