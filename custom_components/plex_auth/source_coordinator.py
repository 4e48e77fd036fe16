"""The poll of the sources of a server."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback

from .api.errors import PlexError
from .api.models import Source
from .api.server_access import ServerAccess
from .const import CONF_SOURCES, LOGGER
from .shared_poll import SharedPollCoordinator

SOURCE_INTERVAL: Final = timedelta(minutes=30)


class SourceCoordinator(SharedPollCoordinator[dict[str, Source]]):
    """Watch how the sources of a server can be reached, each judged by itself.

    A source that cannot be told has no key; why is in `failures`.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry[Any],
        subentry: ConfigSubentry,
        reached: Callable[[], ServerAccess | None],
    ) -> None:
        """Take the subentry that names the sources.

        `reached` returns the access to the server, None while it is not reached.
        """
        super().__init__(
            hass,
            entry,
            name=f"sources of Plex server {subentry.title}",
            interval=SOURCE_INTERVAL,
        )
        self.failures: dict[str, PlexError] = {}
        self.is_late = False
        self._subentry = subentry
        self._reached = reached
        self._followed = self.watched

    @property
    def watched(self) -> list[str]:
        """Return the sources that the user watches."""
        return list(self._subentry.data.get(CONF_SOURCES, ()))

    @callback
    def async_follow(self) -> None:
        """Ask anew where other sources are watched."""
        if self._followed != self.watched:
            self._followed = self.watched
            self.async_poll_now()

    @override
    async def _async_update_data(self) -> dict[str, Source]:
        """Ask the server for one source after the other, if it is reached at all."""
        found: dict[str, Source] = {}
        self.failures = {}
        access = self._reached()
        self.is_late = access is None
        if access is None:
            return found
        for source in self.watched:
            try:
                found[source], _ = await access.source(source)
            except PlexError as err:
                self.failures[source] = err
                LOGGER.debug("One of the %s cannot be told: %s", self.name, err)
        return found
