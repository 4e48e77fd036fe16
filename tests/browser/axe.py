"""A look at pages with axe-core for what is not accessible on them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, override

from playwright.sync_api import Page

from .home_assistants_own import PARTS

# The parts of a page that show what the integration and its documentation give: texts in
# Markdown with links, headings and pictures, and the card of the README.
_OURS = ("ha-markdown", "hui-vertical-stack-card")
_RUN = """async () => {
  const pathOf = (node) => {
    const path = [];
    for (let at = node; at; at = at.parentNode ?? at.host)
      if (at.localName) path.unshift(at.localName);
    return path;
  };
  const options = {elementRef: true, resultTypes: ['violations']};
  const {violations} = await axe.run(document, options);
  return violations.flatMap(({id, help, nodes}) => nodes.map(({element, html}) => ({
    rule: id, help, html: html.slice(0, 300), path: pathOf(element)
  })));
}"""


@dataclass(frozen=True)
class Violation:
    """What is not accessible, by a rule of axe-core, on a picture's page.

    `path` has the names of the elements from the root to the one that violates it.
    """

    page: str
    rule: str
    help: str
    html: str
    path: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Return whether it is not a known one of Home Assistant's own pages."""
        known = PARTS.get(self.rule, {})
        ours = [part for part in _OURS if part in self.path]
        return not any(part in known for part in ours or self.path)

    @override
    def __str__(self) -> str:
        """Tell a person what it is and where."""
        return (
            f"{self.page}: {self.rule}: {self.help}: "
            f"{' > '.join(self.path[-4:])}: {self.html}"
        )


@dataclass
class Axe:
    """Look at pages, and gather what is found."""

    script: Path
    pages: int = field(default=0, init=False)
    _found: dict[tuple[str, ...], Violation] = field(default_factory=dict, init=False)

    def look(self, page: Page, name: str) -> None:
        """Look at a page as it is now; `name` is that of its picture."""
        if not page.evaluate("typeof axe === 'object'"):
            page.add_script_tag(path=self.script)
        self.pages += 1
        for one in page.evaluate(_RUN):
            found = _violation(name, one)
            self._found.setdefault((found.rule, *found.path), found)

    def ours(self) -> Iterator[Violation]:
        """Yield what is not Home Assistant's own, each once."""
        return (one for one in self._found.values() if one.is_ours)

    def theirs(self) -> int:
        """Return how many violations are Home Assistant's own."""
        return sum(not one.is_ours for one in self._found.values())


def _violation(name: str, found: dict[str, Any]) -> Violation:
    return Violation(
        page=name,
        rule=found["rule"],
        help=found["help"],
        html=found["html"],
        path=tuple(found["path"]),
    )
