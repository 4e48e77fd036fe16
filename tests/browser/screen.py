"""What a person can do with a page: look, click, type, and take a picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
import shutil
import time
from typing import Any

from playwright.sync_api import Error, Locator, Page, expect

from scripts.shared.browser import PICTURES
from scripts.shared.failure import Failure
from scripts.shared.paths import ROOT
from scripts.shared.progress import step
from tests.walks.texts import untranslated

from .axe import Axe

DOCUMENTATION = ROOT / "docs/images"

_LONGEST_WAIT = 30_000
_ALL_TEXT = """() => {
  const texts = [];
  const visit = (node) => {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    if (['SCRIPT', 'STYLE'].includes(node.nodeName)) return;
    for (const child of node.shadowRoot?.childNodes ?? []) visit(child);
    for (const child of node.childNodes) visit(child);
  };
  visit(document.body);
  return texts.join('\\n');
}"""


@dataclass(frozen=True)
class Look:
    """How somebody has the page before them: its size in pixels, and its colours."""

    width: int = 1200
    height: int = 800
    dark: bool = False

    def put_on(self, page: Page) -> None:
        """Let a page look so."""
        page.set_viewport_size({"width": self.width, "height": self.height})
        page.emulate_media(color_scheme="dark" if self.dark else "light")


# Beside the light page of a desk: a dark one, and the size of a phone.
_OTHER_LOOKS = {
    "dark": Look(dark=True),
    "phone": Look(width=390, height=844),
}

_TELL_CLICKS = "addEventListener('pointerdown', () => countClick(), true)"

_ASK = "command => document.querySelector('home-assistant').hass.callWS(command)"


@dataclass
class Screen:
    """A page of Home Assistant."""

    page: Page
    keep_pictures: bool
    looks: bool
    axe: Axe | None = None
    steps: int = field(default=0, init=False)
    clicks: int = field(default=0, init=False)
    lookalikes: str = field(default="", init=False)
    """What a name has that looks like a placeholder."""
    _pictures: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Wait long, since the machine may be slow, and count what is clicked on."""
        Look().put_on(self.page)
        self.page.set_default_timeout(_LONGEST_WAIT)
        expect.set_options(timeout=_LONGEST_WAIT)
        self.page.expose_function("countClick", self._count_click)
        self.page.add_init_script(_TELL_CLICKS)

    def _count_click(self) -> None:
        """Count a click, of whatever kind and on whatever."""
        self.clicks += 1

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        """Do a step of the tour; raises `Failure` with the picture when it fails."""
        try:
            with step(label):
                self.steps += 1
                yield
        except (Error, AssertionError, Failure) as error:
            picture = PICTURES / f"failed at {label}.png"
            self.page.screenshot(path=picture)
            reason = _reason(error)
            shown = picture.relative_to(ROOT)
            raise Failure(f"{label}: {reason} (picture: {shown})") from None

    @contextmanager
    def clicks_at_most(self, most: int) -> Iterator[None]:
        """Do something with no more than so many clicks; raises `Failure` for more."""
        before = self.clicks
        yield
        self.page.wait_for_timeout(100)  # until the last one is counted
        needed = self.clicks - before
        if not 0 < needed <= most:
            raise Failure(f"it takes {needed} clicks, which may be {most}")

    def see(self, text: str, *, exact: bool = False) -> Locator:
        """Wait until a text is to be seen, and return where."""
        found = self.page.get_by_text(text, exact=exact).filter(visible=True).first
        expect(found, f"not to be seen: {text}").to_be_visible()
        return found

    def read(self, text: str) -> None:
        """Wait until a text is on the page, also where it is in no element of its own."""
        deadline = time.monotonic() + _LONGEST_WAIT / 1000
        while text not in self.page.evaluate(_ALL_TEXT):
            if time.monotonic() > deadline:
                raise Failure(f"not to be read: {text}")
            self.page.wait_for_timeout(200)

    def click(self, text: str) -> None:
        """Click on a text."""
        self.use(self.see(text, exact=True))

    def use(self, target: Locator) -> None:
        """Click on something."""
        target.click()

    def tick(self, box: Locator) -> None:
        """Tick a box, or take its tick away."""
        box.click()

    def select(self, text: str) -> None:
        """Select one of several items of a form."""
        self.click(text)

    def press(self, name: str) -> None:
        """Press the button with this name; the topmost one when there are more."""
        buttons = self.page.get_by_role("button", name=name, exact=True)
        self.use(buttons.filter(visible=True).last)

    def close_dialog(self) -> None:
        """Close the topmost dialog, in whatever language, and wait until it has ended."""
        with self.page.expect_response(lambda one: one.request.method == "DELETE"):
            self.use(self.page.locator("[data-dialog=close]").filter(visible=True).last)

    def type(self, field_name: str, value: str) -> None:
        """Type into the field of a form."""
        self.page.locator(f"input[name={field_name}]").fill(value)

    def typed(self, field_name: str) -> str:
        """Return what a field of a form has in it."""
        return str(self.page.locator(f"input[name={field_name}]").input_value())

    def choose(self, picker: Locator, search: str, item: str) -> None:
        """Open a list, search in it and choose an item."""
        picker.click()
        items = self.page.locator("ha-combo-box-item").filter(visible=True)
        expect(items.first, "the list is empty").to_be_visible()
        self.search(search)
        items.filter(has_text=item).first.click()

    def search(self, words: str) -> None:
        """Type into the topmost field for a search."""
        fields = self.page.locator("ha-input-search input").filter(visible=True)
        fields.last.fill(words)

    def ask(self, command: str, **fields: object) -> Any:
        """Return what Home Assistant answers to a command of its page."""
        return self.page.evaluate(_ASK, {"type": command, **fields})

    def picture(
        self,
        name: str,
        *,
        dialog: bool = False,
        part: Locator | None = None,
        keep: bool = True,
    ) -> None:
        """Take a picture, and look for keys and placeholders in place of texts.

        A name that has its picture already gets no other. With `dialog` it shows the
        dialog alone, with `part` that part of the page; `keep` means the documentation
        has it.
        """
        if name in self._pictures:
            return
        self._pictures.add(name)
        dialogs = self.page.locator("dialog[open]").filter(visible=True)
        shown = part or (dialogs.last if dialog else self.page)
        file = PICTURES / f"{name}.png"
        self._take(shown, file)
        if self.axe:
            self.axe.look(self.page, name)
        if self.looks:
            for look, other in _OTHER_LOOKS.items():
                other.put_on(self.page)
                self._take(shown, PICTURES / look / file.name)
            Look().put_on(self.page)
        if keep and self.keep_pictures:
            DOCUMENTATION.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, DOCUMENTATION / Path(file.name))

    def _take(self, shown: Page | Locator, file: Path) -> None:
        """Take a picture of what is shown, and look for keys and placeholders in it."""
        self.page.wait_for_timeout(600)  # until nothing moves
        words = self.page.evaluate(_ALL_TEXT)
        if self.lookalikes:
            words = words.replace(self.lookalikes, "")
        if found := untranslated(words):
            raise Failure(f"the page shows {found}")
        shown.screenshot(path=file)


def _reason(error: Exception) -> str:
    """Return in one line what went wrong, and what was waited for."""
    message, _, log = str(error).partition("Call log:")
    waits = [line.strip(" -") for line in log.splitlines() if "waiting for" in line]
    return " ".join([*message.split(), *waits[:1]])
