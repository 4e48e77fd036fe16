"""The page that shows the progress of a step."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import EVENT_DATA_ENTRY_FLOW_PROGRESSED


class ProgressPage:
    """Know whether the page that shows a progress is still there.

    Home Assistant is not told that a page has closed its dialog. It asks the step once
    more when the dialog is opened again, but also when a page has just begun to show
    it. The difference: a page that shows a progress listens for its end.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin before the page does."""
        self._hass = hass
        self._was_there = False

    @property
    def is_gone(self) -> bool:
        """Return whether the page was seen to listen and does so no longer.

        A program that asks again and again, and listens to nothing, is never gone.
        """
        return self._was_there and not self._is_listening

    @callback
    def note(self) -> None:
        """Note whether the page listens."""
        self._was_there = self._was_there or self._is_listening

    @property
    def _is_listening(self) -> bool:
        """Return whether any page listens for the end of a progress."""
        return EVENT_DATA_ENTRY_FLOW_PROGRESSED in self._hass.bus.async_listeners()
