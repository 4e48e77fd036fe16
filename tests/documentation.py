"""The documentation, how its parts are found, and the entities that it describes."""

from pathlib import Path
import re
from typing import Any, Self

from custom_components.plex_auth import binary_sensor, button, event, sensor
from custom_components.plex_auth.const import DOMAIN
from homeassistant.helpers.entity import EntityDescription

from .helpers import yaml_examples

ROOT = Path(__file__).parents[1]
INTEGRATION = ROOT / "custom_components" / DOMAIN
DOCS = ROOT / "docs"
IMAGES = DOCS / "images"

type Entities = dict[str, tuple[EntityDescription, ...]]

# Of accounts and servers, but for the sources of a server, which have no description.
ENTITIES: Entities = {
    "binary_sensor": (
        binary_sensor.SIGN_IN,
        *binary_sensor.ACCOUNT_BINARY_SENSORS,
        binary_sensor.REACHABLE,
    ),
    "button": (button.CHECK_NOW,),
    "event": (event.AUTHORIZED_DEVICE, event.TRANSIENT_TOKEN),
    "sensor": (
        sensor.SIGN_IN_LAST_VERIFIED,
        sensor.AUTHORIZED_DEVICES,
        sensor.NEWEST_AUTHORIZED_DEVICE,
        *sensor.ACCOUNT_SENSORS,
        *sensor.SUBSCRIPTION_SENSORS,
        sensor.CONNECTION,
        *sensor.SERVER_SENSORS,
    ),
}
HOME_USER_ENTITIES: Entities = {
    "binary_sensor": (binary_sensor.SIGN_IN,),
    "sensor": (sensor.HOME_USER_SERVERS,),
}


class Text(str):
    """A page of the documentation, or a part of one."""

    __slots__ = ()

    @classmethod
    def of(cls, path: str) -> Self:
        """Return the page at a path of the repository."""
        return cls((ROOT / path).read_text())

    def chapters(self, level: int = 2) -> dict[str, Text]:
        """Return what stands below each heading of a level, by the heading."""
        _, *found = re.split(rf"^{'#' * level} (.+)\n", self, flags=re.MULTILINE)
        return dict(zip(found[::2], map(Text, found[1::2]), strict=True))

    def column(self, heading: str, number: int = 0) -> list[str]:
        """Return a column of all tables whose first column has this heading."""
        cells: list[str] = []
        inside = False
        for line in self.splitlines():
            row = [cell.strip() for cell in line.strip("|").split(" | ")]
            if not line.startswith("|"):
                inside = False
            elif inside and not set(row[0]) <= {"-", "|", " "}:
                cells.append(row[number])
            elif row[0] == heading:
                inside = True
        return cells

    def examples(self) -> list[dict[str, Any]]:
        """Return all examples in YAML."""
        return yaml_examples(self)

    def links(self) -> list[tuple[str, str]]:
        """Return the links to files of the repository, each with its anchor, and the pictures."""
        return [
            *re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", self),
            *((path, "") for path in re.findall(r'src(?:set)?="([^":]+)"', self)),
        ]

    def anchors(self) -> set[str]:
        """Return the anchors of all headings, as GitHub makes them."""
        return {
            re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            for heading in re.findall(r"^#+ (.+)$", self, re.MULTILINE)
        }


PAGES = {
    str(path.relative_to(ROOT)): Text.of(str(path.relative_to(ROOT)))
    for path in sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
}
