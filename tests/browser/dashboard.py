"""The steps that put the README's card on a dashboard."""

from playwright.sync_api import Locator, expect

from tests.walks.names import DOMAIN
from tests.walks.texts import text
from tests.walks.world import LIVING_ROOM

from .readme import to_paste
from .screen import Screen

_PATH = "plex-link"
_PAGE = f"/config/integrations/integration/{DOMAIN}"
_REJECTED = "Plex no longer accepts the sign-in."
_EMPTY = """async (path) => {
  const hass = document.querySelector('home-assistant').hass;
  await hass.callWS({
    type: 'lovelace/dashboards/create', url_path: path, title: 'Home', mode: 'storage'
  });
  const sections = [{type: 'grid', cards: []}];
  const config = {views: [{title: 'Home', type: 'sections', sections}]};
  await hass.callWS({type: 'lovelace/config/save', url_path: path, config});
}"""


def paste_card(screen: Screen) -> None:
    """Add the card to an empty dashboard, as the README says, and look at it."""
    with screen.step("Paste the card"):
        screen.page.evaluate(_EMPTY, _PATH)
        screen.page.goto(f"/{_PATH}")
        screen.press("Edit dashboard")
        screen.press("Add card")
        screen.click("By card")
        manual = screen.see("Manual", exact=True)
        manual.scroll_into_view_if_needed()
        screen.page.wait_for_timeout(800)  # cards that appear above move it
        # An element without content lies above it.
        manual.click(force=True)
        screen.page.locator(".cm-content").filter(visible=True).click()
        screen.page.keyboard.press("Control+A")
        [card] = to_paste("On the dashboard")
        screen.page.keyboard.insert_text(card)
        screen.see(_REJECTED)  # the editor shows what is hidden, too
        screen.picture("dashboard-editor", keep=False)
        screen.press("Save")
        screen.press("Done")
    with screen.step("Look at the card"):
        screen.see(LIVING_ROOM, exact=True)
        screen.read(text("entity.sensor.connection.state.local"))
        assert not screen.page.get_by_text(_REJECTED).is_visible()
        screen.picture("dashboard", part=_shown(screen))


def see_rejection(screen: Screen) -> None:
    """See the card tell that Plex rejects the sign-in."""
    with screen.step("See the card tell of the rejection"):
        screen.page.goto(f"/{_PATH}")
        screen.see(_REJECTED)
        screen.picture("dashboard-rejected", part=_shown(screen))
        link = screen.page.get_by_role("link", name="Sign in again")
        expect(link.filter(visible=True)).to_have_attribute("href", _PAGE)


def _shown(screen: Screen) -> Locator:
    """Return the card with all that is in it; no card is an error."""
    expect(screen.page.locator("hui-error-card")).to_have_count(0)
    return screen.page.locator("hui-vertical-stack-card")
