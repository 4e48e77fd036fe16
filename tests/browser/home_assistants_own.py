"""What axe-core finds on the pages of Home Assistant itself, which we cannot mend."""

from collections.abc import Mapping
from typing import Final

# By the rule: the element that has it somewhere in it, and the reason.
PARTS: Final[Mapping[str, Mapping[str, str]]] = {}
