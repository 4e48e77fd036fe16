"""A page that is worked by the keyboard alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, override

from playwright.sync_api import Locator, expect

from scripts.shared.failure import Failure

from .screen import Screen

_MOST_KEYS: Final = 200
_MOST_KEYS_IN_MENU: Final = 20  # four lead once around a dialog that shows a menu
_OPENING: Final = 300  # milliseconds until a menu has the focus
# What the next key is on the way from the element that has the focus to a target: none
# if it is reached, an arrow within a list as long as it moves the focus, else Tab.
_NEXT_KEY: Final = """target => {
  const above = (node) => {
    const found = [];
    for (let at = node; at; at = at.assignedSlot ?? at.parentNode ?? at.host)
      found.push(at);
    return found;
  };
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  if (['BODY', 'HTML', 'DIALOG', 'HA-DIALOG', 'WA-DIALOG'].includes(focused.nodeName))
    return 'Tab';
  const [from, to] = [above(focused), above(target)];
  const isButton = target.localName === 'button';
  if (from.includes(target) || (!isButton && to.includes(focused))) return null;
  const has = (roles) => (node) => roles.includes(node.getAttribute?.('role'));
  const isItem = (node) => node.type === 'radio'
    || has(['listitem', 'menuitem', 'option', 'radio'])(node);
  const list = from.find(has(['list', 'listbox', 'menu', 'radiogroup']));
  const isInList = from.some(isItem) && to.some(isItem) && (!list || to.includes(list));
  const hasMoved = window.focusedBefore !== focused;
  window.focusedBefore = focused;
  if (isButton || !isInList || !hasMoved) return 'Tab';
  const top = (node) => node.getBoundingClientRect().top;
  return top(target) < top(focused) ? 'ArrowUp' : 'ArrowDown';
}"""


# In Home Assistant 2026.10 and 2026.11, no key leads to an item of a dialog's menu, and
# none chooses it. Each is an `ha-list-item` with `tabindex="-1"` that listens to the
# pointer alone. In an `ha-list`, the list would give one of them `tabindex="0"`, and
# listen to arrows and Enter. But `step-flow-menu` has them in a plain `div.options`: Tab
# knows Close and Help only, and Enter does nothing even where a script sets the focus.
_IS_IN_MENU: Final = """target => {
  let at = target;
  while (at && at.localName !== 'step-flow-menu') at = at.parentNode ?? at.host;
  return Boolean(at);
}"""


@dataclass
class Keyboard(Screen):
    """A page of Home Assistant on which only items of menus are clicked on, if need be."""

    menus: int = field(default=0, init=False)
    """How many items were clicked on, since no key leads to them."""

    @contextmanager
    def keys_only(self) -> Iterator[None]:
        """Do something without a click but in menus; raises `Failure` for any other."""
        before = self.clicks - self.menus
        yield
        self.page.wait_for_timeout(100)  # until the last one is counted
        if needed := self.clicks - self.menus - before:
            raise Failure(f"it takes {needed} clicks")

    @override
    @contextmanager
    def clicks_at_most(self, most: int) -> Iterator[None]:
        """Do something for which the clicks are not counted: there are none."""
        yield

    @override
    def use(self, target: Locator) -> None:
        """Go to a button, link or item and press Enter; click where a menu has no key."""
        is_in_menu = target.evaluate(_IS_IN_MENU)
        try:
            self._go_to(target, _MOST_KEYS_IN_MENU if is_in_menu else _MOST_KEYS)
        except Failure:
            if not is_in_menu:
                raise
            target.click()
            self.menus += 1
            return
        self.page.keyboard.press("Enter")
        self.page.wait_for_timeout(_OPENING)

    @override
    def tick(self, box: Locator) -> None:
        """Go to a box, and press the space bar."""
        self._go_to(box)
        self.page.keyboard.press("Space")

    @override
    def select(self, text: str) -> None:
        """Go to one of several items of a form, and press the space bar."""
        self._go_to(self.see(text, exact=True))
        self.page.keyboard.press("Space")

    @override
    def type(self, field_name: str, value: str) -> None:
        """Go to the field of a form, and type in place of what is in it."""
        self._type(self.page.locator(f"input[name={field_name}]"), value)

    @override
    def choose(self, picker: Locator, search: str, item: str) -> None:
        """Open a list with the space bar, and go to an item with the arrow.

        Enter would submit the form, and what is typed would be an item of its own.
        """
        self._go_to(picker)
        self.page.keyboard.press("Space")
        self.page.wait_for_timeout(_OPENING)
        items = self.page.locator("ha-picker-combo-box ha-combo-box-item")
        expect(items.filter(has_text=item).first, "the item").to_be_visible()
        for words in items.all_inner_texts():
            self.page.keyboard.press("ArrowDown")
            if item in words:
                break
        self.page.keyboard.press("Enter")

    @override
    def search(self, words: str) -> None:
        """Type into the topmost field for a search."""
        fields = self.page.locator("ha-input-search input").filter(visible=True)
        self._type(fields.last, words)

    def _type(self, field: Locator, value: str) -> None:
        self._go_to(field)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(value)
        expect(field, "what was typed").to_have_value(value)

    def _go_to(self, target: Locator, most_keys: int = _MOST_KEYS) -> None:
        """Move the focus to a target; raises `Failure` if no key leads there."""
        expect(target, "what the keyboard is to reach").to_be_visible()
        for _ in range(most_keys):
            key = target.evaluate(_NEXT_KEY)
            if key is None:
                return
            self.page.keyboard.press(key)
        raise Failure(f"the keyboard does not lead to {target}")
